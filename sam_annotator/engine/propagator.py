"""The propagator contract: one `step` per frame; whoever calls owns the loop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Masks = Mapping[int, NDArray[np.bool_]]
"""Object id -> bool (height, width). Masks of one frame do not overlap; an empty mask says 'not here'."""


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """What is known for sure in one frame of the video.

    Attributes:
        index: the frame's index in the video.
        image: uint8 (height, width, 3), RGB.
        masks: the objects that a human made or approved in this frame.
    """

    index: int
    image: NDArray[np.uint8]
    masks: Masks


@dataclass(frozen=True, eq=False)
class PropagatedMask:
    """The answer for one object in one frame.

    Attributes:
        mask: bool (height, width); all False where the object is not to be seen.
        score: 0..1, low where the mask may have drifted.
    """

    mask: NDArray[np.bool_]
    score: float


class Propagator(Protocol):
    """Carries masks from frame to frame. Not thread-safe: the engine thread owns it.

    Its memory is bounded and does not grow with the number of steps.

    Attributes:
        name: for people, with model and device: `STCN, cuda float16` or `embedded, cpu`.
    """

    name: str

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames, which stay in memory for the whole run.

        They may lie before, inside or after the range that is stepped through. Read one at a time.
        """

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run, the neighbour of the one before (forward or backward).

        Args:
            index: the frame's index in the video.
            image: uint8 (height, width, 3), RGB, of the same size in every step.
            given: masks that are true in this frame, of wanted objects (which are then taken as they are,
                and carried on from here) and of others (which only compete for pixels).
            wanted: the objects to answer for. An object that was never given in `begin` or in a step so
                far has no answer yet and is left out.

        Raises:
            EngineError: the model failed.
        """
