"""Outlines of neighbours share no pixel, whatever their border looks like."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.engine.disjoint import shapes_beside, without_overlap

SIZE = 120


@settings(max_examples=60, deadline=None)
@given(
    radius=st.integers(0, 55),
    slope=st.floats(-2, 2),
    wave=st.floats(0, 12),
    length=st.floats(1, 20),
    hole=st.integers(0, 12),
)
def test_shapes_beside_a_neighbour_never_reach_into_it(
    radius: int, slope: float, wave: float, length: float, hole: int
) -> None:
    y, x = np.mgrid[:SIZE, :SIZE]
    disc = ((x - 60) ** 2 + (y - 60) ** 2 < radius**2) & ((x - 70) ** 2 + (y - 50) ** 2 >= hole**2)
    left = x - 60 + slope * (y - 60) + wave * np.sin(y / length) < 0
    neighbour = mask_to_shapes(disc & left, label="a", object_id=1, source=PROPAGATED)
    taken = object_mask(neighbour, SIZE, SIZE)
    shapes = shapes_beside(taken, disc, label="b", object_id=2, source=PROPAGATED, score=0.5)
    covered = object_mask(shapes, SIZE, SIZE)
    assert not np.any(covered & taken)
    assert iou(covered, disc & ~taken) > 0.95


def test_the_smaller_of_two_masks_keeps_the_pixels_both_cover() -> None:
    large, small = np.ones((SIZE, SIZE), bool), np.zeros((SIZE, SIZE), bool)
    small[10:20, 10:20] = True
    apart = without_overlap({1: large, 2: small})
    assert np.array_equal(apart[2], small)
    assert np.array_equal(apart[1], ~small)
    assert large.all(), "the masks given are left as they are"
