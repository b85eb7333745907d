"""Masks as they are painted: the pixels of the mask and no others, their edge on the borders of the pixels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.gui.canvas.colors import object_color
from sam_annotator.gui.canvas.overlay import picture_of
from sam_annotator.gui.canvas.paint import MaskPictures, paint_object
from sam_annotator.gui.canvas.shapes import to_labelme
from sam_annotator.gui.labelme_seam import LabelmeShape
from tests.gui.scene import BALL, BRICK, truth

Mask = NDArray[np.bool_]
SCALE = 5


def painted(
    mask: Mask, size: tuple[int, int], scale: float = SCALE, corner: tuple[float, float] = (0, 0), pen: float = 0
) -> NDArray[np.uint8]:
    """What is painted, RGBA of (height, width) * scale: fill in red; with `pen`, edges in opaque blue."""
    height, width = size
    image = QtGui.QImage(round(width * scale), round(height * scale), QtGui.QImage.Format_RGBA8888)
    image.fill(Qt.transparent)
    painter = QtGui.QPainter(image)
    line = QtGui.QPen(QtGui.QColor(0, 0, 255), pen) if pen else QtGui.QPen(Qt.NoPen)
    line.setCosmetic(True)
    picture_of(mask, corner).paint(painter, scale, QtGui.QColor(255, 0, 0), 200, line)
    painter.end()
    return pixels_of(image)


def pixels_of(image: QtGui.QImage) -> NDArray[np.uint8]:
    """A copy, RGBA (height, width, 4)."""
    buffer = image.constBits().asarray(image.sizeInBytes())
    return np.array(buffer, np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()]


def middles(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of each image pixel."""
    return pixels[SCALE // 2 :: SCALE, SCALE // 2 :: SCALE]


masks = numpy_strategies.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=masks)
def test_exactly_the_pixels_of_the_mask_are_filled(qapp: object, mask: Mask) -> None:
    assert np.array_equal(middles(painted(mask, mask.shape))[..., 3] > 0, mask)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=masks)
def test_every_border_between_inside_and_outside_has_its_edge_and_nothing_else_has(qapp: object, mask: Mask) -> None:
    around = np.pad(mask, 1)
    blue = painted(around, around.shape, pen=1)[..., 2] > 128
    centre = SCALE // 2
    across = around[:, 1:] != around[:, :-1]  # borders between a pixel and the one at its right
    columns = np.arange(1, around.shape[1]) * SCALE
    rows = np.arange(around.shape[0]) * SCALE + centre
    on_border = blue[np.ix_(rows, columns)] | blue[np.ix_(rows, columns - 1)]
    assert np.array_equal(on_border, across)
    assert not blue[np.ix_(rows, columns - 1 - centre)].any()  # the middles of pixels


def test_a_mask_in_a_crop_is_painted_where_the_crop_is(qapp: object) -> None:
    mask = np.zeros((4, 5), bool)
    mask[1:3, 2:5] = True
    pixels = middles(painted(mask, (20, 30), corner=(7, 11)))
    expected = np.zeros((20, 30), bool)
    expected[12:14, 9:12] = True
    assert np.array_equal(pixels[..., 3] > 0, expected)


def test_holes_and_what_lies_in_them_are_seen(qapp: object) -> None:
    mask = np.ones((9, 9), bool)
    mask[2:7, 2:7] = False
    mask[4, 4] = True
    assert np.array_equal(middles(painted(mask, (9, 9)))[..., 3] > 0, mask)


@pytest.mark.parametrize("mask", [np.zeros((5, 5), bool), np.zeros((0, 0), bool)])
def test_an_empty_mask_paints_nothing(qapp: object, mask: Mask) -> None:
    assert not painted(mask, (5, 5), pen=2).any()


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 1.7])
@pytest.mark.parametrize("thing", [BALL, BRICK])
def test_where_pixels_are_too_small_to_be_seen_the_shape_is_still_true(qapp: object, scale: float, thing: int) -> None:
    mask = truth(thing, 0)
    filled = painted(mask, mask.shape, scale)[..., 3] > 0
    rows = np.minimum((np.arange(filled.shape[0]) + 0.5) / scale, mask.shape[0] - 1).astype(int)
    columns = np.minimum((np.arange(filled.shape[1]) + 0.5) / scale, mask.shape[1] - 1).astype(int)
    assert iou(filled, mask[np.ix_(rows, columns)]) > 0.93


# --- shapes ------------------------------------------------------------------------------------------------------


def living(mask: Mask, source: str, style: str = "auto") -> LabelmeShape:
    (shape,) = mask_to_shapes(mask, label="ball", object_id=1, source=source, score=0.5, style=style)
    made = to_labelme(shape)
    made.line_color = object_color(1)
    return made


def painted_shape(shape: LabelmeShape, strong: bool = False, pictures: MaskPictures | None = None) -> QtGui.QImage:
    image = QtGui.QImage(320, 240, QtGui.QImage.Format_RGBA8888)
    image.fill(Qt.transparent)
    painter = QtGui.QPainter(image)
    paint_object(painter, shape, 2.0, pictures or MaskPictures(), strong=strong)
    painter.end()
    return image


def alpha(image: QtGui.QImage) -> NDArray[np.uint8]:
    return pixels_of(image)[..., 3]


@pytest.mark.parametrize("style", ["auto", "mask"])
@pytest.mark.parametrize("thing", [BALL, BRICK])
def test_a_polygon_and_a_mask_of_the_same_object_look_alike(qapp: object, style: str, thing: int) -> None:
    mask = truth(thing, 0)
    filled = alpha(painted_shape(living(mask, "manual", style)))[::2, ::2] > 0
    assert iou(filled, mask) > 0.93


def test_what_propagation_made_has_a_dashed_edge_what_a_human_made_a_whole_one(qapp: object) -> None:
    mask = truth(BRICK, 0)
    top = int(np.flatnonzero(mask.any(axis=1))[0]) * 2
    columns = slice(190, 260)
    by_human = alpha(painted_shape(living(mask, "manual")))[top, columns]
    propagated = alpha(painted_shape(living(mask, "propagated")))[top, columns]
    assert len(set(by_human.tolist())) == 1
    assert propagated.max() > propagated.min()


def test_an_object_under_the_mouse_is_painted_stronger(qapp: object) -> None:
    shape = living(truth(BALL, 0), "manual")
    soft, strong = (alpha(painted_shape(shape, strong=value))[88, 80] for value in (False, True))
    assert 0 < soft < strong < 255


def test_a_mask_that_was_moved_or_replaced_is_painted_anew(qapp: object) -> None:
    pictures, shape = MaskPictures(), living(truth(BALL, 0), "manual", "mask")
    before = alpha(painted_shape(shape, pictures=pictures))
    shape.translate(QtCore.QPointF(20, 10))
    after = alpha(painted_shape(shape, pictures=pictures))
    assert np.array_equal(after[20:, 40:], before[:-20, :-40])
    shape.mask = np.zeros_like(shape.mask)
    assert not alpha(painted_shape(shape, pictures=pictures)).any()


def test_the_truth_of_the_small_videos_is_what_masks_to_shapes_keep() -> None:
    mask = truth(BALL, 0)
    shapes = mask_to_shapes(mask, label="ball", object_id=1, source="manual")
    assert iou(object_mask(shapes, *mask.shape), mask) >= 0.99
