"""How shapes and prompts look: fill and line by object, line style by who made the shape."""

import weakref
from dataclasses import dataclass

from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.prompt import Prompt
from sam_annotator.gui.canvas.colors import object_color
from sam_annotator.gui.canvas.overlay import MaskPicture, picture_of
from sam_annotator.gui.labelme_seam import LabelmeShape

_INCLUDE, _EXCLUDE = QtGui.QColor(46, 204, 113), QtGui.QColor(231, 76, 60)
_FILL, _STRONG_FILL = 80, 125


@dataclass(frozen=True)
class Held:
    """What the canvas says of the object that is clicked on.

    Attributes:
        object_id: None: a new object.
        name: id and category.
        is_here: it has a mask in this frame, which clicks change.
        is_painted: with the brush, not with clicks.
    """

    object_id: int | None
    name: str
    is_here: bool
    is_painted: bool = False

    def __str__(self) -> str:
        if self.is_painted:
            return f"painting {self.name}"
        return f"refining {self.name}" if self.is_here else f"the next mask is {self.name}"


class MaskPictures:
    """Prepared pictures of mask shapes, kept as long as their shape lives."""

    def __init__(self) -> None:
        self._pictures: weakref.WeakKeyDictionary[LabelmeShape, tuple[object, MaskPicture]] = (
            weakref.WeakKeyDictionary()
        )

    def get(self, shape: LabelmeShape) -> MaskPicture:
        """The picture of a mask shape; made anew when the shape has moved."""
        corner = (shape.points[0].x(), shape.points[0].y())
        key = (id(shape.mask), corner)
        known = self._pictures.get(shape)
        if known is None or known[0] != key:
            known = (key, picture_of(shape.mask, corner))
            self._pictures[shape] = known
        return known[1]

    def clear(self) -> None:
        self._pictures.clear()


class ShrunkImage:
    """The image in the size in which it is shown, so that it is not scaled anew at every movement of the mouse."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._picture = QtGui.QPixmap()

    def paint(self, painter: QtGui.QPainter, image: QtGui.QPixmap, scale: float) -> None:
        """Draw with the painter in widget pixels; for scales below 1."""
        ratio = painter.device().devicePixelRatioF()
        key = (image.cacheKey(), scale, ratio)
        if key != self._key:
            self._key, self._picture = key, _shrunk(image, scale, ratio)
        painter.drawPixmap(0, 0, self._picture)


def _shrunk(image: QtGui.QPixmap, scale: float, ratio: float) -> QtGui.QPixmap:
    size = QtCore.QSizeF(image.size()) * scale * ratio
    picture = QtGui.QPixmap(max(int(size.width()), 1), max(int(size.height()), 1))
    painter = QtGui.QPainter(picture)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode_Source)
    painter.setRenderHint(QtGui.QPainter.SmoothPixmapTransform)
    painter.drawPixmap(QtCore.QRectF(QtCore.QPointF(), size), image, QtCore.QRectF(image.rect()))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture


def paint_object(
    painter: QtGui.QPainter, shape: LabelmeShape, scale: float, pictures: MaskPictures, strong: bool
) -> None:
    """A polygon or mask: soft fill, crisp edge; dashed where propagation made it."""
    fill = _STRONG_FILL if strong else _FILL
    pen = _outline_pen(shape, strong)
    if shape.shape_type == "mask":
        pictures.get(shape).paint(painter, scale, shape.line_color, fill, pen)
        return
    color = QtGui.QColor(shape.line_color)
    color.setAlpha(fill)
    painter.save()
    painter.scale(scale, scale)
    painter.setPen(pen)
    painter.setBrush(color)
    painter.drawPolygon(QtGui.QPolygonF(shape.points))
    painter.restore()


def _outline_pen(shape: LabelmeShape, strong: bool) -> QtGui.QPen:
    pen = QtGui.QPen(QtGui.QColor(255, 255, 255) if shape.selected else shape.line_color, 2.5 if strong else 1.8)
    pen.setCosmetic(True)
    pen.setJoinStyle(Qt.RoundJoin)
    origin = getattr(shape, "origin", None)
    if origin is not None and origin.source == PROPAGATED and not origin.is_protected:
        pen.setDashPattern([4, 2.5])
    return pen


def paint_prompt(painter: QtGui.QPainter, prompt: Prompt, drag: QtCore.QRectF | None, scale: float) -> None:
    """Clicks as dots (green plus, red minus), the box as a dashed line."""
    painter.save()
    boxes = [box for box in (_rectangle(prompt), drag) if box is not None]
    for box in boxes:
        pen = QtGui.QPen(QtGui.QColor(255, 255, 255), 1.5, Qt.DashLine)
        painter.setPen(pen)
        painter.setBrush(Qt.NoBrush)
        painter.drawRect(QtCore.QRectF(box.topLeft() * scale, box.bottomRight() * scale))
    for (x, y), include in zip(prompt.points, prompt.includes, strict=True):
        _paint_click(painter, QtCore.QPointF(x * scale, y * scale), include)
    painter.restore()


def _rectangle(prompt: Prompt) -> QtCore.QRectF | None:
    if prompt.box is None:
        return None
    left, top, right, bottom = prompt.box
    return QtCore.QRectF(left, top, right - left, bottom - top)


def _paint_click(painter: QtGui.QPainter, centre: QtCore.QPointF, include: bool) -> None:
    painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 1.5))
    painter.setBrush(_INCLUDE if include else _EXCLUDE)
    painter.drawEllipse(centre, 7, 7)
    arm = QtCore.QPointF(3.5, 0)
    painter.drawLine(centre - arm, centre + arm)
    if include:
        arm = QtCore.QPointF(0, 3.5)
        painter.drawLine(centre - arm, centre + arm)


def paint_held(painter: QtGui.QPainter, held: Held, area: QtCore.QRect) -> None:
    """A label in the upper left corner of an area (in pixels of the widget): which object is clicked on."""
    text = str(held)
    painter.save()
    painter.resetTransform()
    font = painter.font()
    font.setBold(True)
    painter.setFont(font)
    box = painter.fontMetrics().boundingRect(text).adjusted(-32, -6, 12, 6)
    box.moveTopLeft(area.topLeft() + QtCore.QPoint(10, 10))
    painter.setPen(Qt.NoPen)
    painter.setBrush(QtGui.QColor(30, 30, 34, 225))
    painter.drawRoundedRect(box, 6, 6)
    painter.setBrush(object_color(held.object_id))
    painter.drawEllipse(QtCore.QPointF(box.left() + 16, box.center().y() + 0.5), 6, 6)
    painter.setPen(QtGui.QColor(255, 255, 255))
    painter.drawText(box.adjusted(28, 0, -6, 0), int(Qt.AlignLeft | Qt.AlignVCenter), text)
    painter.restore()
