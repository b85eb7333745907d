"""The videos of a dataset read, their masks drawn and laid aside: in this process, or in several."""

import uuid
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from sam_annotator.core.datasets.annotation_files import AnnotationFiles
from sam_annotator.core.datasets.convert_report import ConvertProgress
from sam_annotator.core.datasets.records import DrawOptions, ReadVideo
from sam_annotator.core.datasets.video import VideoReader
from sam_annotator.core.datasets.youtube_vis import spool
from sam_annotator.core.datasets.youtube_vis.merging import PlacedStore
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.errors import InputError
from sam_annotator.core.parallel import in_order
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.steps import finished, translated
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

Laid = tuple[ReadVideo, Path]
"""What was read of a video, and the spool file that has its masks."""


@dataclass(frozen=True)
class _Task:
    """One video to read. A task goes to another process, an AnnotationStore with its lock cannot."""

    video: Video
    annotations: Path
    draw: DrawOptions
    folder: Path
    draws: bool


def read_videos(
    videos: Sequence[Video], store: AnnotationStore, folder: Path, options: ConvertOptions, *, draws: bool = True
) -> Generator[ConvertProgress, None, list[Laid]]:
    """Read all videos; their masks go into spool files in `folder`, where those of an earlier run are used again.

    Yields a step a frame, or a step a video where several processes work.

    Args:
        draws: False: no masks and no spool files, where nothing will be written but what has to be mended first.
    """
    tasks = [_Task(video, store.folder(video), options.draw, folder, draws) for video in videos]
    total = sum(len(video) for video in videos)
    laid: list[Laid] = []
    done = masks = 0
    alone = options.works_alone
    others = iter(()) if alone else in_order(_read, tasks, options.jobs, options.scheduler)
    for task in tasks:
        if alone:
            one = yield from _steps(task, done, total, masks)
        else:
            one = next(others)
            if draws:
                _check_seen(one, options)
        done, masks = done + len(task.video), masks + one[0].masks
        if not alone:
            yield ConvertProgress("masks", task.video.name, done, total, masks=masks)
        laid.append(one)
    return laid


def _check_seen(laid: Laid, options: ConvertOptions) -> None:
    """Raises InputError where the workers of a cluster do not write where we read."""
    read, path = laid
    if options.scheduler is not None and not read.has_errors and not path.exists():
        raise InputError(f"The workers of {options.scheduler} do not see {path.parent}", Remedy.SHARED_CACHE)


def _steps(task: _Task, done: int, total: int, masks: int) -> Generator[ConvertProgress, None, Laid]:
    name = task.video.name
    return translated(
        _reading(task), lambda at: ConvertProgress("masks", name, done + at[0], total, masks=masks + at[1])
    )


def _read(task: _Task) -> Laid:
    return finished(_reading(task))


def _reading(task: _Task) -> Generator[tuple[int, int], None, Laid]:
    """Read one video, or find it in the cache. Yields frames and masks done so far."""
    video = task.video
    store = PlacedStore({video.name: task.annotations})
    files = AnnotationFiles(video, store)
    try:
        name = spool.digest_of(video, files, task.annotations, task.draw)
    except OSError:  # a frame that cannot even be looked at: reading says so, in a sentence
        name = "unreadable." + blake2b(video.name.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    path = task.folder / f"{name}.video"
    known = spool.load(path, video)
    if known is not None:
        yield len(video), known.masks
        return known, path
    reader = VideoReader(video, store, task.draw, files, draws=task.draws)
    for index in range(len(video)):
        reader.read_frame(index)
        yield index + 1, reader.masks
    read, bodies = reader.finish()
    files.check_images()
    if files.has_changed:  # then the name is that of masks that were never drawn, and must not stand for these
        path = task.folder / f"changed.{uuid.uuid4().hex}.video"
    if task.draws and not read.has_errors:
        spool.save(path, read, bodies)
    return read, path
