"""The images of a dataset: looked for in the way first, then put in their places."""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from natsort import natsorted

from sam_annotator.core.datasets.convert_report import ConvertProgress, Finding
from sam_annotator.core.datasets.images import FrameImage, ImageMode, Placed, place_image, stands_for_another
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord
from sam_annotator.core.errors import ImageError
from sam_annotator.core.files import remove_halves
from sam_annotator.core.parallel import in_order

_LISTED: Final = 3


def images_in_the_way(
    records: Mapping[Path, Sequence[VideoRecord]], options: ConvertOptions
) -> Generator[ConvertProgress, None, list[Finding]]:
    """Files in the dataset that are there already and hold other pixels; yields a step a video that is there."""
    if options.images == "none":
        return []
    found: list[Finding] = []
    standing = [(f, record) for f, listed in records.items() for record in listed if (f / record.name).exists()]
    tasks = [_task(folder, record, options) for folder, record in standing]
    alone = options.works_alone
    answers = map(_in_the_way, tasks) if alone else in_order(_in_the_way, tasks, options.jobs, options.scheduler)
    done, total = 0, sum(len(record.images) for _folder, record in standing)
    for (_folder, record), files in zip(standing, answers, strict=True):
        for target, text in files:
            found.append(Finding("error", "image-in-the-way", text, record.tree_name, str(target)))
        done += len(record.images)
        yield ConvertProgress("compare", record.tree_name, done, total)
    return found


def _in_the_way(task: "_Task") -> list[tuple[Path, str]]:
    """The files of one video that are, and a sentence for each."""
    found = []
    for image, target in zip(task.images, task.targets, strict=True):
        try:
            if not stands_for_another(image, target):
                continue
            why = f"is there already and has other content than {image.path}"
        except (OSError, ImageError) as error:
            why = f"is there already and cannot be compared with {image.path} ({error})"
        text = (
            f"{target} {why}; it is not written over. If the frames are new, remove the folder {target.parent}, and "
            "try again; or choose another output."
        )
        found.append((target, text))
    return found


def folders_of_others(records: Sequence[VideoRecord], folder: Path, split: str) -> Iterator[Finding]:
    """Folders of videos that a split had before it was drawn anew."""
    own = {record.name for record in records}
    with suppress(OSError), os.scandir(folder) as entries:
        others = natsorted(e.name for e in entries if e.name not in own and not e.name.startswith(".") and e.is_dir())
        if others:
            what = "1 folder" if len(others) == 1 else f"{len(others)} folders"
            text = (
                f"{folder} has {what} of no video of the split {split} ({', '.join(others[:_LISTED])}"
                f"{', ...' if len(others) > _LISTED else ''}); its JSON does not name them. Remove them if another "
                "draw left them."
            )
            yield Finding("note", "images-of-no-video", text, file=str(folder), count=len(others))


def images_to_encode(records: Sequence[VideoRecord]) -> Iterator[Finding]:
    """Videos with frames that cannot go in as they are."""
    for record in records:
        files = [image.path for image in record.images if not image.is_plain_jpeg]
        if files:
            text = (
                f"{len(files)} of {len(record.images)} frames of {record.tree_name} are no JPEG, or EXIF turns them "
                f"({files[0].name}, for one); they are encoded as JPEG."
            )
            yield Finding("note", "images-encoded", text, record.tree_name, str(files[0]), len(files))


@dataclass(frozen=True)
class _Task:
    images: tuple[FrameImage, ...]
    targets: tuple[Path, ...]
    mode: ImageMode


def _task(folder: Path, record: VideoRecord, options: ConvertOptions) -> _Task:
    return _Task(record.images, tuple(folder / name for name in record.file_names()), options.images)


def place_images(
    records: Mapping[Path, Sequence[VideoRecord]], options: ConvertOptions
) -> Generator[ConvertProgress, None, Counter[Placed]]:
    """Put the frames of videos below their image roots; counts what was done.

    Yields a step a frame, or a step a video where several processes work.
    """
    placed: Counter[Placed] = Counter()
    if options.images == "none":
        return placed
    videos = [(folder, record) for folder, listed in records.items() for record in listed]
    total = sum(len(record.images) for _folder, record in videos)
    tasks = [_task(folder, record, options) for folder, record in videos]
    if not options.works_alone:
        with _swept_if_stopped(tasks), closing(in_order(_place, tasks, options.jobs, options.scheduler)) as others:  # type: ignore[type-var]
            for (_folder, record), counts in zip(videos, others, strict=True):
                placed.update(counts)
                yield ConvertProgress("images", record.tree_name, placed.total(), total)
        return placed
    for (_folder, record), task in zip(videos, tasks, strict=True):
        _sweep(task)
        for image, target in zip(task.images, task.targets, strict=True):
            placed[place_image(image, target, options.images)] += 1
            yield ConvertProgress("images", record.tree_name, placed.total(), total)
    return placed


@contextmanager
def _swept_if_stopped(tasks: Iterable[_Task]) -> Iterator[None]:
    """Processes that are stopped, or die, leave halves of images behind."""
    try:
        yield
    except BaseException:
        for task in tasks:
            _sweep(task)
        raise


def _sweep(task: _Task) -> None:
    """Remove halves of images, under names of ours, that a run which was killed left in the folder of a video."""
    for folder in {target.parent for target in task.targets}:
        remove_halves(folder)


def _place(task: _Task) -> Counter[Placed]:
    _sweep(task)
    return Counter(
        place_image(image, target, task.mode) for image, target in zip(task.images, task.targets, strict=True)
    )
