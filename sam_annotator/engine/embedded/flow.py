"""Optical flow between two frames, and a mask carried along it as a signed distance."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORK_AREA: Final = 427 * 240
"""Pixels at which masks are worked out: half of 480p. Bigger images are shrunk to it, smaller ones kept."""

SMALLEST_SIDE: Final = 24
"""Pixels; the flow's coarsest pyramid level and the features need some room."""

FAR: Final = 200.0
"""Signed distances are clipped here, working pixels; it stands for 'nowhere' where a mask is empty."""

FLOW_TOLERANCE: Final = 2.0
"""Disagreement of forward and backward flow, working pixels, at which trust in it has fallen to 1/e."""


def bounded_size(height: int, width: int, area: int) -> tuple[int, int]:
    """(height, width) of about `area` pixels in the same proportions; no bigger than given but for tiny images."""
    scale = min(1.0, math.sqrt(area / (height * width)))
    return max(SMALLEST_SIDE, round(height * scale)), max(SMALLEST_SIDE, round(width * scale))


def resize(array: NDArray[np.generic], size: tuple[int, int]) -> NDArray[np.generic]:
    """An image or a field of floats at (height, width): averaged when shrunk, bilinear when enlarged."""
    if array.shape[:2] == size:
        return array
    shrinks = size[0] * size[1] < array.shape[0] * array.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(NDArray[np.generic], cv2.resize(array, (size[1], size[0]), interpolation=interpolation))


def shrink_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at (height, width); one pixel of it survives however small the mask is."""
    cover = cast(Floats, resize(mask.astype(np.float32), size))
    small = cover >= 0.5
    return small if small.any() or not mask.any() else cover >= cover.max()


def enlarge_mask(mask: Mask, size: tuple[int, int]) -> Mask:
    """The mask at (height, width), edges smoothed by bilinear interpolation."""
    if mask.shape == size:
        return mask
    return np.asarray(cast(Floats, resize(mask.astype(np.float32), size)) > 0.5)


def signed_distance(mask: Mask) -> Floats:
    """float32 (height, width): pixels to the mask's edge, positive inside, within +-FAR."""
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    distance = np.where(mask, inside - 0.5, 0.5 - outside)
    return np.asarray(np.clip(distance, -FAR, FAR), np.float32)


@dataclass(frozen=True, eq=False)
class Flow:
    """Motion between the frame before (A) and the present one (B), at working size.

    Attributes:
        source: float32 (height, width, 2), where each pixel of B was in A, as (x, y).
        target: float32 (height, width, 2), where each pixel of A is in B, as (x, y).
        trust: float32 (height, width), 0..1 for each pixel of B: how well both directions agree.
    """

    source: Floats
    target: Floats
    trust: Floats

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.trust.shape[0], self.trust.shape[1]

    def carry(self, plane: Floats) -> Floats:
        """What is known of A's pixels, a signed distance for example, as B sees it."""
        moved = cv2.remap(plane, self.source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cast(Floats, moved)


@lru_cache(maxsize=4)
def pixel_grid(size: tuple[int, int]) -> Floats:
    """float32 (height, width, 2), not to be written to: (x, y) of every pixel."""
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float32)
    grid = np.stack([columns, rows], axis=-1)
    grid.setflags(write=False)
    return grid


def spread(samples: Floats, step: int, start: int, size: tuple[int, int]) -> Floats:
    """Samples of a regular grid, interpolated to every pixel."""
    to_grid = np.array([[1 / step, 0, -start / step], [0, 1 / step, -start / step]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    spread = cv2.warpAffine(samples, to_grid, (size[1], size[0]), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cast(Floats, spread)


class FlowEstimator:
    """Dense inverse search (arXiv 1603.03590) in both directions, finer in the one that masks are carried by."""

    def __init__(self) -> None:
        self._fine, self._coarse = (cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM) for _ in range(2))
        self._fine.setFinestScale(0)
        self._fine.setVariationalRefinementIterations(2)

    def between(self, before: NDArray[np.uint8], now: NDArray[np.uint8]) -> Flow:
        """Flow from frame to frame, both uint8 (height, width), grey, at working size."""
        forward = self._coarse.calc(before, now, None)
        backward = self._fine.calc(now, before, None)
        size = now.shape[0], now.shape[1]
        pixels = pixel_grid(size)
        source = pixels + backward
        back_again = cv2.remap(forward, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        error = np.linalg.norm(backward + back_again, axis=-1)
        limits = np.array([size[1] - 1, size[0] - 1], np.float32)
        inside = ((source >= 0) & (source <= limits)).all(axis=-1)
        trust = np.exp(-np.square(error / FLOW_TOLERANCE)) * inside
        return Flow(source, pixels + forward, trust.astype(np.float32))
