"""An object that a person gave another category or another id: what was written down before follows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sam_annotator.core.annotation import FrameAnnotation, Shape


@dataclass(frozen=True)
class Renamed:
    """One such change.

    Attributes:
        object_id: what it was.
        new_id: what it is now; the same, where only the category changed.
        label: its category now; None: as it was.
        frames: where it was changed.
    """

    object_id: int
    new_id: int
    label: str | None
    frames: frozenset[int]

    def document(self) -> dict[str, Any]:
        """As JSON, for `renamed_from`."""
        return {"renamed": [self.object_id, self.new_id], "label": self.label, "frames": sorted(self.frames)}

    def counts_in(self, index: int, now: FrameAnnotation | None) -> bool:
        """Whether an older state of this frame has to follow: it was changed, or had nothing of it to change.

        Args:
            now: what the frame says; None: it has no annotation.
        """
        return index in self.frames or now is None or self.object_id not in now.mentioned_ids()

    def id_of(self, object_id: int) -> int:
        """What an object's id is now."""
        return self.new_id if object_id == self.object_id else object_id

    def apply(self, old: FrameAnnotation) -> FrameAnnotation:
        """An older state of a frame as it would be, had the change been made then."""
        old = replace(old, shapes=tuple(map(self._relabelled, old.shapes)))
        return with_id_changed(old, self.object_id, self.new_id)

    def _relabelled(self, shape: Shape) -> Shape:
        if self.label is None or shape.object_id != self.object_id:
            return shape
        return replace(shape, label=self.label)


def with_id_changed(frame: FrameAnnotation, old: int, new: int) -> FrameAnnotation:
    """The frame with one object's shapes, and what is noted of it, as those of another, whose own give way.

    Where only the other is shown, it stays as it is, and what is noted of the one is dropped.
    """
    if old == new:
        return frame
    is_shown = bool(frame.shapes_of(old))
    if frame.shapes_of(new) and not is_shown:
        return replace(frame, propagated_ids=frame.propagated_ids - {old}, absent_ids=frame.absent_ids - {old})

    def changed(ids: frozenset[int]) -> frozenset[int]:
        return frozenset(new if i == old else i for i in (ids - {new} if is_shown else ids))

    shapes = (s for s in frame.shapes if s.object_id != new)
    return replace(
        frame,
        shapes=tuple(replace(s, object_id=new) if s.object_id == old else s for s in shapes),
        propagated_ids=changed(frame.propagated_ids),
        absent_ids=changed(frame.absent_ids),
    )


def renamed_from(document: dict[str, Any]) -> Renamed:
    """The change that `Renamed.document` tells."""
    old, new = document["renamed"]
    return Renamed(old, new, document["label"], frozenset(document["frames"]))


def ids_after(changes: Iterable[Renamed], object_ids: Iterable[int]) -> frozenset[int]:
    """What these ids are after the changes, in order."""
    ids = frozenset(object_ids)
    for change in changes:
        ids = frozenset(map(change.id_of, ids))
    return ids
