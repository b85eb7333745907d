"""The videos of the folder. Names at once; how much of each is annotated only for the rows that are seen."""

from collections.abc import Sequence
from dataclasses import dataclass

from PyQt5 import QtCore, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.videos import Video


@dataclass(frozen=True)
class VideoCounts:
    """How many frames a video has and how many of them are annotated; `problem` where it cannot be read."""

    annotated: int
    total: int
    problem: str = ""


class VideosModel(QtCore.QAbstractTableModel):
    """Rows of videos.

    Signals:
        counts_wanted(list): row numbers that are being looked at and have no counts yet.
    """

    counts_wanted = QtCore.pyqtSignal(list)

    def __init__(self, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._videos: Sequence[Video] = ()
        self._counts: dict[int, VideoCounts] = {}
        self._asked: set[int] = set()
        self._new: list[int] = []
        self._timer = QtCore.QTimer(self, singleShot=True, interval=50)
        self._timer.timeout.connect(self._ask)

    def set_videos(self, videos: Sequence[Video]) -> None:
        self.beginResetModel()
        self._videos, self._counts, self._asked, self._new = videos, {}, set(), []
        self.endResetModel()

    def set_counts(self, row: int, counts: VideoCounts) -> None:
        self._counts[row] = counts
        self._asked.add(row)
        self.dataChanged.emit(self.index(row, 0), self.index(row, 1))

    def rowCount(self, parent: QtCore.QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._videos)

    def columnCount(self, parent: QtCore.QModelIndex | None = None) -> int:
        return 2

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> object:
        if orientation == Qt.Horizontal and role == Qt.DisplayRole:
            return ("Video", "Annotated")[section]
        return None

    def data(self, index: QtCore.QModelIndex, role: int = Qt.DisplayRole) -> object:
        row, column = index.row(), index.column()
        if role == Qt.DisplayRole:
            return self._videos[row].name if column == 0 else self._progress(row)
        if role == Qt.ToolTipRole:
            counts = self._counts.get(row)
            return counts.problem if counts and counts.problem else str(self._videos[row].folder)
        if role == Qt.TextAlignmentRole and column == 1:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return None

    def _progress(self, row: int) -> str:
        counts = self._counts.get(row)
        if counts is None:
            if row not in self._asked:
                self._asked.add(row)
                self._new.append(row)
                self._timer.start()
            return "…"
        if counts.problem:
            return "!"
        return "video file" if self._videos[row].needs_unpacking else f"{counts.annotated}/{counts.total}"

    def _ask(self) -> None:
        wanted, self._new = self._new, []
        self.counts_wanted.emit(wanted)


class VideosPanel(QtWidgets.QWidget):
    """A searchable list of videos.

    Signals:
        opened(int): a video was chosen; its row.
    """

    opened = QtCore.pyqtSignal(int)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.model = VideosModel(self)
        self._row: int | None = None
        self._is_searching = False
        self._filter = QtCore.QSortFilterProxyModel(self)
        self._filter.setSourceModel(self.model)
        self._filter.setFilterCaseSensitivity(Qt.CaseInsensitive)
        self.view = QtWidgets.QTreeView()
        self.view.setModel(self._filter)
        self.view.setRootIsDecorated(False)
        self.view.setUniformRowHeights(True)
        self.view.header().setStretchLastSection(False)
        self.view.header().setSectionResizeMode(0, QtWidgets.QHeaderView.Stretch)
        self.view.header().setSectionResizeMode(1, QtWidgets.QHeaderView.Fixed)
        self.view.header().resizeSection(1, 104)
        self.view.selectionModel().currentRowChanged.connect(self._on_current_changed)
        self.view.clicked.connect(self._on_current_changed)  # also the one that is current: it may need another try
        self.search = QtWidgets.QLineEdit(placeholderText="Search videos")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._search)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.search)
        layout.addWidget(self.view)

    def select(self, row: int) -> None:
        """Mark a video as the current one; emits nothing."""
        self._row = row
        index = self._filter.mapFromSource(self.model.index(row, 0))
        with QtCore.QSignalBlocker(self.view.selectionModel()):
            self.view.setCurrentIndex(index)
        self.view.scrollTo(index)
        self.view.viewport().update()

    def _search(self, text: str) -> None:
        self._is_searching = True  # where the current row goes, Qt makes its neighbour the current one
        self._filter.setFilterFixedString(text)
        self._is_searching = False
        if self._row is not None:
            self.select(self._row)

    def _on_current_changed(self, index: QtCore.QModelIndex) -> None:
        if index.isValid() and not self._is_searching:
            self.opened.emit(self._filter.mapToSource(index).row())
