"""A run of propagation may be stopped at any frame, and may meet files that cannot be read."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sam_annotator.core.annotation import PROPAGATED, FrameAnnotation
from sam_annotator.core.errors import AnnotationError, ImageError, InputError
from sam_annotator.core.masks import object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest, plan_unfilled
from sam_annotator.engine.propagation import propagate
from sam_annotator.engine.read_ahead import FRAMES_AHEAD, read_ahead
from tests.engine.moving_propagator import (
    FRAMES,
    HEIGHT,
    SPEED,
    WIDTH,
    MovingPropagator,
    all_files,
    box,
    draw,
    make_video,
    mask_at,
    tracks_of,
)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


def reading_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def fill(video: Video, store: AnnotationStore, *, stop_after: int | None = None, direction: str = "both") -> None:
    """What the headless command does for one video, stopped after so many frames."""
    left = stop_after
    for request in plan_unfilled(video, tracks_of(video, store), direction=direction):
        with closing(propagate(video, store, MovingPropagator(), request)) as frames:
            for _ in frames:
                left = None if left is None else left - 1
                if left == 0:
                    return


def test_an_unreadable_image_is_skipped_and_reported(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    video.frame_paths[3].write_bytes(b"no image")
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    assert [frame.index for frame in done if frame.problem] == [3]
    assert str(video.frame_paths[3]) in done[3].problem
    assert not store.path(video, 3).exists()
    assert np.array_equal(mask_at(store, video, 5), box(4 + 5 * SPEED, 10)), "carried on from the neighbour"


def test_a_corrupt_annotation_is_skipped_reported_and_kept(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    store.path(video, 3).write_bytes(b'{"shapes": [')
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    assert [frame.index for frame in done if frame.problem] == [3]
    assert str(store.path(video, 3)) in done[3].problem
    assert store.path(video, 3).read_bytes() == b'{"shapes": ['
    assert np.array_equal(mask_at(store, video, 5), box(4 + 5 * SPEED, 10))


def test_frames_and_annotations_of_another_size_are_skipped_and_reported(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    Image.new("RGB", (32, 20)).save(video.frame_paths[2])
    store.update(video, 4, lambda blank: replace(blank, flags={"seen": True}), 100, 100)
    before = all_files(video)
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    assert [frame.index for frame in done if frame.problem] == [2, 4]
    assert "32 x 20" in done[2].problem
    assert "100 x 100" in done[4].problem
    assert all_files(video)["00004.json"] == before["00004.json"]
    assert not store.path(video, 2).exists()


def test_a_start_that_cannot_be_read_is_an_error(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 4, {1: box(4, 10)})
    store.path(video, 0).write_bytes(b"{")
    with pytest.raises(AnnotationError, match=r"00000\.json"):
        list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    video.frame_paths[4].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"00004\.png"):
        list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 4, 4, 5)))
    assert not reading_threads()


def test_a_key_frame_that_cannot_be_read_is_not_learned(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 4, {1: box(4, 10)})
    draw(store, video, 9, {1: box(4, 10)})
    video.frame_paths[4].write_bytes(b"no image")
    propagator = MovingPropagator()
    list(propagate(video, store, propagator, PropagationRequest((1,), 0, 0, 5)))
    assert propagator.begun == [[0, 9]]


def test_nothing_to_carry_is_said_with_object_and_frames(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    with pytest.raises(InputError, match=r"clip: object 1 has no mask in 00003\.png, and no key frame from"):
        list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 3, 0, 9)))
    with pytest.raises(InputError, match="none of the objects 5, 6 has a mask"):
        list(propagate(video, store, MovingPropagator(), PropagationRequest((5, 6), 0, 0, 9)))
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 3, 0, 9, "both")))  # key frame 0


@pytest.mark.parametrize("limits", [(5, 6, 9), (5, 0, 4), (5, 0, FRAMES), (-1, -1, 3)])
def test_a_range_that_does_not_fit_is_an_error(
    video: Video, store: AnnotationStore, limits: tuple[int, int, int]
) -> None:
    draw(store, video, 5, {1: box(4, 10)})
    with pytest.raises(InputError, match="frames 0 to 9"):
        list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), *limits)))


@pytest.mark.parametrize("frames_taken", [0, 1, 4, FRAMES])
def test_closing_at_any_frame_leaves_no_thread(video: Video, store: AnnotationStore, frames_taken: int) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    run = propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9))
    for _ in range(frames_taken):
        next(run)
    run.close()
    assert not reading_threads()
    assert store.annotated_frames(video) == {0, *range(frames_taken)}


def test_reading_ahead_is_bounded_and_ends_with_its_reader(video: Video) -> None:
    asked: list[Path] = []

    def paths() -> Iterator[Path]:
        for path in video.frame_paths:
            asked.append(path)
            yield path

    images = read_ahead(paths())
    assert next(images).shape == (HEIGHT, WIDTH, 3)
    assert len(asked) == FRAMES_AHEAD
    next(images)
    assert len(asked) == FRAMES_AHEAD + 1
    images.close()
    assert not reading_threads()


@settings(max_examples=15, deadline=None)
@given(
    first_keys=st.tuples(st.integers(0, FRAMES - 1), st.integers(0, FRAMES - 1)),
    later_key=st.integers(0, FRAMES - 1),
    stops=st.lists(st.integers(1, 2 * FRAMES), min_size=1, max_size=3),
)
def test_stopping_at_any_frame_and_going_on_gives_the_files_of_an_undisturbed_run(
    first_keys: tuple[int, int], later_key: int, stops: list[int]
) -> None:
    results = []
    for cuts in ([], stops):
        with TemporaryDirectory() as folder:
            video, store = make_video(Path(folder)), AnnotationStore()
            for object_id, index in enumerate(first_keys, start=1):
                draw(store, video, index, {object_id: box(10 + SPEED * index, 10 * object_id)})
            draw(store, video, later_key, {1: box(30, 12)})
            for index in range(2, 8):
                draw(store, video, index, {9: box(34, 0, 4, HEIGHT)}, label="wall")
            for stop in cuts:
                fill(video, store, stop_after=stop)
            fill(video, store)
            results.append(all_files(video))
            assert plan_unfilled(video, tracks_of(video, store)[:2], direction="both") == []
    assert results[0] == results[1]
    assert not reading_threads()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_run_fills_exactly_what_was_asked_and_changes_nothing_else(data: st.DataObject) -> None:
    frames = st.integers(0, FRAMES - 1)
    first, start, last = sorted(data.draw(st.tuples(frames, frames, frames)))
    direction = data.draw(st.sampled_from(["forward", "backward", "both"]))
    protected = data.draw(st.dictionaries(frames, st.sets(st.sampled_from([1, 2, 3]), min_size=1), max_size=5))
    stale = data.draw(st.dictionaries(frames, st.sets(st.sampled_from([1, 2, 3]), min_size=1), max_size=5))
    stop = data.draw(st.integers(1, 2 * FRAMES))
    with TemporaryDirectory() as folder:
        video, store = make_video(Path(folder)), AnnotationStore()
        for index, ids in stale.items():
            draw(store, video, index, {i: box(6 * i, 10, 9) for i in ids}, source=PROPAGATED)
        for index, ids in protected.items():
            draw(store, video, index, {i: box(7 * i, 9, 9) for i in ids})
        draw(store, video, start, {1: box(20, 10)})
        before = {index: store.read(video, index) for index in range(FRAMES)}
        request = PropagationRequest((1, 2), start, first, last, direction)
        reached = []
        with closing(propagate(video, store, MovingPropagator(), request)) as run:
            for frame in run:
                reached.append(frame.index)
                if len(reached) == stop:
                    break
        after = {index: store.read(video, index) for index in range(FRAMES)}
    asked = {"forward": range(start, last + 1), "backward": range(first, start + 1), "both": range(first, last + 1)}
    assert set(reached) <= set(asked[direction])
    assert len(reached) == min(stop, len(asked[direction]))
    for index in range(FRAMES):
        old, new = before[index], after[index]
        if index not in reached:
            assert new == old
            continue
        old_shapes = () if old is None else old.shapes
        assert [s for s in old_shapes if s.is_protected] == [s for s in new.shapes if s.is_protected]
        assert [s for s in old_shapes if s.object_id == 3] == [s for s in new.shapes if s.object_id == 3]
        assert new.is_key_frame_of(1) or 1 in new.propagated_ids
        assert_no_overlap_with_propagated(new)


def test_an_object_that_gets_no_answer_keeps_the_pixels_of_its_old_mask(tmp_path: Path) -> None:
    video, store = make_video(tmp_path), AnnotationStore()
    draw(store, video, 0, {1: box(6, 10, 9), 2: box(12, 10, 9)}, source=PROPAGATED)
    draw(store, video, 1, {1: box(20, 10)})
    before = store.read(video, 0)
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1, 2), 1, 0, 1, "backward")))
    after = store.read(video, 0)
    assert after.shapes_of(2) == before.shapes_of(2)
    masks = [object_mask(after.shapes_of(i), HEIGHT, WIDTH) for i in (1, 2)]
    assert masks[0].any()
    assert not np.any(masks[0] & masks[1])


def assert_no_overlap_with_propagated(annotation: FrameAnnotation) -> None:
    masks = {i: object_mask(annotation.shapes_of(i), HEIGHT, WIDTH) for i in annotation.object_ids()}
    for i in annotation.propagated_ids & masks.keys() - {3}:
        if not annotation.is_key_frame_of(i) and any(s.score is not None for s in annotation.shapes_of(i)):
            assert not any(np.any(masks[i] & mask) for other, mask in masks.items() if other != i)
