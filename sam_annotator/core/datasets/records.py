"""What is known of a video on its way into a dataset: objects, masks as run lengths, what came up while reading."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeGuard

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.images import FrameImage
from sam_annotator.core.raster import Holes, Patch, Raster
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.run_lengths import EncodedMask, encode_masks, run_edges
from sam_annotator.core.videos import Video

NullGroup = Literal["error", "skip", "per-label"]
Box = tuple[int, int, int, int]

_TOGETHER: Final = 24
"""So many masks of an object are encoded at once: enough to be fast, and few enough to need no memory."""

VIDEO_ID: Final = "video_id"
ANNOTATION_ID: Final = "annotation_id"
"""Keys of a frame and of a shape: the ids in the dataset that they were imported from."""

LARGEST_ID: Final = 2**53
"""Some readers of JSON round larger numbers."""

LISTED: Final = 3
"""How many names or frames a sentence lists."""


@dataclass(frozen=True)
class DrawOptions:
    """How shapes become masks.

    Attributes:
        raster: whose pixels; holes: what polygons within polygons mean. See `object_mask`.
        null_group: shapes without an object id are an error, left out, or one object per label and video.
        compressed: run lengths as COCO's text; else as lists of numbers.
    """

    raster: Raster = "labelme"
    holes: Holes = "auto"
    null_group: NullGroup = "error"
    compressed: bool = True


class TrackMasks:
    """The masks of one object, by frame: put into run lengths a few dozen at a time, which is faster than one by one.

    Args:
        compressed: as `DrawOptions` has it.
    """

    def __init__(self, compressed: bool) -> None:
        self._size = (0, 0)
        self._compressed = compressed
        self._waiting: dict[int, NDArray[np.int64]] = {}
        self._encoded: dict[int, EncodedMask] = {}

    def __len__(self) -> int:
        return len(self._waiting) + len(self._encoded)

    def add(self, index: int, patch: Patch | None, height: int, width: int) -> bool:
        """Take the mask of a frame; all are of one size. False: it has no pixel, and does not count."""
        if patch is None:
            return False
        edges = run_edges(patch.pixels, patch.box[:2], height)
        if not len(edges):
            return False
        self._size = height, width
        self._waiting[index] = edges
        if len(self._waiting) >= _TOGETHER:
            self._encode()
        return True

    def all(self) -> Mapping[int, EncodedMask]:
        """What was taken, frames ascending."""
        self._encode()
        return dict(sorted(self._encoded.items()))

    def _encode(self) -> None:
        encoded = encode_masks(list(self._waiting.values()), *self._size, compressed=self._compressed)
        self._encoded.update(zip(self._waiting, encoded, strict=True))
        self._waiting.clear()


@dataclass(frozen=True)
class LabelUse:
    """How often an object has a label: in how many frames, and the stems of the first of them."""

    label: str
    frames: int
    stems: tuple[str, ...]


@dataclass(frozen=True)
class ReadObject:
    """One object of a video; `object_id` is None for shapes that were joined by label. `masks`: frames it is in.

    `annotation_id`: the one that its shapes carry from an import; None: none, or several.
    """

    object_id: int | None
    labels: tuple[LabelUse, ...]
    masks: int
    annotation_id: int | None = None

    def __str__(self) -> str:
        name = self.labels[0].label
        return f"the shapes of {name} without id" if self.object_id is None else f"object {self.object_id} ({name})"


@dataclass(frozen=True)
class ReadVideo:
    """What was read of one video, all but its masks.

    Attributes:
        name: in the tree.
        images: its frames in order; those that cannot be used are missing.
        objects: ids ascending; those that cover no pixel have no masks.
        findings: what came up, errors among it: with one, the video cannot be written.
        ignored_shapes: shapes that cover no area, counted by type.
        empty_masks: objects in a frame whose shapes cover no pixel of it.
        empty_objects: objects that cover no pixel in any frame, named.
        is_annotated: a frame has an annotation file.
        video_id: the one that its frames carry from an import; None: none, or several.
    """

    name: str
    images: tuple[FrameImage, ...]
    objects: tuple[ReadObject, ...]
    findings: tuple[Finding, ...] = ()
    ignored_shapes: Mapping[str, int] = field(default_factory=dict)
    empty_masks: int = 0
    empty_objects: tuple[str, ...] = ()
    is_annotated: bool = True
    video_id: int | None = None

    @property
    def has_errors(self) -> bool:
        return any(finding.kind == "error" for finding in self.findings)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.images[0].size if self.images else (0, 0)

    @property
    def masks(self) -> int:
        return sum(found.masks for found in self.objects)

    def to_document(self) -> dict[str, Any]:
        """For JSON; the frames' paths are left out, the video knows them."""
        return {
            "name": self.name,
            "images": [(image.width, image.height, image.is_plain_jpeg) for image in self.images],
            "objects": [
                (
                    None if o.object_id is None else str(o.object_id),  # may be larger than JSON's numbers
                    [(use.label, use.frames, use.stems) for use in o.labels],
                    o.masks,
                    o.annotation_id,
                )
                for o in self.objects
            ],
            "findings": [
                (f.kind, f.reason, f.what, f.video, f.file, f.count, f.remedy and f.remedy.name) for f in self.findings
            ],
            "ignored_shapes": dict(self.ignored_shapes),
            "empty_masks": self.empty_masks,
            "empty_objects": self.empty_objects,
            "is_annotated": self.is_annotated,
            "video_id": self.video_id,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], video: Video) -> "ReadVideo":
        """What `to_document` gave for the same video. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            document["name"],
            tuple(FrameImage(path, *facts) for path, facts in zip(video.frame_paths, document["images"], strict=True)),
            tuple(
                ReadObject(
                    None if number is None else int(number),
                    tuple(LabelUse(label, frames, tuple(stems)) for label, frames, stems in uses),
                    masks,
                    annotation_id,
                )
                for number, uses, masks, annotation_id in document["objects"]
            ),
            tuple(
                Finding(kind, reason, what, video, file, count, Remedy[remedy] if remedy else None)
                for kind, reason, what, video, file, count, remedy in document["findings"]
            ),
            document["ignored_shapes"],
            document["empty_masks"],
            tuple(document["empty_objects"]),
            document["is_annotated"],
            document["video_id"],
        )


def only_id(found: Collection[int]) -> int | None:
    """The one id that was found; None if that is none, or several."""
    return next(iter(found)) if len(found) == 1 else None


def is_id(value: Any) -> TypeGuard[int]:
    """True for what can be the id of a video or an annotation."""
    return type(value) is int and 1 <= value <= LARGEST_ID


def describe_conflict(video: str, found: ReadObject, renames: Mapping[str, str]) -> str | None:
    """What to tell people of an object that has several labels, once renamed; None if it has one."""
    stems: dict[str, list[str]] = {}
    counts = Counter[str]()
    for use in found.labels:
        label = renames.get(use.label, use.label)
        stems.setdefault(label, []).extend(use.stems)
        counts[label] += use.frames
    if len(stems) == 1:
        return None
    labels = " and ".join(f"{label!r} in {_frames(stems[label], counts[label])}" for label in stems)
    return (
        f"Object {found.object_id} of video {video} is labelled {labels}. An object has one category: relabel "
        "it, or give the other object an id of its own, in the window."
    )


def _frames(stems: Sequence[str], count: int) -> str:
    listed = ", ".join(stems[:LISTED])
    more = count - min(len(stems), LISTED)
    return f"{'frame' if count == 1 else 'frames'} {listed}" + (f" and {more} more" if more > 0 else "")
