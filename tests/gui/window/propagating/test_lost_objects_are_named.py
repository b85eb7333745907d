"""How a run ended says which objects it did not find on the way, and in how many frames."""

from functools import partial
from pathlib import Path

import numpy as np
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import MANUAL, FrameAnnotation, Shape
from sam_annotator.core.masks import mask_to_shapes
from sam_annotator.core.store import AnnotationStore
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, HEIGHT, WIDTH
from tests.gui.steps import shapes
from tests.gui.window.propagating.held import FRAMES, HeldPropagator, start


def test_the_end_says_which_object_was_lost_on_the_way_and_in_how_many_frames(
    driver: Driver, held: HeldPropagator
) -> None:
    held.blind_at = frozenset({2, 3, 5})
    held.let_all()
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    said = f"Done: {FRAMES - 1} frames computed; not found: 1 ball in 3 frames"
    assert driver.window.timeline.progress.toolTip() == said
    assert driver.window.statusBar().currentMessage() == said


def test_of_many_lost_objects_the_first_three_are_named(driver: Driver, held: HeldPropagator, output: Path) -> None:
    video, width, height = driver.window.session.video, WIDTH, HEIGHT
    for number in range(2, 7):
        mask = np.zeros((height, width), bool)
        mask[:8, 10 * number : 10 * number + 8] = True
        parts = mask_to_shapes(mask, label="pebble", object_id=number, source=MANUAL)
        AnnotationStore(output).update(video, 0, partial(_with, number, parts), width, height)
    driver.open_video("b")
    driver.open_video("a")
    held.blind_at = frozenset({4})
    held.let_all()
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    said = driver.window.timeline.progress.toolTip()
    lost = "not found: 1 ball in 1 frame, 2 pebble in 1 frame, 3 pebble in 1 frame and 3 more objects"
    assert said == f"Done: {FRAMES - 1} frames computed; {lost}"


def _with(number: int, parts: list[Shape], annotation: FrameAnnotation) -> FrameAnnotation:
    return annotation.with_object(number, parts)


def test_what_a_person_took_out_during_the_run_was_not_lost(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 4)
    driver.go_to(3)
    driver.window.select_object(BALL)
    driver.press(Qt.Key_Delete)
    held.let_all()
    driver.propagation(30)
    assert not shapes(driver, 3)
    assert driver.window.timeline.progress.toolTip() == f"Done: {FRAMES - 1} frames computed"


def test_the_end_of_a_run_that_lost_nothing_does_not_speak_of_what_an_earlier_one_lost(
    driver: Driver, held: HeldPropagator
) -> None:
    held.blind_at = frozenset({5})
    held.let_all()
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    driver.window.timeline.last.setValue(4)
    driver.go_to(0)
    driver.press(Qt.Key_Space)
    driver.propagation(30)
    assert driver.window.timeline.progress.toolTip() == "Done: 3 frames computed"
