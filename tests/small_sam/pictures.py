"""Pictures to train the small SAM on and to test it with: coloured shapes on a textured, noisy ground."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
_TRIES = 14
_LEAST_VISIBLE = 0.8  # of a shape's area; the rest may be hidden by shapes drawn later
_APART = 70.0  # distance in RGB between a shape and its surroundings


@dataclass(frozen=True)
class Picture:
    """What was drawn.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        masks: where each shape can be seen, bool (height, width); at least one.
    """

    image: NDArray[np.uint8]
    masks: tuple[Mask, ...]


def draw_picture(rng: np.random.Generator, height: int, width: int, *, shapes: int = 5) -> Picture:
    """Draw up to so many shapes, at places where none hides much of another.

    Two shapes may have one colour; then they do not touch.
    """
    colors = [rng.uniform(20, 235, 3)]
    image = _surface(rng, height, width, colors[0])
    labels = np.zeros((height, width), np.uint8)
    areas: list[int] = []
    for _ in range(_TRIES):
        if len(areas) == shapes:
            break
        mask = _shape(rng, height, width)
        color = _color(rng, colors)
        if not _fits(mask, labels, areas, margin=2 if any(color is other for other in colors) else -1):
            continue
        colors.append(color)
        areas.append(int(mask.sum()))
        labels[mask] = len(areas)
        np.copyto(image, _surface(rng, height, width, color), where=mask[:, :, None])
    if not areas:
        return draw_picture(rng, height, width, shapes=shapes)
    image += rng.uniform(2, 9) * rng.standard_normal(image.shape, np.float32)
    masks = tuple(labels == number for number in range(1, len(areas) + 1))
    return Picture(np.clip(image, 0, 255).astype(np.uint8), masks)


def deepest(mask: Mask) -> tuple[float, float]:
    """(x, y) of the pixel of a mask that is farthest from its outside; a click on the middle of a shape."""
    distance = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    row, column = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(column - 1), float(row - 1)


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) around a mask."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return float(left), float(top), float(left + width), float(top + height)


def _fits(mask: Mask, labels: NDArray[np.uint8], areas: list[int], margin: int) -> bool:
    """Whether a shape can be drawn over the others; `margin` in percent of the width keeps it away from all."""
    if margin >= 0:
        size = 2 * max(1, margin * mask.shape[1] // 100) + 1
        return not labels[cv2.dilate(mask.astype(np.uint8), np.ones((size, size), np.uint8)) > 0].any()
    left = np.bincount(labels[~mask], minlength=len(areas) + 1)[1:]
    return all(seen >= _LEAST_VISIBLE * area for seen, area in zip(left, areas, strict=True))


def _color(rng: np.random.Generator, colors: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """One that is unlike all others, or that of an earlier shape."""
    if len(colors) > 1 and rng.random() < 0.2:
        return colors[int(rng.integers(1, len(colors)))]
    while True:
        color = rng.uniform(0, 255, 3)
        if all(np.linalg.norm(color - other) > _APART for other in colors):
            return color


def _surface(rng: np.random.Generator, height: int, width: int, color: NDArray[np.float64]) -> NDArray[np.float32]:
    """A colour with light that falls off, and spots, stripes or nothing: float32 (height, width, 3)."""
    coarse = rng.normal(0, rng.uniform(0, 10), (*rng.integers(2, 9, 2), 3)).astype(np.float32)
    surface = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) + color.astype(np.float32)
    if rng.random() < 0.3:
        angle, waves = rng.uniform(0, np.pi), rng.uniform(8, 24)
        columns, rows = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
        across = np.float32(np.cos(angle)) * columns[None] + np.float32(np.sin(angle)) * rows[:, None]
        stripes = np.sin(across * np.float32(2 * np.pi * waves / max(height, width)))
        surface += np.float32(rng.uniform(4, 14)) * stripes[:, :, None]
    return surface


def _shape(rng: np.random.Generator, height: int, width: int) -> Mask:
    """A disc, ellipse, rectangle, triangle, star or blob somewhere."""
    side = max(height, width)
    radius = side * rng.uniform(0.10, 0.22)
    centre = rng.uniform((0.5 * radius, 0.5 * radius), (width - 0.5 * radius, height - 0.5 * radius))
    outline = _OUTLINES[int(rng.integers(len(_OUTLINES)))](rng) * radius
    turn = rng.uniform(0, 2 * np.pi)
    turned = outline @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [((turned + centre) * 16).round().astype(np.int32)], 1, shift=4)
    return mask.astype(bool)


def _round(rng: np.random.Generator) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.stack([np.cos(angles), rng.uniform(0.55, 1.0) * np.sin(angles)], axis=1)


def _rectangle(rng: np.random.Generator) -> NDArray[np.float64]:
    low = rng.uniform(0.45, 0.9)
    return np.array([[-0.9, -low], [0.9, -low], [0.9, low], [-0.9, low]])


def _polygon(rng: np.random.Generator) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, int(rng.integers(3, 7)), endpoint=False)
    return 1.1 * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _star(rng: np.random.Generator) -> NDArray[np.float64]:
    points = int(rng.integers(4, 7))
    angles = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    reach = np.where(np.arange(2 * points) % 2, rng.uniform(0.5, 0.7), 1.2)
    return np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)


def _blob(rng: np.random.Generator) -> NDArray[np.float64]:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = 1 + sum(
        rng.uniform(0, 0.16) * np.cos(number * angles + rng.uniform(0, 2 * np.pi)) for number in range(2, 5)
    )
    return np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)


_OUTLINES: tuple[Callable[[np.random.Generator], NDArray[np.float64]], ...] = (
    _round,
    _rectangle,
    _polygon,
    _star,
    _blob,
)
