"""A run of propagation: what it fills, and what it never touches."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.annotation import MANUAL, PROPAGATED, FrameAnnotation, Shape, read_annotation
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.planning import PropagationRequest, plan_unfilled
from sam_annotator.engine.propagation import FrameDone, propagate
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from tests.engine.moving_propagator import (
    FRAMES,
    SPEED,
    WIDTH,
    MovingPropagator,
    all_files,
    box,
    draw,
    make_video,
    mask_at,
    say_absent,
    tracks_of,
)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


def test_masks_are_carried_to_the_end_of_the_range(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 2, {1: box(4, 10)}, label="mute swan")
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 2, 2, 6)))

    assert [frame.index for frame in done] == [2, 3, 4, 5, 6]
    assert [(frame.done, frame.total) for frame in done] == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert done[0].scores == {}
    assert done[3] == FrameDone(5, {1: 0.505}, 4, 5)
    for index in range(3, 7):
        assert np.array_equal(mask_at(store, video, index), box(4 + SPEED * (index - 2), 10))
        (shape,) = store.read(video, index).shapes
        assert (shape.source, shape.score, shape.label) == (PROPAGATED, 0.5 + index / 1000, "mute swan")
        assert store.read(video, index).propagated_ids == {1}
    assert store.annotated_frames(video) == {2, 3, 4, 5, 6}


def test_backward_and_both_go_out_from_the_start(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 5, {1: box(30, 10)})
    back = MovingPropagator()
    order = [frame.index for frame in propagate(video, store, back, PropagationRequest((1,), 5, 3, 9, "backward"))]
    assert order == back.steps == [5, 4, 3]
    assert np.array_equal(mask_at(store, video, 3), box(30 - 2 * SPEED, 10))

    both = MovingPropagator()
    done = list(propagate(video, store, both, PropagationRequest((1,), 5, 3, 7, "both")))
    assert [frame.index for frame in done] == [5, 6, 7, 4, 3]
    assert [(frame.done, frame.total) for frame in done] == [(n, 5) for n in range(1, 6)]
    assert both.steps == [5, 6, 7, 5, 4, 3], "each pass sets out from the start"
    assert both.begun == [[5], [5]]


@pytest.mark.parametrize("start", [0, FRAMES - 1])
def test_both_from_an_end_of_the_video_is_one_pass(video: Video, store: AnnotationStore, start: int) -> None:
    draw(store, video, start, {1: box(30, 10)})
    propagator = MovingPropagator()
    done = list(propagate(video, store, propagator, PropagationRequest((1,), start, 0, FRAMES - 1, "both")))
    assert len(propagator.begun) == 1
    assert done[-1].done == done[-1].total == len(done) == FRAMES


def test_a_range_of_one_frame_changes_nothing(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 4, {1: box(30, 10)})
    before = all_files(video)
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 4, 4, 4, "both")))
    assert done == [FrameDone(4, {}, 1, 1)]
    assert all_files(video) == before


def test_a_frame_is_on_disk_when_it_is_yielded(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    for frame in propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9)):
        assert store.read(video, frame.index).object_ids() == (1,)
        assert store.read(video, min(frame.index + 1, 9)) is None or frame.index == 9


def test_key_frames_on_the_way_are_taken_and_never_written(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 4, {1: box(4, 30)})
    draw(store, video, 7, {1: box(50, 20)}, source=PROPAGATED, reviewed=True)
    kept = {index: video.frame_paths[index].with_suffix(".json").read_bytes() for index in (0, 4, 7)}
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9)))

    assert {index: video.frame_paths[index].with_suffix(".json").read_bytes() for index in (0, 4, 7)} == kept
    assert [frame.index for frame in done if not frame.scores] == [0, 4, 7]
    assert np.array_equal(mask_at(store, video, 6), box(4 + 2 * SPEED, 30))
    assert np.array_equal(mask_at(store, video, 8), box(50 + SPEED, 20))


def test_other_objects_compete_and_stay_byte_for_byte(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    by_hand, left_by_a_run = box(20, 0, 4, 12), box(26, 14, 4, 20)
    for index in range(1, FRAMES):
        draw(store, video, index, {2: by_hand}, label="wall")
        draw(store, video, index, {3: left_by_a_run}, label="wall", source=PROPAGATED)
    before = [read_annotation(store.path(video, index)).shapes for index in range(1, FRAMES)]
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9)))

    for index, shapes in enumerate(before, start=1):
        after = store.read(video, index)
        assert after.shapes_of(2) + after.shapes_of(3) == shapes
        assert after.propagated_ids == {1, 3}
        assert not np.any(mask_at(store, video, index) & (by_hand | left_by_a_run))
    assert np.array_equal(mask_at(store, video, 4), box(16, 10) & ~by_hand)
    assert mask_at(store, video, 6).any()


def test_propagated_shapes_of_the_asked_objects_are_replaced(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    for index in range(1, FRAMES):
        draw(store, video, index, {1: box(0, 0, 30, 30)}, source=PROPAGATED)
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    assert np.array_equal(mask_at(store, video, 5), box(4 + 5 * SPEED, 10))
    assert np.array_equal(mask_at(store, video, 6), box(0, 0, 30, 30)), "outside of the range"


def test_not_here_is_an_answer_without_a_shape(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(WIDTH - 4, 10)})
    done = list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9)))
    assert store.read(video, 5).shapes == ()
    assert store.read(video, 5).propagated_ids == {1}
    assert done[5].scores == {1: 0.505}
    assert plan_unfilled(video, tracks_of(video, store)) == []


def test_going_on_from_a_frame_where_the_object_is_not_here_tells_so(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(WIDTH - 4, 10)})
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 5)))
    propagator = MovingPropagator()
    list(propagate(video, store, propagator, PropagationRequest((1,), 5, 5, 9)))
    assert set(propagator.given[5]) == {1}
    assert not propagator.given[5][1].any()
    assert plan_unfilled(video, tracks_of(video, store)) == []


def test_what_a_person_says_is_not_here_is_passed_by_and_never_written(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10), 2: box(4, 30)})
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1, 2), 0, 0, 9)))
    for index in (3, 4):
        say_absent(store, video, index, 1)
    kept = [store.read(video, index).absent_ids for index in (3, 4)]
    propagator = MovingPropagator()
    done = list(propagate(video, store, propagator, PropagationRequest((1, 2), 0, 0, 9)))

    assert [store.read(video, index).absent_ids for index in (3, 4)] == kept == [{1}, {1}]
    assert [set(done[index].scores) for index in (2, 3, 4, 5)] == [{1, 2}, {2}, {2}, {1, 2}]
    assert not propagator.given[3][1].any()
    assert np.array_equal(mask_at(store, video, 3, 2), box(4 + 3 * SPEED, 30))
    assert store.read(video, 5).shapes_of(1) == ()  # this propagator does not find what was away


def test_no_key_frame_is_learned_of_an_object_that_is_not_there(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10), 2: box(4, 30)})
    draw(store, video, 6, {2: box(22, 30)})
    say_absent(store, video, 6, 1)
    learned: list[tuple[int, set[int]]] = []

    class Listening(MovingPropagator):
        def begin(self, key_frames: Iterable[KeyFrame]) -> None:
            keys = list(key_frames)
            learned.extend((key.index, set(key.masks)) for key in keys)
            super().begin(keys)

    list(propagate(video, store, Listening(), PropagationRequest((1, 2), 5, 5, 9)))
    assert learned == [(0, {1, 2}), (6, {2})]


def test_a_run_may_set_out_where_an_object_is_not(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    say_absent(store, video, 4, 1)
    propagator = MovingPropagator()
    list(propagate(video, store, propagator, PropagationRequest((1,), 4, 4, 9)))
    assert set(propagator.given[4]) == {1}
    assert plan_unfilled(video, tracks_of(video, store)) == [PropagationRequest((1,), 0, 0, 3)]
    for index in range(5, 10):
        say_absent(store, video, index, 1)
    before = all_files(video)
    list(propagate(video, store, propagator, PropagationRequest((1,), 4, 4, 9, "both")))
    assert all_files(video) == before


def test_an_object_that_is_deleted_ahead_of_a_run_stays_away(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    propagator = MovingPropagator(lambda index: say_absent(store, video, index, 1) if index in (3, 6) else None)
    for frame in propagate(video, store, propagator, PropagationRequest((1,), 0, 0, 9)):
        if frame.index == 3:
            say_absent(store, video, 5, 1)
    absent = [index for index in range(FRAMES) if store.read(video, index).absent_ids]
    assert absent == [3, 5, 6]
    assert not any(store.read(video, index).shapes for index in absent)


def test_a_mask_that_a_propagation_left_can_be_carried_on(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(0, 0)})
    draw(store, video, 3, {1: box(4, 10)}, source=PROPAGATED)
    before = store.path(video, 3).read_bytes()
    list(propagate(video, store, MovingPropagator(), PropagationRequest((1,), 3, 3, 5)))
    assert store.path(video, 3).read_bytes() == before
    assert np.array_equal(mask_at(store, video, 5), box(4 + 2 * SPEED, 10))


def test_an_object_that_is_not_at_the_start_comes_in_at_its_key_frame(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 5, {2: box(4, 30)})

    class Forgetful(MovingPropagator):
        def begin(self, key_frames: Iterable[KeyFrame]) -> None:
            super().begin(key_frames)
            self.last = {}

    list(propagate(video, store, Forgetful(), PropagationRequest((1, 2), 0, 0, 9)))
    assert store.read(video, 4).object_ids() == (1,)
    assert store.read(video, 4).propagated_ids == {1}
    assert np.array_equal(mask_at(store, video, 7, 2), box(4 + 2 * SPEED, 30))


def test_an_edit_in_a_frame_that_the_run_has_not_reached_is_a_key_frame_of_it(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    for frame in propagate(video, store, MovingPropagator(), PropagationRequest((1,), 0, 0, 9)):
        if frame.index == 2:
            draw(store, video, 4, {1: box(20, 30)}, label="duck")
    assert store.read(video, 4).is_key_frame_of(1)
    assert np.array_equal(mask_at(store, video, 4), box(20, 30))
    assert np.array_equal(mask_at(store, video, 6), box(20 + 2 * SPEED, 30))


def test_an_edit_while_the_model_is_at_that_very_frame_is_kept(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    edits = {3: {1: box(50, 30)}, 5: {2: box(4 + 5 * SPEED, 10, 4, 30)}}
    propagator = MovingPropagator(lambda index: draw(store, video, index, edits.get(index, {})))
    list(propagate(video, store, propagator, PropagationRequest((1,), 0, 0, 6)))

    assert np.array_equal(mask_at(store, video, 3), box(50, 30))
    assert store.read(video, 3).is_key_frame_of(1)
    assert np.array_equal(mask_at(store, video, 5, 2), edits[5][2])
    assert np.array_equal(mask_at(store, video, 5), box(4 + 5 * SPEED, 10) & ~edits[5][2])


def test_masks_that_people_drew_over_each_other_are_told_apart(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 4, 30, 30), 2: box(10, 10)})
    propagator = MovingPropagator()
    list(propagate(video, store, propagator, PropagationRequest((1, 2), 0, 0, 3)))
    assert np.array_equal(propagator.given[0][2], box(10, 10)), "the larger one would hide the smaller"
    assert not np.any(mask_at(store, video, 3, 1) & mask_at(store, video, 3, 2))


def test_outlines_of_touching_objects_share_no_pixel(tmp_path: Path, store: AnnotationStore) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    for index in range(2):
        Image.new("RGB", (320, 240)).save(folder / f"{index}.png")
    video = find_videos(tmp_path)[0]
    y, x = np.mgrid[:240, :320]
    disc = (x - 160) ** 2 + (y - 120) ** 2 < 100**2 + 900 * np.sin(y / 5)
    side = x - 150 + 12 * np.sin(y / 7) + 0.4 * (y - 120)
    parts = {1: disc & (side < 0), 2: disc & (side >= 0) & (y < 130), 3: disc & (side >= 0) & (y >= 130)}

    class Fixed(MovingPropagator):
        def step(
            self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
        ) -> dict[int, PropagatedMask]:
            return {object_id: PropagatedMask(parts[object_id], 1.0) for object_id in wanted}

    def add(annotation: FrameAnnotation) -> FrameAnnotation:
        shapes = [mask_to_shapes(mask, label="a", object_id=i, source=MANUAL) for i, mask in parts.items()]
        return replace(annotation, shapes=sum(shapes, ()))

    def add_third(annotation: FrameAnnotation) -> FrameAnnotation:
        return annotation.with_object(3, mask_to_shapes(parts[3], label="a", object_id=3, source=MANUAL))

    store.update(video, 0, add, 320, 240)
    store.update(video, 1, add_third, 320, 240)
    list(propagate(video, store, Fixed(), PropagationRequest((1, 2), 0, 0, 1)))
    written = store.read(video, 1)
    masks = {i: object_mask(written.shapes_of(i), 240, 320) for i in (1, 2, 3)}
    assert max(sum(mask.astype(int) for mask in masks.values()).ravel()) == 1
    assert all(iou(masks[i], parts[i]) > 0.98 for i in (1, 2))
    assert all(shape.shape_type == "polygon" and len(shape.points) < 100 for shape in written.shapes)


def test_the_embedded_propagator_follows_a_ball_through_a_video(tmp_path: Path, store: AnnotationStore) -> None:
    random = np.random.default_rng(3)
    scenery = cv2.GaussianBlur(random.integers(60, 200, (120, 200, 3), np.uint8), (0, 0), 3)
    ball = cv2.GaussianBlur(random.integers(0, 255, (120, 200, 3), np.uint8), (0, 0), 1.5) // 2 + [100, 0, 0]
    (tmp_path / "clip").mkdir()
    truth = []
    for index in range(8):
        x, y = 50 + 6 * index, 60 + 2 * index
        rows, columns = np.mgrid[:120, :200]
        truth.append((columns - x) ** 2 + (rows - y) ** 2 < 24**2)
        texture = np.roll(ball, (2 * index, 6 * index), (0, 1))
        frame = np.where(truth[-1][..., None], texture, scenery).astype(np.uint8)
        Image.fromarray(frame).save(tmp_path / "clip" / f"{index:05}.jpg", quality=95)
    video = find_videos(tmp_path)[0]
    shapes: tuple[Shape, ...] = mask_to_shapes(truth[0], label="ball", object_id=1, source=MANUAL)
    store.update(video, 0, lambda blank: replace(blank, shapes=shapes), 200, 120)

    done = list(propagate(video, store, EmbeddedPropagator(), PropagationRequest((1,), 0, 0, 7)))
    assert len(done) == 8
    overlaps = [iou(object_mask(store.read(video, i).shapes, 120, 200), truth[i]) for i in range(1, 8)]
    assert np.mean(overlaps) > 0.9
    assert all(0 <= frame.scores[1] <= 1 for frame in done[1:])

    say_it = frozenset({1})
    for index in (3, 4):  # hidden for a while, says a person
        store.update(video, index, lambda old: replace(old.with_object(1, ()), absent_ids=say_it), 200, 120)
    list(propagate(video, store, EmbeddedPropagator(), PropagationRequest((1,), 0, 0, 7)))
    again = [iou(object_mask(store.read(video, i).shapes, 120, 200), truth[i]) for i in range(1, 8)]
    assert again[2:4] == [0, 0]
    assert np.mean(again[4:]) > 0.9
