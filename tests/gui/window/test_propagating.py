"""Propagating in the window: frames fill while it stays alive, and what a person does meanwhile is kept."""

import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt5 import QtCore, QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED, REVIEWED
from sam_annotator.core.errors import EngineError
from sam_annotator.core.masks import iou
from sam_annotator.core.run_records import FOLDER
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre, brick_centre
from tests.gui.steps import annotate, choose_in_menu, draw, facts, file_of, listed, overlap, saved_mask, settled, shapes

Window = Callable[..., Driver]
Videos = Callable[..., Path]
FRAMES = 6
BALL_SAVED = {(1, "ball", "manual")}
BALL_CARRIED = {(1, "ball", "propagated")}


class HeldPropagator:
    """At the model boundary: carries masks on as they are, and takes each step only when it is let."""

    name = "held, test"

    def __init__(self) -> None:
        self.given: dict[int, frozenset[int]] = {}
        self.fails_at = -1
        self._steps = threading.Semaphore(0)
        self._is_free = threading.Event()

    def let(self, steps: int) -> None:
        """Allow some more steps."""
        self._steps.release(steps)

    def let_all(self) -> None:
        """Hold no step any more."""
        self._is_free.set()
        self._steps.release()

    def hold(self) -> None:
        """Hold each step again."""
        self._is_free.clear()
        while self._steps.acquire(blocking=False):
            pass

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        self._masks = {object_id: mask for key in key_frames for object_id, mask in key.masks.items()}

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        if not self._is_free.is_set() and not self._steps.acquire(timeout=180):
            raise EngineError("nobody let the step go on")
        if index == self.fails_at:
            raise EngineError("The model has no memory left; close other programs.")
        self.given[index] = frozenset(given)
        self._masks |= given
        return {object_id: PropagatedMask(self._masks[object_id], 0.9) for object_id in wanted - given.keys()}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> HeldPropagator:
    propagator = HeldPropagator()
    monkeypatch.setattr("sam_annotator.engine.engines.make_propagator", lambda *_options: propagator)
    return propagator


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "annotations"


@pytest.fixture
def driver(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, held: HeldPropagator, output: Path
) -> Driver:
    """A window on a video whose first frame has the ball; segmenter and propagator are fakes."""
    root = make_videos("a", "b", frames=FRAMES)
    draw(root, output)
    return make_annotation_window(root)


def start(driver: Driver, held: HeldPropagator, steps: int) -> None:
    """Propagate, and wait until so many frames are done."""
    held.let(steps)
    driver.press(Qt.Key_Space)
    driver.wait(lambda: driver.window.propagation.done == steps, f"{steps} frames")


def finish(driver: Driver, held: HeldPropagator) -> None:
    held.let_all()
    driver.propagation(60)


def answered(driver: Driver) -> list[int]:
    """Frames that have a file."""
    return [index for index in range(FRAMES) if file_of(driver, index).exists()]


# --- a run ---------------------------------------------------------------------------------------------------------


def test_space_carries_the_mask_through_all_frames(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=FRAMES)
    draw(root, output)
    draw(root, output, thing=BRICK)
    driver = make_annotation_window(root)
    before = file_of(driver, 0).read_bytes()
    driver.press(Qt.Key_Space)
    driver.propagation()
    assert file_of(driver, 0).read_bytes() == before
    assert [facts(driver, index) for index in range(1, FRAMES)] == [
        {(1, "ball", "propagated"), (2, "brick", "propagated")}
    ] * (FRAMES - 1)
    assert min(overlap(driver, thing, index) for thing in (BALL, BRICK) for index in range(FRAMES)) > 0.8
    assert all("score" in shape for shape in shapes(driver, 3))
    assert f"Done: {FRAMES - 1} frames computed" in driver.window.timeline.progress.text()
    assert "embedded" in driver.window.status.engine.text()


def test_the_window_stays_alive_while_the_real_engine_works(make_annotation_window: Window, samples: Path) -> None:
    driver = make_annotation_window(samples / "videos", size=(1280, 800))
    facts_of_it = json.loads((samples / "truth" / "objects.json").read_text(encoding="utf-8"))["coffee"]["1"]
    annotate(driver, tuple(facts_of_it["click"]), "cup")
    ticks = Ticks()
    driver.press(Qt.Key_Space)
    driver.propagation()
    ticks.stop()
    assert len([index for index in range(FRAMES) if file_of(driver, index).exists()]) == FRAMES
    assert ticks.longest < max(0.3, ticks.all / 5)  # on a machine that has other things to do, all takes longer


class Ticks(QtCore.QObject):
    """The heart of the window: a timer of 10 ms. Knows how long it had to wait at most, and in all, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = self.all = 0.0
        self._last = time.monotonic()
        self._timer = QtCore.QTimer(self, interval=10)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def stop(self) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.monotonic()
        self.longest, self.all, self._last = max(self.longest, now - self._last), self.all + now - self._last, now


def test_a_click_amid_a_run_leaves_what_is_said_of_the_run(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.window.sam_tool.busy.emit("preparing the frame")
    assert "preparing" in driver.window.status.engine.text()
    driver.window.sam_tool.busy.emit("")
    assert "propagating" in driver.window.status.engine.text()
    finish(driver, held)
    assert "ready" in driver.window.status.engine.text()


def test_the_view_follows_the_run_until_the_person_goes_elsewhere(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    assert driver.window.session.index == 2
    driver.press(Qt.Key_Home)
    finish(driver, held)
    assert driver.window.session.index == 0


def test_without_follow_the_view_stays(driver: Driver, held: HeldPropagator) -> None:
    QtTest.QTest.mouseClick(driver.window.timeline.follow, Qt.LeftButton)
    start(driver, held, 3)
    finish(driver, held)
    assert driver.window.session.index == 0
    assert answered(driver) == list(range(FRAMES))


def test_space_pauses_and_goes_on(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    driver.press(Qt.Key_Space)
    assert driver.window.propagation.is_paused
    assert driver.window.timeline.pause.text() == "Go on"
    held.let(1)  # the step that was under way
    driver.wait(lambda: driver.window.propagation.done == 4, "the step under way")
    held.let_all()
    driver.window.engine.submit(lambda: iter(()), 2).succeeded.connect(passed := Passed())
    driver.wait(lambda: passed.times, "other work")
    assert driver.window.propagation.is_running
    assert answered(driver) == [0, 1, 2, 3]
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert answered(driver) == list(range(FRAMES))


class Passed:
    """Counts its calls."""

    times = 0

    def __call__(self, *_arguments: object) -> None:
        self.times += 1


def test_cancelling_keeps_what_was_computed(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    QtTest.QTest.mouseClick(driver.window.timeline.cancel, Qt.LeftButton)
    held.let(1)  # the step that was under way
    driver.propagation(30)
    assert "Cancelled: " in driver.window.timeline.progress.text()
    assert answered(driver) in ([0, 1, 2], [0, 1, 2, 3])
    assert facts(driver, 2) == BALL_CARRIED
    held.let_all()
    driver.go_to(0)
    driver.press(Qt.Key_Space)  # and what is missing is filled by another run
    driver.propagation(30)
    assert answered(driver) == list(range(FRAMES))


def test_closing_the_window_during_a_run_leaves_whole_files_and_no_thread(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    held.let_all()
    driver.window.close()
    assert not driver.window.engine.isRunning()
    assert not driver.window.files.isRunning()
    files = sorted(path for path in file_of(driver, 0).parent.iterdir() if path.name != FOLDER)
    assert {path.suffix for path in files} == {".json"}
    assert [json.loads(path.read_bytes())["imageWidth"] for path in files] == [160] * len(files)
    assert len(files) >= 3


def test_only_the_range_and_direction_that_were_chosen_are_filled(driver: Driver, held: HeldPropagator) -> None:
    held.let_all()
    timeline = driver.window.timeline
    timeline.last.setValue(3)
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert answered(driver) == [0, 1, 2]
    timeline.last.setValue(FRAMES)
    driver.press(Qt.Key_End)
    annotate(driver, brick_centre(5), "brick")
    timeline.direction.setCurrentIndex(timeline.direction.findData("backward"))
    timeline.first.setValue(5)
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert answered(driver) == [0, 1, 2, 4, 5]


def test_an_object_without_its_check_mark_is_left_alone(
    make_annotation_window: Window, make_videos: Videos, held: HeldPropagator, output: Path
) -> None:
    root = make_videos(frames=FRAMES)
    draw(root, output)
    draw(root, output, thing=BRICK)
    driver = make_annotation_window(root)
    held.let_all()
    driver.window.objects_panel.tree.topLevelItem(0).setCheckState(0, Qt.Unchecked)
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert facts(driver, 3) == {(2, "brick", "propagated")}


def test_without_objects_it_says_what_to_do(make_annotation_window: Window, make_videos: Videos) -> None:
    driver = make_annotation_window(make_videos())
    driver.press(Qt.Key_Space)
    assert "accept a mask first" in driver.window.statusBar().currentMessage()
    assert not driver.window.propagation.is_running


def test_the_failure_of_a_model_is_told_and_the_window_goes_on(
    driver: Driver, held: HeldPropagator, take_dialog: Callable[[Driver], str]
) -> None:
    held.fails_at = 3
    held.let_all()
    driver.press(Qt.Key_Space)
    assert "The model has no memory left" in take_dialog(driver)
    assert answered(driver) == [0, 1, 2]
    held.fails_at = -1
    driver.go_to(2)
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert answered(driver) == list(range(FRAMES))


# --- who may overwrite what ----------------------------------------------------------------------------------------


def test_what_a_human_made_or_approved_is_not_changed(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=FRAMES)
    draw(root, output, [0, 3])
    driver = make_annotation_window(root)
    driver.press(Qt.Key_Space)
    driver.propagation()
    driver.go_to(4)
    driver.press(Qt.Key_K)
    assert shapes(driver, 4)[0]["flags"] == {REVIEWED: True}
    kept = {index: file_of(driver, index).read_bytes() for index in (0, 3, 4)}
    driver.go_to(0)
    driver.press(Qt.Key_Space)
    driver.propagation()
    assert {index: file_of(driver, index).read_bytes() for index in kept} == kept
    assert facts(driver, 5) == BALL_CARRIED


def test_an_object_accepted_ahead_of_the_run_becomes_a_key_frame_of_it(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.go_to(4)
    driver.click(*ball_centre(4))
    held.let(1)  # the click waits for the step under way, no longer
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name("ball")
    before = file_of(driver, 4).read_bytes()
    assert facts(driver, 4) == {(1, "ball", "sam")}
    finish(driver, held)
    assert file_of(driver, 4).read_bytes() == before
    assert held.given[4] == {1}
    assert np.array_equal(saved_mask(driver, 1, 5), saved_mask(driver, 1, 4))


def test_an_object_drawn_while_the_run_passes_is_kept_beside_what_the_run_wrote(
    driver: Driver, held: HeldPropagator
) -> None:
    start(driver, held, 2)
    driver.go_to(3)
    driver.press(Qt.Key_N, Qt.ControlModifier)
    corners = ((100, 92), (150, 92), (124, 112))
    for x, y in corners:
        driver.hover(x, y)
        driver.click(x, y)
    held.let(3)
    driver.wait(lambda: driver.window.propagation.done == 5, "the run to pass")
    assert facts(driver, 3) == BALL_CARRIED
    assert driver.window.canvas.is_drawing
    driver.hover(*corners[0])
    driver.click(*corners[0])
    driver.name("sail")
    assert facts(driver, 3) == {(1, "ball", "propagated"), (2, "sail", "manual")}
    assert {shape.group_id for shape in driver.window.listed_shapes()} == {1, 2}
    finish(driver, held)
    assert facts(driver, 3) == {(1, "ball", "propagated"), (2, "sail", "manual")}


def test_a_click_is_answered_while_the_run_goes_on_and_its_view_is_not_taken_away(
    driver: Driver, held: HeldPropagator
) -> None:
    start(driver, held, 2)
    index = driver.window.session.index
    driver.click(*brick_centre(index))
    held.let(1)
    driver.proposals()
    assert driver.window.propagation.is_running
    held.let(1)
    driver.wait(lambda: driver.window.propagation.done == 4, "another frame")
    assert driver.window.session.index == index
    assert driver.window.sam_tool.proposal is not None
    driver.press(Qt.Key_Return)
    driver.name("brick")
    finish(driver, held)
    assert facts(driver, index) == {(1, "ball", "propagated"), (2, "brick", "sam")}


def test_the_frame_that_is_shown_is_refreshed_when_the_run_comes_by(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.go_to(4)
    assert driver.window.listed_shapes() == []
    finish(driver, held)
    assert [shape.group_id for shape in driver.window.listed_shapes()] == [1]
    assert driver.window.objects_panel.tree.topLevelItem(0).text(1) == f"{FRAMES}/{FRAMES}"


def test_another_video_opened_during_a_run_gets_none_of_its_frames(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    first = driver.window.session.video
    driver.open_video("b")
    held.let_all()
    driver.propagation(30)
    driver.look(0)
    store = driver.window.session.store
    assert driver.window.session.index == 0
    assert store.annotated_frames(driver.window.session.video) == frozenset()
    assert store.annotated_frames(first) in ({0, 1, 2}, {0, 1, 2, 3})
    assert driver.window.listed_shapes() == []
    assert listed(driver) == {}
    driver.open_video("a")
    assert listed(driver) == {1: "ball"}


@pytest.mark.parametrize("entry", ["Rename…", "Delete in the whole video"])
def test_changing_an_object_everywhere_has_to_wait_for_the_end_of_a_run(
    driver: Driver, held: HeldPropagator, take_dialog: Callable[[Driver], str], entry: str
) -> None:
    start(driver, held, 2)
    choose_in_menu(driver, 1, entry)
    assert "A propagation is running" in take_dialog(driver)
    finish(driver, held)
    assert {label for index in range(FRAMES) for _, label, _ in facts(driver, index)} == {"ball"}


def test_a_corrupt_annotation_in_the_range_is_reported_and_left_as_it_is(driver: Driver, held: HeldPropagator) -> None:
    broken = file_of(driver, 2)
    broken.write_text('{"shapes": [', encoding="utf-8")
    held.let_all()
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert broken.read_text(encoding="utf-8") == '{"shapes": ['
    assert [facts(driver, index) for index in (1, 3, 4, 5)] == [BALL_CARRIED] * 4
    assert "1 skipped" in driver.window.timeline.progress.text()
    assert "00002.json is not valid JSON" in driver.window.timeline.progress.text()


def test_a_run_again_replaces_only_what_propagation_made(
    make_annotation_window: Window, make_videos: Videos, held: HeldPropagator, output: Path
) -> None:
    root = make_videos(frames=FRAMES)
    draw(root, output, [0])
    draw(root, output, range(1, FRAMES), source=PROPAGATED)
    draw(root, output, [3], thing=BRICK)
    driver = make_annotation_window(root)
    held.let_all()
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert facts(driver, 3) == {(1, "ball", "propagated"), (2, "brick", "manual")}
    assert facts(driver, 5) == {(1, "ball", "propagated"), (2, "brick", "propagated")}
    assert iou(saved_mask(driver, 1, 2), saved_mask(driver, 1, 0)) > 0.97  # as the new run carried it
    assert overlap(driver, BRICK, 3) > 0.99


# --- taking a run back ---------------------------------------------------------------------------------------------


def test_a_propagation_is_taken_back_as_one_step(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    finish(driver, held)
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    driver.wait(lambda: answered(driver) == [0], "the propagation to be taken back")
    settled(driver)
    assert facts(driver, 0) == BALL_SAVED
    track = driver.window.session.tracks.get(1)
    assert track.frames == {0}


def test_taking_a_propagation_back_keeps_what_a_person_did_since_and_what_stood_before(
    driver: Driver, held: HeldPropagator, output: Path
) -> None:
    root = driver.window.session.videos[0].folder.parent
    draw(root, output, [2], source=PROPAGATED)
    earlier = file_of(driver, 2).read_bytes()
    start(driver, held, 3)
    finish(driver, held)
    assert file_of(driver, 2).read_bytes() != earlier
    driver.go_to(4)
    driver.press(Qt.Key_K)
    approved = file_of(driver, 4).read_bytes()
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    driver.wait(lambda: answered(driver) == [0, 2, 4], "the propagation to be taken back")
    settled(driver)
    assert file_of(driver, 2).read_bytes() == earlier
    assert file_of(driver, 4).read_bytes() == approved


@pytest.mark.parametrize("tool", [Qt.Key_Q, Qt.Key_N])
def test_what_came_while_the_person_was_at_work_is_shown_once_they_give_that_up(
    driver: Driver, held: HeldPropagator, tool: Qt.Key
) -> None:
    start(driver, held, 2)
    driver.go_to(3)
    driver.press(tool, Qt.ControlModifier if tool == Qt.Key_N else Qt.NoModifier)
    driver.click(*brick_centre(3))
    finish(driver, held)
    assert facts(driver, 3) == BALL_CARRIED
    assert driver.window.listed_shapes() == []
    driver.press(Qt.Key_Escape)
    assert [shape.group_id for shape in driver.window.listed_shapes()] == [1]
