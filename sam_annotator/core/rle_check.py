"""Many run-length masks of one size measured at once, without decoding them: for reading a dataset back.

One by one, NumPy's calls would cost more than the numbers; here all masks of an object share them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_Numbers = NDArray[np.int64]

_LONGEST_COUNT = 7


def measure_rles(counts: Sequence[str | Sequence[int]], height: int, width: int) -> tuple[_Numbers, _Numbers]:
    """Areas, int64 (n,), and boxes (x, y, width, height), int64 (n, 4), of n masks that are not empty.

    Args:
        counts: COCO's run lengths of each mask, all compressed (text) or all lists.

    Raises:
        ValueError: runs that do not fill the image, or are none; the sentence begins with the mask's place in `counts`.
    """
    if not counts:
        return np.zeros(0, np.int64), np.zeros((0, 4), np.int64)
    if not all(counts):
        raise ValueError(f"{[bool(runs) for runs in counts].index(False)}: there are no runs")
    values, first = _parsed([text for text in counts if isinstance(text, str)], len(counts))
    if values is None:
        first = np.cumsum([0, *map(len, counts[:-1])])
        values = np.array([number for runs in counts for number in runs], np.int64)
    _check(values, first, height * width)
    lengths = np.diff(first, append=len(values))
    inside = (np.arange(len(values)) - np.repeat(first, lengths)) % 2 == 1
    ends = np.cumsum(values)
    ends -= np.repeat(ends[first] - values[first], lengths)
    areas = np.add.reduceat(np.where(inside, values, 0), first)
    if np.any(areas < 1):
        raise ValueError(f"{int(np.argmax(areas < 1))}: the mask is empty")
    keep = inside & (values > 0)
    groups = np.repeat(np.arange(len(first)), lengths)[keep]
    return areas, _boxes((ends - values)[keep], ends[keep] - 1, np.searchsorted(groups, np.arange(len(first))), height)


def _boxes(starts: _Numbers, lasts: _Numbers, first: _Numbers, height: int) -> _Numbers:
    """The boxes around groups of runs, each from its first pixel to its last, counted down the columns."""
    left = np.minimum.reduceat(starts // height, first)
    right = np.maximum.reduceat(lasts // height, first)
    goes_on = starts // height != lasts // height  # over the foot of a column: from the head of the next
    top = np.minimum.reduceat(np.where(goes_on, 0, starts % height), first)
    bottom = np.maximum.reduceat(np.where(goes_on, height - 1, lasts % height), first)
    return np.stack([left, top, right - left + 1, bottom - top + 1], axis=1)


def _check(values: _Numbers, first: _Numbers, pixels: int) -> None:
    wrong = np.minimum.reduceat(values, first) < 0
    sums = np.add.reduceat(values, first)
    wrong |= sums != pixels
    if wrong.any():
        index = int(np.argmax(wrong))
        raise ValueError(f"{index}: the runs add up to {sums[index]} pixels of {pixels}, or one is negative")


def _parsed(texts: Sequence[str], expected: int) -> tuple[_Numbers | None, _Numbers]:
    """All numbers of compressed counts, and where those of each text begin; None where `counts` are no texts."""
    if len(texts) != expected:
        return None, np.zeros(0, np.int64)
    codes = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8).astype(np.int64) - ord("0")
    text_ends = np.cumsum([len(text) for text in texts])
    if np.any((codes < 0) | (codes > 63)) or np.any(codes[text_ends - 1] & 0x20):
        raise ValueError("0: the counts are cut off or hold foreign characters")
    ends = np.flatnonzero(codes & 0x20 == 0)
    begins = np.concatenate([[0], ends[:-1] + 1])
    digits = ends - begins + 1
    if digits.max() > _LONGEST_COUNT:
        raise ValueError("0: the counts hold a number that is too large")
    shifts = 5 * (np.arange(len(codes)) - np.repeat(begins, digits))
    values = np.add.reduceat((codes & 0x1F) << shifts, begins)
    values -= np.where(codes[ends] & 0x10, np.int64(1) << (5 * digits), 0)
    first = np.searchsorted(begins, np.concatenate([[0], text_ends[:-1]]))
    return _undo_differences(values, first), first


def _undo_differences(values: _Numbers, first: _Numbers) -> _Numbers:
    """From the third on, each number says how much it is more than the last but one, anew in each text."""
    lengths = np.diff(first, append=len(values))
    place = np.arange(len(values)) - np.repeat(first, lengths)
    for chosen in (place % 2 == 1, (place % 2 == 0) & (place > 0)):
        sums = np.cumsum(np.where(chosen, values, 0))
        before = np.repeat(sums[first] - np.where(chosen[first], values[first], 0), lengths)
        values = np.where(chosen, sums - before, values)
    return values
