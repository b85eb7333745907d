"""The lines that always say: what is at work, what to do next, whether it is saved. And the banner."""

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt


class StatusLine(QtCore.QObject):
    """Permanent texts at the right of the status bar; the hint at its left is the canvas's own."""

    def __init__(self, bar: QtWidgets.QStatusBar) -> None:
        super().__init__(bar)
        self._segmenter, self._propagator, self._doing = "", "", ""
        self.engine = QtWidgets.QLabel()
        self.saved = QtWidgets.QLabel()
        for label in (self.engine, self.saved):
            label.setContentsMargins(8, 0, 8, 0)
            bar.addPermanentWidget(label)

    def show_engines(self, segmenter: str, propagator: str) -> None:
        """Names of what is at work; empty for what is not loaded yet."""
        self._segmenter, self._propagator = segmenter, propagator
        self._refresh()

    def show_doing(self, text: str) -> None:
        """What the engine is doing; empty when it is idle."""
        self._doing = text
        self._refresh()

    def show_saved(self, text: str, good: bool = True) -> None:
        self.saved.setText(text)
        self.saved.setStyleSheet("" if good else "color: white; background: #c0392b; font-weight: bold;")

    def _refresh(self) -> None:
        names = dict.fromkeys(name for name in (self._segmenter, self._propagator) if name)
        self.engine.setText(f"{' + '.join(names) or 'models not loaded yet'}  ·  {self._doing or 'ready'}")


class _WrappingLabel(QtWidgets.QLabel):
    """A label as high as its wrapped text; in a toolbar, Qt would reserve the height of a narrow one."""

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setFixedHeight(max(self.heightForWidth(self.width()), self.fontMetrics().height()))


class Banner(QtWidgets.QToolBar):
    """One sentence across the window, which the person can put away."""

    def __init__(self, parent: QtWidgets.QMainWindow) -> None:
        super().__init__("Banner", parent)
        self.setObjectName("Banner")
        self.setMovable(False)
        self.setContextMenuPolicy(Qt.PreventContextMenu)
        self.toggleViewAction().setVisible(False)
        self.setStyleSheet(
            "QToolBar { background: #fff4d6; border: 0; border-bottom: 1px solid #e2c87f; padding: 2px; }"
        )
        self.label = _WrappingLabel(wordWrap=True)
        self.label.setStyleSheet("color: #5a4a14; padding: 3px 8px;")
        self.label.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.label.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Preferred)
        self.close_button = QtWidgets.QToolButton(text="×", autoRaise=True, toolTip="Put this away")
        self.close_button.setStyleSheet("color: #5a4a14; font-weight: bold;")
        self.close_button.clicked.connect(self.hide)
        self.addWidget(self.label)
        self.addWidget(self.close_button)
        self.hide()

    def show_text(self, text: str | None) -> None:
        """Show a sentence, or nothing."""
        self.label.setText(text or "")
        self.setVisible(bool(text))
