"""What an object looks like: a model of the whole video so far, and one of the neighbourhood a frame ago.

Both learn in closed form from masks alone; nothing is trained beforehand. Lengths are working pixels.
"""

from copy import copy
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.flow import Floats, Flow, Mask, pixel_grid, spread
from sam_annotator.engine.embedded.texture import describe_texture, find_stripes

GLOBAL_STEP: Final = 4
GLOBAL_START: Final = 2
LOCAL_STEP: Final = 2

RING: Final = 7
"""Distance of the four ring samples, which tell an object's inside from equal colours elsewhere."""

RANDOM_FEATURES: Final = 512
BANDWIDTHS: Final = (14.0, 28.0)
"""Half of the random features tell close colours apart, the others know what lies between those that were seen."""

SEED: Final = 7

RIDGE: Final = 1e-4
MEMORY: Final = 0.93
"""What the moving part of the global model keeps from frame to frame."""

KEPT: Final = 0.5
"""What it keeps at a key frame, where it would have told the object there from the rest without mistake."""

EDGE_BAND: Final = 1.5
"""Pixels this close to a mask's edge teach the global model nothing: they may be either side."""

FEW_SAMPLES: Final = 12
"""With fewer samples on a side of a mask's edge, those close to it count, too; where they are not enough, any pixel."""

MOST_BETWEEN: Final = 150
"""Pixels between the samples that are looked at, at most, evenly spaced."""

NEIGHBOURHOOD: Final = 24.0
"""Pixels from a mask beyond which every second sample is enough to tell the background by."""

GLOBAL_GAIN: Final = 3.2
CEILING: Final = 3.0
"""No model may be surer than this, in log odds."""

QUERY_BAND: Final = 24.0
MEMORY_BAND: Final = 32.0
MOST_QUERIES: Final = 7000
MOST_MEMORIES: Final = 3000
COLOUR_UNIT: Final = 5.0
PLACE_UNIT: Final = 14.0

TILE: Final = 2.5
KERNEL_REACH: Final = 3.0
"""Both in PLACE_UNITs: the local model works in tiles of this side, and looks this far around them."""


def to_lab(image: NDArray[np.uint8]) -> Floats:
    """CIELAB with the lightness weakened, float32 of the shape of the image, uint8 (height, width, 3), RGB."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return cast(Floats, lab * np.array([0.7, 1, 1], np.float32))


def _blur(array: Floats, sigma: float) -> Floats:
    return cast(Floats, cv2.GaussianBlur(array, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))


def _texture(dx: Floats, dy: Floats) -> Floats:
    """float32 (height, width, 3): gradient magnitude and its orientation, doubled angle, smoothed."""
    strength = np.sqrt(dx * dx + dy * dy)
    safe = np.maximum(strength, 1e-6)
    return _blur(np.dstack([strength, (dx * dx - dy * dy) / safe, 2 * dx * dy / safe]), 3.0)


@cache
def _random_projection(dimensions: int) -> tuple[Floats, Floats]:
    """Weights (dimensions, RANDOM_FEATURES) and phases of random Fourier features (Rahimi and Recht 2007)."""
    random = np.random.default_rng(SEED)
    weights = random.standard_normal((dimensions, RANDOM_FEATURES))
    weights /= np.repeat(BANDWIDTHS, RANDOM_FEATURES // len(BANDWIDTHS))
    phases = random.uniform(0, 2 * np.pi, RANDOM_FEATURES)
    return weights.astype(np.float32), phases.astype(np.float32)


def _random_features(features: Floats) -> Floats:
    """float32 (..., RANDOM_FEATURES) of features (..., k): their products are a Gaussian kernel, nearly."""
    weights, phases = _random_projection(features.shape[-1])
    return cast(Floats, np.cos(features @ weights + phases) * np.float32(np.sqrt(2 / RANDOM_FEATURES)))


@dataclass(frozen=True, eq=False)
class Appearance:
    """Colours and textures of one frame; each kind of feature is computed on first use.

    Attributes:
        lab: float32 (height, width, 3), CIELAB with the lightness weakened.
        grain: float32 (rows, columns, 3), see `texture.find_grain`, for each global sample.
    """

    lab: Floats
    grain: Floats

    @classmethod
    def of(cls, image: NDArray[np.uint8], grain: Floats) -> "Appearance":
        """From uint8 (height, width, 3), RGB."""
        return cls(to_lab(image), grain)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.lab.shape[0], self.lab.shape[1]

    @cached_property
    def _slopes(self) -> tuple[Floats, Floats]:
        lightness = self.lab[..., 0]
        return cv2.Sobel(lightness, cv2.CV_32F, 1, 0) / 4, cv2.Sobel(lightness, cv2.CV_32F, 0, 1) / 4

    @cached_property
    def _gradients(self) -> Floats:
        return _texture(*self._slopes)

    @cached_property
    def _fine(self) -> list[Floats]:
        """What the global model sees of each pixel itself: planes float32 (height, width, 3)."""
        medium = _blur(self.lab, 2.5) * 0.5
        padded = np.pad(medium, ((RING, RING), (RING, RING), (0, 0)), mode="edge")
        height, width = self.size
        corners = (RING, 2 * RING), (RING, 0), (2 * RING, RING), (0, RING)
        ring = [padded[y : y + height, x : x + width] for y, x in corners]
        return [_blur(self.lab, 1.2), _blur(self.lab, 3), self._gradients * 1.5, *ring]

    @cached_property
    def _coarse(self) -> list[Floats]:
        """What it sees around each sample: planes float32 (rows, columns, k)."""
        rows, columns = self.grain.shape[:2]
        pooled = cast(Floats, cv2.resize(self.lab, (columns, rows), interpolation=cv2.INTER_AREA))
        textures = describe_texture(self.grain, find_stripes(*self._slopes, self.grain.shape[:2]))
        return [_blur(pooled, 8 / GLOBAL_STEP) * 0.7, *textures]

    @cached_property
    def wide(self) -> Floats:
        """float32 (rows, columns, RANDOM_FEATURES): what the global model sees at every fourth pixel."""
        sampled = [plane[GLOBAL_START::GLOBAL_STEP, GLOBAL_START::GLOBAL_STEP] for plane in self._fine]
        return _random_features(np.concatenate([*sampled, *self._coarse], axis=-1))

    def wide_at(self, places: NDArray[np.intp]) -> Floats:
        """float32 (n, RANDOM_FEATURES): the same at these pixels, numbered row by row, wherever they are."""
        down, right = np.divmod(places, self.size[1])
        rows, columns = (
            np.minimum(at // GLOBAL_STEP, n - 1) for at, n in zip((down, right), self.grain.shape[:2], strict=True)
        )
        fine = [plane[down, right] for plane in self._fine]
        return _random_features(np.concatenate([*fine, *(plane[rows, columns] for plane in self._coarse)], axis=-1))

    @cached_property
    def near(self) -> Floats:
        """float32 (rows, columns, 9): what the local model compares at every second pixel."""
        return self._compared((slice(None, None, LOCAL_STEP), slice(None, None, LOCAL_STEP)))

    def near_at(self, places: NDArray[np.intp]) -> Floats:
        """float32 (n, 9): the same at these pixels, numbered row by row, wherever they are."""
        return self._compared(np.divmod(places, self.size[1]))

    def _compared(self, places: tuple[slice, slice] | tuple[NDArray[np.intp], NDArray[np.intp]]) -> Floats:
        sampled = np.concatenate([plane[places] for plane in self._surroundings], axis=-1)
        return np.asarray(sampled / COLOUR_UNIT, np.float32)

    @cached_property
    def _surroundings(self) -> list[Floats]:
        return [_blur(self.lab, 0.8), _blur(self.lab, 3) * 0.8, self._gradients]


@dataclass(frozen=True, eq=False)
class Evidence:
    """One frame's normal equations: what it says about the object, as a sum that can be averaged."""

    gram: Floats
    answer: Floats

    def solve(self) -> Floats:
        """float32 (RANDOM_FEATURES,): what times the features is 1 for the object and -1 for the rest, nearly."""
        ridge = RIDGE * np.eye(RANDOM_FEATURES)
        return np.asarray(np.linalg.solve(self.gram.astype(np.float64) + ridge, self.answer), np.float32)

    def explained_by(self, other: "Evidence") -> float:
        """0..1: how much of this (as a share of the variance) what was learned from the other foretells."""
        solution = other.solve()
        return float(np.clip(solution @ (2 * self.answer - self.gram @ solution), 0, 1))

    def mixed(self, other: "Evidence", share: float) -> "Evidence":
        """This with `share` (0..1) of the other in it."""
        return Evidence(
            self.gram + np.float32(share) * (other.gram - self.gram),
            self.answer + np.float32(share) * (other.answer - self.answer),
        )


def gather_evidence(appearance: Appearance, distance: Floats) -> Evidence | None:
    """What a frame teaches, given the signed distance of the object's mask; None if the object is not in it.

    Where the object is all there is to see, it teaches only what the object looks like.
    """
    wide = appearance.wide.reshape(-1, RANDOM_FEATURES)
    sampled = distance[GLOBAL_START::GLOBAL_STEP, GLOBAL_START::GLOBAL_STEP].reshape(-1)
    kept = _half_of_the_far(sampled, appearance.wide.shape[1])
    wide, sampled = wide[kept], sampled[kept]
    clear = np.abs(sampled) > EDGE_BAND
    if min(np.count_nonzero(clear & side) for side in (sampled > 0, sampled <= 0)) < FEW_SAMPLES:
        clear = np.ones_like(clear)
    between = _between_samples(distance, sampled)
    if between.size:
        wide = np.concatenate([wide, appearance.wide_at(between)])
        sampled = np.concatenate([sampled, distance.reshape(-1)[between]])
        clear = np.ones(sampled.size, bool)
    inside, outside = clear & (sampled > 0), clear & (sampled <= 0)
    return _balanced(wide, sampled, inside, outside) if inside.any() else None


def _balanced(wide: Floats, distance: Floats, inside: Mask, outside: Mask) -> Evidence:
    """What samples teach, (n, RANDOM_FEATURES): both sides in equal parts, where there are both."""
    weights = np.where(outside, np.exp(-np.maximum(-distance - 20, 0) / 60), 0)
    weights *= 0.5 / weights.sum() if outside.any() else 1
    weights[inside] = 0.5 / np.count_nonzero(inside)
    roots = np.sqrt(weights).astype(np.float32)
    weighted = wide * roots[:, None]  # by roots, for a matrix times itself takes half the time of any other
    signs = np.where(inside, roots, -roots)
    return Evidence(np.asarray(weighted.T @ weighted, np.float32), np.asarray(weighted.T @ signs, np.float32))


def _between_samples(distance: Floats, sampled: Floats) -> NDArray[np.intp]:
    """Pixels, numbered row by row, of a side that is too small or too thin for the grid of samples to tell of."""
    flat, places = distance.reshape(-1), [np.zeros(0, np.intp)]
    for side, seen in ((flat > 0, sampled > 0), (flat <= 0, sampled <= 0)):
        if np.count_nonzero(seen) < FEW_SAMPLES:
            own = np.flatnonzero(side)
            places.append(own[:: max(1, -(-own.size // MOST_BETWEEN))])
    return np.concatenate(places)


def _half_of_the_far(distance: Floats, columns: int) -> Mask:
    """All samples near the object and, like the white fields of a chessboard, half of those far from it."""
    places = np.arange(distance.size)
    white = (places // columns + places % columns) % 2 == 0
    return np.asarray(white | (distance > -NEIGHBOURHOOD))


class GlobalModel:
    """Ridge regression over random features: object or not, from appearance alone, wherever in the frame.

    Key frames are averaged into a part that stays; the frames passed through move a second one, which a key frame
    pulls to itself.
    """

    def __init__(self) -> None:
        self._permanent: Evidence | None = None
        self._key_frames = 0
        self._moving: Evidence | None = None
        self._solution: Floats | None = None
        self._lasting: Floats | None = None

    def copy(self) -> "GlobalModel":
        """One that learns by itself from here on."""
        return copy(self)  # what was learned is replaced, never changed

    @property
    def knows(self) -> bool:
        """True once a frame with the object in it was learned."""
        return self._moving is not None

    def learn_key_frame(self, evidence: Evidence) -> None:
        """Keep this for ever, in equal parts with other key frames, and go on from it."""
        self._key_frames += 1
        if self._permanent is None:
            self._permanent = evidence
        else:
            self._permanent = self._permanent.mixed(evidence, 1 / self._key_frames)
        self._lasting = None
        self.restart(evidence)

    def restart(self, evidence: Evidence) -> None:
        """Go on from this; of what was seen before it, keep the more the better that explains it."""
        kept = 0.0 if self._moving is None else KEPT * evidence.explained_by(self._moving)
        self._moving = evidence if self._moving is None else evidence.mixed(self._moving, kept)
        self._solution = None

    def follow(self, evidence: Evidence, trust: float = 1.0) -> None:
        """Adapt a little to a frame that was answered, as far as the answer is trusted (0..1)."""
        self._moving = evidence if self._moving is None else self._moving.mixed(evidence, trust * (1 - MEMORY))
        self._solution = None

    def sampled_log_odds(self, appearance: Appearance) -> Floats:
        """float32 (rows, columns), one per global sample, within +-CEILING; zeros while nothing is known."""
        return self.log_odds(appearance.wide)

    def log_odds(self, wide: Floats) -> Floats:
        """The same of places with these random features, (..., RANDOM_FEATURES): float32 (...)."""
        if self._solution is None:
            self._solution = self._solve()
        return np.clip(wide @ (self._solution * np.float32(GLOBAL_GAIN)), -CEILING, CEILING)

    def lasting_log_odds(self, appearance: Appearance) -> Floats:
        """As `sampled_log_odds`, by the key frames alone: what was learned on the way may be of something else."""
        if self._permanent is None:
            return np.full(appearance.wide.shape[:2], np.float32(-CEILING))
        if self._lasting is None:
            self._lasting = self._permanent.solve()
        return np.clip(appearance.wide @ (self._lasting * np.float32(GLOBAL_GAIN)), -CEILING, CEILING)

    def _solve(self) -> Floats:
        if self._permanent is None or self._moving is None:
            return np.zeros(RANDOM_FEATURES, np.float32)
        return self._permanent.mixed(self._moving, 0.5).solve()


def global_grid(size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the global model's samples in a frame of (height, width)."""
    rows, columns = (len(range(GLOBAL_START, side, GLOBAL_STEP)) for side in size)
    return rows, columns


def spread_global(samples: Floats, size: tuple[int, int]) -> Floats:
    """Log odds of the global samples, at every pixel of (height, width)."""
    return spread(samples, GLOBAL_STEP, GLOBAL_START, size)


def local_log_odds(
    before: Appearance, distance_before: Floats, now: Appearance, distance_now: Floats, flow: Flow
) -> Floats:
    """What the frame before says about each pixel near the object's edge: kernel densities in colour and place.

    Args:
        before, distance_before: the frame before, and the signed distance of the object's mask in it.
        now, distance_now: the present frame, and the signed distance the flow predicts for it.
        flow: from the one to the other.

    Returns:
        float32 (height, width) within +-CEILING.
    """
    grid = (slice(None, None, LOCAL_STEP), slice(None, None, LOCAL_STEP))
    predicted, remembered = distance_now[grid], distance_before[grid]
    odds = np.where(predicted > 0, np.float32(CEILING), np.float32(-CEILING))
    asked = np.abs(predicted) < QUERY_BAND
    if np.count_nonzero(asked) > MOST_QUERIES:
        asked = np.abs(predicted) < 0.6 * QUERY_BAND
    known = np.flatnonzero(np.abs(remembered) < MEMORY_BAND)
    if known.size and asked.any():
        if known.size > MOST_MEMORIES:
            known = np.random.default_rng(SEED).choice(known, MOST_MEMORIES, replace=False)
        memories = placed(before.near, flow.target[grid]).reshape(-1, 11)[known]
        queries = placed(now.near, pixel_grid(now.size)[grid])[asked]
        inside = remembered.reshape(-1)[known] > 0
        odds[asked] = density_ratio(queries, memories, np.stack([inside, ~inside], axis=1).astype(np.float32))
    return spread(odds, LOCAL_STEP, 0, now.size)


def placed(features: Floats, places: Floats) -> Floats:
    """What `density_ratio` compares: the features, and the place (x, y) in units of its reach."""
    return np.concatenate([features, places / np.float32(PLACE_UNIT)], axis=-1)


def density_ratio(queries: Floats, memories: Floats, sides: Floats) -> Floats:
    """float32 (queries,): log ratio of Gaussian kernel densities, object to rest. The last two columns are (x, y).

    Done tile by tile, each with the memories in its reach, for the rest would weigh nothing.

    Args:
        queries, memories: float32 (n, k), see `placed`.
        sides: float32 (memories, 2), how much each memory counts for the object and for the rest.
    """
    odds = np.zeros(len(queries), np.float32)
    tiles = np.floor(queries[:, -2:] / TILE).astype(np.int64)
    numbers = tiles[:, 1] * (tiles[:, 0].max() + 1) + tiles[:, 0]
    order = np.argsort(numbers, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
        corner = tiles[members[0]] * np.float32(TILE)
        places = memories[:, -2:]
        near = ((places > corner - KERNEL_REACH) & (places < corner + TILE + KERNEL_REACH)).all(axis=1)
        densities = _densities(queries[members], memories[near], sides[near])
        odds[members] = np.log(densities[:, 0] / densities[:, 1])
    return np.clip(odds, -CEILING, CEILING)


def _densities(queries: Floats, memories: Floats, sides: Floats) -> Floats:
    """float32 (queries, 2): kernel sums over the memories of either side, and a little, so that ratios are finite."""
    exponent = queries @ memories.T
    exponent -= np.square(memories).sum(axis=1) / 2
    exponent -= np.square(queries).sum(axis=1, keepdims=True) / 2
    densities = np.exp(np.minimum(exponent, 0, out=exponent), out=exponent) @ sides
    return cast(Floats, densities + np.float32(1e-3))
