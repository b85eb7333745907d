"""Polygons drawn by hand: named, saved, taken back point by point, moved."""

from collections.abc import Sequence

import numpy as np
import pytest
from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.gui.driver import Driver
from tests.gui.scene import ball_centre, brick_centre
from tests.gui.steps import accept, annotate, corner_of, facts, file_of, shapes

TRIANGLE = ((20, 70), (60, 74), (34, 104))


def draw_triangle(driver: Driver) -> None:
    draw_polygon(driver, TRIANGLE)


def draw_polygon(driver: Driver, corners: Sequence[tuple[float, float]]) -> None:
    driver.press(Qt.Key_N, Qt.ControlModifier)
    for x, y in (*corners, corners[0]):
        driver.hover(x, y)
        driver.click(x, y)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog for names")


def test_a_polygon_drawn_by_hand_is_named_and_saved(driver: Driver) -> None:
    draw_triangle(driver)
    driver.name("sail")
    (shape,) = shapes(driver)
    assert (shape["label"], shape["group_id"], shape["source"]) == ("sail", 1, "manual")
    assert "score" not in shape
    assert np.allclose(shape["points"], TRIANGLE, atol=0.5)


def test_cancelling_the_name_of_a_drawing_leaves_nothing_on_canvas_or_disk(driver: Driver) -> None:
    draw_triangle(driver)
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Escape)
    driver.wait(lambda: driver.window.naming.dialog is None, "the dialog to close")
    assert driver.window.canvas.unnamed_shapes() == []
    assert driver.window.listed_shapes() == []
    driver.press(Qt.Key_Escape)
    driver.press(Qt.Key_D)
    driver.press(Qt.Key_A)
    assert not file_of(driver, 0).exists()


def test_undoing_a_later_change_keeps_the_id_of_what_was_drawn_by_hand(driver: Driver) -> None:
    draw_triangle(driver)
    driver.name("sail")
    driver.press(Qt.Key_Q)
    annotate(driver, brick_centre(0), "brick")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(driver) == {(1, "sail", "manual")}


def test_control_z_takes_back_the_last_point_of_what_is_being_drawn(with_ball: Driver) -> None:
    driver = with_ball
    driver.press(Qt.Key_N, Qt.ControlModifier)
    for x, y in TRIANGLE:
        driver.hover(x, y)
        driver.click(x, y)
    driver.press(Qt.Key_K)  # a change of the frame in the middle of drawing
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    driver.hover(*TRIANGLE[0])
    assert driver.window.canvas.is_drawing
    assert shapes(driver)[0]["flags"] == {"reviewed": True}
    assert not driver.window.labelme_actions.undo.isEnabled()
    driver.press(Qt.Key_Escape)
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert shapes(driver)[0]["flags"] == {}


def test_a_shape_moved_from_where_the_edge_of_another_one_is_highlighted_is_saved(driver: Driver) -> None:
    x, y = ball_centre(0)
    draw_polygon(driver, ((x, y - 30), (x, y + 40), (x - 35, y + 40)))  # an edge runs through the ball
    driver.name("sail")
    driver.press(Qt.Key_Q)
    driver.click(x, y)
    driver.proposals()
    driver.press(Qt.Key_3)
    accept(driver, "ball")
    driver.press(Qt.Key_E)
    driver.hover(x, y)
    assert driver.window.canvas.hovered_shape.label == "sail"
    driver.drag(x, y, x + 20, y)  # the ball is on top: it is what moves
    assert corner_of(shapes(driver)[1])[0] == pytest.approx(x - 14 + 20, abs=1.5)
    assert not driver.window.canvas.is_dragging_shape
