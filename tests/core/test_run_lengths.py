"""Run lengths of many masks at once: what COCO's own code gives for each of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from sam_annotator.core.run_lengths import encode_masks, run_edges

DENSITIES = [0.02, 0.5, 0.97, 1.0]


def masks_of(seed: int, height: int, width: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = [rng.random((height, width)) < rng.choice(DENSITIES) for _ in range(int(rng.integers(1, 7)))]
    for mask in masks:
        mask[rng.integers(height), rng.integers(width)] = True
    return masks


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_texts_boxes_and_areas_are_those_of_the_reference(seed: int, height: int, width: int) -> None:
    masks = masks_of(seed, height, width)
    found = encode_masks([run_edges(mask, (0, 0), height) for mask in masks], height, width)
    rles = [coco.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]
    assert [one.counts for one in found] == [rle["counts"].decode() for rle in rles]
    assert [list(one.box) for one in found] == [coco.toBbox(rle).tolist() for rle in rles]
    assert [one.area for one in found] == [int(coco.area(rle)) for rle in rles]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_lists_are_the_same_runs_as_texts(seed: int, height: int, width: int) -> None:
    edges = [run_edges(mask, (0, 0), height) for mask in masks_of(seed, height, width)]
    lists = encode_masks(edges, height, width, compressed=False)
    for one, text in zip(lists, encode_masks(edges, height, width), strict=True):
        assert coco.frPyObjects({"size": [height, width], "counts": one.counts}, height, width)["counts"].decode() == (
            text.counts
        )
        assert sum(one.counts) == height * width  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.integers(0, 9))
def test_a_crop_in_its_place_is_the_mask_of_the_whole_image(seed: int, left: int, top: int) -> None:
    (crop, *_more) = masks_of(seed, 7, 5)
    whole = np.zeros((top + 7 + seed % 3, left + 5 + seed % 2), bool)
    whole[top : top + 7, left : left + 5] = crop
    edges = run_edges(crop, (left, top), len(whole))
    assert edges.tolist() == run_edges(whole, (0, 0), len(whole)).tolist()


@pytest.mark.parametrize("edges", [[0, 3], [5_000_000, 5_000_007, 60_000_000, 60_000_001], [99_999_999, 100_000_000]])
def test_long_runs_take_as_many_characters_as_they_need(edges: list[int]) -> None:
    side = 10_000
    counts = np.diff([0, *edges, side * side]).tolist()
    counts = counts if counts[-1] else counts[:-1]
    (found,) = encode_masks([np.array(edges)], side, side)
    expected = coco.frPyObjects({"size": [side, side], "counts": counts}, side, side)["counts"].decode()
    assert found.counts == expected


def test_no_mask_is_no_work() -> None:
    assert encode_masks([], 7, 9) == []
    assert run_edges(np.zeros((0, 3), bool), (0, 0), 7).tolist() == []
