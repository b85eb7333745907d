"""Many run-length masks of one size measured at once, without decoding them: for reading a dataset back.

One by one, NumPy's calls would cost more than the numbers; here all masks of an object share them. With what wrote the
masks this has nothing in common but the box around a group of runs.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.run_lengths import run_boxes

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
    texts = [text for text in counts if isinstance(text, str)]
    values, first = _parsed(texts) if len(texts) == len(counts) else _joined(counts)
    ends = _checked_ends(values, first, height * width)
    place = np.arange(len(values)) - np.repeat(first, np.diff(first, append=len(values)))
    chosen = ((place & 1 == 1) & (values > 0)).nonzero()[0]
    bounds = chosen.searchsorted(np.append(first, len(values)))
    empty = bounds[1:] == bounds[:-1]
    if empty.any():
        raise ValueError(f"{int(np.argmax(empty))}: the mask is empty")
    lengths, lasts = values[chosen], ends[chosen]
    areas = np.add.reduceat(lengths, bounds[:-1])
    return areas, run_boxes(lasts - lengths, lasts - 1, bounds[:-1], height)


def _checked_ends(values: _Numbers, first: _Numbers, pixels: int) -> _Numbers:
    """Where each run ends in its image; raises ValueError where runs do not fill it."""
    ends = np.cumsum(values)
    last = np.append(first[1:], len(values)) - 1
    before = ends[first] - values[first]
    sums = ends[last] - before
    wrong = (sums != pixels) | (np.minimum.reduceat(values, first) < 0)
    if wrong.any():
        index = int(np.argmax(wrong))
        raise ValueError(f"{index}: the runs add up to {sums[index]} pixels of {pixels}, or one is negative")
    ends -= np.repeat(before, last - first + 1)
    return ends


def _joined(counts: Sequence[str | Sequence[int]]) -> tuple[_Numbers, _Numbers]:
    first = np.cumsum([0, *map(len, counts[:-1])])
    numbers = [number for runs in counts for number in runs]
    if set(map(type, numbers)) != {int}:  # NumPy would take 2.5 for 2
        foreign = [any(type(number) is not int for number in runs) for runs in counts]
        raise ValueError(f"{foreign.index(True)}: the counts hold what is no whole number")
    return np.array(numbers, np.int64), first


def _parsed(texts: Sequence[str]) -> tuple[_Numbers, _Numbers]:
    """All numbers of compressed counts, and where those of each text begin."""
    codes = np.frombuffer("".join(texts).encode("ascii", "replace"), np.uint8) - np.uint8(48)  # below '0': 208 and more
    text_ends = np.cumsum([len(text) for text in texts])
    if codes.max() > 63 or np.any(codes[text_ends - 1] & 0x20):
        raise ValueError("0: the counts are cut off or hold foreign characters")
    ends = (codes & 0x20 == 0).nonzero()[0]
    begins = np.empty_like(ends)
    begins[0], begins[1:] = 0, ends[:-1] + 1
    digits = ends - begins + 1
    if digits.max() > _LONGEST_COUNT:
        raise ValueError("0: the counts hold a number that is too large")
    values = (codes[begins] & 0x1F).astype(np.int64)
    more, digit = (digits > 1).nonzero()[0], 1
    while len(more):  # a few
        values[more] |= (codes[begins[more] + digit] & 0x1F).astype(np.int64) << (5 * digit)
        digit += 1
        more = more[digits[more] > digit]
    below = (codes[ends] & 0x10).nonzero()[0]
    values[below] -= np.int64(1) << (5 * digits[below])
    first = ends.searchsorted(np.append(0, text_ends[:-1]))
    for start, end in pairwise([*first.tolist(), len(values)]):
        # from the fourth on, each number says how much it is more than the last but one
        values[start + 1 : end : 2].cumsum(out=values[start + 1 : end : 2])
        values[start + 2 : end : 2].cumsum(out=values[start + 2 : end : 2])
    return values, first
