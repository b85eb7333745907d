"""Frames are encoded while nobody needs the engine, and never at the cost of a click."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PyQt5 import QtCore, QtWidgets
from pytestqt.qtbot import QtBot

from sam_annotator.core.prompt import Prompt
from sam_annotator.engine.segmenter import Embedding, EncodingStopped, never
from sam_annotator.gui.docks.encoded import Encoded
from sam_annotator.gui.docks.timeline import FrameSlider
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Priority
from sam_annotator.gui.status import Lamp
from sam_annotator.gui.tools.prefetch import Prefetch, likely_next
from tests.gui.scene import DiscSegmenter

WAIT_MS = 20_000
FRAMES = 8


class GatedDiscs(DiscSegmenter):
    """Encodes a frame only when it is let: `turns` is a semaphore; None: at once. `order`: the frames it encoded."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: threading.Semaphore | None = None
        self.order: list[int] = []
        self.begun = threading.Semaphore(0)
        self.gives_way = False

    def encode(self, image: NDArray[np.uint8], should_stop: Callable[[], bool] = never) -> Embedding:
        self.begun.release()
        while self.turns is not None and not self.turns.acquire(timeout=0.01):
            if self.gives_way and should_stop():
                raise EncodingStopped
        self.order.append(int(image[0, 0, 0]) // 20)
        return super().encode(image)


@dataclass
class Bench:
    """A Prefetch with a real engine thread."""

    prefetch: Prefetch
    jobs: EngineJobs
    thread: EngineThread
    discs: GatedDiscs
    frames: tuple[Path, ...]
    is_wanted: bool = True
    seen: list[Encoded] = field(default_factory=list)

    def go_to(self, index: int) -> None:
        self.prefetch.set_frame(self.frames[index], self.frames)


@pytest.fixture
def bench(
    qapp: QtWidgets.QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> Iterator[Bench]:
    frames = tuple(tmp_path / f"{index}.png" for index in range(FRAMES))
    for index, path in enumerate(frames):
        Image.fromarray(np.full((6, 8, 3), 20 * index, np.uint8)).save(path)
    discs = GatedDiscs()
    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", lambda *_options, **_more: discs)
    jobs, thread = EngineJobs({"frames_ahead": 3}), EngineThread("test")
    made = Bench(Prefetch(jobs, thread, lambda: made.is_wanted), jobs, thread, discs, frames)
    made.prefetch.changed.connect(made.seen.append)
    yield made
    if discs.turns is not None:
        discs.turns.release(1000)
    thread.stop()
    qapp.processEvents()


@pytest.fixture
def encoded(bench: Bench, qtbot: QtBot) -> Callable[..., None]:
    """Wait until these frames are encoded, and no other is on its way."""

    def wait(*frames: int) -> None:
        expected = Encoded(bench.prefetch.encoded.index, frozenset(frames))
        qtbot.waitUntil(lambda: bench.prefetch.encoded == expected, timeout=WAIT_MS)

    return wait


@pytest.mark.parametrize(
    ("index", "before", "expected"),
    [
        (4, None, [5, 6, 7, 3]),
        (4, 3, [5, 6, 7, 3]),
        (4, 5, [3, 2, 1, 5]),
        (4, 4, [5, 6, 7, 3]),
        (0, None, [1, 2, 3]),
        (19, 18, [18]),
        (12, 2, [13, 14, 11]),
        (8, 6, [10, 9, 11, 7]),
        (2, 15, [3, 4, 5, 1]),
        (0, 1, [1]),
    ],
)
def test_what_is_likely_next_follows_the_persons_way(index: int, before: int | None, expected: list[int]) -> None:
    total = 20 if index != 12 else 15
    assert likely_next(index, before, total, 3) == expected


def test_nothing_is_encoded_ahead_if_nothing_is_wanted() -> None:
    assert likely_next(4, 3, 20, 0) == []


def test_the_frame_that_is_shown_comes_first_then_those_ahead_then_the_one_behind(
    bench: Bench, encoded: Callable[..., None]
) -> None:
    bench.go_to(3)
    encoded(2, 3, 4, 5, 6)
    assert bench.discs.order == [3, 4, 5, 6, 2]
    assert bench.discs.uses == 1  # frames ahead are not put in its place


def test_going_on_encodes_only_what_is_new(bench: Bench, encoded: Callable[..., None]) -> None:
    bench.go_to(0)
    encoded(0, 1, 2, 3)
    bench.go_to(1)
    encoded(0, 1, 2, 3, 4)
    assert bench.discs.order == [0, 1, 2, 3, 4]


def test_going_elsewhere_gives_up_all_but_the_frame_under_way(bench: Bench, encoded: Callable[..., None]) -> None:
    bench.discs.turns = threading.Semaphore(0)
    bench.go_to(0)
    wait_for(bench.discs.begun)
    bench.go_to(7)
    bench.discs.turns.release(1000)
    encoded(0, 6, 7)
    assert bench.discs.order == [0, 7, 6]


def wait_for(semaphore: threading.Semaphore) -> None:
    deadline = QtCore.QDeadlineTimer(WAIT_MS)
    while not semaphore.acquire(blocking=False):
        assert not deadline.hasExpired()
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.AllEvents, 10)


def test_a_click_waits_for_one_frame_at_most_whatever_is_planned(bench: Bench, qtbot: QtBot) -> None:
    bench.discs.turns = threading.Semaphore(0)
    bench.go_to(0)
    wait_for(bench.discs.begun)
    bench.discs.turns.release()
    wait_for(bench.discs.begun)  # the one ahead is under way
    answered: list[Any] = []
    job = bench.thread.submit(
        lambda: bench.jobs.predict(bench.frames[0], Prompt(((2.0, 2.0),), (True,)), None), Priority.CLICK
    )
    job.succeeded.connect(answered.append)
    bench.discs.turns.release()
    qtbot.waitUntil(lambda: bool(answered), timeout=WAIT_MS)
    assert bench.discs.order == [0, 1]


def test_a_frame_that_is_encoded_ahead_gives_way_to_a_click_and_has_its_turn_later(
    bench: Bench, encoded: Callable[..., None], qtbot: QtBot
) -> None:
    bench.discs.turns, bench.discs.gives_way = threading.Semaphore(1), True
    bench.go_to(0)
    qtbot.waitUntil(lambda: bench.prefetch.encoded.encoding == 1, timeout=WAIT_MS)
    bench.jobs.expect_click(bench.frames[1])  # of that very frame: no reason to give it up
    bench.jobs.expect_click(bench.frames[0])
    answers: list[object] = []
    click = bench.thread.submit(
        partial(bench.jobs.predict, bench.frames[0], Prompt(((3, 3),), (True,)), None), Priority.CLICK
    )
    click.succeeded.connect(answers.append)
    qtbot.waitUntil(lambda: bool(answers), timeout=WAIT_MS)
    assert bench.discs.order == [0]
    bench.discs.turns.release(1000)
    encoded(0, 1, 2, 3)
    assert bench.discs.order == [0, 1, 2, 3]


def test_after_a_click_nothing_further_is_begun_before_some_quiet(
    bench: Bench, encoded: Callable[..., None], qtbot: QtBot
) -> None:
    bench.discs.turns = threading.Semaphore(0)
    bench.go_to(0)
    qtbot.waitUntil(lambda: bench.discs.begun.acquire(blocking=False), timeout=WAIT_MS)
    bench.prefetch.hold_back()
    bench.discs.turns.release(1000)
    encoded(0)  # the frame that is shown, and no other is on its way
    assert bench.discs.order == [0]
    assert bench.prefetch._job is None
    bench.prefetch._quiet.setInterval(0)  # restarts it
    encoded(0, 1, 2, 3)


def test_a_click_on_the_frame_that_is_being_encoded_is_answered_without_encoding_it_twice(
    bench: Bench, qtbot: QtBot
) -> None:
    bench.discs.turns = threading.Semaphore(0)
    bench.go_to(0)
    wait_for(bench.discs.begun)
    with qtbot.waitSignal(
        bench.thread.submit(
            lambda: bench.jobs.predict(bench.frames[0], Prompt(((2.0, 2.0),), (True,)), None), Priority.CLICK
        ).succeeded,
        timeout=WAIT_MS,
    ) as answer:
        bench.discs.turns.release()
    assert answer.args[0][0].state.mark == (0, 0, 0)
    assert bench.discs.order == [0]


def test_nothing_is_encoded_ahead_while_a_propagation_runs_and_it_goes_on_when_that_is_paused(
    bench: Bench, encoded: Callable[..., None], qtbot: QtBot
) -> None:
    ended = threading.Event()

    def run() -> Iterator[int]:
        for step in range(10**9):
            if ended.wait(0.001):
                return
            yield step

    steps: list[int] = []
    job = bench.thread.submit(run, Priority.RUN)
    job.progressed.connect(steps.append)
    qtbot.waitUntil(lambda: len(steps) > 2, timeout=WAIT_MS)
    bench.go_to(0)
    seen = len(steps)
    qtbot.waitUntil(lambda: len(steps) > seen + 300, timeout=WAIT_MS)  # longer than the time after which it begins
    assert bench.discs.order == []
    job.pause()
    encoded(0, 1, 2, 3)
    ended.set()
    job.resume()


def test_without_a_tool_that_asks_a_segmenter_nothing_is_encoded_and_with_it_at_once(
    bench: Bench, encoded: Callable[..., None], qtbot: QtBot
) -> None:
    bench.is_wanted = False
    bench.go_to(0)
    qtbot.waitUntil(lambda: not bench.prefetch._timer.isActive(), timeout=WAIT_MS)
    assert not bench.thread.isRunning()
    bench.is_wanted = True
    bench.prefetch.start_soon()
    encoded(0, 1, 2, 3)


def test_a_frame_that_cannot_be_read_ends_the_plan_quietly(bench: Bench, qtbot: QtBot) -> None:
    bench.frames[1].write_bytes(b"no image")
    bench.go_to(0)
    qtbot.waitUntil(lambda: bench.prefetch.encoded == Encoded(0, frozenset({0})), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bench.prefetch._job is None, timeout=WAIT_MS)
    assert bench.discs.order == [0]
    assert bench.prefetch._job is None


def test_without_a_frame_nothing_is_encoded_and_no_lamp_burns(bench: Bench, encoded: Callable[..., None]) -> None:
    bench.go_to(0)
    encoded(0, 1, 2, 3)
    bench.prefetch.set_frame(None)
    assert bench.prefetch.encoded == Encoded()
    assert not bench.prefetch._timer.isActive()


def test_the_lamps_are_told_each_step(bench: Bench, encoded: Callable[..., None], qtbot: QtBot) -> None:
    bench.discs.turns = threading.Semaphore(0)
    bench.go_to(6)
    assert bench.seen == [Encoded(6)]
    for done, frame in (((), 6), ((6,), 7), ((6, 7), 5)):
        now = Encoded(6, frozenset(done), frame)
        qtbot.waitUntil(lambda now=now: bench.prefetch.encoded == now, timeout=WAIT_MS)
        assert bench.seen[-1] == now
        bench.discs.turns.release()
    encoded(5, 6, 7)
    assert [Encoded(6, frozenset({6}), 7).state_of(index) for index in (None, 5, 6, 7)] == [
        "",
        "not yet",
        "encoded",
        "encoding",
    ]


def test_the_status_line_says_only_what_concerns_the_frame_that_is_shown(
    bench: Bench, encoded: Callable[..., None]
) -> None:
    said: list[str] = []
    bench.prefetch.busy.connect(said.append)
    bench.go_to(0)
    encoded(0, 1, 2, 3)
    assert said == ["loading the segmenter", "preparing 0.png", ""]


# --- lamps ----------------------------------------------------------------------------------------------------------


def test_each_state_of_the_lamp_looks_and_reads_otherwise(qtbot: QtBot) -> None:
    lamp = Lamp()
    qtbot.addWidget(lamp)
    pictures, tips = [], set()
    for state in ("", "not yet", "encoding", "encoded"):
        lamp.show_state(state)
        pictures.append(lamp.grab().toImage())
        tips.add(lamp.toolTip())
    assert len(tips) == 4
    assert all(one != other for number, one in enumerate(pictures) for other in pictures[:number])


def test_the_slider_draws_a_line_above_the_frames_that_are_ready(qtbot: QtBot) -> None:
    slider = FrameSlider()
    qtbot.addWidget(slider)
    slider.resize(400, 30)
    slider.show_frames(40, 39)
    before = slider.grab().toImage()
    slider.show_encoded(Encoded(39, frozenset({10, 11, 12}), 13))
    after = slider.grab().toImage()
    changed = {x for x in range(400) for y in range(30) if before.pixel(x, y) != after.pixel(x, y)}
    assert min(changed) >= slider.x_of(10) - 6
    assert max(changed) <= slider.x_of(13) + 6
    assert changed >= set(range(int(slider.x_of(10)), int(slider.x_of(13))))
