"""Datasets in JSON as other people write them: YouTube-VIS (2019, 2021, OVIS, LV-VIS) and COCO per frame.

Nothing in such a file is taken for granted: what cannot be used becomes a sentence that names video, object and frame,
and the rest is read. Masks are decoded one frame at a time, with the geometry of the COCO API.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from natsort import natsorted
from pycocotools import mask as coco

from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideos, split_frame_name
from sam_annotator.core.errors import InputError
from sam_annotator.core.masks import decode_rle
from sam_annotator.core.raster import Mask

TRACK_KEYS: Final = ("object_id", "track_id", "instance_id")
"""Where an annotation may say which object it is: our own key first, then those of COCO-like video datasets."""

_FAR: Final = 10
"""Polygons may leave the image by this many times its longer side; further out, drawing them takes all memory."""


class _Parts(tuple[Any, ...]):
    """Several segmentations of one object in one frame."""


@dataclass(frozen=True)
class JsonObject:
    """One object: its category, and by position of the frame what the file says of its mask.

    `annotation_id`: its id in the file, where that is one annotation with a whole number.
    """

    label: str
    segmentations: Mapping[int, Any]
    annotation_id: int | None = None


@dataclass(frozen=True)
class JsonVideo:
    """One video of a dataset in JSON; a `MaskedVideo`.

    Attributes:
        name, frames: as `MaskedVideo` has them.
        width, height: in pixels.
        objects: by object id.
        video_id: its id in the file, where that has videos with whole numbers.
    """

    name: str
    frames: tuple[str, ...]
    width: int
    height: int
    objects: Mapping[int, JsonObject]
    video_id: int | None = None

    @property
    def labels(self) -> Mapping[int, str]:
        """The category of each object, by object id."""
        return {object_id: found.label for object_id, found in self.objects.items()}

    def read(self, position: int) -> FrameMasks:
        """The masks of one frame; a segmentation that cannot be decoded is a problem there."""
        masks: dict[int, Mask] = {}
        problems: dict[int, str] = {}
        empty: list[str] = []
        for object_id, found in self.objects.items():
            segmentation = found.segmentations.get(position)
            if segmentation is None:
                continue
            where = f"Video {self.name}, object {object_id} ({found.label}), frame {self.frames[position]}"
            try:
                mask = decode_segmentation(segmentation, self.height, self.width)
            except ValueError as error:
                problems[object_id] = f"{where}: the mask cannot be used; {error}."
                continue
            if mask.any():
                masks[object_id] = mask
            else:
                empty.append(f"{where}: the mask has no pixel; the object counts as absent there.")
        return FrameMasks(self.width, self.height, masks, (*problems.values(), *empty), frozenset(problems))


def decode_segmentation(segmentation: Any, height: int, width: int) -> Mask:
    """The mask, bool (height, width), of an RLE (compressed or not) or of a list of polygons.

    Raises:
        ValueError: it is neither, or made for another size; the text says so.
    """
    if isinstance(segmentation, _Parts):
        return np.asarray(np.logical_or.reduce([decode_segmentation(part, height, width) for part in segmentation]))
    if isinstance(segmentation, dict):
        if segmentation.get("size") != [height, width]:  # before decoding: a size may be beyond all memory
            raise ValueError(f"its size is {segmentation.get('size')!r}, but the video's is {[height, width]}")
        return decode_rle(segmentation)
    if isinstance(segmentation, list):
        return _draw([_checked_polygon(polygon, height, width) for polygon in segmentation], height, width)
    raise ValueError(f"a {type(segmentation).__name__} is no run-length encoding and no list of polygons")


def _checked_polygon(polygon: Any, height: int, width: int) -> list[float]:
    if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
        raise ValueError("a polygon is a list of x, y, x, y, ... of three points or more")
    limit = _FAR * max(height, width)
    for value in polygon:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"a polygon has {value!r} for a number")
        if abs(value) > limit:
            raise ValueError(f"a polygon has a point at {value}, far outside the image")
    return [float(value) for value in polygon]


def _draw(polygons: list[list[float]], height: int, width: int) -> Mask:
    if not polygons:
        return np.zeros((height, width), np.bool_)
    return decode_rle(coco.merge(coco.frPyObjects(polygons, height, width)))


def read_dataset_json(path: Path) -> MaskedVideos:
    """Read the instances file of a dataset; which kind it is shows by its keys.

    Raises:
        InputError: it cannot be read, is no such file, or holds no annotations.
    """
    try:
        document = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"The dataset {path} cannot be read ({error.strerror}).") from error
    except orjson.JSONDecodeError as error:
        raise InputError(f"The dataset {path} is not valid JSON ({error}).") from error
    if not isinstance(document, dict) or not {"videos", "images"} & document.keys():
        raise InputError(f"{path} is no dataset of YouTube-VIS or COCO: it has neither 'videos' nor 'images'.")
    if not document.get("annotations"):
        raise InputError(f"{path} holds no annotations (the part of a dataset that is kept for tests has none).")
    reader = _Coco(document) if _is_per_frame(document) else _YoutubeVis(document)
    videos = tuple(reader.videos())
    return MaskedVideos(_without_idle_ids(videos), tuple(reader.problems))


def _without_idle_ids(videos: tuple[JsonVideo, ...]) -> tuple[JsonVideo, ...]:
    """Without the ids of videos and annotations where numbering them from 1 gives the same: nobody need note them."""
    ordered = natsorted(videos, key=lambda video: video.name)
    objects = [video.objects[object_id] for video in ordered for object_id in sorted(video.objects)]
    is_idle = (
        all(video.video_id == number for number, video in enumerate(ordered, start=1))
        and all(found.annotation_id == number for number, found in enumerate(objects, start=1))
        and all(found.segmentations for found in objects)  # else some are not imported, and the numbers move up
    )
    if not is_idle:
        return videos
    return tuple(
        replace(video, video_id=None, objects={i: replace(o, annotation_id=None) for i, o in video.objects.items()})
        for video in videos
    )


def _is_per_frame(document: Mapping[str, Any]) -> bool:
    """True for COCO, also where it lists the videos of its images, as TAO does."""
    if not {"videos", "images"} <= document.keys():
        return "images" in document
    annotations = document["annotations"]
    return isinstance(annotations, list) and isinstance(annotations[0], dict) and "image_id" in annotations[0]


class _Reader:
    """What both kinds share: categories, and annotations sorted by what they belong to."""

    owner_key: str
    owner_list: str

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.problems: list[str] = []
        self.labels = self._read_labels()
        self.owners = {entry["id"]: entry for entry in self._entries(self.owner_list)}
        self.annotations = self._sort_annotations()

    def _entries(self, key: str) -> Iterator[dict[str, Any]]:
        """The entries of a list that have an id nobody had before."""
        entries = self.document.get(key)
        met: set[Any] = set()
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            identity = entry.get("id") if isinstance(entry, dict) else None
            if isinstance(identity, bool) or not isinstance(identity, int | str):
                self.problems.append(f"Entry {number} of '{key}' has no id and is left out.")
            elif identity in met:
                self.problems.append(f"Entry {number} of '{key}' has the id {identity!r} of another and is left out.")
            else:
                met.add(identity)
                yield entry

    def _read_labels(self) -> dict[Any, str]:
        labels = {}
        for entry in self._entries("categories"):
            if isinstance(entry.get("name"), str) and normal_label(entry["name"]):
                labels[entry["id"]] = normal_label(entry["name"])
            else:
                self.problems.append(f"The category {entry['id']!r} has no name and is left out.")
        return labels

    def _sort_annotations(self) -> dict[Any, list[dict[str, Any]]]:
        """The usable annotations by the video, or image, that they belong to."""
        found: dict[Any, list[dict[str, Any]]] = {}
        entries = self.document["annotations"]
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            reason = self._unusable(entry)
            if reason is None:
                found.setdefault(entry[self.owner_key], []).append(entry)
                if entry.get("iscrowd"):
                    self.problems.append(
                        f"Annotation {_identity(entry, number)} is a crowd (iscrowd); it is taken as one object."
                    )
            else:
                self.problems.append(f"Annotation {_identity(entry, number)} is left out: {reason}.")
        return found

    def _unusable(self, entry: Any) -> str | None:
        if not isinstance(entry, dict):
            return "it is no object"
        owner, category = entry.get(self.owner_key), entry.get("category_id")
        if not isinstance(owner, int | str) or owner not in self.owners:
            return f"its {self.owner_key} {owner!r} is that of none in '{self.owner_list}'"
        if not isinstance(category, int | str) or category not in self.labels:
            return f"its category_id {category!r} is that of no category"
        return None

    def _drop(self, annotations: Sequence[Mapping[str, Any]], what: str) -> None:
        objects = f" with {len(annotations)} annotations" if annotations else ""
        self.problems.append(f"{what} and is left out{objects}.")

    def videos(self) -> Iterator[JsonVideo]:
        """The usable videos, in the order of the file."""
        raise NotImplementedError


class _YoutubeVis(_Reader):
    owner_key = "video_id"
    owner_list = "videos"

    def videos(self) -> Iterator[JsonVideo]:
        for video_id, entry in self.owners.items():
            annotations = self.annotations.get(video_id, [])
            names = entry.get("file_names")
            if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
                self._drop(annotations, f"Video {video_id!r} names no frames (file_names)")
                continue
            size = _size(entry)
            folders, stems = zip(*map(split_frame_name, names), strict=True)
            if size is None:
                self._drop(annotations, f"Video {folders[0] or video_id} has no width and height")
            elif len(set(folders)) > 1 or len(set(stems)) < len(stems):
                self._drop(annotations, f"Video {folders[0] or video_id} has frames of several folders or one twice")
            else:
                objects = self._objects(annotations, folders[0], stems)
                yield JsonVideo(folders[0], stems, *size, objects, video_id if type(video_id) is int else None)

    def _objects(
        self, annotations: Sequence[Mapping[str, Any]], name: str, stems: Sequence[str]
    ) -> dict[int, JsonObject]:
        ids = _own_ids(annotations) or range(1, len(annotations) + 1)
        objects = {}
        for object_id, entry in zip(ids, annotations, strict=True):
            segmentations = entry.get("segmentations")
            label = self.labels[entry["category_id"]]
            if not isinstance(segmentations, list):
                self.problems.append(
                    f"Video {name}, object {object_id} ({label}) has no segmentations; it is left out."
                )
                continue
            if len(segmentations) != len(stems):
                self.problems.append(
                    f"Video {name}, object {object_id} ({label}) has {len(segmentations)} segmentations for "
                    f"{len(stems)} frames; those that have a frame are taken."
                )
            present = {at: found for at, found in enumerate(segmentations[: len(stems)]) if found is not None}
            identity = entry.get("id")
            objects[object_id] = JsonObject(label, present, identity if type(identity) is int else None)
        return objects


class _Coco(_Reader):
    owner_key = "image_id"
    owner_list = "images"

    def videos(self) -> Iterator[JsonVideo]:
        for folder, images in self._folders().items():
            annotations = [entry for image in images.values() for entry in self.annotations.get(image["id"], [])]
            sizes = Counter(_size(image) for image in images.values())
            size = sizes.most_common(1)[0][0]
            if size is None or len(sizes) > 1:
                self._drop(annotations, f"Video {folder} has images of several sizes, or of none that is told,")
            else:
                yield JsonVideo(folder, tuple(images), *size, self._objects(annotations, images, folder))

    def _folders(self) -> dict[str, dict[str, dict[str, Any]]]:
        """By folder, and then by name without suffix in natural order, the images."""
        folders: dict[str, dict[str, dict[str, Any]]] = {}
        for image_id, image in self.owners.items():
            name = image.get("file_name")
            folder, stem = split_frame_name(name) if isinstance(name, str) else ("", "")
            if not stem or stem in folders.get(folder, {}):
                reason = "has no file_name" if not stem else f"is {name} like another"
                self._drop(self.annotations.get(image_id, []), f"Image {image_id!r} {reason}")
            else:
                folders.setdefault(folder, {})[stem] = image
        return {
            folder: {stem: folders[folder][stem] for stem in natsorted(folders[folder])}
            for folder in natsorted(folders)
        }

    def _objects(
        self, annotations: Sequence[Mapping[str, Any]], images: Mapping[str, Mapping[str, Any]], name: str
    ) -> dict[int, JsonObject]:
        positions = {image["id"]: position for position, image in enumerate(images.values())}
        ids = _track_ids(annotations) or range(1, len(annotations) + 1)
        labels: dict[int, str] = {}
        found: dict[int, dict[int, Any]] = {}
        for object_id, entry in zip(ids, annotations, strict=True):
            label = self.labels[entry["category_id"]]
            if labels.setdefault(object_id, label) != label:
                self.problems.append(
                    f"Video {name}, object {object_id} is both {labels[object_id]} and {label}; the first is taken."
                )
            position, segmentation = positions[entry["image_id"]], entry.get("segmentation")
            frames = found.setdefault(object_id, {})
            if segmentation is None:
                self.problems.append(f"Video {name}, object {object_id} ({label}) has an annotation without a mask.")
            else:
                frames[position] = _Parts((*frames.get(position, ()), segmentation))
        return {object_id: JsonObject(labels[object_id], frames) for object_id, frames in found.items()}


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) in pixels; None where the entry does not say."""
    size = (entry.get("width"), entry.get("height"))
    return size if all(type(side) is int and 0 < side < 2**20 for side in size) else None  # type: ignore[return-value]


def _own_ids(annotations: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """The object ids that a video's annotations carry; None unless each has one of its own."""
    ids = [entry.get(TRACK_KEYS[0]) for entry in annotations]
    whole = [object_id for object_id in ids if type(object_id) is int]
    return whole if whole and len(set(whole)) == len(ids) else None


def _track_ids(annotations: Sequence[Mapping[str, Any]]) -> list[int] | None:
    """The object id of each of a video's annotations, by the first key that all of them have."""
    for key in TRACK_KEYS:
        whole = [entry[key] for entry in annotations if type(entry.get(key)) is int]
        if whole and len(whole) == len(annotations):
            return whole
    return None


def _identity(entry: Any, number: int) -> str:
    identity = entry.get("id") if isinstance(entry, dict) else None
    return f"{identity}" if isinstance(identity, int | str) else f"number {number}"
