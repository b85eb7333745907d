"""Shapes to pixels and back, and run-length encoding: laws, and labelme and pycocotools as judges."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from sam_annotator.core.annotation import Shape
from sam_annotator.core.masks import (
    _only_large,
    bounding_box,
    decode_rle,
    encode_rle,
    iou,
    label_map,
    mask_to_shapes,
    object_mask,
    remove_specks,
    rle_area,
    rle_box,
    shape_to_mask,
    without_specks,
)

seeds = st.integers(0, 2**32 - 1)


def random_mask(seed: int, *, holes: bool = True, size: int = 160) -> np.ndarray:
    """Blobs, thin lines, single pixels, some cut off by the border of the image, with or without holes."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(1, size, 2))
    pixels = np.zeros((height, width), np.uint8)

    def place() -> tuple[int, int]:
        return int(rng.integers(-10, width + 10)), int(rng.integers(-10, height + 10))

    for _ in range(int(rng.integers(0, 5))):
        axes = tuple(int(a) for a in rng.integers(1, 50, 2))
        cv2.ellipse(pixels, place(), axes, float(rng.uniform(0, 180)), 0, 360, 1, cv2.FILLED)
    for _ in range(int(rng.integers(0, 3))):
        cv2.line(pixels, place(), place(), 1, int(rng.integers(1, 4)))
    for _ in range(int(rng.integers(0, 3))):
        pixels[int(rng.integers(height)), int(rng.integers(width))] = 1
    for _ in range(int(rng.integers(0, 4)) if holes else 0):
        cv2.circle(pixels, place(), int(rng.integers(0, 12)), 0, cv2.FILLED)
    if not holes:
        contours, _ = cv2.findContours(pixels, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(pixels, contours, -1, 1, cv2.FILLED)
    return pixels.astype(bool)


def as_shapes(mask: np.ndarray, **options: object) -> tuple[Shape, ...]:
    return mask_to_shapes(mask, label="swan", object_id=3, source="sam", **options)


def square(left: float, top: float, side: float) -> Shape:
    right, bottom = left + side, top + side
    return Shape("swan", ((left, top), (right, top), (right, bottom), (left, bottom)))


# --- shapes to pixels


@pytest.mark.parametrize(
    ("shape_type", "count"), [("polygon", None), ("rectangle", 2), ("circle", 2), ("oriented_rectangle", 4)]
)
def test_shapes_are_drawn_pixel_for_pixel_as_labelme_draws_them(shape_type: str, count: int | None) -> None:
    from labelme.utils import shape_to_mask as drawn_by_labelme

    rng = np.random.default_rng(0)
    for turn in range(700):
        height, width = (int(side) for side in rng.integers(5, 500, 2))
        center, spread = rng.uniform(0, 1, 2) * (width, height), rng.choice([3.0, 30.0, 300.0])
        points = center + rng.normal(0, spread, (count or int(rng.integers(3, 20)), 2))
        points = np.round(points * 2) / 2 if turn % 3 == 0 else points
        shape = Shape("x", tuple(map(tuple, points.tolist())), shape_type)
        expected = drawn_by_labelme((height, width), points.tolist(), shape_type)
        np.testing.assert_array_equal(shape_to_mask(shape, height, width), expected)


@pytest.mark.parametrize(("left", "top"), [(2, 3), (-2, -1), (8, 7), (-2, 7), (40, 3), (3, -40)])
def test_a_mask_shape_is_pasted_at_its_first_point_and_cut_off_at_the_border(left: int, top: int) -> None:
    crop = np.random.default_rng(1).random((5, 4)) > 0.4
    frame = np.zeros((110, 112), bool)
    frame[50 + top : 55 + top, 50 + left : 54 + left] = crop
    shape = Shape("x", ((left + 0.0, top + 0.0), (left + 3.0, top + 4.0)), "mask", mask=crop)
    np.testing.assert_array_equal(shape_to_mask(shape, 10, 12), frame[50:60, 50:62])


@pytest.mark.parametrize("shape_type", ["point", "points", "line", "linestrip", "polygon", "circle", "mask", "new"])
def test_what_has_no_area_covers_nothing(shape_type: str) -> None:
    count = 1 if shape_type in ("point", "circle") else 2
    shape = Shape("x", ((3.0, 3.0), (8.0, 8.0))[:count], shape_type)
    assert not shape_to_mask(shape, 10, 10).any()


def test_parts_of_an_object_are_joined() -> None:
    both = object_mask([square(2, 2, 10), square(8, 8, 10)], 40, 40)
    assert both[5, 5]
    assert both[10, 10]
    assert both[15, 15]


def test_a_polygon_inside_another_is_a_hole_and_one_inside_that_an_island() -> None:
    nested = [square(16, 16, 4), square(2, 2, 30), square(10, 10, 16)]  # in any order
    mask = object_mask(nested, 40, 40)
    assert mask[5, 5]
    assert not mask[13, 13]
    assert mask[18, 18]


def test_a_part_across_the_rim_of_a_hole_keeps_its_pixels() -> None:
    bridge = Shape("swan", ((0.0, 20.0), (36.0, 20.0), (36.0, 22.0), (0.0, 22.0)))
    mask = object_mask([square(2, 2, 30), square(10, 10, 12), bridge], 40, 40)
    assert mask[21, 16]
    assert not mask[16, 16]


def test_the_same_polygon_twice_is_no_hole() -> None:
    assert object_mask([square(2, 2, 10), square(2, 2, 10)], 20, 20).sum() == 121


def test_a_rectangle_inside_a_polygon_is_no_hole() -> None:
    inner = Shape("swan", ((8.0, 8.0), (12.0, 12.0)), "rectangle")
    assert object_mask([square(2, 2, 20), inner], 40, 40).sum() == 441


@given(seeds)
@settings(deadline=None, max_examples=150)
def test_contours_with_holes_as_segment_anything_annotator_writes_them_give_back_the_mask(seed: int) -> None:
    mask = random_mask(seed)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_NONE)
    shapes = [Shape("x", tuple(map(tuple, contour[:, 0].tolist()))) for contour in contours if len(contour) > 2]
    thin = [contour for contour in contours if len(contour) < 3]  # that tool leaves these out
    drawn = object_mask(shapes, *mask.shape)
    for contour in thin:
        x, y = contour[0, 0]
        drawn[y, x] = mask[y, x]
    missed = int((drawn != mask).sum())
    assert missed <= 0.002 * mask.sum() + 2


# --- masks to shapes


@given(seeds, st.booleans(), st.sampled_from([0.9, 0.99, 0.999, 1.0]))
@settings(deadline=None, max_examples=400)
def test_shapes_of_any_mask_come_within_the_promised_iou(seed: int, holes: bool, min_iou: float) -> None:
    mask = random_mask(seed, holes=holes)
    assert iou(object_mask(as_shapes(mask, min_iou=min_iou), *mask.shape), mask) >= min_iou


@given(seeds)
@settings(deadline=None, max_examples=100)
def test_every_part_of_a_mask_survives(seed: int) -> None:
    mask = random_mask(seed, holes=False)
    drawn = object_mask(as_shapes(mask), *mask.shape)
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    assert all(drawn[parts == part].any() for part in range(1, count))


@given(seeds)
@settings(deadline=None, max_examples=100)
def test_style_mask_loses_nothing(seed: int) -> None:
    mask = random_mask(seed)
    shapes = as_shapes(mask, style="mask")
    assert len(shapes) == bool(mask.any())
    np.testing.assert_array_equal(object_mask(shapes, *mask.shape), mask)


def test_an_empty_mask_has_no_shapes() -> None:
    assert as_shapes(np.zeros((20, 20), bool)) == ()


def test_a_mask_with_a_hole_becomes_one_mask_shape_without_loss() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:40, 20:70] = True
    mask[20:30, 30:35] = False
    mask[50:55, 3:9] = True
    (shape,) = as_shapes(mask, score=0.8)
    assert shape.shape_type == "mask"
    assert shape.points == ((3.0, 10.0), (69.0, 54.0))
    assert (shape.label, shape.object_id, shape.source, shape.score) == ("swan", 3, "sam", 0.8)
    np.testing.assert_array_equal(shape_to_mask(shape, 60, 80), mask)


def test_each_part_becomes_a_polygon_with_the_same_object_id() -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:20, 5:30] = mask[30:50, 40:70] = True
    shapes = as_shapes(mask)
    assert [shape.shape_type for shape in shapes] == ["polygon", "polygon"]
    assert {shape.object_id for shape in shapes} == {3}
    np.testing.assert_array_equal(object_mask(shapes, 60, 80), mask)


def test_a_part_in_the_bay_of_another_does_not_become_a_hole() -> None:
    mask = np.zeros((100, 100), bool)
    cv2.circle(pixels := np.zeros((100, 100), np.uint8), (50, 50), 40, 1, 8)
    mask |= pixels.astype(bool)
    mask[48:53, 50:100] = False  # a ring with a gap
    mask[46:55, 40:60] = True
    assert iou(object_mask(as_shapes(mask), 100, 100), mask) >= 0.99


def test_one_pixel_and_a_thin_line_are_polygons_that_labelme_accepts() -> None:
    mask = np.zeros((40, 40), bool)
    mask[7, 9] = True
    mask[20, 5:30] = True
    shapes = as_shapes(mask)
    assert all(shape.shape_type == "polygon" and len(shape.points) >= 3 for shape in shapes)
    np.testing.assert_array_equal(object_mask(shapes, 40, 40), mask)


def test_a_smooth_object_has_a_few_dozen_points_and_is_close_to_its_mask() -> None:
    pixels = np.zeros((480, 854), np.uint8)
    cv2.ellipse(pixels, (400, 240), (180, 90), 30, 0, 360, 1, cv2.FILLED)
    (shape,) = as_shapes(pixels.astype(bool))
    assert len(shape.points) <= 36
    assert iou(shape_to_mask(shape, 480, 854), pixels.astype(bool)) > 0.99


@pytest.mark.parametrize("scale", [1, 4, 8])
def test_however_large_an_object_is_its_outline_leaves_the_true_one_by_little_more_than_a_pixel(scale: int) -> None:
    height, width = 270 * scale, 480 * scale
    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    radius = scale * (90 + 12 * np.sin(5 * angles) + 5 * np.cos(11 * angles))
    outline = np.stack([width / 2 + radius * np.cos(angles), height / 2 + radius * np.sin(angles)], 1)
    pixels = cv2.fillPoly(np.zeros((height, width), np.uint8), [outline.astype(np.int32)], 1)
    shapes = as_shapes(pixels.astype(bool))
    wrong = (object_mask(shapes, height, width) != pixels.astype(bool)).astype(np.uint8)
    assert not cv2.erode(wrong, np.ones((3, 3), np.uint8)).any()  # nowhere three pixels deep
    assert len(shapes[0].points) <= 60 * scale**0.5


def test_real_objects_have_far_fewer_points_than_boundary_pixels(shared: Path) -> None:
    from PIL import Image

    found = sorted((shared / "davis_dev" / "Annotations").rglob("*.png"))[::20]
    assert found
    for path in found:
        mask = np.asarray(Image.open(path)) > 0
        shapes = as_shapes(remove_specks(mask, 64))
        assert sum(len(shape.points) for shape in shapes) < 250


def test_an_object_at_480p_becomes_shapes_in_a_few_milliseconds() -> None:
    pixels = np.zeros((480, 854), np.uint8)
    rng = np.random.default_rng(3)
    angles = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    radius = 120 + 15 * np.sin(5 * angles) + rng.normal(0, 2, 200)
    outline = np.stack([427 + radius * np.cos(angles), 240 + radius * np.sin(angles)], 1).astype(np.int32)
    cv2.fillPoly(pixels, [outline], 1)
    mask, spent = pixels.astype(bool), []
    for _ in range(10):
        start = time.process_time()
        as_shapes(mask)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.009  # 0.003 on a machine that has nothing else to do


# --- run-length encoding


@given(seeds)
@settings(deadline=None, max_examples=300)
def test_run_lengths_are_those_of_pycocotools_and_decode_to_the_same_mask(seed: int) -> None:
    mask = random_mask(seed)
    rle, theirs = encode_rle(mask), coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert rle == {"size": list(mask.shape), "counts": theirs["counts"].decode()}
    decoded = decode_rle(rle)
    np.testing.assert_array_equal(decoded, mask)
    assert decoded.dtype == bool
    assert decoded.flags.c_contiguous
    assert rle_area(rle) == mask.sum()
    assert list(rle_box(rle)) == coco.toBbox(theirs).tolist()


@pytest.mark.parametrize("full", [True, False])
def test_full_and_empty_masks_survive(full: bool) -> None:
    mask = np.full((7, 5), full)
    np.testing.assert_array_equal(decode_rle(encode_rle(mask)), mask)


def test_uncompressed_and_bytes_counts_are_read() -> None:
    expected = np.zeros((3, 4), bool)
    expected[1:, 1] = True
    np.testing.assert_array_equal(decode_rle({"size": [3, 4], "counts": [4, 2, 6]}), expected)
    as_bytes = {"size": [3, 4], "counts": encode_rle(expected)["counts"].encode()}
    np.testing.assert_array_equal(decode_rle(as_bytes), expected)


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [3, 4], "counts": [4, 2, 5]},
        {"size": [3, 4], "counts": [4, 2, 7]},
        {"size": [3, 4], "counts": [4, -2, 10]},
        {"size": [3, 4], "counts": [[4, 8]]},
        {"size": [3, 4], "counts": [2**62, 2**62, 2**62, 2**62, 12]},
        {"size": [3, 4], "counts": "425"},
        {"size": [9, 9], "counts": encode_rle(np.eye(8, dtype=bool))["counts"]},
        {"size": [8, 8], "counts": encode_rle(np.eye(8, dtype=bool))["counts"][:-1]},
        {"size": [8, 8], "counts": "oooooooooooo0"},
        {"size": [8, 8], "counts": "\u00e9"},
        {"size": [8, 8], "counts": ""},
        {"size": [8, 8], "counts": "P"},
        {"size": [0, 0], "counts": []},
        {"size": [8], "counts": [64]},
        {"size": "many", "counts": [64]},
        {"counts": [64]},
        {"size": [8, 8], "counts": None},
    ],
)
def test_runs_that_do_not_fill_the_size_are_refused_before_decoding(rle: dict) -> None:
    with pytest.raises(ValueError, match=r"runs|encoding"):
        decode_rle(rle)


# --- small measures


def test_iou_counts_pixels_and_two_empty_masks_agree() -> None:
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert iou(first, second) == 1.0
    first[0, :3] = second[0, 1:] = True
    assert iou(first, second) == 0.5
    assert iou(first, np.zeros((4, 4), bool)) == 0.0


def test_the_bounding_box_is_half_open() -> None:
    mask = np.zeros((10, 12), bool)
    assert bounding_box(mask) is None
    mask[3, 4] = mask[6, 11] = True
    assert bounding_box(mask) == (4, 3, 12, 7)
    assert bounding_box(mask.T) == (3, 4, 7, 12)
    assert bounding_box(np.zeros((0, 5), bool)) is None


def test_small_parts_and_small_holes_go_and_the_rest_stays() -> None:
    mask = np.zeros((40, 40), bool)
    mask[0:20, 0:20] = True
    mask[5, 5:7] = False
    mask[10:15, 10:15] = False
    expected = mask.copy()
    expected[5, 5:7] = True
    mask[30, 30] = True
    before = mask.copy()
    np.testing.assert_array_equal(remove_specks(mask, 9), expected)
    np.testing.assert_array_equal(mask, before)
    assert not remove_specks(np.zeros((5, 5), bool), 9).any()
    assert remove_specks(np.ones((5, 5), bool), 9).all()


def test_a_label_map_holds_object_ids_and_later_masks_win() -> None:
    first, second = np.zeros((2, 3), bool), np.zeros((2, 3), bool)
    first[0] = second[:, 0] = True
    labels = label_map({1000: first, 7: second}, 2, 3)
    assert labels.tolist() == [[7, 1000, 1000], [7, 0, 0]]
    assert labels.dtype == np.int32


@given(seeds, st.integers(0, 60), st.floats(0.3, 4), st.floats(-0.7, 0.7))
@settings(deadline=None, max_examples=300)
def test_few_parts_looked_at_one_by_one_give_what_all_pixels_at_once_give(
    seed: int, least: int, roughness: float, level: float
) -> None:
    noise = np.random.default_rng(seed).normal(size=(40, 50)).astype(np.float32)
    mask = cv2.GaussianBlur(noise, (0, 0), roughness) * roughness * 3 > level
    expected = _only_large(np.pad(mask, 1), least)[1:-1, 1:-1]
    np.testing.assert_array_equal(remove_specks(mask, least), expected)


@given(seeds, st.integers(0, 40))
@settings(deadline=None, max_examples=200)
def test_leaving_out_specks_never_contradicts_a_click_nor_leaves_nothing(seed: int, least: int) -> None:
    mask = random_mask(seed)
    rng = np.random.default_rng(seed)
    places = rng.uniform(0, 1, (3, 2)) * mask.shape[::-1]
    clicks = {(float(x), float(y)): bool(mask[int(y), int(x)]) for x, y in places}
    result = without_specks(mask, least, clicks)
    assert all(result[int(y), int(x)] == include for (x, y), include in clicks.items())
    assert result.any() == mask.any()
    assert np.array_equal(result, mask) or np.array_equal(result, remove_specks(mask, least))
