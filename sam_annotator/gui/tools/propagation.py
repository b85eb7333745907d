"""One propagation at a time, as the window sees it: start, pause, cancel, frames as they come, frames a second."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from PyQt5 import QtCore

from sam_annotator.core.remarks import Remark
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority

_WARM_UP_FRAMES = 2
_PEOPLES = ", as people have the say in all of them"


class PropagationTool(QtCore.QObject):
    """Runs a propagation on the engine thread.

    Signals:
        busy(str): what is being done before the first frame.
        frame_done(object): a FrameDone of the engine: that frame is saved.
        noticed(str): what is to be expected of the run, or changed in how it goes on, one sentence.
        changed(): progress or paused.
        ended(str): how it ended, one sentence.
        failed(str): it could not go on, one sentence; comes after `ended`.
    """

    busy = QtCore.pyqtSignal(str)
    frame_done = QtCore.pyqtSignal(object)
    noticed = QtCore.pyqtSignal(str)
    changed = QtCore.pyqtSignal()
    ended = QtCore.pyqtSignal(str)
    failed = QtCore.pyqtSignal(str)

    def __init__(self, thread: EngineThread, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = thread
        self._job: Job | None = None
        self.done = self.total = self._frames = 0
        self._written: set[int] = set()
        self._problems: list[str] = []
        self._notices: list[str] = []
        self._clock = 0.0
        self._worked = 0.0

    @property
    def is_running(self) -> bool:
        """True from start to end, also while it is paused."""
        return self._job is not None

    @property
    def is_paused(self) -> bool:
        return self._job is not None and self._job.is_paused

    @property
    def frames_per_second(self) -> float:
        """Of the frames so far, pauses left out; 0 while nothing is known."""
        counted = self._frames - _WARM_UP_FRAMES
        return counted / self._worked if counted > 0 and self._worked > 0 else 0.0

    def start(self, work: Callable[[], Iterator[Any]]) -> None:
        """Begin a run; `work` makes the generator, see EngineJobs.propagate."""
        self.done = self.total = self._frames = 0
        self._written = set()
        self._problems, self._notices = [], []
        self._worked = self._clock = 0.0
        self._job = self._thread.submit(work, Priority.RUN)
        self._job.progressed.connect(self._on_progress)
        self._job.succeeded.connect(self._on_succeeded)
        self._job.cancelled.connect(lambda: self._end("Cancelled"))
        self._job.failed.connect(self._on_failed)
        self.changed.emit()

    def toggle_pause(self) -> None:
        if self._job is None:
            return
        if self._job.is_paused:
            self._clock = time.monotonic()
            self._job.resume()
        else:
            self._job.pause()
        self.changed.emit()

    def cancel(self) -> None:
        """Stop; the frames that were computed stay."""
        if self._job is not None:
            self._job.cancel()

    def describe(self) -> str:
        """Frames done, speed and time left."""
        if self.is_paused:
            return f"paused at {self.done}/{self.total}" if self.total else "paused"
        speed = self.frames_per_second
        if not speed:
            return f"{self.done}/{self.total}" if self.total else "starting"
        return f"{self.done}/{self.total}   {speed:.1f} fps, {_duration((self.total - self.done) / speed)} left"

    def _on_progress(self, step: object) -> None:
        if isinstance(step, Remark):
            self.noticed.emit(step)
            return
        if isinstance(step, str):
            self.busy.emit(step)
            return
        now = time.monotonic()
        self.done, self.total = step.done, step.total
        self._frames += 1
        if self._frames > _WARM_UP_FRAMES and self._clock:
            self._worked += now - self._clock
        self._clock = now
        if step.scores:  # else the run only came by
            self._written.add(step.index)
        if step.problem:
            self._problems.append(step.problem)
        if step.notice:
            self._notices.append(step.notice)
            self.noticed.emit(step.notice)
        self.frame_done.emit(step)
        self.changed.emit()

    def _on_succeeded(self, said: str | None) -> None:
        self._end("Done", said or "")

    def _on_failed(self, message: str) -> None:
        self._end("Stopped")
        self.failed.emit(message)

    def _end(self, how: str, said: str = "") -> None:
        self._job = None
        skipped = f", {len(self._problems)} skipped: {self._problems[0]}" if self._problems else ""
        noticed = "".join(f". {notice}" for notice in self._notices)
        frames = "1 frame" if len(self._written) == 1 else f"{len(self._written)} frames"
        reason = _PEOPLES if how == "Done" and not (self._written or self._problems) else ""
        self.ended.emit((said or f"{how}: {frames} computed{reason}") + skipped + noticed)
        self.changed.emit()


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
