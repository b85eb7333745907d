"""Masks and outlines of several objects that share no pixel."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from sam_annotator.core.annotation import Shape
from sam_annotator.core.masks import Mask, iou, mask_to_shapes, object_mask

DRAWN_BACK_IOU = 0.98
"""How much of a mask must be left where its outline is kept off its neighbours for the sake of few points."""


def without_overlap(masks: Mapping[int, Mask]) -> dict[int, Mask]:
    """The masks with each pixel left to the smallest that covers it: a larger one would hide it altogether."""
    result = {}
    taken: Mask | None = None
    for object_id in sorted(masks, key=lambda object_id: (int(np.count_nonzero(masks[object_id])), object_id)):
        mask = masks[object_id]
        result[object_id] = mask if taken is None else mask & ~taken
        taken = mask if taken is None else taken | mask
    return result


def shapes_beside(taken: Mask, mask: Mask, **facts: Any) -> tuple[Shape, ...]:
    """The shapes that store what is free of a mask, so that no pixel they cover is taken.

    Simplified outlines of neighbours cross by a few pixels. There the mask is drawn back a little, and a
    little more, until they do not; where that costs too much, the outline keeps all its points.

    Args:
        taken: bool (height, width), the pixels of other objects.
        mask: bool (height, width).
        facts: label, object_id, source and score, as for `mask_to_shapes`.
    """
    drawn = whole = mask & ~taken
    for pixels in range(1, 5):
        shapes = mask_to_shapes(drawn, **facts)
        crossed = object_mask(shapes, *mask.shape) & taken
        if not crossed.any():
            return shapes
        drawn = drawn & ~(_grown(taken, pixels) & _grown(crossed, 10 * pixels))
        if iou(drawn, whole) < DRAWN_BACK_IOU:
            break
    return mask_to_shapes(whole, min_iou=1.0, **facts)


def _grown(mask: Mask, pixels: int) -> Mask:
    """The mask and a border of so many pixels around it."""
    side = 2 * pixels + 1
    return np.asarray(cv2.dilate(mask.view(np.uint8), np.ones((side, side), np.uint8))).view(np.bool_)
