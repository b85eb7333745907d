"""What the weight-free propagator sees in surfaces whose colours are alike: grain and stripes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import GlobalModel, gather_evidence, global_grid
from sam_annotator.engine.embedded.flow import signed_distance
from sam_annotator.engine.embedded.memory import StoredKeyFrame, View
from sam_annotator.engine.embedded.texture import DIRECTIONS, find_grain, find_stripes

HEIGHT, WIDTH = 480, 854
SIZE = 240, 427
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def noise(seed: int, softness: float) -> Floats:
    """Grey noise around 0 of standard deviation 1, in grains of about `softness` pixels."""
    soft = cv2.GaussianBlur(np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH)), (0, 0), softness)
    return np.asarray(soft / soft.std(), np.float32)


def rug(inside: Mask, seed: int) -> NDArray[np.uint8]:
    """An object of the same mean colour as the rest, but of finer grain: uint8 RGB."""
    grey = 120 + 12 * np.where(inside, noise(seed, 0.6), noise(seed + 1, 3.0))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def disc(x: float, y: float, radius: float, size: tuple[int, int]) -> Mask:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def test_grain_is_told_apart_by_its_size() -> None:
    grid = global_grid(SIZE)
    fine, coarse = (
        find_grain(np.clip(120 + 12 * noise(0, softness), 0, 255).astype(np.uint8), grid).mean((0, 1))
        for softness in (0.6, 3.0)
    )
    assert fine[0] > 4 * coarse[0]
    assert coarse[2] > 1.5 * fine[2]


def test_stripes_are_counted_where_they_point() -> None:
    strength = np.ones(SIZE, np.float32)
    for direction in range(DIRECTIONS):
        angle = np.pi * direction / DIRECTIONS
        stripes = find_stripes(strength * np.float32(np.cos(angle)), strength * np.float32(np.sin(angle)), (60, 107))
        counted = stripes.mean((0, 1))
        assert counted.argmax() == direction
        assert np.isclose(counted.sum(), 1, atol=1e-3)


def test_an_object_is_known_by_its_grain_alone() -> None:
    """Grain that is lost at working size, in another place and seen anew: nothing else tells the object."""
    first, later = disc(130, 120, 55, SIZE), disc(300, 120, 55, SIZE)
    seen = [View.of(i, rug(disc(x, 240, 110, (HEIGHT, WIDTH)), 10 * i)) for i, x in enumerate((260, 600))]
    evidence = gather_evidence(seen[0].appearance, signed_distance(first))
    assert evidence is not None
    model = GlobalModel()
    model.learn_key_frame(evidence)
    odds = model.sampled_log_odds(seen[1].appearance)
    inside = later[2::4, 2::4]
    assert (odds[inside] > 0).mean() > 0.85
    assert (odds[~inside] < 0).mean() > 0.85


def test_a_stored_key_frame_keeps_the_grain_that_its_small_image_has_lost() -> None:
    image = rug(disc(260, 240, 110, (HEIGHT, WIDTH)), 0)
    looked_at = View.of(3, image).appearance
    stored = StoredKeyFrame.of(3, image, {1: disc(130, 120, 55, SIZE)}, SIZE).view().appearance
    assert np.allclose(stored.grain, looked_at.grain, rtol=0.01, atol=0.01)
    assert np.allclose(stored.wide, looked_at.wide, atol=0.05)


def test_an_image_that_is_smaller_than_working_size_has_a_grain_too() -> None:
    small = cv2.resize(rug(disc(260, 240, 110, (HEIGHT, WIDTH)), 0), (100, 60), interpolation=cv2.INTER_AREA)
    appearance = View.of(0, small).appearance
    assert appearance.grain.shape[:2] == global_grid((60, 100)) == appearance.wide.shape[:2]
