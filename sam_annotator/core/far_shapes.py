"""Shapes that reach farther than any image: what of them can still be seen, as Pillow and OpenCV cannot say.

They count in 32 bits, and Pillow walks along the whole rim of a circle. A slip of the hand or a broken program
makes such shapes, and files may hold any number.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.annotation import Point


def without_far(points: Sequence[Point], farthest: float) -> Sequence[Point]:
    """A polygon without what of it lies farther than so many pixels from (0, 0) along an axis.

    Its edges keep their slopes. The same points, if none is as far away; no points, if nothing is left.
    """
    if all(-farthest <= x <= farthest and -farthest <= y <= farthest for x, y in points):
        return points
    for axis in (0, 1):
        for sign in (1, -1):
            points = _on_one_side(points, axis, sign, farthest)
    return points


def _on_one_side(points: Sequence[Point], axis: int, sign: int, farthest: float) -> Sequence[Point]:
    """The part of a polygon with `sign` times the coordinate at most `farthest` (Sutherland and Hodgman)."""
    kept: list[Point] = []
    border = sign * farthest
    for index, point in enumerate(points):
        before = points[index - 1]
        is_near = sign * point[axis] <= farthest
        if is_near != (sign * before[axis] <= farthest):
            near, far = (point, before) if is_near else (before, point)
            share = (border / 4 - near[axis] / 4) / (far[axis] / 4 - near[axis] / 4)  # no sum beyond the largest number
            other = near[1 - axis] * (1 - share) + far[1 - axis] * share
            kept.append((other, border) if axis else (border, other))
        if is_near:
            kept.append(point)
    return kept


def wide_circle(center: Point, rim: Point, height: int, width: int) -> NDArray[np.bool_]:
    """The pixels of an image inside a circle, given by a point on its rim; bool (height, width).

    For circles so wide that the rim is nearly straight in the image: right for all finite numbers.
    """
    # |p - center| <= |rim - center|, said of p as seen from the rim, where huge numbers do not drown the small ones.
    # All is counted in eighths: no sum is beyond the largest number.
    away_x, away_y = rim[0] / 8 - center[0] / 8, rim[1] / 8 - center[1] / 8
    radius = math.hypot(away_x, away_y)
    across = (np.arange(width)[None] - rim[0]) / 8
    down = (np.arange(height)[:, None] - rim[1]) / 8
    with np.errstate(over="ignore"):  # infinitely far outside is outside, too
        beyond_tangent = across * (away_x / radius) + down * (away_y / radius)
        bend = across * (across / radius / 2) + down * (down / radius / 2)
    return np.asarray(beyond_tangent + bend <= 0, np.bool_)
