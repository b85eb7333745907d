"""Uses the quiet after a frame change to make clicks fast: the frame that is shown is encoded before anybody clicks."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt5 import QtCore

from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority

_START_AFTER_MS = 150


class Prefetch(QtCore.QObject):
    """Encodes the frame that is shown, when the engine has nothing else to do.

    Signals:
        busy(str): what the engine is doing; empty when it has done it.
    """

    busy = QtCore.pyqtSignal(str)

    def __init__(
        self,
        jobs: EngineJobs,
        thread: EngineThread,
        is_wanted: Callable[[], bool],
        parent: QtCore.QObject | None = None,
    ) -> None:
        """
        Args:
            is_wanted: whether the person is about to click with a segmenter's tool.
        """
        super().__init__(parent)
        self._jobs, self._thread, self._is_wanted = jobs, thread, is_wanted
        self._path: Path | None = None
        self._job: Job | None = None
        self._timer = QtCore.QTimer(self, singleShot=True, interval=_START_AFTER_MS)
        self._timer.timeout.connect(self._start)

    def set_frame(self, path: Path | None) -> None:
        """Another frame is shown; None: one that cannot be annotated."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self._path = path
        self._timer.stop()
        if path is not None:
            self._timer.start()

    def start_soon(self) -> None:
        """The person chose a segmenter's tool."""
        self._timer.start()

    def _start(self) -> None:
        if self._path is None or not self._is_wanted():
            return
        self._job = self._thread.submit(partial(self._jobs.prepare, self._path), Priority.IDLE)
        self._job.progressed.connect(self.busy.emit)
        for ended in (self._job.succeeded, self._job.cancelled, self._job.failed):  # a click will say what failed
            ended.connect(self._on_ended)

    def _on_ended(self) -> None:
        self.busy.emit("")
