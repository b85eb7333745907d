"""Shapes to pixels, exactly as labelme draws them, or as OpenCV or COCO would; and the holes of objects."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from sam_annotator.core.annotation import Point, Shape
from sam_annotator.core.board import Board
from sam_annotator.core.far_shapes import wide_circle, without_far

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels, right and bottom outside."""

AREA_TYPES: Final = frozenset({"polygon", "mask", "rectangle", "circle", "oriented_rectangle"})
"""Shape types that cover an area; points and lines cover none."""

Raster = Literal["labelme", "cv2", "coco"]
"""Whose pixels: labelme's and OpenCV's hold the outline (the same or nearly so), COCO's only what lies inside."""

Holes = Literal["auto", "fill", "xor"]
"""Polygons of one object that lie in another of it: holes; filled; or each pixel counted, odd ones are inside."""

_FARTHEST: Final = 2**24
_FARTHEST_COCO: Final = 2**15
"""Polygons are cut off there: OpenCV counts in 32 bits, and COCO walks along each edge by fifths of a pixel."""

_FARTHEST_LABELME: Final = 2**30
"""Pillow counts in 32 bits, too; up to here labelme's pixels are what it says."""

_WIDEST: Final = 2**17
"""A circle of a larger radius is seen as a part of its rim at most, and Pillow would walk all along it: from about
700,000 pixels on it loses its way, and takes minutes."""


class Patch(NamedTuple):
    """The part of a mask inside a box; outside of it the mask is empty."""

    pixels: Mask
    box: Box


def shape_to_mask(shape: Shape, height: int, width: int) -> Mask:
    """The pixels of one shape, as labelme 6.3 draws them; a `mask` shape is clipped at the border of the image.

    Points, lines and polygons of fewer than three points cover nothing.
    """
    return _paste([_rasterise(shape, height, width)], (0, 0, width, height))


def object_mask(
    shapes: Iterable[Shape],
    height: int,
    width: int,
    box: Box | None = None,
    *,
    raster: Raster = "labelme",
    holes: Holes = "auto",
) -> Mask:
    """The pixels of one object: all its parts joined.

    A polygon that lies wholly within another polygon of the object is a hole in it, one within a hole
    an island, and so on. The outline of a hole belongs to the object, as with cv2.findContours.

    Args:
        height, width: of the image in pixels.
        box: return the pixels in this box alone; None: of the whole image.
        raster: whose way of drawing.
        holes: `auto` as said above; `fill`: all polygons are joined; `xor`: where an even number of polygons lie over
            each other there is a hole, as segment-anything-annotator reads its files.
    """
    return _paste(_object_patches(shapes, height, width, raster, holes), box or (0, 0, width, height))


def object_patch(
    shapes: Iterable[Shape], height: int, width: int, *, raster: Raster = "labelme", holes: Holes = "auto"
) -> Patch | None:
    """The pixels of one object as `object_mask` gives them, in a box around them; None: no pixel for sure.

    The box may be larger than need be. Cheaper than a mask of the whole image, where the object is small.
    """
    patches = [patch for patch in _object_patches(shapes, height, width, raster, holes) if patch is not None]
    if len(patches) < 2:
        return patches[0] if patches else None
    boxes = np.array([patch.box for patch in patches])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    return Patch(_paste(patches, (left, top, right, bottom)), (left, top, right, bottom))


def covers_nothing(shape: Shape, height: int, width: int) -> bool:
    """True for an area shape that has no pixel in the image: too few points, or outside."""
    points = shape.points
    if shape.shape_type == "mask":
        return _rasterise(shape, height, width) is None
    if len(points) < (3 if shape.shape_type in ("polygon", "oriented_rectangle") else 2):
        return True
    if shape.shape_type == "circle":
        return _rasterise(shape, height, width) is None
    return _box_around(points, height, width, margin=0) is None


def large_holes(shapes: Iterable[Shape], height: int, width: int, *, raster: Raster = "labelme") -> int:
    """How many polygons of one object are holes, read as `auto`, that take more than half of what they lie in.

    Such a hole may be meant: a ring. Or it is the same outline drawn twice.
    """
    polygons = [shape for shape in shapes if shape.shape_type == "polygon"]
    drawn = [_rasterise(shape, height, width, raster) for shape in polygons] if len(polygons) > 1 else []
    patches = [patch for patch in drawn if patch is not None]
    parents = _parents(patches) if len(patches) > 1 else {}
    areas = [int(np.count_nonzero(patch.pixels)) for patch in patches] if parents else []
    return sum(2 * areas[inner] > areas[outer] and _depth(inner, parents) % 2 for inner, outer in parents.items())


def _depth(index: int, parents: Mapping[int, int]) -> int:
    return 1 + _depth(parents[index], parents) if index in parents else 0


def _object_patches(
    shapes: Iterable[Shape], height: int, width: int, raster: Raster, holes: Holes
) -> list[Patch | None]:
    parts: list[Patch | None] = []
    polygons: list[tuple[Shape, Patch]] = []
    for shape in shapes:
        patch = _rasterise(shape, height, width, raster)
        if shape.shape_type == "polygon" and patch is not None:
            polygons.append((shape, patch))
        else:
            parts.append(patch)
    if holes == "auto":
        return parts + _with_holes(polygons, raster)
    if holes == "xor":
        return [*parts, _odd([patch for _, patch in polygons])]
    return parts + [patch for _, patch in polygons]


def _odd(patches: Sequence[Patch]) -> Patch | None:
    """The pixels that lie in an odd number of patches."""
    if not patches:
        return None
    boxes = np.array([patch.box for patch in patches])
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = boxes[:, 2:].max(axis=0).tolist()
    result = Patch(np.zeros((bottom - top, right - left), np.bool_), (left, top, right, bottom))
    for patch in patches:
        view = _window(result, patch.box)
        view ^= patch.pixels
    return result


def _paste(patches: Iterable[Patch | None], box: Box) -> Mask:
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


def _rasterise(shape: Shape, height: int, width: int, raster: Raster = "labelme") -> Patch | None:
    """The pixels of a shape inside the image; None if there are none for sure."""
    points = shape.points
    if raster != "labelme" and shape.shape_type != "mask":
        wide = shape.shape_type == "circle" and _radius(points) > _WIDEST
        return (
            _filled_circle(points, height, width)
            if wide
            else _rasterise_otherwise(_outline(shape), height, width, raster)
        )
    match shape.shape_type:
        case "polygon" | "oriented_rectangle" if len(points) > 2:
            return _filled_polygon(points, height, width)
        case "rectangle" if len(points) > 1:
            return _filled_rectangle(points, height, width)
        case "circle" if len(points) == 2:
            return _filled_circle(points, height, width)
        case "mask" if shape.mask is not None:
            return _clipped(shape.mask, int(points[0][0]), int(points[0][1]), height, width)
    return None


def _box_around(points: Sequence[Point], height: int, width: int, margin: int = 1) -> Box | None:
    """The box of the pixels that hold the points and a margin, inside the image."""
    return _box_of([x for x, _ in points], [y for _, y in points], height, width, margin)


def _box_of(columns: Sequence[float], rows: Sequence[float], height: int, width: int, margin: int = 1) -> Box | None:
    left, top = max(int(min(columns)) - margin, 0), max(int(min(rows)) - margin, 0)
    right, bottom = min(int(max(columns)) + 1 + margin, width), min(int(max(rows)) + 1 + margin, height)
    return (left, top, right, bottom) if left < right and top < bottom else None


_board = Board()


def _filled_polygon(points: Sequence[Point], height: int, width: int) -> Patch | None:
    """The pixels of a polygon, as Pillow fills it in the whole image."""
    flat = [value for point in points for value in point]
    if flat and (max(flat) > _FARTHEST_LABELME or min(flat) < -_FARTHEST_LABELME):
        points = without_far(points, _FARTHEST)
        flat = [value for point in points for value in point]
    box = _box_of(flat[::2], flat[1::2], height, width) if flat else None
    if box is None:
        return None
    board = _board.of(height, width)
    if not board.is_shared:
        return Patch(draw_polygon(points, box), box)
    board.draw.polygon(flat, fill=1)
    left, top, right, bottom = box
    drawn = board.pixels[top:bottom, left:right]
    pixels = drawn.copy().view(np.bool_)
    drawn[:] = 0
    return Patch(pixels, box)


def draw_polygon(points: Iterable[Point], box: Box) -> Mask:
    """The pixels of a polygon inside a box, as Pillow fills it in the whole image.

    Pillow cuts coordinates to whole pixels. A shift of the rows then gives the same pixels; a shift of the
    columns does not (it rounds where an edge crosses a row), so the columns left of the box are drawn too.
    """
    left, top, right, bottom = box
    image = Image.new("L", (right, bottom - top))
    ImageDraw.Draw(image).polygon([(int(x), int(y) - top) for x, y in points], fill=1)
    pixels = image.crop((left, 0, right, bottom - top)).tobytes()  # np.asarray asks more of Pillow, and takes longer
    return np.frombuffer(pixels, np.bool_).reshape(bottom - top, right - left)


def _filled_rectangle(points: Sequence[Point], height: int, width: int) -> Patch | None:
    box = _box_around(points, height, width, margin=0)
    return None if box is None else Patch(np.ones((box[3] - box[1], box[2] - box[0]), np.bool_), box)


def _filled_circle(points: Sequence[Point], height: int, width: int) -> Patch | None:
    radius = _radius(points)
    if radius > _WIDEST:
        pixels = wide_circle(points[0], points[1], height, width)
        return Patch(pixels, (0, 0, width, height)) if pixels.any() else None
    x, y = points[0]
    corners = ((x - radius, y - radius), (x + radius, y + radius))
    box = _box_around(corners, height, width)
    if box is None:
        return None
    image = Image.new("L", box[2:])
    ImageDraw.Draw(image).ellipse(corners, fill=1)
    return Patch(np.asarray(image.crop(box)).view(np.bool_), box)


def _radius(points: Sequence[Point]) -> float:
    """That of a circle in pixels, as labelme counts it; may be infinite. 0 for what is no circle."""
    if len(points) != 2:
        return 0.0
    across, down = points[0][0] - points[1][0], points[0][1] - points[1][1]
    return math.sqrt(across * across + down * down)  # math.hypot may be another number in the last place


def _clipped(crop: Mask, left: int, top: int, height: int, width: int) -> Patch | None:
    """A crop laid into the image at (left, top), and cut off where it leaves the image."""
    patch = Patch(crop, (left, top, left + crop.shape[1], top + crop.shape[0]))
    box = _common(patch.box, (0, 0, width, height))
    return None if box is None else Patch(_window(patch, box), box)


def _outline(shape: Shape) -> Sequence[Point]:
    """An area shape as a polygon; no points if it is none."""
    points = shape.points
    match shape.shape_type:
        case "polygon" | "oriented_rectangle" if len(points) > 2:
            return points
        case "rectangle" if len(points) > 1:
            columns, rows = [x for x, _ in points], [y for _, y in points]  # two corners, or all four
            left, top, right, bottom = min(columns), min(rows), max(columns), max(rows)
            return ((left, top), (right, top), (right, bottom), (left, bottom))
        case "circle" if len(points) == 2:
            (x, y), rim = points
            radius = math.dist((x, y), rim)
            steps = min(max(int(2 * math.pi * radius), 16), 720)  # a point for each pixel of the outline
            angles = (2 * math.pi * step / steps for step in range(steps))
            return tuple((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles)
    return ()


def _rasterise_otherwise(points: Sequence[Point], height: int, width: int, raster: Raster) -> Patch | None:
    points = without_far(points, _FARTHEST if raster == "cv2" else _FARTHEST_COCO)
    box = _box_around(points, height, width) if points else None
    if box is None:
        return None
    if raster == "cv2":
        pixels = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
        cv2.fillPoly(pixels, [_corners(points, box)], 1)
        return Patch(pixels.view(np.bool_), box)
    flat = [value for point in points for value in point]
    left, top, right, bottom = box
    frame = coco.decode(coco.frPyObjects([flat], height, width)[0])
    return Patch(np.ascontiguousarray(frame[top:bottom, left:right]).view(np.bool_), box)


def _with_holes(polygons: Sequence[tuple[Shape, Patch]], raster: Raster) -> list[Patch | None]:
    """The outermost polygons of an object, less the holes in them."""
    patches = [patch for _, patch in polygons]
    parents = _parents(patches) if len(patches) > 1 else {}
    if not parents:
        return list(patches)
    depths: dict[int, int] = {}
    roots: dict[int, Patch] = {}
    for index in sorted(range(len(patches)), key=lambda i: -int(np.count_nonzero(patches[i].pixels))):
        if index not in parents:
            depths[index] = 0
            roots[index] = Patch(patches[index].pixels.copy(), patches[index].box)
            continue
        parent = parents[index]
        depths[index] = depths[parent] + 1
        roots[index] = roots[parent]
        view = _window(roots[index], patches[index].box)
        if depths[index] % 2:
            # COCO draws no outline, so that there is none to keep
            hole = (
                patches[index].pixels if raster == "coco" else _interior(polygons[index][0].points, patches[index].box)
            )
            view &= ~hole
        else:
            view |= patches[index].pixels
    return [root for index, root in roots.items() if depths[index] == 0]


def _parents(patches: Sequence[Patch]) -> dict[int, int]:
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


def _window(patch: Patch, box: Box) -> Mask:
    """A view of the patch's pixels in a box that lies inside the patch's."""
    x, y = patch.box[:2]
    left, top, right, bottom = box
    return patch.pixels[top - y : bottom - y, left - x : right - x]


def _interior(points: Sequence[Point], box: Box) -> Mask:
    """The pixels inside a polygon, its outline not included."""
    left, top, right, bottom = box
    corners = _corners(without_far(points, _FARTHEST), box)
    pixels = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(pixels, [corners], 1)
    cv2.polylines(pixels, [corners], isClosed=True, color=0)
    return pixels.view(np.bool_)


def _corners(points: Sequence[Point], box: Box) -> NDArray[np.int32]:
    """The pixels that hold the points, int32 (n, 2), counted from the corner of a box."""
    return np.asarray(np.trunc(np.array(points, np.float64)), np.int32) - np.array(box[:2], np.int32)
