"""Driving the real window with mouse and keys, as a person would: for the demonstration and for tests."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.errors import AnnotatorError

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


class Driver:
    """Hands and eyes for one window. Positions are pixels of the image."""

    def __init__(self, window: "AnnotationWindow") -> None:
        self.window = window

    def close(self) -> None:
        """Close the window; a proposal that is open is dropped, which a person would be asked about."""
        self.window.sam_tool.forget()
        self.window.close()

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 120.0) -> None:
        """Let the program run until the condition is true.

        Raises:
            AnnotatorError: it did not become true in time; the sentence says `what` was waited for.
        """
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AnnotatorError(f"Waited {seconds:.0f} s for {what}, in vain. {self.dialog_text()}")
            QtWidgets.QApplication.processEvents(QtCore.QEventLoop.AllEvents, 20)
            QtCore.QThread.msleep(2)

    def open(self, path: Path) -> None:
        """Open a folder of videos, and wait until its first video can be worked on."""
        self.window.open_path(path)
        self.wait(lambda: self.window.session.tracks is not None, f"{path} to open")

    def open_video(self, name: str) -> None:
        """Choose a video in the list, and wait until it can be worked on."""
        names = [video.name for video in self.window.session.videos]
        row = names.index(name)
        view = self.window.videos_panel.view
        index = view.model().index(row, 0)
        view.scrollTo(index)
        QtTest.QTest.mouseClick(view.viewport(), Qt.LeftButton, Qt.NoModifier, view.visualRect(index).center())
        session = self.window.session
        self.wait(lambda: session.row == row and session.tracks is not None, f"video {name} to open")
        self.focus()

    def go_to(self, index: int) -> None:
        """Click on the slider."""
        slider = self.window.timeline.slider
        place = QtCore.QPoint(int(slider.x_of(index)), slider.height() // 2)
        QtTest.QTest.mouseClick(slider, Qt.LeftButton, Qt.NoModifier, place)
        self.wait(lambda: self.window.session.index == index, f"frame {index}")

    def click(self, x: float, y: float, include: bool = True) -> None:
        """Click on the image, left to include, right to exclude."""
        button = Qt.LeftButton if include else Qt.RightButton
        QtTest.QTest.mouseClick(self.window.canvas, button, Qt.NoModifier, self._place(x, y))
        QtWidgets.QApplication.processEvents()  # what the click asks for is queued now

    def hover(self, x: float, y: float) -> None:
        """Move the mouse over a place of the image, no button held."""
        _move(self.window.canvas, self._place(x, y), Qt.NoButton)
        QtWidgets.QApplication.processEvents()

    def drag(self, left: float, top: float, right: float, bottom: float) -> None:
        """Drag with the left button over the image."""
        canvas, first, last = self.window.canvas, self._place(left, top), self._place(right, bottom)
        QtTest.QTest.mousePress(canvas, Qt.LeftButton, Qt.NoModifier, first)
        for part in (0.3, 0.6, 1.0):
            _move(canvas, first + (last - first) * part)
        QtTest.QTest.mouseRelease(canvas, Qt.LeftButton, Qt.NoModifier, last)
        QtWidgets.QApplication.processEvents()

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        """Press a key on the canvas."""
        self.focus()
        QtTest.QTest.keyClick(self.window.canvas, key, modifiers)

    def proposals(self) -> None:
        """Wait for the answer to the last click."""
        self.wait(lambda: self.window.sam_tool.proposals, "proposals")

    def name(self, category: str) -> None:
        """Answer the dialog for names: type the category, press Enter."""
        self.wait(lambda: self.window.naming.dialog is not None, "the dialog for names")
        line = self.window.naming.dialog.category
        line.selectAll()
        _type(line, category)
        QtTest.QTest.keyClick(line, Qt.Key_Return)
        self.wait(lambda: self.window.naming.dialog is None, "the dialog to close")
        self.focus()

    def propagation(self, seconds: float = 600.0) -> None:
        """Wait for the end of the propagation."""
        self.wait(lambda: not self.window.propagation.is_running, "the propagation", seconds)

    def focus(self) -> None:
        """The window and its canvas get the keys, as after a click."""
        self.window.activateWindow()
        QtWidgets.QApplication.setActiveWindow(self.window)
        self.window.canvas.setFocus()
        QtWidgets.QApplication.processEvents()

    def look(self, seconds: float = 0.15) -> None:
        """Let the window paint and settle."""
        QtTest.QTest.qWait(int(seconds * 1000))

    def picture(self, path: Path) -> None:
        """Save what the window, or the dialog over it, looks like now."""
        self.look()
        pixmap = self.window.grab()
        dialog = QtWidgets.QApplication.activeModalWidget()
        if dialog is not None:
            from PyQt5 import QtGui

            painter = QtGui.QPainter(pixmap)
            corner = self.window.rect().center() - dialog.rect().center()
            painter.fillRect(dialog.rect().translated(corner).adjusted(-2, -2, 2, 2), Qt.darkGray)
            painter.drawPixmap(corner, dialog.grab())
            painter.end()
        path.parent.mkdir(parents=True, exist_ok=True)
        pixmap.save(str(path))

    def dialog_text(self) -> str:
        """What the message box that is open says; empty if there is none."""
        boxes = self.window.findChildren(QtWidgets.QMessageBox)
        return " ".join(box.text() for box in boxes if box.isVisible())

    def _place(self, x: float, y: float) -> QtCore.QPoint:
        canvas = self.window.canvas
        place = QtCore.QPointF(x, y) * canvas.scale + canvas.image_origin()
        return place.toPoint()


def _type(line: QtWidgets.QLineEdit, text: str) -> None:
    """Type on the keyboard, or as an input method does (QTest aborts at a letter that is not Latin)."""
    if text.isascii():
        QtTest.QTest.keyClicks(line, text)
        return
    from PyQt5 import QtGui

    event = QtGui.QInputMethodEvent()
    event.setCommitString(text)
    QtWidgets.QApplication.sendEvent(line, event)


def _move(widget: QtWidgets.QWidget, place: QtCore.QPoint, held: Qt.MouseButton = Qt.LeftButton) -> None:
    """Move the mouse (QTest.mouseMove forgets the button, and does nothing where the cursor is there already)."""
    from PyQt5 import QtGui

    event = QtGui.QMouseEvent(QtCore.QEvent.MouseMove, QtCore.QPointF(place), Qt.NoButton, held, Qt.NoModifier)
    QtWidgets.QApplication.sendEvent(widget, event)
