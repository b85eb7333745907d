"""Videos painted here, where the truth is known: what the tests of the weight-free propagator share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.propagator import KeyFrame

HEIGHT, WIDTH = 160, 240
Mask = NDArray[np.bool_]


def texture(seed: int, colour: tuple[int, int, int], contrast: float, height: int = HEIGHT) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((height, WIDTH, 3)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), 2.5)
    return np.array(colour, np.float32) + contrast * grain / grain.std()


def ellipse(x: float, y: float, width: float, height: float) -> Mask:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return ((columns - x) / width) ** 2 + ((rows - y) / height) ** 2 < 1


def moved(image: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
    return cv2.warpAffine(image, np.float32([[1, 0, x], [0, 1, y]]), (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)


@dataclass(frozen=True)
class Painted:
    """Frames, and the truth of each: object id -> mask without overlap."""

    frames: list[NDArray[np.uint8]]
    truth: list[dict[int, Mask]]

    def key_frame(self, index: int, *object_ids: int) -> KeyFrame:
        masks = self.truth[index]
        return KeyFrame(index, self.frames[index], {key: masks[key] for key in object_ids or masks})


GROUND = texture(0, (96, 128, 96), 18)
FACES = {1: texture(1, (190, 90, 60), 22), 2: texture(2, (60, 90, 190), 22)}


def paint(
    count: int, places: Callable[[int], Mapping[int, Mask]], shifts: Mapping[int, tuple[float, float]]
) -> Painted:
    """Objects move with their texture by `shifts` a frame; later ids stand in front."""
    frames, truth = [], []
    for index in range(count):
        image, masks = moved(GROUND, 0.5 * index, 0), {}
        for key, mask in places(index).items():
            face = moved(FACES[key], shifts[key][0] * index, shifts[key][1] * index)
            image = np.where(mask[..., None], face, image)
            masks = {other: seen & ~mask for other, seen in masks.items()} | {key: mask}
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
        truth.append(masks)
    return Painted(frames, truth)


def iou(a: Mask, b: Mask) -> float:
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0
