"""Where annotations live, and that a person and a propagation lose nothing of each other."""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.annotation import (
    MANUAL,
    PROPAGATED,
    REVIEWED,
    FrameAnnotation,
    Shape,
    encode_annotation,
    read_annotation,
    write_annotation,
)
from sam_annotator.core.errors import AnnotationError, InputError, SaveError
from sam_annotator.core.store import AnnotationStore, check_size, merge, set_propagated, without_propagation
from sam_annotator.core.videos import Video

WIDTH, HEIGHT = 32, 24


def make_video(root: Path, name: str = "swan", frames: int = 3) -> Video:
    folder = root.joinpath(*name.split("/"))
    folder.mkdir(parents=True)
    for index in range(frames):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"{index:05d}.jpg")
    return Video(name, folder)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path / "videos")


def part(object_id: int | None, left: float = 1.0, source: str = MANUAL, **facts: object) -> Shape:
    points = ((left, 2.0), (left + 9, 2.0), (left + 9, 11.0))
    return Shape("swan", points, object_id=object_id, source=source, **facts)


def frame(*shapes: Shape, **facts: object) -> FrameAnnotation:
    return FrameAnnotation("00000.jpg", WIDTH, HEIGHT, shapes=shapes, **facts)


def adding(shape: Shape) -> Callable[[FrameAnnotation], FrameAnnotation]:
    return lambda annotation: annotation.with_object(shape.object_id, [shape])


def put(store: AnnotationStore, video: Video, index: int, *shapes: Shape) -> FrameAnnotation:
    blank = store.blank(video, index, WIDTH, HEIGHT)
    return store.save(video, index, replace(blank, shapes=shapes), None)


# --- where


def test_annotations_lie_beside_their_frames(video: Video) -> None:
    assert AnnotationStore().path(video, 1) == video.folder / "00001.json"
    assert AnnotationStore().blank(video, 1, WIDTH, HEIGHT).image_path == "00001.jpg"


def test_with_an_output_folder_equal_frame_names_of_two_videos_do_not_meet(tmp_path: Path) -> None:
    store = AnnotationStore(tmp_path / "out")
    videos = [make_video(tmp_path / "videos", name) for name in ("train/00000", "val/00000")]
    for number, video in enumerate(videos):
        put(store, video, 0, part(number))
    assert store.path(videos[0], 0) == tmp_path / "out" / "train" / "00000" / "00000.json"
    assert [store.read(video, 0).object_ids() for video in videos] == [(0,), (1,)]
    assert not list((tmp_path / "videos").rglob("*.json"))


@pytest.mark.parametrize("linked", [False, True])
def test_labelme_finds_the_image_from_an_output_folder(tmp_path: Path, linked: bool) -> None:
    from labelme._label_file import read_label_file

    video = make_video(tmp_path / "my vidéos", "swan lake/1")
    output = tmp_path / "out"
    if linked:
        (tmp_path / "far" / "away").mkdir(parents=True)
        output.symlink_to(tmp_path / "far" / "away", target_is_directory=True)
    store = AnnotationStore(output)
    put(store, video, 2, part(1))
    image_path = store.read(video, 2).image_path
    assert not os.path.isabs(image_path)
    assert "\\" not in image_path
    assert read_label_file(str(store.path(video, 2))).image_data == video.frame_paths[2].read_bytes()


def test_an_output_folder_given_relatively_does_not_move_with_the_working_folder(
    video: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = AnnotationStore(Path("out"))
    monkeypatch.chdir(video.folder)
    put(store, video, 0, part(1))
    assert (tmp_path / "out" / "swan" / "00000.json").exists()


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match=r"out is a file"):
        AnnotationStore(tmp_path / "out")


def test_annotated_frames_are_those_with_a_file(video: Video, tmp_path: Path) -> None:
    for store in (AnnotationStore(), AnnotationStore(tmp_path / "out")):
        assert store.annotated_frames(video) == frozenset()
        put(store, video, 2)
        put(store, video, 0, part(1))
        store.path(video, 0).with_name("notes.json").write_text("{}")
        assert store.annotated_frames(video) == {0, 2}


# --- reading and writing


def test_no_file_reads_as_none_and_a_saved_frame_reads_as_saved(video: Video) -> None:
    store = AnnotationStore()
    assert store.read(video, 0) is None
    saved = put(store, video, 0, part(1), part(None))
    assert store.read(video, 0) == saved


@pytest.mark.parametrize("content", [b"", b'{"shapes": [', b"[]", b'{"shapes": [], "version": "6"}'])
def test_a_corrupt_file_is_named_and_never_overwritten(video: Video, content: bytes) -> None:
    store = AnnotationStore()
    store.path(video, 0).write_bytes(content)
    for attempt in (
        lambda: store.read(video, 0),
        lambda: put(store, video, 0, part(1)),
        lambda: store.update(video, 0, adding(part(1)), WIDTH, HEIGHT),
    ):
        with pytest.raises(AnnotationError, match=r"00000\.json"):
            attempt()
    assert store.path(video, 0).read_bytes() == content


def test_saving_a_blank_frame_says_looked_at_and_updating_without_a_change_says_nothing(video: Video) -> None:
    store = AnnotationStore()
    unchanged = store.update(video, 0, lambda annotation: annotation, WIDTH, HEIGHT)
    assert unchanged == store.blank(video, 0, WIDTH, HEIGHT)
    assert store.read(video, 0) is None
    store.save(video, 0, unchanged, None)
    assert store.read(video, 0).shapes == ()


def test_a_file_that_is_as_it_should_be_is_not_touched(video: Video) -> None:
    store = AnnotationStore()
    path = store.path(video, 0)
    # as another program may have written it: other bytes, the same content
    path.write_bytes(encode_annotation(frame(part(1))).replace(b"\n", b""))
    before = path.read_bytes()
    loaded = store.read(video, 0)
    assert store.save(video, 0, loaded, loaded) == loaded
    assert store.update(video, 0, adding(part(1)), WIDTH, HEIGHT) == loaded
    assert path.read_bytes() == before


def test_an_update_of_a_frame_of_another_size_is_refused(video: Video) -> None:
    store = AnnotationStore()
    put(store, video, 0, part(1))
    before = store.path(video, 0).read_bytes()
    with pytest.raises(AnnotationError, match=r"00000\.json was made for an image of 32 x 24 .* 64 x 48"):
        store.update(video, 0, adding(part(2)), 64, 48)
    assert store.path(video, 0).read_bytes() == before


def test_a_file_that_states_no_size_gets_one_with_the_first_change(video: Video) -> None:
    store = AnnotationStore()
    write_annotation(store.path(video, 0), FrameAnnotation("00000.jpg", 0, 0))
    assert store.read(video, 0).width == 0
    store.update(video, 0, adding(part(1)), WIDTH, HEIGHT)
    assert (store.read(video, 0).width, store.read(video, 0).height) == (WIDTH, HEIGHT)


def test_a_full_disk_leaves_the_old_file_and_no_leftovers(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    store = AnnotationStore()
    base = put(store, video, 0, part(1))
    before = sorted(video.folder.iterdir()), store.path(video, 0).read_bytes()

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SaveError, match=r"00000\.json could not be saved \(No space left"):
        store.save(video, 0, frame(part(1, left=5.0)), base)
    assert (sorted(video.folder.iterdir()), store.path(video, 0).read_bytes()) == before


def test_an_output_folder_that_cannot_be_made_is_one_sentence_that_says_what_to_do(
    video: Video, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    store = AnnotationStore(tmp_path / "out")
    (tmp_path / "out" / "swan").write_text("in the way")
    with pytest.raises((SaveError, AnnotationError), match=r"swan/00000\.json"):
        put(store, video, 0, part(1))
    assert (tmp_path / "out" / "swan").read_text() == "in the way"


# --- joining what two sides did


def test_what_a_person_did_not_touch_is_taken_from_the_file() -> None:
    base = frame(part(1), part(2, source=PROPAGATED), part(3))
    mine = frame(part(1, left=7.0), part(2, source=PROPAGATED), part(3))
    theirs = frame(part(1), part(2, left=9.0, source=PROPAGATED), part(3), part(4), propagated_ids=frozenset({2, 4}))
    merged = merge(mine=mine, base=base, theirs=theirs)
    assert merged.shapes == (part(1, left=7.0), part(2, left=9.0, source=PROPAGATED), part(3), part(4))
    assert merged.propagated_ids == {2, 4}


def test_what_both_changed_is_as_the_person_wants_it() -> None:
    base = frame(part(1, source=PROPAGATED))
    mine, theirs = frame(part(1, left=7.0)), frame(part(1, left=9.0, source=PROPAGATED))
    assert merge(mine=mine, base=base, theirs=theirs).shapes == mine.shapes


def test_what_one_side_deleted_stays_deleted() -> None:
    base = frame(part(1), part(2), part(None), propagated_ids=frozenset({1, 2, 5}))
    mine = frame(part(2), part(None), propagated_ids=frozenset({2, 5}))
    theirs = frame(part(1), part(None), propagated_ids=frozenset({1, 5, 6}))
    merged = merge(mine=mine, base=base, theirs=theirs)
    assert merged.shapes == (part(None),)
    assert merged.propagated_ids == {5, 6}


def test_not_here_stands_against_what_a_propagation_wrote_meanwhile() -> None:
    base = frame(part(1, source=PROPAGATED), part(2), absent_ids=frozenset({3, 4}))
    mine = frame(part(2), part(3), absent_ids=frozenset({1, 4}))  # deleted one, drew another
    theirs = frame(part(1, left=9.0, source=PROPAGATED), part(2), part(4), absent_ids=frozenset({3, 5}))
    merged = merge(mine=mine, base=base, theirs=theirs)
    assert merged.object_ids() == (2, 3, 4)
    assert merged.absent_ids == {1, 5}
    assert merge(mine=mine, base=None, theirs=theirs).absent_ids == {1, 5}  # what somebody drew is there
    assert merge(mine=mine, base=base, theirs=base).absent_ids == {1, 4}


@pytest.mark.parametrize("base", [None, frame()])
def test_not_here_is_stronger_than_a_mask_that_a_propagation_put_there_meanwhile(base: FrameAnnotation | None) -> None:
    mine = frame(absent_ids=frozenset({1}))
    theirs = set_propagated(set_propagated(frame(), 1, [part(1, source=PROPAGATED)]), 2, [part(2, source=PROPAGATED)])
    merged = merge(mine=mine, base=base, theirs=theirs)
    assert (merged.object_ids(), merged.absent_ids) == ((2,), {1})
    approved = theirs.with_object(1, [part(1, source=PROPAGATED, flags={REVIEWED: True})])
    merged = merge(mine=mine, base=base, theirs=approved)
    assert (merged.object_ids(), merged.absent_ids) == ((1, 2), set())


def test_shapes_without_an_object_id_count_as_one_object() -> None:
    base = frame(part(None), part(1))
    mine = frame(part(None), part(None, left=5.0), part(1))
    theirs = frame(part(None), part(1, left=9.0))
    assert merge(mine=mine, base=base, theirs=theirs).shapes == (*mine.shapes[:2], part(1, left=9.0))
    assert merge(mine=base, base=base, theirs=frame(part(1))).shapes == (part(1),)


def test_without_a_base_what_a_propagation_wrote_first_is_kept() -> None:
    merged = merge(mine=frame(part(1)), base=None, theirs=frame(part(2), propagated_ids=frozenset({2})))
    assert merged.shapes == (part(1), part(2))
    assert merged.propagated_ids == {2}


def test_the_order_that_a_person_gave_is_kept() -> None:
    base = frame(part(1), part(2), part(3))
    mine = frame(part(3), part(1), part(2))
    theirs = frame(part(1), part(2, left=9.0), part(3))
    assert merge(mine=mine, base=base, theirs=theirs).shapes == (part(3), part(1), part(2, left=9.0))


def test_flags_and_foreign_keys_are_the_persons() -> None:
    mine = frame(part(1), flags={"checked": True}, extra={"note": "mine"}, image_data="aGk=")
    merged = merge(mine=mine, base=frame(part(1)), theirs=frame(part(1), part(2), extra={"note": "old"}))
    assert (merged.flags, merged.extra, merged.image_data) == ({"checked": True}, {"note": "mine"}, "aGk=")


def test_a_file_that_somebody_removed_is_written_anew_with_everything(video: Video) -> None:
    store = AnnotationStore()
    base = put(store, video, 0, part(1), part(2))
    store.path(video, 0).unlink()
    store.save(video, 0, base.with_object(1, [part(1, left=5.0)]), base)
    assert store.read(video, 0).shapes == (part(1, left=5.0), part(2))


def test_a_person_and_a_propagation_at_the_same_frames_lose_nothing(tmp_path: Path) -> None:
    video, store = make_video(tmp_path, frames=8), AnnotationStore()
    rounds, failed = 12, []

    def propagate() -> None:
        try:
            for turn in range(rounds):
                for index in range(len(video)):
                    answer = part(2, left=float(turn), source=PROPAGATED)
                    store.update(video, index, lambda a, s=answer: set_propagated(a, 2, [s]), WIDTH, HEIGHT)
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)

    worker = threading.Thread(target=propagate)
    worker.start()
    for turn in range(rounds):
        bases = [store.read(video, index) for index in range(len(video))]
        for index, base in enumerate(bases):  # the window holds what it loaded a while ago
            mine = base or store.blank(video, index, WIDTH, HEIGHT)
            saved = store.save(video, index, mine.with_object(1, [part(1, left=float(turn))]), base)
            assert saved.shapes_of(1) == (part(1, left=float(turn)),)
    worker.join()
    assert not failed
    for index in range(len(video)):
        last = read_annotation(store.path(video, index))
        assert last.shapes_of(1) == (part(1, left=rounds - 1.0),)
        assert last.shapes_of(2) == (part(2, left=rounds - 1.0, source=PROPAGATED),)
        assert last.propagated_ids == {2}


def test_two_threads_that_add_objects_to_one_frame_lose_none(video: Video) -> None:
    store = AnnotationStore()

    def add(ids: range) -> None:
        for object_id in ids:
            store.update(video, 0, adding(part(object_id)), WIDTH, HEIGHT)

    threads = [threading.Thread(target=add, args=(range(first, 40, 4),)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read(video, 0).object_ids() == tuple(range(40))


# --- who may overwrite what


def test_a_propagation_fills_and_replaces_its_own_and_notes_that_it_answered() -> None:
    first = set_propagated(frame(part(1)), 2, [part(2, source=PROPAGATED)])
    second = set_propagated(first, 2, [part(2, left=4.0, source=PROPAGATED), part(2, left=15.0, source=PROPAGATED)])
    assert second.shapes[0] == part(1)
    assert [shape.points[0][0] for shape in second.shapes_of(2)] == [4.0, 15.0]
    gone = set_propagated(second, 2, [])
    assert gone.shapes == (part(1),)
    assert gone.propagated_ids == {2}


def test_a_propagation_never_brings_back_what_a_person_says_is_not_here() -> None:
    annotation = frame(part(2), absent_ids=frozenset({1}))
    assert set_propagated(annotation, 1, [part(1, source=PROPAGATED)]) is annotation
    assert set_propagated(annotation, 1, []) is annotation


@pytest.mark.parametrize("source", ["manual", "sam", "imported", "reviewed"])
def test_a_propagation_never_changes_what_a_human_made_or_approved(source: str) -> None:
    flags = {REVIEWED: source == "reviewed"}
    mine = part(1, source=PROPAGATED if source == "reviewed" else source, flags=flags)
    annotation = frame(mine, part(1, left=15.0, source=PROPAGATED))
    assert set_propagated(annotation, 1, [part(1, left=9.0, source=PROPAGATED)]) is annotation
    assert set_propagated(annotation, 1, []) is annotation


def test_a_mask_shape_survives_the_store(video: Video) -> None:
    crop = np.random.default_rng(0).random((6, 5)) > 0.5
    shape = Shape("swan", ((3.0, 4.0), (7.0, 9.0)), "mask", 1, crop, source=PROPAGATED, score=0.5)
    saved = put(AnnotationStore(), video, 0, shape)
    again = AnnotationStore().read(video, 0)
    assert again == saved
    np.testing.assert_array_equal(again.shapes[0].mask, crop)


def test_an_annotation_that_states_no_size_fits_every_image() -> None:
    check_size(FrameAnnotation("a.jpg", 0, 0), WIDTH, HEIGHT, Path("a.json"))
    with pytest.raises(AnnotationError, match=r"a\.json"):
        check_size(frame(), HEIGHT, WIDTH, Path("a.json"))


def test_an_object_that_a_run_had_emptied_comes_back_in_its_place() -> None:
    before = frame(part(1, 1, PROPAGATED), part(2, 2), propagated_ids=frozenset({1}))
    emptied = set_propagated(before, 1, ())
    assert without_propagation(emptied, before, {1}) == before
    drawn_since = emptied.with_object(3, [part(3, 3)])
    assert [shape.object_id for shape in without_propagation(drawn_since, before, {1}).shapes] == [2, 3, 1]
