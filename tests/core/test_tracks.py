"""The objects of a video over time, and changes to a whole track."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from sam_annotator.core.annotation import MANUAL, PROPAGATED, FrameAnnotation, Shape
from sam_annotator.core.errors import AnnotationError, InputError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import (
    VideoTracks,
    admit_object,
    change_object_id,
    delete_object,
    relabel_object,
    start_of_range,
)
from sam_annotator.core.videos import Video

WIDTH, HEIGHT = 32, 24


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path / "swan", 6)


def make_video(folder: Path, frames: int) -> Video:
    folder.mkdir()
    for index in range(frames):
        (folder / f"{index:05d}.jpg").touch()
    return Video(folder.name, folder)


def part(object_id: int | None, label: str = "swan", source: str = MANUAL, score: float | None = None) -> Shape:
    points = ((1.0, 2.0), (10.0, 2.0), (10.0, 11.0))
    return Shape(label, points, object_id=object_id, source=source, score=score)


def put(
    store: AnnotationStore,
    video: Video,
    index: int,
    *shapes: Shape,
    answered: tuple[int, ...] = (),
    absent: tuple[int, ...] = (),
) -> None:
    blank = store.blank(video, index, WIDTH, HEIGHT)
    ids = {"propagated_ids": frozenset(answered), "absent_ids": frozenset(absent)}
    store.save(video, index, replace(blank, shapes=shapes, **ids), None)


def scanned(video: Video, store: AnnotationStore) -> VideoTracks:
    tracks = VideoTracks()
    for _ in tracks.scan(video, store):
        pass
    return tracks


def frames_of(tracks: VideoTracks) -> dict[int, tuple[set[int], set[int], set[int]]]:
    return {
        track.object_id: (set(track.key_frames), set(track.propagated_frames), set(track.answered_frames))
        for track in tracks.tracks()
    }


def test_a_scan_tells_key_frames_propagated_and_answered_ones_apart(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(2), part(1), part(None))
    put(store, video, 2, part(1, source=PROPAGATED), answered=(1, 2))
    put(store, video, 3, part(1, source=PROPAGATED), part(1, source=MANUAL), answered=(1,))
    tracks = VideoTracks()
    assert list(tracks.scan(video, store)) == [1, 2, 3]
    assert frames_of(tracks) == {1: ({0, 3}, {2}, {2, 3}), 2: ({0}, set(), {2})}
    first = tracks.get(1)
    assert first is not None
    assert (first.label, first.first, first.last, first.frames) == ("swan", 0, 3, {0, 2, 3})
    assert tracks.get(9) is None


def test_a_frame_that_changed_is_taken_over_without_a_scan(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1), part(2))
    put(store, video, 1, part(2), answered=(1,))
    tracks = scanned(video, store)
    tracks.set_frame(1, FrameAnnotation("1.jpg", WIDTH, HEIGHT, (part(3),)))
    assert frames_of(tracks) == {1: ({0}, set(), set()), 2: ({0}, set(), set()), 3: ({1}, set(), set())}
    tracks.set_frame(0, None)
    assert frames_of(tracks) == {3: ({1}, set(), set())}
    assert tracks.get(1) is None


def test_a_second_scan_forgets_files_that_are_gone(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(1))
    tracks = scanned(video, store)
    store.path(video, 0).unlink()
    assert list(tracks.scan(video, store)) == [1]
    assert frames_of(tracks) == {1: ({1}, set(), set())}


def test_a_scan_may_be_stopped_at_any_point(video: Video, store: AnnotationStore) -> None:
    for index in range(4):
        put(store, video, index, part(1))
    tracks = VideoTracks()
    scan = tracks.scan(video, store)
    next(scan)
    next(scan)
    scan.close()
    assert frames_of(tracks) == {1: ({0, 1}, set(), set())}


def test_a_corrupt_file_is_a_problem_of_its_frame_not_of_the_scan(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 2, part(1))
    store.path(video, 1).write_text("{")
    tracks = scanned(video, store)
    assert frames_of(tracks) == {1: ({0, 2}, set(), set())}
    assert list(tracks.problems) == [1]
    assert "00001.json" in tracks.problems[1]
    tracks.set_frame(1, FrameAnnotation("1.jpg", WIDTH, HEIGHT))
    assert not tracks.problems


def test_the_most_frequent_category_counts_and_the_conflict_is_remembered(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1, "duck"), part(2, "boat"))
    put(store, video, 1, part(1, "swan"))
    put(store, video, 2, part(1, "swan"))
    tracks = scanned(video, store)
    assert [track.label for track in tracks.tracks()] == ["swan", "boat"]
    assert tracks.label_conflicts == {1: {"swan": 2, "duck": 1}}


def test_frames_with_a_low_score_are_doubtful_until_a_human_approves(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1, source=PROPAGATED, score=0.9), part(2, source=PROPAGATED, score=0.2))
    put(store, video, 1, part(1, source=PROPAGATED, score=0.9))
    put(store, video, 2, part(1, source=PROPAGATED, score=0.1), part(1))
    tracks = scanned(video, store)
    assert tracks.doubtful_frames() == {0}
    assert tracks.doubtful_frames(below=0.95) == {0, 1}


def test_a_mask_missing_right_beside_a_key_frame_is_doubtful_until_a_human_says_that_it_is_gone(
    video: Video, store: AnnotationStore
) -> None:
    put(store, video, 0, answered=(1,))
    put(store, video, 1, part(1))
    put(store, video, 2, answered=(1,))
    put(store, video, 3, answered=(1,))  # not beside the key frame: said once
    tracks = scanned(video, store)
    assert [(one.score, one.frame, one.object_id, one.beside) for one in tracks.doubtful_answers()] == [
        (0.0, 0, 1, 1),
        (0.0, 2, 1, 1),
    ]
    put(store, video, 2, answered=(1,), absent=(1,))
    assert scanned(video, store).doubtful_frames() == {0}


def test_object_ids_begin_at_one_and_never_come_back(video: Video, store: AnnotationStore) -> None:
    tracks = scanned(video, store)
    assert [tracks.next_object_id(), tracks.next_object_id()] == [1, 2]
    tracks.set_frame(0, FrameAnnotation("0.jpg", WIDTH, HEIGHT, (part(7), part(0), part(None))))
    tracks.set_frame(1, FrameAnnotation("1.jpg", WIDTH, HEIGHT, propagated_ids=frozenset({9})))
    assert tracks.next_object_id() == 10
    tracks.set_frame(0, None)
    tracks.set_frame(1, None)
    assert tracks.next_object_id() == 11


def test_a_thousand_frames_with_five_objects_are_scanned_in_about_a_second(
    tmp_path: Path, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _handle: None)  # what is measured is reading
    video = make_video(tmp_path / "long", 1000)
    outline = tuple((float(x), float(x % 7)) for x in range(40))
    shapes = [replace(part(object_id, source=PROPAGATED, score=0.5), points=outline) for object_id in range(1, 6)]
    for index in range(1000):
        put(store, video, index, *shapes)
    start = time.process_time()
    tracks = scanned(video, store)
    assert time.process_time() - start < 3.0  # 0.5 where the machine has nothing else to do
    assert len(tracks.tracks()) == 5


# --- changes to a whole track


def test_a_new_category_goes_to_the_frames_asked_for_and_to_this_object_alone(
    video: Video, store: AnnotationStore
) -> None:
    put(store, video, 0, part(1), part(2), part(1))
    put(store, video, 1, part(2))
    put(store, video, 3, part(1))
    put(store, video, 5, part(1))
    untouched = {index: store.path(video, index).read_bytes() for index in (1, 5)}
    assert list(relabel_object(video, store, 1, "goose", range(5))) == [0, 3]
    assert [shape.label for shape in store.read(video, 0).shapes] == ["goose", "swan", "goose"]
    assert store.read(video, 3).shapes[0].label == "goose"
    assert {index: store.path(video, index).read_bytes() for index in untouched} == untouched
    assert store.annotated_frames(video) == {0, 1, 3, 5}


def test_frames_with_a_readable_annotation_are_counted_as_they_come_and_go(
    video: Video, store: AnnotationStore
) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1)
    put(store, video, 2, part(1))
    store.path(video, 2).write_text("{")
    tracks = scanned(video, store)
    assert tracks.annotated == 2
    tracks.set_frame(4, store.read(video, 0))
    assert tracks.annotated == 3
    tracks.set_frame(0, None)
    assert tracks.annotated == 2


def test_a_category_without_a_name_is_refused(video: Video, store: AnnotationStore) -> None:
    with pytest.raises(InputError, match="name"):
        list(relabel_object(video, store, 1, "  ", range(3)))


def test_deleting_an_object_takes_its_answers_along(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1), part(2), answered=(2,))
    put(store, video, 1, answered=(1, 2))
    put(store, video, 2, part(1, source=PROPAGATED), answered=(1,))
    assert list(delete_object(video, store, 1, range(6))) == [0, 1, 2]
    tracks = scanned(video, store)
    assert frames_of(tracks) == {2: ({0}, set(), {0, 1})}
    assert store.read(video, 2).shapes == ()


def test_a_change_may_be_stopped_between_frames_and_taken_up_again(video: Video, store: AnnotationStore) -> None:
    for index in range(4):
        put(store, video, index, part(1))
    change = delete_object(video, store, 1, range(4))
    assert [next(change), next(change)] == [0, 1]
    change.close()
    assert frames_of(scanned(video, store)) == {1: ({2, 3}, set(), set())}
    assert list(delete_object(video, store, 1, range(4))) == [2, 3]


def test_an_unreadable_frame_does_not_keep_the_others_from_being_changed(video: Video, store: AnnotationStore) -> None:
    for index in range(3):
        put(store, video, index, part(1))
    store.path(video, 1).write_text("{")
    change = relabel_object(video, store, 1, "goose", range(3))
    assert [next(change), next(change)] == [0, 2]
    with pytest.raises(AnnotationError, match=r"00001\.json"):
        next(change)
    assert store.path(video, 1).read_text() == "{"


def test_an_object_takes_another_id_where_that_one_is_not_to_be_seen(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(5), part(2), answered=(5, 1))
    put(store, video, 2, part(5), answered=(5,))
    assert list(change_object_id(video, store, 5, 1, iter([1, 2]))) == [1, 2]
    assert frames_of(scanned(video, store)) == {1: ({0, 1, 2}, set(), {1, 2}), 2: ({1}, set(), set())}
    assert store.read(video, 1).object_ids() == (1, 2)


def test_an_object_id_that_is_taken_in_one_of_the_frames_is_refused_before_anything_changes(
    video: Video, store: AnnotationStore
) -> None:
    put(store, video, 0, part(5))
    put(store, video, 1, part(5), part(1))
    before = [store.path(video, index).read_bytes() for index in (0, 1)]
    with pytest.raises(InputError, match=r"00001\.json shows object 1 already"):
        list(change_object_id(video, store, 5, 1, range(2)))
    assert [store.path(video, index).read_bytes() for index in (0, 1)] == before


def test_an_object_may_keep_its_id(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(5))
    assert list(change_object_id(video, store, 5, 5, range(2))) == []


# --- not here, said by a person


def test_a_scan_tells_where_an_object_is_not(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1), absent=(7,))
    put(store, video, 2, part(2), answered=(1,), absent=(1,))
    tracks = scanned(video, store)
    first = tracks.get(1)
    assert first is not None
    assert (first.absent_frames, first.frames, first.key_frames) == ({2}, {0}, {0})
    assert (first.known_frames, first.decided_frames) == ({0, 2}, {0, 2})
    assert tracks.get(7) is None  # no frame shows it
    assert tracks.mentions(7)
    assert tracks.next_object_id() == 8
    tracks.set_frame(2, replace(store.read(video, 2), absent_ids=frozenset()))
    assert tracks.get(1).absent_frames == set()
    assert start_of_range([first], 3, 0, 1) == 2


def test_an_object_is_deleted_for_good_and_may_be_let_in_again(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(1, source=PROPAGATED), part(2), answered=(1,))
    put(store, video, 2, part(2))
    assert list(delete_object(video, store, 1, (1, 2), is_absent=True)) == [1, 2]
    assert [store.read(video, index).absent_ids for index in range(3)] == [set(), {1}, {1}]
    assert store.read(video, 1).propagated_ids == set()
    assert list(admit_object(video, store, 1, range(3))) == [1, 2]
    assert [store.read(video, index).absent_ids for index in range(3)] == [set()] * 3


def test_a_track_that_is_deleted_takes_along_where_it_is_not(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(2), absent=(1, 2, 3))
    assert list(delete_object(video, store, 1, range(6))) == [0, 1]
    assert store.read(video, 1).absent_ids == {3}
    assert not scanned(video, store).mentions(1)


def test_where_an_object_is_not_goes_with_it_to_another_id(video: Video, store: AnnotationStore) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(2), absent=(1,))
    list(change_object_id(video, store, 1, 4, range(2)))
    assert store.read(video, 1).absent_ids == {4}
    list(relabel_object(video, store, 4, "goose", range(2)))
    assert store.read(video, 1).absent_ids == {4}


def test_two_ids_become_one_where_the_one_was_said_to_be_away_and_the_other_is_shown(
    video: Video, store: AnnotationStore
) -> None:
    put(store, video, 0, part(1))
    put(store, video, 1, part(3), absent=(1,))
    put(store, video, 2, part(3, source=PROPAGATED), answered=(1, 3))
    put(store, video, 3, part(1), answered=(3,))
    put(store, video, 4, answered=(1,), absent=(3,))
    assert list(change_object_id(video, store, 1, 3, range(5))) == [0, 1, 2, 3, 4]
    found = [store.read(video, index) for index in range(5)]
    assert [frame.object_ids() for frame in found] == [(3,), (3,), (3,), (3,), ()]
    assert [frame.absent_ids for frame in found] == [set(), set(), set(), set(), {3}]
    assert [frame.propagated_ids for frame in found] == [set(), set(), {3}, set(), {3}]
