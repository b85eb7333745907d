"""Opening videos: unpacking, reading what is annotated, counting; off the window's thread."""

from collections.abc import Iterator, Sequence
from functools import partial

from PyQt5 import QtCore

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.unpack import UnpackProgress, unpack
from sam_annotator.core.videos import Video
from sam_annotator.gui.docks.videos import VideoCounts
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority


class VideoOpener(QtCore.QObject):
    """Long reading of files, on the thread for files.

    Signals:
        unpacking(int, int): frames done, frames in all (0: unknown), of the video file being unpacked.
        unpacked(object): the video; its frames can be shown.
        unpacking_cancelled(object): the video; what was unpacked so far stays.
        tracks_read(object, object): the video and its VideoTracks.
        counted(int, object): a row of the list of videos and its VideoCounts.
        failed(str): one sentence.
    """

    unpacking = QtCore.pyqtSignal(int, int)
    unpacked = QtCore.pyqtSignal(object)
    unpacking_cancelled = QtCore.pyqtSignal(object)
    tracks_read = QtCore.pyqtSignal(object, object)
    counted = QtCore.pyqtSignal(int, object)
    failed = QtCore.pyqtSignal(str)

    def __init__(self, thread: EngineThread, parent: QtCore.QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = thread
        self._unpack_job: Job | None = None
        self._scan_job: Job | None = None
        self._scans = self._countings = self._unpackings = 0  # what comes for an older one is too late

    @property
    def is_reading(self) -> bool:
        """Whether the annotations of a video are being read, so that what is known of its objects may be old."""
        return self._scan_job is not None

    def unpack(self, video: Video) -> None:
        """Unpack a video file; ends in `unpacked`, `unpacking_cancelled` or `failed`."""
        self.cancel_unpacking()
        job = self._thread.submit(partial(unpack, video), Priority.RUN)
        self._unpackings += 1
        job.progressed.connect(partial(self._on_unpacking, self._unpackings))
        job.succeeded.connect(lambda _result: self.unpacked.emit(video))
        job.cancelled.connect(partial(self._on_unpacking_cancelled, self._unpackings, video))
        job.failed.connect(self.failed)
        self._unpack_job = job

    def cancel_unpacking(self) -> None:
        """Stop unpacking; the frames that are there stay, and the next time it goes on from them."""
        if self._unpack_job is not None:
            self._unpack_job.cancel()
            self._unpack_job = None

    def read_tracks(self, video: Video, store: AnnotationStore) -> None:
        """Read the annotations of all frames of a video; ends in `tracks_read`."""
        if self._scan_job is not None:
            self._scan_job.cancel()
        self._scans += 1
        job = self._thread.submit(partial(_scan, video, store), Priority.CLICK)
        job.succeeded.connect(partial(self._on_scanned, self._scans, video))
        job.failed.connect(partial(self._on_scan_failed, self._scans))
        self._scan_job = job

    def count(self, videos: Sequence[Video], rows: Sequence[int], store: AnnotationStore) -> None:
        """Count the frames of some videos; each ends in `counted`."""
        job = self._thread.submit(partial(_count, videos, rows, store), Priority.IDLE)
        job.progressed.connect(partial(self._on_counted, self._countings))

    def forget_counting(self) -> None:
        """Other videos stand in the list, or their annotations elsewhere: counts that are under way are wrong."""
        self._countings += 1

    def _on_unpacking(self, unpacking: int, step: UnpackProgress) -> None:
        if unpacking == self._unpackings:
            self.unpacking.emit(step.done, step.total or 0)

    def _on_unpacking_cancelled(self, unpacking: int, video: Video) -> None:
        if unpacking == self._unpackings:
            self.unpacking_cancelled.emit(video)

    def _on_scanned(self, scan: int, video: Video, tracks: VideoTracks) -> None:
        if scan == self._scans:
            self._scan_job = None
            self.tracks_read.emit(video, tracks)

    def _on_scan_failed(self, scan: int, message: str) -> None:
        if scan == self._scans:
            self._scan_job = None
            self.failed.emit(message)

    def _on_counted(self, counting: int, answer: tuple[int, VideoCounts]) -> None:
        if counting == self._countings:
            self.counted.emit(*answer)


def _scan(video: Video, store: AnnotationStore) -> Iterator[int]:
    tracks = VideoTracks()
    yield from tracks.scan(video, store)
    return tracks


def _count(videos: Sequence[Video], rows: Sequence[int], store: AnnotationStore) -> Iterator[tuple[int, VideoCounts]]:
    for row in rows:
        yield row, count_video(videos[row], store)


def count_video(video: Video, store: AnnotationStore) -> VideoCounts:
    """Frames and annotated frames of a video, by listing its folders."""
    if video.needs_unpacking:
        return VideoCounts(0, 0)
    try:
        return VideoCounts(len(store.annotated_frames(video)), len(video.frame_paths))
    except AnnotatorError as error:
        return VideoCounts(0, 0, str(error))
