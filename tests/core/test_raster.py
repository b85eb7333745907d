"""Other ways of drawing than labelme's, holes read in other ways, and one object in its box alone."""

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from sam_annotator.core.annotation import Shape
from sam_annotator.core.masks import covers_nothing, object_mask, object_patch, shape_to_mask

HEIGHT, WIDTH = 60, 80
SQUARE = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))
INNER = ((15.0, 15.0), (25.0, 15.0), (25.0, 25.0), (15.0, 25.0))
BESIDE = ((25.0, 25.0), (50.0, 25.0), (50.0, 50.0), (25.0, 50.0))

coordinates = st.floats(-30, 110, width=32)
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=9).map(
    lambda points: Shape("swan", tuple(points), "polygon", 1)
)


def polygon(points: tuple[tuple[float, float], ...]) -> Shape:
    return Shape("swan", points, "polygon", 1)


def test_cv2_draws_what_fill_poly_draws_and_coco_what_its_own_api_draws() -> None:
    points = ((10.7, 12.2), (60.1, 15.9), (33.3, 50.5), (20.0, 30.0))
    filled = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(filled, [np.array(points).astype(np.int32)], 1)
    assert np.array_equal(object_mask([polygon(points)], HEIGHT, WIDTH, raster="cv2"), filled.astype(bool))
    flat = [number for point in points for number in point]
    truth = coco.decode(coco.frPyObjects([flat], HEIGHT, WIDTH)[0]).astype(bool)
    assert np.array_equal(object_mask([polygon(points)], HEIGHT, WIDTH, raster="coco"), truth)


def test_a_square_has_its_outline_with_labelme_and_cv2_and_only_its_inside_with_coco() -> None:
    areas = {r: int(object_mask([polygon(SQUARE)], HEIGHT, WIDTH, raster=r).sum()) for r in ("labelme", "cv2", "coco")}
    assert areas == {"labelme": 441, "cv2": 441, "coco": 400}


@pytest.mark.parametrize("raster", ["cv2", "coco"])
@pytest.mark.parametrize(
    ("kind", "points", "area"),
    [
        ("rectangle", ((10.0, 10.0), (30.0, 20.0)), 200),
        ("circle", ((40.0, 30.0), (40.0, 40.0)), 314),
        ("oriented_rectangle", SQUARE, 400),
    ],
)
def test_every_shape_that_covers_an_area_is_drawn_by_every_raster(
    raster: str, kind: str, points: tuple[tuple[float, float], ...], area: int
) -> None:
    drawn = object_mask([Shape("swan", points, kind, 1)], HEIGHT, WIDTH, raster=raster)
    assert 0.97 * area <= drawn.sum() <= 1.25 * area


@pytest.mark.parametrize("raster", ["labelme", "cv2", "coco"])
def test_masks_are_the_same_with_every_raster(raster: str) -> None:
    crop = np.random.default_rng(0).random((12, 9)) > 0.5
    shape = Shape("swan", ((70.0, 50.0), (78.0, 61.0)), "mask", 1, mask=crop)
    drawn = object_mask([shape], HEIGHT, WIDTH, raster=raster)
    assert np.array_equal(drawn, shape_to_mask(shape, HEIGHT, WIDTH))


@pytest.mark.parametrize(
    ("raster", "holes", "area"),
    [
        ("labelme", "auto", 441 - 81),  # the outline of the hole belongs to the object
        ("cv2", "auto", 441 - 81),
        ("coco", "auto", 400 - 100),
        ("labelme", "fill", 441),
        ("coco", "fill", 400),
        ("labelme", "xor", 441 - 121),
        ("cv2", "xor", 441 - 121),
        ("coco", "xor", 400 - 100),
    ],
)
def test_a_polygon_within_another_is_a_hole_or_filled_or_counted(raster: str, holes: str, area: int) -> None:
    shapes = [polygon(SQUARE), polygon(INNER)]
    assert object_mask(shapes, HEIGHT, WIDTH, raster=raster, holes=holes).sum() == area


def test_parts_that_overlap_are_joined_and_only_xor_takes_their_overlap_away() -> None:
    shapes = [polygon(SQUARE), polygon(BESIDE)]
    union = shape_to_mask(shapes[0], HEIGHT, WIDTH) | shape_to_mask(shapes[1], HEIGHT, WIDTH)
    odd = shape_to_mask(shapes[0], HEIGHT, WIDTH) ^ shape_to_mask(shapes[1], HEIGHT, WIDTH)
    for holes, truth in (("auto", union), ("fill", union), ("xor", odd)):
        assert np.array_equal(object_mask(shapes, HEIGHT, WIDTH, holes=holes), truth)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(polygons, max_size=4),
    st.sampled_from(["labelme", "cv2", "coco"]),
    st.sampled_from(["auto", "fill", "xor"]),
)
def test_an_object_in_its_box_is_the_object_in_the_image(shapes: list[Shape], raster: str, holes: str) -> None:
    whole = object_mask(shapes, HEIGHT, WIDTH, raster=raster, holes=holes)
    patch = object_patch(shapes, HEIGHT, WIDTH, raster=raster, holes=holes)
    pasted = np.zeros_like(whole)
    if patch is not None:
        left, top, right, bottom = patch.box
        pasted[top:bottom, left:right] = patch.pixels
    assert np.array_equal(whole, pasted)


@settings(max_examples=60, deadline=None)
@given(polygons)
def test_what_is_said_to_cover_nothing_covers_nothing(shape: Shape) -> None:
    if covers_nothing(shape, HEIGHT, WIDTH):
        assert not shape_to_mask(shape, HEIGHT, WIDTH).any()


@pytest.mark.parametrize("raster", ["cv2", "coco"])
def test_coordinates_beyond_all_bounds_do_no_harm(raster: str) -> None:
    far = polygon(((-1e12, 5.0), (1e12, 5.0), (1e12, 20.0), (-1e12, 20.0)))
    assert object_mask([far], HEIGHT, WIDTH, raster=raster).any()


def test_polygons_drawn_one_after_the_other_leave_nothing_behind() -> None:
    """They share the image that they are drawn in, also with polygons of images of another size, and in threads."""
    rng = np.random.default_rng(5)

    def draw(seed: int) -> bool:
        numbers = np.random.default_rng(seed)
        for _ in range(60):
            height, width = (int(side) for side in numbers.choice([17, 40, 90], 2))
            points = numbers.uniform(-60, 120, (int(numbers.integers(3, 9)), 2)).tolist()
            shape = Shape("x", tuple(map(tuple, points)))
            frame = Image.new("L", (width, height))
            ImageDraw.Draw(frame).polygon([tuple(point) for point in points], outline=1, fill=1)
            if not np.array_equal(shape_to_mask(shape, height, width), np.asarray(frame, bool)):
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(draw, rng.integers(0, 1000, 8).tolist()))


def test_a_pillow_that_draws_into_a_copy_draws_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = Shape("x", ((3.2, 4.9), (30.0, 8.0), (12.7, 33.1)))
    expected = shape_to_mask(shape, 40, 50)
    monkeypatch.setattr("sam_annotator.core.raster._board._size", (40, 50))
    monkeypatch.setattr("sam_annotator.core.raster._board.is_shared", False)
    np.testing.assert_array_equal(shape_to_mask(shape, 40, 50), expected)
