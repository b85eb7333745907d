"""Run-length masks measured many at once: the same as one by one, and no nonsense goes through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.core.datasets.rle_check import measure_rles
from sam_annotator.core.masks import encode_rle, rle_area, rle_box


def masks_of(seed: int, height: int, width: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = [rng.random((height, width)) > rng.random() for _ in range(int(rng.integers(1, 6)))]
    for mask in masks:
        mask[rng.integers(height), rng.integers(width)] = True
    return masks


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.booleans())
def test_areas_and_boxes_are_those_of_each_mask(seed: int, height: int, width: int, compressed: bool) -> None:
    rles = [encode_rle(mask, compressed=compressed) for mask in masks_of(seed, height, width)]
    areas, boxes = measure_rles([rle["counts"] for rle in rles], height, width)
    assert areas.tolist() == [rle_area(rle) for rle in rles]
    assert boxes.tolist() == [list(rle_box(rle)) for rle in rles]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12), max_size=3))
def test_any_text_is_measured_or_refused(counts: list[str]) -> None:
    try:
        areas, _boxes = measure_rles(counts, 7, 9)
    except ValueError:
        return
    assert all(1 <= area <= 63 for area in areas)


@pytest.mark.parametrize(
    "counts", [[[10, 5]], [[0, 64]], [[60, -3, 6]], [[63]], [[]], [[10, 5.5, 48]], [[10, "5", 48]]]
)
def test_runs_that_do_not_fill_the_image_or_hold_nothing_are_refused(counts: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="0: "):
        measure_rles(counts, 7, 9)


def test_no_mask_is_measured_too() -> None:
    areas, boxes = measure_rles([], 7, 9)
    assert (areas.shape, boxes.shape) == ((0,), (0, 4))
