"""Pictures drawn here, where the right mask is known: what the tests of the weight-free segmenter share."""

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
HEIGHT, WIDTH = 180, 240


def disc(x: int, y: int, radius: int, height: int = HEIGHT, width: int = WIDTH) -> Mask:
    return cv2.circle(np.zeros((height, width), np.uint8), (x, y), radius, 1, -1) > 0


def painted(*parts: tuple[Mask, tuple[int, int, int]], noise: int = 12, blur: float = 0.8) -> NDArray[np.uint8]:
    """A grey-green picture with coloured parts, noisy and a little out of focus, as photographs are."""
    picture = np.full((*parts[0][0].shape, 3), (96, 112, 92), np.float32)
    for mask, colour in parts:
        picture[mask] = colour
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), blur).astype(np.uint8)


def iou(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def bounds(mask: Mask) -> tuple[float, float, float, float]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return float(x), float(y), float(x + width), float(y + height)


BALL = disc(90, 80, 40)


SPOT = disc(170, 120, 28)


PICTURE = painted((BALL, (200, 60, 40)), (SPOT, (40, 70, 190)))


def scene(seed: int) -> tuple[NDArray[np.uint8], Mask]:
    """Discs, a box and thin lines on a striped ground, and the mask of one disc and one line."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), random.integers(60, 180, 3), np.uint8)
    picture[:, :: random.integers(7, 40)] //= 2
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(6):
        colour = tuple(map(int, random.integers(0, 255, 3)))
        one, other = random.integers((0, 0), (WIDTH, HEIGHT), (2, 2)).tolist()
        for canvas, value in ((picture, colour), *([(truth, 1)] if number > 3 else [])):
            if number % 2:
                cv2.line(canvas, one, other, value, 5)
            elif number == 2:
                cv2.rectangle(canvas, one, other, value, -1)
            else:
                cv2.circle(canvas, one, 15 + 6 * number, value, -1)
    noise = random.normal(0, 6, picture.shape)
    return cv2.GaussianBlur(np.clip(picture + noise, 0, 255), (0, 0), 0.7).astype(np.uint8), truth > 0


def next_click(mask: Mask, truth: Mask) -> tuple[tuple[float, float], bool]:
    """The deepest point of the largest error, as a person would click it, and whether the object is there."""
    found = []
    for error, include in ((truth & ~mask, True), (mask & ~truth, False)):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(np.pad(error, 1).astype(np.uint8))
        for label in range(1, len(stats)):
            found.append((stats[label, cv2.CC_STAT_AREA], labels == label, include))
    _, region, include = max(found, key=lambda one: one[0])
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (float(x), float(y)), include
