"""The frames of the video as a slider that shows what is annotated, and the controls of a propagation."""

from collections.abc import Iterable
from dataclasses import dataclass

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.gui.canvas.colors import LAMP_COLORS
from sam_annotator.gui.docks.encoded import Encoded

_MARGIN = 8
_EMPTY, _FILLED = QtGui.QColor(205, 208, 213), QtGui.QColor(126, 178, 140)
_KEY, _DOUBTFUL = QtGui.QColor(38, 108, 214), QtGui.QColor(230, 126, 34)


TO_NEXT_KEY, BETWEEN_KEYS, WHOLE_VIDEO = "next", "between", "whole"
"""Choices that are more than a direction: the range follows from the key frames."""

_DIRECTIONS = (
    ("Forward", "forward", "From this frame to the end of the range"),
    ("Backward", "backward", "From this frame back to the beginning of the range"),
    ("Both ways", "both", "From this frame forward to the end of the range, then backward to its beginning"),
    ("To next key", TO_NEXT_KEY, "From this frame to the next key frame of the checked objects"),
    ("Between keys", BETWEEN_KEYS, "The frames between the key frames before and after this frame"),
    ("Whole video", WHOLE_VIDEO, "Every frame, from each checked object's own key frames, forward and backward"),
)


@dataclass(frozen=True)
class FrameMarks:
    """What the slider shows of a video: indices of frames.

    Attributes:
        filled: frames with a mask of an object.
        keys: frames where a human made or approved one.
        doubtful: frames where a mask may have drifted.
        absent: frames of which a human says that an object is not there.
    """

    filled: frozenset[int] = frozenset()
    keys: frozenset[int] = frozenset()
    doubtful: frozenset[int] = frozenset()
    absent: frozenset[int] = frozenset()


class FrameSlider(QtWidgets.QWidget):
    """A bar with one place a frame; click or drag to go there.

    Signals:
        moved(int): the person wants this frame.
    """

    moved = QtCore.pyqtSignal(int)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._total, self._index = 0, 0
        self._marks = FrameMarks()
        self._range: tuple[int, int] | None = None
        self._encoded = Encoded()
        self.setMinimumHeight(30)
        self.setMinimumWidth(160)
        self.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self.setToolTip(
            "Blue: made by hand. Green: propagated. Orange: doubtful. Grey: nothing yet.\n"
            "Blue above and below: an object is not there, said by hand.\n"
            "Thin line above: encoded, a click is answered at once; amber: being encoded."
        )

    def show_frames(self, total: int, index: int) -> None:
        self._total, self._index = total, index
        self.update()

    def show_marks(self, marks: FrameMarks) -> None:
        self._marks = marks
        self.update()

    def show_range(self, frames: tuple[int, int] | None) -> None:
        """Underline the range of a propagation, both ends inside."""
        self._range = frames
        self.update()

    def show_encoded(self, encoded: Encoded) -> None:
        """A thin line above the frames that are ready for clicks."""
        self._encoded = encoded
        self.update()

    def x_of(self, index: int) -> float:
        """The middle of a frame's place, in pixels."""
        return _MARGIN + (index + 0.5) * self._step()

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._total and event.buttons() & Qt.LeftButton:
            index = int((event.localPos().x() - _MARGIN) / self._step())
            self.moved.emit(min(max(index, 0), self._total - 1))

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        middle = self.height() / 2
        bar = QtCore.QRectF(_MARGIN, middle - 4, max(self.width() - 2 * _MARGIN, 1), 8)
        if self._total:
            self._fill(painter, self._marks.absent, _KEY, bar.adjusted(0, -4, 0, 4), least=3.0)
        painter.setBrush(_EMPTY)
        painter.drawRoundedRect(bar, 3, 3)
        if not self._total:
            return
        self._fill(painter, self._marks.filled, _FILLED, bar)
        self._fill(painter, self._marks.doubtful, _DOUBTFUL, bar)
        self._fill(painter, self._marks.keys, _KEY, bar.adjusted(0, -4, 0, 4), least=3.0)
        lamps = QtCore.QRectF(bar.left(), bar.top() - 9, bar.width(), 2.5)
        self._fill(painter, self._encoded.frames, LAMP_COLORS["encoded"], lamps, least=2.0)
        if self._encoded.encoding is not None:
            self._fill(painter, [self._encoded.encoding], LAMP_COLORS["encoding"], lamps, least=3.0)
        if self._range:
            painter.setBrush(QtGui.QColor(90, 90, 100))
            left, right = self.x_of(self._range[0]), self.x_of(self._range[1])
            painter.drawRect(QtCore.QRectF(left, bar.bottom() + 5, max(right - left, 2), 2))
        self._paint_handle(painter, middle)

    def _fill(
        self, painter: QtGui.QPainter, frames: Iterable[int], color: QtGui.QColor, bar: QtCore.QRectF, least: float = 1
    ) -> None:
        painter.setBrush(color)
        width = max(self._step(), least)
        for first, last in _spans(frames):
            left, right = self.x_of(first) - width / 2, self.x_of(last) + width / 2
            painter.drawRect(QtCore.QRectF(left, bar.top(), right - left, bar.height()))

    def _paint_handle(self, painter: QtGui.QPainter, middle: float) -> None:
        painter.setBrush(QtGui.QColor(255, 255, 255))
        painter.setPen(QtGui.QPen(QtGui.QColor(60, 60, 66), 1.5))
        painter.drawRoundedRect(QtCore.QRectF(self.x_of(self._index) - 5, middle - 11, 10, 22), 3, 3)

    def _step(self) -> float:
        return max(self.width() - 2 * _MARGIN, 1) / max(self._total, 1)


def _spans(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Frames in a row as first and last of each row: one rectangle to paint instead of thousands."""
    spans: list[tuple[int, int]] = []
    for index in sorted(frames):
        if spans and index == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], index)
        else:
            spans.append((index, index))
    return spans


class RunBar(QtWidgets.QProgressBar):
    """Progress with a text of any length: what does not fit is left out, and is in the tool tip."""

    def __init__(self) -> None:
        super().__init__(textVisible=True)
        self.setMinimumWidth(100)

    def show_text(self, text: str) -> None:
        self.setFormat(text)
        self.setToolTip(text)

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionProgressBar()
        self.initStyleOption(option)
        option.text = self.fontMetrics().elidedText(option.text, Qt.ElideRight, self.width() - 12)
        QtWidgets.QStylePainter(self).drawControl(QtWidgets.QStyle.CE_ProgressBar, option)


class Timeline(QtWidgets.QWidget):
    """Step buttons, frame number, slider; below them range, direction, start, pause, cancel and progress.

    Signals:
        frame_wanted(int): go to this frame.
        step_wanted(int): go this many frames on.
        start_wanted(), repair_wanted(), pause_wanted(), cancel_wanted(): the propagation's buttons.
    """

    frame_wanted = QtCore.pyqtSignal(int)
    step_wanted = QtCore.pyqtSignal(int)
    start_wanted = QtCore.pyqtSignal()
    repair_wanted = QtCore.pyqtSignal()
    pause_wanted = QtCore.pyqtSignal()
    cancel_wanted = QtCore.pyqtSignal()

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._can_choose = False
        self.slider = FrameSlider()
        self.slider.moved.connect(self.frame_wanted)
        self.number = QtWidgets.QSpinBox(keyboardTracking=False, minimum=1)
        self.number.setToolTip("Frame number, from 1")
        self.number.setFixedWidth(82)
        self.number.valueChanged.connect(lambda value: self.frame_wanted.emit(value - 1))
        self.total_label = QtWidgets.QLabel()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(6, 2, 6, 4)
        layout.setSpacing(2)
        layout.addLayout(self._frame_row())
        layout.addLayout(self._run_row())
        self.show_video(0)

    def _frame_row(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        style = self.style()
        self._steps = []
        for icon, tip, by in (
            (QtWidgets.QStyle.SP_MediaSkipBackward, "First frame (Home)", -(10**9)),
            (QtWidgets.QStyle.SP_MediaSeekBackward, "10 frames back (Shift+Left)", -10),
            (QtWidgets.QStyle.SP_MediaSeekForward, "10 frames on (Shift+Right)", 10),
            (QtWidgets.QStyle.SP_MediaSkipForward, "Last frame (End)", 10**9),
        ):
            button = QtWidgets.QToolButton(autoRaise=True, toolTip=tip)
            button.setIcon(style.standardIcon(icon))
            button.setFocusPolicy(Qt.NoFocus)
            button.clicked.connect(lambda _=False, by=by: self.step_wanted.emit(by))
            self._steps.append(button)
            row.addWidget(button)
        row.addWidget(self.number)
        row.addWidget(self.total_label)
        row.addSpacing(8)
        row.addWidget(self.slider, 1)
        return row

    def _run_row(self) -> QtWidgets.QHBoxLayout:
        self.direction = QtWidgets.QComboBox()
        for text, value, tip in _DIRECTIONS:
            self.direction.addItem(text, value)
            self.direction.setItemData(self.direction.count() - 1, tip, Qt.ToolTipRole)
        self.direction.currentIndexChanged.connect(lambda _index: self._show_choice())
        self.first = QtWidgets.QSpinBox(minimum=1, toolTip="First frame that may be filled; none outside the range is")
        self.last = QtWidgets.QSpinBox(minimum=1, toolTip="Last frame that may be filled; none outside the range is")
        self.follow = QtWidgets.QCheckBox("Follow", checked=True, toolTip="Show each frame as it is computed")
        self.start = QtWidgets.QPushButton("Propagate")
        self.start.setToolTip("Carry the masks of the checked objects through the video (Space)")
        self.start.clicked.connect(self.start_wanted)
        self.repair = QtWidgets.QPushButton("Repair", enabled=False)
        self.repair.setToolTip(
            "Carry the objects that were corrected in this frame on anew, both ways, "
            "until the masks agree with the old ones (Shift+Space)"
        )
        self.repair.clicked.connect(self.repair_wanted)
        self.pause = QtWidgets.QPushButton("Pause")
        self.pause.clicked.connect(self.pause_wanted)
        self.cancel = QtWidgets.QPushButton("Cancel")
        self.cancel.setToolTip("Stop; what was computed is kept")
        self.cancel.clicked.connect(self.cancel_wanted)
        self.progress = RunBar()
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.direction)
        row.addWidget(QtWidgets.QLabel("from"))
        row.addWidget(self.first)
        row.addWidget(QtWidgets.QLabel("to"))
        row.addWidget(self.last)
        row.addWidget(self.follow)
        row.addStretch(1)
        row.addWidget(self.progress, 100)  # the stretch before it counts while it is hidden
        for button in (self.repair, self.start, self.pause, self.cancel):
            button.setFocusPolicy(Qt.NoFocus)
            row.addWidget(button)
        return row

    def show_video(self, total: int) -> None:
        """A new video: the range is the whole of it."""
        with QtCore.QSignalBlocker(self.number):
            self.number.setMaximum(max(total, 1))
            self.number.setSpecialValueText("" if total else "–")  # in the place of 1, which would be a frame
        for control in (self.number, *self._steps):
            control.setEnabled(total > 0)
        self.total_label.setText(f"of {total}" if total else "no frames")
        for box, value in ((self.first, 1), (self.last, max(total, 1))):
            box.setMaximum(max(total, 1))
            box.setValue(value)
            box.setSpecialValueText("" if total else "–")
        self.start.setEnabled(total > 1)
        self.show_idle()

    def show_frame(self, total: int, index: int) -> None:
        with QtCore.QSignalBlocker(self.number):
            self.number.setValue(index + 1)
        self.slider.show_frames(total, index)

    def frame_range(self) -> tuple[int, int]:
        """First and last frame index a propagation may fill, both inside."""
        first, last = self.first.value() - 1, self.last.value() - 1
        return min(first, last), max(first, last)

    def show_idle(self, text: str = "") -> None:
        """No propagation is running; `text` tells how the last one ended."""
        self._show_running(False)
        self.progress.setRange(0, 1)
        self.progress.setValue(0)
        self.progress.show_text(text)
        self.progress.setVisible(bool(text))
        self.slider.show_range(None)

    def show_run(self, done: int, total: int, text: str, paused: bool) -> None:
        """A propagation is running."""
        self._show_running(True)
        self.progress.setVisible(True)
        self.progress.setRange(0, max(total, 1))
        self.progress.setValue(done)
        self.progress.show_text(text)
        self.pause.setText("Go on" if paused else "Pause")
        self.pause.setToolTip("Go on (Space)" if paused else "Pause (Space)")

    def show_unpacking(self, done: int, total: int) -> None:
        """A video file is being unpacked; `total` is 0 where nobody knows it."""
        self._show_running(True, can_pause=False)
        self.progress.setVisible(True)
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.show_text(f"unpacking {done}/{total or '?'}")

    def _show_running(self, running: bool, can_pause: bool = True) -> None:
        self.start.setVisible(not running)
        self.repair.setVisible(not running)
        self.pause.setVisible(running and can_pause)
        self.cancel.setVisible(running)
        self._can_choose = not running and self.last.maximum() > 1
        self.direction.setEnabled(self._can_choose)
        self._show_choice()

    def _show_choice(self) -> None:
        """The range can be changed where it counts."""
        for box in (self.first, self.last):
            box.setEnabled(self._can_choose and self.direction.currentData() in ("forward", "backward", "both"))
        self.direction.setToolTip(self.direction.currentData(Qt.ToolTipRole))
