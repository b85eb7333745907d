"""What is open, without a window: frames as they are on disk, saved relative to what was loaded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam_annotator.core.annotation import FrameAnnotation, Shape
from sam_annotator.core.errors import AnnotationError, ImageError
from sam_annotator.core.images import read_image
from sam_annotator.core.store import AnnotationStore, set_propagated
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import find_videos
from sam_annotator.gui.videos.frame_reader import FrameReader
from sam_annotator.gui.videos.session import Session
from tests.gui.scene import HEIGHT, WIDTH, make_video

SQUARE = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))


def shape(object_id: int, label: str = "ball", source: str = "manual") -> Shape:
    return Shape(label, SQUARE, object_id=object_id, source=source)


def with_shapes(annotation: FrameAnnotation, *shapes: Shape) -> FrameAnnotation:
    return replace(annotation, shapes=tuple(shapes))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    make_video(tmp_path / "videos" / "ball", 5)
    made = Session(AnnotationStore(tmp_path / "annotations"))
    made.videos = find_videos(tmp_path / "videos")
    made.row = 0
    yield made
    made.close()


def frame_path(session: Session, index: int) -> Path:
    return session.video.frame_paths[index]


def test_a_new_session_has_nothing_open() -> None:
    session = Session(AnnotationStore())
    assert (session.video, session.total, session.can_annotate) == (None, 0, False)


def test_a_frame_is_loaded_with_its_image_and_its_annotation(session: Session) -> None:
    blank = session.store.blank(session.video, 2, WIDTH, HEIGHT)
    session.store.save(session.video, 2, with_shapes(blank, shape(1)), None)
    frame = session.load_frame(2)
    assert np.array_equal(frame.image, read_image(frame_path(session, 2)))
    assert frame.annotation.object_ids() == (1,)
    assert session.base is frame.annotation
    assert (session.index, session.total, frame.problem) == (2, 5, "")
    assert session.can_annotate


def test_a_frame_without_a_file_starts_blank_and_loading_writes_nothing(session: Session, tmp_path: Path) -> None:
    frame = session.load_frame(0)
    assert frame.annotation is None
    start = session.starting_point()
    assert (start.width, start.height, start.shapes) == (WIDTH, HEIGHT, ())
    assert (tmp_path / "annotations" / "ball" / start.image_path).resolve() == frame_path(session, 0)
    assert not (tmp_path / "annotations").exists()


def test_every_frame_of_a_walk_is_the_right_one_forward_backward_and_by_jumps(session: Session) -> None:
    for index in (0, 1, 2, 3, 4, 3, 2, 4, 0, 4, 1, 1, 2):
        frame = session.load_frame(index)
        assert frame.path == frame_path(session, index)
        assert np.array_equal(frame.image, read_image(frame.path))


def test_an_image_that_cannot_be_read_is_a_problem_of_that_frame_alone(session: Session) -> None:
    frame_path(session, 1).write_bytes(frame_path(session, 1).read_bytes()[:200])
    session.load_frame(0)
    frame = session.load_frame(1)
    assert frame.image is None
    assert "00001.jpg" in frame.problem
    assert not session.can_annotate
    assert session.load_frame(2).problem == ""
    assert session.can_annotate


def test_a_corrupt_annotation_is_a_problem_that_leaves_the_file_as_it_is(session: Session) -> None:
    path = session.store.path(session.video, 1)
    path.parent.mkdir(parents=True)
    path.write_text('{"shapes": [')
    frame = session.load_frame(1)
    assert frame.image is not None
    assert str(path) in frame.problem
    assert not session.can_annotate
    assert path.read_text() == '{"shapes": ['


def test_an_annotation_of_another_image_size_is_a_problem(session: Session) -> None:
    blank = session.store.blank(session.video, 1, 640, 480)
    session.store.save(session.video, 1, with_shapes(blank, shape(1)), None)
    frame = session.load_frame(1)
    assert "640 x 480" in frame.problem
    assert not session.can_annotate


@pytest.mark.parametrize(("shape_type", "points"), [("ellipse", 2), ("rotation", 4), ("rectangle", 4), ("circle", 3)])
def test_a_shape_that_the_canvas_cannot_show_is_a_problem_and_not_lost(
    session: Session, shape_type: str, points: int
) -> None:
    strange = replace(shape(1), shape_type=shape_type, points=SQUARE[:points])
    blank = session.store.blank(session.video, 1, WIDTH, HEIGHT)
    session.store.save(session.video, 1, with_shapes(blank, strange), None)
    frame = session.load_frame(1)
    assert f"a {shape_type} of {points} points" in frame.problem
    assert str(session.store.path(session.video, 1)) in frame.problem
    assert not session.can_annotate


def test_a_shape_that_the_canvas_cannot_show_is_not_taken_over_from_somebody_else(session: Session) -> None:
    session.load_frame(0)
    before = session.save(with_shapes(session.starting_point(), shape(1)))
    strange = replace(shape(2), shape_type="ellipse")
    session.store.save(session.video, 0, with_shapes(before, shape(1), strange), before)
    with pytest.raises(AnnotationError, match="ellipse"):
        session.reload_annotation()
    assert session.base is before


def test_saving_makes_what_was_saved_the_base_of_the_next_save(session: Session) -> None:
    session.load_frame(0)
    first = session.save(with_shapes(session.starting_point(), shape(1)))
    assert session.base == first
    second = session.save(with_shapes(session.starting_point(), shape(1), shape(2)))
    assert session.store.read(session.video, 0) == second
    assert second.object_ids() == (1, 2)


def test_what_a_propagation_wrote_meanwhile_is_kept_and_handed_back(session: Session) -> None:
    session.load_frame(0)
    mine = session.save(with_shapes(session.starting_point(), shape(1)))
    session.store.update(
        session.video, 0, lambda frame: set_propagated(frame, 2, [shape(2, "brick", "propagated")]), WIDTH, HEIGHT
    )
    stands = session.save(with_shapes(mine, shape(1, "balloon")))
    assert [(item.object_id, item.label) for item in stands.shapes] == [(1, "balloon"), (2, "brick")]
    assert session.base == stands


def test_saving_tells_the_tracks(session: Session) -> None:
    session.tracks = VideoTracks()
    session.load_frame(3)
    session.save(with_shapes(session.starting_point(), shape(7)))
    assert session.tracks.get(7).frames == {3}
    assert session.tracks.next_object_id() == 8
    assert session.saved_frames == {3}


def test_a_save_that_fails_changes_nothing(session: Session) -> None:
    session.load_frame(0)
    before = session.save(with_shapes(session.starting_point(), shape(1)))
    session.store.path(session.video, 0).write_text("broken meanwhile")
    with pytest.raises(AnnotationError):
        session.save(with_shapes(before, shape(1), shape(2)))
    assert session.base is before
    assert session.store.path(session.video, 0).read_text() == "broken meanwhile"


def test_what_somebody_else_wrote_is_read_when_it_is_asked_for(session: Session) -> None:
    session.load_frame(0)
    AnnotationStore(session.store.output).save(session.video, 0, with_shapes(session.starting_point(), shape(5)), None)
    assert session.base is None
    assert session.reload_annotation().object_ids() == (5,)
    assert session.base.object_ids() == (5,)


def test_a_closed_video_leaves_nothing_open(session: Session) -> None:
    session.load_frame(1)
    session.tracks = VideoTracks()
    session.close_video()
    assert (session.video, session.frame, session.base, session.tracks) == (None, None, None, None)
    assert (session.index, session.total, session.can_annotate) == (0, 0, False)


# --- reading ahead -----------------------------------------------------------------------------------------------


@pytest.fixture
def reader() -> Iterator[FrameReader]:
    made = FrameReader()
    yield made
    made.close()


def test_an_expected_image_is_the_one_on_disk(reader: FrameReader, session: Session) -> None:
    reader.expect(frame_path(session, 1))
    assert np.array_equal(reader.read(frame_path(session, 1)), read_image(frame_path(session, 1)))
    reader.expect(frame_path(session, 1))
    assert np.array_equal(reader.read(frame_path(session, 2)), read_image(frame_path(session, 2)))


def test_a_file_that_changed_since_it_was_expected_is_read_anew(reader: FrameReader, session: Session) -> None:
    path = frame_path(session, 1)
    reader.expect(path)
    cv2.imwrite(str(path), np.zeros((7, 9, 3), np.uint8))
    assert reader.read(path).shape == (7, 9, 3)


def test_what_is_wrong_with_an_expected_image_is_said_when_it_is_asked_for(
    reader: FrameReader, session: Session
) -> None:
    path = frame_path(session, 1)
    path.unlink()
    reader.expect(path)
    with pytest.raises(ImageError, match=r"00001\.jpg"):
        reader.read(path)


def test_closing_twice_and_one_that_never_read_is_harmless(reader: FrameReader) -> None:
    reader.close()
    reader.close()
