"""How rough and which way striped a frame's surfaces are: what tells fur from grass where their colours are alike.

All on the global model's grid of samples; lengths are working pixels, but for the finest grain, which is only in the
frame at twice the working size.
"""

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.flow import Floats

BLUR_BETWEEN: Final = 1.73
"""Makes a blur of one pixel one of two: roughness is told apart between widths of 0, 1, 2 and 4 finer pixels."""

GRAIN_BLURS: Final = (0.75, 1.5)
STRIPE_BLUR: Final = 1.5
"""How far textures are averaged, in steps of the grid."""

GRAIN_WEIGHT: Final = 3.0
STRIPE_WEIGHT: Final = 4.0
DIRECTIONS: Final = 6


def find_grain(grey: NDArray[np.uint8], grid: tuple[int, int]) -> Floats:
    """float32 (rows, columns, 3): mean strength of the detail between the scales, finest first.

    Args:
        grey: uint8 (height, width), up to twice the working size.
        grid: rows and columns.
    """
    finer, bands = grey.astype(np.float32) * np.float32(70 / 255), []
    for sigma in (1.0, BLUR_BETWEEN):
        coarser = _blurred(finer, sigma)
        bands.append(_pooled(np.abs(finer - coarser), grid))
        finer = coarser
    half = cast(Floats, cv2.resize(finer, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    bands.append(_pooled(np.abs(half - _blurred(half, BLUR_BETWEEN)), grid))
    return np.dstack(bands)


def find_stripes(along: Floats, down: Floats, grid: tuple[int, int]) -> Floats:
    """float32 (rows, columns, DIRECTIONS): strength of the gradients by direction, as HOG has it (Dalal, Triggs 2005).

    Args:
        along, down: float32 (height, width), the lightness's gradient.
        grid: rows and columns.
    """
    strength, angle = cv2.cartToPolar(along, down)
    angle = np.mod(angle * np.float32(DIRECTIONS / np.pi), np.float32(DIRECTIONS))
    stripes = []
    for direction in range(DIRECTIONS):
        away = np.abs(angle - direction)
        share = np.maximum(1 - np.minimum(away, DIRECTIONS - away), 0)
        stripes.append(_pooled(strength * share, grid))
    return np.dstack(stripes)


def describe_texture(grain: Floats, stripes: Floats) -> list[Floats]:
    """What the global model compares of both: planes float32 (rows, columns, k), in units of its colours."""
    grains = [_blurred(grain, blur) * np.float32(GRAIN_WEIGHT) for blur in GRAIN_BLURS]
    blurred = [_blurred(part, STRIPE_BLUR) for part in (stripes[..., :3], stripes[..., 3:])]
    return [*grains, *(part * np.float32(STRIPE_WEIGHT) for part in blurred)]


def _blurred(plane: Floats, sigma: float) -> Floats:
    return cast(Floats, cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _pooled(plane: Floats, grid: tuple[int, int]) -> Floats:
    return cast(Floats, cv2.resize(plane, (grid[1], grid[0]), interpolation=cv2.INTER_AREA))
