"""Backgrounds: photographs tiled, graded, tilted, blurred, until they can stand behind a moving object."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.samples.cutouts import Cutout
from sam_annotator.samples.photographs import Photograph, read_photograph

Tone = tuple[float, tuple[float, float, float]]
"""A brightness, 0..1, and the colour (RGB, 0..1) that it gets."""

LAWN: tuple[Tone, ...] = (
    (0.0, (0.05, 0.08, 0.04)),
    (0.45, (0.22, 0.33, 0.13)),
    (0.8, (0.46, 0.55, 0.26)),
    (1.0, (0.78, 0.80, 0.55)),
)


def lawn() -> Photograph:
    """Grass, seen obliquely from above: float32 (720, 1280, 3)."""
    grass = read_photograph("grass.png")[:, :, 0]
    wide = np.clip(_side_by_side(grass, overlap=72), 0, 1)
    tilted = _tilt(_colour(wide, LAWN), width=1280, height=720, far=0.78)
    return _soften_distance(tilted, blur=2.2)


def deep_sky() -> Photograph:
    """Galaxies in a faint blue mist: float32 (872, 1000, 3)."""
    sky = read_photograph("hubble_deep_field.jpg")
    glow = cv2.GaussianBlur(sky.mean(2), (0, 0), 45)
    mist = (glow - glow.min()) / (glow.max() - glow.min())
    blue = np.array([0.03, 0.05, 0.12], np.float32) + mist[:, :, None] * np.array([0.16, 0.12, 0.30], np.float32)
    return np.asarray(np.clip(1 - (1 - sky) * (1 - blue), 0, 1))


def city_lights() -> Photograph:
    """The lamps of a launch site at dusk over still water, far out of focus: float32 (404, 820, 3)."""
    site = read_photograph("rocket.jpg")[245:]
    left, right, fade = site[:, :276], site[:, 342:], np.linspace(0, 1, 18, dtype=np.float32)[:, None]
    seam = left[:, -18:] * (1 - fade) + right[:, :18] * fade
    without_rocket = np.concatenate([left[:, :-18], seam, right[:, 18:]], axis=1)
    mirrored = np.concatenate([without_rocket, without_rocket[:-90:-1] * 0.75])
    large = cv2.resize(mirrored, (820, 404), interpolation=cv2.INTER_CUBIC)
    energy = np.clip(large, 0, 1) ** 2.2 + 5 * np.clip(large - 0.7, 0, None)
    focus = cv2.filter2D(energy, -1, _disc(20))
    return np.asarray(np.clip(cv2.GaussianBlur(focus, (0, 0), 1.5), 0, 1) ** (1 / 2.2), np.float32)


def moon(radius: int) -> Cutout:
    """The moon's surface on a ball, lit from the left: float32 (2 * radius + 5, ..., 4)."""
    surface = read_photograph("moon.png")
    y, x = (np.mgrid[-radius - 2 : radius + 3, -radius - 2 : radius + 3] / radius).astype(np.float32)
    distance = np.hypot(x, y)
    z = np.sqrt(np.clip(1 - distance**2, 0, 1))
    stretch = np.where(distance > 0.01, np.arcsin(np.clip(distance, 0, 1)) / np.maximum(distance, 0.01), 1)
    reach = 240 / (np.pi / 2)
    colour = cv2.remap(surface, 256 + x * stretch * reach, 256 + y * stretch * reach, cv2.INTER_LINEAR)
    light = np.clip(-0.55 * x - 0.3 * y + 0.78 * z, 0, 1) ** 0.8
    skylight = np.array([0.06, 0.07, 0.14], np.float32)
    lit = np.clip((colour - 0.44) * 2.4 + 0.8, 0, 1.1) * (light[:, :, None] + skylight)
    matte = np.clip((1 - distance) * radius + 0.5, 0, 1)
    return Cutout(np.dstack([lit * matte[:, :, None], matte]).astype(np.float32))


def _colour(grey: NDArray[np.float32], tones: Sequence[Tone]) -> Photograph:
    low, high = np.percentile(grey, (1, 99))
    level = (grey - low) / (high - low)
    levels = [tone[0] for tone in tones]
    channels = [np.interp(level, levels, [tone[1][c] for tone in tones]).astype(np.float32) for c in range(3)]
    return np.dstack(channels)


def _side_by_side(tile: NDArray[np.float32], overlap: int) -> NDArray[np.float32]:
    """A square tile three times in a row, turned so that nothing repeats or mirrors, blended where they overlap."""
    width = tile.shape[1]
    step = width - overlap
    result = np.zeros((tile.shape[0], width + 2 * step), np.float32)
    ramp = np.clip((np.arange(width) + 0.5) / overlap, 0, 1)
    weight = (np.minimum(ramp, ramp[::-1]) ** 2).astype(np.float32)
    total = np.zeros(result.shape[1], np.float32)
    for number, picture in enumerate((tile, np.rot90(tile), tile[::-1, ::-1])):
        place = slice(number * step, number * step + width)
        result[:, place] += picture * weight
        total[place] += weight
    return np.asarray(result / np.maximum(total, 1e-6), np.float32)


def _tilt(picture: Photograph, width: int, height: int, far: float) -> Photograph:
    """See a plane obliquely: its far side, at the top, gets narrower."""
    rows, columns = picture.shape[:2]
    margin = (1 / far - 1) * width / 2
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    target = np.array([[0, 0], [width, 0], [width + margin, height], [-margin, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    size = width, height
    view = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(view)


def _soften_distance(picture: Photograph, blur: float) -> Photograph:
    soft = cv2.GaussianBlur(picture, (0, 0), blur)
    near = np.clip(np.linspace(-0.1, 1.4, picture.shape[0], dtype=np.float32), 0, 1)[:, None, None]
    return np.asarray(np.clip(soft + (picture - soft) * near, 0, 1))


def _disc(radius: int) -> NDArray[np.float32]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)
    return np.asarray(disc / disc.sum(), np.float32)
