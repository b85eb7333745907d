"""Between two key frames the weight-free propagator answers from both sides."""

import pickle
from collections.abc import Mapping

import numpy as np
import pytest

from sam_annotator.engine.embedded.contour import NEVER
from sam_annotator.engine.embedded.flow import Floats
from sam_annotator.engine.embedded.memory import Followed
from sam_annotator.engine.embedded.prediction import Prediction
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.embedded.strangers import Strangers
from sam_annotator.engine.embedded.two_sides import LEVELS, LIMIT, Reached, fuse
from sam_annotator.engine.propagator import PropagatedMask, ReachesBack
from tests.engine.embedded.painted import FACES, GROUND, HEIGHT, WIDTH, Painted, ellipse, iou, moved

LAST = 31
ROWS = slice(0, 96)


@pytest.fixture(scope="module")
def twins() -> Painted:
    """Object 1 goes behind a wall, and comes out far from its twin, which it is mistaken for meanwhile."""
    frames, truth = [], []
    wall, twin = np.zeros((HEIGHT, WIDTH), bool), ellipse(25, 15, 14, 14)
    wall[:, 70:120] = True
    for index in range(LAST + 1):
        shape = ellipse(50 + 6 * index, 60, 14, 14)
        image = np.where(twin[..., None], moved(FACES[1], -25, -45), GROUND)
        image = np.where(shape[..., None], moved(FACES[1], 6 * index, 0), image)
        image = np.where(wall[..., None], (60, 60, 70), image)
        frames.append(np.clip(image[ROWS], 0, 255).astype(np.uint8))
        truth.append({1: (shape & ~wall)[ROWS]})
    return Painted(frames, truth)


def between(
    video: Painted, keys: Mapping[int, tuple[int, ...]], *, led_back: bool, backward: bool = False
) -> dict[int, dict[int, PropagatedMask]]:
    """Answers from the first to the last key frame; `keys` tells the objects that are given in each."""
    propagator = EmbeddedPropagator()
    assert isinstance(propagator, ReachesBack)
    propagator.begin([video.key_frame(index, *ids) for index, ids in sorted(keys.items())])
    wanted = frozenset(i for ids in keys.values() for i in ids)
    way = range(max(keys), min(keys) - 1, -1) if backward else range(min(keys), max(keys) + 1)
    given = {index: {i: video.truth[index][i] for i in ids} for index, ids in keys.items()}
    if led_back:
        propagator.begin_back()
        for index in way[:0:-1]:
            propagator.step_back(index, video.frames[index], given.get(index, {}), wanted)
    return {index: propagator.step(index, video.frames[index], given.get(index, {}), wanted) for index in way}


def overlaps(answers: Mapping[int, Mapping[int, PropagatedMask]], video: Painted, indices: range) -> list[float]:
    return [iou(answers[index][1].mask, video.truth[index][1]) for index in indices]


def test_what_only_the_key_frame_ahead_can_know_is_known_far_from_it(twins: Painted) -> None:
    """15 frames from it and more; the pass itself has lost the object behind the wall, and found its twin."""
    far = range(14, 17)
    alone, both = (between(twins, {0: (1,), LAST: (1,)}, led_back=led_back) for led_back in (False, True))
    assert max(overlaps(alone, twins, far)) < 0.1
    assert min(overlaps(both, twins, far)) > 0.8


def test_backward_is_reached_from_both_sides_as_well(twins: Painted) -> None:
    answers = between(twins, {0: (1,), LAST: (1,)}, led_back=True, backward=True)
    assert min(overlaps(answers, twins, range(1, 4))) > 0.8
    assert min(overlaps(answers, twins, range(17, LAST))) > 0.8


def test_the_same_ways_give_the_same_masks(twins: Painted) -> None:
    runs = [between(twins, {0: (1,), 7: (1,)}, led_back=True) for _ in range(2)]
    for index in range(8):
        one, two = (answers[index][1] for answers in runs)
        assert np.array_equal(one.mask, two.mask)
        assert one.score == two.score


def test_an_object_sets_out_at_its_own_key_frame_and_the_first_of_them_is_answered_for_before_it(
    twins: Painted,
) -> None:
    """The twin, object 2, is given from frame 6 on only."""
    twin = ellipse(25, 15, 14, 14)[ROWS]
    video = Painted(twins.frames[:8], [{1: seen[1], 2: twin} for seen in twins.truth[:8]])
    answers = between(video, {0: (1,), 6: (1, 2), 7: (2,)}, led_back=True)
    assert all(answers[index].keys() == {1, 2} for index in range(7))
    assert not any((answer[1].mask & answer[2].mask).any() for index, answer in answers.items() if index < 7)
    assert min(iou(answers[index][2].mask, twin) for index in range(1, 6)) > 0.9
    assert min(overlaps(answers, video, range(1, 5))) > 0.9


def test_what_is_kept_of_ways_back_is_small_and_gone_when_the_run_has_come_by(twins: Painted) -> None:
    propagator, one = EmbeddedPropagator(), frozenset({1})
    propagator.begin([twins.key_frame(0), twins.key_frame(12)])
    kept = []
    for _ in range(2):
        propagator.begin_back()
        for index in range(12, 0, -1):
            propagator.step_back(index, twins.frames[index], twins.truth[12] if index == 12 else {}, one)
        kept.append(len(pickle.dumps(propagator._reached)))
    assert kept[0] == kept[1] < 11 * 5000
    for index in range(1, 12):
        propagator.step(index, twins.frames[index], {}, one)
    assert not propagator._reached


def prediction(odds: Floats) -> Prediction:
    """As if all voices agreed on these log odds."""
    return Prediction(odds, odds, odds, odds)


def followed(steps: int, *, is_doubtful: bool = False) -> Followed:
    """An object whose mask was true so many frames before frame 50."""
    return Followed(true_index=50 - steps, is_doubtful=is_doubtful)


def test_log_odds_come_back_as_they_were_kept_but_for_half_a_level() -> None:
    odds = np.random.default_rng(0).uniform(-9, 9, (60, 90)).astype(np.float32)
    odds[:, :30] = NEVER
    for kept in (odds, np.full_like(odds, NEVER)):
        back = Reached.of(prediction(kept), kept > 0, followed(4), 50).odds()
        assert np.abs(back - np.clip(kept, -LIMIT, LIMIT)).max() <= LIMIT / LEVELS / 2 + 1e-5


@pytest.mark.parametrize(
    ("own", "other", "winner"),
    [
        (followed(4), followed(9), "own"),
        (followed(9), followed(4), "other"),
        (followed(4, is_doubtful=True), followed(7), "other"),
        (followed(20), followed(20, is_doubtful=True), "own"),
    ],
)
def test_where_the_sides_differ_the_nearer_one_wins_and_one_that_had_lost_it_only_from_very_near(
    own: Followed, other: Followed, winner: str
) -> None:
    here, there = (np.full((20, 30), -9, np.float32) for _ in range(2))
    here[5:15, 2:12] = there[5:15, 18:28] = 5
    reached = Reached.of(prediction(there), there > 0, other, 50)
    fused = fuse(prediction(here), own, 50, reached)
    assert np.array_equal(fused.odds > 0, (here if winner == "own" else there) > 0)


def test_a_side_that_has_lost_the_object_leaves_the_word_to_the_other_however_near_it_is() -> None:
    nowhere, there = np.full((20, 30), NEVER, np.float32), np.full((20, 30), -9, np.float32)
    there[5:15, 18:28] = 5
    reached = Reached.of(prediction(there), there > 0, followed(30), 50)
    fused = fuse(prediction(nowhere), followed(2), 50, reached)
    assert np.array_equal(fused.odds > 0, there > 0)
    assert fused.score(there > 0) > 0.9
    lost = Reached.of(prediction(nowhere), nowhere > 0, followed(2), 50)
    fused = fuse(prediction(there), followed(30), 50, lost)
    assert np.array_equal(fused.odds > 0, there > 0)
    assert fused.score(np.zeros((20, 30), bool)) == 0


def test_who_takes_the_word_of_a_side_that_had_lost_the_object_shares_its_doubt() -> None:
    nowhere, there = np.full((20, 30), NEVER, np.float32), np.full((20, 30), -9, np.float32)
    there[5:15, 18:28] = 5
    for doubtful in (True, False):
        one, other = followed(3), followed(9, is_doubtful=doubtful)
        fuse(prediction(nowhere), one, 50, Reached.of(prediction(there), there > 0, other, 50))
        assert one.is_doubtful == doubtful
    one = followed(3)
    fuse(prediction(there), one, 50, Reached.of(prediction(there), there > 0, followed(9, is_doubtful=True), 50))
    assert not one.is_doubtful


def test_what_the_other_side_has_is_no_stranger_though_it_came_in_over_the_edge_on_this_one() -> None:
    there = np.full((20, 30), -9, np.float32)
    there[0:5, 18:28] = 5
    one = followed(9)
    one.strangers = Strangers(np.ones((20, 30), np.float32), np.ones((20, 30), np.float32))
    fuse(prediction(there), one, 50, Reached.of(prediction(there), there > 0, followed(9), 50))
    assert np.array_equal(one.strangers.entered > 0, there < 0)
    assert np.array_equal(one.strangers.refused > 0, there < 0)
    doubtful = Reached.of(prediction(there), there > 0, followed(9, is_doubtful=True), 50)
    one.strangers = Strangers(np.ones((20, 30), np.float32), np.ones((20, 30), np.float32))
    fuse(prediction(there), one, 50, doubtful)
    assert one.strangers.refused.all()


def test_from_where_an_object_is_said_to_be_away_no_word_comes_of_the_frames_before(twins: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([twins.key_frame(0, 1)])
    propagator.begin_back()
    given = {4: twins.truth[4], 2: {1: np.zeros_like(twins.truth[0][1])}}
    for index in range(4, -1, -1):
        propagator.step_back(index, twins.frames[index], given.get(index, {}), frozenset({1}))
    assert propagator._reached.keys() == {3}
