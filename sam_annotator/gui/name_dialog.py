"""Naming an object: its category, by a few letters, and its object id."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

_SHOWN = 200


@dataclass(frozen=True)
class KnownObject:
    """An object of the video that the dialog may offer.

    Attributes:
        is_here: it has a shape in the frame already.
    """

    object_id: int
    label: str
    is_here: bool


@dataclass(frozen=True)
class Name:
    """What the person answered."""

    label: str
    object_id: int
    description: str = ""
    flags: dict[str, bool] = field(default_factory=dict)


def rank_categories(typed: str, categories: Sequence[str], recent: Sequence[str]) -> list[str]:
    """Categories to offer for what was typed: the best match first; without text, the recent ones first."""
    from rapidfuzz import fuzz, process, utils  # not while the window starts

    if not typed.strip():
        return [*recent, *(name for name in categories if name not in recent)][:_SHOWN]
    wanted = typed.strip().casefold()
    exact = [name for name in categories if name.casefold().startswith(wanted)]
    found = process.extract(
        typed, categories, scorer=fuzz.WRatio, processor=utils.default_process, limit=40, score_cutoff=60
    )
    names = [name for name, _score, _index in found]
    return [*sorted(exact, key=len), *(name for name in names if name not in exact)][:_SHOWN]


class NameDialog(QtWidgets.QDialog):
    """Category and object id. Enter accepts; with nothing typed, the last category again."""

    def __init__(
        self,
        *,
        categories: Sequence[str],
        recent: Sequence[str],
        objects: Sequence[KnownObject],
        new_id: int,
        name: Name | None = None,
        here: str = "replace its mask here",
        parent: QtWidgets.QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Name the object" if name is None else "Rename the object")
        self._categories, self._recent = list(categories), list(recent)
        self._here = here
        self._objects, self._new_id, self._old = list(objects), new_id, name
        self._id_was_chosen = name is not None
        self.category = QtWidgets.QLineEdit(placeholderText=self._placeholder())
        self.category.textEdited.connect(self._on_typed)
        self.category.installEventFilter(self)
        self.list = QtWidgets.QListWidget()
        self.list.setFocusPolicy(Qt.NoFocus)
        self.list.itemClicked.connect(self._on_clicked)
        self.list.itemDoubleClicked.connect(self.accept)
        self.object = QtWidgets.QComboBox()
        self.object.activated.connect(self._on_id_chosen)
        self.description = QtWidgets.QLineEdit(name.description if name else "", placeholderText="optional")
        self._flags = {
            flag: QtWidgets.QCheckBox(flag, checked=value) for flag, value in (name.flags if name else {}).items()
        }
        self._build_layout()
        if name is not None:
            self.category.setText(name.label)
            self.category.selectAll()
        self._fill_list("")
        self._fill_objects()

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
                self._take(self.list.currentItem().text())
            return True
        return super().eventFilter(watched, event)

    def _build_layout(self) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow("Category", self.category)
        form.addRow("", self.list)
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
        text = self.category.text().strip()
        return text or (self._recent[0] if self._recent and self._old is None else "")

    def _on_typed(self, text: str) -> None:
        self._fill_list(text)
        self._fill_objects()

    def _on_clicked(self, item: QtWidgets.QListWidgetItem) -> None:
        self._take(item.text())

    def _take(self, label: str) -> None:
        self.category.setText(label)
        self._fill_objects()

    def _on_id_chosen(self, _row: int) -> None:
        self._id_was_chosen = True
        known = next((item for item in self._objects if item.object_id == self.object.currentData()), None)
        if known is not None and self._old is None:
            self.category.setText(known.label)

    def _fill_list(self, typed: str) -> None:
        self.list.clear()
        self.list.addItems(rank_categories(typed, self._categories, self._recent))

    def _fill_objects(self) -> None:
        """A new object, and those of the video; one of this category that is missing here comes first."""
        chosen = self.object.currentData() if self._id_was_chosen and self.object.count() else None
        self.object.clear()
        if self._old is not None:
            self._add(self._old.object_id, self._old.label, "keep")
        self._add(self._new_id, "", "new object")
        label = self._label()
        for item in sorted(self._objects, key=lambda item: (item.label != label, item.is_here, item.object_id)):
            if self._old is None or item.object_id != self._old.object_id:
                self._add(item.object_id, item.label, self._here if item.is_here else "missing here")
        self.object.setCurrentIndex(max(self.object.findData(chosen), 0) if chosen is not None else self._proposed())

    def _proposed(self) -> int:
        """The row to offer: an object of this category that is missing in the frame, else a new one."""
        if self._old is not None:
            return 0
        label = self._label()
        missing = [item.object_id for item in self._objects if item.label == label and not item.is_here]
        return self.object.findData(missing[0]) if missing else 0

    def _add(self, object_id: int, label: str, note: str) -> None:
        self.object.addItem(f"{object_id}  {label}  ({note})".replace("   ", "  "), object_id)


def center_on(dialog: QtWidgets.QDialog, point: QtCore.QPoint) -> None:
    """Put a dialog beside a point of the screen, whole on that screen."""
    dialog.adjustSize()
    screen = QtGui.QGuiApplication.screenAt(point) or QtGui.QGuiApplication.primaryScreen()
    area = screen.availableGeometry()
    x = min(max(point.x() + 24, area.left()), max(area.right() - dialog.width(), area.left()))
    y = min(max(point.y() - dialog.height() // 2, area.top()), max(area.bottom() - dialog.height(), area.top()))
    dialog.move(x, y)
