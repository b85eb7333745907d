"""Between frozen shapes and living ones: nothing is lost, and what a hand changed is known from what it did not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PyQt5 import QtCore
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import IMPORTED, MANUAL, PROPAGATED, SAM, Shape
from sam_annotator.core.masks import mask_to_shapes
from sam_annotator.core.store import AnnotationStore, set_propagated
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.gui.canvas.shapes import from_labelme, to_labelme
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.labelme_seam import LabelmeShape
from tests.gui.scene import BALL, HEIGHT, WIDTH, truth

Window = Callable[..., Driver]
Videos = Callable[..., Path]

numbers = st.floats(-50, 4000, allow_nan=False).map(lambda value: round(value, 3))
shapes = st.builds(
    Shape,
    label=st.text(max_size=12),
    points=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=8).map(tuple),
    shape_type=st.sampled_from(["polygon", "rectangle", "circle", "line", "point", "linestrip", "points"]),
    object_id=st.none() | st.integers(0, 9999),
    source=st.sampled_from([MANUAL, SAM, PROPAGATED, IMPORTED]),
    score=st.none() | st.floats(0, 1),
    flags=st.dictionaries(st.text(min_size=1, max_size=5), st.booleans(), max_size=3),
    description=st.text(max_size=8),
    extra=st.dictionaries(st.text(min_size=1, max_size=5), st.integers(), max_size=2),
)


def square(source: str = PROPAGATED, score: float | None = 0.8) -> Shape:
    return Shape(
        "ball", ((20.0, 20.0), (60.0, 20.0), (60.0, 60.0), (20.0, 60.0)), object_id=1, source=source, score=score
    )


# --- by themselves -----------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shape=shapes)
def test_a_shape_that_nobody_touched_is_the_same_again(shape: Shape) -> None:
    assert from_labelme(to_labelme(shape)) == shape
    assert from_labelme(to_labelme(shape).copy()) == shape


def test_a_mask_that_nobody_touched_is_the_same_again() -> None:
    (shape,) = mask_to_shapes(truth(BALL, 0), label="ball", object_id=1, source=PROPAGATED, score=0.7, style="mask")
    assert from_labelme(to_labelme(shape).copy()) == shape


def test_what_a_hand_drew_is_manual() -> None:
    living = LabelmeShape(label="ball", shape_type="polygon", group_id=3)
    for x, y in ((1.5, 2), (30, 2), (30, 40)):
        living.add_point(QtCore.QPointF(x, y))
    assert from_labelme(living) == Shape("ball", ((1.5, 2.0), (30.0, 2.0), (30.0, 40.0)), object_id=3)


def _move(living: LabelmeShape) -> None:
    living.move_vertex(0, QtCore.QPointF(1, 1))


def _insert(living: LabelmeShape) -> None:
    living.insert_point(1, QtCore.QPointF(40, 10))


def _remove(living: LabelmeShape) -> None:
    living.remove_point(0)


@pytest.mark.parametrize("edit", [_move, _insert, _remove])
def test_a_propagated_shape_that_was_edited_is_manual_and_has_no_score(edit: Callable[[LabelmeShape], None]) -> None:
    living = to_labelme(square())
    before = living.copy()
    edit(living)
    edited = from_labelme(living)
    assert (edited.source, edited.score) == (MANUAL, None)
    assert edited.is_protected
    assert from_labelme(before) == square()  # what undo puts back


def test_a_moved_or_repainted_mask_of_a_propagation_is_manual() -> None:
    (shape,) = mask_to_shapes(truth(BALL, 0), label="ball", object_id=1, source=PROPAGATED, score=0.7, style="mask")
    moved, repainted = to_labelme(shape), to_labelme(shape)
    moved.translate(QtCore.QPointF(3, 0))
    repainted.mask = np.zeros_like(shape.mask)
    assert from_labelme(moved).source == from_labelme(repainted).source == MANUAL


@pytest.mark.parametrize("source", [SAM, IMPORTED, MANUAL])
def test_what_was_not_propagated_keeps_who_made_it_when_it_is_edited(source: str) -> None:
    living = to_labelme(square(source))
    _move(living)
    assert from_labelme(living).source == source


def test_another_name_alone_does_not_make_a_propagated_shape_manual() -> None:
    living = to_labelme(square())
    living.label, living.description, living.flags = "balloon", "red", {"truncated": True}
    named = from_labelme(living)
    assert named == replace(square(), label="balloon", description="red", flags={"truncated": True})


def test_copies_do_not_share_what_a_hand_can_change() -> None:
    living = to_labelme(square())
    twin = living.copy()
    living.translate(QtCore.QPointF(5, 5))
    living.flags["reviewed"] = True
    living.label = "other"
    assert from_labelme(twin) == square()


# --- in the window -----------------------------------------------------------------------------------------------


@pytest.fixture
def video(make_videos: Videos) -> Video:
    return find_videos(make_videos("ball", frames=3))[0]


@pytest.fixture
def driver(make_annotation_window: Window, video: Video, tmp_path: Path) -> Driver:
    """A window in edit mode on a frame with one propagated square."""
    store = AnnotationStore(tmp_path / "annotations")
    store.update(video, 0, lambda frame: set_propagated(frame, 1, [square()]), WIDTH, HEIGHT)
    made = make_annotation_window(video.folder.parent)
    made.press(Qt.Key_E)
    return made


def saved(driver: Driver) -> Shape:
    """What the file says of the one shape in it."""
    session = driver.window.session
    (shape,) = session.store.read(session.video, 0).shapes
    return shape


def drag_corner(driver: Driver) -> None:
    driver.hover(20, 20)
    driver.drag(20, 20, 10, 12)


def test_dragging_a_corner_of_a_propagated_shape_makes_it_manual_and_undo_makes_it_propagated_again(
    driver: Driver,
) -> None:
    before = driver.window.annotation_path().read_bytes()
    drag_corner(driver)
    edited = saved(driver)
    assert (edited.source, edited.score) == (MANUAL, None)
    assert edited.points[0] == pytest.approx((10, 12), abs=0.6)
    assert edited.points[1:] == square().points[1:]
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert saved(driver) == square()
    assert driver.window.annotation_path().read_bytes() == before


def test_a_shape_that_is_moved_by_an_arrow_key_is_manual_until_that_is_undone(driver: Driver) -> None:
    driver.press(Qt.Key_BracketRight)
    driver.press(Qt.Key_Right)
    assert saved(driver).source == MANUAL
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert saved(driver) == square()


def test_an_edit_makes_a_key_frame_in_the_list_and_undo_takes_it_away(driver: Driver) -> None:
    tracks = driver.window.session.tracks
    assert not tracks.get(1).key_frames
    drag_corner(driver)
    assert tracks.get(1).key_frames == {0}
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert not tracks.get(1).key_frames


def test_undoing_a_deletion_brings_the_propagated_shape_back_as_it_was(driver: Driver) -> None:
    before = driver.window.annotation_path().read_bytes()
    driver.press(Qt.Key_BracketRight)
    driver.press(Qt.Key_Delete)
    assert orjson.loads(driver.window.annotation_path().read_bytes())["shapes"] == []
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert driver.window.annotation_path().read_bytes() == before


def test_each_edit_is_one_step_of_undo(driver: Driver) -> None:
    drag_corner(driver)
    first = saved(driver).points
    driver.hover(60, 60)
    driver.drag(60, 60, 70, 72)
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert saved(driver).points == first
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert saved(driver) == square()
    driver.press(Qt.Key_Z, Qt.ControlModifier)  # nothing left
    assert saved(driver) == square()


def test_shapes_of_other_programs_keep_their_extra_keys_when_the_frame_is_edited(
    make_annotation_window: Window, video: Video
) -> None:
    points = [[80, 20], [120, 20], [120, 50]]
    foreign = {
        "label": "kite",
        "points": points,
        "shape_type": "polygon",
        "flags": {},
        "group_id": None,
        "mood": "glad",
    }
    document = {"version": "5.4.1", "flags": {}, "imagePath": "00000.jpg", "imageData": None, "imageHeight": HEIGHT}
    path = video.folder / "00000.json"
    path.write_bytes(orjson.dumps({**document, "imageWidth": WIDTH, "shapes": [foreign], "mine": [1, 2]}))
    driver = make_annotation_window(video.folder.parent, output=None)
    driver.press(Qt.Key_E)
    driver.hover(80, 20)
    driver.drag(80, 20, 84, 25)
    after = orjson.loads(path.read_bytes())
    assert after["mine"] == [1, 2]
    assert after["shapes"][0]["mood"] == "glad"
    assert after["shapes"][0]["group_id"] is None
    assert after["shapes"][0]["points"][0] == pytest.approx([84, 25], abs=0.6)
