"""Further folders of videos, with their annotations, that go into one dataset with the open one."""

from pathlib import Path

from PyQt5 import QtCore, QtWidgets

from sam_annotator.gui.exchange.fields import PathEdit
from sam_annotator.gui.exchange.work import TreeFolders

_ROWS = 3
_BESIDE = "beside the frames"


class TreeList(QtWidgets.QWidget):
    """A list of folders that can be added to, and taken from.

    Signals:
        changed(): the list is another one.
    """

    changed = QtCore.pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._trees: list[TreeFolders] = []
        self.list = _make_list()
        self.list.itemSelectionChanged.connect(self._show_state)
        self.add_button = QtWidgets.QPushButton("Add…", autoDefault=False)
        self.add_button.clicked.connect(self._ask)
        self.remove_button = QtWidgets.QPushButton("Remove", autoDefault=False)
        self.remove_button.clicked.connect(self.remove_chosen)
        self._none = QtWidgets.QLabel("no other folder")
        buttons = QtWidgets.QVBoxLayout()
        buttons.addWidget(self.add_button)
        buttons.addWidget(self.remove_button)
        buttons.addStretch(1)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.list, 1)
        layout.addWidget(self._none, 1)
        layout.addLayout(buttons)
        self._show_state()

    def trees(self) -> tuple[TreeFolders, ...]:
        """In the order in which they were added."""
        return tuple(self._trees)

    def add(self, tree: TreeFolders) -> None:
        """Add a folder of videos; one that is there already is not added again."""
        if tree not in self._trees:
            self._trees.append(tree)
            annotations = _BESIDE if tree.annotations == tree.videos else str(tree.annotations)
            item = QtWidgets.QTreeWidgetItem(self.list, [str(tree.videos), annotations])
            for column in range(2):
                item.setToolTip(column, item.text(column))
            self._show_state()
            self.changed.emit()

    def remove_chosen(self) -> None:
        """Take the chosen ones from the list; the folders stay as they are."""
        for row in sorted(map(self.list.indexOfTopLevelItem, self.list.selectedItems()), reverse=True):
            self.list.takeTopLevelItem(row)
            del self._trees[row]
        self._show_state()
        self.changed.emit()

    def _ask(self) -> None:
        dialog = TreeDialog(self)
        dialog.accepted.connect(lambda: self.add(dialog.tree()))
        dialog.open()

    def _show_state(self) -> None:
        for widget in (self.list, self.remove_button):
            widget.setVisible(bool(self._trees))
        self._none.setVisible(not self._trees)
        self.remove_button.setEnabled(bool(self.list.selectedItems()))


def _make_list() -> QtWidgets.QTreeWidget:
    """Videos and annotations side by side; of a long path its beginning and its end are shown."""
    found = QtWidgets.QTreeWidget(
        selectionMode=QtWidgets.QAbstractItemView.ExtendedSelection,
        rootIsDecorated=False,
        uniformRowHeights=True,
        textElideMode=QtCore.Qt.ElideMiddle,
        toolTip="Other folders of videos, whose annotations go into the same dataset",
    )
    found.setHeaderLabels(["Videos", "Annotations"])
    found.header().setSectionResizeMode(QtWidgets.QHeaderView.Stretch)
    found.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarAlwaysOff)
    row = found.fontMetrics().height() + 4
    found.setFixedHeight(found.header().sizeHint().height() + _ROWS * row + 4)
    return found


class TreeDialog(QtWidgets.QDialog):
    """Asks for one folder of videos, and where its annotations are."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add a folder of videos")
        self.setAttribute(QtCore.Qt.WA_DeleteOnClose)
        self.videos = PathEdit("Folder of videos", "folder", placeholder="what was annotated")
        self.annotations = PathEdit("Folder of annotations", "folder", placeholder="empty: beside the frames")
        self.buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.Ok | QtWidgets.QDialogButtonBox.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QtWidgets.QFormLayout(self)
        layout.setFieldGrowthPolicy(QtWidgets.QFormLayout.AllNonFixedFieldsGrow)
        layout.addRow("Videos", self.videos)
        layout.addRow("Annotations", self.annotations)
        layout.addRow(self.buttons)
        self.videos.changed.connect(self._show_state)
        self._show_state()
        self.resize(560, 0)

    def tree(self) -> TreeFolders:
        """What was chosen."""
        videos = self.videos.path() or Path()
        return TreeFolders(videos, self.annotations.path() or videos)

    def _show_state(self) -> None:
        self.buttons.button(QtWidgets.QDialogButtonBox.Ok).setEnabled(self.videos.path() is not None)
