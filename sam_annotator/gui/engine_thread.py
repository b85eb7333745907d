"""One thread that does long work in steps, so that the window never waits and a click never queues behind a run.

A job is a generator: what it yields is progress, what it returns is its result. Between two steps the thread
takes the most urgent job: a click overtakes a propagation, a propagation overtakes the preparing of frames.
"""

import functools
import logging
import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from PyQt5 import QtCore

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.gui.words import said

logger = logging.getLogger(__name__)

Work = Callable[[], Iterator[Any]]


class Priority(IntEnum):
    """Which job goes first; lower is more urgent."""

    CLICK = 0
    RUN = 1
    IDLE = 2


class Job(QtCore.QObject):
    """One piece of long work. Lives in the thread that submitted it; ends with exactly one of the last three.

    Signals:
        progressed(object): what the generator yielded.
        succeeded(object): what the generator returned.
        cancelled(): it was stopped; what it had done is kept.
        failed(str): one sentence for people.
    """

    progressed = QtCore.pyqtSignal(object)
    succeeded = QtCore.pyqtSignal(object)
    cancelled = QtCore.pyqtSignal()
    failed = QtCore.pyqtSignal(str)

    def __init__(self, work: Work, priority: Priority, wake: Callable[[], None]) -> None:
        super().__init__()
        self.priority = priority
        self.is_paused = False
        self.is_cancelled = False
        self._work = work
        self._wake = wake
        self._steps: Iterator[Any] | None = None

    def cancel(self) -> None:
        """Stop at the next step. May be called from any thread, any number of times."""
        self.is_cancelled = True
        self._wake()

    def pause(self) -> None:
        """Hold at the next step."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on where it was paused."""
        self.is_paused = False
        self._wake()

    def advance(self) -> bool:
        """Do one step, in the working thread. True as long as there is more to do."""
        try:
            if self.is_cancelled:
                self.close()
                return False
            if self._steps is None:
                self._steps = self._work()
            self.progressed.emit(next(self._steps))
        except StopIteration as end:
            self._end(self.succeeded, end.value)
            return False
        except AnnotatorError as error:
            self._end(self.failed, said(error))
            return False
        except BaseException as error:  # also a library's exit(): it would end the thread, and Qt would abort
            logger.exception("a job failed")
            self._end(self.failed, f"Unexpected {type(error).__name__}: {error}. The log has the details.")
            return False
        return True

    def close(self) -> None:
        """Give up what is left, in the working thread."""
        steps, self._steps = self._steps, None
        if steps is not None and hasattr(steps, "close"):
            try:
                steps.close()
            except BaseException:  # as in `advance`
                logger.exception("a job failed while it was cancelled")
        self._end(self.cancelled)

    def _end(self, signal: Any, *arguments: Any) -> None:
        self._steps = None
        self._work = _nothing  # drops what the closure holds on to
        signal.emit(*arguments)


def _nothing() -> Iterator[Any]:
    return iter(())


class EngineThread(QtCore.QThread):
    """Runs jobs one step at a time, the most urgent first, in the order they came among equals."""

    def __init__(self, name: str, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._condition = threading.Condition()
        self._jobs: list[Job] = []
        self._alive: set[Job] = set()
        self._is_stopped = False

    @property
    def is_stopped(self) -> bool:
        """True once `stop` was called: what is submitted then is cancelled at once."""
        return self._is_stopped

    def submit(self, work: Work, priority: Priority) -> Job:
        """Queue work. It begins when control returns to the event loop: until then, connect the job's signals."""
        job = Job(work, priority, self._wake)
        self._alive.add(job)
        for ended in (job.succeeded, job.cancelled, job.failed):
            ended.connect(self._forget)
        QtCore.QTimer.singleShot(0, functools.partial(self._enqueue, job))
        return job

    def stop(self) -> None:
        """Cancel everything and wait for the step that is under way. Nothing can be done here afterwards."""
        self._is_stopped = True
        self.requestInterruption()
        self._wake()
        self.wait()

    def run(self) -> None:
        """The loop; called by Qt in the new thread."""
        while not self.isInterruptionRequested():
            job = self._most_urgent()
            if job is not None and not job.advance():
                self._remove(job)
        with self._condition:
            left, self._jobs = self._jobs, []
        for job in left:
            job.close()

    def _most_urgent(self) -> Job | None:
        with self._condition:
            ready = [job for job in self._jobs if job.is_cancelled or not job.is_paused]
            if not ready and not self.isInterruptionRequested():
                self._condition.wait()
                return None
            return min(ready, key=lambda job: job.priority, default=None)

    def _remove(self, job: Job) -> None:
        with self._condition:
            if job in self._jobs:
                self._jobs.remove(job)

    def _enqueue(self, job: Job) -> None:
        if self._is_stopped:
            job.close()
            return
        with self._condition:
            self._jobs.append(job)
            self._condition.notify()
        if not self.isRunning():
            self.start()

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify()

    def _forget(self, *_result: Any) -> None:
        """Let an ended job go, in its own thread, after every slot has heard of the end."""
        QtCore.QTimer.singleShot(0, functools.partial(self._alive.discard, self.sender()))
