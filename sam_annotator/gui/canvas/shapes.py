"""Between core's frozen shapes and labelme's living ones.

A labelme shape carries the core shape it came from. What the person changed is seen by comparing the two, so an
edit of a propagated shape makes it manual, and undoing the edit makes it propagated again.
"""

import copy
from collections.abc import Mapping
from dataclasses import replace

from PyQt5 import QtCore

from sam_annotator.core.annotation import MANUAL, PROPAGATED, Shape
from sam_annotator.gui.labelme_seam import LabelmeShape


class LivingShape(LabelmeShape):
    """A shape on labelme's canvas that came from a file or a model.

    Attributes:
        origin: what it came from; None once it is a thing of its own.
    """

    origin: Shape | None = None

    def copy(self) -> "LivingShape":
        """What labelme keeps for undo, of every shape at every change.

        Labelme puts other points and colours in the place of old ones and never changes them, so the copy may share
        them, and the mask; a deep copy would take longer than all else that shows a frame.
        """
        twin = copy.copy(self)
        twin.points, twin.point_labels = list(self.points), list(self.point_labels)
        twin.flags, twin.other_data = dict(self.flags or {}), dict(self.other_data)
        return twin


def to_labelme(shape: Shape) -> LivingShape:
    """A shape that labelme's canvas and lists can show and edit."""
    living = LivingShape(
        label=shape.label,
        shape_type=shape.shape_type,
        group_id=shape.object_id,
        description=shape.description,
        mask=shape.mask,
        flags=dict(shape.flags),
    )
    living.points = [QtCore.QPointF(x, y) for x, y in shape.points]
    living.point_labels = [1] * len(shape.points)
    living.close()
    living.origin = shape
    return living


def from_labelme(living: LabelmeShape) -> Shape:
    """The frozen shape, as it will be saved."""
    origin: Shape | None = getattr(living, "origin", None)
    shape = Shape(
        label=living.label or "",
        points=tuple((point.x(), point.y()) for point in living.points),
        shape_type=living.shape_type,
        object_id=living.group_id,
        mask=living.mask,
        source=MANUAL,
        flags=_flags(living.flags),
        description=living.description or "",
    )
    if origin is None:
        return shape
    shape = replace(shape, source=origin.source, score=origin.score, extra=origin.extra)
    if origin.source == PROPAGATED and not shape.same_geometry(origin):
        return replace(shape, source=MANUAL, score=None)
    return shape


def _flags(flags: Mapping[str, bool] | None) -> dict[str, bool]:
    return dict(flags or {})
