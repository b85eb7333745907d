"""Smooth paths: where things are at a time, through a few poses set by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

Affine = NDArray[np.float64]
"""float64 (2, 3): maps (x, y, 1) of a picture to (x, y) in the frame."""


@dataclass(frozen=True)
class Pose:
    """How a picture stands in the frame at one time.

    Attributes:
        time: 0 at the video's begin, 1 at its end.
        x: where the picture's centre is, in pixels of the frame.
        y: the same, downwards.
        scale: frame pixels per picture pixel.
        degrees: rotation, clockwise.
        light: brightness, 1 as photographed.
    """

    time: float
    x: float
    y: float
    scale: float = 1.0
    degrees: float = 0.0
    light: float = 1.0


class Path:
    """A path through poses, without a jerk anywhere, at rest at both ends; times a little outside 0..1 are answered."""

    def __init__(self, poses: Sequence[Pose]) -> None:
        values = [(pose.x, pose.y, pose.scale, pose.degrees, pose.light) for pose in poses]
        self._curve = CubicSpline([pose.time for pose in poses], values, bc_type="clamped")

    def at(self, time: float) -> Pose:
        x, y, scale, degrees, light = (float(value) for value in self._curve(time))
        return Pose(time, x, y, scale, degrees, light)


def placed(pose: Pose, width: int, height: int) -> Affine:
    """The map that brings a picture of this size to its pose."""
    angle = np.deg2rad(pose.degrees)
    turn = pose.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = np.array([pose.x, pose.y]) - turn @ centre
    return np.column_stack([turn, shift])
