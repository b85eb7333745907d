"""Shapes that are there: edited, approved, copied, stepped through, deleted, in the frame and in the video."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BRICK, DiscSegmenter, ball_centre
from tests.gui.steps import (
    annotate,
    choose_in_menu,
    corner_of,
    document,
    draw,
    facts,
    file_of,
    listed,
    saved_mask,
    settled,
    shapes,
)

Window = Callable[..., Driver]
Videos = Callable[..., Path]


def drag_vertex(driver: Driver, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move the mouse over a vertex, as a hand does before it presses, and drag it."""
    canvas = driver.window.canvas
    driver.hover(*start)
    driver.wait(lambda: canvas.hovered_shape is not None, "the vertex to be found")
    driver.drag(*start, *end)


def test_dragging_a_vertex_of_a_propagated_shape_makes_it_manual(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, [0], source=PROPAGATED)
    driver = make_annotation_window(root)
    x, y = corner_of(shapes(driver)[0])
    driver.press(Qt.Key_E)
    drag_vertex(driver, (x, y), (x - 8, y))
    assert corner_of(shapes(driver)[0]) == pytest.approx((x - 8, y), abs=0.5)
    assert facts(driver) == {(1, "ball", "manual")}
    assert 0 in driver.window.session.tracks.get(1).key_frames
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(driver) == {(1, "ball", "propagated")}
    assert corner_of(shapes(driver)[0]) == pytest.approx((x, y), abs=1e-6)


def test_an_edited_mask_of_sam_stays_the_work_of_sam(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    x, y = corner_of(shapes(driver)[0])
    driver.press(Qt.Key_E)
    drag_vertex(driver, (x, y), (x - 8, y))
    assert corner_of(shapes(driver)[0])[0] == pytest.approx(x - 8, abs=0.5)
    assert facts(driver) == {(1, "ball", "sam")}


def test_k_approves_a_propagated_mask_and_takes_that_back(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, range(4), source=PROPAGATED)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_K)
    assert shapes(driver)[0]["flags"] == {"reviewed": True}
    assert driver.window.session.tracks.get(1).key_frames == {0}
    driver.press(Qt.Key_K)
    assert shapes(driver)[0]["flags"] == {}
    assert facts(driver) == {(1, "ball", "propagated")}


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("Delete in this frame", [0, 2, 3]),
        ("Delete from this frame on", [0]),
        ("Delete in the whole video", []),
    ],
)
def test_the_list_of_objects_deletes_in_a_frame_onward_and_in_the_video(
    with_ball: Driver, entry: str, left: list[int]
) -> None:
    driver = with_ball
    driver.press(Qt.Key_D)
    choose_in_menu(driver, 1, entry)
    settled(driver)
    assert [index for index in range(4) if facts(driver, index)] == left
    assert all(file_of(driver, index).exists() for index in range(4))
    assert driver.window.session.index == 1
    assert driver.window.listed_shapes() == []
    assert [label.split()[0] for label in listed(driver).values()] == ["ball"] * bool(left)


def test_delete_removes_the_selected_object_and_control_z_brings_it_back_on_disk(with_ball: Driver) -> None:
    driver = with_ball
    before = file_of(driver).read_bytes()
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Delete)
    assert document(driver)["shapes"] == []
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(driver).read_bytes() == before


def test_brackets_step_through_the_objects_of_the_video(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    draw(root, output, thing=BRICK)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    selected = []
    for _ in range(3):
        driver.press(Qt.Key_BracketRight)
        selected += [shape.group_id for shape in driver.window.canvas.selected_shapes]
    driver.press(Qt.Key_BracketLeft)
    selected += [shape.group_id for shape in driver.window.canvas.selected_shapes]
    assert selected == [1, 2, 1, 2]


def test_copy_and_paste_into_the_next_frame_keep_the_object(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_C, Qt.ControlModifier)
    driver.press(Qt.Key_D)
    driver.press(Qt.Key_V, Qt.ControlModifier)
    assert facts(driver, 1) == {(1, "ball", "manual")}
    assert np.array_equal(saved_mask(driver, 1, 1), saved_mask(driver, 1, 0))


def test_a_copy_pasted_beside_its_original_is_a_new_object(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_C, Qt.ControlModifier)
    driver.press(Qt.Key_V, Qt.ControlModifier)
    assert facts(driver, 0) == {(1, "ball", "sam"), (2, "ball", "manual")}


def test_an_object_that_was_just_renamed_can_be_deleted(with_ball: Driver) -> None:
    driver = with_ball
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.name("orange")
    settled(driver)
    driver.press(Qt.Key_Delete)  # what was selected is on the canvas no more
    assert facts(driver, 0) == {(1, "orange", "manual")}
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Delete)
    assert facts(driver, 0) == set()
