"""One frame's annotation: the labelme JSON file, as frozen data, read and written without loss.

The format is labelme's (versions 4 to 7 open what is written here). Our own facts are extra keys,
which labelme carries along: `source` and `score` on a shape, `propagated` and `absent` at the top.
"""

import base64
import io
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.errors import AnnotationError, SaveError
from sam_annotator.core.files import regular_bytes, what_stands, write_atomically
from sam_annotator.core.png import encode_mask

Source = Literal["manual", "sam", "propagated", "imported"]
MANUAL: Final = "manual"
SAM: Final = "sam"
PROPAGATED: Final = "propagated"
IMPORTED: Final = "imported"

REVIEWED: Final = "reviewed"
"""Name of the labelme flag that marks a shape as looked at and approved by a human."""

LABELME_VERSION: Final = "6.3.1"
"""The labelme version whose format new files declare."""

_SHAPE_KEYS: Final = frozenset(
    {"label", "points", "group_id", "shape_type", "flags", "description", "mask", "source", "score"}
)
_FRAME_KEYS: Final = frozenset(
    {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth", "propagated", "absent"}
)

# What Pillow raises for bytes that are no image, or half of one.
_BROKEN_PNG: Final = (
    OSError,
    SyntaxError,
    EOFError,
    ValueError,
    LookupError,
    struct.error,
    Image.DecompressionBombError,
)

Point = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Shape:
    """One labelme shape. An object in a frame is all shapes with its object id.

    Attributes:
        label: the category.
        points: (x, y) in pixels of the image; x to the right, y down, (0, 0) the corner of the first pixel.
            For a `mask` shape: the first and the last pixel of the crop, both inside.
        shape_type: `polygon`, `mask`, `rectangle`, ... as labelme names them.
        object_id: labelme's `group_id`; None only in files that another program wrote.
        mask: bool (height, width) crop for a `mask` shape, else None. Read-only by convention.
        source: who made it. A file that does not say counts as made by a human.
        score: 0..1, how sure the model was; None for what a human made.
        extra: keys of other programs, kept as they are.
    """

    label: str
    points: tuple[Point, ...]
    shape_type: str = "polygon"
    object_id: int | None = None
    mask: NDArray[np.bool_] | None = None
    source: str = MANUAL
    score: float | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)
    description: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_protected(self) -> bool:
        """True for what propagation must never change: any source but `propagated`, or reviewed."""
        return self.source != PROPAGATED or bool(self.flags.get(REVIEWED))

    def same_geometry(self, other: "Shape") -> bool:
        """True if both cover the same pixels by the same points."""
        return (
            self.shape_type == other.shape_type and self.points == other.points and _equal_masks(self.mask, other.mask)
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Shape):
            return NotImplemented
        return self.same_geometry(other) and _facts(self) == _facts(other)

    def __hash__(self) -> int:
        return hash((self.label, self.points, self.object_id))

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Shape":
        return self  # frozen: labelme's undo stack may share it


def _equal_masks(first: NDArray[np.bool_] | None, second: NDArray[np.bool_] | None) -> bool:
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


def _facts(shape: Shape) -> tuple[Any, ...]:
    return (
        shape.label,
        shape.object_id,
        shape.source,
        shape.score,
        dict(shape.flags),
        shape.description,
        dict(shape.extra),
    )


@dataclass(frozen=True)
class FrameAnnotation:
    """All shapes of one frame, and what else its file says.

    Attributes:
        image_path: the image relative to the JSON file, with forward slashes.
        width, height: of the image in pixels, EXIF rotation applied; 0 where an old file does not say.
        shapes: in drawing order, first at the bottom.
        propagated_ids: object ids that a propagation has answered for in this frame, also with 'not here'.
        absent_ids: objects of which a person says that they are not here; never one that has a shape.
        image_data: embedded image as base64, kept where a file has one; never added.
        extra: keys of other programs, kept as they are.
    """

    image_path: str
    width: int
    height: int
    shapes: tuple[Shape, ...] = ()
    flags: Mapping[str, bool] = field(default_factory=dict)
    propagated_ids: frozenset[int] = frozenset()
    absent_ids: frozenset[int] = frozenset()
    image_data: str | None = None
    version: str = LABELME_VERSION
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.absent_ids:  # whoever draws it says that it is here
            object.__setattr__(self, "absent_ids", self.absent_ids.difference(self.object_ids()))

    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects in this frame, ascending."""
        return tuple(sorted({s.object_id for s in self.shapes if s.object_id is not None}))

    def shapes_of(self, object_id: int | None) -> tuple[Shape, ...]:
        """The shapes (parts) of one object; of None: those that belong to no object."""
        return tuple(s for s in self.shapes if s.object_id == object_id)

    def is_key_frame_of(self, object_id: int) -> bool:
        """True if a human made or approved this object here, or says that it is not here."""
        return object_id in self.absent_ids or any(s.is_protected for s in self.shapes_of(object_id))

    def mentioned_ids(self) -> frozenset[int]:
        """Ids of the objects that this frame says something about."""
        return self.propagated_ids.union(self.absent_ids, self.object_ids())

    def with_object(self, object_id: int | None, shapes: Iterable[Shape]) -> "FrameAnnotation":
        """The same frame with all shapes of one object replaced (none: removed), drawing order kept."""
        new = tuple(shapes)
        position = next((i for i, s in enumerate(self.shapes) if s.object_id == object_id), len(self.shapes))
        before = tuple(s for s in self.shapes[:position] if s.object_id != object_id)
        after = tuple(s for s in self.shapes[position:] if s.object_id != object_id)
        return replace(self, shapes=before + new + after)


def read_annotation(path: Path) -> FrameAnnotation:
    """Read a labelme JSON file.

    Raises:
        AnnotationError: missing, not JSON, or not a labelme annotation; the sentence names the file.
    """
    try:
        data = regular_bytes(path)
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read ({error.strerror}).") from error
    return decode_annotation(data, str(path))


def decode_annotation(data: bytes, name: str = "The annotation") -> FrameAnnotation:
    """What the bytes of a labelme JSON file say.

    Args:
        name: what the sentence of an error begins with.

    Raises:
        AnnotationError: not JSON, or not a labelme annotation.
    """
    try:
        return _frame_from_document(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise AnnotationError(
            f"{name} is not valid JSON ({error}). Nothing was changed; repair the file, or move it away to "
            "annotate this frame anew."
        ) from error
    except (KeyError, TypeError, ValueError, OSError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise AnnotationError(
            f"{name} is not a labelme annotation ({reason}). Nothing was changed; repair the file, or move it "
            "away to annotate this frame anew."
        ) from error


def write_annotation(path: Path, annotation: FrameAnnotation) -> None:
    """Write a labelme JSON file, whole or not at all.

    Raises:
        SaveError: the old file, if any, is unchanged.
    """
    try:
        data = encode_annotation(annotation)
    except (TypeError, ValueError) as error:
        raise SaveError(f"{path} could not be saved ({error}); {what_stands(path)}.") from error
    write_atomically(path, data)


def encode_annotation(annotation: FrameAnnotation) -> bytes:
    """The bytes of the labelme JSON file: the same annotation always gives the same bytes.

    Raises:
        ValueError: a number that JSON cannot say.
        TypeError: a text that is not Unicode (a file name may be such), or an extra that is not JSON.
    """
    document: dict[str, Any] = {
        "version": annotation.version,
        "flags": dict(annotation.flags),
        "shapes": [_shape_to_document(shape) for shape in annotation.shapes],
        "imagePath": annotation.image_path,
        "imageData": annotation.image_data,
        "imageHeight": annotation.height or None,
        "imageWidth": annotation.width or None,
    }
    if annotation.propagated_ids:
        document["propagated"] = sorted(annotation.propagated_ids)
    if annotation.absent_ids:
        document["absent"] = sorted(annotation.absent_ids)
    document.update(annotation.extra)
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY)


def _frame_from_document(document: Any) -> FrameAnnotation:
    if not isinstance(document, dict):
        raise TypeError(f"the top of the file is a {type(document).__name__}, not an object")
    shapes = document["shapes"]
    if not isinstance(shapes, list):
        raise TypeError("'shapes' is not a list")
    return FrameAnnotation(
        image_path=_text(document["imagePath"], "imagePath").replace("\\", "/"),
        width=_size(document.get("imageWidth"), "imageWidth"),
        height=_size(document.get("imageHeight"), "imageHeight"),
        shapes=tuple(_shape_from_document(item, index) for index, item in enumerate(shapes)),
        flags=_flags(document.get("flags")),
        propagated_ids=_ids(document.get("propagated"), "propagated"),
        absent_ids=_ids(document.get("absent"), "absent"),
        image_data=_optional(_text, document.get("imageData"), "imageData"),
        version=str(document.get("version") or LABELME_VERSION),
        extra={key: value for key, value in document.items() if key not in _FRAME_KEYS},
    )


def _shape_from_document(item: Any, index: int) -> Shape:
    if not isinstance(item, dict):
        raise TypeError(f"shape {index} is not an object")
    shape_type = _text(item.get("shape_type") or "polygon", f"shape_type of shape {index}")
    mask = _optional(_mask, item.get("mask"), f"mask of shape {index}")
    points = _points(item["points"], index)
    if shape_type == "mask" and (mask is None or len(points) != 2):
        raise ValueError(f"shape {index} is a mask without its pixels or its place")
    return Shape(
        label=_text(item["label"], f"label of shape {index}"),
        points=points,
        shape_type=shape_type,
        object_id=_optional(_whole, item.get("group_id"), f"group_id of shape {index}"),
        mask=mask,
        source=_text(item.get("source") or MANUAL, f"source of shape {index}"),
        score=_optional(_number, item.get("score"), f"score of shape {index}"),
        flags=_flags(item.get("flags")),
        description=_text(item.get("description") or "", f"description of shape {index}"),
        extra={key: value for key, value in item.items() if key not in _SHAPE_KEYS},
    )


def _shape_to_document(shape: Shape) -> dict[str, Any]:
    if not _all_finite(shape.points) or not math.isfinite(shape.score or 0.0):
        raise ValueError(f"a shape of {shape.label!r} has a number that is not finite")
    document: dict[str, Any] = {
        "label": shape.label,
        "points": shape.points,
        "group_id": shape.object_id,
        "description": shape.description,
        "shape_type": shape.shape_type,
        "flags": dict(shape.flags),
        "mask": None if shape.mask is None else _encode_mask(shape.mask),
        "source": shape.source,
    }
    if shape.score is not None:
        document["score"] = shape.score
    document.update(shape.extra)
    return document


def _optional(convert: Callable[[Any, str], T], value: Any, what: str) -> T | None:
    return None if value is None else convert(value, what)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r}, not a text")
    return value


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is {value!r}, not a number")
    return float(value)


def _whole(value: Any, what: str) -> int:
    number = _number(value, what)
    if not number.is_integer():
        raise TypeError(f"{what} is {value!r}, not a whole number")
    return int(value)


def _size(value: Any, what: str) -> int:
    if value is None:  # labelme before version 4 did not write sizes
        return 0
    size = _whole(value, what)
    if size < 1:
        raise ValueError(f"{what} is {value!r}, not a size in pixels")
    return size


def _flags(value: Any) -> Mapping[str, bool]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError(f"flags are {value!r}, not an object")
    return value


def _ids(value: Any, what: str) -> frozenset[int]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise TypeError(f"{what!r} is {value!r}, not a list of object ids")
    return frozenset(value)


def _points(value: Any, index: int) -> tuple[Point, ...]:
    try:
        points: tuple[Point, ...] = tuple(map(tuple, value))
        # pairs of floats, which nearly all are, need no further look: datasets have millions
        if set(map(len, points)) != {2} or set(map(type, chain.from_iterable(points))) != {float}:
            points = tuple([(_number(x, "x"), _number(y, "y")) for x, y in value])
    except (TypeError, ValueError):
        raise TypeError(f"points of shape {index} are not pairs of numbers") from None
    if not points or not _all_finite(points):
        raise ValueError(f"points of shape {index} are empty or not finite")
    return points


def _all_finite(points: Iterable[Point]) -> bool:
    points = tuple(points)
    if math.isfinite(sum(chain.from_iterable(points))):
        return True
    return all(math.isfinite(x) and math.isfinite(y) for x, y in points)  # a sum may be too large, too


def _mask(value: Any, what: str) -> NDArray[np.bool_]:
    try:
        with Image.open(io.BytesIO(base64.b64decode(_text(value, what)))) as image:
            mask = np.asarray(image).astype(bool)
    except _BROKEN_PNG as error:
        raise ValueError(f"{what} is not a base64 PNG") from error
    if mask.ndim != 2:
        raise ValueError(f"{what} is a coloured image")
    return mask


def _encode_mask(mask: NDArray[np.bool_]) -> str:
    return base64.b64encode(encode_mask(mask)).decode("ascii")
