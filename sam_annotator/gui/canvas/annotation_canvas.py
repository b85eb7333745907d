"""The canvas: labelme's, with SAM prompts, proposals, and masks drawn by object."""

from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.canvas.colors import object_color
from sam_annotator.gui.canvas.overlay import MaskPicture, picture_of
from sam_annotator.gui.canvas.paint import Held, MaskPictures, ShrunkImage, paint_held, paint_object, paint_prompt
from sam_annotator.gui.canvas.strokes import Stroke, paint_brush, paint_stroke, resized
from sam_annotator.gui.canvas.undo_steps import UndoableCanvas
from sam_annotator.gui.labelme_seam import BRUSH_MODE, SAM_BOX_MODE, SAM_POINTS_MODE, LabelmeShape
from sam_annotator.gui.labelme_seam import paint_labelme_shape as paint_with_vertices

_DRAG_PIXELS = 6
_BRUSH_RADIUS = 8.0
_BRUSH_KEYS = (Qt.Key_BracketLeft, Qt.Key_BracketRight, Qt.Key_Escape)
CARRY = "Space carries the checked objects through the video"
_PROPOSAL_COLOR = QtGui.QColor(255, 214, 10)


class AnnotationCanvas(UndoableCanvas):
    """Where a person points at things.

    With the brush: left paints, right or Shift erases, [ and ] or Alt and the wheel change its size.
    In a SAM mode: left click includes, right click excludes, dragging with the left button draws a box; Ctrl and a
    click takes up what is there.

    Signals:
        prompt_changed(Prompt): a click or a box was added or taken back; empty when the last one was.
        stroke_done(Stroke): the brush was lifted.
        pointed_at(QPointF): Ctrl was held in a click of a SAM tool; the place in pixels of the image.
    """

    prompt_changed = QtCore.pyqtSignal(object)
    pointed_at = QtCore.pyqtSignal(QtCore.QPointF)
    stroke_done = QtCore.pyqtSignal(object)

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.notice = ""
        self.prompt = Prompt()
        self._held: Held | None = None
        self.brush_radius = _BRUSH_RADIUS
        self._stroke: Stroke | None = None
        self._brush_place: QtCore.QPointF | None = None
        self._history: list[Prompt] = []
        self._proposal: MaskPicture | None = None
        self._is_proposal_coming, self._proposal_count = False, 1
        self._next_step = CARRY
        self._image, self._pictures = ShrunkImage(), MaskPictures()
        self._press: QtCore.QPointF | None = None
        self._drag: QtCore.QRectF | None = None

    # --- prompts -------------------------------------------------------------------------------------------

    @property
    def is_prompting(self) -> bool:
        """True in the SAM tools."""
        return self.is_creating and self.create_mode in (SAM_POINTS_MODE, SAM_BOX_MODE)

    @property
    def is_brushing(self) -> bool:
        """True with the brush."""
        return self.is_creating and self.create_mode == BRUSH_MODE

    @property
    def is_drawing(self) -> bool:
        """True while a shape or a stroke is not finished."""
        return self._stroke is not None or super().is_drawing

    @property
    def has_prompt(self) -> bool:
        return bool(self.prompt.points) or self.prompt.box is not None

    @property
    def previous_prompt(self) -> Prompt | None:
        """The prompt before the last click or box; None at the first."""
        return self._history[-1] if self._history else None

    @property
    def past_prompts(self) -> tuple[Prompt, ...]:
        """All prompts before the current one, the first first."""
        return tuple(self._history)

    def clear_prompt(self) -> None:
        """Forget clicks, box and the shown proposal; emits nothing."""
        self.prompt, self._history, self._proposal = Prompt(), [], None
        self._is_proposal_coming = False
        self._press = self._drag = None
        self.update()
        self.refresh_hint()

    def undo_prompt(self) -> None:
        """Take the last click or box back."""
        if self._history:
            self._set_prompt(self._history.pop())

    def show_proposal(self, proposal: Proposal | None, is_coming: bool = False, count: int = 1) -> None:
        """Draw a proposal over the image, or none; `is_coming`: it is being computed; `count`: one of so many."""
        self._is_proposal_coming, self._proposal_count = is_coming, count
        self._proposal = None if proposal is None else picture_of(proposal.mask)
        self.update()
        self.refresh_hint()

    def show_held(self, held: Held | None) -> None:
        """Say which object is clicked on (None: a new one); its own shapes give way to the mask that is worked on."""
        self._held = held
        self.update()
        self.refresh_hint()

    def show_next_step(self, text: str) -> None:
        """What to do next where objects are there, for the hint."""
        if text != self._next_step:
            self._next_step = text
            self.refresh_hint()

    def show_notice(self, text: str) -> None:
        """Write a sentence in the middle of the canvas (empty: none), such as why a frame cannot be shown."""
        self.notice = text
        self.update()

    def hint(self) -> str | None:
        if self.pixmap.isNull() or self.notice:
            return self.notice
        if self.is_brushing:
            return "Left paints  ·  right takes away  ·  [ ] size  ·  Esc: a new object"
        return self._prompting_hint() if self.is_prompting else None

    def _prompting_hint(self) -> str:
        if self._held is not None:
            return self._hint_for(self._held)
        if self._proposal is not None:
            return f"Enter accepts{self._choice}  ·  click adds, right takes away  ·  Z undoes  ·  Esc rejects"
        if self._is_proposal_coming:
            return "Looking for the object…"
        return self._hint_to_begin()

    def _hint_to_begin(self) -> str:
        if self.has_prompt:
            return "Click on the object  ·  Z undoes  ·  Esc forgets the clicks"
        is_box = self.create_mode == SAM_BOX_MODE
        if self.shapes:
            another = f"{'drag a box around' if is_box else 'click on'} another object"
            return f"{self._next_step}  ·  {another}" if self._next_step else another.capitalize()
        return "Drag a box around an object" if is_box else "Click on an object, or drag a box around it"

    def _hint_for(self, held: Held) -> str:
        if not self.has_prompt:
            if held.is_here:
                return f"Click adds to {held.name}, right takes away  ·  Esc leaves it as it is"
            return f"Click on {held.name}  ·  Esc: the next click is a new object"
        if self._is_proposal_coming:
            return f"Looking for {held.name}…"
        if self._proposal is None:
            return f"Click on {held.name}  ·  Z undoes  ·  Esc forgets the clicks"
        return f"Enter: this is {held.name}{self._choice}  ·  click adds, right takes away  ·  Esc forgets"

    @property
    def _choice(self) -> str:
        """The keys that choose among the proposals, for the hint."""
        keys = " ".join(str(number) for number in range(1, self._proposal_count + 1))
        return f"  ·  {keys}" if self._proposal_count > 1 else ""

    def _set_prompt(self, prompt: Prompt) -> None:
        self.prompt = prompt
        self.update()
        self.refresh_hint()
        self.prompt_changed.emit(prompt)

    def _add_click(self, position: QtCore.QPointF, include: bool) -> None:
        self._history.append(self.prompt)
        point = (position.x(), position.y())
        self._set_prompt(Prompt((*self.prompt.points, point), (*self.prompt.includes, include), self.prompt.box))

    def _add_box(self, box: QtCore.QRectF) -> None:
        self._history.append(self.prompt)
        corners = (box.left(), box.top(), box.right(), box.bottom())
        self._set_prompt(Prompt(self.prompt.points, self.prompt.includes, corners))

    # --- mouse and keys ------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if self.is_brushing and event.button() in (Qt.LeftButton, Qt.RightButton):
            self._begin_stroke(event)
            return
        if not self.is_prompting or event.button() not in (Qt.LeftButton, Qt.RightButton):
            super().mousePressEvent(event)
            return
        position = self.to_image(event.localPos())
        if self.pixmap.isNull():
            return
        if event.button() == Qt.LeftButton and event.modifiers() & Qt.ControlModifier:
            self.pointed_at.emit(position)
        elif event.button() == Qt.LeftButton:
            self._press = position  # also beside the image: a box around an object at the border begins there
        elif not self.is_out_of_pixmap(position) and (self.create_mode == SAM_POINTS_MODE or self._has_something):
            self._add_click(self._inside(position), include=False)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        if self.is_brushing and not self.is_panning and not self.pixmap.isNull():
            self._move_brush(self.to_image(event.localPos()))
            return
        if not self.is_prompting or self.is_panning or self.pixmap.isNull():
            super().mouseMoveEvent(event)
            return
        position = self.to_image(event.localPos())
        self.track_mouse(position)
        self.show_cursor(Qt.CrossCursor)
        if self._press is not None and event.buttons() & Qt.LeftButton:
            self._drag = self._box_to(position)
        self.update()

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        if self.is_brushing and event.button() in (Qt.LeftButton, Qt.RightButton):
            stroke, self._stroke = self._stroke, None
            if stroke is not None:
                self.stroke_done.emit(stroke)
            self.update()
            return
        if not self.is_prompting or event.button() not in (Qt.LeftButton, Qt.RightButton):
            super().mouseReleaseEvent(event)
            return
        press, box = self._press, self._drag
        self._press = self._drag = None
        if press is None or event.button() != Qt.LeftButton:
            return
        if box is not None:
            if min(box.width(), box.height()) >= 1:
                self._add_box(box)
        elif self.is_out_of_pixmap(press):
            return
        elif self.create_mode == SAM_POINTS_MODE or self.prompt.box is not None or self._has_something:
            self._add_click(self._inside(press), include=True)

    @property
    def _has_something(self) -> bool:
        """True if clicks have something to change: what was asked for before, or a mask that was taken up."""
        return self.has_prompt or (self._held is not None and self._held.is_here)

    def mouseDoubleClickEvent(self, event: QtGui.QMouseEvent) -> None:
        if self.is_prompting or self.is_brushing:
            self.mousePressEvent(event)  # two quick clicks are two clicks
        else:
            super().mouseDoubleClickEvent(event)

    def _begin_stroke(self, event: QtGui.QMouseEvent) -> None:
        if self.pixmap.isNull() or self._stroke is not None:
            return
        place = self.to_image(event.localPos())
        erases = event.button() == Qt.RightButton or bool(event.modifiers() & Qt.ShiftModifier)
        self._stroke = Stroke(((place.x(), place.y()),), self.brush_radius, erases)
        self.update()

    def _move_brush(self, place: QtCore.QPointF) -> None:
        self.track_mouse(place)
        self.show_cursor(Qt.CrossCursor)
        self._brush_place = place
        if self._stroke is not None:
            self._stroke = self._stroke.moved(place.x(), place.y())
        self.update()

    def resize_brush(self, by: int) -> None:
        """Make the brush larger (1) or smaller (-1)."""
        self.brush_radius = resized(self.brush_radius, by)
        self.update()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if self.is_brushing and event.key() in _BRUSH_KEYS:
            self._on_brush_key(event.key())
        else:
            super().keyPressEvent(event)

    def _on_brush_key(self, key: int) -> None:
        if key == Qt.Key_Escape:
            self._stroke = None
            self.update()
        else:
            self.resize_brush(1 if key == Qt.Key_BracketRight else -1)

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        turn = event.angleDelta().x() + event.angleDelta().y()  # Alt makes some systems turn the other wheel
        if self.is_brushing and event.modifiers() & Qt.AltModifier and turn:
            self.resize_brush(1 if turn > 0 else -1)
            event.accept()
        else:
            super().wheelEvent(event)

    def event(self, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.ShortcutOverride and self._wants_key(event):
            event.accept()
            return True
        return super().event(event)

    def _wants_key(self, event: QtGui.QKeyEvent) -> bool:
        """True for keys that mean something on the canvas before they mean a shortcut."""
        if self.is_brushing:
            escapes = event.key() == Qt.Key_Escape and self._stroke is not None
            return escapes or event.key() in (Qt.Key_BracketLeft, Qt.Key_BracketRight)
        if self.is_drawing:
            return event.key() in (Qt.Key_Return, Qt.Key_Enter, Qt.Key_Space, Qt.Key_Escape)
        arrows = (Qt.Key_Left, Qt.Key_Right, Qt.Key_Up, Qt.Key_Down)
        return not self.is_creating and bool(self.selected_shapes) and event.key() in arrows and not event.modifiers()

    def _box_to(self, position: QtCore.QPointF) -> QtCore.QRectF | None:
        box = QtCore.QRectF(self._inside(self._press), self._inside(position)).normalized()
        if self._drag is None and max(box.width(), box.height()) * self.scale < _DRAG_PIXELS:
            return None  # a click with a trembling hand
        return box

    def _inside(self, position: QtCore.QPointF) -> QtCore.QPointF:
        x = min(max(position.x(), 0.0), self.pixmap.width() - 0.01)
        y = min(max(position.y(), 0.0), self.pixmap.height() - 0.01)
        return QtCore.QPointF(x, y)

    # --- painting ------------------------------------------------------------------------------------------

    def load_pixmap(self, pixmap: QtGui.QPixmap, clear_shapes: bool = True) -> None:
        self._pictures.clear()
        super().load_pixmap(pixmap, clear_shapes)

    def paint_image(self, painter: QtGui.QPainter) -> None:
        if self.scale < 1:
            self._image.paint(painter, self.pixmap, self.scale)
        else:
            super().paint_image(painter)

    def paint_shapes(self, painter: QtGui.QPainter) -> None:
        for shape in self.shapes:
            if not shape.visible or (self._proposal is not None and self._is_held(shape)):
                continue
            strong = shape.selected or shape is self.hovered_shape
            if shape.shape_type in ("polygon", "mask") and shape.is_closed():
                paint_object(painter, shape, self.scale, self._pictures, strong=strong)
            if shape.shape_type not in ("polygon", "mask") or (strong and not self.is_prompting):
                self._paint_as_labelme(painter, shape)

    def _is_held(self, shape: LabelmeShape) -> bool:
        return self._held is not None and shape.group_id == self._held.object_id

    def _paint_as_labelme(self, painter: QtGui.QPainter, shape: LabelmeShape) -> None:
        if shape.shape_type == "mask":
            return
        shape.fill = False
        paint_with_vertices(shape=shape, painter=painter)

    def paint_overlays(self, painter: QtGui.QPainter) -> None:
        if self.is_brushing:
            self._paint_brush(painter)
        if self._proposal is not None:
            pen = QtGui.QPen(_PROPOSAL_COLOR, 2)
            pen.setCosmetic(True)
            self._proposal.paint(painter, self.scale, _PROPOSAL_COLOR, 90, pen)
        if self.is_prompting:
            paint_prompt(painter, self.prompt, self._drag, self.scale)
        if self.notice:
            self._paint_notice(painter)
        elif self._held is not None:
            paint_held(painter, self._held, self.visibleRegion().boundingRect())

    def _paint_brush(self, painter: QtGui.QPainter) -> None:
        if self._stroke is not None:
            color = object_color(None if self._held is None else self._held.object_id)
            paint_stroke(painter, self._stroke, self.scale, color)
        if self._brush_place is not None:
            paint_brush(painter, self._brush_place, self.brush_radius, self.scale)

    def _paint_notice(self, painter: QtGui.QPainter) -> None:
        painter.save()
        painter.resetTransform()
        area = self.visibleRegion().boundingRect().adjusted(24, 24, -24, -24)
        flags = int(Qt.AlignCenter | Qt.TextWordWrap)
        box = painter.boundingRect(area, flags, self.notice).adjusted(-16, -12, 16, 12)
        painter.setPen(Qt.NoPen)
        painter.setBrush(QtGui.QColor(30, 30, 34, 225))
        painter.drawRoundedRect(box, 8, 8)
        painter.setPen(QtGui.QColor(255, 255, 255))
        painter.drawText(box, flags, self.notice)
        painter.restore()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        super().paintEvent(event)
        if self.pixmap.isNull() and self.notice:
            painter = QtGui.QPainter(self)
            self._paint_notice(painter)
            painter.end()
