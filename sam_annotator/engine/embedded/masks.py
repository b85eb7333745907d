"""Masks of the image's own size: brought to the working size and back to what was clicked."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.regions import Floats

Mask = NDArray[np.bool_]
Pixel = tuple[int, int]  # column and row
Box = tuple[float, float, float, float]  # left, top, right, bottom

LONGEST_SIDE = 864  # of the image that is worked on: 480p as it is, larger images shrunk
FOLLOWED = 0.8  # pixels: how soft an outline is that lies on an edge
FREE = 4.0  # the same of one in the midst of nothing, which would show the regions' corners
DOT = 0.03  # of the mask's area: what a dot at a click may be, or one pixel
SHORTEST_LONG_SIDE = 256  # tiny images are enlarged to this, so that they have enough regions


def at_working_size(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image at a size that bounds the work, its shape kept."""
    height, width = image.shape[:2]
    longest = max(height, width)
    target = min(max(longest, SHORTEST_LONG_SIDE), LONGEST_SIDE)
    if target == longest:
        return image
    size = (max(round(width * target / longest), 1), max(round(height * target / longest), 1))
    interpolation = cv2.INTER_AREA if target < longest else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)


def shrunk(mask: Mask, shape: tuple[int, ...]) -> Floats:
    """How much of each working pixel a mask covers, float32 of that shape."""
    return np.asarray(
        cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32
    )


def smoothed(mask: Mask, crispness: NDArray[np.uint8]) -> Floats:
    """A mask with a soft outline, float32, above 0.5 within; soft enough to lose its corners where nothing is crisp."""
    window = bounds(mask, margin=math.ceil(4 * FREE))
    whole = mask[window].astype(np.uint8) * np.uint8(255)
    followed, free = cv2.GaussianBlur(whole, (0, 0), FOLLOWED), cv2.GaussianBlur(whole, (0, 0), FREE)
    result = np.zeros(mask.shape, np.float32)
    weights = crispness[window] * np.float32(1 / 255)
    result[window] = (weights * followed + (1 - weights) * free) / np.float32(255)
    return result


def pixel_of(point: tuple[float, float], size: tuple[int, int]) -> Pixel:
    """The pixel of a click; one beyond the image counts at its border."""
    return min(max(int(point[0]), 0), size[1] - 1), min(max(int(point[1]), 0), size[0] - 1)


def box_within(box: Box, size: tuple[int, int], clicks: list[Pixel]) -> Box:
    """A box from whichever corner it was drawn, within the image, grown to hold include clicks, a pixel at least."""
    left, right = sorted((min(max(box[0], 0.0), size[1] - 1.0), min(max(box[2], 1.0), float(size[1]))))
    top, bottom = sorted((min(max(box[1], 0.0), size[0] - 1.0), min(max(box[3], 1.0), float(size[0]))))
    columns, rows = [x for x, _ in clicks], [y for _, y in clicks]
    left, top = min([left, *columns]), min([top, *rows])
    return left, top, max([right, left + 1, *(x + 1 for x in columns)]), max([bottom, top + 1, *(y + 1 for y in rows)])


def filled(mask: Mask, share: float, *, keep_out: list[Pixel], beside: Mask | None = None) -> Mask:
    """The mask with holes filled that are smaller than a share of it, hold no exclude click, and touch `beside`."""
    window = bounds(mask, margin=1)
    within = mask[window]
    count, labels, stats, _ = cv2.connectedComponentsWithStats((~within).astype(np.uint8), connectivity=4)
    fill = stats[:, cv2.CC_STAT_AREA] < share * np.count_nonzero(within)
    if beside is not None:
        fill &= touched(labels, count, beside[window])
    fill[0] = False
    fill[_going_on(labels, window, mask.shape)] = False
    clicked = np.zeros_like(mask)
    for x, y in keep_out:
        clicked[y, x] = True
    fill[labels[clicked[window]]] = False
    result = mask.copy()
    result[window] |= fill[labels]
    return result


def bounds(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """The rows and columns that hold a mask, with a margin, within the image; empty ones for an empty mask."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)


def padded(mask: Mask) -> NDArray[np.uint8]:
    """A mask with a rim of nothing around it, uint8."""
    return np.pad(mask, 1).astype(np.uint8)


def _going_on(labels: NDArray[np.int32], window: tuple[slice, slice], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """The labels that may go on beyond a window of an image of this shape."""
    sides = ((labels[0], window[0].start > 0), (labels[-1], window[0].stop < shape[0]))
    ends = ((labels[:, 0], window[1].start > 0), (labels[:, -1], window[1].stop < shape[1]))
    return np.concatenate([np.zeros(0, np.int32), *(edge for edge, inner in (*sides, *ends) if inner)])


def touched(labels: NDArray[np.int32], count: int, pixels: Mask) -> Mask:
    """Which of the labels touch some of the pixels, bool (count,)."""
    x, y, width, height = cv2.boundingRect(pixels.astype(np.uint8))
    window = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    around = cv2.dilate(pixels[window].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    result = np.zeros(count, np.bool_)
    result[labels[window][around]] = True
    return result


def obeyed(mask: Mask, clicks: dict[Pixel, bool], size: tuple[int, int]) -> None:
    """Put right, in place, what no cut of whole regions could: a dot, small to the mask, at a click not obeyed."""
    most = math.sqrt(DOT * np.count_nonzero(mask))
    radius = min(max(1, round(max(size) / LONGEST_SIDE)), int(max(most - 1, 0) / 2))
    for (x, y), include in clicks.items():
        if mask[y, x] != include:
            window = np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            mask[window] = include
    for (x, y), include in clicks.items():
        mask[y, x] = include
