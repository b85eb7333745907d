"""The outline that a key frame gave, carried along with the body: what keeps an object to its shape.

Colours know little of where a car ends and its shadow begins; its own outline, moved as the body moves, does. And where
the car comes out of a shadow and shines in colours never seen, what moves with it in its outline is car still. At an
outline flow is half of what is behind, so it is taken from inside and smoothed outward: one affine motion, and what
departs from it nearby. How far the flow beside the outline departs even from that tells how far the outline may be off
by now: a car's stays true for twenty frames, a dog's for two or three. Lengths are working pixels.
"""

from dataclasses import dataclass, replace
from typing import Final, cast

import cv2
import numpy as np

from sam_annotator.engine.embedded.flow import Floats, Flow, Mask, pixel_grid
from sam_annotator.engine.embedded.motion import fit_affine

STEP: Final = 3
"""Every so manieth pixel along and down counts for the affine motion."""

LEAST_SAMPLES: Final = 12
"""With fewer of them the body is too small to know how it moves."""

CLEARANCE: Final = 1.0
"""Flow nearer to the outline is not the body's alone."""

REACH: Final = 5.0
"""How far what departs from the affine motion is smoothed outward."""

RIM: Final = 6.0
"""How deep inside the outline departures tell of its error."""

LEAST_TRUST: Final = 0.05
FAINT: Final = 0.02
"""So little weight of the body's flow nearby counts half."""

LEAST_ERROR: Final = 0.5
"""How exact an outline is to begin with."""

GROWTH: Final = 0.5
"""How much of a frame's departures stays: some of it comes and goes."""

MOST_DEPARTURE: Final = 3.0
"""What departs by more is no part of the body, and says no more about it."""

AROUND: Final = 10.0
"""How far departures are averaged along the outline."""

CLEANING: Final = 5
"""Side of the square in whose middle specks and gaps do not count."""

FARTHEST: Final = 15.0
"""What is farther from the outline is no error of it, but something else."""

UNSEEN: Final = -1e4
"""Place of what came into sight since the key frame."""

CEILING: Final = 6.0
TOLERANCE: Final = 1.5
"""Log odds are within the ceiling; half of it where the outline is off by the tolerance, and next to nothing soon."""

LEAST_CHANGE: Final = 8.0
USUAL_CHANGES: Final = 2.5
"""Colours that differ by more than this, and so many times more than half of the body's do, are not the body's."""

SHALLOW: Final = 0.5
"""What is not deeper in the outline than this share of its error may as well lie outside."""

MOVED_ALONG: Final = 4.0
"""Log odds of what lies deep in the outline and surely moves with the body, whatever colours it has now."""

LEAST_OUTSIDE: Final = 0.4
"""What its word outside it counts where other colours have come: they may be the body's, which something had hidden."""


@dataclass(frozen=True, eq=False)
class Shape:
    """An object's outline in a key frame, and where that lies now.

    Attributes:
        distance: float32 (height, width), signed distance of the mask in the key frame.
        colours: float32 (height, width, 3), of the key frame, smoothed.
        free: float32 (height, width), 0 where the key frame has other objects, which may hide this one, else 1.
        places: float32 (height, width, 2), where each pixel of the present frame was in the key frame, as (x, y).
        departed: float32 (height, width), by how much flow near each pixel has departed from the body's so far.
        measured: how far the outline is off that of what the other voices say, in the middle.
    """

    distance: Floats
    colours: Floats
    free: Floats
    places: Floats
    departed: Floats
    measured: float = LEAST_ERROR

    @classmethod
    def of(cls, lab: Floats, distance: Floats, others: Mask | None = None) -> "Shape":
        """From the colours of a key frame, the signed distance of its mask, and the mask of all other objects there."""
        free = np.ones_like(distance) if others is None else (~others).astype(np.float32)
        return cls(distance, _smoothed(lab), free, pixel_grid((lab.shape[0], lab.shape[1])), np.zeros_like(distance))

    def carried(self, flow: Flow, distance: Floats) -> "Shape | None":
        """As it lies in the next frame; None where the body is too small to know how it moves.

        Args:
            flow: to that frame.
            distance: float32 (height, width), signed distance of the object's mask there as flow predicts it.
        """
        source = body_flow(flow, distance)
        if source is None:
            return None
        places = cv2.remap(self.places, source, None, cv2.INTER_LINEAR, borderValue=(UNSEEN, UNSEEN))
        rim = ((distance > 0) & (distance < RIM)).astype(np.float32)
        departures = np.minimum(np.sqrt(_squared(flow.source - source)), MOST_DEPARTURE)
        usual = np.float32(departures[rim > 0].mean()) if rim.any() else np.float32(0)
        departed = _moved(self.departed, source) + usual + _averaged(departures - usual, rim, AROUND)
        return replace(self, places=cast(Floats, places), departed=departed)

    def compared(self, mask: Mask) -> "Shape":
        """The same, its error known from a mask, bool (height, width), which was found without it."""
        whole = cv2.medianBlur(mask.astype(np.uint8), CLEANING)
        outline = whole != cv2.erode(whole, np.ones((3, 3), np.uint8))
        off = np.abs(self._distance()[outline & self._seen()])
        off = off[off < FARTHEST]
        return replace(self, measured=max(LEAST_ERROR, float(np.median(off)))) if off.size else self

    def error(self) -> Floats:
        """By how much the outline may be off near each pixel: float32 (height, width).

        What is expected there, and what was measured all around, weigh the same.
        """
        return cast(Floats, np.sqrt((LEAST_ERROR + GROWTH * self.departed) * np.float32(self.measured)))

    def log_odds(self, lab: Floats, along: Floats) -> Floats:
        """What the outline says of each pixel, float32 (height, width), zeros where the key frame did not look.

        Args:
            lab: float32 (height, width, 3), the present frame's colours.
            along: float32 (height, width), 0..1, how surely each pixel moves with the body and not with the rest.
        """
        distance, error = self._distance(), self.error()
        odds = np.clip(distance / error, -1, 1) * (CEILING / (1 + np.square(np.square(error / TOLERANCE))))
        seen = self._seen()
        odds *= seen
        body = odds > 0
        if body.any():
            change = _squared(self._now(self.colours) - _smoothed(lab))
            same = np.exp(-change / max(LEAST_CHANGE**2, USUAL_CHANGES**2 * float(np.median(change[body]))))
            odds *= np.where(body, same, LEAST_OUTSIDE + (1 - LEAST_OUTSIDE) * same)
        deep = np.clip(distance / error - SHALLOW, 0, 1) * seen
        return np.asarray(odds + MOVED_ALONG * deep * along, np.float32)

    def _seen(self) -> Mask:
        """Which pixels of the present frame the key frame saw, and saw no other object there."""
        height, width = self.distance.shape
        inside = cv2.inRange(self.places, (0.0, 0.0), (width - 1.0, height - 1.0))
        return np.asarray((inside > 0) & (self._now(self.free) > 0.5))

    def _distance(self) -> Floats:
        return self._now(self.distance)

    def _now(self, plane: Floats) -> Floats:
        """A plane of the key frame as the present one sees it."""
        return _moved(plane, self.places)


def body_flow(flow: Flow, distance: Floats) -> Floats | None:
    """Where each pixel was in the frame before if it moved with the body: float32 (height, width, 2), as (x, y).

    Args:
        flow: from that frame to the present one.
        distance: signed distance of the body's mask as flow predicts it.

    Returns:
        None where the body is too small to know how it moves.
    """
    grid, pixels = (slice(1, None, STEP), slice(1, None, STEP)), pixel_grid(flow.size)
    members = distance[grid] > 0
    if np.count_nonzero(members) < LEAST_SAMPLES:
        return None
    some, shifts = pixels[grid][members], flow.source - pixels
    centre = some.mean(axis=0)
    terms = np.concatenate([np.ones_like(some[:, :1]), (some - centre) / RIM], axis=1)
    motion, _, _ = fit_affine(terms, shifts[grid][members])
    linear = np.eye(2) + motion[1:].T / RIM
    offset = centre + motion[0] - linear @ centre
    affine = cast(Floats, cv2.transform(pixels, np.column_stack([linear, offset])))
    weights = np.where(distance > CLEARANCE, np.maximum(flow.trust, LEAST_TRUST), np.float32(0))
    return affine + _averaged(flow.source - affine, weights, REACH)


def _averaged(plane: Floats, weights: Floats, reach: float) -> Floats:
    """The weighted mean around each pixel; it fades to nothing where hardly anything weighs."""
    size = weights.shape[1], weights.shape[0]
    planes = cv2.merge([*(part * weights for part in cv2.split(plane)), weights])
    small = cv2.resize(planes, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(cv2.GaussianBlur(small, (0, 0), reach / 2), size, interpolation=cv2.INTER_LINEAR)
    means = sums[..., :-1] / (sums[..., -1:] + np.float32(FAINT))
    return cast(Floats, means if plane.ndim == 3 else means[..., 0])


def _squared(vectors: Floats) -> Floats:
    """Squared length along the last axis."""
    return np.asarray(np.einsum("...i,...i->...", vectors, vectors), np.float32)


def _moved(plane: Floats, places: Floats) -> Floats:
    return cast(Floats, cv2.remap(plane, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _smoothed(lab: Floats) -> Floats:
    return cast(Floats, cv2.GaussianBlur(lab, (0, 0), 1.5, borderType=cv2.BORDER_REPLICATE))
