"""Steps of undo that know what a person says is not here: who takes a deletion back does not say so any more."""

from collections.abc import Iterable

from sam_annotator.gui.labelme_seam import LabelmeCanvas, LabelmeShape


class Step(list[LabelmeShape]):
    """The shapes of the frame as they were once.

    Attributes:
        absent: the objects of which the person said then that they are not here.
        admitted: those of which they had said that they may be here again: what a propagation answered is forgotten.
    """

    def __init__(
        self,
        shapes: Iterable[LabelmeShape],
        absent: frozenset[int] = frozenset(),
        admitted: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(shapes)
        self.absent, self.admitted = absent, admitted

    @classmethod
    def after(cls, before: "Step | None", shapes: Iterable[LabelmeShape]) -> "Step":
        """The next step: an object whose last shape is gone is not here."""
        step = cls(shapes)
        if before is not None:
            step.absent = (before.absent | before.object_ids()) - step.object_ids()
            step.admitted = before.admitted
        return step

    def object_ids(self) -> frozenset[int]:
        return frozenset(shape.group_id for shape in self if shape.group_id is not None)


class UndoableCanvas(LabelmeCanvas):
    """labelme's canvas; what it keeps for undo are `Step`s."""

    @property
    def absent_ids(self) -> frozenset[int]:
        """The objects of which the person says that they are not in this frame."""
        return self.shape_backups[-1].absent if self.shape_backups else frozenset()

    @absent_ids.setter
    def absent_ids(self, object_ids: frozenset[int]) -> None:
        """Say it otherwise, in the step that is there."""
        if self.shape_backups:
            self.shape_backups[-1].absent = object_ids

    @property
    def admitted_ids(self) -> frozenset[int]:
        """The objects of which the person says that they may be in this frame again."""
        return self.shape_backups[-1].admitted if self.shape_backups else frozenset()

    @admitted_ids.setter
    def admitted_ids(self, object_ids: frozenset[int]) -> None:
        if self.shape_backups:
            self.shape_backups[-1].admitted = object_ids

    def backup_shapes(self) -> None:
        """Remember the shapes as they are now."""
        before = self.shape_backups[-1] if self.shape_backups else None
        super().backup_shapes()
        self.shape_backups[-1] = Step.after(before, self.shape_backups[-1])

    def load_shapes(self, shapes: list[LabelmeShape], replace: bool = True) -> None:
        """Show shapes, which is a new step; those of an earlier step say again what they said then."""
        super().load_shapes(shapes, replace)
        if isinstance(shapes, Step):
            self.absent_ids, self.admitted_ids = shapes.absent, shapes.admitted
