"""Sizes, shares and scores."""

import numpy as np
import pytest
import torch

from sam_annotator.core.tracks import DOUBTFUL_SCORE
from sam_annotator.engine.stcn.aggregate import aggregate
from sam_annotator.engine.stcn.score import certainty, edge_sharpness, find_signs
from sam_annotator.engine.stcn.working import WorkingSize


@pytest.mark.parametrize(
    ("size", "inner", "pads"),
    [
        ((150, 266), (150, 266), (3, 3, 5, 5)),
        ((480, 854), (480, 854), (5, 5, 0, 0)),
        ((720, 1280), (480, 853), (5, 6, 0, 0)),
        ((1920, 1080), (853, 480), (0, 0, 5, 6)),
        ((1, 1), (1, 1), (7, 8, 7, 8)),
        ((2000, 1), (2000, 1), (7, 8, 0, 0)),
    ],
)
def test_frames_are_scaled_down_but_never_up_and_padded_on_both_sides(
    size: tuple[int, int], inner: tuple[int, int], pads: tuple[int, int, int, int]
) -> None:
    working = WorkingSize.of(*size, 480)
    assert (working.inner, working.pads) == (inner, pads)
    mask = working.mask(np.ones(size, np.bool_))
    assert all(side % 16 == 0 for side in mask.shape)
    assert float(mask.sum()) == inner[0] * inner[1]
    assert working.without_pads(mask).shape == inner
    np.testing.assert_allclose(working.enlarged(mask), np.ones(size), rtol=1e-6)


def test_a_frame_is_normalised_and_its_pads_are_zero() -> None:
    working = WorkingSize.of(20, 30, 480)
    frame = working.frame(np.full((20, 30, 3), 255, np.uint8))
    assert frame.shape == (1, 3, 32, 32)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(frame[0, :, 6, 1], expected, rtol=1e-6)
    assert frame[..., :6, :].abs().max() == 0


@pytest.mark.parametrize("objects", [0, 1, 2, 40])
def test_shares_sum_up_to_one_and_are_finite_at_the_extremes(objects: int) -> None:
    probabilities = torch.rand(objects, 6, 7)
    probabilities[:, :3] = probabilities[:, :3].round()
    shares = aggregate(probabilities)
    assert shares.shape == (objects + 1, 6, 7)
    assert shares.isfinite().all()
    torch.testing.assert_close(shares.sum(0), torch.ones(6, 7))


def test_one_object_alone_keeps_what_it_has() -> None:
    torch.testing.assert_close(aggregate(torch.full((1, 2, 2), 0.5))[1], torch.full((2, 2), 0.5))
    assert (aggregate(torch.ones(1, 2, 2))[1] > 0.999).all()
    assert (aggregate(torch.zeros(1, 2, 2))[1] < 0.001).all()


def planes_of(share: torch.Tensor) -> torch.Tensor:
    return torch.stack([1 - share, share])


def square() -> torch.Tensor:
    mask = torch.zeros(60, 60, dtype=torch.bool)
    mask[10:50, 10:50] = True
    return mask


def test_a_sure_answer_is_certain_and_an_undecided_one_is_not() -> None:
    mask, nowhere = square(), torch.zeros(60, 60, dtype=torch.bool)
    assert certainty(planes_of(torch.where(mask, 0.99, 0.01)), 1, mask) > 0.95
    assert certainty(planes_of(torch.where(mask, 0.52, 0.45)), 1, mask) < 0.4
    assert certainty(planes_of(torch.full((60, 60), 0.02)), 1, nowhere) == pytest.approx(0.98)
    assert certainty(planes_of(torch.full((60, 60), 0.45)), 1, nowhere) == pytest.approx(0.55)


def test_an_object_beside_one_that_is_nearly_as_likely_is_less_certain() -> None:
    mask = square()
    alone = torch.stack([torch.where(mask, 0.2, 1.0), torch.where(mask, 0.6, 0.0), torch.where(mask, 0.2, 0.0)])
    contested = torch.stack([torch.where(mask, 0.0, 1.0), torch.where(mask, 0.6, 0.0), torch.where(mask, 0.4, 0.0)])
    assert certainty(contested, 1, mask) < certainty(alone, 1, mask)


def test_an_edge_that_is_smeared_is_not_sharp() -> None:
    mask = square()
    steps = torch.arange(60).sub(29.5).abs()
    distance = 20 - torch.maximum(steps[:, None], steps[None])  # to the edge, positive inside
    sharpness = [edge_sharpness(torch.sigmoid(distance / soft), mask) for soft in (0.3, 0.6, 2, 4, 100)]
    assert sharpness[:2] == [1, 1]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("filled", [0, 1])
def test_signs_of_a_mask_without_an_edge(filled: int) -> None:
    mask = torch.full((20, 30), bool(filled))
    signs = find_signs(planes_of(torch.full((20, 30), float(filled))), 1, mask, None, None)
    assert (signs.edge, signs.area, signs.motion) == (1, 1, 1)
    assert signs.score == pytest.approx(1, abs=1e-5)


def test_each_sign_takes_the_score_down() -> None:
    mask = square()
    planes = planes_of(torch.where(mask, 0.999, 0.001))
    good = find_signs(planes, 1, mask, 1600.0, 0.95).score
    assert good > 0.95
    for worse in (
        find_signs(planes_of(torch.where(mask, 0.6, 0.3)), 1, mask, 1600.0, 0.95),
        find_signs(planes, 1, mask, 8000.0, 0.95),
        find_signs(planes, 1, mask, 1600.0, 0.4),
    ):
        assert worse.score < DOUBTFUL_SCORE < good
