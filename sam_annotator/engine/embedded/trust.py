"""How likely a change that a click asks for is right, judged by the change alone.

A change is likelier to be right the more of its border lies along what it joins, the stronger the edges that it leaves
behind, the plainer it is within, the more its colours are those of what it joins and not of what it leaves.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sam_annotator.engine.embedded.cut import Chosen
from sam_annotator.engine.embedded.regions import Regions

NEARBY = 0.19  # of the working image's shorter side: how far from the click colours count
THICKEST = 4.0  # times as deep as the click: beyond, thick is thick
CLEAREST = 4.0  # strength of an edge: stronger is not clearer
FAINT_EDGE = 0.1  # added to strengths, so that their logarithms stay small

STANDS_OUT = 0.42  # log ratio of the edges that a change leaves behind to those within it
DISTINCT = 0.2  # likeness to what it leaves

INTERCEPT = -0.15
WEIGHTS = (-1.09, -1.61, 0.73, -1.71, 4.96, 2.77, -5.07, 1.13)
"""Of the evidence, in its order; fitted to 12,000 changes whose gain was known. See benchmarks/RESULTS.md."""


@dataclass(frozen=True, eq=False)
class Change:
    """From one mask to another.

    Attributes:
        was, now: bool (n,), the regions of the masks.
        click: (x, y) in working pixels, and whether it includes; it asks for the change.
        thickness: depth of the change where it is deepest, to that of the click.
    """

    regions: Regions
    was: Chosen
    now: Chosen
    click: tuple[tuple[float, float], bool]
    thickness: float

    @cached_property
    def trust(self) -> float:
        """0..1, how likely it is that the change costs no IoU."""
        odds = INTERCEPT + float(np.dot(WEIGHTS, self.evidence()))
        return float(1 / (1 + np.exp(-odds)))

    @cached_property
    def stands_out(self) -> bool:
        """True if the outline that the change makes is on edges unlike those within it, or it makes none."""
        return not self._made.any() or self._edges_made - self._edges_within > STANDS_OUT

    @cached_property
    def is_distinct(self) -> bool:
        """True if hardly anything nearby that stays on the other side has its colours."""
        return self._likeness(not self.click[1]) < DISTINCT

    def evidence(self) -> tuple[float, ...]:
        """What speaks for and against it: size, thickness, its edges, what it joins, colours, the kind of click."""
        size = float(self.regions.areas[self._changed].sum()) / max(float(self.regions.areas[self.was].sum()), 1.0)
        return (
            float(np.log(max(size, 1e-4))),
            min(self.thickness, THICKEST),
            self._edges_made,
            self._edges_within,
            self._joined,
            self._likeness(self.click[1]),
            self._likeness(not self.click[1]),
            float(self.click[1]),
        )

    @cached_property
    def _changed(self) -> Chosen:
        changed: Chosen = self.now != self.was
        return changed

    @cached_property
    def _rim(self) -> Chosen:
        """The borders around what changes, bool (m,)."""
        low, high = self.regions.pairs.T
        rim: Chosen = self._changed[low] != self._changed[high]
        return rim

    @cached_property
    def _made(self) -> Chosen:
        """Those of them that become the mask's outline; the others cease to be it."""
        low, high = self.regions.pairs.T
        made: Chosen = self._rim & (self.was[np.where(self._changed[low], high, low)] != self.click[1])
        return made

    @cached_property
    def _edges_made(self) -> float:
        return float(np.log(self.regions.strength(self._made, CLEAREST) + FAINT_EDGE))

    @cached_property
    def _edges_within(self) -> float:
        low, high = self.regions.pairs.T
        return float(np.log(self.regions.strength(self._changed[low] & self._changed[high], CLEAREST) + FAINT_EDGE))

    @property
    def _joined(self) -> float:
        """The share of the rim that lies along what the change joins."""
        lengths = self.regions.lengths
        return float(lengths[self._rim & ~self._made].sum()) / max(float(lengths[self._rim].sum()), 1.0)

    def _likeness(self, side: bool) -> float:
        """How alike its colours are to those of the object (or of the rest) near the click, 0..1."""
        away = np.linalg.norm(self.regions.centres - np.array(self.click[0], np.float32), axis=1)
        near = np.exp(-0.5 * (away / (NEARBY * min(self.regions.labels.shape))) ** 2)
        return self.regions.colour_overlap(self._changed, np.where(~self._changed & (self.was == side), near, 0))
