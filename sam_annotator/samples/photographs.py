"""The photographs that scikit-image's wheel carries, found without importing it and without a network."""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import InputError
from sam_annotator.core.images import read_image

Photograph = NDArray[np.float32]
"""float32 (height, width, 3), RGB, 0..1."""


def read_photograph(name: str) -> Photograph:
    """One of scikit-image's photographs, by file name; a grey one gets three equal channels.

    Raises:
        InputError: scikit-image is not installed, or without this picture.
        ImageError: the file is damaged.
    """
    path = _folder() / name
    if not path.is_file():
        raise InputError(
            f"{path} is missing: sample videos are made of the photographs in scikit-image's wheel. "
            "Install it again (pip install --force-reinstall scikit-image)."
        )
    return read_image(path).astype(np.float32) / np.float32(255)


def _folder() -> Path:
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise InputError("Sample videos need scikit-image's photographs. Install it (pip install scikit-image).")
    return Path(found.submodule_search_locations[0]) / "data"
