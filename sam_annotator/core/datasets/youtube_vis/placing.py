"""The images of a dataset: looked for in the way first, then put in their places."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sam_annotator.core.datasets.convert_report import ConvertProgress, Finding
from sam_annotator.core.datasets.images import FrameImage, ImageMode, Placed, place_image, stands_for_another
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord
from sam_annotator.core.parallel import in_order


def images_in_the_way(records: Sequence[VideoRecord], folder: Path) -> Iterator[Finding]:
    """Files in the dataset that are there already and stand for something else."""
    for record in records:
        for image, file_name in zip(record.images, record.file_names(), strict=True):
            if stands_for_another(image, folder / file_name):
                text = (
                    f"{folder / file_name} is there already and is not {image.path}; it is not written over. Remove "
                    "it, or choose another output."
                )
                yield Finding("error", "image-in-the-way", text, record.tree_name, str(folder / file_name))


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
    tasks = [
        _Task(record.images, tuple(folder / name for name in record.file_names()), options.images)
        for folder, record in videos
    ]
    if not options.works_alone:
        others = in_order(_place, tasks, options.jobs, options.scheduler)
        for (_folder, record), counts in zip(videos, others, strict=True):
            placed.update(counts)
            yield ConvertProgress("images", record.tree_name, placed.total(), total)
        return placed
    for (_folder, record), task in zip(videos, tasks, strict=True):
        for image, target in zip(task.images, task.targets, strict=True):
            placed[place_image(image, target, options.images)] += 1
            yield ConvertProgress("images", record.tree_name, placed.total(), total)
    return placed


def _place(task: _Task) -> Counter[Placed]:
    return Counter(
        place_image(image, target, task.mode) for image, target in zip(task.images, task.targets, strict=True)
    )
