"""Objects that fall between the samples of the global model's grid, and ones that leave hardly any background."""

import numpy as np
import pytest

from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import KeyFrame
from tests.engine.embedded.painted import FACES, GROUND, HEIGHT, WIDTH, Mask


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


@pytest.mark.parametrize("rim", [0, 1, 2])
def test_an_object_that_fills_the_frame_stays(rim: int) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[rim : HEIGHT - rim, rim : WIDTH - rim] = True
    assert followed(mask).mean() > 0.9
