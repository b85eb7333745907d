"""What is handed to an engine is looked at first: a sentence now, rather than a failure somewhere inside later."""

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.propagator import Masks


def require_image(image: NDArray[np.uint8]) -> None:
    """Raises EngineError for what is no image with something in it, uint8 (height, width, 3), RGB."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise EngineError(f"A frame must be an array uint8 (height, width, 3), RGB, not {image.dtype} {image.shape}.")


def fitting_size(
    index: int, image: NDArray[np.uint8], masks: Masks, known: tuple[int, int] | None = None
) -> tuple[int, int]:
    """(height, width) of a frame, which is as the contract has it, and so are its masks.

    Args:
        index: the frame's, for people.
        image, masks: as in `KeyFrame`.
        known: (height, width) of the frames before it, if there were any.

    Raises:
        EngineError: an array of another kind, or of another size than the frames before or than its image.
    """
    require_image(image)
    height, width = image.shape[:2]
    if known is not None and known != (height, width):
        raise EngineError(
            f"Frame {index} is {width} x {height} pixels, the ones before it {known[1]} x {known[0]}: masks can be "
            "carried only between frames of one size."
        )
    for object_id, mask in masks.items():
        if mask.dtype != np.bool_ or mask.ndim != 2:
            raise EngineError(
                f"The mask of object {object_id} in frame {index} must be an array bool (height, width), not "
                f"{mask.dtype} {mask.shape}."
            )
        if mask.shape != (height, width):
            raise EngineError(
                f"The mask of object {object_id} in frame {index} is {mask.shape[1]} x {mask.shape[0]} pixels, its "
                f"image {width} x {height}: check the annotation of that frame."
            )
    return height, width
