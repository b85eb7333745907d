"""What a person asks of a segmenter, and what it answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prompt:
    """Clicks and a box on one image.

    Attributes:
        points: (x, y) in pixels of the image, x to the right, y down.
        includes: one flag per point: True 'this belongs to the object', False 'this does not'.
        box: (left, top, right, bottom) in pixels, or None.
    """

    points: tuple[tuple[float, float], ...] = ()
    includes: tuple[bool, ...] = ()
    box: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        if len(self.points) != len(self.includes):
            raise ValueError("a prompt needs one include flag per point")

    @property
    def is_empty(self) -> bool:
        """True if there is nothing to segment by: no include point and no box."""
        return self.box is None and not any(self.includes)


@dataclass(frozen=True, eq=False)
class Proposal:
    """One mask that a segmenter offers for a prompt.

    Attributes:
        mask: bool (height, width) of the image.
        score: 0..1, the segmenter's own estimate of the mask's IoU.
        state: what the segmenter wants back when this proposal is refined (SAM: low-resolution logits,
            float32 (256, 256)). None for a mask that came from elsewhere, such as a saved shape.
    """

    mask: NDArray[np.bool_]
    score: float
    state: Any = None
