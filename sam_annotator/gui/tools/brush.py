"""The brush: mends an object's mask by hand, a stroke at a time."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import MANUAL
from sam_annotator.core.masks import Mask, mask_to_shapes
from sam_annotator.gui.canvas.paint import Held
from sam_annotator.gui.canvas.shapes import to_labelme
from sam_annotator.gui.canvas.strokes import Stroke
from sam_annotator.gui.labelme_seam import BRUSH_MODE
from sam_annotator.gui.objects.name_dialog import Name

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_TRUE_TO_STROKES = 0.997
"""IoU of what is stored with what was painted: many strokes in a row must not wear the outline away."""


class Brush(QtCore.QObject):
    """What strokes on the canvas change: the object that was chosen, or a new one.

    Attributes:
        object_id: the object that is painted, in every frame that is shown; None: a new one.
    """

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window = window
        self.object_id: int | None = None
        window.canvas.stroke_done.connect(self._on_stroke)
        window.objects_panel.paint_wanted.connect(self.paint)

    @property
    def held(self) -> Held:
        """What the canvas says of what is painted."""
        label = self._label()
        if label is None:
            return Held(None, "a new object", is_here=False, is_painted=True)
        is_here = bool(self._window.view.shapes_of(self.object_id))
        return Held(self.object_id, f"{self.object_id} {label}", is_here, is_painted=True)

    def choose(self) -> None:
        """Take the brush, for the object that is selected, in hand, or current in the list."""
        window = self._window
        selected = [shape.group_id for shape in window.canvas.selected_shapes if shape.group_id is not None]
        in_hand = window.sam_tool.in_hand
        current = in_hand.object_id if in_hand is not None else window.objects_panel.current_id()
        window.draw_mode(BRUSH_MODE)
        self.take(selected[0] if selected else current)

    def paint(self, object_id: int) -> None:
        """Take the brush, for this object."""
        self._window.draw_mode(BRUSH_MODE)
        self.take(object_id)

    def take(self, object_id: int | None) -> None:
        """Paint this object from now on; None: a new one."""
        self.object_id = object_id
        if self._label() is None:
            self.object_id = None
        self._window.objects_panel.select(self.object_id)
        self._window.canvas.show_held(self.held)

    def _label(self) -> str | None:
        return None if self.object_id is None else self._window.view.label_of(self.object_id)

    def _on_stroke(self, stroke: Stroke) -> None:
        window = self._window
        if not window.session.can_annotate or not window.naming.is_ready():
            return
        if self._label() is not None:
            self._mend(stroke)
        elif stroke.erases:
            window.show_hint("Choose an object in the list to take something away from it.")
        else:
            self._begin(stroke)

    def _mend(self, stroke: Stroke) -> None:
        """Change the object's mask in this frame; one step of undo."""
        assert self.object_id is not None
        shapes = self._window.view.shapes_of(self.object_id)
        before = self._window.view.mask_of(self.object_id)
        after = stroke.on(before)
        if np.array_equal(before, after):
            return
        first = shapes[0] if shapes else None
        facts = (first.description or "", dict(first.flags or {})) if first is not None else ("", {})
        self._put(after, Name(self._label() or "", self.object_id, *facts))

    def _begin(self, stroke: Stroke) -> None:
        """Ask what the first stroke of a new object is."""
        size = self._window.shown_image.size()
        mask = stroke.on(np.zeros((size.height(), size.width()), np.bool_))

        def put(name: Name) -> None:
            there = self._window.view.mask_of(name.object_id)  # an object that is here grows
            self._put(mask | there, replace(name, label=self._window.naming.settle(name)))
            self.take(name.object_id)

        self._window.naming.ask(put, here="add to its mask here")

    def _put(self, mask: Mask, name: Name) -> None:
        window = self._window
        shapes = mask_to_shapes(
            mask, label=name.label, object_id=name.object_id, source=MANUAL, min_iou=_TRUE_TO_STROKES
        )
        living = [to_labelme(replace(one, description=name.description, flags=name.flags)) for one in shapes]
        window.view.replace_object(name.object_id, living)
        window.mark_dirty()
        window.refresh_panels()
        window.objects_panel.select(name.object_id)
        window.canvas.show_held(self.held)


def brush_icon() -> QtGui.QIcon:
    """A brush, drawn in the manner of labelme's icons."""
    pixmap = QtGui.QPixmap(64, 64)
    pixmap.fill(Qt.transparent)
    painter = QtGui.QPainter(pixmap)
    painter.setRenderHint(QtGui.QPainter.Antialiasing)
    pen = QtGui.QPen(QtGui.QColor(40, 40, 40), 4.5, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin)
    painter.setPen(pen)
    painter.drawPolygon(QtGui.QPolygonF([QtCore.QPointF(*at) for at in ((54, 8), (32, 38), (25, 31))]))
    tip = QtGui.QPainterPath(QtCore.QPointF(22, 34))
    tip.cubicTo(12, 36, 16, 50, 6, 54)
    tip.cubicTo(18, 60, 32, 54, 30, 42)
    tip.closeSubpath()
    painter.setBrush(QtGui.QColor(40, 40, 40))
    painter.drawPath(tip)
    painter.end()
    return QtGui.QIcon(pixmap)
