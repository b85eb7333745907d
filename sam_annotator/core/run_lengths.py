"""Run lengths of masks: found one by one, then measured and put into COCO's form many at once.

For one mask, NumPy's calls would cost more than the numbers; all masks of an object share them. `rle_check` is the way
back: it measures what was written.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_Numbers = NDArray[np.int64]
Counts = str | list[int]

_PLAIN_RUNS = 3
"""So many runs at the beginning of a text stand as they are; later ones as the difference to the last but one."""


class EncodedMask(NamedTuple):
    """One mask.

    Attributes:
        counts: COCO's run lengths: outside, inside, outside, ... down the columns; as text, or as a list.
        box: (x, y, width, height) in pixels, the outermost pixels included.
        area: number of pixels.
    """

    counts: Counts
    box: tuple[int, int, int, int]
    area: int


def run_edges(crop: NDArray[np.bool_], corner: tuple[int, int], height: int) -> _Numbers:
    """Where runs of True begin and end, one after the other, counted down the columns of the whole image.

    Args:
        crop: bool (rows, columns): the part of the image around the mask.
        corner: (left, top) of the crop in the image.
        height: of the image.
    """
    if not crop.size:
        return np.zeros(0, np.int64)
    left, top = corner
    rows, columns = crop.shape[0] + 1, crop.shape[1]
    # the columns one after the other, an empty pixel after each, and one before all
    line = np.zeros(1 + columns * rows, np.bool_)
    cv2.transpose(crop.view(np.uint8), line[1:].view(np.uint8).reshape(-1, rows)[:, :-1])
    places = (line[1:] != line[:-1]).nonzero()[0]
    column = places // rows
    edges: _Numbers = places + column * (height - rows) + (left * height + top)
    if crop.shape[0] < height:
        return edges
    goes_on = edges[1:-1:2] == edges[2::2]  # a run over the foot of a column
    if not goes_on.any():
        return edges
    stays = np.ones(len(edges), np.bool_)
    stays[1:-1:2] = stays[2::2] = ~goes_on
    return np.asarray(edges[stays])


def encode_masks(edges: Sequence[_Numbers], height: int, width: int, *, compressed: bool = True) -> list[EncodedMask]:
    """Measure and encode masks of one size, none of them empty, by what `run_edges` says of each."""
    if not edges:
        return []
    joined = np.concatenate(edges)
    lengths = np.array([len(one) for one in edges])
    starts, ends = joined[::2], joined[1::2]  # each mask has as many beginnings as ends
    first = (np.cumsum(lengths) - lengths) // 2
    areas = np.add.reduceat(ends - starts, first).tolist()
    boxes = run_boxes(starts, ends - 1, first, height).tolist()
    values, begins = _run_lengths(joined, lengths, height * width)
    counts: Sequence[Counts] = _texts(values, begins) if compressed else _lists(values, begins)
    return list(map(EncodedMask, counts, map(tuple, boxes), areas))


def run_boxes(starts: _Numbers, lasts: _Numbers, first: _Numbers, height: int) -> _Numbers:
    """The boxes (x, y, width, height) around groups of runs, int64 (n, 4).

    Args:
        starts, lasts: the first and the last pixel of each run, counted down the columns; no run is empty.
        first: where in them each group begins.
    """
    columns, columns_last = starts // height, lasts // height
    rows, rows_last = starts - columns * height, lasts - columns_last * height
    left, right = np.minimum.reduceat(columns, first), np.maximum.reduceat(columns_last, first)
    goes_on = columns != columns_last  # over the foot of a column: from the head of the next
    if goes_on.any():
        rows[goes_on], rows_last[goes_on] = 0, height - 1
    top, bottom = np.minimum.reduceat(rows, first), np.maximum.reduceat(rows_last, first)
    return np.stack([left, top, right - left + 1, bottom - top + 1], axis=1)


def _run_lengths(edges: _Numbers, lengths: _Numbers, pixels: int) -> tuple[_Numbers, _Numbers]:
    """The runs of all masks, and where those of each begin. A last run of no pixels is left out."""
    ends = np.cumsum(lengths + 1)
    bounds = np.empty(ends[-1], np.int64)
    is_last = np.zeros(len(bounds), np.bool_)
    is_last[ends - 1] = True
    bounds[is_last], bounds[~is_last] = pixels, edges
    begins = ends - lengths - 1
    values = np.diff(bounds, prepend=0)
    values[begins] = bounds[begins]
    empty = values[ends - 1] == 0
    if not empty.any():
        return values, begins
    stays = np.ones(len(values), np.bool_)
    stays[ends[empty] - 1] = False
    return values[stays], begins - (np.cumsum(empty) - empty)


def _texts(values: _Numbers, begins: _Numbers) -> list[str]:
    """COCO's texts: 5 bits a character, the low ones first; a sixth says that more follow."""
    numbers = values.copy()
    numbers[2:] -= values[:-2]
    plain = (begins[:, None] + np.arange(_PLAIN_RUNS)).ravel()
    plain = plain[plain < np.append(begins[1:], len(values)).repeat(_PLAIN_RUNS)]
    numbers[plain] = values[plain]
    long = ((numbers < -16) | (numbers > 15)).nonzero()[0]  # a few; the sign needs a bit, too
    more = _digits(numbers[long])
    ends = np.ones(len(numbers), np.int64)
    ends[long] = more
    ends = ends.cumsum()
    characters = np.empty(ends[-1], np.uint8)
    characters[ends - 1] = (numbers & 31) + 48
    places = ends[long] - more
    for digit in range(int(more.max(initial=0))):
        goes_on = digit < more - 1
        characters[places + digit] = (numbers[long] >> 5 * digit & 31) + np.where(goes_on, 32 + 48, 48)
        long, more, places = long[goes_on], more[goes_on], places[goes_on]
    text = characters.tobytes().decode("ascii")
    starts = ends[begins - 1]
    starts[0] = 0
    bounds = [*starts.tolist(), len(text)]
    return [text[start:end] for start, end in pairwise(bounds)]


def _digits(numbers: _Numbers) -> _Numbers:
    """How many characters each number takes."""
    sizes = np.where(numbers < 0, ~numbers, numbers)
    digits = np.ones(len(numbers), np.int64)
    limit = 16
    while limit <= sizes.max(initial=0):
        digits += sizes >= limit
        limit <<= 5
    return digits


def _lists(values: _Numbers, begins: _Numbers) -> list[list[int]]:
    bounds = [*begins.tolist(), len(values)]
    whole: list[int] = values.tolist()
    return [whole[start:end] for start, end in pairwise(bounds)]
