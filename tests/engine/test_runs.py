"""Whole runs: interrupted anywhere they come out the same, they are one step to take back, and tell what they do."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.errors import InputError
from sam_annotator.core.run_journal import last_run, take_back_last_run
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import REACHES, PropagationRequest, plan_unfilled
from sam_annotator.engine.propagation import FrameDone
from sam_annotator.engine.propagator import Forecast, KeyFrame, Masks, PropagatedMask
from sam_annotator.engine.runs import FillOptions, fill_video, run_request, run_whole_video
from tests.engine.moving_propagator import (
    FRAMES,
    MovingPropagator,
    all_files,
    box,
    draw,
    make_video,
    say_absent,
    tracks_of,
)


class RememberingPropagator(MovingPropagator):
    """As MovingPropagator, but its scores depend on all that it came through since it began, on ways back too."""

    farthest_back = 4

    def begin_back(self) -> None:
        self.back = 0

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        for mask in given.values():
            self.back = (31 * self.back + int(mask.sum())) % 997
        self.found[index] = self.back = (31 * self.back + index + len(wanted)) % 997

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        self.memory = 0
        self.found: dict[int, int] = {}
        super().begin(key_frames)

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        answers = super().step(index, image, given, wanted)
        self.memory += self.found.pop(index, 0)
        for mask in (*given.values(), *(answer.mask for answer in answers.values())):
            self.memory = (31 * self.memory + int(mask.sum()) + index) % 997
        return {object_id: PropagatedMask(a.mask, self.memory / 1000) for object_id, a in answers.items()}


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


def frames(steps: Iterable[Any]) -> Iterator[FrameDone]:
    return (step for step in steps if isinstance(step, FrameDone))


def every_frame(steps: Iterable[Any]) -> list[FrameDone]:
    return list(frames(steps))


def scenery(data: st.DataObject) -> list[tuple[int, dict[int, Any], str]]:
    """Random annotations: (frame, masks, source), or (frame, ids, 'absent') of what is deleted there for good."""
    frames = st.integers(0, FRAMES - 1)
    ids = st.sets(st.sampled_from([1, 2, 3]), min_size=1)
    keys = data.draw(st.dictionaries(frames, ids, min_size=1, max_size=4))
    stale = data.draw(st.dictionaries(frames, ids, max_size=5))
    made = [(i, {n: box(5 * i + n, 11 * n - 8, 9) for n in objects}, PROPAGATED) for i, objects in stale.items()]
    made += [(i, {n: box(6 * i, 11 * n - 9, 9) for n in objects}, "manual") for i, objects in keys.items()]
    away = data.draw(st.dictionaries(frames, ids, max_size=3))
    return made + [(i, dict.fromkeys(objects - keys.get(i, set())), "absent") for i, objects in away.items()]


def make(folder: str, drawn: list[tuple[int, dict[int, Any], str]]) -> Video:
    video = make_video(Path(folder))
    for index, masks, source in drawn:
        if source == "absent":
            say_absent(AnnotationStore(), video, index, *masks)
        else:
            draw(AnnotationStore(), video, index, masks, source=source)
    return video


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_interrupted_anywhere_and_gone_on_with_the_files_are_those_of_an_undisturbed_run(data: st.DataObject) -> None:
    drawn, store = scenery(data), AnnotationStore()
    options = FillOptions(data.draw(st.sampled_from(REACHES)), again=data.draw(st.booleans()))
    results = []
    for cuts in ([], data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=3))):
        with TemporaryDirectory() as folder:
            video = make(folder, drawn)
            before = all_files(video)
            for cut in cuts:
                with closing(fill_video(video, store, RememberingPropagator(), options)) as steps:
                    for _, _step in zip(range(cut), steps, strict=False):
                        pass
            list(fill_video(video, store, RememberingPropagator(), options))
            results.append(all_files(video))
            if last_run(video, store) is not None and len(cuts) < 1:
                list(take_back_last_run(video, store))
                assert all_files(video) == before
    assert results[0] == results[1]


def two_objects_from_both_ends(video: Video, store: AnnotationStore) -> None:
    """The whole video filled: object 1 is carried on from frame 2, object 2, in its way, from frame 5."""
    draw(store, video, 2, {1: box(6, 10)})
    draw(store, video, 5, {2: box(10, 12)})
    list(run_whole_video(video, store, MovingPropagator(), (1, 2)))


@pytest.mark.parametrize("taken", range(1, 12, 2))
def test_a_run_that_is_cancelled_leaves_every_mask_that_it_did_not_replace(
    video: Video, store: AnnotationStore, taken: int
) -> None:
    two_objects_from_both_ends(video, store)
    before = {index: store.read(video, index) for index in range(FRAMES)}
    with closing(run_whole_video(video, store, MovingPropagator(), (1, 2))) as steps:
        done = [frame.index for _, frame in zip(range(taken), frames(steps), strict=False)]
    for index in range(FRAMES):
        now = store.read(video, index)
        assert now.propagated_ids == before[index].propagated_ids
        if index not in done:
            assert now == before[index]
        assert now.shapes_of(2) == before[index].shapes_of(2)


def test_masks_that_cannot_be_computed_anew_stay(video: Video, store: AnnotationStore) -> None:
    two_objects_from_both_ends(video, store)
    before = {index: store.read(video, index).shapes_of(2) for index in range(FRAMES)}
    video.frame_paths[5].write_bytes(b"damaged")
    steps = every_frame(fill_video(video, store, MovingPropagator(), FillOptions("both", again=True)))
    assert any("Nothing was filled" in (step.problem or "") for step in steps)
    assert {index: store.read(video, index).shapes_of(2) for index in range(FRAMES)} == before


class Named(RememberingPropagator):
    """Another propagator than the one its name tells of, with other answers."""

    def __init__(self, identity: str, pixels: int = 0) -> None:
        super().__init__()
        self.identity, self.pixels = identity, pixels

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        answers = super().step(index, image, given, wanted)
        return {i: PropagatedMask(np.roll(a.mask, self.pixels, 0), a.score) for i, a in answers.items()}


@pytest.mark.parametrize("differs", ["propagator", "key mask", "not here"])
def test_a_run_is_not_gone_on_with_where_it_would_have_come_out_otherwise(tmp_path: Path, differs: str) -> None:
    """Interrupted, then begun again with other weights, or after the mask in the key frame was drawn anew."""
    store, options, results = AnnotationStore(), FillOptions(again=True), []
    for name in ("interrupted", "undisturbed"):
        video = make_video(tmp_path / name)
        draw(store, video, 0, {1: box(4, 10)})
        list(fill_video(video, store, Named("before", 3), options))
        if name == "interrupted":
            with closing(fill_video(video, store, Named("one"), options)) as steps:
                assert [s.index for _, s in zip(range(4), frames(steps), strict=False)] == [0, 1, 2, 3]
        if differs == "key mask":
            draw(store, video, 0, {1: box(4, 20)})
        if differs == "not here":
            say_absent(store, video, 2, 1)
        list(fill_video(video, store, Named("other", 1) if differs == "propagator" else Named("one"), options))
        results.append(all_files(video))
    assert results[0] == results[1]


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_exactly_the_frames_that_are_asked_for_are_filled(data: st.DataObject) -> None:
    drawn, store = scenery(data), AnnotationStore()
    reach, again = data.draw(st.sampled_from(REACHES)), data.draw(st.booleans())
    with TemporaryDirectory() as folder:
        video = make(folder, drawn)
        tracks = [track for track in tracks_of(video, store) if track.key_frames]
        before = {index: store.read(video, index) for index in range(FRAMES)}
        list(fill_video(video, store, MovingPropagator(), FillOptions(reach, again)))
        after = {index: store.read(video, index) for index in range(FRAMES)}
        assert plan_unfilled(video, tracks_of(video, store), direction=reach) == []
    for track in tracks:
        first, last = min(track.key_frames), max(track.key_frames)
        asked = {
            "forward": range(first, FRAMES),
            "backward": range(last + 1),
            "both": range(FRAMES),
            "between": range(first, last + 1),
        }[reach]
        for index in range(FRAMES):
            old, new = (() if a is None else a.shapes_of(track.object_id) for a in (before[index], after[index]))
            if index in track.decided_frames or index not in asked:
                assert new == old
            else:
                assert new or track.object_id in after[index].propagated_ids
    for index, old in before.items():
        assert (frozenset() if old is None else old.absent_ids) == getattr(after[index], "absent_ids", frozenset())
        protected = [] if old is None else [shape for shape in old.shapes if shape.is_protected]
        assert protected == ([] if after[index] is None else [s for s in after[index].shapes if s.is_protected])


def test_only_frames_in_the_range_are_filled(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 2, {1: box(4, 10)})
    list(fill_video(video, store, MovingPropagator(), FillOptions("both", within=(1, 4))))
    assert store.annotated_frames(video) == {1, 2, 3, 4}


def test_the_whole_video_is_carried_from_each_objects_own_key_frames(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 3, {1: box(4, 10)})
    draw(store, video, 6, {2: box(4, 30)})
    draw(store, video, 1, {9: box(50, 0)})
    before = all_files(video)
    done = every_frame(run_whole_video(video, store, MovingPropagator(), (1, 2)))
    assert done[-1].done == done[-1].total
    assert all(store.read(video, i).object_ids()[:2] == (1, 2) for i in range(3, FRAMES))
    assert {1, 2} <= store.read(video, 0).propagated_ids
    assert [i for i in range(FRAMES) if 9 in store.read(video, i).object_ids()] == [1]
    list(take_back_last_run(video, store))
    assert all_files(video) == before
    with pytest.raises(InputError, match="no frame of these objects"):
        list(run_whole_video(video, store, MovingPropagator(), (5,)))


def test_a_run_tells_what_it_does_before_its_first_frame_and_can_be_stopped_there(
    video: Video, store: AnnotationStore
) -> None:
    class Learning(MovingPropagator):
        def learn(self, key_frame: KeyFrame) -> None:
            self.begun[-1].append(key_frame.index)
            self.last.update({object_id: (key_frame.index, mask) for object_id, mask in key_frame.masks.items()})

    for index in (0, 4, 7):
        draw(store, video, index, {1: box(4, 10)})
    propagator = Learning()
    request = PropagationRequest((1,), 0, 0, 9)
    said = [step for step in run_request(video, store, propagator, request) if isinstance(step, str)]
    assert said == [
        *(f"reading annotations: {number}" for number in (1, 2, 3)),
        *(f"learning key frame {number}/3" for number in (1, 2, 3)),
    ]
    assert propagator.begun == [[0, 4, 7]]
    for steps_taken in range(1, 6):
        files = all_files(video)
        steps = run_request(video, store, Learning(), request)
        for _ in range(steps_taken):
            next(steps)
        with pytest.raises(InputError, match="Another propagation or import is at work"):
            next(run_request(video, store, Learning(), request))
        steps.close()
        assert all_files(video) == files


def test_memory_is_forecast_and_what_is_given_up_is_told_with_the_frame(video: Video, store: AnnotationStore) -> None:
    class Bounded(MovingPropagator):
        def notice(self) -> str | None:
            return "Frames are seen smaller." if self.steps[-1:] == [2] else None

        def forecast(self, height: int, width: int, objects: int, key_frames: int) -> Forecast:
            return Forecast(f"{objects} objects at {width} x {height}, {key_frames}", 2**31, 2**30, "cpu")

    draw(store, video, 0, {1: box(4, 10), 2: box(4, 30)})
    steps = list(run_request(video, store, Bounded(), PropagationRequest((1, 2), 0, 0, 4)))
    forecast = next(step for step in steps if isinstance(step, str) and step.startswith("Memory for 2 objects"))
    notices = {step.index: step.notice for step in every_frame(steps) if step.notice}
    assert notices == {0: forecast, 2: "Frames are seen smaller."}


def test_halves_of_files_of_a_killed_process_are_cleared_away(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    left, mine = video.folder / ".00003.json.abc123.part", video.folder / ".notes.part"
    left.write_bytes(b"{")
    mine.write_bytes(b"mine")
    list(run_request(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 4)))
    assert not left.exists()
    assert mine.exists()


def test_what_a_later_request_computes_anew_does_not_compete_before(video: Video, store: AnnotationStore) -> None:
    """Carried anew twice, the result is the same: object 2's old masks do not cut object 1's new ones."""
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 8, {2: box(30, 10)})
    options = FillOptions("both", again=True)
    results = []
    for _ in range(2):
        list(fill_video(video, store, RememberingPropagator(), options))
        results.append(all_files(video))
    assert results[0] == results[1]


@pytest.mark.parametrize(("reach", "within", "key"), [("forward", (5, 7), 1), ("backward", (2, 3), 8)])
def test_a_range_that_lies_apart_from_the_key_frame_is_filled_as_if_all_were(
    tmp_path: Path, store: AnnotationStore, reach: str, within: tuple[int, int], key: int
) -> None:
    wanted = {key, *range(within[0], within[1] + 1)}
    results = []
    for name, options in (("part", FillOptions(reach, within=within)), ("all", FillOptions(reach))):
        video = make_video(tmp_path / name)
        draw(store, video, key, {1: box(20, 10)})
        for interrupted in (True, False):
            with closing(fill_video(video, store, RememberingPropagator(), options)) as steps:
                for frame in frames(steps):
                    assert frame.index in wanted or not frame.scores or name == "all"
                    if interrupted and frame.index == within[0] + 1:
                        break
        results.append({name: data for name, data in all_files(video).items() if name.endswith("json")})
    assert set(results[0]) == {f"{index:05}.json" for index in wanted}
    assert results[0].items() <= results[1].items()


def test_objects_with_key_frames_apart_from_the_range_are_carried_into_it_together(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 3, {2: box(4, 30)})
    list(fill_video(video, store, MovingPropagator(), FillOptions(within=(6, 7))))
    assert store.annotated_frames(video) == {0, 3, 6, 7}
    assert store.read(video, 6).object_ids() == (1, 2)


def test_a_command_that_went_on_and_filled_what_else_was_missing_is_one_step_to_take_back(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    before = all_files(video)
    options = FillOptions()
    with closing(fill_video(video, store, MovingPropagator(), options)) as steps:
        assert [frame.index for _, frame in zip(range(4), frames(steps), strict=False)] == [0, 1, 2, 3]
    store.remove(video, 1)  # as a person does
    with closing(fill_video(video, store, MovingPropagator(), options)) as steps:
        assert any(frame.index == 1 and frame.total < FRAMES for frame in frames(steps))  # and killed once more
    list(fill_video(video, store, MovingPropagator(), options))
    assert store.annotated_frames(video) == set(range(FRAMES))
    list(take_back_last_run(video, store))
    assert all_files(video) == before
    with pytest.raises(InputError):
        list(take_back_last_run(video, store))


def test_what_a_frame_said_is_on_the_disk_before_the_frame_is_written(
    video: Video, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    flushed, flush = [], os.fsync

    def note(handle: int) -> None:
        flush(handle)
        runs = {path.stat().st_ino for path in (video.folder / ".sam_annotator").glob("*.run")}
        flushed.append("run" if os.fstat(handle).st_ino in runs else "frame")

    monkeypatch.setattr(os, "fsync", note)
    list(fill_video(video, store, MovingPropagator(), FillOptions()))
    assert flushed == ["run", "frame"] * (FRAMES - 1)
