"""Who may overwrite what: a propagation keeps what people made, and so does taking it back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED, REVIEWED
from sam_annotator.core.masks import iou
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BRICK, ball_centre
from tests.gui.steps import draw, facts, file_of, overlap, saved_mask, settled, shapes
from tests.gui.window.propagating.held import BALL_CARRIED, FRAMES, HeldPropagator, answered, finish, start

Window = Callable[..., Driver]
Videos = Callable[..., Path]
BALL_SAVED = {(1, "ball", "manual")}


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


def test_a_propagation_is_taken_back_as_one_step(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    finish(driver, held)
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    driver.wait(lambda: answered(driver) == [0], "the propagation to be taken back")
    settled(driver)
    assert driver.window.status._hint == "The last propagation is taken back."
    assert not driver.window.timeline.progress.isVisible(), "how it ended is not true any more"
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
