"""Objects that fall between the samples of the global model's grid, and ones that leave hardly any background."""

import numpy as np
import pytest

from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import KeyFrame
from tests.engine.embedded.painted import (
    FACES,
    GROUND,
    HEIGHT,
    WIDTH,
    Mask,
    Painted,
    ellipse,
    iou,
    moved,
    texture,
)


def followed(mask: Mask) -> Mask:
    """The answer for the next frame of a video that rests."""
    image = np.clip(np.where(mask[..., None], FACES[1], GROUND), 0, 255).astype(np.uint8)
    propagator = EmbeddedPropagator()
    propagator.begin([KeyFrame(0, image, {1: mask})])
    return propagator.step(1, image, {}, frozenset({1}))[1].mask


def test_an_object_between_the_samples_is_followed() -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[79:82, 60:120] = True
    assert not mask[2::4, 2::4].any()
    assert followed(mask).any()


def thrown(radius: float, hidden: range = range(0)) -> Painted:
    """A red dot on its way over a lawn, not to be seen in some frames."""
    lawn, nothing = texture(0, (96, 128, 96), 8), np.zeros((HEIGHT, WIDTH), bool)
    masks = [
        nothing if index in hidden else ellipse(60.5 + 2.5 * index, 50.5 + index, radius, radius) for index in range(10)
    ]
    frames = [
        np.where(mask[..., None], np.float32([200, 60, 50]), moved(lawn, 0.5 * i, 0)) for i, mask in enumerate(masks)
    ]
    return Painted([np.clip(frame, 0, 255).astype(np.uint8) for frame in frames], [{1: mask} for mask in masks])


def overlaps(video: Painted) -> list[float]:
    propagator = EmbeddedPropagator()
    propagator.begin([video.key_frame(0)])
    answers = []
    for index, image in enumerate(video.frames):
        given = video.truth[0] if index == 0 else {}
        answers.append(propagator.step(index, image, given, frozenset({1}))[1].mask)
    return [iou(answer, truth[1]) for answer, truth in zip(answers, video.truth, strict=True)]


@pytest.mark.parametrize("radius", [1.2, 2.2, 3.2])
def test_a_dot_is_followed_on_its_way(radius: float) -> None:
    assert min(overlaps(thrown(radius))) > 0.4


def test_a_dot_that_was_hidden_is_found_again() -> None:
    assert min(overlaps(thrown(1.5, range(4, 7)))[-2:]) > 0.4


@pytest.mark.parametrize("rim", [0, 1, 2])
def test_an_object_that_fills_the_frame_stays(rim: int) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rim : HEIGHT - rim, rim : WIDTH - rim] = True
    assert followed(mask).mean() > 0.9
