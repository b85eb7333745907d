"""The brush: strokes on the canvas, read back from the files."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.masks import iou
from sam_annotator.gui.canvas.strokes import Stroke, resized
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, HEIGHT, WIDTH, DiscSegmenter, ball_centre, brick_centre
from tests.gui.steps import annotate, draw, facts, file_of, hint, saved_mask, shapes, take

Window = Callable[..., Driver]
Videos = Callable[..., Path]


@pytest.fixture(params=["labelme", "classic"])
def driver(make_annotation_window: Window, make_videos: Videos, output: Path, request: pytest.FixtureRequest) -> Driver:
    """A window, with either preset, on a video with the ball propagated through it; the brush is taken for it."""
    root = make_videos(frames=3)
    draw(root, output, range(3), source=PROPAGATED)
    driver = make_annotation_window(root, keymap=request.param)
    take(driver)
    driver.press(Qt.Key_B if request.param == "labelme" else Qt.Key_P)
    return driver


def stroke(driver: Driver, *places: tuple[float, float], button: Qt.MouseButton = Qt.LeftButton) -> None:
    canvas = driver.window.canvas
    spots = [driver._place(*place) for place in places]
    QtTest.QTest.mousePress(canvas, button, Qt.NoModifier, spots[0])
    for spot in spots[1:]:
        event = QtGui.QMouseEvent(QtCore.QEvent.MouseMove, QtCore.QPointF(spot), Qt.NoButton, button, Qt.NoModifier)
        QtWidgets.QApplication.sendEvent(canvas, event)
    QtTest.QTest.mouseRelease(canvas, button, Qt.NoModifier, spots[-1])
    QtWidgets.QApplication.processEvents()


def test_a_stroke_adds_to_the_mask_and_makes_it_the_work_of_a_hand(driver: Driver) -> None:
    assert "painting 1 ball" in str(driver.window.brush.held)
    before = saved_mask(driver, 1, 0)
    x, y = ball_centre(0)
    stroke(driver, (x, y), (x + 40, y))
    after = saved_mask(driver, 1, 0)
    assert facts(driver) == {(1, "ball", "manual")}
    assert "score" not in shapes(driver)[0]
    assert after[y, x + 40]
    assert not before[y, x + 40]
    expected = Stroke(((x, y), (x + 40, y)), driver.window.canvas.brush_radius).on(before)
    assert iou(after, expected) > 0.99


def test_the_right_button_and_shift_take_away(driver: Driver) -> None:
    x, y = ball_centre(0)
    stroke(driver, (x, y), button=Qt.RightButton)
    assert not saved_mask(driver, 1, 0)[y, x]
    assert shapes(driver)[0]["shape_type"] == "mask"  # it has a hole now
    QtTest.QTest.mouseClick(driver.window.canvas, Qt.LeftButton, Qt.ShiftModifier, driver._place(x - 18, y))
    assert not saved_mask(driver, 1, 0)[y, x - 18]


def test_each_stroke_is_one_step_of_undo_down_to_what_was_propagated(driver: Driver) -> None:
    x, y = ball_centre(0)
    first = file_of(driver).read_bytes()
    stroke(driver, (x, y), (x + 40, y))
    second = file_of(driver).read_bytes()
    stroke(driver, (x, y), (x, y + 40))
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(driver).read_bytes() == second
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(driver).read_bytes() == first


def test_a_stroke_that_changes_nothing_is_no_change(driver: Driver) -> None:
    before = file_of(driver).read_bytes()
    x, y = ball_centre(0)
    stroke(driver, (x, y), (x + 3, y))
    stroke(driver, (5, 110), (9, 110), button=Qt.RightButton)
    assert file_of(driver).read_bytes() == before
    assert facts(driver) == {(1, "ball", "propagated")}


def test_rubbing_all_of_an_object_out_takes_it_from_the_frame(driver: Driver) -> None:
    driver.window.canvas.brush_radius = 60.0
    stroke(driver, ball_centre(0), button=Qt.RightButton)
    assert shapes(driver) == []
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(driver) == {(1, "ball", "propagated")}


def test_the_same_object_is_painted_in_the_next_frame_also_where_it_has_no_mask(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=3)
    draw(root, output, [0])
    driver = make_annotation_window(root)
    take(driver)
    driver.press(Qt.Key_B)
    driver.press(Qt.Key_Right)
    stroke(driver, ball_centre(1))
    assert facts(driver, 1) == {(1, "ball", "manual")}
    assert driver.window.naming.dialog is None


def test_a_new_object_is_named_after_its_first_stroke_and_painted_on(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    driver = make_annotation_window(make_videos(frames=2))
    driver.press(Qt.Key_B)
    assert "a new object" in str(driver.window.brush.held)
    x, y = brick_centre(0)
    stroke(driver, (x - 10, y), (x + 10, y))
    driver.name("brick")
    stroke(driver, (x, y), (x, y + 15))
    assert facts(driver) == {(1, "brick", "manual")}
    assert saved_mask(driver, 1, 0)[y + 15, x]
    driver.press(Qt.Key_Escape)
    stroke(driver, (20, 100), button=Qt.RightButton)
    assert "Choose an object" in driver.window.statusBar().currentMessage()
    stroke(driver, (20, 100))
    driver.name("stone")
    assert facts(driver) == {(1, "brick", "manual"), (2, "stone", "manual")}


def test_giving_up_the_name_of_a_first_stroke_leaves_nothing(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    driver = make_annotation_window(make_videos(frames=2))
    driver.press(Qt.Key_B)
    stroke(driver, brick_centre(0))
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Escape)
    assert not file_of(driver).exists()


def test_brackets_and_alt_with_the_wheel_change_the_size_and_do_not_leave_the_object(driver: Driver) -> None:
    canvas = driver.window.canvas
    before = canvas.brush_radius
    driver.press(Qt.Key_BracketRight)
    assert canvas.brush_radius == pytest.approx(before * 1.25)
    driver.press(Qt.Key_BracketLeft)
    assert canvas.brush_radius == pytest.approx(before)
    place = QtCore.QPointF(driver._place(80, 60))
    turn = QtGui.QWheelEvent(
        place, canvas.mapToGlobal(place.toPoint()), QtCore.QPoint(), QtCore.QPoint(120, 0), Qt.NoButton,
        Qt.AltModifier, Qt.NoScrollPhase, False,
    )  # fmt: skip
    QtWidgets.QApplication.sendEvent(canvas, turn)
    assert canvas.brush_radius > before
    assert driver.window.brush.object_id == 1


def test_escape_in_a_stroke_gives_that_stroke_up(driver: Driver) -> None:
    before = file_of(driver).read_bytes()
    canvas = driver.window.canvas
    QtTest.QTest.mousePress(canvas, Qt.LeftButton, Qt.NoModifier, driver._place(100, 100))
    driver.press(Qt.Key_Escape)
    QtTest.QTest.mouseRelease(canvas, Qt.LeftButton, Qt.NoModifier, driver._place(100, 100))
    assert file_of(driver).read_bytes() == before
    assert driver.window.brush.object_id == 1


def test_the_brush_says_how_it_is_used_and_shows_its_rim(driver: Driver) -> None:
    assert hint(driver).startswith("Left paints")
    driver.hover(80, 60)
    one = driver.window.canvas.grab().toImage()
    driver.hover(90, 60)
    assert driver.window.canvas.grab().toImage() != one


def test_from_brush_to_sam_and_back_the_object_stays(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter
) -> None:
    driver = make_annotation_window(make_videos(frames=2))
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_B)
    assert driver.window.brush.object_id == BALL
    driver.press(Qt.Key_Q)
    assert driver.window.sam_tool.in_hand.object_id == BALL
    driver.press(Qt.Key_B)
    assert driver.window.brush.object_id == BALL
    driver.press(Qt.Key_E)
    assert not driver.window.own_actions["brush"].isChecked()


def test_many_strokes_do_not_wear_the_outline_away(driver: Driver) -> None:
    x, y = ball_centre(0)
    before = saved_mask(driver, 1, 0)
    for index in range(12):
        stroke(driver, (130, 20 + 6 * index))
    after = saved_mask(driver, 1, 0)
    near = np.s_[y - 25 : y + 26, x - 25 : x + 26]
    assert iou(after[near], before[near]) > 0.985


points = st.tuples(st.floats(-20, WIDTH + 20), st.floats(-20, HEIGHT + 20))


@given(st.lists(points, min_size=1, max_size=5), st.floats(0.5, 30))
@settings(deadline=None, max_examples=100)
def test_a_stroke_covers_what_lies_within_its_radius(places: list[tuple[float, float]], radius: float) -> None:
    painted = Stroke(tuple(places), radius).on(np.zeros((HEIGHT, WIDTH), bool))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    away = np.full((HEIGHT, WIDTH), np.inf)
    for first, last in zip(places, places[1:] or places, strict=False):
        a, b = np.array(first), np.array(last)
        length = float(((b - a) ** 2).sum()) or 1.0
        share = np.clip(((columns - a[0]) * (b - a)[0] + (rows - a[1]) * (b - a)[1]) / length, 0, 1)
        away = np.minimum(away, np.hypot(columns - a[0] - share * (b - a)[0], rows - a[1] - share * (b - a)[1]))
    assert painted[away <= radius - 1].all()
    assert not painted[away > radius + 1].any()
    assert not Stroke(tuple(places), radius, erases=True).on(painted).any()


def test_a_brush_is_never_smaller_than_a_pixel_nor_endless() -> None:
    radius = 8.0
    for _ in range(60):
        radius = resized(radius, -1)
    assert radius == 0.5
    mask = Stroke(((10.5, 10.5),), radius).on(np.zeros((20, 20), bool))
    assert 1 <= mask.sum() <= 5
    assert cv2.countNonZero(Stroke(((10.5, 10.5),), resized(1e6, 1)).on(mask).astype(np.uint8)) == 400
