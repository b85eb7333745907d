"""Datasets in JSON as other people write them: YouTube-VIS (2019, 2021, OVIS, LV-VIS) and COCO per frame.

Nothing in such a file is taken for granted: what cannot be used becomes a sentence that names video, object and frame,
and the rest is read. Of an annotation memory keeps what it says and where it stands; the masks of one video are read
again when they are wanted.
"""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from natsort import natsorted

from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.import_report import some
from sam_annotator.core.datasets.json_video import JsonObject, JsonVideo, Segmentations
from sam_annotator.core.datasets.masked_video import MaskedVideos, ReadProgress, split_frame_name
from sam_annotator.core.datasets.records import is_id
from sam_annotator.core.errors import InputError
from sam_annotator.core.json_members import JsonMembers, NotJsonError
from sam_annotator.core.steps import finished, translated

TRACK_KEYS: Final = ("object_id", "track_id", "instance_id")
"""Where an annotation may say which object it is: our own key first, then those of COCO-like video datasets."""

_TOLD_EVERY: Final = 2**22
"""Bytes between two words of progress, while annotations are read."""

_LOOK: Final = 4
"""To look a file over takes the fourth part of the time that it takes to look it over and read it."""


def read_dataset_json(path: Path) -> MaskedVideos:
    """As `reading_dataset_json`, at once."""
    return finished(reading_dataset_json(path))


def reading_dataset_json(path: Path) -> Generator[ReadProgress, None, MaskedVideos]:
    """Read the instances file of a dataset; which kind it is shows by its keys. Yields how far it is.

    Raises:
        InputError: it cannot be read, is no such file, or holds no annotations.
    """
    try:
        size = path.stat().st_size
        yield ReadProgress(0, size)
        members = yield from translated(JsonMembers.reading(path), lambda at: ReadProgress(at // _LOOK, size))
        if members is None or not ("videos" in members or "images" in members):
            raise InputError(f"{path} is no dataset of YouTube-VIS or COCO: it has neither 'videos' nor 'images'.")
        reader = _Coco(members) if _is_per_frame(members) else _YoutubeVis(members)
        yield from reader.read()
        if not reader.met:
            raise InputError(f"{path} holds no annotations (the part of a dataset that is kept for tests has none).")
        videos = tuple(reader.videos())
        return MaskedVideos(videos, tuple(reader.problems), notes=(*reader.notes, *_lost_ids(videos)))
    except OSError as error:
        raise InputError(f"The dataset {path} cannot be read ({error.strerror}).") from error
    except NotJsonError as error:
        raise InputError(f"The dataset {path} is not valid JSON ({error}).") from error


def _lost_ids(videos: Sequence[JsonVideo]) -> Iterator[str]:
    """That an export will number anew, if it will: it keeps ids where each is one, and none is another's."""
    objects = [found.annotation_id for video in videos for found in video.objects.values()]
    for what, ids in (("videos", [video.video_id for video in videos]), ("annotations", objects)):
        usable = {number for number in ids if is_id(number)}
        if any(number is not None for number in ids) and len(usable) < len(ids):
            yield (
                f"{len(ids) - len(usable)} of {len(ids)} {what} have no id that is a whole number from 1, and no "
                "other's; exported again, all of them are numbered from 1."
            )


def _is_per_frame(members: JsonMembers) -> bool:
    """True for COCO, also where it lists the videos of its images, as TAO does."""
    if not ("videos" in members and "images" in members):
        return "images" in members
    if not members.is_list("annotations"):
        return False
    first, *_extent = next(members.entries("annotations"), (None,))
    return isinstance(first, dict) and "image_id" in first


class _Annotation(NamedTuple):
    """What is kept of an annotation.

    Attributes:
        owner: the id of its video or image.
        label: its category.
        tracks: its ids by `TRACK_KEYS`, where they are whole numbers.
        has_track: it has an id by one of those that count here, whole or not.
        identity: its own id, if that is a whole number.
        length: of its list of masks; None: it has no such list, or no mask.
        has_masks: one of its masks is not null.
        start, end: its first byte in the file, and the one after its last.
    """

    owner: int | str
    label: str
    tracks: tuple[int | None, ...]
    has_track: bool
    identity: int | None
    length: int | None
    has_masks: bool
    start: int
    end: int


def _category_notes(odd_ids: Sequence[str], cleaned: Sequence[str]) -> Iterator[str]:
    """What of the categories a way back would change."""
    if odd_ids:
        yield (
            f"Categories whose ids cannot be kept, since ids are whole numbers from 1: {len(odd_ids)} "
            f"({some(odd_ids)}). To make a dataset of them again, give the categories as a list of names, or take the "
            "labels that occur, which numbers them from 1; or mend the ids first."
        )
    if cleaned:
        yield (
            f"Names of categories taken without the white space around them, and composed (NFC): {len(cleaned)} "
            f"({some(cleaned)}); a dataset made of them again has them so."
        )


class _Reader:
    """What both kinds share: categories, and annotations sorted by what they belong to."""

    owner_key: str
    owner_list: str
    track_keys: Sequence[str]
    met: int
    """Annotations, usable or not."""

    def __init__(self, members: JsonMembers) -> None:
        self.members = members
        file = members.file
        self.segmentations = Segmentations(replace(file, path=file.path.absolute()))  # workers may be elsewhere
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.labels = self._read_labels()
        self.owners = {entry["id"]: entry for entry in self._entries(self.owner_list)}
        self.annotations: dict[Any, list[_Annotation]] = {}
        self.met = 0

    def _entries(self, key: str) -> Iterator[dict[str, Any]]:
        """The entries of a list that have an id nobody had before."""
        met: set[Any] = set()
        for number, (entry, *_extent) in enumerate(self.members.entries(key) if self.members.is_list(key) else ()):
            identity = entry.get("id") if isinstance(entry, dict) else None
            if isinstance(identity, bool) or not isinstance(identity, int | str):
                self.problems.append(f"Entry {number} of '{key}' has no id and is left out.")
            elif identity in met:
                self.problems.append(f"Entry {number} of '{key}' has the id {identity!r} of another and is left out.")
            else:
                met.add(identity)
                yield entry

    def _read_labels(self) -> dict[Any, str]:
        labels: dict[Any, str] = {}
        first: dict[str, Any] = {}
        odd_ids: list[str] = []
        cleaned: list[str] = []
        for entry in self._entries("categories"):
            name = normal_label(entry["name"]) if isinstance(entry.get("name"), str) else ""
            if not name:
                self.problems.append(f"The category {entry['id']!r} has no name and is left out.")
                continue
            labels[entry["id"]] = name
            if not is_id(entry["id"]):
                odd_ids.append(f"{name} has {entry['id']!r}")
            if name != entry["name"]:
                cleaned.append(repr(entry["name"]))
            if first.setdefault(name, entry["id"]) != entry["id"]:
                self.problems.append(
                    f"The categories {first[name]!r} and {entry['id']!r} are both called {name}; they become one label."
                )
        self.notes += _category_notes(odd_ids, cleaned)
        return labels

    def read(self) -> Iterator[ReadProgress]:
        """Sort the usable annotations by the video, or image, that they belong to."""
        size = self.members.file.stamp[0]
        is_list = self.members.is_list("annotations")
        entries = self.members.entries("annotations") if is_list else iter(())
        if not is_list and self.members.value("annotations"):
            self.met += 1
            self.problems.append("'annotations' is no list; nothing of it can be read.")
        told = 0
        for number, (entry, start, end) in enumerate(entries):
            self.met += 1
            reason = self._unusable(entry)
            if reason is None:
                self.annotations.setdefault(entry[self.owner_key], []).append(self._kept(entry, start, end))
                if entry.get("iscrowd"):
                    self.problems.append(
                        f"Annotation {_identity(entry, number)} is a crowd (iscrowd); it is taken as one object."
                    )
            else:
                self.problems.append(f"Annotation {_identity(entry, number)} is left out: {reason}.")
            if end - told >= _TOLD_EVERY:
                told = end
                yield ReadProgress((size + (_LOOK - 1) * end) // _LOOK, size)
        yield ReadProgress(size, size)

    def _kept(self, entry: Mapping[str, Any], start: int, end: int) -> _Annotation:
        length, has_masks = self.measure(entry)
        return _Annotation(
            entry[self.owner_key],
            self.labels[entry["category_id"]],
            tuple(_whole(entry.get(key)) for key in TRACK_KEYS),
            any(entry.get(key) is not None for key in self.track_keys),
            _whole(entry.get("id")),
            length,
            has_masks,
            start,
            end,
        )

    def measure(self, entry: Mapping[str, Any]) -> tuple[int | None, bool]:
        """`length` and `has_masks` of a usable annotation."""
        raise NotImplementedError

    def _unusable(self, entry: Any) -> str | None:
        if not isinstance(entry, dict):
            return "it is no object"
        owner, category = entry.get(self.owner_key), entry.get("category_id")
        if isinstance(owner, bool) or not isinstance(owner, int | str) or owner not in self.owners:
            return f"its {self.owner_key} {owner!r} is that of none in '{self.owner_list}'"
        if isinstance(category, bool) or not isinstance(category, int | str) or category not in self.labels:
            return f"its category_id {category!r} is that of no category"
        return None

    def _drop(self, annotations: Sequence[_Annotation], what: str) -> None:
        objects = f" with {len(annotations)} annotations" if annotations else ""
        self.problems.append(f"{what} and is left out{objects}.")

    def videos(self) -> Iterator[JsonVideo]:
        """The usable videos, in the order of the file."""
        raise NotImplementedError


class _YoutubeVis(_Reader):
    owner_key = "video_id"
    owner_list = "videos"
    track_keys = TRACK_KEYS[:1]

    def measure(self, entry: Mapping[str, Any]) -> tuple[int | None, bool]:
        listed = entry.get("segmentations")
        if not isinstance(listed, list):
            return None, False
        names = self.owners[entry["video_id"]].get("file_names")
        frames = len(names) if isinstance(names, list) else 0
        return len(listed), any(found is not None for found in listed[:frames])

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
                yield JsonVideo(folders[0], stems, *size, objects, self.segmentations, _whole(video_id))

    def _objects(self, annotations: Sequence[_Annotation], name: str, stems: Sequence[str]) -> dict[int, JsonObject]:
        own = _own_ids(annotations)
        if own is None and any(one.has_track for one in annotations):
            self.notes.append(
                f"Video {name}: not each annotation has an {TRACK_KEYS[0]} of its own that is a whole number; objects "
                "are numbered as the annotations stand."
            )
        ids = own or range(1, len(annotations) + 1)
        objects = {}
        for object_id, one in zip(ids, annotations, strict=True):
            if one.length is None:
                self.problems.append(
                    f"Video {name}, object {object_id} ({one.label}) has no segmentations; it is left out."
                )
                continue
            if one.length != len(stems):
                self.problems.append(
                    f"Video {name}, object {object_id} ({one.label}) has {one.length} segmentations for "
                    f"{len(stems)} frames; those that have a frame are taken."
                )
            entries = np.array([[-1, one.start, one.end]], np.int64)
            objects[object_id] = JsonObject(one.label, entries, one.has_masks, one.identity, one.length)
        return objects


class _Coco(_Reader):
    owner_key = "image_id"
    owner_list = "images"
    track_keys = TRACK_KEYS

    def measure(self, entry: Mapping[str, Any]) -> tuple[int | None, bool]:
        has_mask = entry.get("segmentation") is not None
        return (1 if has_mask else None), has_mask

    def videos(self) -> Iterator[JsonVideo]:
        for folder, images in self._folders().items():
            annotations = [entry for image in images.values() for entry in self.annotations.get(image["id"], [])]
            sizes = Counter(_size(image) for image in images.values())
            size = sizes.most_common(1)[0][0]
            if size is None or len(sizes) > 1:
                self._drop(annotations, f"Video {folder} has images of several sizes, or of none that is told,")
            else:
                objects = self._objects(annotations, images, folder)
                yield JsonVideo(folder, tuple(images), *size, objects, self.segmentations)

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
        self, annotations: Sequence[_Annotation], images: Mapping[str, Mapping[str, Any]], name: str
    ) -> dict[int, JsonObject]:
        positions = {image["id"]: position for position, image in enumerate(images.values())}
        tracks = _track_ids(annotations)
        if tracks is None and any(one.has_track for one in annotations):
            self.problems.append(
                f"Video {name}: not each annotation says by a whole number which object it is "
                f"({', '.join(TRACK_KEYS)}); each becomes an object of its own."
            )
        ids = tracks or range(1, len(annotations) + 1)
        labels: dict[int, str] = {}
        found: dict[int, list[tuple[int, int, int]]] = {}
        for object_id, one in zip(ids, annotations, strict=True):
            if labels.setdefault(object_id, one.label) != one.label:
                self.problems.append(
                    f"Video {name}, object {object_id} is both {labels[object_id]} and {one.label}; the first is taken."
                )
            entries = found.setdefault(object_id, [])
            if one.has_masks:
                entries.append((positions[one.owner], one.start, one.end))
            else:
                self.problems.append(
                    f"Video {name}, object {object_id} ({one.label}) has an annotation without a mask."
                )
        return {
            object_id: JsonObject(labels[object_id], np.array(entries, np.int64).reshape(-1, 3), bool(entries))
            for object_id, entries in found.items()
        }


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """(width, height) in pixels; None where the entry does not say."""
    size = (entry.get("width"), entry.get("height"))
    return size if all(type(side) is int and 0 < side < 2**20 for side in size) else None  # type: ignore[return-value]


def _own_ids(annotations: Sequence[_Annotation]) -> list[int] | None:
    """The object ids that a video's annotations carry; None unless each has one of its own."""
    ids = [one.tracks[0] for one in annotations]
    whole = [object_id for object_id in ids if object_id is not None]
    return whole if whole and len(set(whole)) == len(ids) else None


def _track_ids(annotations: Sequence[_Annotation]) -> list[int] | None:
    """The object id of each of a video's annotations, by the first key that all of them have."""
    for key in range(len(TRACK_KEYS)):
        whole = [number for one in annotations if (number := one.tracks[key]) is not None]
        if whole and len(whole) == len(annotations):
            return whole
    return None


def _whole(value: Any) -> int | None:
    return value if type(value) is int else None


def _identity(entry: Any, number: int) -> str:
    identity = entry.get("id") if isinstance(entry, dict) else None
    return f"{identity}" if isinstance(identity, int | str) else f"number {number}"
