"""What a dataset or a tree of annotations holds: objects, masks and frames by category, tracks, gaps, areas."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any, Final

import numpy as np

from sam_annotator.core.categories import Category, normal_label
from sam_annotator.core.datasets.masked_video import MaskedVideo, MaskedVideos

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


def measure(video: MaskedVideo) -> Iterator[VideoFacts | None]:
    """Read one video; None after each frame, its facts at the end."""
    positions: dict[int, list[int]] = {object_id: [] for object_id in video.labels}
    areas: dict[int, list[int]] = {object_id: [] for object_id in video.labels}
    problems: list[str] = []
    for position in range(len(video.frames)):
        found = video.read(position)
        problems += found.problems
        for object_id, mask in found.masks.items():
            positions[object_id].append(position)
            areas[object_id].append(int(np.count_nonzero(mask)))
        yield None
    objects = tuple(
        ObjectFacts(video.name, i, video.labels[i], tuple(positions[i]), tuple(areas[i])) for i in positions if areas[i]
    )
    yield VideoFacts(video.name, len(video.frames), objects, tuple(problems))


def sum_up(source: MaskedVideos, videos: Iterable[VideoFacts], categories: Sequence[Category] | None) -> Statistics:
    """The statistics of all videos.

    Args:
        categories: of a category file; None: those that occur, without base and novel.
    """
    videos = tuple(videos)
    known = {category.name: category for category in categories or ()}
    facts = sorted(
        _by_category(videos, known), key=lambda one: (-one.objects, -one.masks, one.name.casefold(), one.name)
    )
    unused = len(known.keys() - {one.name for one in facts})
    problems = (*source.problems, *(problem for video in videos for problem in video.problems))
    return Statistics(videos, tuple(facts), unused, problems)


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
