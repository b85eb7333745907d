"""The object in hand: taken up again in this frame, or taken along to the next, so that no dialog asks for its name."""

from typing import TYPE_CHECKING

import numpy as np
from PyQt5 import QtCore, QtWidgets

from sam_annotator.core.masks import Mask
from sam_annotator.core.prompt import Proposal
from sam_annotator.gui.canvas.editing import allow_delete
from sam_annotator.gui.canvas.paint import Held
from sam_annotator.gui.labelme_seam import SAM_POINTS_MODE, LabelmeShape
from sam_annotator.gui.objects.name_dialog import Name
from sam_annotator.gui.tools.sam import InHand

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


class Hand(QtCore.QObject):
    """Decides whose mask the next accepted proposal is: a new object's, or that of the object in hand."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window, self._tool = window, window.sam_tool
        self._shapes: list[LabelmeShape] = []  # of the object in hand, as they were when it was taken
        self._tool.changed.connect(self.show)
        self._tool.left.connect(self._say_what_was_left)
        window.canvas.pointed_at.connect(self._take_at)
        window.objects_panel.refine_wanted.connect(self.refine)

    def choose_tool(self, mode: str) -> None:
        """Choose a SAM tool; the object that is selected is taken up with it."""
        canvas = self._window.canvas
        selected = {shape.group_id for shape in canvas.selected_shapes} if not canvas.is_prompting else set()
        if canvas.is_brushing and self._window.brush.object_id is not None:
            selected = {self._window.brush.object_id}
        self._window.draw_mode(mode)
        if len(selected) == 1 and None not in selected:
            self.take(*selected)

    def select(self, object_id: int) -> None:
        """An object was chosen, in the list or by a key: the tool that is at work is about it now."""
        allow_delete(self._window)
        if self._window.canvas.is_prompting:
            self.take(object_id)
        elif self._window.canvas.is_brushing:
            self._window.brush.take(object_id)

    def refine(self, object_id: int) -> None:
        """Take an object in hand, and the tool that it is clicked with."""
        if not self._window.canvas.is_prompting:
            self._window.draw_mode(SAM_POINTS_MODE)
        self.take(object_id)

    def take(self, object_id: int, area: int | None = None) -> None:
        """The next clicks are about this object: its mask in this frame, where it has one, is what they change.

        Args:
            area: pixels of its mask where it was last seen, if that is known.
        """
        window = self._window
        label = window.view.label_of(object_id)
        if label is None or not window.session.can_annotate:
            return
        window.propagation_panel.stop_following()
        self._shapes = window.view.shapes_of(object_id)
        mask = window.view.mask_of(object_id)
        start = Proposal(mask, 1.0) if mask.any() else None
        self._tool.take_in_hand(InHand(object_id, label, start, area))
        window.objects_panel.select(object_id)

    def put_down(self) -> None:
        """The next click is about a new object."""
        if self._tool.in_hand is not None:
            self._tool.take_in_hand(None)
            self._window.canvas.deselect_shape()
            self._window.objects_panel.select(None)

    def reject(self) -> None:
        """Forget the clicks; where there are none, put down what is in hand."""
        if self._window.canvas.is_brushing:
            self._window.brush.take(None)
        elif self._window.canvas.has_prompt:
            self._tool.forget()
        else:
            self.put_down()

    def accept(self) -> None:
        """Accept the chosen proposal: for the object in hand, or ask whose it is."""
        if self._tool.proposal is None:
            self._say_what_is_missing()
        elif self._tool.in_hand is None:
            self._window.naming.name_proposal(self._tool.proposal)
        else:
            self._accept_held(self._tool.proposal, self._tool.in_hand)

    def settle(self) -> bool:
        """Nothing that is clicked is left open: before work begins that would go on with the masks as they stand.

        What is proposed for the object in hand is accepted; of a new object's proposal the person must decide.

        Returns:
            False, and a sentence, if something is open still.
        """
        if not self._window.canvas.has_prompt:
            return True
        if self._tool.proposal is None:
            self._say_what_is_missing()
        elif self._tool.in_hand is None:
            self._window.show_hint("Accept or reject the proposal first: Enter or Esc.")
        else:
            return self._accept_held(self._tool.proposal, self._tool.in_hand)
        return False

    def can_close(self) -> bool:
        """True if no mask is proposed, or looked for, that was not accepted; asks, where one is."""
        if not self._window.canvas.has_prompt or not (self._tool.is_looking or self._tool.proposal is not None):
            return True
        box, held = QtWidgets.QMessageBox, self._tool.in_hand
        what = "The mask that is proposed" if held is None else f"The correction of {held}"
        asked = f"{what} is not accepted yet (Enter accepts it). Close without it?"
        return box.question(self._window, "Close?", asked, box.Discard | box.Cancel, box.Cancel) == box.Discard

    def go_on(self) -> None:
        """Accept what is proposed, and take its object along to the next frame."""
        tool, panel = self._tool, self._window.objects_panel
        if tool.proposal is None and self._window.canvas.has_prompt:
            self._say_what_is_missing()
        elif tool.proposal is None:
            object_id = tool.in_hand.object_id if tool.in_hand is not None else panel.current_id()
            if object_id is None:
                self._window.show_hint("Which object? Choose one in the list, or click on one in the image.")
            else:
                self._take_along(object_id)
        elif tool.in_hand is None:
            self._window.naming.name_proposal(tool.proposal, then=self._take_along)
        else:
            object_id = tool.in_hand.object_id
            if self._accept_held(tool.proposal, tool.in_hand):
                self._take_along(object_id)

    def check(self) -> None:
        """The shapes of the frame have changed: what is in hand may have another mask now, or be gone."""
        held = self._tool.in_hand
        if self._window.canvas.is_brushing:
            self.show()
        if held is None or self._window.canvas.has_prompt:
            return
        if self._window.view.label_of(held.object_id) is None:
            self.put_down()
        elif self._window.view.shapes_of(held.object_id) != self._shapes:
            self.take(held.object_id, held.area)

    def _accept_held(self, proposal: Proposal, held: InHand) -> bool:
        """True if the proposal was put in the place of the object's shapes in this frame."""
        naming = self._window.naming
        if not naming.is_ready():
            return False
        first = next(iter(self._window.view.shapes_of(held.object_id)), None)
        facts = (first.description or "", dict(first.flags or {})) if first is not None else ("", {})
        naming.put(proposal, Name(held.label, held.object_id, *facts))
        return True

    def _take_along(self, object_id: int) -> None:
        window = self._window
        area = int(np.count_nonzero(window.view.mask_of(object_id))) or None
        if area is None and self._tool.in_hand is not None:
            area = self._tool.in_hand.area
        index = window.session.index
        window.step_frame(1)
        if window.session.index == index:
            window.show_hint("This is the last frame.")
            return
        if not window.canvas.is_prompting:
            window.draw_mode(SAM_POINTS_MODE)
        self.take(object_id, area)

    def _take_at(self, place: QtCore.QPointF) -> None:
        """Take up the object that is drawn on top at a place of the image."""
        for shape in reversed(self._window.listed_shapes()):
            if shape.group_id is not None and _covers(self._window.view.mask_of(shape.group_id), place):
                self.take(shape.group_id)
                return
        self.put_down()

    def _say_what_is_missing(self) -> None:
        if self._tool.is_looking:
            self._window.show_hint("Wait for the mask, or forget the clicks with Esc.")
        elif self._window.canvas.has_prompt:
            self._window.show_hint("There is no mask: click on the object, or forget the clicks with Esc.")

    def _say_what_was_left(self, index: int) -> None:
        self._window.show_hint(f"The proposal on frame {index + 1} was not accepted.")

    def show(self) -> None:
        """Say on the canvas what is in hand, or under the brush."""
        held = self._tool.in_hand
        shown = None if held is None else Held(held.object_id, str(held), held.start is not None)
        self._window.canvas.show_held(self._window.brush.held if self._window.canvas.is_brushing else shown)


def _covers(mask: Mask, place: QtCore.QPointF) -> bool:
    row, column = int(place.y()), int(place.x())
    return 0 <= row < mask.shape[0] and 0 <= column < mask.shape[1] and bool(mask[row, column])
