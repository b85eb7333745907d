"""Videos with cuts: what was in one scene is looked for in the next, not carried into it."""

import cv2
import numpy as np
import pytest

from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from tests.engine.embedded.painted import HEIGHT, WIDTH, Painted, ellipse, iou, moved, paint


@pytest.fixture(scope="module")
def cut() -> Painted:
    """An object, from frame 5 to 8 another scene, then the object again."""
    video = paint(14, lambda index: {1: ellipse(70 + 3 * index, 80, 30, 22)}, {1: (3, 0)})
    tiles = np.random.default_rng(2).integers((20, 60, 60), (80, 200, 200), (HEIGHT // 32, WIDTH // 32 + 1, 3))
    elsewhere = cv2.resize(tiles.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    frames = list(video.frames)
    for index in range(5, 9):
        frames[index] = moved(elsewhere, index, 0).astype(np.uint8)
    nothing = np.zeros_like(video.truth[0][1])
    return Painted(frames, [{1: nothing} if 5 <= i < 9 else video.truth[i] for i in range(14)])


def test_nothing_is_carried_over_a_cut_and_the_object_is_found_after_the_next(cut: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([cut.key_frame(0)])
    answers = [propagator.step(i, cut.frames[i], {}, frozenset({1}))[1] for i in range(14)]
    assert all(iou(answers[i].mask, cut.truth[i][1]) > 0.85 for i in (*range(5), *range(9, 14)))
    assert all(not answers[i].mask.any() and answers[i].score == 0 for i in range(5, 9))


def test_what_is_found_after_a_cut_is_scored_by_the_key_frames(cut: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([cut.key_frame(0)])
    followed = propagator._objects[1]
    for index in (*range(5), 9):
        propagator.step(index, cut.frames[index], {}, frozenset({1}))
        assert followed.may_be_another == (index == 9 and not followed.true_index)
