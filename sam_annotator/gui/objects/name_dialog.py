"""Naming an object: its category, by a few letters, and its object id."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

_SHOWN = 200
_LETTERS_TO_GUESS_BY = 3
_LABEL = Qt.UserRole


@dataclass(frozen=True)
class KnownObject:
    """An object of the video that the dialog may offer.

    Attributes:
        is_here: it has a shape in the frame already.
        is_absent: a person says that it is not in the frame.
    """

    object_id: int
    label: str
    is_here: bool
    is_absent: bool = False

    @property
    def rank(self) -> int:
        """How soon it is offered."""
        return 2 if self.is_absent else int(self.is_here)


@dataclass(frozen=True)
class Name:
    """What the person answered."""

    label: str
    object_id: int
    description: str = ""
    flags: dict[str, bool] = field(default_factory=dict)


def rank_categories(typed: str, categories: Sequence[str], recent: Sequence[str]) -> list[str]:
    """Categories to offer for what was typed: the best match first; without text, the recent ones first."""
    if not typed.strip():
        return [*recent, *(name for name in categories if name not in recent)][:_SHOWN]
    begun = _begun_by(typed, categories, recent)
    if len(typed.strip()) < _LETTERS_TO_GUESS_BY:
        within = sorted((name for name in categories if typed.strip().casefold() in name.casefold()), key=len)
        return list(dict.fromkeys([*begun, *within]))[:_SHOWN]
    from rapidfuzz import fuzz, process, utils  # not while the window starts, nor while the dialog opens

    found = process.extract(
        typed, categories, scorer=fuzz.WRatio, processor=utils.default_process, limit=40, score_cutoff=60
    )
    return list(dict.fromkeys([*begun, *(name for name, _score, _index in found)]))[:_SHOWN]


def _begun_by(typed: str, categories: Sequence[str], recent: Sequence[str]) -> list[str]:
    """Categories that begin with the letters, then those of which another word does; recent and short ones first."""
    wanted = typed.strip().casefold()
    word = re.compile(rf"[\W_]{re.escape(wanted)}")
    is_word = wanted[:1].isalnum()
    folded = [(name.casefold(), name) for name in categories]
    first = [name for text, name in folded if text.startswith(wanted)]
    later = [name for text, name in folded if is_word and not text.startswith(wanted) and word.search(text)]
    return [
        name for group in (first, later) for name in sorted(group, key=lambda name: (name not in recent, len(name)))
    ]


class NameDialog(QtWidgets.QDialog):
    """Category and object id. Enter takes the marked line: the best match; with nothing typed the last category."""

    def __init__(
        self,
        *,
        categories: Sequence[str],
        recent: Sequence[str],
        objects: Sequence[KnownObject],
        new_id: int,
        name: Name | None = None,
        here: str = "replace its mask here",
        is_closed: bool = False,
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        """
        Args:
            categories: to choose from.
            recent: the last ones used, the newest first.
            objects: of the video.
            new_id: the next free one.
            name: what is renamed; None: something new is named.
            here: what happens where an object is chosen that is in this frame already.
            is_closed: the categories are those of a file; another one is taken only if it is chosen as such.
        """
        super().__init__(parent)
        self.setWindowTitle("Name the object" if name is None else "Rename the object")
        self._categories, self._recent = list(categories), list(recent)
        self._here, self._is_closed = here, is_closed
        self._objects, self._new_id, self._old = list(objects), new_id, name
        self._id_was_chosen = name is not None
        self.category = QtWidgets.QLineEdit(placeholderText=self._placeholder())
        self.category.textEdited.connect(self._on_typed)
        self.category.installEventFilter(self)
        self.list = QtWidgets.QListWidget()
        self.list.setFocusPolicy(Qt.NoFocus)
        self.list.itemClicked.connect(self._take)
        self.list.itemDoubleClicked.connect(self.accept)
        self.object = QtWidgets.QComboBox()
        self.object.activated.connect(self._on_id_chosen)
        self.description = QtWidgets.QLineEdit(name.description if name else "", placeholderText="optional")
        self._flags = {
            flag: QtWidgets.QCheckBox(flag, checked=value) for flag, value in (name.flags if name else {}).items()
        }
        self._build_layout()
        self._fill_list("")
        if name is not None:
            self.category.setText(name.label)
            self.category.selectAll()
        self._fill_objects()
        QtCore.QTimer.singleShot(0, _be_ready_for_letters)

    def result_name(self) -> Name:
        """What the person answered; ask after the dialog was accepted."""
        flags = {flag: box.isChecked() for flag, box in self._flags.items()}
        return Name(self._label(), self.object.currentData(), self.description.text().strip(), flags)

    def accept(self) -> None:
        """Close, if there is a category."""
        if self._label():
            super().accept()

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Up and down move in the list while the text keeps the focus."""
        if event.type() == QtCore.QEvent.KeyPress and event.key() in (Qt.Key_Up, Qt.Key_Down):
            count = self.list.count()
            if count:
                step = 1 if event.key() == Qt.Key_Down else -1
                self.list.setCurrentRow((max(self.list.currentRow(), -1) + step) % count)
                self._take(self.list.currentItem())
            return True
        return super().eventFilter(watched, event)

    def _build_layout(self) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow("Category", self.category)
        form.addRow("", self.list)
        self.list.setUniformItemSizes(True)
        form.addRow("Object", self.object)
        form.addRow("Description", self.description)
        for box in self._flags.values():
            form.addRow("", box)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.Ok | QtWidgets.QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.list.setMinimumHeight(170)
        self.setMinimumWidth(380)
        self.category.setFocus()

    def _placeholder(self) -> str:
        return f"Enter: {self._recent[0]} again" if self._recent else "type a category"

    def _label(self) -> str:
        item = self.list.currentItem()
        return str(item.data(_LABEL)) if item is not None else self.category.text().strip()

    def _on_typed(self, text: str) -> None:
        self._fill_list(text)
        self._fill_objects()

    def _take(self, item: QtWidgets.QListWidgetItem) -> None:
        """A line of the list was chosen."""
        self.category.setText(item.data(_LABEL))
        self._fill_objects()

    def _on_id_chosen(self, _row: int) -> None:
        self._id_was_chosen = True
        known = next((item for item in self._objects if item.object_id == self.object.currentData()), None)
        if known is not None and self._old is None:
            self.category.setText(known.label)
            self._fill_list(known.label)

    def _fill_list(self, typed: str) -> None:
        """The best matches, last what was typed as a new category; marked is what Enter takes."""
        typed = typed.strip()
        names = rank_categories(typed, self._categories, self._recent)
        self.list.clear()
        for name in names:
            self._add_line(name, name)
        if typed and typed not in names:
            self._add_line(typed, f"new category: {typed}").setForeground(self.palette().link())
        self.list.setCurrentRow(self._best(typed, names))

    def _add_line(self, label: str, text: str) -> QtWidgets.QListWidgetItem:
        item = QtWidgets.QListWidgetItem(text, self.list)
        item.setData(_LABEL, label)
        return item

    def _best(self, typed: str, names: Sequence[str]) -> int:
        """The line that Enter takes; -1: none."""
        if not typed:
            return 0 if self._recent and self._old is None else -1
        if typed in names:
            return names.index(typed)
        if names and (self._is_closed or _begun_by(typed, names[:1], ())):
            return 0
        return len(names)

    def _fill_objects(self) -> None:
        """A new object, and those of the video; one of this category that is missing here comes first."""
        chosen = self.object.currentData() if self._id_was_chosen and self.object.count() else None
        self.object.clear()
        if self._old is not None:
            self._add(self._old.object_id, self._old.label, "keep")
        self._add(self._new_id, "", "new object")
        label = self._label()
        notes = ("missing here", self._here, "not here, as was said")
        for item in sorted(self._objects, key=lambda item: (item.label != label, item.rank, item.object_id)):
            if self._old is None or item.object_id != self._old.object_id:
                self._add(item.object_id, item.label, notes[item.rank])
        self.object.setCurrentIndex(max(self.object.findData(chosen), 0) if chosen is not None else self._proposed())

    def _proposed(self) -> int:
        """The row to offer: an object of this category that is missing in the frame, else a new one."""
        if self._old is not None:
            return 0
        label = self._label()
        missing = [item.object_id for item in self._objects if item.label == label and not item.rank]
        return self.object.findData(missing[0]) if missing else 0

    def _add(self, object_id: int, label: str, note: str) -> None:
        self.object.addItem(f"{object_id}  {label}  ({note})".replace("   ", "  "), object_id)


def _be_ready_for_letters() -> None:
    """Import what the first letter needs, once the dialog is seen."""
    import rapidfuzz.process  # noqa: F401


def center_on(dialog: QtWidgets.QDialog, point: QtCore.QPoint) -> None:
    """Put a dialog beside a point of the screen, whole on that screen."""
    dialog.adjustSize()
    screen = QtGui.QGuiApplication.screenAt(point) or QtGui.QGuiApplication.primaryScreen()
    area = screen.availableGeometry()
    x = min(max(point.x() + 24, area.left()), max(area.right() - dialog.width(), area.left()))
    y = min(max(point.y() - dialog.height() // 2, area.top()), max(area.bottom() - dialog.height(), area.top()))
    dialog.move(x, y)
