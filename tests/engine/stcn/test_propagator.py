"""The laws of the contract, with the real classes and random weights."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from sam_annotator.engine.stcn.memory import Kind, MemoryPlan
from sam_annotator.engine.stcn.propagator import StcnPropagator
from tests.engine.stcn.small import LEFT, RIGHT, SIZE, TWO, box, frame, small_network, small_propagator

BOTH = frozenset({1, 2})
NOTHING: Masks = {}

Answers = dict[int, PropagatedMask]


def start(propagator: StcnPropagator, given: Masks = TWO) -> None:
    propagator.begin([])
    propagator.step(0, frame(0), given, frozenset(given))


def go(propagator: StcnPropagator, frames: range, wanted: frozenset[int] = BOTH) -> list[Answers]:
    return [propagator.step(index, frame(index), NOTHING, wanted) for index in frames]


def remembered(propagator: StcnPropagator, object_id: int) -> dict[int, Kind]:
    return propagator._tracker.memory.frames(object_id)


def test_each_object_that_is_remembered_is_answered_for() -> None:
    propagator = small_propagator()
    start(propagator)
    for answers in go(propagator, range(1, 4)):
        assert answers.keys() == BOTH
        for answer in answers.values():
            assert answer.mask.shape == SIZE
            assert answer.mask.dtype == np.bool_
            assert 0 <= answer.score <= 1


def test_a_network_that_answers_with_no_numbers_is_an_error_and_no_empty_mask() -> None:
    network = small_network()
    with torch.no_grad():
        network.decoder.pred.bias[:] = float("nan")
    propagator = StcnPropagator(network, name="STCN, small")
    start(propagator)
    with pytest.raises(EngineError, match=r"STCN, small answered with what are no numbers.*--propagator embedded"):
        propagator.step(1, frame(1), NOTHING, BOTH)


@pytest.mark.parametrize("short_side", [480, 24])
def test_no_two_objects_share_a_pixel(short_side: int) -> None:
    propagator = small_propagator(short_side=short_side)
    start(propagator, {**TWO, 3: box(0, 0, 4, 56), 0: box(36, 0, 40, 56)})
    competitor = box(12, 12, 20, 40)
    for index in range(1, 5):
        answers = propagator.step(index, frame(index), {9: competitor}, frozenset({0, 1, 2, 3}))
        assert answers.keys() == {0, 1, 2, 3}
        covered = competitor.astype(int) + sum(answer.mask.astype(int) for answer in answers.values())
        assert covered.max() <= 1


def test_an_object_that_was_not_given_yet_has_no_answer() -> None:
    propagator = small_propagator()
    start(propagator, {1: LEFT})
    assert propagator.step(1, frame(1), NOTHING, BOTH).keys() == {1}
    assert propagator.step(2, frame(2), {2: RIGHT}, BOTH).keys() == BOTH
    assert propagator.step(3, frame(3), NOTHING, BOTH).keys() == BOTH
    propagator.begin([])
    assert propagator.step(0, frame(0), NOTHING, BOTH) == {}


def test_others_only_compete_and_are_not_remembered() -> None:
    propagator = small_propagator()
    start(propagator, {1: LEFT})
    assert propagator.step(1, frame(1), {2: RIGHT}, frozenset({1})).keys() == {1}
    assert propagator.step(2, frame(2), NOTHING, BOTH).keys() == {1}


def test_given_masks_are_returned_unchanged_and_remembered() -> None:
    propagator = small_propagator(short_side=16)
    start(propagator)
    speckled = np.random.default_rng(1).random(SIZE) > 0.5
    answer = propagator.step(1, frame(1), {1: speckled}, BOTH)[1]
    assert np.array_equal(answer.mask, speckled)
    assert answer.mask is not speckled
    assert answer.score == 1
    assert remembered(propagator, 1) == {0: Kind.GIVEN, 1: Kind.GIVEN}
    assert remembered(propagator, 2) == {0: Kind.GIVEN, 1: Kind.LAST}


def test_key_frames_are_learned_before_the_run_and_kept_for_good() -> None:
    propagator = small_propagator(MemoryPlan(every=1, working=2))
    propagator.begin(KeyFrame(index, frame(index), {1: LEFT}) for index in (30, 50))
    go(propagator, range(30))
    kinds = remembered(propagator, 1)
    assert [index for index, kind in kinds.items() if kind == Kind.KEY] == [30, 50]
    assert list(kinds.values()).count(Kind.WORKING) == 2
    propagator.begin([])
    assert remembered(propagator, 1) == {}


def test_memory_does_not_grow_with_the_run() -> None:
    propagator = small_propagator(MemoryPlan(every=2, working=4, given=3))
    start(propagator)
    for index in range(1, 60):
        propagator.step(index, frame(index), {1: LEFT} if index % 7 == 0 else NOTHING, BOTH)
    assert len(remembered(propagator, 1)) <= 3 + 4 + 1
    assert len(remembered(propagator, 2)) <= 3 + 4 + 1
    assert len(propagator._tracker.memory._keys) <= 12


def test_the_same_run_gives_the_same_answers() -> None:
    runs = []
    propagator = small_propagator()
    for _ in range(2):
        start(propagator)
        runs.append(go(propagator, range(1, 8)))
    for first, second in zip(*runs, strict=True):
        assert first.keys() == second.keys()
        for object_id, answer in first.items():
            assert np.array_equal(answer.mask, second[object_id].mask)
            assert answer.score == second[object_id].score


def test_an_object_added_on_the_way_leaves_the_memory_of_the_others_as_it_is() -> None:
    alone, joined = small_propagator(), small_propagator()
    for propagator in (alone, joined):
        start(propagator, {1: LEFT})
        go(propagator, range(1, 6), frozenset({1}))
    before = {index: joined._tracker.memory.value(1, index) for index in remembered(joined, 1)}
    added = joined.step(6, frame(6), {2: RIGHT}, BOTH)
    apart = alone.step(6, frame(6), NOTHING, frozenset({1}))
    for index in remembered(joined, 1).keys() & before.keys():
        assert torch.equal(joined._tracker.memory.value(1, index), before[index])
    assert remembered(joined, 1) == remembered(alone, 1)
    assert not added[1].mask[RIGHT].any()
    assert np.array_equal(added[1].mask, apart[1].mask & ~RIGHT)


@pytest.mark.parametrize(
    "mask",
    [box(0, 0, 0, 0), box(20, 20, 21, 21), box(0, 0, 40, 56), box(0, 0, 3, 56), box(39, 55, 40, 56)],
    ids=["empty", "one pixel", "everything", "at the border", "one pixel in the corner"],
)
@pytest.mark.parametrize("short_side", [480, 10])
def test_any_mask_is_carried(mask: np.ndarray, short_side: int) -> None:
    propagator = small_propagator(short_side=short_side)
    propagator.begin([KeyFrame(3, frame(3), {1: mask}), KeyFrame(4, frame(4), {})])
    assert np.array_equal(propagator.step(0, frame(0), {1: mask}, BOTH)[1].mask, mask)
    answer = propagator.step(1, frame(1), {2: mask}, frozenset({1}))[1]
    assert np.isfinite(answer.score)
    assert not (answer.mask & mask).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (17, 16), (50, 7)])
def test_frames_of_any_size_are_answered(size: tuple[int, int]) -> None:
    propagator = small_propagator(short_side=24)
    propagator.begin([])
    propagator.step(0, frame(0, size), {1: box(0, 0, 9, 5, size)}, BOTH)
    assert propagator.step(1, frame(1, size), NOTHING, BOTH)[1].mask.shape == size


def test_a_run_may_go_backward() -> None:
    propagator = small_propagator(MemoryPlan(every=2))
    propagator.begin([])
    propagator.step(9, frame(9), TWO, BOTH)
    go(propagator, range(8, -1, -1))
    assert [i for i, kind in remembered(propagator, 1).items() if kind == Kind.WORKING] == [7, 5, 3, 1]


def test_many_objects_are_answered_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {object_id: box(4 * object_id, 3, 4 * object_id + 4, 50) for object_id in range(1, 8)}
    runs = []
    for together in (8, 2):
        monkeypatch.setattr("sam_annotator.engine.stcn.tracker.OBJECTS_TOGETHER", together)
        propagator = small_propagator()
        start(propagator, given)
        runs.append(go(propagator, range(1, 3), frozenset(given))[-1])
    for object_id, answer in runs[0].items():
        assert runs[1][object_id].score == pytest.approx(answer.score, abs=1e-3)


def test_a_run_that_was_left_at_any_point_does_not_show_in_the_next() -> None:
    propagator = small_propagator()
    start(propagator)
    expected = go(propagator, range(1, 3))[-1]
    for broken in range(3):

        def key_frames(stop: int = broken) -> Iterator[KeyFrame]:
            for index in range(stop):
                yield KeyFrame(index, frame(index + 50), {1: RIGHT, 5: LEFT})
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            propagator.begin(key_frames())
        start(propagator)
        answers = go(propagator, range(1, 3))[-1]
        assert answers.keys() == expected.keys()
        assert all(np.array_equal(answers[i].mask, expected[i].mask) for i in expected)


@pytest.mark.parametrize("short_side", [480, 24])
def test_the_area_of_a_given_mask_is_what_the_next_one_is_compared_with(short_side: int) -> None:
    propagator = small_propagator(short_side=short_side)
    start(propagator)
    assert propagator._areas[1] == pytest.approx(LEFT.mean(), rel=0.1)


def test_the_score_falls_where_the_object_changes_its_size_at_once() -> None:
    propagator = small_propagator()
    start(propagator)
    first = go(propagator, range(1, 2))[0][1]
    start(propagator)
    propagator._areas[1] = 1e9
    assert go(propagator, range(1, 2))[0][1].score < first.score / 10


def test_frames_and_masks_that_do_not_fit_are_errors_that_say_which() -> None:
    propagator = small_propagator()
    start(propagator)
    with pytest.raises(EngineError, match="Frame 1 is 30 x 20 pixels"):
        propagator.step(1, frame(1, (20, 30)), NOTHING, BOTH)
    with pytest.raises(EngineError, match="mask of object 7 in frame 1"):
        propagator.step(1, frame(1), {7: box(0, 0, 1, 1, (20, 30))}, BOTH)
    with pytest.raises(EngineError, match="must be an array uint8"):
        propagator.step(1, frame(1).astype(np.float32), NOTHING, BOTH)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="mask of object 1 in frame 0"):
        propagator.begin([KeyFrame(0, frame(0, (20, 30)), {1: LEFT})])


def test_a_failure_of_the_model_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    propagator = small_propagator()
    start(propagator)

    def fail(*_: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered.\nMore.")

    monkeypatch.setattr(propagator._tracker._network, "encode_frame", fail)
    with pytest.raises(EngineError, match=r"STCN, small failed: CUDA error: an illegal.*--propagator embedded"):
        go(propagator, range(1, 2))


def test_the_identity_tells_weights_and_sizes_apart() -> None:
    network, others = small_network(), small_network()
    same = [StcnPropagator(network, name="STCN, small").identity for _ in "12"]
    assert same[0] == same[1]
    with torch.no_grad():
        next(others.parameters()).view(-1)[0] += 0.001
    changed = StcnPropagator(others, name="STCN, small").identity
    smaller = StcnPropagator(network, name="STCN, small", short_side=240).identity
    assert len({same[0], changed, smaller}) == 3
