"""From clicks to regions: geodesic distances, colours re-estimated in rounds, and a minimum cut over the regions.

Geodesic distances follow Bai and Sapiro (2007), the rounds of colour and cut follow GrabCut (Rother et al. 2004).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import maxflow
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial.distance import cdist

from sam_annotator.engine.embedded.regions import Floats, Regions

Chosen = NDArray[np.bool_]  # one flag a region


@dataclass(frozen=True)
class Weights:
    """How much each piece of evidence counts. Found by measuring; see benchmarks/clicks.py."""

    seed_colour: float = 0.5  # of unlike colour in the geodesic cost of a step, against edges
    colour_cap: float = 2.0  # colour distance, in units of COLOUR_UNIT, above which all is equally unlike
    step: float = 0.2  # cost of a step where nothing changes
    rim: float = 4.5  # distance from the image's border to the regions at it: border clicks count less than real ones
    geodesic: float = 1.0
    geodesic_cap: float = 2.0
    colour: float = 1.0
    palette_cap: float = 2.0
    shelter: float = 0.5  # of the distance from the outside of a box
    shelter_quantile: float = 0.5  # of that distance, where it speaks neither for nor against
    prior: float = 2.0  # of the mask before, far from the new clicks
    smoothness: float = 1.2
    contrast: float = 1.0
    rounds: int = 3
    trust: float = 1.5  # how sharply the first guess of colours follows the geodesic evidence
    likeness: float = 1.5  # of the clicked colour, where that alone is asked for
    alike: float = 0.7  # colour distance, in units of COLOUR_UNIT, that speaks neither for nor against it
    doubt: float = 1.0  # against what is in a box at first: colours that also occur around it are background


COLOUR_UNIT = 12.0  # Lab distance
PUREST = 12  # regions at most that stand for a colour
HARD = 1e4  # a clicked region


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of the regions.

    Attributes:
        include, exclude: int (k,), clicked regions.
        outside: bool (n,), regions that cannot belong to the object.
        prior: float32 (n,), -1 surely not, 1 surely; 0 nothing known.
        context: float32 (n,), how much each region counts when the colours of object and background are learnt.
    """

    include: NDArray[np.intp]
    exclude: NDArray[np.intp]
    outside: Chosen
    prior: Floats
    context: Floats


@dataclass(eq=False)
class RegionGraph:
    """Regions as a graph; the node after the last region stands for everything beyond the image."""

    regions: Regions
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        regions, beyond = self.regions, len(self.regions)
        low, high = regions.pairs.T
        rim = np.flatnonzero(regions.border)
        rows = np.concatenate([low, high, np.full(len(rim), beyond), rim])
        columns = np.concatenate([high, low, rim, np.full(len(rim), beyond)])
        steps = regions.strengths + self.weights.step
        costs = np.concatenate([steps, steps, np.full(2 * len(rim), self.weights.rim)])
        self._steps = sparse.coo_matrix((costs, (rows, columns)), shape=(beyond + 1, beyond + 1)).tocsr()
        links = np.exp(-self.weights.contrast * regions.strengths) + 0.02
        self._links = (self.weights.smoothness * regions.lengths * links).astype(np.float64)

    def solve(self, question: Question, biases: Sequence[float | Floats]) -> list[Chosen]:
        """The regions of the object, bool (n,), for each bias: above 0 asks for larger masks, below 0 for smaller.

        A bias is the same for all regions, or one for each, (n,).
        """
        nearness, part = self.nearness(question), self._part(question.outside)
        return [self._rounds(question, part, nearness + np.asarray(bias, np.float32)) for bias in biases]

    def likeness(self, clicked: NDArray[np.intp]) -> Floats:
        """A bias for the clicked regions' colours and against all else, (n,): spokes, not the gaps between."""
        if len(clicked) == 0:
            return np.zeros(len(self.regions), np.float32)
        return np.float32(self.weights.likeness) * (np.float32(self.weights.alike) - self._unlikeness(clicked))

    def standing_out(self, question: Question, count: int) -> list[NDArray[np.intp]]:
        """For each of the colours that a box has most more of than its surroundings: regions that have it, int (k,)."""
        palette, areas = self.regions.palette, self.regions.areas
        inside, around = (
            palette.T @ (areas * ~question.outside),
            palette.T @ (areas * question.outside * question.context),
        )
        inside, around = inside / max(float(inside.sum()), 1e-6), around / max(float(around.sum()), 1e-6)
        gain = inside * np.log((inside + 1e-3) / (around + 1e-3))
        return [self._purest(colour, question.outside) for colour in np.argsort(-gain, kind="stable")[:count]]

    def _purest(self, colour: np.intp, outside: Chosen) -> NDArray[np.intp]:
        """The few regions within a box that have most of a palette colour, each at least half as much as the first."""
        share = self.regions.palette[:, colour] * ~outside
        purest = np.argsort(-share, kind="stable")[:PUREST]
        return purest[share[purest] >= max(0.5 * float(share[purest[0]]), 1e-6)]

    def nearness(self, question: Question) -> Floats:
        """Log ratio of the geodesic distances to the background's seeds and to the object's, (n,)."""
        beyond = len(self.regions)
        away = np.concatenate([question.exclude, np.flatnonzero(question.outside), [beyond]])
        background = self._distances(away, question.exclude)
        sources = question.include if len(question.include) else np.flatnonzero(question.prior > 0.5)
        if len(sources) == 0 or (len(question.include) == 0 and question.outside.any()):
            return self._shelter(background, question)
        own = self._distances(sources, question.include)
        return np.asarray(np.log((background + 1) / (own + 1)), np.float32)

    def _shelter(self, background: Floats, question: Question) -> Floats:
        """What stands for nearness where only a box is given: how far a region inside is from what lies outside."""
        if not question.outside.any():
            return np.zeros(len(self.regions), np.float32)
        typical = float(np.quantile(background[~question.outside], self.weights.shelter_quantile))
        return np.asarray(self.weights.shelter * np.log((background + 0.5) / (typical + 0.5)), np.float32)

    def connected(self, among: Chosen, starts: list[int]) -> Chosen:
        """Those regions of `among` that one can reach from the starts without leaving it, bool (n,)."""
        low, high = self.regions.pairs[among[self.regions.pairs].all(axis=1)].T
        size = len(self.regions)
        links = sparse.coo_matrix((np.ones(len(low), np.bool_), (low, high)), shape=(size, size))
        _, groups = connected_components(links, directed=False)
        reached: Chosen = among & np.isin(groups, groups[starts])
        return reached

    def agreement(self, one: Chosen, other: Chosen) -> float:
        """IoU of two masks made of regions, 0..1."""
        union = float(self.regions.areas[one | other].sum())
        return float(self.regions.areas[one & other].sum()) / union if union else 1.0

    def _distances(self, sources: NDArray[np.intp], clicked: NDArray[np.intp]) -> Floats:
        """Geodesic distance of each region to the nearest source; steps into colours unlike the clicked cost more."""
        costs = self._steps.copy()
        if len(clicked):
            unlike = np.append(self._unlikeness(clicked), np.float32(0))
            costs.data = costs.data + np.float32(self.weights.seed_colour) * unlike[costs.indices]
        found = dijkstra(costs, indices=sources, min_only=True)[:-1]
        return np.asarray(found, np.float32)

    def _unlikeness(self, clicked: NDArray[np.intp]) -> Floats:
        """Colour distance of each region to the most alike of the clicked ones, capped, (n,)."""
        colours = self.regions.colours
        distances = cdist(colours, colours[clicked]).min(axis=1).astype(np.float32)
        return np.asarray(np.minimum(distances / COLOUR_UNIT, self.weights.colour_cap), np.float32)

    def _part(self, outside: Chosen) -> "_Part":
        """What a box leaves to be decided."""
        inside = np.flatnonzero(~outside)
        if len(inside) == len(self.regions):
            return _Part(inside, self.regions.areas, self.regions.palette, self.regions.pairs, self._links, 0.0)
        low, high = self.regions.pairs.T
        across, within = outside[low] != outside[high], ~(outside[low] | outside[high])
        edge = np.where(outside[low[across]], high[across], low[across])
        place = np.cumsum(~outside) - 1
        return _Part(
            inside,
            self.regions.areas[inside],
            self.regions.palette[inside],
            place[self.regions.pairs[within]],
            self._links[within],
            np.bincount(place[edge], self._links[across], len(inside)).astype(np.float64),
        )

    def _rounds(self, question: Question, part: "_Part", nearness: Floats) -> Chosen:
        """Cut, learn the colours of what was cut out, cut again."""
        weights = self.weights
        near = np.clip(nearness[part.inside], -weights.geodesic_cap, weights.geodesic_cap)
        fixed = weights.geodesic * near + weights.prior * question.prior[part.inside]
        belief = np.asarray(1 / (1 + np.exp(-weights.trust * fixed)), np.float32)
        doubt = 0.0
        if question.outside.any() and len(question.include) == 0:
            belief, doubt = np.ones_like(belief), weights.doubt
        around = self.regions.palette.T @ (self.regions.areas * question.context * question.outside)
        counted = part.areas * question.context[part.inside]
        asked = np.zeros(len(self.regions))
        asked[question.exclude], asked[question.include] = -HARD, HARD
        for _ in range(weights.rounds):
            colours = self._colour_evidence(part.palette, counted * belief, counted * (1 - belief), around)
            evidence = fixed + weights.colour * colours - np.float32(doubt)
            doubt = 0.0
            chosen = part.cut(evidence * part.areas / np.float32(self.regions.areas.mean()), asked[part.inside])
            belief = chosen.astype(np.float32)
        result: Chosen = np.zeros(len(self.regions), np.bool_)
        result[part.inside] = chosen
        return result

    def _colour_evidence(self, palette: Floats, own: Floats, other: Floats, around: Floats) -> Floats:
        """Log ratio of how often the object and the rest, with what is around, have a region's colours, capped."""
        inside, outside = np.stack((own, other)) @ palette  # the palette is read once, which takes the time
        outside = outside + around
        inside = inside / max(float(inside.sum()), 1e-6) + 1e-3
        outside = outside / max(float(outside.sum()), 1e-6) + 1e-3
        ratio: Floats = palette @ np.log(inside / outside).astype(np.float32)
        return np.clip(ratio, -self.weights.palette_cap, self.weights.palette_cap)


@dataclass(frozen=True, eq=False)
class _Part:
    """The k regions that are to be divided; all others are background.

    Attributes:
        inside: int (k,), which regions they are.
        areas, palette: theirs.
        pairs, links: those of them that touch, as places in `inside`, and what it costs to part them.
        edge: float (k,), what it costs to part them from the regions that are left out.
    """

    inside: NDArray[np.intp]
    areas: Floats
    palette: Floats
    pairs: NDArray[np.integer[Any]]
    links: NDArray[np.float64]
    edge: NDArray[np.float64] | float

    def cut(self, evidence: Floats, asked: NDArray[np.float64]) -> Chosen:
        """The cheapest division, given evidence (k,) for (above 0) and against each, and what is beyond doubt."""
        pull = np.where(asked != 0, asked, evidence.astype(np.float64))
        graph = maxflow.GraphFloat(len(pull), len(self.links))
        nodes = graph.add_nodes(len(pull))
        graph.add_grid_tedges(nodes, np.maximum(pull, 0), np.maximum(-pull, 0) + self.edge)
        low, high = self.pairs.T
        graph.add_edges(low, high, self.links, self.links)
        graph.maxflow()
        return ~np.asarray(graph.get_grid_segments(nodes), np.bool_)
