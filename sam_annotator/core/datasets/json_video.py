"""One video of a dataset in JSON: what is known of its objects; and their masks, read when they are wanted.

Masks are decoded one frame at a time, with the geometry of the COCO API.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from pycocotools import mask as coco

from sam_annotator.core.datasets.masked_video import FrameMasks
from sam_annotator.core.json_members import JsonFile
from sam_annotator.core.masks import decode_rle
from sam_annotator.core.raster import Mask

_FAR: Final = 10
"""Polygons may leave the image by this many times its longer side; further out, drawing them takes all memory."""


@dataclass(frozen=True)
class JsonObject:
    """One object: its category, and where in the file its masks stand.

    Attributes:
        entries: int64 (n, 3): of each annotation the position of its frame (-1: it has a list of all frames), its first
            byte, and the one after its last.
        has_masks: it has a mask in some frame, as far as can be told before decoding.
        annotation_id: its id in the file, where that is one annotation with a whole number.
        told: of so many frames, from the first on, its list says something; None: of all.
    """

    label: str
    entries: NDArray[np.int64] = field(compare=False)
    has_masks: bool
    annotation_id: int | None = None
    told: int | None = None


class Segmentations:
    """What a dataset's JSON says of masks, a video at a time; other processes read the file themselves."""

    def __init__(self, file: JsonFile) -> None:
        self._file = file
        self._latest: tuple[object, Mapping[int, Mapping[int, Sequence[bytes]]]] = (None, {})

    def __reduce__(self) -> tuple[Any, ...]:
        return (Segmentations, (self._file,))

    def of(self, objects: Mapping[int, JsonObject], length: int) -> Mapping[int, Mapping[int, Sequence[bytes]]]:
        """Those of a video's objects, by object id and position of the frame, as JSON.

        Raises:
            InputError: the file is not what it was.
        """
        if self._latest[0] is not objects:
            self._latest = None, {}  # not two in memory
            self._latest = objects, {number: self._read(found, length) for number, found in objects.items()}
        return self._latest[1]

    def _read(self, found: JsonObject, length: int) -> Mapping[int, Sequence[bytes]]:
        contents = self._file.read(found.entries[:, 1:])
        frames: dict[int, list[bytes]] = {}
        for position, content in zip(found.entries[:, 0].tolist(), contents, strict=True):
            for at, segmentation in self._listed(content, position, length):
                if segmentation is not None:  # as JSON, runs take a tenth of what they take as numbers
                    frames.setdefault(at, []).append(_dumped(segmentation))
        return frames

    def _listed(self, content: bytes, position: int, length: int) -> Iterable[tuple[int, Any]]:
        """By frame what an annotation says, which was read before: where it says no such thing, the file is another."""
        try:
            entry = orjson.loads(content)
            return enumerate(entry["segmentations"][:length]) if position < 0 else [(position, entry["segmentation"])]
        except (ValueError, TypeError, LookupError) as error:
            raise self._file.changed() from error


@dataclass(frozen=True)
class JsonVideo:
    """One video of a dataset in JSON; a `MaskedVideo`.

    Attributes:
        name, frames: as `MaskedVideo` has them.
        width, height: in pixels.
        objects: by object id.
        segmentations: of all videos of the file.
        video_id: its id in the file, where that has videos with whole numbers.
    """

    name: str
    frames: tuple[str, ...]
    width: int
    height: int
    objects: Mapping[int, JsonObject]
    segmentations: Segmentations = field(compare=False, repr=False)
    video_id: int | None = None

    @property
    def labels(self) -> Mapping[int, str]:
        """The category of each object, by object id."""
        return {object_id: found.label for object_id, found in self.objects.items()}

    def read(self, position: int) -> FrameMasks:
        """The masks of one frame; a segmentation that cannot be decoded is a problem there.

        Raises:
            InputError: the file was changed, or cannot be read any more.
        """
        masks: dict[int, Mask] = {}
        problems: dict[int, str] = {}
        empty: list[str] = []
        for object_id, frames in self.segmentations.of(self.objects, len(self.frames)).items():
            parts = frames.get(position)
            if parts is None:
                continue
            label = self.objects[object_id].label
            where = f"Video {self.name}, object {object_id} ({label}), frame {self.frames[position]}"
            try:
                drawn = [decode_segmentation(orjson.loads(part), self.height, self.width) for part in parts]
            except ValueError as error:
                problems[object_id] = f"{where}: the mask cannot be used; {error}."
                continue
            mask = drawn[0] if len(drawn) == 1 else np.logical_or.reduce(drawn)
            if mask.any():
                masks[object_id] = mask
            else:
                empty.append(f"{where}: the mask has no pixel; the object counts as absent there.")
        untold = frozenset(i for i, found in self.objects.items() if found.told is not None and position >= found.told)
        return FrameMasks(self.width, self.height, masks, (*problems.values(), *empty), untold.union(problems))


def _dumped(segmentation: Any) -> bytes:
    try:
        return orjson.dumps(segmentation)
    except TypeError:  # nested deeper than anything that is a mask
        return b"null"


def decode_segmentation(segmentation: Any, height: int, width: int) -> Mask:
    """The mask, bool (height, width), of an RLE (compressed or not) or of a list of polygons.

    Raises:
        ValueError: it is neither, or made for another size; the text says so.
    """
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
