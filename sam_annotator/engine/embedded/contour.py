"""The cheapest contour: a graph cut over log odds, and the answer where several objects want one pixel."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import maxflow
import numpy as np

from sam_annotator.engine.embedded.flow import Floats, Mask

SMOOTHNESS: Final = 3.5
LEAST_EDGE: Final = 0.05
MARGIN: Final = 4

NEVER: Final = -9.0
"""Log odds of a pixel the object cannot have."""

STEPS: Final = ((0, 1, 1.0), (1, 0, 1.0), (1, 1, 0.7071), (1, -1, 0.7071))
"""Half of the eight neighbours: rows, columns, weight of the edge's length."""


@dataclass(frozen=True, eq=False)
class Contours:
    """What it costs to draw a contour between each pixel and its neighbours in one frame.

    Attributes:
        costs: four arrays float32 (height, width), one per entry of STEPS.
    """

    costs: tuple[Floats, ...]

    @classmethod
    def of(cls, lab: Floats) -> "Contours":
        """From float32 (height, width, 3): cheap where the colour changes."""
        changes = [_change(lab, rows, columns) for rows, columns, _ in STEPS]
        rate = 1 / max(float(changes[0].mean() + changes[1].mean()), 1e-3)
        weights = [SMOOTHNESS * weight for _, _, weight in STEPS]
        pairs = zip(changes, weights, strict=True)
        return cls(tuple(k * (LEAST_EDGE + (1 - LEAST_EDGE) * np.exp(-rate * change)) for change, k in pairs))

    def cut(self, odds: Floats, possible: Mask) -> Mask:
        """The mask of least cost: bool (height, width), False outside the box around `possible`."""
        result = np.zeros(odds.shape, bool)
        if not possible.any():
            return result
        box = _box(possible)
        inner = odds[box]
        graph = maxflow.GraphFloat(inner.size, 4 * inner.size)
        nodes = graph.add_grid_nodes(inner.shape)
        for cost, (rows, columns, _) in zip(self.costs, STEPS, strict=True):
            structure = np.zeros((3, 3))
            structure[1 + rows, 1 + columns] = 1
            graph.add_grid_edges(nodes, cost[box], structure, symmetric=True)
        graph.add_grid_tedges(nodes, np.maximum(-inner, 0), np.maximum(inner, 0))
        graph.maxflow()
        result[box] = graph.get_grid_segments(nodes)
        return result


def _change(lab: Floats, rows: int, columns: int) -> Floats:
    """Squared colour difference to the neighbour; what wraps around has no neighbour in the graph."""
    neighbour = np.roll(lab, (-rows, -columns), axis=(0, 1))
    return np.asarray(np.square(lab - neighbour).sum(axis=-1), np.float32)


def _box(mask: Mask) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, rows[0] - MARGIN), max(0, columns[0] - MARGIN)
    return slice(top, rows[-1] + MARGIN + 1), slice(left, columns[-1] + MARGIN + 1)


def compete(odds: Mapping[int, Floats], claims: Mapping[int, Floats] | None = None) -> dict[int, Floats]:
    """Each object's log odds against the strongest of the others' and the background.

    Args:
        odds: by object, arrays of one shape.
        claims: what each says against the others, where that is less than its log odds.
    """
    if len(odds) < 2:
        return dict(odds)
    against = np.stack([(odds if claims is None else claims)[key] for key in odds])
    order = np.sort(against, axis=0)
    best, second = order[-1], order[-2]
    rivals = np.maximum(np.where(against == best, second, best), 0)
    return {key: one - rivals[place] for place, (key, one) in enumerate(odds.items())}


def without_overlap(masks: Mapping[int, Mask], odds: Mapping[int, Floats]) -> dict[int, Mask]:
    """Pixels that several cuts took go to the object with the best odds."""
    if len(masks) < 2:
        return dict(masks)
    claims = np.stack([np.where(masks[key], odds[key], -np.inf) for key in masks])
    winner = claims.argmax(axis=0)
    return {key: mask & (winner == place) for place, (key, mask) in enumerate(masks.items())}
