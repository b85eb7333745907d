"""Shapes between file and canvas."""

from PyQt5 import QtCore

from sam_annotator.core.annotation import MANUAL, PROPAGATED, Shape
from sam_annotator.gui.shapes import from_labelme, to_labelme

SHAPE = Shape("dog", ((1.0, 2.0), (8.0, 2.0), (8.0, 9.0)), object_id=3, source=PROPAGATED, score=0.7)


def test_a_shape_comes_back_as_it_was() -> None:
    assert from_labelme(to_labelme(SHAPE)) == SHAPE


def test_a_copy_keeps_what_it_was_when_the_shape_is_edited() -> None:
    living = to_labelme(SHAPE)
    kept = living.copy()
    living.move_vertex(0, QtCore.QPointF(0.0, 0.0))
    living.insert_point(1, QtCore.QPointF(4.0, 1.0))
    living.flags["reviewed"] = True
    living.label = "cat"
    assert from_labelme(kept) == SHAPE
    assert from_labelme(living).source == MANUAL


def test_moving_a_shape_leaves_its_copy_in_its_place() -> None:
    living = to_labelme(SHAPE)
    kept = living.copy()
    living.translate(QtCore.QPointF(5.0, 5.0))
    assert from_labelme(kept) == SHAPE
