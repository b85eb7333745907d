"""How rough and which way striped a frame's surfaces are: what tells fur from grass where their colours are alike.

All on the global model's grid of samples; lengths are working pixels, but for the finest grain, which is only in the
frame at twice the working size.
"""

from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.flow import Floats

GRAIN_SCALES: Final = (1.0, 2.0, 4.0)
"""Widths, in pixels of the finer frame, between which roughness is told apart."""

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
    seen = 0.0
    for scale in GRAIN_SCALES:
        coarser = _blurred(finer, float(np.sqrt(scale**2 - seen**2)))
        bands.append(_pooled(np.abs(finer - coarser), grid))
        finer, seen = coarser, scale
    return np.dstack(bands)


def find_stripes(along: Floats, down: Floats, grid: tuple[int, int]) -> Floats:
    """float32 (rows, columns, DIRECTIONS): strength of the gradients by direction, as HOG has it (Dalal, Triggs 2005).

    Args:
        along, down: float32 (height, width), the lightness's gradient.
        grid: rows and columns.
    """
    strength = np.hypot(along, down)
    angle = np.mod(np.arctan2(down, along), np.float32(np.pi)) * np.float32(DIRECTIONS / np.pi)
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
