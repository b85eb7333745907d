"""What a dataset or a tree of annotations holds: objects, masks and frames by category, tracks, gaps, areas."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import numpy as np

from sam_annotator.core.categories import Category, describe_unknown_labels, normal_label
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo
from sam_annotator.core.errors import ImageError
from sam_annotator.core.images import image_size
from sam_annotator.core.videos import Video

SMALL_BELOW: Final = 128**2
LARGE_FROM: Final = 256**2
"""Bounds of mask areas in pixels, as the evaluation of YouTube-VIS has them."""

_CATEGORIES_SHOWN: Final = 30

_GROUPS: Final = {0: "base", 1: "base", 2: "novel", 3: "novel"}
"""LV-VIS' partitions: COCO and other categories of LVIS are base; LVIS' rare ones and new ones are novel."""


@dataclass(frozen=True)
class ObjectFacts:
    """One object through one video.

    Attributes:
        video, object_id, label: which it is.
        positions: where it has a mask, counted in the frames that have an answer, ascending.
        areas: of these masks in pixels.
    """

    video: str
    object_id: int
    label: str
    positions: tuple[int, ...]
    areas: tuple[int, ...]

    @property
    def gaps(self) -> tuple[int, ...]:
        """Lengths of the times, in frames, that it is away and comes back."""
        steps = np.diff(self.positions)
        return tuple((steps[steps > 1] - 1).tolist())


@dataclass(frozen=True)
class VideoFacts:
    """One video: how many frames have an answer, and its objects that have a mask."""

    name: str
    frames: int
    objects: tuple[ObjectFacts, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class CategoryFacts:
    """One category; `group` is base or novel where a category file has LV-VIS' partitions."""

    name: str
    group: str | None
    objects: int
    masks: int
    frames: int
    videos: int


@dataclass(frozen=True)
class Statistics:
    """All videos, summed up.

    Attributes:
        videos: in the order of the source.
        categories: most objects first.
        unused: how many categories of the category file no object has.
        problems: what does not fit or is not in the numbers, a sentence each.
    """

    videos: tuple[VideoFacts, ...]
    categories: tuple[CategoryFacts, ...]
    unused: int = 0
    problems: tuple[str, ...] = field(default=())

    @property
    def objects(self) -> tuple[ObjectFacts, ...]:
        """Of all videos."""
        return tuple(found for video in self.videos for found in video.objects)

    @property
    def areas(self) -> tuple[int, ...]:
        """Of all masks, in pixels."""
        return tuple(area for found in self.objects for area in found.areas)

    def to_document(self) -> dict[str, Any]:
        """Everything, for JSON; the same source gives the same document."""
        objects = self.objects
        gaps = [gap for found in objects for gap in found.gaps]
        return {
            "videos": len(self.videos),
            "frames": sum(video.frames for video in self.videos),
            "objects": len(objects),
            "masks": len(self.areas),
            "groups": self._groups(),
            "objects_per_video": _summary([len(video.objects) for video in self.videos]),
            "frames_per_object": _summary([len(found.areas) for found in objects]),
            "gaps": {"objects": sum(bool(found.gaps) for found in objects), **_summary(gaps), "count": len(gaps)},
            "area": {**_summary(self.areas), **self._sizes()},
            "unused_categories": self.unused,
            "categories": [dict(vars(category)) for category in self.categories],
            "problems": list(self.problems),
        }

    def _sizes(self) -> dict[str, int]:
        areas = np.array(self.areas, np.int64)
        small, large = int((areas < SMALL_BELOW).sum()), int((areas >= LARGE_FROM).sum())
        return {"small": small, "medium": len(areas) - small - large, "large": large}

    def _groups(self) -> dict[str, dict[str, int]]:
        groups: dict[str, dict[str, int]] = {}
        for category in self.categories:
            if category.group is not None:
                sums = groups.setdefault(category.group, {"categories": 0, "objects": 0, "masks": 0})
                sums["categories"] += 1
                sums["objects"] += category.objects
                sums["masks"] += category.masks
        return dict(sorted(groups.items()))

    def __str__(self) -> str:
        return "\n".join(_lines(self.to_document()))


def measure(video: MaskedVideo, images: Video | None = None) -> Iterator[VideoFacts | None]:
    """Read one video; None after each frame, its facts at the end.

    Args:
        images: its frames, where it is known which they are: whether the masks are of their size is looked at.
    """
    positions: dict[int, list[int]] = {object_id: [] for object_id in video.labels}
    areas: dict[int, list[int]] = {object_id: [] for object_id in video.labels}
    fit = _Fit(video, images)
    problems: list[str] = []
    for position in range(len(video.frames)):
        found = video.read(position)
        problems += [*found.problems, *fit.look_at(position, found)]
        for object_id, mask in found.masks.items():
            positions[object_id].append(position)
            areas[object_id].append(int(np.count_nonzero(mask)))
        yield None
    objects = tuple(
        ObjectFacts(video.name, i, video.labels[i], tuple(positions[i]), tuple(areas[i])) for i in positions if areas[i]
    )
    yield VideoFacts(video.name, len(video.frames), objects, (*problems, *fit.missing()))


class _Fit:
    """Looks whether the masks of a video are of one size, and of that of its images."""

    def __init__(self, video: MaskedVideo, images: Video | None) -> None:
        self._video = video
        self._images = images
        self._paths = {} if images is None else {path.stem: path for path in images.frame_paths}
        self._size: tuple[int, int] | None = None

    def look_at(self, position: int, found: FrameMasks) -> Iterator[str]:
        size, frame = (found.width, found.height), self._video.frames[position]
        if not all(size):  # it could not be read
            return
        self._size = self._size or size
        if size != self._size:
            yield f"Video {self._video.name}: the masks of frame {frame} are {_by(size)}, others {_by(self._size)}."
        path = self._paths.get(frame)
        if path is None:
            return
        try:
            if (real := image_size(path)) != size:
                yield f"{path} is {_by(real)}, but the masks of video {self._video.name} are {_by(size)}."
        except ImageError as error:
            yield str(error)

    def missing(self) -> Iterator[str]:
        """Frames that the masks have and the folder has not."""
        gone = [frame for frame in self._video.frames if frame not in self._paths]
        if gone and self._images is not None:
            frames = "1 frame" if len(gone) == 1 else f"{len(gone)} frames"
            yield f"Video {self._video.name}: {frames} not in {self._images.folder}, such as {gone[0]}."


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]} pixels"


def sum_up(
    problems: Iterable[str],
    videos: Iterable[VideoFacts],
    categories: Sequence[Category] | None,
    *,
    file: Path | None = None,
) -> Statistics:
    """The statistics of all videos.

    Args:
        problems: what came up apart from the videos.
        categories: of a category file, or of the dataset itself; None: those that occur, without base and novel.
        file: the category file: it is told which labels are not in it.
    """
    videos = tuple(videos)
    known = {category.name: category for category in categories or ()}
    facts = sorted(
        _by_category(videos, known), key=lambda one: (-one.objects, -one.masks, one.name.casefold(), one.name)
    )
    unused = len(known.keys() - {one.name for one in facts})
    every = [*problems, *(problem for video in videos for problem in video.problems)]
    unknown = {one.name: one.objects for one in facts if one.name not in known}
    if file is not None and unknown:
        every.append(describe_unknown_labels(unknown, tuple(categories or ()), file))
    return Statistics(videos, tuple(facts), unused, tuple(every))


def _by_category(videos: Iterable[VideoFacts], known: Mapping[str, Category]) -> Iterator[CategoryFacts]:
    objects: dict[str, list[ObjectFacts]] = {}
    for video in videos:
        for found in video.objects:
            objects.setdefault(normal_label(found.label), []).append(found)
    for name, members in objects.items():
        yield CategoryFacts(
            name,
            _group(known.get(name)),
            len(members),
            sum(len(found.areas) for found in members),
            len({(found.video, position) for found in members for position in found.positions}),
            len({found.video for found in members}),
        )


def _group(category: Category | None) -> str | None:
    partition = None if category is None else category.extra.get("partition")
    return _GROUPS.get(partition) if type(partition) is int else None


def _summary(values: Sequence[int]) -> dict[str, float]:
    """Smallest, middle, mean and largest; empty for no values."""
    if not values:
        return {}
    return {"min": min(values), "median": median(values), "mean": round(mean(values), 2), "max": max(values)}


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    for what in ("videos", "frames", "objects", "masks"):
        yield f"{what:<18} {document[what]}"
    yield f"{'categories':<18} {len(document['categories'])}" + (
        f" ({document['unused_categories']} of the file unused)" if document["unused_categories"] else ""
    )
    for name, sums in document["groups"].items():
        yield f"{name:<18} {sums['categories']} categories, {sums['objects']} objects, {sums['masks']} masks"
    for what in ("objects_per_video", "frames_per_object", "area"):
        if "min" in document[what]:
            numbers = document[what]
            spread = f"{numbers['min']} to {numbers['max']}, median {numbers['median']:g}, mean {numbers['mean']:g}"
            yield f"{what.replace('_', ' '):<18} {spread}"
    sizes, gaps = document["area"], document["gaps"]
    between = f"{sizes['medium']} between, {sizes['large']} from 256 x 256 pixels on"
    yield f"{'mask sizes':<18} {sizes['small']} below 128 x 128, {between}"
    longest = f", the longest {gaps['max']} frames" if gaps["count"] else ""
    yield f"{'gaps':<18} {gaps['count']} in {gaps['objects']} objects{longest}"
    yield ""
    yield from _table(document["categories"])


def _table(categories: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    columns = ("objects", "masks", "frames", "videos")
    yield "".join(f"{column:>9}" for column in columns) + "  category"
    for category in categories[:_CATEGORIES_SHOWN]:
        group = f" ({category['group']})" if category["group"] else ""
        yield "".join(f"{category[column]:>9}" for column in columns) + f"  {category['name']}{group}"
    if len(categories) > _CATEGORIES_SHOWN:
        yield f"... and {len(categories) - _CATEGORIES_SHOWN} more; --json FILE has all"
