"""Naming what was segmented or drawn, and renaming it: the dialog and what follows from its answer."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PyQt5 import QtGui

from sam_annotator.core.annotation import SAM
from sam_annotator.core.masks import mask_to_shapes
from sam_annotator.core.prompt import Proposal
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.gui.canvas.shapes import to_labelme
from sam_annotator.gui.labelme_seam import LabelmeShape
from sam_annotator.gui.objects.category_list import CategoryList
from sam_annotator.gui.objects.name_dialog import KnownObject, Name, NameDialog, center_on

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_RECENT_KEY = "recent_categories"
_RECENT = 12


class Naming:
    """Asks for category and object id. One dialog at a time.

    Attributes:
        categories: to choose from.
        dialog: the one that is open, or None.
    """

    def __init__(self, window: "AnnotationWindow", categories: CategoryList) -> None:
        self._window = window
        self.categories = categories
        self._spare: set[int] = set()  # ids that were offered, or whose first mask was undone
        self._spare_in: VideoTracks | None = None
        self.dialog: NameDialog | None = None

    def name_proposal(self, proposal: Proposal, then: Callable[[int], None] = lambda _object_id: None) -> None:
        """Ask what a proposal is, and put it on the canvas as that object; `then` is told its id."""

        def put(name: Name) -> None:
            self.put(proposal, name)
            then(name.object_id)

        self._ask(None, put)

    def name_drawn(self) -> None:
        """Ask what was just drawn by hand; give the drawing up when the person cancels."""
        self._ask(None, self._name_drawn, self._window.canvas.drop_unnamed_shapes, here="add to its mask here")

    def ask(self, answer: Callable[[Name], None], here: str) -> None:
        """Ask what something new is; `here` says what happens where it is an object of this frame."""
        self._ask(None, answer, here=here)

    def rename(self, shapes: Sequence[LabelmeShape]) -> None:
        """Ask for a new category and id of one object's shapes in this frame."""
        object_id = shapes[0].group_id
        if self._window.commands.must_wait() or not self.is_ready():
            return
        if object_id is not None:
            shapes = self._window.view.shapes_of(object_id) or shapes  # a correction may have taken their place
        first = shapes[0]
        object_id = self._next_id() if first.group_id is None else first.group_id  # files of other programs have none
        name = Name(first.label or "", object_id, first.description or "", dict(first.flags or {}))
        self._ask(name, partial(self._rename, list(shapes)))

    def rename_object(self, object_id: int) -> None:
        """Ask for a new category of an object, wherever it is."""
        if self._window.commands.must_wait():
            return
        shapes = self._window.view.shapes_of(object_id)
        if shapes:
            self.rename(shapes)
            return
        track = self._window.session.tracks.get(object_id)
        self._ask(Name(track.label, object_id), lambda name: self._window.commands.rename(object_id, name.label))

    def _ask(
        self,
        name: Name | None,
        answer: Callable[[Name], None],
        give_up: Callable[[], None] = lambda: None,
        here: str = "replace its mask here",
    ) -> None:
        window = self._window
        if not self.is_ready():
            give_up()
            return
        if self.dialog is not None:
            return
        categories = self._known_categories()
        self.dialog = NameDialog(
            categories=categories,
            recent=self._recent(categories),
            objects=self._known_objects(),
            new_id=self._next_id(),
            name=name,
            here=here,
            is_closed=self.categories.path is not None,
            parent=window,
        )
        self.dialog.accepted.connect(lambda: self._close(answer))
        self.dialog.rejected.connect(lambda: self._close(lambda _name: give_up()))
        center_on(self.dialog, QtGui.QCursor.pos())
        self.dialog.open()

    def is_ready(self) -> bool:
        """True if the objects of the video are known; says so, where they are not yet."""
        if self._window.session.tracks is None:
            self._window.show_hint("Still reading the annotations of this video; try again in a moment.")
        return self._window.session.tracks is not None

    def _close(self, then: Callable[[Name], None]) -> None:
        dialog, self.dialog = self.dialog, None
        dialog.deleteLater()
        then(dialog.result_name())
        self._window.canvas.setFocus()
        self._window.propagation_panel.catch_up()

    def put(self, proposal: Proposal, name: Name) -> None:
        """Put a proposal in the place of an object's shapes in this frame; one step of undo."""
        shapes = mask_to_shapes(
            proposal.mask,
            label=self.settle(name),
            object_id=name.object_id,
            source=SAM,
            score=round(float(proposal.score), 4),
        )
        living = [to_labelme(shape) for shape in shapes]
        for shape in living:
            shape.description, shape.flags = name.description, dict(name.flags)
        self._window.sam_tool.put_away()
        self._window.view.replace_object(name.object_id, living)
        self._window.mark_dirty()
        self._window.refresh_panels()  # at once: the list must hold the object, for selecting and propagating it
        self._window.objects_panel.select(name.object_id)

    def _name_drawn(self, name: Name) -> None:
        window = self._window
        label = self.settle(name)
        for shape in window.canvas.set_last_label(label, dict(name.flags)):
            shape.group_id, shape.description = name.object_id, name.description
            window.add_label(shape)
        window.canvas.renew_backup()  # labelme's was made before the shapes had their id
        window.labelme_actions.edit_mode.setEnabled(True)
        window.labelme_actions.undo_last_point.setEnabled(False)
        window.mark_dirty()
        window.refresh_panels()

    def _rename(self, shapes: list[LabelmeShape], name: Name) -> None:
        window = self._window
        old_id = shapes[0].group_id
        label = self.settle(name, renaming=name.object_id == old_id)
        if name.object_id != old_id:
            self._give_up_place(name.object_id, shapes)
        for shape in shapes:
            shape.label, shape.group_id = label, name.object_id
            shape.description, shape.flags = name.description, dict(name.flags)
            window.refresh_listed_shape(shape)
        window.canvas.backup_shapes()
        window.canvas.absent_ids -= {old_id}  # it became another: nobody says that it is not here
        window.canvas.update()
        window.mark_dirty()
        if name.object_id == old_id:
            window.commands.rename(name.object_id, label)

    def _give_up_place(self, object_id: int, shapes: list[LabelmeShape]) -> None:
        """The shapes become another object, by a person's hand; what that object had here gives way."""
        window = self._window
        for shape in shapes:
            shape.origin = None
        others = [shape for shape in window.view.shapes_of(object_id) if shape not in shapes]
        if others:
            window.remove_shapes(others)

    def settle(self, name: Name, renaming: bool = False) -> str:
        """The category to use: one per track, so an object of the video keeps its own unless it is renamed."""
        self._remember(name.label)
        if self.categories.is_foreign(name.label):
            self._window.show_hint(f"{name.label} is not in the list of categories; add it in Object > Categories.")
        track = self._window.session.tracks.get(name.object_id)
        if track is None or track.label == name.label:
            return name.label
        if not renaming:
            self._window.show_hint(f"Object {name.object_id} is a {track.label}; rename it in the list of objects.")
        return name.label if renaming else track.label

    def _next_id(self) -> int:
        """An id nobody has; the same one again while it was offered but not used."""
        tracks: VideoTracks = self._window.session.tracks
        if self._spare_in is not tracks:
            self._spare_in, self._spare = tracks, set()
        self._spare = {object_id for object_id in self._spare if not tracks.mentions(object_id)}
        if not self._spare:
            self._spare.add(tracks.next_object_id())
        return min(self._spare)

    def take_ids_back(self, object_ids: Iterable[int]) -> None:
        """Objects were undone in this frame: those that no other frame knows are as if they had never been."""
        if self._spare_in is not None and self._spare_in is self._window.session.tracks:
            self._spare.update(object_ids)

    def _known_objects(self) -> list[KnownObject]:
        here, absent = self._window.view.object_ids(), self._window.view.absent_ids()
        return [
            KnownObject(track.object_id, track.label, track.object_id in here, track.object_id in absent)
            for track in self._window.session.tracks.tracks()
        ]

    def _known_categories(self) -> list[str]:
        used = (track.label for track in self._window.session.tracks.tracks())
        return list(dict.fromkeys([*self.categories.names, *sorted(set(used))]))

    def _recent(self, known: Sequence[str]) -> list[str]:
        """The last categories used, the newest first; without those that were removed from the list since."""
        return [label for label in self._remembered() if label in known]

    def _remembered(self) -> list[str]:
        return list(self._window.settings.value(_RECENT_KEY, []) or [])

    def _remember(self, label: str) -> None:
        recent = [label, *(item for item in self._remembered() if item != label)]
        self._window.settings.setValue(_RECENT_KEY, recent[:_RECENT])
        self.categories.add(label)
