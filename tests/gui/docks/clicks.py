"""How the tests of the panels click."""

from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt


def left_click(widget: QtWidgets.QWidget, place: QtCore.QPoint | None = None) -> None:
    QtTest.QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, place or widget.rect().center())
