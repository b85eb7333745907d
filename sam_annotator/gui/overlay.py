"""Masks as pictures on the canvas: a soft fill and a crisp edge, sharp at every zoom."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui


@dataclass(frozen=True, eq=False)
class MaskPicture:
    """A mask made ready for painting.

    Attributes:
        origin: image pixel of the picture's top left corner.
        alpha: an Alpha8 image, 255 inside the mask.
        outline: path along the pixels' outer edges, in image pixels.
    """

    origin: QtCore.QPointF
    alpha: QtGui.QImage
    outline: QtGui.QPainterPath

    def paint(self, painter: QtGui.QPainter, scale: float, color: QtGui.QColor, fill: int, pen: QtGui.QPen) -> None:
        """Draw with the painter in widget pixels, the image's corner at (0, 0). `fill` is an alpha, 0..255."""
        painter.save()
        painter.scale(scale, scale)
        tint = QtGui.QColor(color)
        tint.setAlpha(fill)
        painter.setRenderHint(QtGui.QPainter.SmoothPixmapTransform, False)
        painter.drawImage(self.origin, tinted(self.alpha, tint))
        painter.setPen(pen)
        painter.setBrush(QtCore.Qt.NoBrush)
        painter.drawPath(self.outline)
        painter.restore()


def picture_of(mask: NDArray[np.bool_], origin: tuple[float, float] = (0.0, 0.0)) -> MaskPicture:
    """Prepare a mask, bool (height, width), whose first pixel is the image pixel `origin` (x, y)."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        return MaskPicture(QtCore.QPointF(*origin), QtGui.QImage(), QtGui.QPainterPath())
    top, left = int(rows[0]), int(columns[0])
    crop = mask[top : rows[-1] + 1, left : columns[-1] + 1]
    x, y = origin[0] + left, origin[1] + top
    return MaskPicture(QtCore.QPointF(x, y), _alpha_image(crop), _outline(crop, x, y))


def tinted(alpha: QtGui.QImage, color: QtGui.QColor) -> QtGui.QImage:
    """The alpha image in one colour."""
    picture = QtGui.QImage(alpha.size(), QtGui.QImage.Format_ARGB32_Premultiplied)
    if picture.isNull():
        return picture
    picture.fill(color)
    painter = QtGui.QPainter(picture)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode_DestinationIn)
    painter.drawImage(0, 0, alpha)
    painter.end()
    return picture


def _alpha_image(crop: NDArray[np.bool_]) -> QtGui.QImage:
    height, width = crop.shape
    pixels = np.where(crop, np.uint8(255), np.uint8(0))
    return QtGui.QImage(pixels.tobytes(), width, height, width, QtGui.QImage.Format_Alpha8).copy()


def _outline(crop: NDArray[np.bool_], x: float, y: float) -> QtGui.QPainterPath:
    # twice the size, so that the traced pixels lie beside the true edge: half a pixel becomes a whole one
    doubled = np.kron(np.pad(crop, 1).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(doubled, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    path = QtGui.QPainterPath()
    for contour in contours:
        points = (contour[:, 0, :].astype(np.float64) + 0.5) / 2.0 - 1.0
        path.addPolygon(QtGui.QPolygonF([QtCore.QPointF(x + px, y + py) for px, py in points]))
        path.closeSubpath()
    return path
