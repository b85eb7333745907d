"""Help > Keys: what keys and mouse do, in groups."""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from PyQt5 import QtCore, QtWidgets

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

Rows = list[tuple[str, str]]  # what is done, with what

_MOUSE: Final[Rows] = [
    ("Include what is clicked (SAM)", "left click"),
    ("Exclude what is clicked (SAM)", "right click"),
    ("Box around an object (SAM)", "drag"),
    ("Take up the object under the mouse (SAM)", "Ctrl+left click"),
    ("Zoom at the mouse", "Ctrl+wheel"),
    ("Scroll; sideways", "wheel; Shift+wheel"),
    ("Move the image", "middle drag"),
    ("Go to a frame", "click on the timeline"),
    ("First frame of an object", "double click in the list"),
    ("Rename, delete, refine … an object", "right click in the list"),
]
_BRUSH: Final[Rows] = [
    ("Paint", "left drag"),
    ("Take away", "right drag, Shift+drag"),
    ("Smaller, larger brush", "[  ],  Alt+wheel"),
    ("Give up the stroke; a new object", "Esc"),
]


class KeysDialog(QtWidgets.QDialog):
    """All keys of the window, and what the mouse does; two columns, to be scrolled where the screen is small."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self.setWindowTitle("Keys")
        columns = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(columns)
        row.setSpacing(32)
        self.labels = [QtWidgets.QLabel(_as_html(groups)) for groups in _in_two(_groups(window))]
        for label in self.labels:
            label.setAlignment(QtCore.Qt.AlignTop)
            row.addWidget(label, 1)
        area = QtWidgets.QScrollArea(widgetResizable=True, frameShape=QtWidgets.QFrame.NoFrame)
        area.setWidget(columns)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.Ok)
        buttons.accepted.connect(self.accept)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(area)
        layout.addWidget(buttons)
        wide = columns.sizeHint().width() + area.verticalScrollBar().sizeHint().width() + 32
        self.resize(min(wide, 1200), min(columns.sizeHint().height() + 72, 700))


def show_keys(window: "AnnotationWindow") -> None:
    """Open the dialog over the window."""
    dialog = KeysDialog(window)
    dialog.setAttribute(QtCore.Qt.WA_DeleteOnClose)
    dialog.open()


def _groups(window: "AnnotationWindow") -> list[tuple[str, Rows]]:
    """Title and rows: the mouse, the brush, then each menu's keys; each key once."""
    groups, told = [("Mouse", _MOUSE), ("Brush", _BRUSH)], set[QtWidgets.QAction]()
    menus = {action.text().replace("&", ""): action.menu() for action in window.menuBar().actions() if action.menu()}
    ours = [(title, menus.pop(title)) for title in ("Object", "Video") if title in menus]
    for title, menu in [*ours, *menus.items()]:
        actions = [action for action in _actions_of(menu) if action not in told]
        told.update(actions)
        groups.append((title, _rows(actions)))
    groups.append(("More", _rows([action for action in window.findChildren(QtWidgets.QAction) if action not in told])))
    return [(title, rows) for title, rows in groups if rows]


def _actions_of(menu: QtWidgets.QMenu) -> list[QtWidgets.QAction]:
    found: list[QtWidgets.QAction] = []
    for action in menu.actions():
        found += _actions_of(action.menu()) if action.menu() else [action]
    return found


def _rows(actions: Sequence[QtWidgets.QAction]) -> Rows:
    """Actions that have keys; of those with the same text and keys, one."""
    rows = []
    for action in actions:
        keys = [sequence.toString(sequence.NativeText) for sequence in action.shortcuts()]
        if any(keys) and action.text():
            rows.append((action.text().replace("&", "").replace("\n", " "), ",  ".join(filter(None, keys))))
    return list(dict.fromkeys(rows))


def _in_two(groups: list[tuple[str, Rows]]) -> list[list[tuple[str, Rows]]]:
    """The groups in order, in two columns that are about as long."""
    heights = [len(rows) + 2 for _, rows in groups]
    cut = min(range(1, len(groups)), key=lambda at: max(sum(heights[:at]), sum(heights[at:])))
    return [groups[:cut], groups[cut:]]


def _as_html(groups: Sequence[tuple[str, Rows]]) -> str:
    """One table, so that the keys of all groups stand below each other."""
    lines = []
    for title, rows in groups:
        lines.append(f"<tr><td colspan='2' style='padding-top: 10px'><h3>{html.escape(title)}</h3></td></tr>")
        lines += (
            f"<tr><td style='padding-right: 18px'>{html.escape(name)}</td>"
            f"<td style='white-space: pre'><b>{html.escape(keys)}</b></td></tr>"
            for name, keys in rows
        )
    return f"<table cellspacing='2'>{''.join(lines)}</table>"
