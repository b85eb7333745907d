"""Repairing, taking back after a restart, and the ranges that follow from key frames, in the window."""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.run_journal import sole_run
from sam_annotator.engine.propagator import Forecast, KeyFrame
from sam_annotator.gui.docks.timeline import BETWEEN_KEYS, TO_NEXT_KEY, WHOLE_VIDEO
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.engine_thread import Priority
from sam_annotator.gui.settings.preferences import PreferencesDialog
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre
from tests.gui.steps import draw, facts, file_of, saved_mask, settled, shapes
from tests.gui.window.propagating.held import BALL_CARRIED, HeldPropagator

Window = Callable[..., Driver]
Videos = Callable[..., Path]
FRAMES = 12


@pytest.fixture
def root(make_videos: Videos, output: Path) -> Path:
    root = make_videos("a", frames=FRAMES)
    draw(root, output)
    return root


@pytest.fixture
def driver(make_annotation_window: Window, root: Path, discs: DiscSegmenter, held: HeldPropagator) -> Driver:
    held.let_all()
    return make_annotation_window(root)


def answered(driver: Driver) -> list[int]:
    """Frames that have a file."""
    return [index for index in range(FRAMES) if file_of(driver, index).exists()]


def choose(driver: Driver, direction: str) -> None:
    box = driver.window.timeline.direction
    box.setCurrentIndex(box.findData(direction))


def propagate(driver: Driver) -> None:
    driver.press(Qt.Key_Space)
    driver.propagation(60)


def _waiting(event: threading.Event) -> Iterator[None]:
    yield event.wait(30)


def take_back(driver: Driver) -> None:
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    settled(driver)


def correct(driver: Driver, index: int) -> None:
    """Take the ball in hand and click on it in a frame: the mask it has there, if any, is replaced."""
    driver.go_to(index)
    driver.window.select_object(1)
    driver.click(*ball_centre(index))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.wait(lambda: facts(driver, index) == {(1, "ball", "sam")}, "the correction")


def all_shapes(driver: Driver) -> dict[int, list[dict[str, object]]]:
    return {index: shapes(driver, index) for index in range(FRAMES)}


def test_a_corrected_mask_is_carried_on_both_ways_with_one_key(driver: Driver) -> None:
    propagate(driver)
    repair = driver.window.timeline.repair
    driver.go_to(5)
    assert not repair.isEnabled()
    assert "repairs" not in driver.window.canvas.hint()
    correct(driver, 5)
    driver.wait(repair.isEnabled, "something to repair")
    assert driver.window.canvas.hint().startswith("Shift+Space repairs what was corrected here")
    corrected = saved_mask(driver, 1, 5)
    assert facts(driver, 5) == {(1, "ball", "sam")}
    driver.press(Qt.Key_Space, Qt.ShiftModifier)
    driver.propagation(60)
    for index in (3, 4, 6, FRAMES - 1):  # from halfway to the key frame at 0
        assert np.array_equal(saved_mask(driver, 1, index), corrected)
        assert facts(driver, index) == BALL_CARRIED
    assert facts(driver, 0) == {(1, "ball", "manual")}
    assert "Repaired frames 4 to 12" in driver.window.timeline.progress.text()


def test_a_repair_is_one_step_to_take_back_and_the_correction_stays(driver: Driver) -> None:
    propagate(driver)
    correct(driver, 5)
    before = all_shapes(driver)
    QtTest.QTest.mouseClick(driver.window.timeline.repair, Qt.LeftButton)
    driver.propagation(60)
    assert all_shapes(driver) != before
    take_back(driver)
    assert all_shapes(driver) == before
    take_back(driver)  # and the run before it
    assert answered(driver) == [0, 5]


def test_where_nothing_was_corrected_it_is_said(driver: Driver) -> None:
    driver.press(Qt.Key_Space, Qt.ShiftModifier)
    assert "correct a propagated mask" in driver.window.statusBar().currentMessage()
    assert not driver.window.propagation.is_running


def test_a_run_is_taken_back_after_a_restart(
    make_annotation_window: Window, driver: Driver, root: Path, output: Path
) -> None:
    propagate(driver)
    driver.go_to(3)
    driver.press(Qt.Key_K)
    approved = file_of(driver, 3).read_bytes()
    driver.window.close()
    again = make_annotation_window(root)
    take_back(again)
    assert answered(again) == [0, 3]
    assert file_of(again, 3).read_bytes() == approved
    take_back(again)
    assert "no propagation to take back" in again.window.statusBar().currentMessage()


def test_to_the_next_key_frame_and_between_key_frames(driver: Driver, root: Path, output: Path) -> None:
    for index in (4, 7):
        correct(driver, index)
    driver.go_to(4)
    choose(driver, TO_NEXT_KEY)
    assert not driver.window.timeline.last.isEnabled()
    propagate(driver)
    assert answered(driver) == [0, 4, 5, 6, 7]
    driver.go_to(2)
    choose(driver, BETWEEN_KEYS)
    propagate(driver)
    assert answered(driver) == list(range(8))
    driver.go_to(9)
    driver.press(Qt.Key_Space)
    assert "no key frame of the checked objects after" in driver.window.statusBar().currentMessage()
    choose(driver, "forward")
    assert driver.window.timeline.last.isEnabled()


def test_the_whole_video_is_filled_from_wherever_one_is_and_taken_back_at_once(
    driver: Driver, root: Path, output: Path
) -> None:
    correct(driver, 4)
    draw(root, output, [8], thing=BRICK)
    driver.window.navigator.reread_video()
    settled(driver)
    driver.go_to(FRAMES - 1)
    choose(driver, WHOLE_VIDEO)
    propagate(driver)
    assert {index for index in range(FRAMES) if len(facts(driver, index)) == 2} == set(range(FRAMES))
    assert facts(driver, 0) == {(1, "ball", "manual"), (2, "brick", "propagated")}
    take_back(driver)
    assert answered(driver) == [0, 4, 8]
    assert BALL


def test_no_run_begins_from_what_was_known_before_the_annotations_are_read_again(
    driver: Driver, root: Path, output: Path
) -> None:
    may_read = threading.Event()
    driver.window.files.submit(partial(_waiting, may_read), Priority.CLICK)
    draw(root, output, [8], thing=BRICK)
    driver.window.navigator.reread_video()
    driver.press(Qt.Key_Space)
    assert not driver.window.propagation.is_running
    assert "are being read" in driver.window.statusBar().currentMessage()
    driver.window.commands.rename(1, "goose")
    assert not driver.window.commands.is_busy
    assert "still being read" in driver.window.statusBar().currentMessage()
    may_read.set()
    settled(driver)
    choose(driver, WHOLE_VIDEO)
    propagate(driver)
    assert all(len(facts(driver, index)) == 2 for index in range(FRAMES))


def test_a_video_at_which_another_program_is_is_left_alone(
    driver: Driver, take_dialog: Callable[[Driver], str]
) -> None:
    session = driver.window.session
    with sole_run(session.video, session.store):
        driver.press(Qt.Key_Space)
        assert "Another propagation or import is at work on a" in take_dialog(driver)
        assert answered(driver) == [0]
    propagate(driver)
    assert answered(driver) == list(range(FRAMES))


class SparingPropagator(HeldPropagator):
    """Says what memory a run will take, and that it had to do with less."""

    def notice(self) -> str | None:
        return "Frames are seen at 360 pixels from frame 3 on." if max(self.given, default=0) == 2 else None

    def forecast(self, height: int, width: int, objects: int, key_frames: int) -> Forecast:
        return Forecast(f"{objects} object at {width} x {height}", 2**30, 2**32, "cpu")


def test_the_forecast_of_memory_and_what_was_given_up_are_in_the_status_line(
    make_annotation_window: Window, root: Path, discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    propagator = SparingPropagator()
    monkeypatch.setattr("sam_annotator.engine.engines.make_propagator", lambda *_options: propagator)
    driver = make_annotation_window(root)
    said: list[str] = []
    driver.window.statusBar().messageChanged.connect(said.append)
    driver.press(Qt.Key_Space)
    driver.wait(lambda: any(text.startswith("Memory for 1 object at 160 x 120") for text in said), "the forecast")
    propagator.let_all()
    driver.propagation(60)
    assert "Frames are seen at 360 pixels from frame 3 on." in said
    assert "Frames are seen at 360 pixels" in driver.window.timeline.progress.text()


def test_a_click_is_answered_before_the_first_frame_of_a_run(
    make_annotation_window: Window, root: Path, output: Path, discs: DiscSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two key frames that are learned a click comes in, and the run can be cancelled."""
    draw(root, output, range(1, 8))
    driver = make_annotation_window(root)

    class Learning(HeldPropagator):
        def learn(self, key_frame: KeyFrame) -> None:
            learned.append(key_frame.index)
            if len(learned) == 2:
                reached.set()
                assert go_on.wait(60)
            self._masks |= key_frame.masks

    learned: list[int] = []
    reached, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr("sam_annotator.engine.engines.make_propagator", lambda *_options: Learning())
    driver.press(Qt.Key_Space)
    driver.wait(reached.is_set, "the second key frame")
    driver.click(100, 100)
    asked = len(discs.asked)
    driver.window.propagation.cancel()
    go_on.set()
    driver.proposals()
    driver.propagation(30)
    assert len(discs.asked) > asked
    assert learned == [0, 1], "cancelled amid the key frames"
    assert answered(driver) == list(range(8))


def test_how_far_a_repair_goes_is_a_preference(driver: Driver) -> None:
    propagate(driver)
    driver.window.open_preferences()
    dialog = next(one for one in driver.window.findChildren(PreferencesDialog) if one.isVisible())
    assert (dialog.agreement.value(), dialog.agreeing.value()) == (95, 5)
    dialog.agreeing.setValue(2)
    QtTest.QTest.keyClick(dialog, Qt.Key_Return)
    driver.go_to(5)
    driver.press(Qt.Key_K)
    before = all_shapes(driver)
    driver.press(Qt.Key_Space, Qt.ShiftModifier)
    driver.propagation(60)
    assert driver.window.timeline.progress.text().startswith("Repaired frames 4 to 8, where the masks agree")
    assert {index for index, found in all_shapes(driver).items() if found != before[index]} <= {3, 4, 6, 7}


def choose_range(driver: Driver, first: int, last: int) -> None:
    """Both are indices of frames, inside."""
    driver.window.timeline.first.setValue(first + 1)
    driver.window.timeline.last.setValue(last + 1)


@pytest.mark.parametrize(("key", "direction"), [(3, "forward"), (8, "backward"), (3, "both")])
def test_from_a_frame_outside_the_range_it_begins_at_the_mask_beside_the_range(
    make_annotation_window: Window,
    output: Path,
    root: Path,
    discs: DiscSegmenter,
    held: HeldPropagator,
    key: int,
    direction: str,
) -> None:
    held.let_all()
    draw(root, output, (key,), source=PROPAGATED)
    draw(root, output, (1, 2, 9, 10), source=PROPAGATED)  # of an earlier run: outside the range they stay
    draw(root, output, (11,))
    driver = make_annotation_window(root)
    older = {index: file_of(driver, index).read_bytes() for index in (0, 1, 2, key, 9, 10, 11)}
    choose(driver, direction)
    choose_range(driver, 4, 7)
    driver.go_to(0 if direction != "backward" else 11)
    propagate(driver)
    assert answered(driver) == sorted({*older, 4, 5, 6, 7})
    assert {index: file_of(driver, index).read_bytes() for index in older} == older


def test_from_a_frame_outside_the_range_it_begins_at_the_key_frame_at_its_end(
    make_annotation_window: Window,
    output: Path,
    root: Path,
    discs: DiscSegmenter,
    held: HeldPropagator,
) -> None:
    held.let_all()
    draw(root, output, (4,))
    driver = make_annotation_window(root)
    choose_range(driver, 4, 7)
    propagate(driver)
    assert answered(driver) == [0, 4, 5, 6, 7]


@pytest.mark.parametrize(("index", "direction"), [(0, "forward"), (0, "both"), (11, "backward")])
def test_from_far_outside_the_range_masks_are_carried_to_it_and_the_frames_between_stay_as_they_are(
    make_annotation_window: Window,
    output: Path,
    root: Path,
    discs: DiscSegmenter,
    held: HeldPropagator,
    index: int,
    direction: str,
) -> None:
    held.let_all()
    draw(root, output, (11,))
    draw(root, output, (2, 9), thing=BRICK)
    driver = make_annotation_window(root)
    older = {index: file_of(driver, index).read_bytes() for index in (0, 2, 9, 11)}
    choose(driver, direction)
    choose_range(driver, 4, 7)
    driver.go_to(index)
    propagate(driver)
    assert answered(driver) == sorted({*older, 4, 5, 6, 7})
    assert {index: file_of(driver, index).read_bytes() for index in older} == older
    assert {number for number, _label, _source in facts(driver, 5)} == {1, 2}
    assert driver.window.timeline.progress.text() == "Done: 4 frames computed"


def test_a_mask_that_another_program_wrote_meanwhile_is_carried_to_the_range_from_where_it_is_shown(
    driver: Driver, output: Path, root: Path
) -> None:
    draw(root, output, (11,))
    choose(driver, "backward")
    choose_range(driver, 4, 7)
    driver.go_to(11)
    propagate(driver)
    assert answered(driver) == [0, 4, 5, 6, 7, 11]


def test_a_range_that_lies_the_other_way_is_not_filled(driver: Driver) -> None:
    choose(driver, "backward")
    choose_range(driver, 4, 7)
    driver.press(Qt.Key_Space)
    assert "no frame to fill in this direction" in driver.window.statusBar().currentMessage()
    assert answered(driver) == [0]


def test_a_range_without_a_mask_on_the_way_says_where_to_go(driver: Driver) -> None:
    choose_range(driver, 4, 7)
    driver.go_to(1)
    driver.press(Qt.Key_Space)
    assert not driver.window.propagation.is_running
    assert "no mask of the checked objects from this frame to the range 5 to 8" in (
        driver.window.statusBar().currentMessage()
    )
    assert answered(driver) == [0]


def test_an_object_that_is_not_known_beside_the_range_is_not_written_there(
    make_annotation_window: Window,
    output: Path,
    root: Path,
    discs: DiscSegmenter,
    held: HeldPropagator,
) -> None:
    held.let_all()
    draw(root, output, (3,))
    draw(root, output, (4,), thing=BRICK)
    driver = make_annotation_window(root)
    choose_range(driver, 4, 7)
    before = file_of(driver, 3).read_bytes()
    propagate(driver)
    assert answered(driver) == [0, 3, 4, 5, 6, 7]
    assert file_of(driver, 3).read_bytes() == before


def test_a_run_over_older_masks_is_taken_back_under_the_name_and_the_number_of_now(
    make_annotation_window: Window,
    root: Path,
    output: Path,
    discs: DiscSegmenter,
    held: HeldPropagator,
) -> None:
    held.let_all()
    draw(root, output, range(1, 6), thing=BRICK, object_id=1, source=PROPAGATED)  # the run writes other masks
    driver = make_annotation_window(root)
    older = [saved_mask(driver, 1, index) for index in range(1, 6)]
    propagate(driver)
    assert not np.array_equal(saved_mask(driver, 1, 3), older[2])
    driver.window.commands.rename(1, "globe")
    settled(driver)
    driver.window.commands.renumber(1, 7)
    settled(driver)
    take_back(driver)
    assert answered(driver) == list(range(6))
    assert [facts(driver, index) for index in range(1, 6)] == [{(7, "globe", "propagated")}] * 5
    assert np.array_equal(saved_mask(driver, 7, 3), older[2])
