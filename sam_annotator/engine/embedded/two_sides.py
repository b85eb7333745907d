"""A frame between two key frames is reached from both: what the way back from the later one found, and the fusing.

Both sides are heard before the contour is drawn: log odds are averaged, each side's the more the nearer its key frame
is and the surer it is of its own mask, so that a side which has lost the object leaves the word to the other.
"""

from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.contour import NEVER
from sam_annotator.engine.embedded.flow import Floats, Mask
from sam_annotator.engine.embedded.memory import Followed
from sam_annotator.engine.embedded.prediction import Prediction, overlap

LIMIT: Final = 4.0
"""Log odds beyond which a side is sure either way: none outweighs the other by being surer than sure of 'nothing'."""

LEVELS: Final = 16
"""Log odds are kept in so many steps either way, a quarter each."""

REMOTENESS: Final = 1.5
"""Errors gather on the way: a side that is twice as far from its key frame is worth less than half as much."""

LEAST_SCORE: Final = 0.05
"""So little is a side worth that agrees with itself nowhere."""

DOUBT: Final = 0.3
"""What a side is worth that had lost the object, of one that had not: it may have found something else again."""


@dataclass(frozen=True, eq=False)
class Reached:
    """What the way back found of one object in one frame, packed: 2 to 15 kB.

    Attributes:
        score: 0..1, how sure it is of its own mask.
        weight: what its word is worth.
        is_doubtful: it had lost the object, see Followed.
    """

    score: float
    weight: float
    is_doubtful: bool
    _odds: NDArray[np.uint8]
    _corner: tuple[int, int]
    _size: tuple[int, int]

    @classmethod
    def of(cls, prediction: Prediction, mask: Mask, followed: Followed, index: int) -> "Reached":
        """From what was predicted in a frame on the way back, and the mask that was drawn then."""
        possible = prediction.odds > -LIMIT
        rows, columns = np.flatnonzero(possible.any(axis=1)), np.flatnonzero(possible.any(axis=0))
        top, left = (int(rows[0]), int(columns[0])) if rows.size else (0, 0)
        inner = prediction.odds[top : rows[-1] + 1, left : columns[-1] + 1] if rows.size else prediction.odds[:1, :1]
        levels = np.rint(np.clip(inner / LIMIT, -1, 1) * LEVELS) + LEVELS
        packed = cv2.imencode(".png", levels.astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        score = prediction.score(mask)
        return cls(score, _weight(score, followed, index), followed.is_doubtful, packed, (top, left), mask.shape)

    def odds(self) -> Floats:
        """Log odds of the object at each pixel, float32 (height, width), within +-LIMIT."""
        levels = cast(NDArray[np.uint8], cv2.imdecode(self._odds, cv2.IMREAD_GRAYSCALE))
        odds = np.full(self._size, -LIMIT, np.float32)
        top, left = self._corner
        inner = odds[top : top + levels.shape[0], left : left + levels.shape[1]]
        inner[:] = (levels.astype(np.float32) - LEVELS) * np.float32(LIMIT / LEVELS)
        return odds


@dataclass(frozen=True, eq=False, kw_only=True)
class Fused(Prediction):
    """One object in the present frame, both sides heard.

    Attributes:
        other_side: bool (height, width), the mask as the way back alone has it.
        other_score: 0..1, how sure that is of it.
    """

    other_side: Mask
    other_score: float

    def score(self, mask: Mask) -> float:
        """0..1: how far that side agrees with the mask that was drawn which does so more; see Prediction."""
        return max(super().score(mask), self.other_score * overlap(mask, self.other_side))


def fuse(prediction: Prediction, followed: Followed, index: int, reached: Reached) -> Fused:
    """The prediction of a frame with what the way back knows of it.

    Args:
        prediction, followed: of the side that the run comes from; where it takes the other's word, its doubt too.
        index: of the frame.
        reached: what was found from the other side.
    """
    own, other = np.clip(prediction.odds, -LIMIT, LIMIT), reached.odds()
    share = reached.weight / (reached.weight + _weight(prediction.score(own > 0), followed, index))
    followed.is_doubtful |= reached.is_doubtful and share > 0.5
    if followed.strangers is not None and not reached.is_doubtful:
        followed.strangers = followed.strangers.without(other > 0)
    odds = own + np.float32(share) * (other - own)
    odds[odds <= -LIMIT] = NEVER
    told = {**vars(prediction), "odds": odds, "found_again": prediction.found_again and share < 0.5}
    return Fused(**told, other_side=other > 0, other_score=reached.score)


def _weight(score: float, followed: Followed, index: int) -> float:
    """What the word of a side is worth in a frame, given how sure it is of its own mask (0..1)."""
    steps = float(max(1, abs(followed.true_index - index)))
    return float((LEAST_SCORE + score) ** 2 * (DOUBT if followed.is_doubtful else 1) / steps**REMOTENESS)
