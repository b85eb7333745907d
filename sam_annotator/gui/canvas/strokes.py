"""Strokes of the brush: their pixels, and how they look while they are drawn."""

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import Mask

Places = NDArray[np.int32]

_FRACTION_BITS = 4
_ERASING = QtGui.QColor(231, 76, 60)
_LEAST, _MOST = 0.5, 400.0
_STEP = 1.25


@dataclass(frozen=True)
class Stroke:
    """One movement of the brush over the image.

    Attributes:
        points: (x, y) of the brush's middle in pixels of the image; at least one.
        radius: in pixels of the image.
        erases: it takes away instead of adding.
    """

    points: tuple[tuple[float, float], ...]
    radius: float
    erases: bool = False

    def moved(self, x: float, y: float) -> "Stroke":
        """The stroke, gone on to a place."""
        return replace(self, points=(*self.points, (x, y)))

    def on(self, mask: Mask) -> Mask:
        """The mask with the stroke added or taken away."""
        pixels = np.zeros(mask.shape, np.uint8)
        unit = 1 << _FRACTION_BITS
        # a pixel's middle is half a pixel from its corner, where the image begins
        places = np.round((np.array(self.points) - 0.5) * unit).astype(np.int32)
        radius = max(round(self.radius * unit), unit // 2)
        for x, y in places.tolist():
            cv2.circle(pixels, (x, y), radius, 1, cv2.FILLED, shift=_FRACTION_BITS)
        for first, last in pairwise(places):
            cv2.fillConvexPoly(pixels, _band(first, last, radius), 1, shift=_FRACTION_BITS)
        touched = pixels.view(np.bool_)
        return mask & ~touched if self.erases else mask | touched


def _band(first: Places, last: Places, radius: int) -> Places:
    """The corners of what a disc passes over between two places, int32 (4, 2)."""
    along = (last - first).astype(np.float64)
    across = np.array([-along[1], along[0]]) * (radius / max(float(np.hypot(*along)), 1e-9))
    return np.round([first + across, last + across, last - across, first - across]).astype(np.int32)


def resized(radius: float, by: int) -> float:
    """The next larger (by 1) or smaller (by -1) radius of a brush."""
    return float(min(max(radius * _STEP**by, _LEAST), _MOST))


def paint_stroke(painter: QtGui.QPainter, stroke: Stroke, scale: float, color: QtGui.QColor) -> None:
    """What is being drawn, with the painter in widget pixels and the image's corner at (0, 0)."""
    tint = QtGui.QColor(_ERASING if stroke.erases else color)
    tint.setAlpha(150)
    path = QtGui.QPainterPath(QtCore.QPointF(*stroke.points[0]) * scale)
    for point in stroke.points[1:] or stroke.points:
        path.lineTo(QtCore.QPointF(*point) * scale + QtCore.QPointF(0.01, 0))
    painter.save()
    painter.setBrush(Qt.NoBrush)
    painter.setPen(QtGui.QPen(tint, 2 * stroke.radius * scale, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.drawPath(path)
    painter.restore()


def paint_brush(painter: QtGui.QPainter, place: QtCore.QPointF, radius: float, scale: float) -> None:
    """The brush's rim around a place of the image: white on black, to be seen on any ground."""
    painter.save()
    painter.setBrush(Qt.NoBrush)
    for color, width in ((QtGui.QColor(0, 0, 0, 170), 3.0), (QtGui.QColor(255, 255, 255), 1.4)):
        painter.setPen(QtGui.QPen(color, width))
        painter.drawEllipse(place * scale, radius * scale, radius * scale)
    painter.restore()
