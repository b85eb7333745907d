"""Objects that look alike: each is told by where it was, and whoever is found again after a while need not be it."""

import numpy as np

from sam_annotator.core.tracks import DOUBTFUL_SCORE
from sam_annotator.engine.embedded.memory import Followed, View
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from tests.engine.embedded.painted import HEIGHT, WIDTH, Painted, ellipse, iou, moved, texture


def leaving(count: int, turns: int) -> Painted:
    """An object leaves over the right border, and comes back if it `turns` before the end. The other one stays."""
    face, other, ground = texture(1, (190, 90, 60), 12), texture(2, (184, 96, 66), 12), texture(0, (96, 128, 96), 10)
    standing, nothing = ellipse(70, 110, 26, 17), np.zeros((HEIGHT, WIDTH), bool)
    frames, truth = [], []
    for index in range(count):
        way = 16 * min(index, 2 * turns - index)
        mask = ellipse(150 + way, 60, 26, 17) if way < 150 else nothing
        image = np.where(mask[..., None], moved(face, way, 0), ground)
        image = np.where(standing[..., None], other, image)
        image += np.random.default_rng(index).normal(0, 3, image.shape).astype(np.float32)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
        truth.append({1: mask})
    return Painted(frames, truth)


def answers(video: Painted) -> list[tuple[float, bool, float]]:
    """Overlap with the truth, whether anything was answered, and the score, from the second frame on."""
    propagator = EmbeddedPropagator()
    propagator.begin([video.key_frame(0)])
    found = []
    for index, image in enumerate(video.frames):
        given = video.truth[0] if index == 0 else {}
        answer = propagator.step(index, image, given, frozenset({1}))[1]
        found.append((iou(answer.mask, video.truth[index][1]), bool(answer.mask.any()), answer.score))
    return found[1:]


def test_a_lookalike_that_is_taken_for_an_object_long_gone_stays_doubtful() -> None:
    later = answers(leaving(34, turns=100))[15:]
    assert any(is_there for _, is_there, _ in later), "it is taken for it"
    assert all(score < DOUBTFUL_SCORE - 0.1 for _, _, score in later)


def test_an_object_that_comes_back_is_as_sure_as_before() -> None:
    back = answers(leaving(22, turns=10))[15:]
    assert min(overlap for overlap, _, _ in back) > 0.9
    assert np.mean([score for _, _, score in back]) > 0.65


def test_what_only_shrinks_was_never_away() -> None:
    view = View.of(0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    followed = Followed()
    followed.restart(view, ellipse(120, 80, 40, 40))
    for part, away in ((19, 0), (5, 8), (19, 0)):
        for _ in range(8):
            followed.go_on(view, ellipse(120, 80, part, part), trust=0)
        assert followed.frames_away == away


def test_two_of_a_kind_that_are_both_followed_are_as_sure_as_one() -> None:
    face, ground = texture(1, (190, 90, 60), 12), texture(0, (96, 128, 96), 10)
    places = [{1: ellipse(50 + 2 * i, 40, 24, 18), 2: ellipse(190 - 2 * i, 125, 24, 18)} for i in range(10)]
    shifts = [{1: (2 * i, 0), 2: (140 - 2 * i, 85)} for i in range(10)]
    frames = []
    for truth, shift in zip(places, shifts, strict=True):
        image = ground
        for key, mask in truth.items():
            image = np.where(mask[..., None], moved(face, *shift[key]), image)
        frames.append(np.clip(image, 0, 255).astype(np.uint8))
    video = Painted(frames, places)
    propagator = EmbeddedPropagator()
    propagator.begin([video.key_frame(0)])
    for index in range(1, 10):
        answer = propagator.step(index, frames[index], {}, frozenset({1, 2}))
        for key in (1, 2):
            assert iou(answer[key].mask, places[index][key]) > 0.9
            assert answer[key].score > DOUBTFUL_SCORE + 0.1


def test_after_a_frame_where_it_is_said_to_be_away_what_is_found_is_told_by_the_key_frames() -> None:
    followed = Followed()
    view = View.of(0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    followed.restart(view, ellipse(120, 80, 40, 40))
    assert not followed.may_be_another
    followed.restart(view, np.zeros((HEIGHT, WIDTH), bool))
    assert followed.may_be_another
