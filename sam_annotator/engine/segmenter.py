"""The segmenter contract: slow `set_image` once, fast `predict` many times."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.prompt import Prompt, Proposal


class Segmenter(Protocol):
    """Turns prompts on one image into masks. Not thread-safe: the engine thread owns it.

    Attributes:
        name: for people, with model and device: `SAM vit_b, cuda float16` or `embedded, cpu`.
    """

    name: str

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Prepare an image: uint8 (height, width, 3), RGB. Replaces the one before.

        Raises:
            EngineError: the model failed; the segmenter can be used again.
        """

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        """Masks for a prompt, at least one.

        Without `previous`: three proposals (part, middle, whole where the model tells them apart), in the
        order in which they should be offered; the first is shown at once. With `previous` (the proposal
        the person chose, or a saved mask being taken up again): refinements of it, best first.

        Raises:
            EngineError: no image was set, the prompt is empty and there is no `previous`, or the model failed.
        """
