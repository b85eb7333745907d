"""How far a new click changes a mask: a click lies in the middle of what is wrong.

So what is wrong reaches about as far as the mask's edge, or the nearest other colour, is away from the click, and is
nowhere much thicker than there: a click on a leg may find all of the leg, and not the wall behind it. Its colours are
learnt nearby: what far parts of the mask look like says little about what is wrong here. And the more it changes, the
surer it has to be.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from sam_annotator.engine.embedded.cut import Chosen
from sam_annotator.engine.embedded.masks import bounds, padded
from sam_annotator.engine.embedded.regions import Floats, Regions
from sam_annotator.engine.embedded.trust import FROM_ELSEWHERE, Change, Click, History

MOST_FADE = 0.25  # of the working image's shorter side: how far a click loosens the mask before, at most
LEAST_FADE = 0.1  # of MOST_FADE
FADE = 3.0  # times the distance from the click to the mask's edge
FARTHEST = 2.0  # times its reach: beyond, a click changes nothing
THICKER = 1.25  # times as deep as the click, which hardly hits the middle: what changes may be, and a little more
A_LITTLE = 2.0  # working pixels
FAINT = 0.05  # how much what is far away counts when colours are learnt
UNLIKE = 24.0  # Lab distance from the clicked colour to another one
LIKE = 3.5  # times the distance from an include click to the nearest other colour: how deep it lies at most
SHARES = (1.0, 0.5, 0.25, 0.16, 0.1)  # of its reach, tried one after the other until the change is safe
SMALL = 2.0  # times the mean area of regions
LITTLE = 0.03  # of the mask's area: a change by this much cannot cost more IoU, were it all wrong
SAME = 1.15  # times the area that changes within the next smaller share of the reach: what changes does not hang on it
MOST_TAKEN = 0.1  # of the mask's area, by an exclude click whose reach decides how much: all of it could be wrong
MOST_ADDED = 0.5  # the same by an include click, of what is contested if that is more: what is wrong costs less
MOST_RISK = 0.008  # of costing IoU
NO_RISK = 0.0005


@dataclass(frozen=True, eq=False)
class Reach:
    """The reach of clicks that the mask before does not answer.

    Attributes:
        was: bool (n,), the regions of the mask before.
        clicks: (x, y) in working pixels, and whether it includes.
        history: how the mask before came about.
    """

    regions: Regions
    was: Chosen
    clicks: Sequence[Click]
    history: History = FROM_ELSEWHERE

    def firmness(self, share: float) -> Floats:
        """How firmly the mask before stands, (n,): 1, but less near the clicks, within a share of their reach."""
        firm = np.ones(len(self.regions), np.float32)
        for away in self._remoteness(share):
            firm *= 1 - np.exp(-0.5 * away**2)
        return firm

    def context(self) -> Floats:
        """How much each region counts when colours are learnt, (n,): all beside a click, little beyond its reach."""
        counts = np.full(len(self.regions), FAINT, np.float32)
        for away in self._remoteness(1.0):
            counts = np.maximum(counts, np.exp(-0.5 * away**2))
        return counts

    def near(self, share: float) -> Chosen:
        """The regions that the clicks may change, bool (n,)."""
        near: Chosen = np.min(self._remoteness(share), axis=0, initial=FARTHEST + 1) <= FARTHEST
        return near

    def surest(self, answers: Iterable[Chosen]) -> Chosen:
        """The first of the answers, from far to near, that changes little or is safe.

        Where that changes even less, a little of the next farther one is made: no click does next to nothing.
        """
        remaining = iter(answers)
        result = widest = next(remaining)
        refused = None
        while not self._is_little(result):
            closer = next(remaining, None)
            if self._is_safe(result, result if closer is None else closer, widest):
                return result
            refused = result
            if closer is None:
                break
            result = closer
        if refused is None:
            return result
        return max(self._little_of(refused), result, key=self._changes_of_little)

    def _changes_of_little(self, now: Chosen) -> float:
        """Area of what changes, if it is little; else nothing."""
        return self._changes(now) if self._is_little(now) else 0.0

    def _little_of(self, now: Chosen) -> Chosen:
        """The part of the changes that is nearest to the clicks: no more than a little, or one small region."""
        changed = np.flatnonzero(now != self.was)
        order = changed[np.argsort(np.min(self._remoteness(1.0), axis=0)[changed], kind="stable")]
        little = np.cumsum(self.regions.areas[order]) <= LITTLE * self._size
        little[:1] |= self.regions.areas[order[:1]] <= SMALL * self.regions.areas.mean()
        result = self.was.copy()
        result[order[little]] = now[order[little]]
        return result

    def _is_little(self, now: Chosen) -> bool:
        """True if what changes could cost next to nothing, were it all wrong."""
        return self._changes(now) <= LITTLE * self._size

    def _is_safe(self, now: Chosen, closer: Chosen, widest: Chosen) -> bool:
        """True if what changes most likely costs nothing; never of clicks of both kinds at once."""
        click = self._asking
        if click is None:
            return False
        belief = Change(self.regions, self.was, widest, click).belief(self.history, self.contested)
        change = Change(self.regions, self.was, now, click)
        lasts = self._changes(now) <= SAME * self._changes(closer)
        if self.is_too_thick(now):
            return False
        if lasts and change.stands_out:
            return True
        little_enough = lasts or change.size <= self._most(include=click[1])
        return change.risk(belief, lasts=lasts) < (MOST_RISK if little_enough else NO_RISK)

    def _most(self, *, include: bool) -> float:
        """What may change at most, in shares of the mask, where the reach decides how much and there is some risk."""
        return MOST_ADDED * max(self.contested, 1.0) if include else MOST_TAKEN

    @cached_property
    def _asking(self) -> Click | None:
        """The last of the clicks that ask for a change, if all of them are of one kind."""
        asking = [click for click in self.clicks if self._depth(click) > 0]
        return asking[-1] if len({include for _, include in asking}) == 1 else None

    @property
    def contested(self) -> float:
        """Area as deep as the deepest of the clicks, in shares of the mask."""
        return math.pi * self._deepest**2 / max(self._size, 1.0)

    @cached_property
    def _size(self) -> float:
        """Area of the mask before, working pixels."""
        return float(self.regions.areas[self.was].sum())

    def _changes(self, now: Chosen) -> float:
        """Area of what changes, working pixels."""
        return float(self.regions.areas[now != self.was].sum())

    def is_too_thick(self, now: Chosen) -> bool:
        """True if what changes is somewhere much deeper than the deepest of the clicks lay."""
        return self._thickness(now) > self._deepest * THICKER + A_LITTLE

    def _thickness(self, now: Chosen) -> float:
        """How deep what changes is at its deepest place, working pixels."""
        changed = (now != self.was)[self.regions.labels]
        return float(cv2.distanceTransform(padded(changed[bounds(changed)]), cv2.DIST_L2, cv2.DIST_MASK_3).max())

    @cached_property
    def _deepest(self) -> float:
        return max(map(self._depth, self.clicks), default=0.0)

    def _depth(self, click: Click) -> float:
        """Working pixels from a click to the edge of the mask before; 0 where it agrees with the mask.

        An include click can be far from the mask and still on something thin: other colours are then near.
        """
        (x, y), include = click
        wrong = (self.was[self.regions.labels] != include).astype(np.uint8)
        height, width = wrong.shape
        distances = cv2.distanceTransform(wrong, cv2.DIST_L2, cv2.DIST_MASK_3)
        row, column = min(int(y), height - 1), min(int(x), width - 1)
        depth = float(distances[row, column])
        return min(depth, LIKE * self._to_other_colour(row, column)) if include else depth

    def _to_other_colour(self, row: int, column: int) -> float:
        """Working pixels from a pixel to the nearest region of another colour."""
        colours = self.regions.colours
        unlike = np.linalg.norm(colours - colours[self.regions.labels[row, column]], axis=1) > UNLIKE
        away = np.linalg.norm(self.regions.centres[unlike] - np.array((column, row), np.float32), axis=1)
        return float(away.min(initial=max(self.regions.labels.shape)))

    def _remoteness(self, share: float) -> list[Floats]:
        """For each click: the regions' distances in units of a share of its reach, (n,)."""
        most = float(MOST_FADE * min(self.regions.labels.shape))
        result = []
        for point, include in self.clicks:
            distances = np.linalg.norm(self.regions.centres - np.array(point, np.float32), axis=1)
            depth = distances[self.was == include].min(initial=most)
            result.append(distances / (share * np.clip(FADE * depth, LEAST_FADE * most, most)))
        return result
