"""Finding an object again that was lost or hidden: its last good shape, laid where the global model sees it best."""

from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.flow import FAR, Floats

RING_SHARE: Final = 0.5
DISTANCE_PRICE: Final = 0.01
PATIENCE: Final = 0.1
"""How much cheaper distance becomes with each frame that the object is lost."""

LEAST_MATCH: Final = 0.6
CAUTION: Final = 0.5
"""A shape that was found again is only half as sure as one that was carried along."""


@dataclass(frozen=True, eq=False)
class LastSeen:
    """The object where it was last followed with confidence.

    Attributes:
        distance: float32 (height, width), signed distance of its mask at working size.
    """

    distance: Floats

    def find(self, log_odds: Floats, step: int, frames_lost: int) -> Floats | None:
        """The signed distance of the shape where it fits best now, or None if it fits nowhere.

        Args:
            log_odds: float32 (rows, columns), what the global model says of each so manieth pixel of the present frame.
            step: 1 for every pixel, which small objects need, or GLOBAL_STEP.
            frames_lost: frames since the object was last seen; the longer, the farther it may be.
        """
        start = step // 2
        shape = self.distance[start::step, start::step] > 0
        if not shape.any():
            return None
        rows, columns = np.flatnonzero(shape.any(axis=1)), np.flatnonzero(shape.any(axis=0))
        template = np.pad(shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 2).astype(np.uint8)
        centre = rows[0] - 2 + template.shape[0] // 2, columns[0] - 2 + template.shape[1] // 2
        match = cv2.filter2D(log_odds, cv2.CV_32F, _kernel(template), borderType=cv2.BORDER_CONSTANT)
        down, right = np.ogrid[: match.shape[0], : match.shape[1]]
        away = step * np.hypot(down - centre[0], right - centre[1])
        match = match - DISTANCE_PRICE * away / (1 + PATIENCE * frames_lost)
        best = np.unravel_index(int(match.argmax()), match.shape)
        if match[best] <= LEAST_MATCH:
            return None
        return self._moved((int(best[0]) - int(centre[0])) * step, (int(best[1]) - int(centre[1])) * step)

    def _moved(self, rows: int, columns: int) -> Floats:
        height, width = self.distance.shape
        shift = np.array([[1, 0, columns], [0, 1, rows]], np.float32)
        moved = cv2.warpAffine(self.distance, shift, (width, height), borderValue=-FAR)
        return cast(Floats, moved) * np.float32(CAUTION)


def _kernel(template: NDArray[np.uint8]) -> Floats:
    """Mean inside the shape less half the mean in a ring around it."""
    ring = cv2.dilate(template, np.ones((5, 5), np.uint8)) - template
    return np.asarray(template / template.sum() - RING_SHARE * ring / max(1, int(ring.sum())), np.float32)
