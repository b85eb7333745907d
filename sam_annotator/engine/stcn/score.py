"""How sure an answer is, from what the network gave and how the mask changed: low where it may have drifted."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, everybody's name for it

from sam_annotator.engine.drift import motion_factor, steadiness

FAINT = 0.1
"""Shares below this are nowhere near a decision, however many pixels have them."""

BAND = 4
"""Pixels on each side of a mask's edge in which an edge lies: the network decides for every fourth pixel."""

USUAL_ENTROPY = 0.5
"""Bits a pixel in the band around an edge that is drawn as finely as the network can: shares that go from one side to
the other within BAND."""


@dataclass(frozen=True)
class Signs:
    """What speaks against a mask, each 0..1, 1: nothing.

    Attributes:
        certainty: how far the pixels are from being undecided; see `certainty`.
        edge: how sharply the edge is drawn; see `edge_sharpness`.
        area: whether the area is about what it was; see `drift.steadiness`.
        motion: whether the mask went where the picture went; see `drift.motion_factor`.
    """

    certainty: float
    edge: float
    area: float
    motion: float

    @property
    def score(self) -> float:
        """All together, 0..1."""
        return min(1.0, max(0.0, self.certainty * self.edge * self.area * self.motion))


def find_signs(shares: Tensor, place: int, mask: Tensor, before: float | None, agreed: float | None) -> Signs:
    """What speaks against an answer.

    Args:
        shares: float32 (planes, height, width), which sum up to one.
        place: the object's plane.
        mask: bool (height, width), where its share is the largest.
        before: its area in the frame before, in pixels; None: it was not answered for there.
        agreed: its agreement with the mask before (`drift.agreement`); None likewise.
    """
    rows, columns = _surroundings(mask, shares[place] > FAINT)
    crop, inside = shares[:, rows, columns], mask[rows, columns]
    return Signs(
        certainty(crop, place, inside),
        edge_sharpness(crop[place], inside),
        1.0 if before is None else steadiness(float(inside.sum()), before),
        1.0 if agreed is None else motion_factor(agreed),
    )


def certainty(shares: Tensor, place: int, mask: Tensor) -> float:
    """0..1: how far the pixels are from being undecided.

    The overlap (intersection over union) of the object's share with the mask that was made of it, where a pixel of the
    mask counts by its margin to whoever comes next; of an object that is not there, how little of it is anywhere.
    Arguments: see `find_signs`.
    """
    share = shares[place]
    if not bool(mask.any()):
        return 1.0 - float(share.max()) if share.numel() else 1.0
    others = [*range(place), *range(place + 1, len(shares))]
    margins = share[mask] - shares[others][:, mask].amax(0)
    inside = (1 + margins).sum() / 2
    outside = share[~mask & (share > FAINT)].sum()
    return float(inside / (mask.sum() + outside))


def edge_sharpness(share: Tensor, mask: Tensor) -> float:
    """0.5..1: 1 where the share changes at the mask's edge at once, 0.5 where it is undecided all around.

    From the mean entropy in a band around the edge. Arguments: planes of the object; see `find_signs`.
    """
    if not bool(mask.any()):
        return 1.0
    band = _grown(mask) & _grown(~mask)
    if not bool(band.any()):  # it covers everything
        return 1.0
    chance = share[band].clamp(1e-6, 1 - 1e-6)
    entropy = float(F.binary_cross_entropy(chance, chance)) / 0.6931472  # of a share with itself; in bits
    return 1.0 - 0.5 * max(0.0, entropy - USUAL_ENTROPY) / (1 - USUAL_ENTROPY)


def _grown(mask: Tensor) -> Tensor:
    """The mask with all pixels up to BAND away from it, along rows and columns."""
    plane = mask[None, None].float()
    plane = F.max_pool2d(plane, (2 * BAND + 1, 1), stride=1, padding=(BAND, 0))
    return F.max_pool2d(plane, (1, 2 * BAND + 1), stride=1, padding=(0, BAND))[0, 0] > 0


def _surroundings(mask: Tensor, faint: Tensor) -> tuple[slice, slice]:
    """The rows and columns where anything of the object is, and the band around it."""
    anything = mask | faint
    slices = []
    for along in (1, 0):
        where = torch.nonzero(anything.any(along))
        first, last = (int(where[0]), int(where[-1])) if len(where) else (0, -1)
        slices.append(slice(max(0, first - BAND), last + BAND + 1) if len(where) else slice(0, 0))
    return slices[0], slices[1]
