"""Editing the list of categories: add, rename, remove, order, import, save."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.categories import normal_label, read_categories
from sam_annotator.core.category_files import ListedName
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.gui.objects.category_list import CategoryList

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_WAS, _NOW = Qt.UserRole, Qt.UserRole + 1  # the name when the dialog was opened, and the last one that was taken
_FILES = "Categories (*.txt *.json);;All files (*)"


class CategoriesDialog(QtWidgets.QDialog):
    """The list, to be edited in place. Nothing is changed before Save.

    Signals:
        renamed(dict): after saving: old name to new name, of categories that objects of the video have, where the
            person wants those objects to follow.
    """

    renamed = QtCore.pyqtSignal(dict)

    def __init__(
        self,
        categories: CategoryList,
        used: Mapping[str, int],
        parent: QtWidgets.QWidget | None = None,
        why_not_now: Callable[[], str] = str,
    ) -> None:
        """
        Args:
            used: categories of the video that is open, to how many objects have them.
            why_not_now: says in a sentence why no object can be renamed at the moment; empty: they can.
        """
        super().__init__(parent)
        self.setWindowTitle("Categories")
        self._categories, self._used, self._why_not_now = categories, used, why_not_now
        self._is_refused = False  # a new name, and the person has not heard of it yet
        self.list = QtWidgets.QListWidget(uniformItemSizes=True)
        self.list.setDragDropMode(QtWidgets.QAbstractItemView.InternalMove)
        self.list.setSelectionMode(QtWidgets.QAbstractItemView.ExtendedSelection)
        self.list.itemChanged.connect(self._on_changed)
        self.list.itemDelegate().closeEditor.connect(self._on_editor_closed)
        self.entry = QtWidgets.QLineEdit(placeholderText="find or add a category", clearButtonEnabled=True)
        self.entry.textChanged.connect(self._filter)
        self.entry.returnPressed.connect(self.add)
        self.follow = QtWidgets.QCheckBox(checked=True)
        self.message = QtWidgets.QLabel(wordWrap=True)
        self.message.setStyleSheet("color: #c0392b;")
        self._build_layout()
        for name in categories.names:
            self._new_item(name, name)
        self._say_what_follows()
        self.resize(460, 560)
        self.entry.setFocus()

    def names(self) -> list[ListedName]:
        """The list as it stands in the dialog."""
        items = (self.list.item(row) for row in range(self.list.count()))
        return [ListedName(item.text(), item.data(_WAS)) for item in items]

    def add(self) -> None:
        """Add what was typed, below the line that is chosen."""
        name = normal_label(self.entry.text())
        if not name:
            return
        if name in self._texts():
            self.message.setText(f"{name} is in the list already.")
            return
        row = self.list.currentRow() + 1 or self.list.count()
        item = self._new_item(name, None, row)
        self.entry.clear()
        self.list.clearSelection()
        self.list.setCurrentItem(item)
        self.message.clear()

    def remove(self) -> None:
        """Remove the chosen lines that are seen; what is annotated keeps its category."""
        for item in self.list.selectedItems():
            if not item.isHidden():
                self.list.takeItem(self.list.row(item))
        self._say_what_follows()

    def move(self, by: int) -> None:
        """Move the current line up or down."""
        row = self.list.currentRow()
        if row < 0 or not 0 <= row + by < self.list.count():
            return
        item = self.list.takeItem(row)
        self.list.insertItem(row + by, item)
        self.list.setCurrentItem(item)

    def sort(self) -> None:
        """Order by the alphabet, without regard to case."""
        items = [self.list.takeItem(0) for _ in range(self.list.count())]
        for item in sorted(items, key=lambda item: (item.text().casefold(), item.text())):
            self.list.addItem(item)

    def import_file(self, path: Path) -> None:
        """Add the categories of a file that are not in the list."""
        try:
            found = [category.name for category in read_categories(path)]
        except AnnotatorError as error:
            self.message.setText(str(error))
            return
        known = set(self._texts())
        new = [name for name in found if name not in known]
        for name in new:
            self._new_item(name, None)
        self.message.setText("" if new else f"All {len(found)} categories of {path.name} are in the list already.")

    def save(self, path: Path | None = None) -> None:
        """Save to a file: the list's own, if none is named; close."""
        if self._is_refused:  # the line lost the focus to this button; what is wrong with it stands below the list
            self._is_refused = False
            return
        renamed = {item.was: item.name for item in self.names() if item.was in self._used and item.was != item.name}
        follows = bool(renamed) and self.follow.isChecked()
        problem = self._why_not_now() if follows else ""
        if problem:
            self.message.setText(f"{problem} Or save without renaming the objects.")
            return
        try:
            self._categories.save(self.names(), path or self._categories.path)
        except AnnotatorError as error:
            self.message.setText(str(error))
            return
        if follows:
            self.renamed.emit(renamed)
        self.accept()

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Enter adds what is typed; it does not save and close."""
        if event.key() not in (Qt.Key_Return, Qt.Key_Enter):
            super().keyPressEvent(event)

    def _build_layout(self) -> None:
        path = self._categories.path
        where = f"The list of {path}." if path else "The list that the settings keep; new categories are added to it."
        about = QtWidgets.QLabel(f"{where} Removing a category changes no annotation.", wordWrap=True)
        side = QtWidgets.QVBoxLayout()
        for text, tip, slot in (
            ("Add", "Add what is typed (Enter)", self.add),
            ("Rename", "Rename the chosen category (F2, double click)", self._edit),
            ("Remove", "Remove the chosen categories from the list (Delete)", self.remove),
            ("Up", "Move the chosen category up; or drag it", partial(self.move, -1)),
            ("Down", "Move the chosen category down; or drag it", partial(self.move, 1)),
            ("A–Z", "Order by the alphabet", self.sort),
            ("Import…", "Add the categories of a file: a text, or a YouTube-VIS or COCO JSON", self._ask_import),
        ):
            side.addWidget(self._button(text, tip, slot))
        side.addStretch()
        middle = QtWidgets.QHBoxLayout()
        middle.addWidget(self.list)
        middle.addLayout(side)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.Save | QtWidgets.QDialogButtonBox.Cancel)
        buttons.addButton("Save as…", QtWidgets.QDialogButtonBox.ActionRole).clicked.connect(self._ask_save)
        buttons.accepted.connect(self.save)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(about)
        layout.addWidget(self.entry)
        layout.addLayout(middle)
        layout.addWidget(self.follow)
        layout.addWidget(self.message)
        layout.addWidget(buttons)
        for keys, slot in ((QtGui.QKeySequence.Delete, self.remove), (Qt.Key_F2, self._edit)):
            QtWidgets.QShortcut(QtGui.QKeySequence(keys), self.list, slot, context=Qt.WidgetShortcut)

    def _button(self, text: str, tip: str, slot: Callable[[], None]) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(text, toolTip=tip, autoDefault=False)
        button.clicked.connect(lambda _checked=False: slot())
        return button

    def _new_item(self, name: str, was: str | None, row: int | None = None) -> QtWidgets.QListWidgetItem:
        item = QtWidgets.QListWidgetItem(name)
        item.setData(_WAS, was)
        item.setData(_NOW, name)
        item.setFlags((item.flags() | Qt.ItemIsEditable) & ~Qt.ItemIsDropEnabled)
        with QtCore.QSignalBlocker(self.list):
            self.list.insertItem(self.list.count() if row is None else row, item)
        return item

    def _texts(self) -> list[str]:
        return [self.list.item(row).text() for row in range(self.list.count())]

    def _edit(self, text: str | None = None) -> None:
        """Let the person write a line anew, from its name or from a `text`."""
        item = self.list.currentItem()
        if item is None or not self.isVisible():
            return
        self.list.editItem(item)
        editors = self.list.findChildren(QtWidgets.QLineEdit)
        if text is not None and editors:
            editors[-1].setText(text)
            editors[-1].selectAll()

    def _on_editor_closed(self, _editor: QtWidgets.QWidget, how: int) -> None:
        if how == QtWidgets.QAbstractItemDelegate.RevertModelCache:  # Esc: the name is the old one again
            self._is_refused = False
            self.message.clear()

    def _on_changed(self, item: QtWidgets.QListWidgetItem) -> None:
        """A line was renamed in place."""
        name = normal_label(item.text())
        others = (self.list.item(row) for row in range(self.list.count()))
        refusal = "" if name else "A category needs a name."
        if any(other.text() == name for other in others if other is not item):
            refusal = f"{name} is in the list already."
        self._is_refused = bool(refusal)
        with QtCore.QSignalBlocker(self.list):
            item.setText(item.data(_NOW) if refusal else name)
            item.setData(_NOW, item.text())
        self.message.setText(refusal)
        self._say_what_follows()
        if refusal:
            self.list.setCurrentItem(item)
            QtCore.QTimer.singleShot(0, partial(self._edit, name or None))  # what was typed is not lost

    def _filter(self, text: str) -> None:
        """Show the lines that hold what is typed."""
        wanted = text.strip().casefold()
        for row in range(self.list.count()):
            self.list.item(row).setHidden(wanted not in self.list.item(row).text().casefold())
        self.message.clear()

    def _say_what_follows(self) -> None:
        counts = [self._used[item.was] for item in self.names() if item.was in self._used and item.was != item.name]
        objects = "1 object" if sum(counts) == 1 else f"{sum(counts)} objects"
        self.follow.setText(f"Rename {objects} of this video, too")
        self.follow.setVisible(bool(counts))

    def _ask_import(self) -> None:
        path, _ = QtWidgets.QFileDialog.getOpenFileName(self, "Import categories", "", _FILES)
        if path:
            self.import_file(Path(path))

    def _ask_save(self) -> None:
        start = str(self._categories.path or "labels.txt")
        path, _ = QtWidgets.QFileDialog.getSaveFileName(self, "Save categories", start, _FILES)
        if path:
            self.save(Path(path))


def edit_categories(window: "AnnotationWindow") -> None:
    """Open the dialog over the window."""
    used: dict[str, int] = {}
    for track in window.session.tracks.tracks() if window.session.tracks is not None else ():
        used[track.label] = used.get(track.label, 0) + 1
    dialog = CategoriesDialog(window.naming.categories, used, window, window.commands.why_not_now)
    dialog.setAttribute(Qt.WA_DeleteOnClose)
    dialog.renamed.connect(window.commands.rename_categories)
    dialog.open()
