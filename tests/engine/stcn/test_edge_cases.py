"""What objects in videos do: appear late, leave, return, shrink to a pixel, touch the border; and long videos."""

import gc

import numpy as np
import pytest
import torch

from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from sam_annotator.engine.stcn.memory import Kind, MemoryPlan
from sam_annotator.engine.stcn.propagator import StcnPropagator
from tests.engine.stcn.small import LEFT, RIGHT, SIZE, TWO, box, frame, small_propagator

NOTHING: Masks = {}
BOTH = frozenset({1, 2})


def run(
    propagator: StcnPropagator, frames: range, given: dict[int, Masks], wanted: frozenset[int] = BOTH
) -> dict[int, dict[int, PropagatedMask]]:
    """The answers of a run that comes by what is given."""
    propagator.begin([])
    return {index: propagator.step(index, frame(index), given.get(index, NOTHING), wanted) for index in frames}


def same(one: PropagatedMask, other: PropagatedMask) -> bool:
    return np.array_equal(one.mask, other.mask) and one.score == other.score


def kinds(propagator: StcnPropagator, object_id: int) -> dict[int, Kind]:
    return propagator._tracker.memory.frames(object_id)


@pytest.mark.parametrize("step", [1, -1])
def test_an_object_that_appears_in_the_middle_is_answered_for_from_there(step: int) -> None:
    frames = range(10, 10 + 6 * step, step)
    appears = frames[3]
    answers = run(small_propagator(), frames, {frames[0]: {1: LEFT}, appears: {2: RIGHT}})
    for place, index in enumerate(frames):
        assert answers[index].keys() == (BOTH if place >= 3 else {1})
    assert np.array_equal(answers[appears][2].mask, RIGHT)
    assert not (answers[appears][1].mask & RIGHT).any()


def test_asking_for_an_object_that_is_not_there_yet_changes_nothing_for_the_others() -> None:
    alone = run(small_propagator(), range(6), {0: {1: LEFT}}, frozenset({1}))
    asked = run(small_propagator(), range(6), {0: {1: LEFT}}, frozenset({1, 2, 7}))
    assert all(same(alone[index][1], asked[index][1]) for index in range(6))


@pytest.mark.parametrize("added", [{2: RIGHT}, {2: box(0, 30, 9, 50), 3: box(10, 30, 20, 50), 4: box(21, 30, 40, 56)}])
def test_objects_added_on_the_way_leave_the_others_bit_by_bit_as_they_are(added: Masks) -> None:
    alone, joined = small_propagator(), small_propagator()
    everyone = frozenset({1, *added})
    apart = run(alone, range(5), {0: {1: LEFT}}, frozenset({1}))
    before = run(joined, range(4), {0: {1: LEFT}}, everyone)
    assert all(same(apart[index][1], before[index][1]) for index in range(4))
    remembered = {index: joined._tracker.memory.value(1, index) for index in kinds(joined, 1)}
    there = joined.step(4, frame(4), added, everyone)
    taken = np.logical_or.reduce(list(added.values()))
    assert np.array_equal(there[1].mask, apart[4][1].mask & ~taken)
    assert kinds(joined, 1) == kinds(alone, 1)
    for index in kinds(joined, 1).keys() & remembered.keys():
        assert torch.equal(joined._tracker.memory.value(1, index), remembered[index])


def test_an_object_that_is_corrected_in_several_frames_keeps_each_of_them() -> None:
    propagator = small_propagator(MemoryPlan(every=2))
    corrected = {2: box(3, 3, 20, 20), 5: box(10, 20, 30, 44), 7: box(0, 0, 40, 56)}
    propagator.begin(KeyFrame(index, frame(index), {1: mask}) for index, mask in corrected.items())
    for index in range(9):
        given = {1: corrected[index]} if index in corrected else TWO if index == 0 else NOTHING
        answers = propagator.step(index, frame(index), given, BOTH)
        if index in corrected:
            assert np.array_equal(answers[1].mask, corrected[index])
            assert answers[1].score == 1
    assert {index for index, kind in kinds(propagator, 1).items() if kind >= Kind.GIVEN} == {0, 2, 5, 7}
    assert {index for index, kind in kinds(propagator, 2).items() if kind >= Kind.GIVEN} == {0}


def test_an_object_may_leave_and_return() -> None:
    nowhere = np.zeros(SIZE, np.bool_)
    answers = run(small_propagator(), range(9), {0: TWO, 3: {1: nowhere}, 6: {1: LEFT}})
    assert not answers[3][1].mask.any()
    assert np.array_equal(answers[6][1].mask, LEFT)
    for index in range(9):
        assert answers[index].keys() == BOTH
        assert all(0 <= answer.score <= 1 for answer in answers[index].values())
        assert not (answers[index][1].mask & answers[index][2].mask).any()


@pytest.mark.parametrize("short_side", [480, 20])
@pytest.mark.parametrize(
    "mask",
    [box(0, 0, 0, 0), box(20, 20, 21, 21), box(0, 0, 1, 1), box(39, 0, 40, 56), box(0, 55, 40, 56), box(0, 0, 40, 56)],
    ids=["empty", "one pixel", "one in the corner", "bottom row", "right column", "everything"],
)
def test_the_smallest_and_the_largest_masks_are_followed_beside_another(mask: np.ndarray, short_side: int) -> None:
    answers = run(small_propagator(short_side=short_side), range(4), {0: {1: mask, 2: RIGHT & ~mask}})
    for index in range(1, 4):
        assert answers[index].keys() == BOTH
        assert all(np.isfinite(answer.score) and 0 <= answer.score <= 1 for answer in answers[index].values())
        assert not (answers[index][1].mask & answers[index][2].mask).any()


def test_a_run_ten_times_as_long_holds_no_more() -> None:
    propagator = small_propagator(MemoryPlan(every=2, working=4))
    size = (16, 16)
    propagator.begin([KeyFrame(999, frame(999, size), {1: box(2, 2, 9, 9, size)})])
    held = {}
    for index in range(151):
        propagator.step(index, frame(index, size), {1: box(2, 2, 9, 9, size)} if index == 0 else NOTHING, BOTH)
        if index in (16, 150):
            gc.collect()
            held[index] = sum(o.nbytes for o in gc.get_objects() if type(o) is torch.Tensor)
    assert held[150] == held[16] > 0
