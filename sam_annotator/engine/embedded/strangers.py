"""What lies beside an object and does not move with it, and came in over the edge of the frame, or was left behind.

A wall of its colours, say: no key frame has seen it, colours alone would have it, and once it is in the mask every
voice learns it. That it lies apart and does not move with the object gives it away, from the first frame on; it stays
refused though it comes nearer. Or ground that was taken for the object, and stays where it is when the object goes on.
"""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from sam_annotator.engine.embedded.flow import Floats, Flow, Mask

CLEAR: Final = 1.0
"""Mean log odds of motion from which an object is known to move otherwise than the rest."""

LEAST_ALONG: Final = 0.1
"""What moves with an object has at least this share of its log odds."""

SMALL_PIECE: Final = 0.05
"""Share of the mask up to which a piece may have been left behind."""

LEFT_BEHIND: Final = 5.0
"""Mean log odds against a piece, gathered, that it takes: a foot stands still for some frames, too."""

REFUSAL: Final = 4.0
"""Log odds that are taken from what was refused before, as long as nothing tells that it moves with the object."""


@dataclass(frozen=True, eq=False)
class Strangers:
    """Of one object, since its mask was true last; both float32 (height, width), 0..1.

    Attributes:
        entered: what came in over the edge of the frame.
        refused: what was found to be none of the object.
    """

    entered: Floats
    refused: Floats

    @classmethod
    def none(cls, size: tuple[int, int]) -> "Strangers":
        """Nothing has come in yet, in a frame of this (height, width)."""
        return cls(np.zeros(size, np.float32), np.zeros(size, np.float32))

    def carried(self, flow: Flow) -> "Strangers":
        """As they lie in the next frame, with what comes in there."""
        limits = np.array([flow.size[1] - 1, flow.size[0] - 1], np.float32)
        outside = ((flow.source < 0) | (flow.source > limits)).any(axis=-1)
        entered = np.maximum(flow.carry(self.entered), outside.astype(np.float32))
        return Strangers(entered, flow.carry(self.refused) if self.refused.any() else self.refused)

    def without(self, known: Mask) -> "Strangers":
        """The same, but for what others know to be the object: bool (height, width)."""
        return Strangers(np.where(known, np.float32(0), self.entered), np.where(known, np.float32(0), self.refused))

    def log_odds(self, motion: Floats, inside: Mask) -> Floats:
        """What speaks against the object at each pixel because it was refused before: float32 (height, width), <= 0.

        Args:
            motion: float32 (height, width), gathered log odds that a pixel moves with the object.
            inside: bool (height, width), the mask as flow predicts it.
        """
        least = self._least(motion, inside & (self.entered < 0.5)) if self.refused.any() else None
        if least is None:
            return np.zeros_like(motion)
        return np.asarray(-REFUSAL * self.refused * np.clip(1 - motion / least, 0, 1), np.float32)

    def sort_out(self, mask: Mask, motion: Floats) -> tuple[Mask, "Strangers"]:
        """Refuse the pieces of a mask that came in or were left behind, and do not move with the others.

        Args:
            mask: bool (height, width).
            motion: as in `log_odds`.

        Returns:
            The mask without them; it is as it was where all its pieces are such, or the others move as the rest does.
        """
        count, pieces = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
        areas, entered, moves = (
            np.bincount(pieces.ravel(), each, count) for each in (None, self.entered.ravel(), motion.ravel())
        )
        came = entered > areas / 2
        left = (areas < SMALL_PIECE * areas[1:].sum()) & (moves < -LEFT_BEHIND * areas)
        doubted = came | left
        doubted[0] = False  # that is all around
        least = self._least(motion, mask & ~doubted[pieces]) if doubted.any() else None
        if least is None:
            return mask, self
        strange = (doubted & (moves < least * areas))[pieces]
        refused = np.maximum(self.refused, strange.astype(np.float32))
        return mask & ~strange, replace(self, refused=refused)

    def _least(self, motion: Floats, own: Mask) -> float | None:
        """The log odds of motion that tell what moves with an object; None where it moves as the rest does."""
        usual = float(motion[own].mean()) if own.any() else 0.0
        return LEAST_ALONG * usual if usual > CLEAR else None
