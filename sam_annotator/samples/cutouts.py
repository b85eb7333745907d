"""Cutting an object out of its photograph: a hand-placed outline, sharpened by GrabCut, with a soft clean edge."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from sam_annotator.samples.outlines import Outline
from sam_annotator.samples.photographs import Photograph


@dataclass(frozen=True, eq=False)
class Cutout:
    """An object without its background.

    Attributes:
        pixels: float32 (height, width, 4), RGB premultiplied by the matte, matte; 0..1.
    """

    pixels: NDArray[np.float32]

    @property
    def matte(self) -> NDArray[np.float32]:
        """float32 (height, width), 0..1."""
        return np.asarray(self.pixels[:, :, 3])


def cut_out(photograph: Photograph, outline: Outline, *, band: float, softness: float, scale: float = 1.0) -> Cutout:
    """Cut along an outline.

    Args:
        photograph: where the object is.
        outline: a polygon, exact to about `band` pixels.
        band: how far the edge may be moved to where the colours part; 0 takes the outline as it is.
        softness: width of the soft edge in pixels.
        scale: size of the result relative to the photograph.
    """
    coverage = _rasterise(outline, photograph.shape[:2])
    if band:
        coverage = _sharpen(photograph, coverage > 0.5, band)
    matte = _soft_edge(coverage, softness)
    colour = _spread_inner_colour(photograph, coverage > 0.5, softness)
    pixels = np.dstack([colour * matte[:, :, None], matte])
    rows, columns = np.nonzero(matte.max(1))[0], np.nonzero(matte.max(0))[0]
    pixels = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Cutout(_resize(pixels, scale))


def _rasterise(outline: Outline, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """How much of each pixel lies inside the outline, 0..1."""
    fine = 4
    height, width = shape
    canvas = np.zeros((height * fine, width * fine), np.uint8)
    points = np.round((_rounded(outline) + 0.5) * fine * 16).astype(np.int32)
    cv2.fillPoly(canvas, [points], 255, shift=4)
    return np.asarray(cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA) / 255, np.float32)


def _rounded(outline: Outline) -> NDArray[np.float64]:
    """A smooth curve through the outline's points; centripetal, so that it makes no loops at corners."""
    points = np.array([*outline, outline[0]])
    steps = np.sqrt(np.hypot(*np.diff(points, axis=0).T))
    knots = np.concatenate([[0], np.cumsum(steps)])
    curve = CubicSpline(knots, points, bc_type="periodic")
    return np.asarray(curve(np.linspace(0, knots[-1], 12 * len(outline), endpoint=False)))


def _sharpen(photograph: Photograph, inside: NDArray[np.bool_], band: float) -> NDArray[np.float32]:
    """Let GrabCut decide about the pixels near the outline."""
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[_depth(inside) > band] = cv2.GC_FGD
    labels[_depth(~inside) > band] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.round(photograph * 255).astype(np.uint8), labels, None, *models, 4, cv2.GC_INIT_WITH_MASK)
    return np.asarray(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)), np.float32)


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance of each pixel of the mask from the nearest pixel outside, in pixels."""
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(depth, np.float32)


def _soft_edge(coverage: NDArray[np.float32], softness: float) -> NDArray[np.float32]:
    """A matte that is 1 inside and falls to 0 at the edge; moved inwards, so that no background shines through."""
    smooth = cv2.GaussianBlur(coverage, (0, 0), softness)
    return np.asarray(np.clip((smooth - 0.6) * 2 + 0.5, 0, 1), np.float32)


def _spread_inner_colour(photograph: Photograph, inside: NDArray[np.bool_], softness: float) -> Photograph:
    """Replace colours at the edge, where object and background are mixed, by those a little further inside."""
    clean = _depth(inside) > 2 * softness
    weight = clean.astype(np.float32)
    near = cv2.GaussianBlur(photograph * weight[:, :, None], (0, 0), 1.5 * softness)
    amount = cv2.GaussianBlur(weight, (0, 0), 1.5 * softness)
    spread = near / np.maximum(amount, 1e-4)[:, :, None]
    return np.where(clean[:, :, None], photograph, spread).astype(np.float32)


def _resize(pixels: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    if scale == 1:
        return np.ascontiguousarray(pixels)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(np.clip(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way), 0, 1))
