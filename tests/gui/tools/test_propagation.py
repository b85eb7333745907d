"""One propagation as the window sees it: it starts, tells its frames, pauses, and ends exactly once."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.errors import EngineError
from sam_annotator.core.remarks import Remark
from sam_annotator.engine.propagation import FrameDone
from sam_annotator.gui.engine_thread import EngineThread
from sam_annotator.gui.tools import propagation
from sam_annotator.gui.tools.propagation import PropagationTool

WAIT_MS = 20_000


class Heard:
    """What the tool has said, in order, `changed` left out."""

    def __init__(self, tool: PropagationTool) -> None:
        self.said: list[tuple[str, Any]] = []
        for name in ("busy", "frame_done", "ended", "failed"):
            getattr(tool, name).connect(lambda fact, name=name: self.said.append((name, fact)))

    def named(self, name: str) -> list[Any]:
        return [fact for said, fact in self.said if said == name]


@pytest.fixture
def tool(engine_thread: EngineThread) -> PropagationTool:
    return PropagationTool(engine_thread)


@pytest.fixture
def heard(tool: PropagationTool) -> Heard:
    return Heard(tool)


@pytest.fixture
def ended(heard: Heard, qtbot: QtBot) -> Callable[[], None]:
    return lambda: qtbot.waitUntil(lambda: bool(heard.named("ended")), timeout=WAIT_MS)


def run_of(total: int, problems: dict[int, str] | None = None) -> Iterator[str | FrameDone]:
    yield "loading the propagator"
    for index in range(total):
        problem = (problems or {}).get(index)
        yield FrameDone(index, {} if problem else {1: 0.9}, index + 1, total, problem)


def test_a_run_tells_what_it_does_then_each_frame_then_its_end(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    tool.start(lambda: run_of(4))
    assert tool.is_running
    assert tool.describe() == "starting"
    ended()
    assert [name for name, _fact in heard.said] == ["busy", *["frame_done"] * 4, "ended"]
    assert [step.index for step in heard.named("frame_done")] == [0, 1, 2, 3]
    assert heard.named("ended") == ["Done: 4 frames computed"]
    assert not tool.is_running
    assert not tool.is_paused


def test_skipped_frames_are_counted_and_the_first_reason_is_told_at_the_end(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    tool.start(lambda: run_of(4, {1: "00001.jpg cannot be read.", 3: "00003.jpg cannot be read."}))
    ended()
    assert heard.named("ended") == ["Done: 2 frames computed, 2 skipped: 00001.jpg cannot be read."]


def test_what_changed_in_a_run_is_told_when_it_does_and_at_its_end(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    told: list[str] = []
    tool.noticed.connect(told.append)
    tool.start(lambda: iter([FrameDone(0, {}, 1, 2), FrameDone(1, {}, 2, 2, notice="Frames are seen smaller.")]))
    ended()
    assert told == ["Frames are seen smaller."]
    assert heard.named("ended") == [
        "Done: 0 frames computed, as people have the say in all of them. Frames are seen smaller."
    ]


def test_a_remark_is_told_as_one_however_it_ends_and_progress_is_not(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    told: list[str] = []
    tool.noticed.connect(told.append)
    tool.start(lambda: iter(["loading stcn.", Remark("Memory for 1 object: 2 GB of 8 GB")]))
    ended()
    assert told == ["Memory for 1 object: 2 GB of 8 GB"]
    assert heard.named("busy") == ["loading stcn."]


def test_what_a_run_came_to_is_said_in_the_place_of_frames(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    def work() -> Iterator[FrameDone]:
        yield FrameDone(3, {}, 1, 9)
        return "Repaired frames 4 to 4"

    tool.start(work)
    ended()
    assert heard.named("ended") == ["Repaired frames 4 to 4"]


def test_a_failure_ends_the_run_and_is_told_after_its_end(tool: PropagationTool, heard: Heard, qtbot: QtBot) -> None:
    def work() -> Iterator[FrameDone]:
        yield FrameDone(0, {1: 0.9}, 1, 9)
        raise EngineError("The model ran out of memory.")

    tool.start(work)
    qtbot.waitUntil(lambda: bool(heard.named("failed")), timeout=WAIT_MS)
    assert heard.said[-2:] == [("ended", "Stopped: 1 frame computed"), ("failed", "The model ran out of memory.")]
    assert not tool.is_running


@pytest.mark.parametrize("at", [1, 3])
def test_cancelling_keeps_what_is_done_and_the_tool_can_start_again(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None], qtbot: QtBot, at: int
) -> None:
    tool.start(lambda: run_of(50))
    job = tool._job
    job.progressed.connect(lambda step: tool.cancel() if getattr(step, "done", 0) == at else None, Qt.DirectConnection)
    ended()
    assert heard.named("ended") == [f"Cancelled: {at} frame{'s' * (at > 1)} computed"]
    tool.start(lambda: run_of(2))
    qtbot.waitUntil(lambda: len(heard.named("ended")) == 2, timeout=WAIT_MS)
    assert heard.named("ended")[1] == "Done: 2 frames computed"


def test_cancelling_before_the_first_frame_says_that_nothing_was_written(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None]
) -> None:
    tool.start(lambda: run_of(50))
    tool.cancel()
    ended()
    assert heard.said == [("ended", "Cancelled: 0 frames computed")]


def test_pausing_holds_the_run_and_going_on_ends_it(
    tool: PropagationTool, heard: Heard, ended: Callable[[], None], qtbot: QtBot
) -> None:
    gate = threading.Semaphore(2)

    def work() -> Iterator[FrameDone]:
        for step in run_of(4):
            if isinstance(step, FrameDone):
                gate.acquire(timeout=20)
                yield step

    tool.start(work)
    qtbot.waitUntil(lambda: tool.done == 2, timeout=WAIT_MS)
    tool.toggle_pause()
    gate.release(10)
    assert tool.is_running
    assert tool.is_paused
    assert tool.describe() == "paused at 2/4"
    tool.toggle_pause()
    assert not tool.is_paused
    ended()
    assert heard.named("ended") == ["Done: 4 frames computed"]


def test_a_run_that_is_paused_before_its_frames_are_counted_is_paused_at_none(
    tool: PropagationTool, ended: Callable[[], None]
) -> None:
    tool.start(lambda: run_of(3))
    tool.toggle_pause()
    assert tool.describe() == "paused"
    tool.toggle_pause()
    ended()


def test_a_paused_run_can_be_cancelled(tool: PropagationTool, heard: Heard, ended: Callable[[], None]) -> None:
    tool.start(lambda: run_of(5))
    tool.toggle_pause()
    tool.cancel()
    ended()
    assert heard.named("ended") == ["Cancelled: 0 frames computed"]


def test_without_a_run_pausing_and_cancelling_do_nothing(tool: PropagationTool, heard: Heard) -> None:
    tool.toggle_pause()
    tool.cancel()
    assert heard.said == []
    assert not tool.is_running


def test_speed_and_time_left_leave_out_the_start_and_the_pause(
    tool: PropagationTool, monkeypatch: pytest.MonkeyPatch, ended: Callable[[], None], qtbot: QtBot
) -> None:
    now = [100.0]
    gate = threading.Semaphore(0)
    monkeypatch.setattr(propagation.time, "monotonic", lambda: now[0])

    def work() -> Iterator[FrameDone]:
        for index in range(6):
            gate.acquire(timeout=20)
            yield FrameDone(index, {}, index + 1, 6)

    def frame_after(seconds: float) -> None:
        done = tool.done
        now[0] += seconds
        gate.release()
        qtbot.waitUntil(lambda: tool.done == done + 1, timeout=WAIT_MS)

    tool.start(work)
    frame_after(30.0)  # loading the model
    frame_after(9.0)  # its first step
    assert tool.frames_per_second == 0
    assert tool.describe() == "2/6"
    frame_after(0.5)
    assert tool.frames_per_second == pytest.approx(2.0)
    assert tool.describe() == "3/6   2.0 fps, 2 s left"
    tool.toggle_pause()
    now[0] += 600
    tool.toggle_pause()
    frame_after(0.5)
    assert tool.frames_per_second == pytest.approx(2.0)
    gate.release(2)
    ended()
