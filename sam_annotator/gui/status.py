"""The lines that always say: what is at work, what to do next, whether it is saved."""

from typing import Final

from PyQt5 import QtCore, QtGui, QtWidgets

from sam_annotator.gui.canvas.colors import LAMP_COLORS
from sam_annotator.gui.docks.encoded import Encoded
from sam_annotator.gui.status_bar import CutLabel

_HINT_MS: Final = 6000

PAUSED: Final = "paused"
"""What is said of a run that is."""


class StatusLine(QtCore.QObject):
    """Permanent texts at the right of the status bar; the hint at its left is the canvas's own."""

    def __init__(self, bar: QtWidgets.QStatusBar) -> None:
        super().__init__(bar)
        self._bar = bar
        self._hint, self._hint_is_old = "", False
        self._result = ""
        self._end_of_action = QtCore.QTimer(self, singleShot=True, interval=0)
        self._end_of_action.timeout.connect(self._age_hint)
        self._segmenter = self._propagator = self._doing = self._run = ""
        self.lamp = Lamp()
        bar.addPermanentWidget(self.lamp)
        self.engine, self.saved = CutLabel(share=0.4), CutLabel(share=0.22)
        for label in (self.engine, self.saved):
            label.setContentsMargins(8, 0, 8, 0)
            bar.addPermanentWidget(label)

    def show_hint(self, text: str) -> None:
        """A sentence at the left for a few seconds, or until what it speaks of has changed."""
        self._hint, self._hint_is_old = text, False
        self._bar.showMessage(text, _HINT_MS)
        self._end_of_action.start()

    def _age_hint(self) -> None:
        self._hint_is_old = True

    def drop_hint(self) -> None:
        """What was clicked, proposed or shown has changed: a hint from an earlier action has had its day."""
        if self._hint_is_old and self._bar.currentMessage() == self._hint:
            self._bar.clearMessage()

    def show_result(self, text: str) -> None:
        """How a run ended: a sentence at the left for a few seconds, whichever frame is shown meanwhile."""
        self._result = text
        self._bar.showMessage(text, _HINT_MS)

    def drop_result(self) -> None:
        """Another run begins, another video is opened, or an object is clicked on: what to do next counts more."""
        self.take_back(self._result)

    def take_back(self, hint: str) -> None:
        """This hint is not true any more."""
        if hint and self._bar.currentMessage() == hint:
            self._bar.clearMessage()

    def show_engines(self, segmenter: str, propagator: str) -> None:
        """Names of what is at work; empty for what is not loaded yet."""
        self._segmenter, self._propagator = segmenter, propagator
        self._refresh()

    def show_doing(self, text: str, run: bool = False) -> None:
        """What the engine is doing for the person, or for the run, which it does meanwhile; empty when it is idle."""
        self._doing, self._run = (self._doing, text) if run else (text, self._run)
        self._refresh()

    def show_encoded(self, encoded: Encoded) -> None:
        """Whether the frame that is shown is ready for clicks."""
        self.lamp.show_state(encoded.state_of(encoded.index))

    def show_saved(self, text: str, good: bool = True) -> None:
        self.saved.setText(text)
        self.saved.setStyleSheet("" if good else "color: white; background: #c0392b; font-weight: bold;")

    def _refresh(self) -> None:
        names = dict.fromkeys(name for name in (self._segmenter, self._propagator) if name)
        doing = self._doing or self._run
        if self._run == PAUSED and self._doing:  # what goes on meanwhile does not end the pause
            doing = f"{PAUSED}; {self._doing}"
        said = (" + ".join(names), doing or "ready") if names else (doing or "models are loaded at first use",)
        self.engine.setText("  ·  ".join(said))


class Lamp(QtWidgets.QWidget):
    """A small round light: a ring for a frame that is not encoded yet, half full while it is, full when it is done."""

    _SAYS: Final = {
        "encoded": "This frame is encoded: a click is answered at once.",
        "encoding": "This frame is being encoded: a click waits for it, and is then answered.",
        "not yet": "This frame is not encoded yet: the first click waits for it. "
        "With a SAM tool chosen, it begins by itself.",
        "": "No frame is shown.",
    }

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = ""
        self.setFixedSize(20, 16)
        self.show_state("")

    def show_state(self, state: str) -> None:
        """Show one of `encoded`, `encoding`, `not yet`; empty where there is no frame."""
        self.state = state
        self.setToolTip(self._SAYS[state])
        self.setAccessibleName(self._SAYS[state])
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if not self.state:
            return
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        ring = QtCore.QRectF(self.width() / 2 - 4.5, self.height() / 2 - 4.5, 9, 9)
        color = LAMP_COLORS[self.state]
        painter.setPen(QtGui.QPen(color.darker(130), 1.2))
        painter.drawEllipse(ring)
        painter.setBrush(color)
        if self.state == "encoded":
            painter.drawEllipse(ring)
        elif self.state == "encoding":
            painter.drawPie(ring, 90 * 16, 180 * 16)
