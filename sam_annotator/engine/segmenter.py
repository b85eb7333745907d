"""The segmenter contract: an image is encoded once, slowly; prompts on it are answered many times, fast."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.prompt import Prompt, Proposal


@dataclass(frozen=True, eq=False)
class Embedding:
    """What a segmenter keeps of an image, so that it need not be encoded again. Nobody changes its arrays.

    Attributes:
        image_size: (height, width) of the image.
        arrays: by name; what they mean is the segmenter's own affair. Those of floats may be kept as float16.
    """

    image_size: tuple[int, int]
    arrays: Mapping[str, NDArray[np.generic]]

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the arrays take."""
        return sum(array.nbytes for array in self.arrays.values())


class EncodingStopped(Exception):  # noqa: N818  nothing went wrong
    """An image was given up amid its encoding, for something more urgent."""


def never() -> bool:
    """Nothing is more urgent."""
    return False


class Segmenter(Protocol):
    """Turns prompts on one image into masks. Not thread-safe: the engine thread owns it.

    Attributes:
        key: what an embedding depends on besides the image (weights, preparation of the image), as a short name
            that can be one of a folder. The same on every device and in every precision, as these agree where masks
            mean something. Empty: encoding is so fast that embeddings are not worth a file.
    """

    key: str

    @property
    def name(self) -> str:
        """For people, with model and device: `SAM vit_b, cuda float16` or `embedded, cpu`. Changes with the device."""

    def encode(self, image: NDArray[np.uint8], should_stop: Callable[[], bool] = never) -> Embedding:
        """Encode an image: uint8 (height, width, 3), RGB; slow. The image that is in use stays in use.

        Args:
            should_stop: asked now and then, where encoding takes seconds, whether to give up.

        Raises:
            EncodingStopped: `should_stop` said so.
            EngineError: it is no such array, or the model failed; the segmenter can be used again.
        """

    def use(self, embedding: Embedding) -> None:
        """Answer prompts on this image from now on; takes milliseconds.

        Raises:
            EngineError: the embedding is not one of this segmenter's; then no image is in use.
        """

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """`use(encode(image))`. Where that fails, no image is in use."""

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        """Masks for a prompt, at least one.

        Without `previous`: three proposals (part, middle, whole where the model tells them apart), in the
        order in which they should be offered; the first is shown at once. With `previous` (the proposal
        the person chose, or a saved mask being taken up again): refinements of it, best first.

        Raises:
            EngineError: no image is in use, the prompt is empty and there is no `previous`, or the model failed.
        """
