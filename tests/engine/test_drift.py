"""A mask that goes where the picture goes is trusted; one that does not is not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.tracks import DOUBTFUL_SCORE
from sam_annotator.engine.drift import LEAST, MotionWatch, agreement, motion_factor, steadiness

SIZE = 160, 288


def scene(right: int) -> NDArray[np.uint8]:
    """A textured square on a textured ground; the square has moved so many pixels."""
    generator = np.random.default_rng(0)
    ground, square = (cv2.GaussianBlur(generator.random(shape), (0, 0), 8) for shape in (SIZE, (80, 80)))
    ground, square = (cv2.normalize(plane, None, 0, 255, cv2.NORM_MINMAX) for plane in (ground, square))
    ground[40:120, 40 + right : 120 + right] = square
    return np.repeat(ground.astype(np.uint8)[..., None], 3, axis=2)


def mask(right: int) -> NDArray[np.bool_]:
    plane = np.zeros(SIZE, np.bool_)
    plane[40:120, 40 + right : 120 + right] = True
    return plane


def test_a_mask_that_moves_with_its_object_agrees_and_one_that_stays_does_not() -> None:
    watch = MotionWatch()
    watch.look(scene(0))
    assert watch.agreement(1, mask(0)) is None
    assert watch.agreement(2, mask(0)) is None
    watch.look(scene(16))
    moved, stayed = watch.agreement(1, mask(16)), watch.agreement(2, mask(0))
    assert moved is not None
    assert stayed is not None
    assert moved > 0.85
    assert stayed < 0.8


def test_masks_may_be_of_another_size_than_the_frame() -> None:
    watch = MotionWatch()
    for right in (0, 4):
        watch.look(scene(right))
        found = watch.agreement(1, mask(right)[::2, ::2])
    assert found is not None
    assert found > 0.9


def test_an_object_that_was_not_there_before_is_not_compared() -> None:
    watch = MotionWatch()
    watch.look(scene(0))
    watch.agreement(1, mask(0))
    watch.look(scene(1))
    assert watch.agreement(2, mask(1)) is None
    assert watch.agreement(1, mask(1)) is not None
    watch.look(scene(2))
    assert watch.agreement(2, mask(2)) is not None
    watch.forget()
    watch.look(scene(3))
    assert watch.agreement(1, mask(3)) is None


@pytest.mark.parametrize("size", [(1, 1), (5, 300), (23, 23), (300, 24), (700, 500)])
def test_frames_of_any_size_are_compared(size: tuple[int, int]) -> None:
    watch = MotionWatch()
    for seed in range(2):
        watch.look(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8))
        found = watch.agreement(1, np.ones(size, np.bool_))
    assert found == pytest.approx(1, abs=0.01)


def test_empty_masks_agree_and_one_that_vanishes_or_appears_does_not() -> None:
    still = np.stack(np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0])), axis=-1).astype(np.float32)
    empty = np.zeros(SIZE, np.bool_)
    assert agreement(empty, empty, still) == 1
    assert agreement(mask(0), mask(0), still) == 1
    assert agreement(mask(0), empty, still) == agreement(empty, mask(0), still) == 0


def test_factors_fall_with_what_speaks_against_a_mask() -> None:
    assert motion_factor(1) == motion_factor(0.9) == 1
    assert motion_factor(0.76) > DOUBTFUL_SCORE > motion_factor(0.6) > motion_factor(0.4) > motion_factor(0) == LEAST
    assert steadiness(500, 1000) == steadiness(2000, 1000) == steadiness(0, 0) == steadiness(1, 9) == 1
    assert steadiness(0, 5000) < 0.01


def test_true_masks_of_a_real_video_agree_and_degraded_ones_do_not(shared: Path) -> None:
    frames = shared / "davis_dev/JPEGImages/blackswan"
    watch, true, moved, halved = MotionWatch(), [], [], []
    for index in range(8):
        watch.look(np.asarray(Image.open(frames / f"{index:05}.jpg")))
        truth = np.asarray(Image.open(shared / f"davis_dev/Annotations/blackswan/{index:05}.png")) > 0
        if index:
            half = truth & (np.arange(truth.shape[1]) < np.median(np.flatnonzero(truth.any(0))))
            moved.append(motion_factor(watch.agreement(1, np.roll(truth, 40, 1)) or 0))
            halved.append(motion_factor(watch.agreement(1, half) or 0))
            true.append(motion_factor(watch.agreement(1, truth) or 0))
        else:
            watch.agreement(1, truth)
    assert min(true) > 0.9
    assert max(moved) < DOUBTFUL_SCORE
    assert max(halved) < DOUBTFUL_SCORE
