"""Masks as paths on the canvas: a soft fill and a crisp edge, true to the pixel where pixels can be seen."""

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui

from sam_annotator.core.masks import bounding_box

_SEEN_PIXEL = 2.0  # widget pixels; where the image's are smaller, following each of them would only take time
_TOLERANCE = 1.0  # image pixels


class MaskPicture:
    """A mask made ready for painting; what follows its pixels is made when it is first needed."""

    def __init__(self, crop: NDArray[np.bool_], corner: tuple[float, float]) -> None:
        self._crop, self._corner = crop, corner

    def paint(self, painter: QtGui.QPainter, scale: float, color: QtGui.QColor, fill: int, pen: QtGui.QPen) -> None:
        """Draw with the painter in widget pixels, the image's corner at (0, 0). `fill` is an alpha, 0..255."""
        tint = QtGui.QColor(color)
        tint.setAlpha(fill)
        painter.save()
        painter.scale(scale, scale)
        painter.setPen(pen)
        painter.setBrush(tint)
        painter.drawPath(self.edges if scale >= _SEEN_PIXEL else self.outline)
        painter.restore()

    @cached_property
    def edges(self) -> QtGui.QPainterPath:
        """Along the outer edges of the mask's pixels, in image pixels; holes are left out."""
        return _path(self._contours, self._corner)

    @cached_property
    def outline(self) -> QtGui.QPainterPath:
        """The same with far fewer corners, at most a pixel off."""
        return _path([cv2.approxPolyDP(contour, _TOLERANCE, True) for contour in self._contours], self._corner)

    @cached_property
    def _contours(self) -> list[NDArray[np.int32]]:
        """Corners of pixels along the edges, int32 (N, 1, 2), x and y from the corner of the crop."""
        padded = cv2.copyMakeBorder(self._crop.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        # each pixel fourfold: the traced quarters then tell on which side of them the edge is, by being even or odd
        quarters = cv2.resize(padded, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(quarters, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        return [(contour + 1) // 2 - 1 for contour in contours]


def picture_of(mask: NDArray[np.bool_], corner: tuple[float, float] = (0.0, 0.0)) -> MaskPicture:
    """Prepare a mask, bool (height, width), whose first pixel is the image pixel `corner` (x, y)."""
    left, top, right, bottom = bounding_box(mask) or (0, 0, 0, 0)
    return MaskPicture(mask[top:bottom, left:right], (corner[0] + left, corner[1] + top))


def _path(contours: list[NDArray[np.int32]], corner: tuple[float, float]) -> QtGui.QPainterPath:
    path = QtGui.QPainterPath()
    for contour in contours:
        points = (contour[:, 0, :] + corner).tolist()
        path.addPolygon(QtGui.QPolygonF([QtCore.QPointF(x, y) for x, y in points]))
        path.closeSubpath()
    return path
