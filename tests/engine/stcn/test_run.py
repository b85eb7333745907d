"""Whole runs through the annotations on disk, with STCN's classes and random weights."""

from pathlib import Path

import pytest

from sam_annotator.core.annotation import MANUAL, PROPAGATED
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest
from sam_annotator.engine.propagation import propagate
from tests.engine.moving_propagator import all_files, box, draw, make_video, mask_at
from tests.engine.stcn.small import small_propagator

LAST = 7
REQUEST = PropagationRequest((1, 2), 2, 0, LAST, "both")


@pytest.fixture
def video(tmp_path: Path) -> Video:
    """Object 1 is known in frames 2 and 5, object 2 in 2 and 4, object 3 is not asked for."""
    video = make_video(tmp_path, LAST + 1)
    draw(AnnotationStore(), video, 2, {1: box(4, 10), 2: box(16, 16), 3: box(30, 2)})
    draw(AnnotationStore(), video, 4, {2: box(20, 16)})
    draw(AnnotationStore(), video, 5, {1: box(12, 10)})
    return video


def test_each_frame_is_filled_and_what_people_made_stays(video: Video) -> None:
    store = AnnotationStore()
    done = {frame.index: frame for frame in propagate(video, store, small_propagator(), REQUEST)}
    assert done.keys() == set(range(LAST + 1))
    assert not any(frame.problem for frame in done.values())
    for index, objects in {
        2: {1: box(4, 10), 2: box(16, 16), 3: box(30, 2)},
        4: {2: box(20, 16)},
        5: {1: box(12, 10)},
    }.items():
        for object_id, mask in objects.items():
            assert (mask_at(store, video, index, object_id) == mask).all()
            annotation = store.read(video, index)
            assert annotation is not None
            assert {shape.source for shape in annotation.shapes_of(object_id)} == {MANUAL}
    for index in done:
        annotation = store.read(video, index)
        assert annotation is not None
        assert {shape.source for shape in annotation.shapes_of(1)} <= ({MANUAL} if index in (2, 5) else {PROPAGATED})
        assert not (mask_at(store, video, index, 1) & mask_at(store, video, index, 2)).any()


def test_a_run_cancelled_anywhere_and_begun_again_ends_as_one_that_was_not(tmp_path: Path, video: Video) -> None:
    before = all_files(video)
    for _ in propagate(video, AnnotationStore(), small_propagator(), REQUEST):
        pass
    expected = all_files(video)
    propagator = small_propagator()
    for stop in range(REQUEST.total):
        for path in video.folder.glob("*.json"):
            path.unlink()
        for name, content in before.items():
            (video.folder / name).write_bytes(content)
        run = propagate(video, AnnotationStore(), propagator, REQUEST)
        for _ in range(stop):
            next(run)
        run.close()
        for _ in propagate(video, AnnotationStore(), propagator, REQUEST):
            pass
        assert all_files(video) == expected
