"""A propagation from its start to its end: the frames it fills, paused, cancelled, in the range that was chosen."""

from collections.abc import Callable
from pathlib import Path

from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, brick_centre
from tests.gui.steps import annotate, draw, facts, file_of, overlap, settled, shapes
from tests.gui.window.propagating.held import BALL_CARRIED, FRAMES, HeldPropagator, answered, start

Window = Callable[..., Driver]
Videos = Callable[..., Path]


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


def test_the_hint_says_what_space_does_and_that_frames_are_doubtful(driver: Driver, held: HeldPropagator) -> None:
    hint = driver.window.canvas.hint
    assert hint().startswith("Space carries")
    assert hint().endswith("click on another object")
    driver.press(Qt.Key_W)
    assert hint().startswith("Space carries")
    assert hint().endswith("drag a box around another object")
    driver.press(Qt.Key_Q)
    start(driver, held, 2)
    assert hint().startswith("Space pauses")
    driver.press(Qt.Key_Space)
    driver.wait(lambda: driver.window.propagation.is_paused, "the pause")
    assert hint().startswith("Space goes on")
    driver.press(Qt.Key_Space)
    held.let_all()
    driver.propagation()
    doubtful = len(driver.window.session.tracks.doubtful_frames())
    assert hint().startswith(f"X: next of {doubtful} doubtful frame" if doubtful else "Click on another")
    driver.window.propagation_panel._say_what_is_next(3)
    assert hint().startswith("X: next of 3 doubtful frames")


def test_how_a_run_ended_is_said_no_longer_than_until_the_next_or_a_click(driver: Driver, held: HeldPropagator) -> None:
    bar, status = driver.window.statusBar(), driver.window.status
    status.show_result("Done: 3 frames computed")
    start(driver, held, 2)
    assert not bar.currentMessage().startswith("Done")
    driver.window.propagation.cancel()
    held.let_all()
    driver.propagation()
    status.show_result("Done: 3 frames computed")
    driver.open_video("b")
    assert not bar.currentMessage().startswith("Done")
    status.show_result("Done: 3 frames computed")
    driver.click(*brick_centre(0))
    driver.proposals()
    assert driver.window.canvas.hint().startswith("Enter accepts")
    assert not bar.currentMessage().startswith("Done")


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


def test_where_there_is_nothing_to_fill_space_is_not_promised_to_do_it(driver: Driver, held: HeldPropagator) -> None:
    held.let_all()
    window = driver.window
    assert window.canvas.hint().startswith("Space carries")
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    window.navigator.show_frame(FRAMES - 1)
    settled(driver)
    assert window.canvas.hint() == "Click on another object"
    driver.press(Qt.Key_Space)
    assert "no frame to fill" in window.statusBar().currentMessage()
    window.navigator.show_frame(2)
    settled(driver)
    assert window.canvas.hint().startswith("Space carries")
