"""Laws of clicking, in the real window: whatever a person clicks, takes back, accepts, and wherever they go meanwhile,
what is proposed was computed from the frame that is shown, what was accepted stays, and nobody waits for the engine.

Random hands, by seed; 200 sequences of some eight actions. SAM_ANNOTATOR_FULL=1 takes more of them.
"""

import functools
import gc
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import iou, object_mask
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.tools.hand import Hand
from sam_annotator.gui.tools.prefetch import Prefetch
from sam_annotator.gui.tools.sam import SamTool
from tests.gui.scene import HEIGHT, WIDTH, DiscSegmenter, frame

SEEDS, SEQUENCES = (range(1, 41), 50) if os.environ.get("SAM_ANNOTATOR_FULL") else (range(1, 5), 50)
FRAMES = 5
SLOTS = {
    SamTool: ("_on_prompt", "_on_answer", "_on_step", "_on_failed", "set_frame", "forget", "choose", "take_in_hand"),
    Prefetch: ("set_frame", "start_soon", "_start", "_on_ended", "refresh"),
    Hand: ("accept", "check", "reject"),
}
LONGEST_S = 0.05

Accepted = dict[int, list[Any]]  # shapes by object id


def mark_of(video: int, index: int) -> tuple[int, int, int]:
    """The first pixel of a frame: each frame has its own."""
    return 10 + 40 * index, 50 * video, 77


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    for video, name in enumerate("ab"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        for index in range(FRAMES):
            image = frame(index)
            image[0, 0] = mark_of(video, index)
            Image.fromarray(image).save(tmp_path / "videos" / name / f"{index:05d}.png")
    return tmp_path / "videos"


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """The longest time that each slot of the tool has kept the window's thread computing, in seconds.

    Without Python's search for garbage, which takes its time among all that the other tests have left.
    """
    longest: dict[str, float] = {}

    def timed(name: str, slot: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(slot)
        def wrapper(*arguments: Any, **more: Any) -> Any:
            started = time.thread_time()  # of this thread alone, whatever else the machine does
            try:
                return slot(*arguments, **more)
            finally:
                longest[name] = max(longest.get(name, 0.0), time.thread_time() - started)

        return wrapper

    for owner, names in SLOTS.items():
        for name in names:
            monkeypatch.setattr(owner, name, timed(f"{owner.__name__}.{name}", getattr(owner, name)))
    gc.disable()
    yield longest
    gc.enable()


class PromptingHands:
    """Clicks and goes about; knows what it did, and what was accepted."""

    def __init__(self, driver: Driver, discs: DiscSegmenter, seed: int) -> None:
        self.did: list[str] = []
        self.accepted: dict[tuple[int, int], Accepted] = {}
        self._driver, self._discs, self._window = driver, discs, driver.window
        self._random = random.Random(seed)
        self.runs: list[Accepted] = []  # what stood in the file when a propagation was started
        self._window.propagation.start = lambda _work: self.runs.append(self.saved(self._place))

    def do_a_sequence(self) -> None:
        """Some eight actions; in one of three sequences the engine answers only when the hands are done."""
        self._discs.gate = threading.Semaphore(0) if self._random.random() < 1 / 3 else None
        for _ in range(self._random.randint(4, 12)):
            acts = (
                self._click,
                self._drag,
                self._take_back,
                self._choose,
                self._accept,
                self._reject,
                self._go,
                self._zoom,
                self._propagate,
                self._take_up,
            )
            self._random.choices(acts, weights=(34, 6, 14, 8, 16, 4, 14, 4, 6, 6))[0]()
            self.check()
        if self._discs.gate is not None:
            self._discs.gate.release(1000)
            self._discs.gate = None
        self._driver.wait(lambda: self._tool._job is None, "the engine")
        self.check()
        assert bool(self._tool.proposals) == self._tool._says_something(self._window.canvas.prompt)

    @property
    def _tool(self) -> SamTool:
        return self._window.sam_tool

    @property
    def _place(self) -> tuple[int, int]:
        return self._window.session.row, self._window.session.index

    def check(self) -> None:
        """The laws."""
        for proposal in self._tool.proposals:
            assert proposal.state.mark == mark_of(*self._place)
            assert proposal.state.prompt == self._window.canvas.prompt
        assert self.saved(self._place) == self.accepted.get(self._place, {})

    def saved(self, place: tuple[int, int]) -> Accepted:
        """The shapes in the file of a frame, by object."""
        session = self._window.session
        annotation = session.store.read(session.videos[place[0]], place[1])
        found: Accepted = {}
        for shape in annotation.shapes if annotation else ():
            found.setdefault(shape.object_id, []).append(shape)
        return found

    def _click(self) -> None:
        x, y = self._random.randrange(WIDTH), self._random.randrange(HEIGHT)
        include = self._random.random() < 0.75
        self.did.append(f"click {x} {y} {include}")
        self._driver.click(x, y, include)
        self._wait_or_not()

    def _drag(self) -> None:
        left, top = self._random.randrange(WIDTH // 2), self._random.randrange(HEIGHT // 2)
        self.did.append(f"drag {left} {top}")
        self._driver.drag(left, top, left + 40, top + 30)
        self._wait_or_not()

    def _wait_or_not(self) -> None:
        asked = self._tool._says_something(self._window.canvas.prompt)
        if self._discs.gate is None and asked and self._random.random() < 0.6:
            self._driver.proposals()

    def _take_back(self) -> None:
        self._press("Z")

    def _choose(self) -> None:
        self._press(self._random.choice(("1", "2", "3", "Tab")))

    def _take_up(self) -> None:
        self._press("BracketRight")

    def _reject(self) -> None:
        self._press("Escape")

    def _go(self) -> None:
        if self._random.random() < 0.15:
            self._press(self._random.choice(("PageDown", "PageUp")), Qt.ControlModifier)
            self._driver.wait(lambda: self._window.session.tracks is not None, "the video")
        elif self._random.random() < 0.3:
            self.did.append(f"go to {(index := self._random.randrange(FRAMES))}")
            self._driver.go_to(index)
        else:
            self._press(self._random.choice(("D", "D", "A", "Home", "End")))

    def _zoom(self) -> None:
        self.did.append(f"zoom {(percent := self._random.choice((30, 100, 170, 400, 900)))}")
        self._window.zoom_widget.setValue(percent)
        for bar in (self._window.canvas.parent().parent().horizontalScrollBar(),):
            bar.setValue(self._random.randint(bar.minimum(), bar.maximum()))

    def _press(self, key: str, modifiers: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        self.did.append(key)
        self._driver.press(getattr(Qt, f"Key_{key}"), modifiers)

    def _accept(self) -> None:
        """Enter; what is proposed is in the file then, and everything that was there before."""
        self._wait_or_not()
        self._driver.focus()  # an answer that comes now is one that the person sees
        proposal, held, before = self._tool.proposal, self._tool.in_hand, self.saved(self._place)
        self.did.append("Return")
        QtTest.QTest.keyClick(self._window.canvas, Qt.Key_Return)
        if proposal is None:
            assert self._window.naming.dialog is None
            return
        if held is None:
            self.did.append(name := self._random.choice(("ball", "brick", "cat")))
            self._driver.name(name)
        self._check_accepted(proposal, before)

    def _propagate(self) -> None:
        """Space; what is corrected is what the run begins with, and nothing that is clicked is lost."""
        self._wait_or_not()
        self._driver.focus()
        proposal, held, before = self._tool.proposal, self._tool.in_hand, self.saved(self._place)
        prompt, had_prompt, runs = self._window.canvas.prompt, self._window.canvas.has_prompt, len(self.runs)
        self.did.append("Space")
        QtTest.QTest.keyClick(self._window.canvas, Qt.Key_Space)
        if had_prompt and (proposal is None or held is None):
            assert (len(self.runs), self._window.canvas.prompt) == (runs, prompt)
        elif proposal is not None:
            self._check_accepted(proposal, before)
            assert len(self.runs) == runs or self.runs[-1] == self.accepted[self._place]

    def _check_accepted(self, proposal: Any, before: Accepted) -> None:
        after = self.saved(self._place)
        changed = [number for number in after if after[number] != before.get(number)]
        assert len(changed) == 1
        assert before.keys() <= after.keys()
        assert iou(object_mask(after[changed[0]], HEIGHT, WIDTH), proposal.mask) >= 0.95
        self.accepted[self._place] = after


@pytest.mark.parametrize("seed", SEEDS)
def test_proposals_are_of_the_frame_that_is_shown_and_what_was_accepted_stays(
    slots: dict[str, float],
    make_annotation_window: Callable[..., Driver],
    videos: Path,
    discs: DiscSegmenter,
    seed: int,
) -> None:
    driver = make_annotation_window(videos)
    hands = PromptingHands(driver, discs, seed)
    try:
        for _ in range(SEQUENCES):
            hands.do_a_sequence()
    except AssertionError:
        print(*hands.did[-30:], sep="\n")  # noqa: T201  what led to it
        raise
    assert len(hands.accepted) > 1
    assert hands.runs
    for place, expected in hands.accepted.items():
        assert hands.saved(place) == expected
    assert len(discs.threads) == 1
    assert threading.get_ident() not in discs.threads
    assert slots.keys() >= {"SamTool._on_prompt", "SamTool._on_answer", "Prefetch.set_frame", "Hand.accept"}
    assert {name: taken for name, taken in slots.items() if taken > LONGEST_S} == {}


def test_while_the_engine_is_stuck_hands_never_wait_and_get_their_answer_afterwards(
    make_annotation_window: Callable[..., Driver], videos: Path, discs: DiscSegmenter
) -> None:
    driver = make_annotation_window(videos)
    discs.gate = threading.Semaphore(0)
    driver.click(20, 30)
    driver.wait(lambda: len(discs.asked) == 1, "the engine to be at work")
    for key in ("D", "A", "Z", "1", "Tab", "Escape", "End", "Home", "Return"):
        driver.press(getattr(Qt, f"Key_{key}"))
        driver.click(40, 50)
        assert len(discs.asked) == 1  # still at the first: nobody waited for it
        assert driver.window.sam_tool.proposals == ()
    discs.gate.release(1000)
    driver.proposals()
    for proposal in driver.window.sam_tool.proposals:
        assert proposal.state.mark == mark_of(0, 0)
        assert proposal.state.prompt == driver.window.canvas.prompt


def test_a_frame_that_was_encoded_before_is_ready_again_within_the_budget_whatever_its_size(
    make_annotation_window: Callable[..., Driver], tmp_path: Path
) -> None:
    """With the embedded segmenter, whose embeddings are larger than SAM's."""
    folder = tmp_path / "videos" / "large"
    folder.mkdir(parents=True)
    for index in range(2):
        Image.fromarray(np.asarray(Image.fromarray(frame(index)).resize((1280, 960)))).save(folder / f"{index}.png")
    driver = make_annotation_window(tmp_path / "videos")
    window = driver.window
    driver.wait(lambda: window.sam_tool.prefetch.encoded.frames == {0, 1}, "both frames to be encoded", 60)
    assert window.status.lamp.state == "encoded"
    times = []
    for index in (1, 0, 1, 0, 1):
        driver.go_to(index)
        job, started = window.jobs.prepare(window.session.frame.path), time.thread_time()
        assert list(job) == []  # as the engine thread does it at a click
        times.append(time.thread_time() - started)
    assert sorted(times)[2] < 0.02
