"""Signs that a mask has drifted, from the masks alone and how the picture moved; for any propagator.

Each sign is a factor 0..1 of a score: 1 where nothing speaks against the mask. Where they stand was measured on videos
with known masks, whole and degraded (see `benchmarks/drift.py`).
"""

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE: Final = 160
"""Pixels of the shorter side at which motion is found: a tenth of 480p's pixels tell as much, in two milliseconds."""

SMALLEST: Final = 24
"""Pixels of the shorter side below which the search has no room; such frames count as not moved."""

USUAL: Final = 0.85
"""Agreement with the moved mask from which on nothing speaks against a mask; true masks have 0.93 in the middle, and
one in twenty less than 0.76."""

STEEPNESS: Final = 1.5
"""How fast the factor falls below: to 0.7, where a mask is doubtful, at an agreement of 0.67."""

SMALL_AREA: Final = 16.0
"""Pixels by which an area may change without a word."""

LEAST: Final = 0.1
"""The factor of a mask that disagrees altogether: the worst, but still in the order of what the model said."""


def agreement(before: Mask, now: Mask, source: Floats) -> float:
    """0..1: the overlap of a mask with the one before, moved as the picture moved.

    Args:
        before, now: bool, of any size, the same proportions.
        source: float32 (height, width, 2), where each pixel of now was before, as (x, y); masks are compared at its
            size, as the part of each pixel that they cover.
    """
    return _overlap(_cover(before, source), _cover(now, source), source)


def motion_factor(agreed: float) -> float:
    """The factor of a score for what `agreement` says."""
    return max(LEAST, min(1.0, float((agreed / USUAL) ** STEEPNESS)))


def steadiness(area: float, before: float) -> float:
    """0..1: 1 unless the area has more than doubled, or is less than half, since the frame before; in pixels."""
    smaller, larger = sorted((area, before))
    return min(1.0, 2 * (smaller + SMALL_AREA) / (larger + SMALL_AREA))


class MotionWatch:
    """Compares the masks of each frame with those of the frame before, moved by optical flow (arXiv 1603.03590).

    For each frame `look` first, then `agreement` for each object.
    """

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self.forget()

    def forget(self) -> None:
        """Begin anew: the next frame has none before it."""
        self._grey: NDArray[np.uint8] | None = None
        self._source: Floats | None = None
        self._before: dict[int, Floats] = {}
        self._covers: dict[int, Floats] = {}

    def look(self, image: NDArray[np.uint8]) -> None:
        """See the next frame: uint8 (height, width, 3), RGB, of one size until `forget`."""
        scale = min(1.0, SIDE / min(image.shape[:2]))
        width, height = (max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)  # before it is shrunk: half as much work
        grey = cast(NDArray[np.uint8], cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA))
        if self._grey is not None:  # the search first: where it fails, nothing has changed, and it may be tried again
            self._source = self._moved_from(grey, self._grey)
            self._before, self._covers = self._covers, {}
        self._grey = grey

    def agreement(self, object_id: int, mask: Mask) -> float | None:
        """See `agreement`; None where the frame before did not answer for the object. `mask` may be of any size."""
        if self._grey is None:
            return None
        self._covers[object_id] = _cover(mask, self._grey)
        before = self._before.get(object_id)
        if before is None or self._source is None:
            return None
        return _overlap(before, self._covers[object_id], self._source)

    def _moved_from(self, now: NDArray[np.uint8], before: NDArray[np.uint8]) -> Floats:
        height, width = now.shape
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        still = np.stack([columns, rows], axis=-1)
        if min(height, width) < SMALLEST:
            return still
        return cast(Floats, still + self._search.calc(now, before, None))


def _cover(mask: Mask, like: NDArray[np.generic]) -> Floats:
    """float32 at the size of `like`: the part of each pixel, 0..1, that the mask covers."""
    height, width = like.shape[:2]
    percent = mask.astype(np.uint8) * np.uint8(100)
    shrunk = cv2.resize(percent, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32) / np.float32(100)


def _overlap(before: Floats, now: Floats, source: Floats) -> float:
    moved = cv2.remap(before, source, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    either = float(np.maximum(moved, now).sum())
    return float(np.minimum(moved, now).sum()) / either if either else 1.0
