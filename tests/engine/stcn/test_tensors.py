"""Sizes, shares and scores."""

import numpy as np
import pytest
import torch

from sam_annotator.engine.stcn.aggregate import aggregate
from sam_annotator.engine.stcn.score import certainty, drift_score, steadiness
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


def test_a_sure_answer_scores_high_and_an_undecided_one_low() -> None:
    mask = torch.zeros(40, 40, dtype=torch.bool)
    mask[10:30, 10:30] = True
    sure = torch.where(mask, 0.99, 0.01)
    undecided = torch.where(mask, 0.52, 0.45)
    assert certainty(sure, mask) > 0.95
    assert certainty(undecided, mask) < 0.4
    nowhere = torch.zeros_like(mask)
    assert certainty(torch.full((40, 40), 0.02), nowhere) == pytest.approx(0.98)
    assert certainty(torch.full((40, 40), 0.45), nowhere) == pytest.approx(0.55)


def test_an_area_may_change_by_half_or_double_before_the_score_falls() -> None:
    assert steadiness(500, 1000) == 1
    assert steadiness(2000, 1000) == 1
    assert steadiness(0, 0) == 1
    assert steadiness(1, 9) == 1
    assert steadiness(0, 5000) < 0.01
    mask = torch.ones(4, 4, dtype=torch.bool)
    assert drift_score(torch.ones(4, 4), mask, None) == 1
    assert drift_score(torch.ones(4, 4), mask, 16000) < 0.01
