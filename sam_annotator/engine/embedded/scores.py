"""How good a mask is likely to be, judged by the mask alone, for nobody knows the truth: a guess of its IoU.

The weights were fitted to masks whose IoU was known, leaving out one source of pictures after the other; those of
clicks as much to which of the masks for one click is the best. See benchmarks/RESULTS.md.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.cut import Chosen, RegionGraph
from sam_annotator.engine.embedded.masks import Box, Mask, Pixel, bounds
from sam_annotator.engine.embedded.regions import Floats
from sam_annotator.engine.embedded.trust import History, log_share

IN_BOX = -0.33
FIT = 0.59  # weight of its bounds' fitting the box, which may be loose
WHOLENESS = 0.47  # of being in one piece
LASTING_IN_BOX = 0.29  # of being much like the other masks for the box
COMMON_COLOURS = 0.25  # of sharing its colours with the surroundings, against it
OUTLINE = 0.06  # of an outline on stronger edges than those within
GUESSED = 0.03  # of being of a colour that was only guessed to be the object's, against it

LASTING = 0.84  # weight of being much like the masks of other biases
CLICKED_DEEP = 0.17  # of the click's lying in the thickest part of a mask: that is where people click
CLEAR = 0.17  # of an outline on strong edges
COLOURS_AROUND = 0.17  # of sharing colours with what is near, against a mask
HISTORY = (0.19, -0.07, 0.04, -0.09, -0.04)  # weights of how a corrected mask came about, in the order of its evidence
UNLIKE = 0.8  # of being unlike those that are shown already: a choice between equals is none


def score_of_click(graph: RegionGraph, mask: Mask, own: Chosen, clicks: list[Pixel], lasting: float) -> float:
    """A guess of the IoU of a mask found by clicks alone.

    Args:
        mask: bool, of the image's size; `own`, bool (n,), its regions.
        clicks: those that include.
        lasting: mean IoU with the masks of other biases.
    """
    return (
        LASTING * lasting
        + CLICKED_DEEP * clicked_deep(mask, clicks)
        + CLEAR * float(np.log(graph.regions.strength(_around(graph, own)) + 0.05))
        - COLOURS_AROUND * graph.regions.colour_overlap(own, _near(graph, own))
    )


def score_in_box(
    graph: RegionGraph, mask: Mask, own: Chosen, box: Box, context: Floats, lasting: float, *, guessed: bool = False
) -> float:
    """The same of a mask found by a box.

    Args:
        mask: bool, of the image's size; `own`, bool (n,), its regions.
        box: left, top, right, bottom in the image's pixels.
        context: float32 (n,), how much each region counts as surroundings.
        lasting: mean IoU with the other masks for the box.
        guessed: it was found by a colour that may be the object's.
    """
    return (
        IN_BOX
        + FIT * fit(mask, box)
        + WHOLENESS * wholeness(mask)
        + LASTING_IN_BOX * lasting
        - COMMON_COLOURS * graph.regions.colour_overlap(own, context)
        + OUTLINE * outline(graph, own)
        - GUESSED * guessed
    )


def score_of_refined(graph: RegionGraph, mask: Mask, own: Chosen, history: History) -> float:
    """The same of a mask after corrections: by how it came about, what was wrong lately, and what it looks like."""
    around = graph.regions.colour_overlap(own, _near(graph, own))
    came_about = 0.01 + float(np.dot(HISTORY, (*history.evidence(), log_share(history.contested, 1.0))))
    return came_about + 0.25 * wholeness(mask) - 0.31 * around


def in_order(scores: list[float], alike: NDArray[np.float64], count: int) -> list[int]:
    """So many indices: the best first, then good ones that are unlike those before; `alike` is IoU, square."""
    order = [int(np.argmax(scores))]
    while len(order) < min(count, len(scores)):
        worth = np.array(scores) - UNLIKE * alike[:, order].max(axis=1)
        worth[order] = -np.inf
        order.append(int(np.argmax(worth)))
    return order


def clicked_deep(mask: Mask, clicks: list[Pixel]) -> float:
    """How deep the deepest click lies in a mask, to the mask's thickest place, 0..1."""
    if not clicks:
        return 0.0
    window = bounds(mask, margin=1)
    depth = cv2.distanceTransform(mask[window].astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    top, left = window[0].start, window[1].start
    inside = [(y - top, x - left) for x, y in clicks if mask[y, x]]
    return max((float(depth[place]) for place in inside), default=0.0) / max(float(depth.max()), 1.0)


def _near(graph: RegionGraph, own: Chosen) -> Floats:
    """How much each region counts as near to a mask, (n,): less the farther from the mask's bounds."""
    centres = graph.regions.centres
    if not own.any():
        return np.ones(len(centres), np.float32)
    low, high = centres[own].min(axis=0), centres[own].max(axis=0)
    longest = max(float((high - low).max()), 1.0)
    away = np.linalg.norm(centres - (low + high) / 2, axis=1) - longest / 2
    return np.asarray(np.exp(-np.maximum(away, 0) / longest), np.float32)


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
    within = own[low] & own[high]
    return float(np.log((graph.regions.strength(_around(graph, own)) + 0.1) / (graph.regions.strength(within) + 0.1)))


def _around(graph: RegionGraph, own: Chosen) -> Chosen:
    """The borders between a mask's regions and others, bool (m,)."""
    low, high = graph.regions.pairs.T
    around: Chosen = own[low] != own[high]
    return around
