"""A status bar whose texts may be of any length: what does not fit is cut with an ellipsis, and is in the tool tip."""

from typing import Final

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

_LEAST: Final = 6
"""Characters that are always shown."""


class CutLabel(QtWidgets.QLabel):
    """One line of plain text.

    Args:
        share: of the width of a status bar it has at most this part; None: it takes what others leave.
    """

    def __init__(self, text: str = "", *, cut: Qt.TextElideMode = Qt.ElideMiddle, share: float | None = None) -> None:
        super().__init__(textFormat=Qt.PlainText)
        self._whole, self._cut, self.share = "", cut, share
        if share is None:
            self.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Preferred)
        self.setText(text)

    def text(self) -> str:
        """All of it, whatever of it is shown."""
        return self._whole

    def setText(self, text: str) -> None:  # noqa: N802  Qt's name
        self._whole = text
        self._show()
        self.updateGeometry()

    def sizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(self._around() + self._needed(), super().sizeHint().height())

    def minimumSizeHint(self) -> QtCore.QSize:
        least = _LEAST * self.fontMetrics().averageCharWidth()
        return QtCore.QSize(self._around() + min(self._needed(), least), super().minimumSizeHint().height())

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show()

    def changeEvent(self, event: QtCore.QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QtCore.QEvent.FontChange, QtCore.QEvent.StyleChange):
            self._show()

    def _around(self) -> int:
        margins = self.contentsMargins()
        return int(margins.left() + margins.right())

    def _needed(self) -> int:
        return int(self.fontMetrics().horizontalAdvance(self._whole)) + 2

    def _show(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._cut, self.contentsRect().width())
        super().setText(shown)
        self.setToolTip("" if shown == self._whole else self._whole)


class StatusBar(QtWidgets.QStatusBar):
    """Qt cuts a message off where the texts at the right begin."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.messageChanged.connect(lambda _text: self._explain())

    def shown_message(self) -> str:
        """What of the message there is room for."""
        return self.fontMetrics().elidedText(self.currentMessage(), Qt.ElideRight, self._room().width())

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        for label in self.findChildren(CutLabel):
            if label.share is not None:
                label.setMaximumWidth(int(label.share * self.width()))
        self._explain()

    def event(self, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.ToolTip:
            self._explain()  # what stands at the right may have grown since, or have left
        return bool(super().event(event))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if self.currentMessage():
            painter = QtGui.QPainter(self)
            painter.setPen(self.palette().windowText().color())
            painter.drawText(self._room(), Qt.AlignVCenter | Qt.TextSingleLine, self.shown_message())
        else:
            super().paintEvent(event)

    def _room(self) -> QtCore.QRect:
        """Left of what stays while there is a message."""
        staying = [
            widget.x()
            for widget in self.findChildren(QtWidgets.QWidget, options=Qt.FindDirectChildrenOnly)
            if widget.isVisible()
        ]
        return QtCore.QRect(6, 0, min([self.width() - 12, *staying]) - 12, self.height())

    def _explain(self) -> None:
        self.setToolTip(self.currentMessage() if self.shown_message() != self.currentMessage() else "")
