"""The objects of the video: colour, id, category, in how many frames."""

from collections.abc import Iterable

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.tracks import Track
from sam_annotator.gui.canvas.colors import object_color

_ID = Qt.UserRole
_ABSENT = Qt.UserRole + 1  # in how many frames it is not, said by a person
_NAME, _FRAMES = 0, 1
_NOT_HERE = "  (not here)"


class ObjectsPanel(QtWidgets.QWidget):
    """A list of the video's objects. Those with a check mark take part in a propagation.

    Signals:
        menu_opening(): a context menu is about to be made: `show_tracks` what there is now.
        selected(int): an object was chosen; its id.
        opened(int): an object was double-clicked: show where it is.
        refine_wanted(int), paint_wanted(int): its mask in this frame is to be changed by clicks, or with the brush.
        rename_wanted(int), delete_wanted(int, str), renumber_wanted(int): from the context menu or keys;
            the text is where: 'frame', 'onward' or 'video'.
        admit_wanted(int, str): it is not true any more that the object is not there: in this 'frame', in the 'video'.
    """

    menu_opening = QtCore.pyqtSignal()
    selected = QtCore.pyqtSignal(int)
    opened = QtCore.pyqtSignal(int)
    refine_wanted = QtCore.pyqtSignal(int)
    paint_wanted = QtCore.pyqtSignal(int)
    rename_wanted = QtCore.pyqtSignal(int)
    renumber_wanted = QtCore.pyqtSignal(int)
    delete_wanted = QtCore.pyqtSignal(int, str)
    admit_wanted = QtCore.pyqtSignal(int, str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.tree = QtWidgets.QTreeWidget()
        self.tree.setHeaderLabels(["Object", "Frames"])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setContextMenuPolicy(Qt.CustomContextMenu)
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(_NAME, QtWidgets.QHeaderView.Stretch)
        self.tree.header().setSectionResizeMode(_FRAMES, QtWidgets.QHeaderView.ResizeToContents)
        self.tree.customContextMenuRequested.connect(self._show_menu)
        self.tree.itemClicked.connect(lambda item: self.selected.emit(item.data(_NAME, _ID)))
        self.tree.itemDoubleClicked.connect(lambda item: self.opened.emit(item.data(_NAME, _ID)))
        self._empty = QtWidgets.QLabel()
        self._empty.setAlignment(Qt.AlignCenter)
        self._empty.setWordWrap(True)
        self._empty.setStyleSheet("color: palette(mid); padding: 12px;")
        self._pages = QtWidgets.QStackedLayout(self)  # as wide as the wider page, so that the panel keeps its width
        self._pages.addWidget(self._empty)
        self._pages.addWidget(self.tree)
        self.show_tracks((), 0, frozenset())

    def show_tracks(
        self, tracks: Iterable[Track], total: int, here: frozenset[int], absent: frozenset[int] = frozenset()
    ) -> None:
        """Show the tracks of a video of `total` frames; 0 where none is open.

        Args:
            here: the ids in the frame that is shown; `absent`: those of which a person says that they are not.
        """
        self._here, self._absent_here = here, absent
        tracks = tuple(tracks)
        known = {item.data(_NAME, _ID): item for item in self._items()}
        with QtCore.QSignalBlocker(self.tree):
            for object_id in known.keys() - {track.object_id for track in tracks}:
                self.tree.takeTopLevelItem(self.tree.indexOfTopLevelItem(known[object_id]))
            for row, track in enumerate(tracks):
                item = known.get(track.object_id) or self._new_item(row, track.object_id)
                self._fill(item, track, total)
        self._empty.setText("No objects yet.\nPress Q and click on one." if total else "No video is open.")
        self._pages.setCurrentWidget(self.tree if tracks else self._empty)

    def checked_ids(self) -> tuple[int, ...]:
        """Ids of the objects that take part in a propagation."""
        return tuple(item.data(_NAME, _ID) for item in self._items() if item.checkState(_NAME) == Qt.Checked)

    def current_id(self) -> int | None:
        item = self.tree.currentItem()
        return None if item is None else item.data(_NAME, _ID)

    def select(self, object_id: int | None) -> None:
        """Mark an object as the current one; emits nothing."""
        with QtCore.QSignalBlocker(self.tree):
            item = next((item for item in self._items() if item.data(_NAME, _ID) == object_id), None)
            self.tree.setCurrentItem(item)

    def step(self, by: int) -> None:
        """Select the next or previous object."""
        items = self._items()
        if items:
            current = self.tree.currentItem()
            row = (items.index(current) + by) if current in items else (0 if by > 0 else -1)
            object_id = items[row % len(items)].data(_NAME, _ID)
            self.select(object_id)
            self.selected.emit(object_id)

    def _items(self) -> list[QtWidgets.QTreeWidgetItem]:
        return [self.tree.topLevelItem(row) for row in range(self.tree.topLevelItemCount())]

    def _new_item(self, row: int, object_id: int) -> QtWidgets.QTreeWidgetItem:
        item = QtWidgets.QTreeWidgetItem()
        item.setData(_NAME, _ID, object_id)
        item.setIcon(_NAME, _swatch(object_color(object_id)))
        item.setCheckState(_NAME, Qt.Checked)
        item.setToolTip(_NAME, "Checked objects take part in a propagation.\nRight click: rename, delete, ...")
        self.tree.insertTopLevelItem(row, item)
        return item

    def _fill(self, item: QtWidgets.QTreeWidgetItem, track: Track, total: int) -> None:
        is_absent = track.object_id in self._absent_here
        item.setText(_NAME, f"{track.object_id}  {track.label}{_NOT_HERE if is_absent else ''}")
        item.setText(_FRAMES, f"{len(track.frames)}/{total}")
        item.setData(_FRAMES, _ABSENT, len(track.absent_frames))
        absent = f", not there in {len(track.absent_frames)} (said by hand)" if track.absent_frames else ""
        keys = len(track.key_frames)
        item.setToolTip(_FRAMES, f"{len(track.frames)} of {total} frames, {keys} made or approved by hand{absent}")
        font = item.font(_NAME)
        font.setBold(track.object_id in self._here)
        font.setItalic(is_absent)
        item.setFont(_NAME, font)

    def _show_menu(self, position: QtCore.QPoint) -> None:
        clicked = self.tree.itemAt(position)
        object_id = None if clicked is None else clicked.data(_NAME, _ID)
        self.menu_opening.emit()
        item = next((item for item in self._items() if item.data(_NAME, _ID) == object_id), None)
        if item is None:
            return
        menu = QtWidgets.QMenu(self)
        menu.addAction("Refine with SAM", lambda: self.refine_wanted.emit(object_id))
        menu.addAction("Paint with the brush", lambda: self.paint_wanted.emit(object_id))
        menu.addSeparator()
        menu.addAction("Rename…", lambda: self.rename_wanted.emit(object_id))
        menu.addAction("Change id…", lambda: self.renumber_wanted.emit(object_id))
        menu.addAction("Go to first frame", lambda: self.opened.emit(object_id))
        menu.addSeparator()
        is_here, is_absent = object_id in self._here, object_id in self._absent_here
        frame = [("Delete in this frame" if is_here else "Not in this frame", "frame")] if not is_absent else []
        for text, where in (*frame, ("Delete from this frame on", "onward"), ("Delete in the whole video", "video")):
            menu.addAction(text, lambda where=where: self.delete_wanted.emit(object_id, where))
        if is_absent:
            menu.addAction("May be in this frame again", lambda: self.admit_wanted.emit(object_id, "frame"))
        if item.data(_FRAMES, _ABSENT):
            menu.addAction("May be in all frames again", lambda: self.admit_wanted.emit(object_id, "video"))
        menu.popup(self.tree.viewport().mapToGlobal(position))


def _swatch(color: QtGui.QColor) -> QtGui.QIcon:
    pixmap = QtGui.QPixmap(14, 14)
    pixmap.fill(Qt.transparent)
    painter = QtGui.QPainter(pixmap)
    painter.setRenderHint(QtGui.QPainter.Antialiasing)
    painter.setBrush(color)
    painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 1.5))
    painter.drawRoundedRect(QtCore.QRectF(0.5, 0.5, 13, 13), 3, 3)
    painter.end()
    return QtGui.QIcon(pixmap)
