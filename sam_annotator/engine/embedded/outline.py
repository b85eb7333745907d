"""A mask's outline drawn once more for the answer, at up to twice the working size.

Along the outline each pixel's colour is compared with what is nearby inside the mask and outside, as the local
classifiers of Video SnapCut do (Bai et al. 2009); a graph cut in a narrow band weighs that against edges and log odds.
What is followed from frame to frame stays as it was drawn first: fed back, a mask would confirm its own mistakes.
Lengths are working pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

import cv2
import maxflow
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import to_lab
from sam_annotator.engine.embedded.contour import LEAST_EDGE, STEPS, compete, without_overlap
from sam_annotator.engine.embedded.flow import (
    WORK_AREA,
    Floats,
    Mask,
    bounded_size,
    enlarge_mask,
    resize,
    signed_distance,
)

BAND: Final = 3.0
"""How far the outline may move."""

WINDOW: Final = 25
"""Side of the square around a pixel in which colours are gathered."""

CLEARANCE: Final = 1.0
"""Pixels nearer to the outline may be of either side and are not gathered."""

LEAST_VARIANCE: Final = 20.0
COLOUR_CEILING: Final = 3.0
ODDS_CEILING: Final = 4.0
ODDS_WEIGHT: Final = 0.5
PULL: Final = 0.6
"""Log odds against each pixel that the outline moves."""

SMOOTHNESS: Final = 3.0
FIXED: Final = 1e4

Box = tuple[slice, slice]


def redraw(
    image: NDArray[np.uint8], lab: Floats, masks: Mapping[int, Mask], odds: Mapping[int, Floats]
) -> dict[int, Mask]:
    """The masks as they are answered: bool, of the image's size, which do not overlap.

    Args:
        image: uint8 (height, width, 3), RGB, as it came.
        lab: float32 (rows, columns, 3), its colours at working size, see Appearance.
        masks: bool (rows, columns), as they were drawn at working size.
        odds: float32 (rows, columns), the log odds of each.
    """
    height, width = image.shape[:2]
    size = bounded_size(height, width, 4 * WORK_AREA)
    finer = cast(NDArray[np.uint8], resize(image, size))
    rivals = compete(odds)
    outlines = {key: _redraw_one(finer, lab, mask, rivals[key]) for key, mask in masks.items()}
    if len(masks) > 1:
        outlines = without_overlap(outlines, {key: cast(Floats, resize(rivals[key], size)) for key in outlines})
    return {key: enlarge_mask(outline, (height, width)) for key, outline in outlines.items()}


def _redraw_one(image: NDArray[np.uint8], lab: Floats, mask: Mask, odds: Floats) -> Mask:
    """The mask at the image's size, its outline drawn anew; as it is where hardly anything would be left of it."""
    height, width = image.shape[:2]
    outline = enlarge_mask(mask, (height, width))
    if not outline.any() or outline.all():
        return outline
    scale = height / mask.shape[0]
    seen = _box_around(mask, WINDOW // 2 + 1)
    box = _scaled(seen, mask.shape, (height, width))
    inside = outline[box]
    distance = signed_distance(inside) / np.float32(scale)
    colours = to_lab(image[box])
    sides = Sides.of(lab[seen], mask[seen])
    band = np.abs(distance) < BAND
    unary = np.where(inside, np.float32(FIXED), np.float32(-FIXED))
    unary[band] = (
        ODDS_WEIGHT * np.clip(_sampled(odds[seen], band), -ODDS_CEILING, ODDS_CEILING)
        + PULL * distance[band]
        + sides.log_odds(colours[band], band)
    )
    rim = np.abs(distance) < BAND + 2 / scale
    redrawn = np.where(rim, _cut(colours, unary, rim), inside)
    if 2 * np.count_nonzero(redrawn) < np.count_nonzero(inside):
        return outline
    result = np.zeros_like(outline)
    result[box] = redrawn
    return result


@dataclass(frozen=True, eq=False)
class Sides:
    """The colours nearby on either side of an outline.

    Attributes:
        inner, outer: float32 (height, width, 4), around each pixel: the mean colour, and the variance of a channel.
        known: float32 (height, width), 1 where there are enough pixels of both.
    """

    inner: Floats
    outer: Floats
    known: Floats

    @classmethod
    def of(cls, lab: Floats, mask: Mask) -> "Sides":
        """From float32 (height, width, 3) and the mask in it."""
        distance, squares = signed_distance(mask), _squared(lab)
        inner, outer = (_gather(lab, squares, side) for side in (distance > CLEARANCE, distance < -CLEARANCE))
        known = np.minimum(inner[..., 4], outer[..., 4]) >= WINDOW
        return cls(inner[..., :4], outer[..., :4], known.astype(np.float32))

    def log_odds(self, colours: Floats, places: Mask) -> Floats:
        """Of the inner side, within +-COLOUR_CEILING: float32 (n,).

        Args:
            colours: float32 (n, 3), those of the places.
            places: bool (height, width), of this size or enlarged.
        """
        inner, outer = _sampled(self.inner, places), _sampled(self.outer, places)
        odds = _squared(colours - outer[:, :3]) / outer[:, 3] - _squared(colours - inner[:, :3]) / inner[:, 3]
        odds = odds / 2 + 1.5 * np.log(outer[:, 3] / inner[:, 3])
        known = _sampled(self.known, places) > 0.99
        return np.asarray(np.clip(odds, -COLOUR_CEILING, COLOUR_CEILING) * known, np.float32)


def _gather(lab: Floats, squares: Floats, side: Mask) -> Floats:
    """float32 (height, width, 5): mean colour, variance, and of how many pixels."""
    weights = side.astype(np.float32)
    planes = np.dstack([lab * weights[..., None], squares * weights, weights])
    sums = cv2.boxFilter(planes, -1, (WINDOW, WINDOW), normalize=False, borderType=cv2.BORDER_CONSTANT)
    means = sums[..., :4] / np.maximum(sums[..., 4:], 1)
    variance = np.maximum(means[..., 3] - _squared(means[..., :3]), 0) / 3 + LEAST_VARIANCE
    return np.dstack([means[..., :3], variance, sums[..., 4]])


def _cut(colours: Floats, unary: Floats, nodes: Mask) -> Mask:
    """The mask of least cost, bool (height, width); False where there is no node."""
    rows, columns = nodes.shape
    numbers = np.cumsum(nodes.reshape(-1)).reshape(nodes.shape) - 1
    count = int(numbers[-1, -1]) + 1
    graph = maxflow.GraphFloat(count, len(STEPS) * count)
    places = graph.add_nodes(count)
    rate = 0.0
    for down, right, length in STEPS:
        here = slice(0, rows - down), slice(max(0, -right), columns - max(0, right))
        there = slice(down, rows), slice(max(0, right), columns - max(0, -right))
        both = nodes[here] & nodes[there]
        changes = _squared(colours[here][both] - colours[there][both])
        rate = rate or 1 / max(2 * float(changes.mean()), 1e-3)
        costs = SMOOTHNESS * length * (LEAST_EDGE + (1 - LEAST_EDGE) * np.exp(-rate * changes))
        graph.add_edges(numbers[here][both], numbers[there][both], costs, costs)
    graph.add_grid_tedges(places, np.maximum(-unary[nodes], 0), np.maximum(unary[nodes], 0))
    graph.maxflow()
    result = np.zeros(nodes.shape, bool)
    result[nodes] = graph.get_grid_segments(places)
    return result


def _squared(colours: Floats) -> Floats:
    """Squared length along the last axis."""
    return np.asarray(np.einsum("...i,...i->...", colours, colours), np.float32)


def _sampled(plane: Floats, places: Mask) -> Floats:
    """Values of a plane, enlarged to the size of the places, there: (n,) or (n, channels)."""
    return cast(Floats, resize(plane, (places.shape[0], places.shape[1]))[places])


def _box_around(mask: Mask, margin: int) -> Box:
    lines = (np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0)))
    rows, columns = (
        slice(max(0, int(line[0]) - margin), min(side, int(line[-1]) + margin + 1))
        for line, side in zip(lines, mask.shape, strict=True)
    )
    return rows, columns


def _scaled(box: Box, size: tuple[int, ...], larger: tuple[int, int]) -> Box:
    rows, columns = (
        slice(round(part.start * big / small), round(part.stop * big / small))
        for part, small, big in zip(box, size, larger, strict=True)
    )
    return rows, columns
