"""What moves with an object and what with the rest: evidence from flow alone, gathered over frames.

A part of the background that crept into a mask gives itself away by moving with the background. Two affine motions a
frame, gathered along the flow as in long-term motion analysis (Ochs, Malik and Brox 2014). Lengths are working pixels.
"""

from typing import Final

import numpy as np

from sam_annotator.engine.embedded.flow import Floats, Flow, Mask, pixel_grid, spread

STEP: Final = 4
START: Final = 2
CLEARANCE: Final = 3.0
"""Flow is smeared over a mask's edge: samples nearer to it teach nothing about either motion."""

LEAST_TRUST: Final = 0.3
LEAST_SAMPLES: Final = 30
ROUNDS: Final = 5
LEAST_SPREAD: Final = 0.4
"""Pixels a frame: flow is no more exact than this."""

FRAME_CEILING: Final = 2.0
MEMORY: Final = 0.8
"""What is kept of the gathered log odds from frame to frame."""

LIMIT: Final = 5.0
BINS: Final = 12
AROUND: Final = 36.0
CEILING: Final = 2.0

_GRID: Final = (slice(START, None, STEP), slice(START, None, STEP))


def gather_motion(before: Floats | None, flow: Flow, now: Floats) -> Floats:
    """Log odds that a pixel moves like the object, the earlier ones carried along: float32 (height, width).

    Args:
        before: what was gathered up to the frame before, if anything.
        flow: from that frame to the present one.
        now: what that one adds, see `present_motion`.
    """
    return now if before is None else now + np.float32(MEMORY) * flow.carry(before)


def weigh_motion(gathered: Floats, distance: Floats) -> Floats:
    """What the gathered log odds are worth: float32 (height, width) within +-CEILING.

    Judged by how often each value occurs inside the predicted mask and around it, so that nothing is left of them where
    the object rests, or something moves with it: a reflection, a shadow.
    """
    values, places = np.clip(gathered[_GRID], -LIMIT, LIMIT), distance[_GRID]
    inside, around = places > 1.5, (places < -1.5) & (places > -AROUND)
    ratios = np.log(_frequencies(values[inside]) / _frequencies(values[around]))
    centres = (np.arange(BINS) + 0.5) * (2 * LIMIT / BINS) - LIMIT
    return np.asarray(np.interp(gathered, centres, np.clip(ratios, -CEILING, CEILING)), np.float32)


def _frequencies(values: Floats) -> Floats:
    counts = np.histogram(values, BINS, (-LIMIT, LIMIT))[0]
    smooth = np.convolve(np.pad(counts, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid") + 2
    return np.asarray(smooth / smooth.sum(), np.float32)


def present_motion(flow: Flow, distance: Floats) -> Floats:
    """Log odds that a pixel moves like the object in this frame alone: float32 (height, width) within +-FRAME_CEILING.

    Args:
        flow: from the frame before.
        distance: signed distance of the object's mask as flow predicts it.

    Returns:
        Zeros where the object, or the rest, is too small to know how it moves.
    """
    places = pixel_grid(flow.size)[_GRID]
    terms = np.concatenate([np.ones_like(places[..., :1]), places / 100 - 1], axis=-1).reshape(-1, 3)
    shifts = (flow.source[_GRID] - places).reshape(-1, 2)
    trust, side = flow.trust[_GRID], distance[_GRID]
    members = [(trust > LEAST_TRUST) & clear for clear in (side > CLEARANCE, side < -CLEARANCE)]
    if min(np.count_nonzero(member) for member in members) < LEAST_SAMPLES:
        return np.zeros(flow.size, np.float32)
    own, rest = (_log_likelihood(terms, shifts, member.reshape(-1)) for member in members)
    odds = np.clip(own - rest, -FRAME_CEILING, FRAME_CEILING).reshape(trust.shape) * trust
    return spread(odds, STEP, START, flow.size)


def fit_affine(terms: Floats, shifts: Floats) -> tuple[Floats, Floats, float]:
    """The motion that most samples share, robust against the others.

    Args:
        terms: float32 (samples, 3), each a 1 and the place, scaled.
        shifts: float32 (samples, 2).

    Returns:
        The motion (3, 2), which times the terms gives the shifts; how far each sample departs; how far is usual.
    """
    weights = np.ones(len(terms), np.float32)
    for _ in range(ROUNDS):
        weighted = (terms * weights[:, None]).T
        motion = np.linalg.solve(weighted @ terms + 1e-3 * np.eye(3, dtype=np.float32), weighted @ shifts)
        errors = np.linalg.norm(shifts - terms @ motion, axis=1)
        scale = max(LEAST_SPREAD, 1.5 * float(np.median(errors)))
        weights = 1 / (1 + np.square(errors / scale))
    return motion, errors, scale


def _log_likelihood(terms: Floats, shifts: Floats, members: Mask) -> Floats:
    """How well each sample's shift fits the affine motion of the members, (samples,)."""
    motion, _, scale = fit_affine(terms[members], shifts[members])
    unlike = np.square(shifts - terms @ motion).sum(axis=1) / scale**2
    return np.asarray(-1.5 * np.log1p(unlike) - 2 * np.log(scale), np.float32)
