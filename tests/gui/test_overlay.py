"""Masks as paths: exact where pixels are seen, light where they are not."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui

from sam_annotator.gui.overlay import picture_of

pytestmark = pytest.mark.usefixtures("qapp")


def filled(path: QtGui.QPainterPath, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels whose middle is inside."""
    image = QtGui.QImage(width, height, QtGui.QImage.Format_Grayscale8)
    image.fill(0)
    painter = QtGui.QPainter(image)
    painter.fillPath(path, QtCore.Qt.white)
    painter.end()
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(height, image.bytesPerLine())[:, :width] > 127


@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_edges_run_along_the_pixels_of_any_mask(mask: NDArray[np.bool_]) -> None:
    expected = np.pad(mask, ((2, 1), (3, 1)))
    assert np.array_equal(filled(picture_of(mask, (3, 2)).edges, *expected.shape), expected)


def test_outlines_have_few_corners_and_cover_the_mask() -> None:
    picture = np.zeros((600, 800), np.uint8)
    cv2.ellipse(picture, (400, 300), (300, 200), 20, 0, 360, 1, -1)
    cv2.circle(picture, (380, 310), 60, 0, -1)
    mask = picture > 0
    prepared = picture_of(mask)
    covered = filled(prepared.outline, *mask.shape)
    assert np.count_nonzero(covered & mask) / np.count_nonzero(covered | mask) > 0.99
    assert prepared.outline.elementCount() < prepared.edges.elementCount() / 4


def test_an_empty_mask_paints_nothing() -> None:
    assert picture_of(np.zeros((5, 5), bool)).edges.isEmpty()
