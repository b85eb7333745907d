"""Help > First steps: from the first click on an object to a dataset, with the keys in force."""

import html
from typing import TYPE_CHECKING, Final

from PyQt5 import QtWidgets

from sam_annotator.gui.labelme_seam import new_action

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

STEPS: Final = (
    "Open a folder of videos (File &gt; Open Dir), and choose a video in the list at the right.",
    "Click on an object, or drag a box around it ({sam_points}). A right click takes a place away; "
    "{proposal_1} {proposal_2} {proposal_3} choose among the proposals, {undo_click} takes the last click back.",
    "{accept} accepts the mask. Type a few letters of its category; Enter takes the line that is marked.",
    "{propagate} carries the masks through the video. Again: it pauses. Go on browsing and clicking meanwhile.",
    "{next_doubtful} goes to the next doubtful frame (orange on the slider). Click on the object in the list: now "
    "clicks change its mask, {accept} puts it in place, and {repair} carries the correction on.",
    "File &gt; Export a dataset… makes YouTube-VIS, COCO or PNG masks of the whole folder.",
)
"""HTML; the braces hold names of our actions, for their keys."""

WIDTH: Final = 560

LAST: Final = "Everything is saved as it changes. Help &gt; Keys lists all keys."


def add_first_steps(window: "AnnotationWindow") -> None:
    """Put them first in the menu Help, in the place of labelme's tutorial, which is of polygons in single images."""
    menu = window.labelme_menus.help
    tutorial = menu.actions()[0]
    menu.insertAction(tutorial, new_action(window, "&First steps", lambda _checked=False: show_first_steps(window)))
    menu.removeAction(tutorial)


def show_first_steps(window: "AnnotationWindow") -> None:
    """Open the dialog over the window; returns at once."""
    keys = {name: _key(action) for name, action in window.own_actions.items()}
    steps = "".join(f"<li style='margin-bottom: 8px'>{step.format_map(keys)}</li>" for step in STEPS)
    text = f"<ol style='-qt-list-indent: 1'>{steps}</ol>{LAST}"
    box = window.message_box("First steps", text, QtWidgets.QMessageBox.Information)
    box.setStyleSheet(f"#qt_msgbox_label {{ min-width: {WIDTH}px; }}")
    box.open()


def _key(action: QtWidgets.QAction) -> str:
    """The first key of an action, or its name where the settings give it none; HTML."""
    shortcuts = [shortcut.toString(shortcut.NativeText) for shortcut in action.shortcuts()]
    key = next(filter(None, shortcuts), action.text())
    return f"<b>{html.escape('Enter' if key == 'Return' else key)}</b>"
