"""A strip across the window: a sentence, what can be done about it, and how far that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

_STYLE = """
QToolBar { background: #fff4d6; border: 0; border-bottom: 1px solid #e2c87f; padding: 2px; }
QLabel { color: #5a4a14; padding: 3px 8px; }
QToolButton { color: #5a4a14; background: #fffaf0; border: 1px solid #d8bd72; border-radius: 3px; padding: 3px 9px; }
QToolButton:hover { background: #fff; border-color: #b8963c; }
QToolButton:pressed { background: #f6e6b8; }
QToolButton[popupMode="1"] { padding-right: 20px; }
QToolButton::menu-button { border: 0; width: 16px; }
QToolButton#close { background: transparent; border: 0; font-weight: bold; padding: 2px 6px; }
QProgressBar { border: 1px solid #d8bd72; border-radius: 3px; background: #fffaf0; height: 12px; }
QProgressBar::chunk { background: #e0b94a; border-radius: 2px; }
"""
_PER_MILLE = 1000


@dataclass(frozen=True)
class Choice:
    """A button.

    Attributes:
        text, tip: what it says, and says more of.
        action: what it does.
        others: entries of a menu beside it: text and action of each.
    """

    text: str
    action: Callable[[], object]
    tip: str = ""
    others: tuple[tuple[str, Callable[[], object]], ...] = ()


class _WrappingLabel(QtWidgets.QLabel):
    """A label as high as its wrapped text; in a toolbar, Qt would reserve the height of a narrow one.

    Hidden, it may be that narrow, and a window that has grown for it does not shrink again: a line is enough then.
    """

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self.fit()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        QtCore.QTimer.singleShot(0, self.fit)  # it has its width then

    def fit(self) -> None:
        self.setMinimumHeight(0)  # it counts in the next line: the label would grow, and never shrink
        wrapped = self.heightForWidth(self.width()) if self.isVisible() else 0
        self.setFixedHeight(max(wrapped, self.fontMetrics().height()))


class Banner(QtWidgets.QToolBar):
    """Hidden while there is nothing to say.

    Signals:
        put_away(): the person closed it.
    """

    put_away = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QMainWindow) -> None:
        super().__init__("Banner", parent)
        self.setObjectName("Banner")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.PreventContextMenu)
        self.toggleViewAction().setVisible(False)
        self.setStyleSheet(_STYLE)
        self.label = _WrappingLabel(wordWrap=True)
        self.label.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.label.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Preferred)
        self.progress = QtWidgets.QProgressBar(textVisible=False)
        self.progress.setFixedWidth(260)
        self.buttons: list[QtWidgets.QToolButton] = []
        self.close_button = QtWidgets.QToolButton(text="×", toolTip="Put this away", objectName="close")
        self.close_button.clicked.connect(self.hide)
        self.close_button.clicked.connect(self.put_away)
        self._row = QtWidgets.QWidget()
        self.addWidget(self._build())
        self.hide()

    def show_text(self, text: str | None, choices: Sequence[Choice] = ()) -> None:
        """Show a sentence and what can be done, or (None) nothing."""
        self._replace_buttons(choices)
        self.progress.hide()
        self._say(text or "")
        self.setVisible(bool(text))

    def show_progress(self, text: str, done: int, total: int | None) -> None:
        """Show how far something is; of an unknown `total`, that it goes on. The buttons stay."""
        self.progress.setRange(0, _PER_MILLE if total else 0)
        self.progress.setValue(int(_PER_MILLE * done / total) if total else 0)
        self.progress.show()
        self._row.show()
        self._say(text)

    def _say(self, text: str) -> None:
        if text != self.label.text():
            self.label.setText(text)
            self.label.fit()

    def _build(self) -> QtWidgets.QWidget:
        # one widget: of several, a toolbar hides those that find no room
        whole = QtWidgets.QWidget()
        grid = QtWidgets.QGridLayout(whole)
        grid.setContentsMargins(2, 2, 2, 2)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.label, 0, 0)
        grid.addWidget(self.close_button, 0, 1, Qt.AlignTop)
        grid.addWidget(self._row, 1, 0, 1, 2)
        row = QtWidgets.QHBoxLayout(self._row)
        row.setContentsMargins(8, 0, 8, 3)
        row.setSpacing(6)
        row.addWidget(self.progress)
        row.addStretch(1)
        return whole

    def _replace_buttons(self, choices: Sequence[Choice]) -> None:
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self.buttons = [self._build_button(choice) for choice in choices]
        row = self._row.layout()
        for button in self.buttons:
            row.insertWidget(row.count() - 1, button)
        self._row.setVisible(bool(choices))

    def _build_button(self, choice: Choice) -> QtWidgets.QToolButton:
        button = QtWidgets.QToolButton(text=choice.text, toolTip=choice.tip)
        button.clicked.connect(lambda _checked=False: choice.action())
        if choice.others:
            menu = QtWidgets.QMenu(button)
            for text, action in choice.others:
                menu.addAction(text).triggered.connect(lambda _checked=False, action=action: action())
            button.setMenu(menu)
            button.setPopupMode(QtWidgets.QToolButton.MenuButtonPopup)
        return button
