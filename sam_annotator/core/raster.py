"""Shapes to pixels, exactly as labelme draws them; and the holes of objects, which labelme leaves open."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sam_annotator.core.annotation import Point, Shape

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom outside."""

AREA_TYPES: Final = frozenset({"polygon", "mask", "rectangle", "circle", "oriented_rectangle"})
"""Shape types that cover an area; points and lines cover none."""


class _Patch(NamedTuple):
    """The part of a mask inside a box; outside of it the mask is empty."""

    pixels: Mask
    box: Box


def shape_to_mask(shape: Shape, height: int, width: int) -> Mask:
    """The pixels of one shape, as labelme 6.3 draws them; a `mask` shape is clipped at the border of the image.

    Points, lines and polygons of fewer than three points cover nothing.
    """
    return _paste([_rasterise(shape, height, width)], (0, 0, width, height))


def object_mask(shapes: Iterable[Shape], height: int, width: int, box: Box | None = None) -> Mask:
    """The pixels of one object: all its parts joined.

    A polygon that lies wholly within another polygon of the object is a hole in it, one within a hole
    an island, and so on. The outline of a hole belongs to the object, as with cv2.findContours.

    Args:
        height, width: of the image in pixels.
        box: return the pixels in this box alone; None: of the whole image.
    """
    parts: list[_Patch | None] = []
    polygons: list[tuple[Shape, _Patch]] = []
    for shape in shapes:
        patch = _rasterise(shape, height, width)
        if shape.shape_type == "polygon" and patch is not None:
            polygons.append((shape, patch))
        else:
            parts.append(patch)
    return _paste(parts + _with_holes(polygons), box or (0, 0, width, height))


def _paste(patches: Iterable[_Patch | None], box: Box) -> Mask:
    """The union of patches, in a box of the image."""
    x, y = box[:2]
    mask = np.zeros((box[3] - y, box[2] - x), np.bool_)
    for patch in patches:
        if patch is not None and (inside := _common(patch.box, box)) is not None:
            left, top, right, bottom = inside
            mask[top - y : bottom - y, left - x : right - x] |= _window(patch, inside)
    return mask


def _common(first: Box, second: Box) -> Box | None:
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def _rasterise(shape: Shape, height: int, width: int) -> _Patch | None:
    """The pixels of a shape inside the image; None if there are none for sure."""
    points = shape.points
    match shape.shape_type:
        case "polygon" | "oriented_rectangle" if len(points) > 2:
            box = _box_around(points, height, width)
            return None if box is None else _Patch(draw_polygon(points, box), box)
        case "rectangle":
            return _filled_rectangle(points, height, width)
        case "circle" if len(points) == 2:
            return _filled_circle(points, height, width)
        case "mask" if shape.mask is not None:
            return _clipped(shape.mask, int(points[0][0]), int(points[0][1]), height, width)
    return None


def _box_around(points: Sequence[Point], height: int, width: int, margin: int = 1) -> Box | None:
    """The box of the pixels that hold the points and a margin, inside the image."""
    columns, rows = [int(x) for x, _ in points], [int(y) for _, y in points]
    left, top = max(min(columns) - margin, 0), max(min(rows) - margin, 0)
    right, bottom = min(max(columns) + 1 + margin, width), min(max(rows) + 1 + margin, height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def draw_polygon(points: Iterable[Point], box: Box) -> Mask:
    """The pixels of a polygon inside a box, as Pillow fills it in the whole image.

    Pillow cuts coordinates to whole pixels. A shift of the rows then gives the same pixels; a shift of the
    columns does not (it rounds where an edge crosses a row), so the columns left of the box are drawn too.
    """
    left, top, right, bottom = box
    image = Image.new("L", (right, bottom - top))
    ImageDraw.Draw(image).polygon([(int(x), int(y) - top) for x, y in points], fill=1)
    return np.asarray(image.crop((left, 0, right, bottom - top))).view(np.bool_)


def _filled_rectangle(points: Sequence[Point], height: int, width: int) -> _Patch | None:
    box = _box_around(points, height, width, margin=0)
    return None if box is None else _Patch(np.ones((box[3] - box[1], box[2] - box[0]), np.bool_), box)


def _filled_circle(points: Sequence[Point], height: int, width: int) -> _Patch | None:
    (x, y), (rim_x, rim_y) = points
    radius = ((x - rim_x) ** 2 + (y - rim_y) ** 2) ** 0.5
    corners = ((x - radius, y - radius), (x + radius, y + radius))
    box = _box_around(corners, height, width)
    if box is None:
        return None
    image = Image.new("L", box[2:])
    ImageDraw.Draw(image).ellipse(corners, fill=1)
    return _Patch(np.asarray(image.crop(box)).view(np.bool_), box)


def _clipped(crop: Mask, left: int, top: int, height: int, width: int) -> _Patch | None:
    """A crop laid into the image at (left, top), and cut off where it leaves the image."""
    patch = _Patch(crop, (left, top, left + crop.shape[1], top + crop.shape[0]))
    box = _common(patch.box, (0, 0, width, height))
    return None if box is None else _Patch(_window(patch, box), box)


def _with_holes(polygons: Sequence[tuple[Shape, _Patch]]) -> list[_Patch | None]:
    """The outermost polygons of an object, less the holes in them."""
    patches = [patch for _, patch in polygons]
    parents = _parents(patches) if len(patches) > 1 else {}
    if not parents:
        return list(patches)
    depths: dict[int, int] = {}
    roots: dict[int, _Patch] = {}
    for index in sorted(range(len(patches)), key=lambda i: -int(np.count_nonzero(patches[i].pixels))):
        if index not in parents:
            depths[index] = 0
            roots[index] = _Patch(patches[index].pixels.copy(), patches[index].box)
            continue
        parent = parents[index]
        depths[index] = depths[parent] + 1
        roots[index] = roots[parent]
        view = _window(roots[index], patches[index].box)
        if depths[index] % 2:
            view &= ~_interior(polygons[index][0].points, patches[index].box)
        else:
            view |= patches[index].pixels
    return [root for index, root in roots.items() if depths[index] == 0]


def _parents(patches: Sequence[_Patch]) -> dict[int, int]:
    """For each patch that lies wholly within a larger one, the smallest of those."""
    boxes = np.array([patch.box for patch in patches])
    starts, ends = boxes[:, :2], boxes[:, 2:]
    boxed = np.all(starts[:, None] >= starts, axis=2) & np.all(ends[:, None] <= ends, axis=2)
    np.fill_diagonal(boxed, False)
    if not boxed.any():
        return {}
    areas = [int(np.count_nonzero(patch.pixels)) for patch in patches]
    parents: dict[int, int] = {}
    for inner, outer in sorted(np.argwhere(boxed).tolist(), key=lambda pair: areas[pair[1]]):
        if inner in parents or areas[inner] >= areas[outer]:
            continue
        if not np.any(patches[inner].pixels & ~_window(patches[outer], patches[inner].box)):
            parents[inner] = outer
    return parents


def _window(patch: _Patch, box: Box) -> Mask:
    """A view of the patch's pixels in a box that lies inside the patch's."""
    x, y = patch.box[:2]
    left, top, right, bottom = box
    return patch.pixels[top - y : bottom - y, left - x : right - x]


def _interior(points: Iterable[Point], box: Box) -> Mask:
    """The pixels inside a polygon, its outline not included."""
    left, top, right, bottom = box
    corners = np.array([(int(x) - left, int(y) - top) for x, y in points], np.int32)
    pixels = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(pixels, [corners], 1)
    cv2.polylines(pixels, [corners], isClosed=True, color=0)
    return pixels.view(np.bool_)
