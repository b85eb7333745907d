"""The proposals of the segmenter, as thumbnails to choose from."""

from collections.abc import Sequence

import numpy as np
from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import bounding_box
from sam_annotator.core.prompt import Proposal
from sam_annotator.gui.canvas.overlay import picture_of

_THUMBNAIL = QtCore.QSize(92, 72)
_COLOR = QtGui.QColor(255, 214, 10)


class ProposalsPanel(QtWidgets.QWidget):
    """Up to three thumbnails with scores, and buttons to accept or reject.

    Signals:
        chosen(int): a thumbnail was clicked; its index.
        accepted(): the accept button was pressed.
        rejected(): the reject button was pressed.
    """

    chosen = QtCore.pyqtSignal(int)
    accepted = QtCore.pyqtSignal()
    rejected = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons = [self._make_button(index) for index in range(3)]
        self._accept = QtWidgets.QPushButton("Accept")
        self._accept.setToolTip("Accept this mask and name it (Enter)")
        self._accept.clicked.connect(self.accepted)
        self._reject = QtWidgets.QPushButton("Reject")
        self._reject.setToolTip("Forget the clicks (Esc)")
        self._reject.clicked.connect(self.rejected)
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(6, 4, 6, 6)
        layout.setSpacing(4)
        for column, button in enumerate(self._buttons):
            layout.addWidget(button, 0, column)
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self._accept)
        buttons.addWidget(self._reject)
        layout.addLayout(buttons, 1, 0, 1, 3)
        self.clear()

    def show_proposals(self, image: QtGui.QImage, proposals: Sequence[Proposal], current: int) -> None:
        """Show proposals over the image they belong to; `current` is the chosen one."""
        for index, button in enumerate(self._buttons):
            known = index < len(proposals)
            button.setEnabled(known)
            button.setChecked(known and index == current)
            if known:
                button.setIcon(QtGui.QIcon(_thumbnail(image, proposals[index])))
                button.setText(f"{index + 1}   {proposals[index].score:.2f}")
            else:
                button.setIcon(QtGui.QIcon())
                button.setText(str(index + 1))
        self._accept.setEnabled(bool(proposals))
        self._reject.setEnabled(bool(proposals))

    def clear(self) -> None:
        """No proposals."""
        self.show_proposals(QtGui.QImage(), (), 0)

    def _make_button(self, index: int) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton()
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonTextUnderIcon)
        button.setIconSize(_THUMBNAIL)
        button.setFixedHeight(_THUMBNAIL.height() + 26)
        # As wide with a thumbnail as without: else the dock grows, and the image shrinks under the person's hand.
        button.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        button.setMinimumWidth(_THUMBNAIL.width())
        button.setToolTip(f"Proposal {index + 1} (key {index + 1}, Tab for the next)")
        button.clicked.connect(lambda: self.chosen.emit(index))
        return button


def _thumbnail(image: QtGui.QImage, proposal: Proposal) -> QtGui.QPixmap:
    """The part of the image around the mask, the mask tinted."""
    area = _area_around(proposal.mask)
    size = area.size().scaled(_THUMBNAIL, Qt.KeepAspectRatio).expandedTo(QtCore.QSize(1, 1))
    picture = _shrunk(image, area, size)
    every = max(1, area.width() // (2 * size.width()))  # pixels of the mask that are taken, of large ones
    crop = proposal.mask[area.top() : area.bottom() + 1 : every, area.left() : area.right() + 1 : every]
    pen = QtGui.QPen(_COLOR, 1.6)
    pen.setCosmetic(True)
    painter = QtGui.QPainter(picture)
    painter.setRenderHint(QtGui.QPainter.Antialiasing)
    picture_of(crop).paint(painter, every * size.width() / max(area.width(), 1), _COLOR, 100, pen)
    painter.end()
    return QtGui.QPixmap.fromImage(picture)


def _shrunk(image: QtGui.QImage, area: QtCore.QRect, size: QtCore.QSize) -> QtGui.QImage:
    """A part of the image in another size; coarsely at first: smoothing all of a large one would show no better."""
    coarse = QtGui.QImage(2 * size, QtGui.QImage.Format_RGB32)
    painter = QtGui.QPainter(coarse)
    painter.drawImage(coarse.rect(), image, area)
    painter.end()
    return coarse.scaled(size, Qt.IgnoreAspectRatio, Qt.SmoothTransformation)


def _area_around(mask: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> QtCore.QRect:
    height, width = mask.shape
    whole = QtCore.QRect(0, 0, width, height)
    box = bounding_box(mask)
    if box is None:
        return whole
    left, top, right, bottom = box
    margin = max(right - left, bottom - top) // 4 + 4
    return QtCore.QRect(left, top, right - left, bottom - top).adjusted(-margin, -margin, margin, margin) & whole
