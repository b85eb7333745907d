"""A published dataset becomes a tree of annotations, to be looked at and mended in the window, and exported again.

Every frame that the dataset answers for gets its labelme JSON: shapes with the source `imported`, which no propagation
changes, and for the objects that the dataset says are absent the note that they are, which none changes either. The
dataset's own ids of videos and annotations are noted as keys of their own, for the way back.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from sam_annotator.core.annotation import IMPORTED, FrameAnnotation, Shape, encode_annotation
from sam_annotator.core.datasets.import_report import ImportReport, counted, some
from sam_annotator.core.datasets.json_video import JsonVideo
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos, VideoFinder
from sam_annotator.core.datasets.records import ANNOTATION_ID, VIDEO_ID
from sam_annotator.core.errors import AnnotationError, ImageError, InputError, SaveError
from sam_annotator.core.files import Turn, is_unicode, sayable, what_stands, write_atomically
from sam_annotator.core.images import image_size
from sam_annotator.core.masks import mask_to_shapes
from sam_annotator.core.parallel import check_jobs, in_order
from sam_annotator.core.run_journal import sole_run
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

__all__ = ["ImportOptions", "ImportProgress", "ImportReport", "import_masks"]

ShapeStyle = Literal["mask", "auto"]

_WRITERS: Final = 4
"""Threads that write the frames of a video: to flush a file to disk takes ten times as long as to make it."""

_AHEAD: Final = 8
"""Frames that may be on their way to the disk."""

_WRITES: Final = ("written", "replaced")
"""What is done to a frame's file where it is not left as it stands."""


@dataclass(frozen=True)
class ImportOptions:
    """How to import.

    Attributes:
        style: `mask`: mask shapes, which are exact; `auto`: polygons where they come within 99 % of the mask.
        force: write over annotations that say something else.
        dry_run: write nothing, only tell what would be written.
        jobs: processes; -1: one per core.
        scheduler: the address of a Dask scheduler whose workers do the work instead; they see the same files.
    """

    style: ShapeStyle = "mask"
    force: bool = False
    dry_run: bool = False
    jobs: int = 1
    scheduler: str | None = None

    @property
    def works_alone(self) -> bool:
        """True if this process does all the work."""
        return self.jobs == 1 and self.scheduler is None


@dataclass(frozen=True)
class ImportProgress:
    """One frame done, or one video where several processes work; the report is the same object all along."""

    video: str
    done: int
    total: int
    report: ImportReport


def import_masks(
    source: MaskedVideos, videos: Sequence[Video], store: AnnotationStore, options: ImportOptions
) -> Iterator[ImportProgress]:
    """Write the masks of a source as annotations of the videos.

    A generator: each frame is written, whole, before it is yielded; what was stopped goes on where it was, since frames
    that are there already and equal are left alone. The result is the same for any number of processes.

    Raises:
        InputError: the source has no usable video, or none of them is among `videos`; a number of processes that
            cannot be.
        SaveError: the disk does not take it.
    """
    source.check()
    check_jobs(options.jobs)
    report = ImportReport(problems=list(source.problems), notes=list(source.notes), dry_run=options.dry_run)
    total, done = sum(len(video.frames) for video in source.videos), 0
    pairs = _match(source.videos, videos, report)
    tasks = (_Task(masked, video, store.output, options) for masked, video in pairs if video is not None)
    others = iter(()) if options.works_alone else in_order(_import_video, tasks, options.jobs, options.scheduler)
    for masked, video in pairs:
        if video is not None and options.works_alone:
            with closing(_VideoImport(masked, video, store, options, report).run()) as frames:  # type: ignore[type-var]
                for _ in frames:
                    done += 1
                    yield ImportProgress(masked.name, done, total, report)
            continue
        if video is not None:
            report.add(next(others))
        done += len(masked.frames)
        yield ImportProgress(masked.name, done, total, report)


@dataclass(frozen=True)
class _Task:
    """One video to import. A task goes to another process, an AnnotationStore with its lock cannot."""

    masked: MaskedVideo
    video: Video
    annotations: Path | None
    options: ImportOptions


def _import_video(task: _Task) -> ImportReport:
    report = ImportReport()
    for _ in _VideoImport(task.masked, task.video, AnnotationStore(task.annotations), task.options, report).run():
        pass
    return report


def _match(
    masked: Sequence[MaskedVideo], videos: Sequence[Video], report: ImportReport
) -> list[tuple[MaskedVideo, Video | None]]:
    """The folder of each video; those without are told."""
    finder = VideoFinder(videos)
    pairs: list[tuple[MaskedVideo, Video | None]] = []
    taken: dict[str, str] = {}
    missing: list[str] = []
    for one in masked:
        video = finder.find(one.name)
        if video is None:
            missing.append(one.name or "(without a name)")
        elif video.name in taken:
            report.problems.append(f"Video {one.name} is left out: {taken[video.name]} has the folder {video.folder}.")
            video = None
        elif video.needs_unpacking:
            report.problems.append(f"{video.source} is not wholly unpacked; open it once in the window, then go on.")
            video = None
        else:
            taken[video.name] = one.name
        pairs.append((one, video))
    if masked and len(missing) == len(masked):
        raise InputError(
            f"None of the {len(missing)} videos of the dataset ({some(missing)}) is a folder of videos given; videos "
            "are found by the names of their folders."
        )
    if missing:
        report.problems.append(f"{counted(len(missing), 'video')} without a folder of frames: {some(missing)}.")
    return pairs


_Written = tuple[Future[str | None], int, frozenset[int]]
"""A frame on its way to the disk: what comes of it, its index, and the objects that it shows."""


class _VideoImport:
    """The import of one video."""

    def __init__(
        self,
        masked: MaskedVideo,
        video: Video,
        store: AnnotationStore,
        options: ImportOptions,
        report: ImportReport,
    ) -> None:
        self.masked, self.video, self.store, self.options, self.report = masked, video, store, options, report
        self.indices = {path.stem: index for index, path in enumerate(video.frame_paths)}
        self.ids = frozenset(masked.labels)
        self.video_id, self.annotation_ids = _ids_of(masked)
        self.with_mask: set[int] = set()
        self.in_tree: set[int] = set()
        self.unused: set[int] = set()

    def run(self) -> Iterator[None]:
        """Import frame by frame; each is written when it is yielded, and the next ones may be on their way.

        A video at which somebody else is at work is left out, and told.
        """
        with ExitStack() as stack:
            if not self.options.dry_run:
                try:
                    stack.enter_context(sole_run(self.video, self.store))
                except InputError:
                    self._tell_busy()
                    yield from (None for _ in self.masked.frames)
                    return
                self.store.sweep(self.video)  # halves of files that a killed import left
            self._tell_missing()
            yield from self._frames()

    def _tell_busy(self) -> None:
        self.report.problems.append(
            f"Video {self.masked.name or self.video.name} is left out: another program is at work on "
            f"{self.store.folder(self.video)}; import it again when that has ended."
        )

    def _frames(self) -> Iterator[None]:
        waiting: deque[_Written | None] = deque()
        with ThreadPoolExecutor(_WRITERS) as writers:
            try:
                for position, frame in enumerate(self.masked.frames):
                    waiting.append(self._begin(position, frame, writers))
                    if len(waiting) > _AHEAD:
                        self._settle(waiting.popleft())
                        yield
                while waiting:
                    self._settle(waiting.popleft())
                    yield
            finally:  # stopped amid it: what is on its way arrives, and counts
                for left in waiting:
                    if left is not None and left[0].exception() is None:
                        self._settle(left)
                self.report.objects += len(self.in_tree)
        for object_id in sorted(self.ids - self.with_mask - self.unused):
            self.report.without_mask.append(
                f"{self.masked.labels[object_id]} {object_id} of {self.masked.name or self.video.name}"
            )

    def _tell_missing(self) -> None:
        missing = [frame for frame in self.masked.frames if frame not in self.indices]
        if missing:
            self.report.problems.append(
                f"Video {self.masked.name}: {counted(len(missing), 'frame')} not in {self.video.folder} "
                f"({some(missing)})."
            )
        self.report.videos += len(missing) < len(self.masked.frames)
        found = [self.indices[frame] for frame in self.masked.frames if frame in self.indices]
        more = len(self.indices) - len(found)
        if found and more:
            self.report.notes.append(
                f"Video {self.masked.name}: {self.video.folder} has {counted(more, 'frame')} that the dataset does not "
                f"name; a dataset made of the video has all {len(self.indices)}."
            )
        if found != sorted(found):
            self.report.notes.append(
                f"Video {self.masked.name}: the dataset names its frames in another order than that of their names, "
                "which a dataset made of the video has."
            )

    def _begin(self, position: int, frame: str, writers: ThreadPoolExecutor) -> "_Written | None":
        """Have a frame written, unless there is nothing that it could say."""
        if frame not in self.indices:
            self.unused.update(self.ids)
            return None
        index = self.indices[frame]
        found = self.masked.read(position)
        self.report.problems += found.problems
        self.unused.update(found.unknown_ids)
        annotation = self._annotation(found, index)
        if annotation is None:
            self.unused.update(self.ids)
            return None
        self.with_mask.update(found.masks)
        return writers.submit(self._write, index, annotation), index, frozenset(found.masks)

    def _settle(self, written: "_Written | None") -> None:
        """Wait for a frame, and count it."""
        if written is None:
            return
        writing, index, ids = written
        done = writing.result()
        if done is None:
            self.report.kept.append(self.store.path(self.video, index))
            return
        self.report.frames[done] = self.report.frames.get(done, 0) + 1
        self.report.masks += len(ids)
        self.in_tree.update(ids)

    def _annotation(self, found: FrameMasks, index: int) -> FrameAnnotation | None:
        """What the file shall say; None if the masks do not belong to the image."""
        if not (found.width and found.height):
            return None
        path = self.video.frame_paths[index]
        try:
            size = image_size(path)
        except ImageError as error:
            self.report.problems.append(str(error))
            return None
        if size != (found.width, found.height):
            self.report.problems.append(
                f"{path} is {size[0]} x {size[1]} pixels, but the masks of video {self.masked.name} are "
                f"{found.width} x {found.height}; the frame is left out."
            )
            return None
        blank = self.store.blank(self.video, index, *size)
        if not is_unicode(blank.image_path):
            self.report.problems.append(
                f"{sayable(str(path))}: an annotation cannot hold its name, which is not UTF-8 (old zips make such "
                "names); rename it, or the folder."
            )
            return None
        shapes = tuple(shape for object_id in found.masks for shape in self._shapes(object_id, found))
        absent = self.ids - found.masks.keys() - found.unknown_ids
        extra = {} if self.video_id is None else {VIDEO_ID: self.video_id}
        return replace(blank, shapes=shapes, absent_ids=frozenset(absent), extra=extra)

    def _shapes(self, object_id: int, found: FrameMasks) -> tuple[Shape, ...]:
        shapes = mask_to_shapes(
            found.masks[object_id],
            label=self.masked.labels[object_id],
            object_id=object_id,
            source=IMPORTED,
            style=self.options.style,
        )
        number = self.annotation_ids.get(object_id)
        return shapes if number is None else tuple(replace(shape, extra={ANNOTATION_ID: number}) for shape in shapes)

    def _write(self, index: int, annotation: FrameAnnotation) -> str | None:
        """Write a frame unless it stands or is another's; what was done, None: left.

        What the disk takes long for is done before the others are locked out; then it is looked whether all is still as
        it was.
        """
        path = self.store.path(self.video, index)
        data = _encoded(path, annotation)
        seen, done = _state(path), self._judge(index, annotation, data)
        if done not in _WRITES or self.options.dry_run:
            return done

        @contextmanager
        def turn() -> Iterator[bool]:
            nonlocal done
            with self.store.alone(self.video):
                if _state(path) != seen:
                    done = self._judge(index, annotation, data)
                yield done in _WRITES

        _write(path, data, turn)
        return done

    def _judge(self, index: int, annotation: FrameAnnotation, data: bytes) -> str | None:
        """What is to be done with a frame, in the words of the report."""
        path = self.store.path(self.video, index)
        if _holds(path, data):
            return "there already"
        try:
            present = self.store.read(self.video, index)
        except AnnotationError:
            present = None
        if present == annotation:
            return "there already"
        if present is None and not path.exists():
            return "written"
        return "replaced" if self.options.force else None


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever a file is written anew; None: there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def _holds(path: Path, data: bytes) -> bool:
    """True if these very bytes stand there, as after an import that was stopped: quicker than to read what they say."""
    try:
        return path.is_file() and path.read_bytes() == data
    except OSError:  # reading, or writing, tells
        return False


def _encoded(path: Path, annotation: FrameAnnotation) -> bytes:
    try:
        return encode_annotation(annotation)
    except (TypeError, ValueError) as error:
        raise SaveError(f"{path} could not be saved ({error}); {what_stands(path)}.") from error


def _write(path: Path, data: bytes, turn: Turn) -> None:
    """Write a frame, once more where another process took its half for one that was left by the dead."""
    try:
        write_atomically(path, data, turn)
    except SaveError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        write_atomically(path, data, turn)


def _ids_of(masked: MaskedVideo) -> tuple[int | None, dict[int, int | None]]:
    """The dataset's own id of a video, and by object id those of its annotations; where it has such."""
    if not isinstance(masked, JsonVideo):
        return None, {}
    return masked.video_id, {object_id: found.annotation_id for object_id, found in masked.objects.items()}
