"""How sure an answer is, from what the network gave."""

from torch import Tensor

FAINT = 0.1
"""Shares below this are nowhere near a decision, however many pixels have them."""

SMALL_AREA = 16.0
"""Pixels by which an area may change without a word, at working size."""


def certainty(share: Tensor, mask: Tensor) -> float:
    """0..1: how far the object's share of each pixel is from being undecided.

    The overlap (intersection over union) of the share with the mask that was made of it; of an object that is not
    there, how little of it is anywhere.

    Args:
        share: float32 (height, width), 0..1.
        mask: bool (height, width), where the object's share is the largest.
    """
    if not bool(mask.any()):
        return 1.0 - float(share.max())
    inside = share[mask].sum()
    outside = share[~mask & (share > FAINT)].sum()
    return float(inside / (mask.sum() + outside))


def steadiness(area: float, before: float) -> float:
    """0..1: 1 unless the area has more than doubled, or is less than half, since the frame before."""
    smaller, larger = sorted((area, before))
    return min(1.0, 2 * (smaller + SMALL_AREA) / (larger + SMALL_AREA))


def drift_score(share: Tensor, mask: Tensor, before: float | None) -> float:
    """The score of an answer, 0..1; low where it may have drifted.

    Args:
        share, mask: see `certainty`.
        before: the object's area in the frame before, in pixels; None: it was not answered for there.
    """
    steady = 1.0 if before is None else steadiness(float(mask.sum()), before)
    return min(1.0, max(0.0, certainty(share, mask) * steady))
