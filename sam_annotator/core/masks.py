"""Masks, bool (height, width): from shapes and back to shapes, run-length encoding, small measures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from sam_annotator.core.annotation import Point, Shape
from sam_annotator.core.raster import (
    AREA_TYPES,
    Box,
    Holes,
    Mask,
    Patch,
    Raster,
    covers_nothing,
    draw_polygon,
    object_mask,
    object_patch,
    shape_to_mask,
)
from sam_annotator.core.run_lengths import encode_masks, run_edges

__all__ = [
    "AREA_TYPES",
    "Box",
    "Holes",
    "Mask",
    "Patch",
    "Raster",
    "bounding_box",
    "covers_nothing",
    "decode_rle",
    "encode_crop",
    "encode_rle",
    "iou",
    "label_map",
    "mask_to_shapes",
    "object_mask",
    "object_patch",
    "remove_specks",
    "rle_area",
    "rle_box",
    "shape_to_mask",
    "without_specks",
]

_FEW_POINTS: Final = 32
"""A part of an object may have as many points as this without being simplified further."""

_MANY_CONTOURS: Final = 200
"""From here on it is quicker to look at all pixels at once than at the parts one by one."""

_TOLERANCES: Final = tuple(0.5 * 1.12**step for step in range(9))
"""How far, in pixels, a simplified outline may leave the true one: 0.5 to 1.24, ascending.

No more, however large the object is: what is a hundredth of its area is an edge that is seen to be coarse when the
person looks closer.
"""

_LONGEST_COUNT: Final = 7
"""Characters that a run length below 2**31 takes at most in a compressed RLE."""


def mask_to_shapes(
    mask: Mask,
    *,
    label: str,
    object_id: int | None,
    source: str,
    score: float | None = None,
    style: Literal["auto", "mask"] = "auto",
    min_iou: float = 0.99,
) -> tuple[Shape, ...]:
    """The shapes that store one object's mask.

    Args:
        mask: bool (height, width); empty: no shapes.
        style: `auto`: one polygon a part, of few points, that leaves the part's outline by little more than a pixel,
            where `object_mask` of the result comes within `min_iou` of the mask; else, and always for a mask with
            holes, one `mask` shape, which is exact.
            `mask`: one `mask` shape.
        min_iou: intersection over union, 0..1.
    """
    box = bounding_box(mask)
    if box is None:
        return ()
    facts: dict[str, Any] = {"label": label, "object_id": object_id, "source": source, "score": score}
    left, top, right, bottom = box
    crop = np.ascontiguousarray(mask[top:bottom, left:right])
    outlines = _outlines(crop, (left, top)) if style == "auto" else None
    if outlines is not None:
        for aim in (min_iou, (1.0 + min_iou) / 2):  # parts that polygons miss are made up for by the others
            polygons = tuple(Shape(points=_simplified(outline, aim), **facts) for outline in outlines)
            if _iou_of(polygons, mask, box) >= min_iou:
                return polygons
    points = ((float(left), float(top)), (float(right - 1), float(bottom - 1)))
    return (Shape(points=points, shape_type="mask", mask=crop, **facts),)


def iou(first: Mask, second: Mask) -> float:
    """Intersection over union, 0..1, of two masks of one size; 1 for two empty ones."""
    common = int(np.count_nonzero(first & second))
    union = int(np.count_nonzero(first)) + int(np.count_nonzero(second)) - common
    return common / union if union else 1.0


def bounding_box(mask: Mask) -> Box | None:
    """(left, top, right, bottom) of the True pixels, right and bottom outside; None for an empty mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[top:bottom].any(axis=0))
    return (int(columns[0]), top, int(columns[-1]) + 1, bottom)


def remove_specks(mask: Mask, min_area: int) -> Mask:
    """The mask without parts of fewer than `min_area` pixels, and with holes smaller than that filled.

    Pixels that touch at a corner belong to one part; a hole is closed by such a corner, too.
    """
    box = bounding_box(mask)
    if box is None:
        return mask.copy()
    left, top, right, bottom = box
    crop = cv2.copyMakeBorder(_bytes(mask[top:bottom, left:right]), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    contours, hierarchy = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    holes = hierarchy[0, :, 3] >= 0
    if len(contours) > _MANY_CONTOURS:
        crop = _bytes(_only_large(crop.view(np.bool_), min_area))
    else:
        for hole in (False, True):
            for index in np.flatnonzero(holes == hole):
                _clear_small(crop, cv2.boundingRect(contours[index]), min_area, hole=hole)
    result = np.zeros_like(mask)
    result[top:bottom, left:right] = crop[1:-1, 1:-1]
    return result


def without_specks(mask: Mask, min_area: int, clicks: Mapping[Point, bool]) -> Mask:
    """What `remove_specks` makes of a mask, where that leaves something of it and is true to clicks.

    Args:
        clicks: (x, y) in pixels to whether the person wants what is there: what is small may be what was asked for.
    """
    if min_area < 2:
        return mask
    result = remove_specks(mask, min_area)
    height, width = mask.shape
    for (x, y), include in clicks.items():
        row, column = min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)
        if mask[row, column] == include != result[row, column]:
            return mask
    return result if result.any() else mask


def label_map(masks: Mapping[int, Mask], height: int, width: int) -> NDArray[np.int32]:
    """int32 (height, width): the object id at each pixel, 0 where there is none; later masks win."""
    labels = np.zeros((height, width), np.int32)
    for object_id, mask in masks.items():
        labels[mask] = object_id
    return labels


def encode_rle(mask: Mask, *, compressed: bool = True) -> dict[str, Any]:
    """COCO's run-length encoding: {'size': [height, width], 'counts': text, or a list if not `compressed`}."""
    height, width = mask.shape
    if not mask.size:
        raise ValueError("a mask without pixels has no run-length encoding")
    box = bounding_box(mask) or (0, 0, 0, 0)
    left, top, right, bottom = box
    return encode_crop(mask[top:bottom, left:right], (left, top), height, width, compressed=compressed)


def encode_crop(
    crop: Mask, corner: tuple[int, int], height: int, width: int, *, compressed: bool = True
) -> dict[str, Any]:
    """What `encode_rle` gives for a mask of height x width that holds `crop` at `corner` (left, top), else nothing."""
    edges = run_edges(crop, corner, height)
    if len(edges):
        (encoded,) = encode_masks([edges], height, width, compressed=compressed)
        return {"size": [height, width], "counts": encoded.counts}
    empty = coco.frPyObjects({"size": [height, width], "counts": [height * width]}, height, width)
    counts = empty["counts"].decode("ascii") if compressed else [height * width]
    return {"size": [height, width], "counts": counts}


def decode_rle(rle: Mapping[str, Any]) -> Mask:
    """The mask of a COCO run-length encoding, compressed (text or bytes) or not (list of counts).

    Raises:
        ValueError: it is not an encoding, or its runs do not fill its size exactly.
    """
    height, width, counts = _checked_runs(rle)
    behind = int(counts[-1]) if len(counts) % 2 else 0
    left, right = int(counts[0]) // height, width - behind // height  # columns beside have no pixel inside
    mask = np.zeros((height, width), np.bool_)
    if left < right:
        counts[0] -= left * height
        counts[-1] -= (width - right) * height
        inside = (np.arange(len(counts)) & 1).astype(bool)
        columns = np.repeat(inside, counts).reshape(right - left, height)
        mask[:, left:right] = cv2.transpose(_bytes(columns)).view(np.bool_)
    return mask


def rle_area(rle: Mapping[str, Any]) -> int:
    """Number of pixels inside. Raises ValueError as `decode_rle` does."""
    return int(_checked_runs(rle)[2][1::2].sum())


def rle_box(rle: Mapping[str, Any]) -> Box:
    """(x, y, width, height) of the pixels inside, as COCO's `bbox`; zeros if there are none.

    Raises:
        ValueError: as `decode_rle`.
    """
    height, _, counts = _checked_runs(rle)
    edges = np.cumsum(counts)
    first, last = edges[0:-1:2], edges[1::2] - 1
    first, last = first[first <= last], last[first <= last]
    if not len(first):
        return (0, 0, 0, 0)
    left, right = int(first[0] // height), int(last[-1] // height)
    top, bottom = int((first % height).min()), int((last % height).max())
    if np.any(first // height != last // height):  # a run that goes on in the next column
        top, bottom = 0, height - 1
    return (left, top, right - left + 1, bottom - top + 1)


def _bytes(mask: Mask) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask, dtype=np.bool_).view(np.uint8)


def _outlines(crop: Mask, origin: tuple[int, int]) -> list[NDArray[np.int32]] | None:
    """The boundary pixels of each part, int32 (n, 1, 2) in the image; None if the mask has a hole."""
    contours, hierarchy = cv2.findContours(_bytes(crop), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=origin)
    return None if np.any(hierarchy[0, :, 3] >= 0) else list(contours)


def _simplified(outline: NDArray[np.int32], min_iou: float) -> tuple[Point, ...]:
    """The points of the polygon for one part: few, but close; the outline itself if nothing simpler will do.

    Points lie in the middle of boundary pixels: drawn by labelme they cover these pixels.
    """
    if len(outline) > _FEW_POINTS:
        outline = _coarsest(outline, min_iou)
    points = [(float(x) + 0.5, float(y) + 0.5) for x, y in outline[:, 0].tolist()]
    while len(points) < 3:  # one pixel, or a straight line: labelme wants three points
        points.append(points[0])
    return tuple(points)


def _coarsest(outline: NDArray[np.int32], min_iou: float) -> NDArray[np.int32]:
    """The outline simplified until it has few points, or until it would leave the true one too far."""
    left, top, width, height = cv2.boundingRect(outline)
    placed = outline - np.array([left, top], np.int32)
    truth = np.zeros((height, width), np.uint8)
    cv2.drawContours(truth, [placed], 0, 1, cv2.FILLED)
    best, low, high = placed, 0, len(_TOLERANCES)
    while low < high:
        middle = (low + high) // 2
        simpler = cv2.approxPolyDP(placed, _TOLERANCES[middle], closed=True)
        drawn = draw_polygon(simpler[:, 0].tolist(), (0, 0, width, height))
        close = iou(drawn, truth.view(np.bool_)) >= min_iou
        if close:
            best = simpler
        if close and len(simpler) > _FEW_POINTS:
            low = middle + 1
        else:
            high = middle
    return best + np.array([left, top], np.int32)


def _iou_of(shapes: Iterable[Shape], mask: Mask, box: Box) -> float:
    """IoU of a mask and of the shapes that stand for it, which leave its box by a pixel at most."""
    height, width = mask.shape
    left, top, right, bottom = max(box[0] - 1, 0), max(box[1] - 1, 0), min(box[2] + 1, width), min(box[3] + 1, height)
    drawn = object_mask(shapes, height, width, (left, top, right, bottom))
    return iou(drawn, mask[top:bottom, left:right])


def _clear_small(crop: NDArray[np.uint8], rectangle: Sequence[int], min_area: int, *, hole: bool) -> None:
    """Clear, or fill, in place what is small among that which a contour surrounds; the crop has an empty border.

    Args:
        rectangle: (x, y, width, height) around the contour; around a hole it lies on the pixels beside it.
    """
    x, y, width, height = rectangle
    rim = 0 if hole else 1
    if max(width, height) - 2 + 2 * rim >= min_area:
        return  # whatever is connected has as many pixels as it is long
    window = crop[y - rim : y + height + rim, x - rim : x + width + rim]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        1 - window if hole else window, connectivity=8 - 4 * hole
    )
    for index in range(1, count):
        left, top, wide, high, area = stats[index]
        is_whole = left and top and left + wide < window.shape[1] and top + high < window.shape[0]
        if is_whole and area < min_area:
            window[labels == index] = hole


def _only_large(mask: Mask, min_area: int) -> Mask:
    """A mask with an empty border, without small parts and holes; where there are many of them."""
    mask = _large_parts(mask, min_area, 8)
    return ~_large_parts(~mask, min_area, 4, keep=(0, 0))


def _large_parts(mask: Mask, min_area: int, connectivity: int, keep: tuple[int, int] | None = None) -> Mask:
    """The connected parts of at least `min_area` pixels, and the part at the pixel `keep`."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(_bytes(mask), connectivity=connectivity)
    large = np.asarray(stats[:, cv2.CC_STAT_AREA]) >= min_area
    if keep is not None:
        large[labels[keep]] = True
    large[0] = False
    return np.asarray(large[labels])


def _checked_runs(rle: Mapping[str, Any]) -> tuple[int, int, NDArray[np.int64]]:
    """(height, width, run lengths: outside, inside, outside, ...), safe to decode."""
    try:
        (height, width), counts = map(int, rle["size"]), rle["counts"]
        runs = _parsed(counts) if isinstance(counts, str | bytes) else _listed(counts)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"this is no run-length encoding ({error})") from error
    if height < 1 or width < 1 or runs.ndim != 1 or np.any(runs < 0) or np.any(runs > height * width):
        raise ValueError("a run-length encoding with negative or too long runs, or without a size")
    if int(runs.sum()) != height * width:
        raise ValueError(f"the runs add up to {runs.sum()} pixels, but the size is {height} x {width}")
    return height, width, runs


def _listed(counts: Iterable[int]) -> NDArray[np.int64]:
    """Run lengths that are not compressed. NumPy alone would take 204.5 and "204" for 204."""
    numbers = list(counts)
    if foreign := set(map(type, numbers)) - {int}:
        raise ValueError(f"the counts hold a {min(kind.__name__ for kind in foreign)}, but are whole numbers")
    return np.array(numbers, np.int64)


def _parsed(text: str | bytes) -> NDArray[np.int64]:
    """The run lengths in COCO's compressed form: 5 bits a character from '0' on, then differences of every second."""
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    codes = np.frombuffer(raw, np.uint8).astype(np.int64) - ord("0")
    if not len(codes) or np.any((codes < 0) | (codes > 63)) or codes[-1] & 0x20:
        raise ValueError("the counts are cut off or hold foreign characters")
    ends = np.flatnonzero(codes & 0x20 == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_COUNT:
        raise ValueError("the counts hold a number that is too large")
    shifts = 5 * (np.arange(len(codes)) - np.repeat(starts, lengths))
    values = np.add.reduceat((codes & 0x1F) << shifts, starts)
    values -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * lengths), 0)
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
