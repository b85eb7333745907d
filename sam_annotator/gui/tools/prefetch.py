"""Uses quiet times to make clicks fast: the frame that is shown is encoded before the click, then its neighbours."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PyQt5 import QtCore

from sam_annotator.gui.docks.encoded import Encoded
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority

_START_AFTER_MS = 150
_QUIET_MS = 1000  # after a click the next one is likely to come soon, and should find nothing under way
_LARGEST_STEP = 10  # frames: whoever goes farther has jumped, and says nothing about where to go next


class Prefetch(QtCore.QObject):
    """Encodes frames when the engine has nothing else to do, one job a frame, so that a click waits for one at most.

    Signals:
        busy(str): what the engine is doing for the frame that is shown; empty when it has done it.
        changed(Encoded): which frames are encoded, or are being encoded.
    """

    busy = QtCore.pyqtSignal(str)
    changed = QtCore.pyqtSignal(object)

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
        self._frames: Sequence[Path] = ()
        self._places: dict[Path, int] = {}
        self._index: int | None = None
        self._ahead: int | None = None  # the frame that is being encoded ahead
        self._waiting: list[int] = []
        self._job: Job | None = None
        self.encoded = Encoded()
        self._timer = QtCore.QTimer(self, singleShot=True, interval=_START_AFTER_MS)
        self._timer.timeout.connect(self._start)
        self._quiet = QtCore.QTimer(self, singleShot=True, interval=_QUIET_MS)
        self._quiet.timeout.connect(self._go_on)

    def set_frame(self, path: Path | None, frames: Sequence[Path] = ()) -> None:
        """Another frame is shown, one of a video's; None: one that cannot be annotated."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self._path = path
        self._look_around(frames)
        self._timer.stop()
        if path is not None:
            self._timer.start()
        self.refresh()

    def start_soon(self) -> None:
        """The person chose a segmenter's tool."""
        self._timer.start()

    def hold_back(self) -> None:
        """The person clicks: no further frame is begun before some quiet. What is under way ends."""
        self._quiet.start()

    def begin_anew(self) -> None:
        """Another segmenter is at work, for which nothing is encoded yet."""
        self.set_frame(self._path, self._frames)

    def refresh(self, _text: str = "") -> None:
        """Look at what is encoded now."""
        places, encoding = self._places, self._jobs.encoding
        frames = frozenset(places[path] for path in self._jobs.encoded if path in places)
        now = Encoded(self._index, frames, None if encoding is None else places.get(encoding))
        if now != self.encoded:
            self.encoded = now
            self.changed.emit(now)

    def _look_around(self, frames: Sequence[Path]) -> None:
        """Plan what to encode after the frame that is shown."""
        if frames is not self._frames:
            self._frames, self._index = frames, None
            self._places = {path: index for index, path in enumerate(frames)}
        before, self._index = self._index, None if self._path is None else self._places.get(self._path)
        self._waiting = []
        if self._index is not None:
            self._waiting = likely_next(self._index, before, len(frames), self._jobs.frames_ahead)
            self._jobs.look_from(self._places, self._index)

    def _start(self) -> None:
        if self._job is None and self._path is not None and self._may_go_on():
            self._ahead = None
            job = self._submit(partial(self._jobs.prepare, self._path))
            job.progressed.connect(self.busy.emit)
            for ended in (job.succeeded, job.cancelled, job.failed):
                ended.connect(self._on_prepared)

    def _submit(self, work: Callable[[], object]) -> Job:
        self._job = job = self._thread.submit(work, Priority.IDLE)
        job.progressed.connect(self.refresh)
        job.succeeded.connect(partial(self._on_ended, job, True))
        job.cancelled.connect(partial(self._on_ended, job, False))
        job.failed.connect(partial(self._on_ended, job, False))  # a click on that frame will say why
        return job

    def _on_prepared(self) -> None:
        self.busy.emit("")

    def _on_ended(self, job: Job, well: bool, is_done: object = True) -> None:
        self.refresh()
        if job is not self._job:
            return
        self._job = None
        if well and not is_done and self._ahead is not None:  # it gave way to a click
            self._waiting.insert(0, self._ahead)
        if well:
            self._go_on()
        else:
            self._waiting = []

    def _go_on(self) -> None:
        is_quiet = self._job is None and not self._timer.isActive() and not self._quiet.isActive()
        if self._waiting and is_quiet and self._may_go_on():
            self._ahead = self._waiting.pop(0)
            self._submit(partial(self._jobs.encode_ahead, self._frames[self._ahead]))

    def _may_go_on(self) -> bool:
        return self._is_wanted() and not self._thread.is_stopped


def likely_next(index: int, before: int | None, total: int, count: int) -> list[int]:
    """The frames to encode after a frame, the likeliest first.

    Whoever steps is likely to make the same step again; then come the frames ahead, in the direction of travel, and
    at last one on the other side.

    Args:
        index: the frame that is shown.
        before: the frame that was shown before it, if any.
        total: frames of the video.
        count: of frames ahead; 0: none at all.
    """
    step = 1 if before is None or abs(index - before) > _LARGEST_STEP else index - before
    ahead = -1 if step < 0 else 1
    there = [index + step, *(index + ahead * far for far in range(1, count + 1))]
    wanted = [one for one in dict.fromkeys(there) if 0 <= one < total and one != index][:count]
    behind = index - ahead
    return [*wanted, behind] if count and 0 <= behind < total and behind not in wanted else wanted
