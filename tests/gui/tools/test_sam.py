"""From clicks to proposals: an answer is only ever shown for the frame and the clicks it was asked for."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority
from sam_annotator.gui.labelme_seam import SAM_POINTS_MODE
from sam_annotator.gui.tools.sam import InHand, SamTool
from tests.gui.scene import DiscSegmenter

WAIT_MS = 20_000
SIZE = 60


class EndsTold(EngineThread):
    """Tells that a job has ended, before the window's thread hears of it: `job.has_ended`, a threading.Event."""

    def submit(self, work: Any, priority: Priority) -> Job:
        job = super().submit(work, priority)
        job.has_ended = threading.Event()
        for ended in (job.succeeded, job.cancelled, job.failed):
            ended.connect(lambda *_result, has_ended=job.has_ended: has_ended.set(), Qt.DirectConnection)
        return job


@dataclass
class Bench:
    """A SAM tool with its canvas, without the rest of the window."""

    canvas: AnnotationCanvas
    tool: SamTool
    segmenter: DiscSegmenter
    thread: EndsTold
    frames: list[Path]
    busy: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    frame: int = 0
    refined: dict[int, Proposal | None] = field(default_factory=dict)

    def go_to(self, frame: int) -> None:
        self.frame = frame
        self.tool.set_frame(self.frames[frame])

    def take(self, is_here: bool | None) -> None:
        """Take an object in hand that has a mask here, or none; None: put down what is in hand."""
        start = Proposal(np.ones((SIZE, SIZE), bool), 1.0) if is_here else None
        self.tool.take_in_hand(None if is_here is None else InHand(1, "thing", start, 300))

    def click(self, x: int, y: int, button: Qt.MouseButton = Qt.LeftButton) -> None:
        held = self.tool.in_hand
        self.refined[len(self.canvas.prompt.points) + 1] = self.tool.proposal or (held and held.start)
        QtTest.QTest.mouseClick(self.canvas, button, Qt.NoModifier, QtCore.QPoint(x, y))

    @property
    def hands(self) -> dict[str, Callable[..., None]]:
        return {
            "click": lambda x, button: self.click(x, 30, button),
            "undo": self.canvas.undo_prompt,
            "choose": self.tool.choose,
            "next": self.tool.choose_next,
            "forget": self.tool.forget,
            "take": self.take,
            "go to": self.go_to,
        }

    def check(self) -> None:
        """The law: what is shown answers this frame and these clicks, and refines what was shown before the last."""
        for proposal in self.tool.proposals:
            assert proposal.state.mark == mark_of(self.frame)
            assert proposal.state.prompt == self.canvas.prompt
            assert proposal.state.previous is self.refined[len(self.canvas.prompt.points)]
        assert (self.tool.proposal is None) == (not self.tool.proposals)


def mark_of(frame: int) -> tuple[int, int, int]:
    return (10 + 40 * frame, 20, 30)


@pytest.fixture
def bench(qapp: QtWidgets.QApplication, tmp_path: Path, discs: DiscSegmenter) -> Iterator[Bench]:
    frames = []
    for frame in range(3):
        frames.append(tmp_path / f"{frame}.png")
        Image.fromarray(np.full((SIZE, SIZE, 3), mark_of(frame), np.uint8)).save(frames[-1])
    canvas = AnnotationCanvas()
    canvas.resize(SIZE, SIZE)
    canvas.load_pixmap(QtGui.QPixmap(SIZE, SIZE))
    canvas.set_editing(False)
    canvas.create_mode = SAM_POINTS_MODE
    thread = EndsTold("test")
    made = Bench(canvas, SamTool(canvas, EngineJobs({}), thread), discs, thread, frames)
    made.tool.busy.connect(made.busy.append)
    made.tool.failed.connect(made.failed.append)
    made.go_to(0)
    yield made
    if discs.gate is not None:
        discs.gate.release(1000)
    thread.stop()
    qapp.processEvents()


@pytest.fixture
def answered(bench: Bench, qtbot: QtBot) -> Callable[[], None]:
    return lambda: qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)


def test_a_click_is_answered_with_proposals_of_which_the_first_is_chosen(
    bench: Bench, answered: Callable[[], None]
) -> None:
    bench.click(20, 30)
    answered()
    assert bench.segmenter.asked == [Prompt(((20.0, 30.0),), (True,))]
    assert len(bench.tool.proposals) == 3
    assert bench.tool.chosen == 0
    assert bench.tool.proposal is bench.tool.proposals[0]
    bench.check()


def test_the_next_click_refines_the_proposal_that_was_chosen(bench: Bench, answered: Callable[[], None]) -> None:
    bench.click(20, 30)
    answered()
    bench.tool.choose(2)
    chosen = bench.tool.proposal
    bench.click(25, 30)
    answered()
    assert bench.segmenter.previous == [None, chosen]
    assert bench.tool.chosen == 0


def test_undoing_a_click_shows_the_proposals_before_it_and_the_choice_without_asking_again(
    bench: Bench, answered: Callable[[], None]
) -> None:
    bench.click(20, 30)
    answered()
    bench.tool.choose(1)
    before = bench.tool.proposals
    bench.click(25, 30, Qt.RightButton)
    answered()
    bench.canvas.undo_prompt()
    assert bench.tool.proposals is before
    assert bench.tool.chosen == 1
    assert len(bench.segmenter.asked) == 2


def test_the_same_click_again_after_another_choice_refines_that_choice(
    bench: Bench, answered: Callable[[], None]
) -> None:
    bench.click(20, 30)
    answered()
    bench.click(25, 30)
    answered()
    bench.canvas.undo_prompt()
    bench.tool.choose(2)
    chosen = bench.tool.proposal
    bench.click(25, 30)
    assert bench.tool.proposals == ()
    answered()
    assert bench.segmenter.previous[-1] is chosen
    assert len(bench.segmenter.asked) == 3


def test_undoing_the_last_click_leaves_nothing_shown_and_asks_nothing(
    bench: Bench, answered: Callable[[], None]
) -> None:
    bench.click(20, 30)
    answered()
    bench.canvas.undo_prompt()
    assert bench.tool.proposals == ()
    assert not bench.canvas.has_prompt
    assert len(bench.segmenter.asked) == 1


def test_choosing_goes_round_and_ignores_what_is_not_there(bench: Bench, answered: Callable[[], None]) -> None:
    bench.tool.choose(0)
    bench.tool.choose_next()
    assert bench.tool.proposal is None
    bench.click(20, 30)
    answered()
    seen = [bench.tool.chosen]
    for _ in range(3):
        bench.tool.choose_next()
        seen.append(bench.tool.chosen)
    bench.tool.choose(3)
    assert [*seen, bench.tool.chosen] == [0, 1, 2, 0, 0]


def test_a_click_that_only_excludes_waits_for_one_that_includes(bench: Bench, answered: Callable[[], None]) -> None:
    hints: list[str] = []
    bench.canvas.status_updated.connect(hints.append)
    bench.click(20, 30, Qt.RightButton)
    assert hints[-1].startswith("Click on the object")
    bench.click(25, 30)
    assert hints[-1].startswith("Looking")
    answered()
    assert hints[-1].startswith("Enter accepts")
    assert [prompt.includes for prompt in bench.segmenter.asked] == [(False, True)]


def test_a_quick_second_click_makes_the_answer_to_the_first_unwanted(bench: Bench, qtbot: QtBot) -> None:
    bench.segmenter.gate = threading.Semaphore(0)
    bench.click(20, 30)
    qtbot.waitUntil(lambda: len(bench.segmenter.asked) == 1, timeout=WAIT_MS)
    bench.click(25, 30)
    bench.segmenter.gate.release(2)
    qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)
    assert bench.tool.proposal.state.prompt == Prompt(((20.0, 30.0), (25.0, 30.0)), (True, True))
    bench.check()


def test_what_the_engine_is_doing_is_told_and_ends_with_nothing(bench: Bench, answered: Callable[[], None]) -> None:
    bench.click(20, 30)
    answered()
    assert bench.busy == ["loading the segmenter", "preparing 0.png", "segmenting", ""]


def test_a_step_that_is_told_after_the_clicks_were_forgotten_is_not_shown(bench: Bench, qapp: Any) -> None:
    bench.click(20, 30)
    qapp.processEvents()  # lets the job begin
    assert bench.tool._job.has_ended.wait(10)  # its signals wait in this thread's queue
    bench.tool.forget()
    qapp.processEvents()
    assert bench.busy[-1] == ""
    assert bench.tool.proposals == ()


def test_a_failure_is_told_once_and_the_next_click_asks_again(bench: Bench, qtbot: QtBot) -> None:
    hints: list[str] = []
    bench.canvas.status_updated.connect(hints.append)
    bench.segmenter.error = EngineError("The model ran out of memory.")
    bench.click(20, 30)
    qtbot.waitUntil(lambda: bool(bench.failed), timeout=WAIT_MS)
    assert bench.failed == ["The model ran out of memory."]
    assert bench.busy[-1] == ""
    assert not hints[-1].startswith("Looking")
    bench.segmenter.error = None
    bench.click(25, 30)
    qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)
    assert bench.segmenter.previous[-1] is None


def test_a_failure_that_comes_too_late_does_not_disturb_the_new_question(bench: Bench, qapp: Any, qtbot: QtBot) -> None:
    bench.segmenter.gate = threading.Semaphore(0)
    bench.segmenter.error = EngineError("The model ran out of memory.")
    bench.click(20, 30)
    qtbot.waitUntil(lambda: len(bench.segmenter.asked) == 1, timeout=WAIT_MS)
    bench.segmenter.gate.release()
    assert bench.tool._job.has_ended.wait(10)  # it has failed, and this thread has not heard it yet
    bench.segmenter.error = None
    bench.click(25, 30)
    bench.segmenter.gate.release()
    qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)
    assert bench.failed == []
    bench.check()


def test_a_frame_is_made_ready_in_the_quiet_after_it_is_shown(bench: Bench, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: bench.segmenter.images == 1, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bool(bench.busy) and bench.busy[-1] == "", timeout=WAIT_MS)
    bench.click(20, 30)
    qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)
    assert bench.segmenter.images == 1


def test_frames_that_are_only_passed_are_not_made_ready(bench: Bench, qtbot: QtBot) -> None:
    for frame in (1, 2, 0, 1):
        bench.go_to(frame)
    bench.click(20, 30)
    qtbot.waitUntil(lambda: bool(bench.tool.proposals), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bench.busy[-1] == "", timeout=WAIT_MS)
    assert bench.segmenter.images == 1
    bench.check()


def test_a_frame_that_cannot_be_made_ready_is_told_at_the_click_not_before(
    bench: Bench, qtbot: QtBot, tmp_path: Path
) -> None:
    bench.tool.set_frame(tmp_path / "gone.png")
    qtbot.waitUntil(lambda: bool(bench.busy) and bench.busy[-1] == "", timeout=WAIT_MS)
    assert bench.failed == []
    bench.click(20, 30)
    qtbot.waitUntil(lambda: bool(bench.failed), timeout=WAIT_MS)
    assert "gone.png" in bench.failed[0]


def test_without_a_frame_nothing_is_asked(bench: Bench, qapp: Any) -> None:
    bench.tool.set_frame(None)
    bench.click(20, 30)
    qapp.processEvents()
    assert bench.segmenter.asked == []
    assert not bench.thread.isRunning()


def test_a_mask_that_is_taken_up_is_what_the_first_click_refines_and_what_undoing_it_shows(
    bench: Bench, answered: Callable[[], None]
) -> None:
    bench.take(True)
    start = bench.tool.in_hand.start
    bench.click(20, 30, Qt.RightButton)
    answered()
    assert bench.segmenter.previous == [start]
    bench.click(25, 30)
    answered()
    assert bench.segmenter.previous[-1] is bench.refined[2]
    bench.canvas.undo_prompt()
    bench.canvas.undo_prompt()
    assert bench.tool.proposal is None
    assert bench.tool.in_hand.start is start


ACTION = st.one_of(
    st.tuples(st.just("click"), st.sampled_from([10, 20, 30]), st.sampled_from([Qt.LeftButton, Qt.RightButton])),
    st.tuples(st.just("undo")),
    st.tuples(st.just("choose"), st.integers(0, 3)),
    st.tuples(st.just("next")),
    st.tuples(st.just("take"), st.sampled_from([True, False, None])),
    st.tuples(st.just("forget")),
    st.tuples(st.just("go to"), st.integers(0, 2)),
    st.tuples(st.just("hear")),
    st.tuples(st.just("answer")),
    st.tuples(st.just("answer unheard")),
)
AGAIN = ("click", 20, Qt.LeftButton)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(ACTION, max_size=14))
@example(actions=[AGAIN, ("answer unheard",), ("go to", 1), ("go to", 0), AGAIN, ("hear",)])
@example(actions=[AGAIN, ("answer unheard",), ("go to", 1), AGAIN, ("hear",)])
@example(actions=[AGAIN, ("answer",), AGAIN, ("answer",), ("undo",), ("choose", 2), AGAIN, ("hear",)])
@example(actions=[AGAIN, ("answer unheard",), ("forget",), ("hear",)])
@example(actions=[AGAIN, ("answer",), ("take", True), AGAIN, ("answer",), AGAIN, ("hear",)])
@example(actions=[AGAIN, ("answer unheard",), ("take", False), AGAIN, ("hear",)])
def test_in_whatever_order_things_happen_what_is_shown_answers_what_was_asked(
    bench: Bench, qapp: QtWidgets.QApplication, actions: list[tuple[Any, ...]]
) -> None:
    tool, canvas = bench.tool, bench.canvas
    gate = bench.segmenter.gate = threading.Semaphore(0)
    del bench.segmenter.asked[:], bench.busy[:]
    bench.go_to(0)
    for name, *arguments in actions:
        if name in ("answer", "answer unheard"):
            qapp.processEvents()  # lets the job begin
            while tool._job is not None and not tool._job.has_ended.wait(0.002):
                gate.release()  # one for each job that waits before it
        if name in ("answer", "hear"):
            qapp.processEvents()
        elif name in bench.hands:
            bench.hands[name](*arguments)
        bench.check()
    gate.release(1000)
    deadline = QtCore.QDeadlineTimer(WAIT_MS)
    while tool._job is not None and not deadline.hasExpired():
        qapp.processEvents(QtCore.QEventLoop.AllEvents | QtCore.QEventLoop.WaitForMoreEvents, 20)
    bench.check()
    clicked = bool(canvas.prompt.points) if tool.in_hand and tool.in_hand.start else not canvas.prompt.is_empty
    assert bool(tool.proposals) == clicked
    assert not bench.busy or bench.busy[-1] == ""
    tool.set_frame(None)
