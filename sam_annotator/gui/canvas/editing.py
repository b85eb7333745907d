"""Edits of the frame that is shown which are more than labelme's own."""

from typing import TYPE_CHECKING

from sam_annotator.core.annotation import REVIEWED
from sam_annotator.gui.labelme_seam import LabelmeShape

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


def toggle_key_frame(window: "AnnotationWindow") -> None:
    """Approve the selected objects of this frame, or all; again: take the approval back."""
    shapes = list(window.canvas.selected_shapes) or window.listed_shapes()
    if not shapes:
        window.show_hint("There is nothing in this frame to approve.")
        return
    approve = not all((shape.flags or {}).get(REVIEWED) for shape in shapes)
    for shape in shapes:
        others = {flag: value for flag, value in (shape.flags or {}).items() if flag != REVIEWED}
        shape.flags = {**others, REVIEWED: True} if approve else others
    window.canvas.backup_shapes()
    window.canvas.update()
    window.mark_dirty()
    window.show_hint("Approved: propagation will not change these." if approve else "Approval taken back.")


def allow_delete(window: "AnnotationWindow") -> None:
    """Delete also answers where an object is chosen in the list that this frame does not show."""
    if window.objects_panel.current_id() is not None and not window.canvas.is_drawing:
        window.labelme_actions.delete.setEnabled(window.session.can_annotate)


def say_nothing_to_delete(window: "AnnotationWindow") -> None:
    """Why Delete does nothing."""
    object_id = window.objects_panel.current_id()
    if object_id is None:
        return
    name = window.view.name_of(object_id)
    if window.view.shapes_of(object_id):
        window.view.say(f"No mask is selected; click on {name} in the list of objects, then delete it.")
    elif object_id in window.view.absent_ids():
        window.view.say(f"{name} is not here already: you said so.")
    else:
        window.view.say(
            f"{name} has no mask in this frame. To keep it out: right click in the list, Not in this frame."
        )


def adopt_shapes(window: "AnnotationWindow", shapes: list[LabelmeShape]) -> None:
    """Make copies of shapes fit this frame: they keep their object where it is missing, else become new objects."""
    tracks = window.session.tracks
    if tracks is None:
        return
    here: frozenset[int] = window.view.object_ids()
    new_ids: dict[int | None, int] = {}
    for shape in shapes:
        shape.origin = None  # made by hand now
        track = None if shape.group_id is None else tracks.get(shape.group_id)
        if track is None or track.label != shape.label or shape.group_id in here:
            if shape.group_id not in new_ids:
                new_ids[shape.group_id] = tracks.next_object_id()
            shape.group_id = new_ids[shape.group_id]


def shapes_of_selection(window: "AnnotationWindow") -> list[LabelmeShape]:
    """All parts, in this frame, of the object that is selected first."""
    selected = window.canvas.selected_shapes
    if not selected:
        return []
    if selected[0].group_id is None:
        return [selected[0]]
    parts: list[LabelmeShape] = window.view.shapes_of(selected[0].group_id)
    return parts
