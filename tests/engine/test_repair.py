"""A correction is carried on both ways until the masks agree with the old ones, and no further than it has to."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.errors import InputError
from sam_annotator.core.repair_notes import unsettled
from sam_annotator.core.run_journal import KEPT_RUNS, last_run, take_back_last_run
from sam_annotator.core.run_records import runs_folder
from sam_annotator.core.steps import finished
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import change_object_id
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest
from sam_annotator.engine.propagation import FrameDone, propagate
from sam_annotator.engine.propagator import Masks, PropagatedMask
from sam_annotator.engine.repair import Agreement, Correction, Repaired, find_corrections, repair_steps
from sam_annotator.engine.runs import FillOptions, fill_video, run_repair, run_request
from tests.engine.moving_propagator import (
    HEIGHT,
    WIDTH,
    MovingPropagator,
    all_files,
    box,
    draw,
    make_video,
    mask_at,
    moved,
    say_absent,
    tracks_of,
)

LENGTH = 24
REACH = 2
"""How many frames a correction is felt."""


class HealingPropagator(MovingPropagator):
    """Everything stays where it is; a mask that was given is carried on for REACH frames, then it is as always."""

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        self.steps.append(index)
        self.on_step(index)
        answers = {}
        for object_id in sorted(wanted):
            if object_id in given:
                self.last[object_id] = index, given[object_id]
            at, mask = self.last[object_id]
            if object_id not in given:
                answers[object_id] = PropagatedMask(mask if abs(index - at) <= REACH else usual(object_id), 0.9)
        return answers


def usual(object_id: int) -> NDArray[np.bool_]:
    return box(20 * object_id, 10)


def corrected_anew(store: AnnotationStore, video: Video, *frames: int) -> None:
    for frame in frames:
        draw(store, video, frame, {1: box(30, 20)})


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


@pytest.fixture
def video(tmp_path: Path, store: AnnotationStore) -> Video:
    """Two objects, propagated from frame 0 to frame 20 of 24."""
    return make(tmp_path, store)


def make(folder: Path, store: AnnotationStore) -> Video:
    video = make_video(folder, LENGTH)
    draw(store, video, 0, {1: usual(1), 2: usual(2)})
    list(propagate(video, store, HealingPropagator(), PropagationRequest((1, 2), 0, 0, 20)))
    return video


def repair(
    video: Video, store: AnnotationStore, frame: int, ids: tuple[int, ...] = (1,), **options: Agreement
) -> Repaired:
    return finished(repair_steps(video, store, HealingPropagator(), Correction(frame, ids), **options))


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> list[int]:
    return [int(name[:5]) for name in sorted(after) if after[name] != before.get(name)]


def test_it_stops_where_the_masks_agree_again(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 10, {1: box(30, 25)})
    before = all_files(video)
    done = repair(video, store, 10, agreement=Agreement(frames=3))
    assert done == Repaired(10 - REACH - 3, 10 + REACH + 3, 0)
    assert str(done) == "Repaired frames 6 to 16, where the masks agree with the old ones again"
    assert changed(before, all_files(video)) == [8, 9, 11, 12]
    assert np.array_equal(mask_at(store, video, 12), box(30, 25))
    assert np.array_equal(mask_at(store, video, 13), usual(1))
    assert np.array_equal(mask_at(store, video, 12, 2), usual(2))


def test_it_does_not_go_past_where_a_person_says_the_object_is_not(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 10, {1: box(30, 25), 2: box(50, 25)})
    say_absent(store, video, 12, 1)
    say_absent(store, video, 9, 1)
    before = all_files(video)
    assert repair(video, store, 10) == Repaired(10, 11, 1)
    assert changed(before, all_files(video)) == [11]
    assert find_corrections(video, store, tracks_of(video, store)) == [Correction(10, (1, 2))]
    say_absent(store, video, 11, 1)
    assert find_corrections(video, store, tracks_of(video, store)) == [Correction(10, (2,))]


@pytest.mark.parametrize(("overlap", "last"), [(0.7, 12), (0.99, 10 + REACH + 2)])
def test_overlap_and_number_of_frames_are_settings(
    video: Video, store: AnnotationStore, overlap: float, last: int
) -> None:
    draw(store, video, 10, {1: moved(usual(1), 1)})
    assert repair(video, store, 10, agreement=Agreement(overlap, 2)) == Repaired(20 - last, last, 0)


def test_it_goes_halfway_to_other_key_frames_and_not_where_nothing_was_propagated(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 8, {1: usual(1)})
    draw(store, video, 19, {1: box(30, 25)})
    before = all_files(video)
    done = repair(video, store, 19, agreement=Agreement(frames=9))
    assert done == Repaired(14, 20, 2)
    assert str(done) == "Repaired frames 15 to 21"
    assert set(changed(before, all_files(video))) <= set(range(14, 21))
    assert not store.path(video, 21).exists()


def test_each_object_stops_by_itself(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 10, {1: box(30, 25), 2: usual(2)})
    before = all_files(video)
    done = repair(video, store, 10, (1, 2), agreement=Agreement(frames=2))
    assert (done.first, done.last) == (6, 14)
    for index in changed(before, all_files(video)):
        assert np.array_equal(mask_at(store, video, index, 2), usual(2))


def test_there_may_be_nothing_to_repair(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 22, {1: box(30, 25), 3: box(3, 3)})
    with pytest.raises(InputError, match=r"Nothing to repair in clip around 00022\.png: no propagation has come by"):
        repair(video, store, 22, (3,))
    with pytest.raises(InputError, match="with the objects 1, 2"):
        repair(video, store, 5, (1, 2))


def test_going_on_after_an_interruption_compares_with_what_stood_before_it(
    video: Video, store: AnnotationStore, tmp_path: Path
) -> None:
    undisturbed = make(tmp_path / "undisturbed", store)
    correction = Correction(10, (1,))
    for each in (video, undisturbed):
        draw(store, each, 10, {1: box(30, 25)})
    assert str(finished(run_repair(undisturbed, store, HealingPropagator(), correction))).startswith("Repaired")
    with closing(run_repair(video, store, HealingPropagator(), correction)) as steps:
        for step in steps:
            if isinstance(step, FrameDone) and step.index == 12:
                break
    finished(run_repair(video, store, HealingPropagator(), correction))
    assert all_files(video) == all_files(undisturbed)
    assert last_run(video, store).has_ended
    list(take_back_last_run(video, store))
    assert np.array_equal(mask_at(store, video, 12), usual(1)), "one step, with what was done before the interruption"


def test_corrections_are_what_a_person_changed_until_they_are_repaired(video: Video, store: AnnotationStore) -> None:
    def corrections() -> list[Correction]:
        return find_corrections(video, store, tracks_of(video, store))

    assert corrections() == []
    draw(store, video, 5, {1: usual(1)}, source=PROPAGATED, reviewed=True)
    assert corrections() == [], "approved as it was"
    draw(store, video, 10, {1: box(30, 25), 2: box(3, 25)})
    draw(store, video, 7, {2: box(5, 5)})
    assert corrections() == [Correction(7, (2,)), Correction(10, (1, 2))]
    finished(run_repair(video, store, HealingPropagator(), Correction(10, (1, 2))))
    assert corrections() == [Correction(7, (2,))]
    draw(store, video, 10, {1: box(31, 25)})
    assert corrections() == [Correction(7, (2,)), Correction(10, (1,))], "corrected once more"
    list(take_back_last_run(video, store))
    assert corrections() == [Correction(7, (2,)), Correction(10, (1, 2))], "taken back"


class DriftingPropagator(MovingPropagator):
    """Every mask that was given is carried on as it is, to the end."""

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        self.on_step(index)
        self.last.update({object_id: (index, mask) for object_id, mask in given.items()})
        return {i: PropagatedMask(self.last[i][1], 0.9) for i in wanted - given.keys()}


def interrupted(steps: Generator[str | FrameDone, None, object], at: int) -> None:
    with closing(steps):
        next(step for step in steps if isinstance(step, FrameDone) and step.index == at)


def masks(store: AnnotationStore, video: Video) -> list[NDArray[np.bool_]]:
    return [mask_at(store, video, index) for index in range(21)]


WRONG = box(40, 28)


def test_a_correction_that_was_wrong_leaves_nothing_where_it_was_mended_and_repaired_again(
    video: Video, store: AnnotationStore
) -> None:
    """The second repair stops neither at what the first one left, nor before the last frame that it wrote."""
    draw(store, video, 4, {1: WRONG})
    interrupted(run_repair(video, store, DriftingPropagator(), Correction(4, (1,))), at=15)
    assert np.array_equal(mask_at(store, video, 15), WRONG)
    draw(store, video, 4, {1: usual(1)})
    said = finished(run_repair(video, store, HealingPropagator(), Correction(4, (1,))))
    assert said == "Repaired frames 3 to 16"  # as far as the first one came
    assert all(np.array_equal(mask, usual(1)) for mask in masks(store, video))


WINDOW, COMMAND, ANOTHER = "window", "command", "another command"


def repair_by(who: str, video: Video, store: AnnotationStore) -> Generator[str | FrameDone, None, str]:
    if who == WINDOW:
        return run_repair(video, store, DriftingPropagator(), Correction(4, (1,)))
    options = FillOptions(repair=True, within=(0, 20), direction="forward" if who == COMMAND else "both")
    return fill_video(video, store, DriftingPropagator(), options)


@pytest.mark.parametrize("second", [WINDOW, COMMAND, ANOTHER])
@pytest.mark.parametrize("first", [WINDOW, COMMAND])
@pytest.mark.parametrize("between", ["nothing", "another object", "the object is renumbered there and back"])
def test_whoever_goes_on_with_an_interrupted_repair_comes_as_far(
    video: Video, store: AnnotationStore, first: str, second: str, between: str
) -> None:
    draw(store, video, 4, {1: WRONG})
    interrupted(repair_by(first, video, store), at=10)
    if between == "another object":
        draw(store, video, 0, {3: box(4, 10)})
        finished(run_request(video, store, DriftingPropagator(), PropagationRequest((3,), 0, 0, 3)))
    elif between != "nothing":
        list(change_object_id(video, store, 1, 7, range(LENGTH)))
        list(change_object_id(video, store, 7, 1, range(LENGTH)))
    finished(repair_by(second, video, store))
    assert all(np.array_equal(mask, WRONG) for mask in masks(store, video)[3:])
    assert find_corrections(video, store, tracks_of(video, store)) == []


def test_a_correction_that_was_repaired_once_is_one_again_after_another_was_begun_there(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 4, {1: box(30, 20)})
    finished(repair_by(COMMAND, video, store))
    undisturbed = masks(store, video)
    draw(store, video, 4, {1: WRONG})
    interrupted(repair_by(WINDOW, video, store), at=10)
    draw(store, video, 4, {1: box(30, 20)})
    finished(repair_by(COMMAND, video, store))
    assert all(map(np.array_equal, masks(store, video), undisturbed))


def test_objects_that_are_repaired_together_are_settled_each_as_far_as_it_went(
    video: Video, store: AnnotationStore
) -> None:
    """The one had to stop before a key frame of its own; what it left beyond is not settled by the other."""
    draw(store, video, 3, {1: WRONG})
    interrupted(run_repair(video, store, DriftingPropagator(), Correction(3, (1,))), at=15)
    draw(store, video, 3, {1: WRONG, 2: box(50, 20)})
    draw(store, video, 8, {1: usual(1)})
    finished(run_repair(video, store, DriftingPropagator(), Correction(3, (1, 2))))
    assert {index for index, object_id in unsettled(video, store) if object_id == 1} == set(range(6, 16))
    finished(run_repair(video, store, DriftingPropagator(), Correction(8, (1,))))
    assert all(np.array_equal(mask_at(store, video, index), usual(1)) for index in range(6, 21))


def test_a_repair_that_is_gone_on_with_settles_no_more_than_it_came_by_then(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 3, {1: WRONG})
    interrupted(run_repair(video, store, DriftingPropagator(), Correction(3, (1,))), at=15)
    draw(store, video, 8, {1: usual(1)})
    finished(run_repair(video, store, DriftingPropagator(), Correction(3, (1,))))
    finished(run_repair(video, store, DriftingPropagator(), Correction(8, (1,))))
    assert all(np.array_equal(mask_at(store, video, index), usual(1)) for index in range(6, 21))


def test_a_repair_does_not_agree_with_a_run_that_was_interrupted(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 3, {1: WRONG})
    interrupted(run_request(video, store, DriftingPropagator(), PropagationRequest((1,), 3, 3, 20)), at=12)
    finished(run_repair(video, store, DriftingPropagator(), Correction(3, (1,))))
    assert all(np.array_equal(mask, WRONG) for mask in masks(store, video)[3:])


def test_a_run_that_filled_empty_frames_and_was_interrupted_left_nothing_half(tmp_path: Path) -> None:
    video, store = make_video(tmp_path, LENGTH), AnnotationStore()
    draw(store, video, 0, {1: usual(1)})
    interrupted(run_request(video, store, HealingPropagator(), PropagationRequest((1,), 0, 0, 20)), at=12)
    assert unsettled(video, store) == {}


def test_what_an_interrupted_repair_left_is_known_after_any_number_of_runs(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 4, {1: WRONG})
    interrupted(repair_by(WINDOW, video, store), at=10)
    for number in range(KEPT_RUNS + 2):
        draw(store, video, 0, {3: box(4 + number, 10)})
        finished(run_request(video, store, DriftingPropagator(), PropagationRequest((3,), 0, 0, 3)))
    list(change_object_id(video, store, 1, 7, range(LENGTH)))
    finished(run_repair(video, store, DriftingPropagator(), Correction(4, (7,))))
    assert all(np.array_equal(mask_at(store, video, index, 7), WRONG) for index in range(3, 21))
    assert unsettled(video, store) == {}
    for _ in range(KEPT_RUNS):
        list(take_back_last_run(video, store))
    with pytest.raises(InputError, match="no propagation"):
        list(take_back_last_run(video, store))


@pytest.mark.parametrize("tail", [bytes(16), b"\xff" * 16, bytes(5)])
def test_what_a_power_failure_leaves_at_the_end_of_a_journal_does_no_harm(
    video: Video, store: AnnotationStore, tail: bytes
) -> None:
    draw(store, video, 4, {1: WRONG})
    interrupted(repair_by(WINDOW, video, store), at=10)
    (*_, path) = sorted(runs_folder(video, store).glob("*.run"))
    path.write_bytes(path.read_bytes() + tail)
    list(change_object_id(video, store, 2, 5, range(LENGTH)))
    finished(repair_by(COMMAND, video, store))
    assert all(np.array_equal(mask, WRONG) for mask in masks(store, video)[3:])


def test_what_a_finished_repair_settled_no_later_one_looks_at(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 4, {1: WRONG})
    interrupted(repair_by(WINDOW, video, store), at=10)
    assert {index for index, _ in unsettled(video, store)} == set(range(5, 11))
    finished(repair_by(COMMAND, video, store))
    assert unsettled(video, store) == {}
    list(take_back_last_run(video, store))
    assert unsettled(video, store) != {}, "what stands there is the interrupted one's again"
    list(take_back_last_run(video, store))
    assert unsettled(video, store) == {}
    assert all(np.array_equal(mask, usual(1)) for index, mask in enumerate(masks(store, video)) if index != 4)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_is_repaired_protected_shapes_and_all_out_of_range_stay(data: st.DataObject) -> None:
    frames = st.integers(1, 20)
    with TemporaryDirectory() as folder:
        store = AnnotationStore()
        video = make(Path(folder), store)
        for index, ids in data.draw(st.dictionaries(frames, st.sets(st.sampled_from([1, 2, 3])), max_size=4)).items():
            draw(store, video, index, {i: box(12 * i, 28) for i in ids})
        frame = data.draw(frames)
        draw(store, video, frame, {1: box(data.draw(st.integers(0, WIDTH - 9)), 20)})
        before = {index: store.read(video, index) for index in range(LENGTH)}
        assume(any(not before[beside].is_key_frame_of(1) for beside in (frame - 1, frame + 1) if 0 < beside <= 20))
        stop = data.draw(st.integers(1, 60))
        seen = [frame]
        with closing(repair_steps(video, store, HealingPropagator(), Correction(frame, (1,)))) as steps:
            for number, step in enumerate(steps):
                seen += [step.index] if isinstance(step, FrameDone) else []
                if number == stop:
                    break
        after = {index: store.read(video, index) for index in range(LENGTH)}
    keys = {index for index, old in before.items() if old is not None and old.is_key_frame_of(1)}
    assert min(seen) >= (frame + max(key for key in keys if key < frame)) / 2
    assert max(seen) <= (frame + min((key for key in keys if key > frame), default=99)) / 2
    assert max(seen) <= 20
    for index, old in before.items():
        if index not in seen or index in keys:
            assert after[index] == old
        else:
            assert [s for s in old.shapes if s.object_id != 1] == [s for s in after[index].shapes if s.object_id != 1]
    assert HEIGHT


REPAIR = FillOptions(repair=True)


def test_corrections_beside_each_other_with_nothing_between_are_no_work_left(
    video: Video, store: AnnotationStore
) -> None:
    """The last two frames that were propagated: beyond the last there is nothing, between them neither."""
    draw(store, video, 21, {1: usual(1), 2: usual(2)})
    corrected_anew(store, video, 19, 20)
    found = find_corrections(video, store, tracks_of(video, store))
    assert found == [Correction(19, (1,))]
    for correction in found:
        list(repair_steps(video, store, HealingPropagator(), correction))
    with pytest.raises(InputError, match="Nothing to repair"):
        list(repair_steps(video, store, HealingPropagator(), Correction(20, (1,))))


def test_a_correction_whose_run_was_taken_back_is_filled_from_like_any_key_frame(
    video: Video, store: AnnotationStore
) -> None:
    corrected_anew(store, video, 10)
    for index in (*range(1, 10), *range(11, 21)):
        store.remove(video, index)
    list(fill_video(video, store, HealingPropagator(), REPAIR))
    assert store.annotated_frames(video) == set(range(LENGTH))


def test_a_correction_whose_image_is_damaged_is_said_and_the_others_are_carried_on(
    video: Video, store: AnnotationStore
) -> None:
    corrected_anew(store, video, 5, 12)
    video.frame_paths[5].write_bytes(b"damaged")
    steps = list(fill_video(video, store, HealingPropagator(), REPAIR))
    (problem,) = (step.problem for step in steps if isinstance(step, FrameDone) and step.problem)
    assert "00005.png" in problem
    assert "not carried on" in problem
    assert [c.frame for c in find_corrections(video, store, tracks_of(video, store))] == [5]
    assert store.annotated_frames(video) == set(range(LENGTH))
    with pytest.raises(InputError, match=r"00005\.png"):  # where there is nothing else to do
        list(fill_video(video, store, HealingPropagator(), REPAIR))
