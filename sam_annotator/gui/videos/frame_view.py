"""Between a frame's annotation and what stands on the canvas and in labelme's lists."""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui

from sam_annotator.core.annotation import FrameAnnotation, Shape
from sam_annotator.core.masks import Mask, object_mask
from sam_annotator.gui.canvas.editing import allow_delete
from sam_annotator.gui.canvas.shapes import from_labelme, to_labelme
from sam_annotator.gui.canvas.undo_steps import Step
from sam_annotator.gui.labelme_seam import LabelmeShape
from sam_annotator.gui.videos.session import LoadedFrame

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

Change = Callable[[Step], Step | None]  # None: the step makes no sense any more


class FrameView:
    """Shows frames in the window, and reads back what the person made of them."""

    def __init__(self, window: "AnnotationWindow") -> None:
        self._window = window
        self._size = QtCore.QSize()
        self._told: frozenset[int] = frozenset()  # of which objects it is clear that they are not here
        self._forgotten: frozenset[int] = frozenset()  # answers of propagations that were taken back in this visit
        self._hint = ""

    def show(self, frame: LoadedFrame) -> None:
        """Show another frame. Zoom and scroll stay, unless the image has another size than the one before."""
        window, canvas = self._window, self._window.canvas
        window.status.take_back(self._hint)  # it spoke of the frame before
        image = QtGui.QImage() if frame.image is None else to_qimage(frame.image)
        window.clear_frame()
        window.set_image(frame.path if frame.image is not None else None, image)
        canvas.load_pixmap(QtGui.QPixmap.fromImage(image))
        canvas.show_notice(frame.problem)
        canvas.setEnabled(not frame.problem)
        self.show_annotation(frame.annotation)
        if not image.isNull():
            self._zoom(image.size())
            window.restore_brightness()
        window.update_action_states(not frame.problem)
        allow_delete(window)

    def show_annotation(self, annotation: FrameAnnotation | None) -> None:
        """Show other shapes on the same image; what was undone or selected before is forgotten."""
        self._window.canvas.shape_backups.clear()
        shapes = () if annotation is None else annotation.shapes
        self._window.load_shapes([to_labelme(shape) for shape in shapes])
        self._window.canvas.absent_ids = self._told = frozenset() if annotation is None else annotation.absent_ids
        self._forgotten = frozenset()
        self._window.load_flags({} if annotation is None else dict(annotation.flags))

    def reload(self, annotation: FrameAnnotation | None, change: Change | None = None) -> bool:
        """Show what the file says now, after others wrote it. What the person did before can be undone still where it
        means something: where nothing has changed here, or the `change` can be made to the earlier steps as well.

        Returns:
            False if edits that could be undone are forgotten.
        """
        canvas = self._window.canvas
        earlier = list(canvas.shape_backups)[:-1]
        shown = () if annotation is None else annotation.shapes
        if change is not None:
            changed = [change(step) for step in earlier]
            lost = max((number for number, step in enumerate(changed) if step is None), default=-1)
            kept = changed[lost + 1 :]
        else:
            kept = earlier if _frozen(self._window.listed_shapes()) == shown else []
        self.show_annotation(annotation)
        steps = _without_repeats([*kept, *canvas.shape_backups])
        canvas.shape_backups.clear()
        canvas.shape_backups.extend(steps)
        self._window.refresh_undo()
        return len(kept) == len(earlier)

    def collect(self, start: FrameAnnotation) -> FrameAnnotation:
        """What stands on the canvas now; everything else is as in `start`."""
        image = self._window.image_data if self._window.config["with_image_data"] else None
        return replace(
            start,
            shapes=tuple(from_labelme(shape) for shape in self._window.listed_shapes()),
            propagated_ids=(start.propagated_ids | self._forgotten) - self._window.canvas.admitted_ids,
            absent_ids=frozenset(i for i in self.absent_ids() if i in start.absent_ids or self._is_elsewhere(i)),
            flags=self._window.checked_flags(),
            width=self._size.width(),
            height=self._size.height(),
            image_data=base64.b64encode(image).decode("ascii") if image is not None else start.image_data,
        )

    def take_over(self, mine: FrameAnnotation, stands: FrameAnnotation) -> None:
        """The frame was saved: show what its file says now, which may be more than `mine`."""
        new = stands.absent_ids - self._told
        if stands.shapes != mine.shapes:
            self.show_annotation(stands)
        self._window.canvas.absent_ids = self._told = stands.absent_ids
        for object_id in new:
            self.say(f"{self.name_of(object_id)} is not here: no propagation brings it back. Ctrl+Z takes that back.")
        for object_id in mine.absent_ids.intersection(stands.object_ids()):
            self.say(f"{self.name_of(object_id)} was drawn here by somebody else meanwhile: it stays until deleted.")

    def name_of(self, object_id: int) -> str:
        """Id and category."""
        return f"{object_id} {self.label_of(object_id) or ''}".strip()

    def say(self, text: str) -> None:
        """A hint about the frame that is shown: it goes with it."""
        self._hint = text
        self._window.show_hint(text)

    def absent_ids(self) -> frozenset[int]:
        """Objects of which the person says that they are not in the frame that is shown."""
        absent: frozenset[int] = self._window.canvas.absent_ids
        return absent

    def say_absent(self, object_id: int, *, is_absent: bool = True) -> None:
        """Say of an object that has no shapes here that it is not here, or that it may be; one step of undo.

        Where it may be, an earlier 'not here' of a propagation is forgotten, so that the next one looks again.
        """
        canvas, ids = self._window.canvas, frozenset((object_id,))
        base = self._window.session.base
        canvas.backup_shapes()
        if is_absent:
            canvas.absent_ids |= ids
        else:
            canvas.absent_ids -= ids
            canvas.admitted_ids |= ids
            self._forgotten |= ids & (frozenset() if base is None else base.propagated_ids)
        self._window.mark_dirty()

    def _is_elsewhere(self, object_id: int) -> bool:
        """Whether another frame shows the object: else who deletes it here deletes it altogether."""
        session = self._window.session
        track = None if session.tracks is None else session.tracks.get(object_id)
        return session.tracks is None or (track is not None and not track.frames <= {session.index})

    def shapes_of(self, object_id: int) -> list[LabelmeShape]:
        return [shape for shape in self._window.listed_shapes() if shape.group_id == object_id]

    def object_ids(self) -> frozenset[int]:
        """Objects in the frame that is shown."""
        return frozenset(s.group_id for s in self._window.listed_shapes() if s.group_id is not None)

    def label_of(self, object_id: int) -> str | None:
        """The category of an object; None: neither video nor frame has such an object."""
        tracks = self._window.session.tracks
        track = tracks.get(object_id) if tracks is not None else None
        labels = [shape.label or "" for shape in self.shapes_of(object_id)]
        return track.label if track is not None else next(iter(labels), None)

    def mask_of(self, object_id: int) -> Mask:
        """The object's pixels in this frame, bool (height, width)."""
        shapes = [from_labelme(shape) for shape in self.shapes_of(object_id)]
        return object_mask(shapes, self._size.height(), self._size.width())

    def replace_object(self, object_id: int, shapes: Iterable[LabelmeShape]) -> None:
        """Put new shapes in the place of an object's shapes; one step of labelme's undo."""
        kept = [shape for shape in self._window.listed_shapes() if shape.group_id != object_id]
        self._window.load_shapes([*kept, *shapes])

    def _zoom(self, size: QtCore.QSize) -> None:
        if size == self._size:
            self._window.refresh_zoom()
        else:
            self._size = size
            self._window.fit_image()


def _frozen(shapes: Iterable[LabelmeShape]) -> tuple[Shape, ...]:
    return tuple(from_labelme(shape) for shape in shapes)


def _without_repeats(steps: Sequence[Step]) -> list[Step]:
    """Steps of undo, each other than the one before it; of equal ones the last."""
    frozen = [(_frozen(step), step.absent, step.admitted) for step in steps]
    return [step for number, step in enumerate(steps) if frozen[number] not in frozen[number + 1 : number + 2]]


def to_qimage(image: NDArray[np.uint8]) -> QtGui.QImage:
    """Qt's copy of an RGB image, uint8 (height, width, 3)."""
    height, width, _ = image.shape
    return QtGui.QImage(image.data, width, height, 3 * width, QtGui.QImage.Format_RGB888).copy()
