"""Which of several masks is most likely meant, judged by the masks alone, for nobody knows the truth.

The weights were fitted to the order of masks whose IoU was known, leaving out one source of pictures after the other.
"""

import cv2
import numpy as np

from sam_annotator.engine.embedded.cut import Chosen, RegionGraph
from sam_annotator.engine.embedded.masks import Box, Mask, bounds
from sam_annotator.engine.embedded.regions import Floats

WHOLENESS = 0.8  # weight of a mask's being in one piece, to that of its bounds' fitting the box
COMMON_COLOURS = 0.6  # of sharing its colours with the surroundings, against it
OUTLINE = 0.1  # of an outline on stronger edges than those within


def merit_in_box(graph: RegionGraph, mask: Mask, own: Chosen, box: Box, context: Floats) -> float:
    """How well a mask suits the box that was drawn, to compare it with others.

    Args:
        mask: bool, of the image's size; `own`, bool (n,), its regions.
        box: left, top, right, bottom in the image's pixels.
        context: float32 (n,), how much each region counts as surroundings.
    """
    return (
        fit(mask, box)
        + WHOLENESS * wholeness(mask)
        - COMMON_COLOURS * graph.colour_overlap(own, context)
        + OUTLINE * outline(graph, own)
    )


def fit(mask: Mask, box: Box) -> float:
    """IoU of the mask's bounds with a box, 0..1."""
    left, top, right, bottom = box
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    common = max(min(right, x + width) - max(left, x), 0) * max(min(bottom, y + height) - max(top, y), 0)
    return float(common / max((right - left) * (bottom - top) + width * height - common, 1e-6))


def wholeness(mask: Mask) -> float:
    """The largest part's share of the mask, 0..1; 0 for an empty one."""
    within = mask[bounds(mask, margin=1)].astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(within, connectivity=8)
    parts = stats[1:, cv2.CC_STAT_AREA]
    return float(parts.max() / parts.sum()) if len(parts) else 0.0


def outline(graph: RegionGraph, own: Chosen) -> float:
    """Log ratio of the mean strength of the edges around a mask and of those within it."""
    low, high = graph.regions.pairs.T
    around, within = own[low] != own[high], own[low] & own[high]
    return float(np.log((_strength(graph, around) + 0.1) / (_strength(graph, within) + 0.1)))


def _strength(graph: RegionGraph, among: Chosen) -> float:
    """Mean strength of some of the borders between regions, by their lengths."""
    lengths = graph.regions.lengths[among]
    return float((graph.regions.strengths[among] * lengths).sum() / max(float(lengths.sum()), 1e-6))
