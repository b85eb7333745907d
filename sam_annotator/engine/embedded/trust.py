"""How likely a change that a click asks for costs some of the mask, judged by the change and by what stood before.

A change is likelier to be right the more of its border lies along what it joins, the stronger the edges that it leaves
behind, the plainer it is within, the more its colours are those of what it joins and not of what it leaves. And there
is less to lose where the mask before was poor: a click deep within what it lacks, or has too much, tells that it was.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sam_annotator.engine.embedded.cut import Chosen
from sam_annotator.engine.embedded.regions import Regions

Click = tuple[tuple[float, float], bool]  # (x, y) in working pixels, and whether it includes

NEARBY = 0.19  # of the working image's shorter side: how far from the click colours count
CLEAREST = 4.0  # strength of an edge: stronger is not clearer
CLEARER = 0.6  # log ratio of the edges that a change makes to those within it
DISTINCT = 0.4  # likeness to what it leaves
FAINT_EDGE = 0.1  # added to strengths, so that their logarithms stay small
SMALLEST, LARGEST = 1e-3, 5.0  # of the mask's area: sizes beyond count as these

REFUSED = 0.01  # of the mask's area: a click that changes no more was as good as refused
MOST_CONTESTED = 0.3  # of the mask's area, by one click: a deep one may still be on something thin
LEAST_OWED, MOST_OWED = 0.02, 0.5  # of the mask's area
UNKNOWN = 0.75  # first score of a mask that came from elsewhere
BELIEF = 0.0
BELIEF_WEIGHTS = (0.257, -0.136, 0.037, -0.073, -0.042, -0.038)
RISK = -9.94
RISK_WEIGHTS = (16.96, -0.87, 3.93, -0.63, -0.32, 1.61, -4.74, -1.4, 4.4, -1.2, 0.01)
"""Of the evidence, in its order; fitted to 16,770 clicks whose gain was known. See benchmarks/RESULTS.md."""


@dataclass(frozen=True)
class History:
    """How a mask came about.

    Attributes:
        first: score of the proposal that was corrected first; None for a mask that came from elsewhere.
        followed: corrections that changed it, by more than next to nothing.
        contested: area as deep as the last click lay in what is wrong, in shares of the mask.
        owed: such area of all clicks that corrections did not change, in shares of the mask.
    """

    first: float | None = None
    followed: int = 0
    contested: float = 0.0
    owed: float = 0.0

    def after(self, contested: float, changed: float) -> "History":
        """The same and one correction more: what its click contested, and what it changed, in shares of the mask."""
        owed = float(np.clip(self.owed + min(contested, MOST_CONTESTED) - changed, 0.0, MOST_OWED))
        return replace(self, followed=self.followed + (changed > REFUSED), contested=contested, owed=owed)

    def evidence(self) -> tuple[float, ...]:
        """What it says of how good the mask is."""
        return (
            UNKNOWN if self.first is None else self.first,
            float(self.first is None),
            float(np.log1p(self.followed)),
            float(np.log(np.clip(self.owed, LEAST_OWED, MOST_OWED))),
        )


FROM_ELSEWHERE = History()


@dataclass(frozen=True, eq=False)
class Change:
    """From one mask to another.

    Attributes:
        was, now: bool (n,), the regions of the masks.
        click: it asks for the change.
    """

    regions: Regions
    was: Chosen
    now: Chosen
    click: Click

    @cached_property
    def size(self) -> float:
        """Area of what changes, in shares of the mask before."""
        areas = self.regions.areas
        return float(areas[self._changed].sum()) / max(float(areas[self.was].sum()), 1.0)

    def belief(self, history: History, contested: float) -> float:
        """0..1, a guess of the IoU of the mask before; this change is the widest that the click could ask for.

        Args:
            history: how that came about.
            contested: area as deep as the click, in shares of the mask before.
        """
        guess = BELIEF + float(np.dot(BELIEF_WEIGHTS, self.belief_evidence(history, contested)))
        return float(np.clip(guess, 0.05, 0.97))

    def belief_evidence(self, history: History, contested: float) -> tuple[float, ...]:
        """What speaks for the mask before and against it."""
        return (*history.evidence(), log_share(contested, 1.0), log_share(self.size, LARGEST))

    @property
    def stands_out(self) -> bool:
        """True if its outline is on far stronger edges than those within it, and what it leaves has other colours."""
        return self._edges_made - self._edges_within > CLEARER and self._likeness(not self.click[1]) < DISTINCT

    def risk(self, belief: float, *, lasts: bool) -> float:
        """0..1, how likely it is that the change costs a hundredth of IoU or more.

        Args:
            belief: how good the mask before is taken to be.
            lasts: a click of less reach asks for nearly the same.
        """
        odds = RISK + float(np.dot(RISK_WEIGHTS, self.risk_evidence(belief, lasts=lasts)))
        return float(1 / (1 + np.exp(-odds)))

    def risk_evidence(self, belief: float, *, lasts: bool) -> tuple[float, ...]:
        """What speaks against the change and for it: what there is to lose, its edges, what it joins, its colours."""
        size, include = log_share(self.size, LARGEST), float(self.click[1])
        return (
            belief,
            size,
            belief * size,
            float(lasts),
            self._edges_made,
            self._edges_within,
            self._joined,
            self._likeness(self.click[1]),
            self._likeness(not self.click[1]),
            include,
            include * size,
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


def log_share(share: float, most: float) -> float:
    """The logarithm of a share of the mask's area, neither endless nor large."""
    return float(np.log(np.clip(share, SMALLEST, most)))
