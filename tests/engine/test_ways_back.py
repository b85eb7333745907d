"""What lies between two key frames is reached from both: a run leads back a propagator that can make use of it."""

from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest, plan_unfilled
from sam_annotator.engine.propagation import FrameDone, nothing_pending, propagate
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask, ReachesBack
from sam_annotator.engine.repair import Agreement, Correction
from sam_annotator.engine.runs import run_repair, run_request
from sam_annotator.engine.ways_back import WayBack, WaysBack
from tests.engine.moving_propagator import (
    MovingPropagator,
    all_files,
    box,
    draw,
    make_video,
    say_absent,
)

PROPAGATED = "propagated"


class ReachingPropagator(MovingPropagator):
    """Writes down its ways back, and steps: ('back', frame, objects given, objects wanted) and ('step', frame)."""

    def __init__(self, farthest_back: int = 100) -> None:
        super().__init__()
        self.farthest_back = farthest_back
        self.way: list[tuple[object, ...]] = []

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        super().begin(key_frames)
        self.way.append(("begin",))

    def begin_back(self) -> None:
        self.way.append(("begin back",))

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        self.way.append(("back", index, sorted(given), sorted(wanted)))

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        self.way.append(("step", index))
        return super().step(index, image, given, wanted)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


def track(object_id: int, *key_frames: int, absent: tuple[int, ...] = (), filled: range = range(0)) -> Track:
    return Track(object_id, "swan", frozenset(key_frames), frozenset(filled), frozenset(), frozenset(absent))


def ways(
    tracks: list[Track], passed: range, farthest: int = 100, pending: Callable[[int], frozenset[int]] = nothing_pending
) -> dict[int, WayBack]:
    """The ways that are due, by the frame before which they are."""
    plan = WaysBack({one.object_id: one for one in tracks}, passed, farthest, pending)
    every = frozenset(one.object_id for one in tracks)
    due = {index: plan.due(index, every) for index in passed}
    return {index: way for index, way in due.items() if way is not None}


def test_each_stretch_between_two_key_frames_is_gone_back_through_once() -> None:
    assert ways([track(1, 2, 7, 8, 12)], range(2, 20)) == {
        3: WayBack(range(7, 2, -1), {1: 7}),
        9: WayBack(range(12, 8, -1), {1: 12}),
    }


def test_a_pass_that_goes_backward_is_met_from_the_other_side() -> None:
    assert ways([track(1, 2, 7)], range(7, -1, -1)) == {6: WayBack(range(2, 7), {1: 2})}


def test_a_stretch_that_is_longer_than_may_be_remembered_is_gone_back_through_from_where_it_may() -> None:
    assert ways([track(1, 0, 50)], range(60), farthest=20) == {30: WayBack(range(50, 29, -1), {1: 50})}


def test_objects_with_key_frames_of_their_own_set_out_at_them_on_one_way() -> None:
    found = ways([track(1, 0, 6), track(2, 0, 4, 9), track(3, 0)], range(1, 12))
    assert list(found) == [1, 5]
    assert found[1] == WayBack(range(6, 0, -1), {1: 6, 2: 4})
    assert [sorted(found[1].objects(index)) for index in found[1].frames] == [[1], [1], [1, 2], [1, 2], [1, 2], [1, 2]]
    assert found[5] == WayBack(range(9, 4, -1), {2: 9})


def test_a_way_of_which_most_is_answered_for_is_not_worth_it_for_the_rest() -> None:
    done = track(1, 0, 40, filled=range(1, 40))
    assert ways([done], range(10, 13)) == {}
    assert ways([done], range(10, 24)) == {}
    assert ways([done], range(10, 25)) == {10: WayBack(range(40, 9, -1), {1: 40})}
    later = ways([done], range(10, 13), pending=lambda _index: frozenset({1}))
    assert later == {10: WayBack(range(40, 9, -1), {1: 40})}


def test_how_runs_share_a_stretch_out_does_not_matter() -> None:
    for passed in (range(1, 4), range(1, 30)):
        assert ways([track(1, 0, 40)], passed) == {1: WayBack(range(40, 0, -1), {1: 40})}


def test_an_object_that_is_added_amid_a_stretch_leaves_what_the_others_are_reached_by(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 6, {1: box(22, 10)})
    draw(store, video, 2, {2: box(40, 25)})
    known = VideoTracks()
    list(known.scan(video, store))
    requests = plan_unfilled(video, known.tracks())
    assert [request.object_ids for request in requests][:2] == [(1,), (1, 2)]
    propagator = ReachingPropagator()
    assert [frame.index for frame in propagate(video, store, propagator, requests[0])][-1] == 2
    assert [way[1] for way in propagator.way if way[0] == "back"] == [6, 5, 4, 3, 2, 1]


def test_where_a_person_says_that_it_is_not_here_no_way_leads_past() -> None:
    assert ways([track(1, 0, 9, absent=(5,))], range(1, 10)) == {6: WayBack(range(9, 5, -1), {1: 9})}


def test_a_run_leads_back_before_its_steps_and_writes_nothing_meanwhile(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 4, {1: box(16, 10), 2: box(40, 25)})
    before = all_files(video)
    propagator = ReachingPropagator()
    assert isinstance(propagator, ReachesBack)
    steps = run_request(video, store, propagator, PropagationRequest((1,), 0, 0, 6))
    said = []
    for step in steps:
        if isinstance(step, str) and step.startswith("reaching"):
            said.append(step)
            assert all_files(video) == before
        if isinstance(step, FrameDone):
            assert (step.done, step.total) == (step.index + 1, 7)
    assert said == [f"reaching back from frame 5: {number}/4" for number in range(1, 5)]
    assert propagator.way == [
        ("begin",),
        ("step", 0),
        ("begin back",),
        ("back", 4, [1, 2], [1]),
        *(("back", index, [], [1]) for index in (3, 2, 1)),
        *(("step", index) for index in range(1, 7)),
    ]


def test_on_the_way_back_old_answers_of_the_objects_count_for_nothing_and_other_objects_compete(
    video: Video, store: AnnotationStore
) -> None:
    for index in (0, 3):
        draw(store, video, index, {1: box(4, 10), 2: box(4, 30)})
    draw(store, video, 2, {1: box(30, 10), 2: box(30, 30), 3: box(50, 3)}, source=PROPAGATED)
    propagator = ReachingPropagator()
    list(run_request(video, store, propagator, PropagationRequest((1, 2), 0, 0, 5)))
    assert [one[1:] for one in propagator.way if one[0] == "back"] == [
        (3, [1, 2], [1, 2]),
        (2, [3], [1, 2]),
        (1, [], [1, 2]),
    ]


def test_a_key_frame_beyond_the_range_is_led_back_from_too_and_nothing_is_written_there(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 1, {1: box(4, 10)})
    draw(store, video, 6, {1: box(30, 10)})
    propagator = ReachingPropagator()
    done = [s for s in run_request(video, store, propagator, PropagationRequest((1,), 1, 1, 3)) if type(s) is FrameDone]
    assert [one[1] for one in propagator.way if one[0] == "back"] == [6, 5, 4, 3, 2]
    assert [(frame.index, frame.done, frame.total) for frame in done] == [(1, 1, 3), (2, 2, 3), (3, 3, 3)]
    assert store.annotated_frames(video) == {1, 2, 3, 6}


def test_a_run_may_be_stopped_anywhere_on_a_way_back(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 8, {1: box(30, 10)})
    before = all_files(video)
    for frames in range(1, 9):
        steps = run_request(video, store, ReachingPropagator(), PropagationRequest((1,), 0, 0, 9))
        with closing(steps):
            for _ in range(frames):
                while not str(next(steps)).startswith("reaching back from frame 9"):
                    pass
        assert all_files(video) == before
    assert len(list(run_request(video, store, ReachingPropagator(), PropagationRequest((1,), 0, 0, 9)))) > 10


def test_frames_that_cannot_be_read_are_left_out_of_the_way_and_reported_once(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 5, {1: box(19, 10)})
    video.frame_paths[3].write_bytes(b"no image")
    propagator = ReachingPropagator()
    steps = list(run_request(video, store, propagator, PropagationRequest((1,), 0, 0, 6)))
    assert [one[1] for one in propagator.way if one[0] == "back"] == [5, 4, 2, 1]
    assert [step.index for step in steps if isinstance(step, FrameDone) and step.problem] == [3]


def test_not_here_said_by_a_person_ends_the_way(video: Video, store: AnnotationStore) -> None:
    for index in (0, 7):
        draw(store, video, index, {1: box(4, 10)})
    say_absent(store, video, 4, 1)
    propagator = ReachingPropagator()
    list(run_request(video, store, propagator, PropagationRequest((1,), 0, 0, 9)))
    assert [one[1] for one in propagator.way if one[0] == "back"] == [7, 6, 5]


def test_a_repair_that_has_not_settled_soon_is_reached_from_the_next_key_frame_too_and_may_go_all_the_way_there(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 8, {1: box(28, 10)})
    list(run_request(video, store, ReachingPropagator(), PropagationRequest((1,), 0, 0, 9)))
    draw(store, video, 4, {1: box(16, 20)})
    propagator = ReachingPropagator()
    steps = list(run_repair(video, store, propagator, Correction(4, (1,)), Agreement(frames=1)))
    assert [one for one in propagator.way if one[0] in ("back", "step")] == [
        *(("step", index) for index in (4, 5)),
        *(("back", index, [1] if index == 8 else [], [1]) for index in (8, 7, 6)),
        *(("step", index) for index in (6, 7)),
        *(("step", index) for index in (4, 3)),
        *(("back", index, [1] if index == 0 else [], [1]) for index in (0, 1, 2)),
        *(("step", index) for index in (2, 1)),
    ]
    assert sorted(step.index for step in steps if isinstance(step, FrameDone)) == [1, 2, 3, 4, 5, 6, 7]
    draw(store, video, 4, {1: box(16, 3)})
    steps = list(run_repair(video, store, ReachingPropagator(farthest_back=1), Correction(4, (1,))))
    assert sorted(step.index for step in steps if isinstance(step, FrameDone)) == [2, 3, 4, 5, 6]
