"""A track that drifts has lower scores than one that does not, through the whole propagator."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sam_annotator.core.tracks import DOUBTFUL_SCORE
from tests.engine.stcn.small import small_propagator
from tests.engine.test_drift import SIZE, mask, scene

STEP, FRAMES = 6, 8
"""Pixels that the square moves in each of so many frames."""


def shares(plane: np.ndarray, softness: float) -> torch.Tensor:
    """What a network would give for a mask: float32 (1, height, width)."""
    distance = cv2.distanceTransform(plane.astype(np.uint8), cv2.DIST_L2, 5)
    distance -= cv2.distanceTransform((~plane).astype(np.uint8), cv2.DIST_L2, 5)
    return torch.sigmoid(torch.from_numpy(distance) / softness)[None]


def scores_of(monkeypatch: pytest.MonkeyPatch, track: Any) -> list[float]:
    """The scores of a run whose network answers with (mask, softness of its edge) = track(frame)."""
    propagator, now = small_propagator(), [0]
    monkeypatch.setattr(propagator._tracker.network, "decode", lambda *_: shares(*track(now[0]))[None])
    propagator.begin([])
    propagator.step(0, scene(0), {1: mask(0)}, frozenset({1}))
    scores = []
    for now[0] in range(1, FRAMES):
        scores.append(propagator.step(now[0], scene(STEP * now[0]), {}, frozenset({1}))[1].score)
    return scores


def test_a_track_that_follows_its_object_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert min(scores_of(monkeypatch, lambda index: (mask(STEP * index), 0.6))) > 0.9


@pytest.mark.parametrize(
    "drifts",
    [
        lambda index: (np.roll(mask(STEP * index), 12 * index, 0), 0.6),
        lambda index: (mask(STEP * index), 1.0 + index),
        lambda index: (mask(STEP * index) & (np.arange(SIZE[1]) < (150 if index < 4 else 90)), 0.6),
        lambda index: (cv2.dilate(mask(STEP * index).astype(np.uint8), np.ones((40 * index, 40 * index))) > 0, 0.6),
    ],
    ids=["slides off", "becomes undecided", "loses a part", "floods"],
)
def test_a_track_that_drifts_is_doubtful_at_its_worst(monkeypatch: pytest.MonkeyPatch, drifts: Any) -> None:
    good = scores_of(monkeypatch, lambda index: (mask(STEP * index), 0.6))
    drifting = scores_of(monkeypatch, drifts)
    assert min(drifting) < DOUBTFUL_SCORE < min(good)
    assert np.mean(drifting) < np.mean(good) - 0.1
