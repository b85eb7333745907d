"""Between core's frozen shapes and labelme's living ones.

A labelme shape carries the core shape it came from. What the person changed is seen by comparing the two, so an
edit of a propagated shape makes it manual, and undoing the edit makes it propagated again.
"""

from collections.abc import Mapping
from dataclasses import replace

from PyQt5 import QtCore

from sam_annotator.core.annotation import MANUAL, PROPAGATED, Shape
from sam_annotator.gui.labelme_seam import LabelmeShape


def to_labelme(shape: Shape) -> LabelmeShape:
    """A shape that labelme's canvas and lists can show and edit."""
    living = LabelmeShape(
        label=shape.label,
        shape_type=shape.shape_type,
        group_id=shape.object_id,
        description=shape.description,
        mask=shape.mask,
        flags=dict(shape.flags),
    )
    for x, y in shape.points:
        living.add_point(QtCore.QPointF(x, y))
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
