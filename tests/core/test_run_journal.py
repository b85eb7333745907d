"""What a run changed is written down as it goes, and can be taken back: whole, torn or interrupted."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.core import run_journal
from sam_annotator.core.annotation import MANUAL, PROPAGATED, FrameAnnotation, Shape
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.renamed import Renamed
from sam_annotator.core.run_journal import (
    KEPT_RUNS,
    RunJournal,
    can_take_back,
    last_run,
    sole_run,
    take_back_last_run,
)
from sam_annotator.core.run_records import FOLDER, runs_folder
from sam_annotator.core.store import AnnotationStore, set_propagated
from sam_annotator.core.tracks import admit_object, change_object_id, delete_object, relabel_object
from sam_annotator.core.videos import Video, find_videos
from tests.engine.moving_propagator import FRAMES, all_files, box, draw, make_video


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


@pytest.fixture
def store() -> AnnotationStore:
    return AnnotationStore()


def carried(object_id: int, left: int) -> Shape:
    corners = ((float(left), 3.0), (left + 9.0, 3.0), (left + 9.0, 12.0))
    return Shape("swan", corners, object_id=object_id, source=PROPAGATED, score=0.9)


def write(journal: RunJournal, video: Video, store: AnnotationStore, index: int, ids: Iterable[int], left: int) -> None:
    """What a run does for one frame."""
    answered = tuple(ids)

    def change(current: FrameAnnotation) -> FrameAnnotation:
        journal.add(index, current if store.path(video, index).exists() else None, answered)
        for object_id in answered:
            current = set_propagated(current, object_id, [carried(object_id, left)])
        return current

    store.update(video, index, change, 64, 40)


def run_over(video: Video, store: AnnotationStore, frames: Iterable[int], left: int = 4) -> None:
    with RunJournal(video, store) as journal:
        for index in frames:
            write(journal, video, store, index, (1,), left)


def test_a_run_is_taken_back_from_disk_by_whoever_comes_later(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 2, {1: box(9, 9)}, source=PROPAGATED)
    before = all_files(video)
    run_over(video, store, range(1, 5))
    assert all_files(video) != before
    later = AnnotationStore()
    assert can_take_back(video, later)
    assert list(take_back_last_run(find_videos(video.folder)[0], later)) == [4, 3, 2, 1]
    assert all_files(video) == before
    assert not can_take_back(video, later)
    with pytest.raises(InputError, match="no propagation of clip to take back"):
        list(take_back_last_run(video, later))


def test_runs_are_taken_back_the_last_first_and_old_ones_are_forgotten(video: Video, store: AnnotationStore) -> None:
    states = []
    for number in range(KEPT_RUNS + 2):
        states.append(all_files(video))
        run_over(video, store, range(number, number + 3), left=number)
    for state in reversed(states[2:]):
        list(take_back_last_run(video, store))
        assert all_files(video) == state
    assert not can_take_back(video, store)


def test_a_run_that_writes_nothing_leaves_nothing(video: Video, store: AnnotationStore) -> None:
    before = all_files(video)
    with RunJournal(video, store, {"why": "nothing to do"}):
        pass
    assert last_run(video, store) is None
    assert all_files(video) == before


def test_a_run_that_was_killed_is_there_up_to_its_last_frame(video: Video, store: AnnotationStore) -> None:
    journal = RunJournal(video, store, {"options": [1, 2]})
    for index in range(3):
        write(journal, video, store, index, (1,), 4)
    run = last_run(video, store)  # nobody has closed the journal
    assert (run.plan, run.has_ended) == ({"options": [1, 2]}, False)
    assert [entry.index for entry in run.entries] == [0, 1, 2]
    journal.close(has_ended=True)
    assert last_run(video, store).has_ended


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_file_that_is_torn_anywhere_tells_what_is_whole(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        video, store = make_video(Path(folder), 4), AnnotationStore()
        draw(store, video, 1, {1: box(4, 10)}, source=PROPAGATED)
        run_over(video, store, range(3))
        (path,) = runs_folder(video, store).glob("*.run")
        whole = last_run(video, store)
        os.truncate(path, data.draw(st.integers(0, path.stat().st_size - 1)))
        torn = last_run(video, store)
        if torn is None:
            return
        assert torn.entries == whole.entries[: len(torn.entries)]
        assert not torn.has_ended
        with RunJournal.resumed(video, store, torn) as journal:
            write(journal, video, store, 3, (1,), 4)
        assert [entry.index for entry in last_run(video, store).entries] == [
            *(entry.index for entry in torn.entries),
            3,
        ]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_taking_back_gives_what_stood_before_and_keeps_what_people_did_since(data: st.DataObject) -> None:
    frames = st.integers(0, FRAMES - 1)
    ids = st.sets(st.sampled_from([1, 2]), min_size=1)
    with TemporaryDirectory() as folder:
        video, store = make_video(Path(folder)), AnnotationStore()
        for index, objects in data.draw(st.dictionaries(frames, ids, max_size=4)).items():
            draw(store, video, index, {i: box(6 * i, 10, 9) for i in objects}, source=PROPAGATED)
        for index, objects in data.draw(st.dictionaries(frames, ids, max_size=3)).items():
            draw(store, video, index, {i: box(7 * i, 9, 9) for i in objects})
        before = {index: store.read(video, index) for index in range(FRAMES)}
        with RunJournal(video, store) as journal:
            for index in data.draw(st.lists(frames, unique=True, max_size=FRAMES)):
                write(journal, video, store, index, data.draw(ids), 20 + index)
        edited = data.draw(st.dictionaries(frames, st.sampled_from([1, 2, 3]), max_size=4))
        for index, object_id in edited.items():
            draw(store, video, index, {object_id: box(30, 20)}, source=MANUAL)
        by_hand = {index: store.read(video, index) for index in edited}
        if not can_take_back(video, store):
            return
        list(take_back_last_run(video, store))
        after = {index: store.read(video, index) for index in range(FRAMES)}
    for index, old in before.items():
        if index not in edited:
            assert after[index] == old
            continue
        mine = edited[index]
        assert after[index].shapes_of(mine) == by_hand[index].shapes_of(mine)
        for other in {1, 2} - {mine}:
            assert after[index].shapes_of(other) == (() if old is None else old.shapes_of(other))


def test_taking_back_that_was_interrupted_is_done_to_its_end_later(video: Video, store: AnnotationStore) -> None:
    before = all_files(video)
    run_over(video, store, range(5))
    steps = take_back_last_run(video, store)
    next(steps), next(steps)
    steps.close()
    list(take_back_last_run(video, store))
    assert all_files(video) == before


def test_what_a_person_took_out_since_does_not_come_back(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 1, {1: box(4, 10)}, source=PROPAGATED)
    run_over(video, store, [1])
    store.update(video, 1, lambda frame: replace(frame, shapes=(), propagated_ids=frozenset()), 64, 40)
    list(take_back_last_run(video, store))
    assert store.read(video, 1).shapes == ()


def test_only_one_run_at_a_time_is_at_work_on_a_video(video: Video, store: AnnotationStore, tmp_path: Path) -> None:
    run_over(video, store, [1])
    with sole_run(video, store):
        with pytest.raises(InputError, match="or import is at work on clip"), sole_run(video, store):
            pass
        with pytest.raises(InputError, match="Another propagation"):
            list(take_back_last_run(video, store))
        with sole_run(video, AnnotationStore(tmp_path / "elsewhere")):
            pass
    with sole_run(video, store):
        pass


def test_a_frame_is_not_written_where_it_cannot_be_written_down(
    video: Video, store: AnnotationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_journal, "packed", full)
    before = all_files(video)
    with pytest.raises(SaveError, match="No space left"):
        run_over(video, store, [1])
    assert all_files(video) == before


def test_the_hidden_folder_is_no_video_and_holds_no_frames(video: Video, store: AnnotationStore) -> None:
    run_over(video, store, [1])
    assert (video.folder / FOLDER).is_dir()
    assert [found.name for found in find_videos(video.folder.parent)] == ["clip"]
    assert len(find_videos(video.folder)[0]) == FRAMES


def labels(video: Video, store: AnnotationStore, index: int) -> dict[int | None, str]:
    return {shape.object_id: shape.label for shape in store.read(video, index).shapes}


def replaced(video: Video, store: AnnotationStore) -> None:
    """Two runs over two objects: the second replaced what the first wrote, as a run over the whole video does.

    It takes out what is still to come, answers for the one object, and later for the other.
    """
    draw(store, video, 0, {1: box(4, 10), 2: box(30, 10)})
    with RunJournal(video, store) as journal:
        for index in (1, 2, 3):
            write(journal, video, store, index, (1, 2), 4)
    with RunJournal(video, store) as journal:
        for index in (1, 2, 3):
            journal.add(index, store.read(video, index), (1,), (2,))
            store.update(video, index, lambda frame: without(frame, 2), 64, 40)
            store.update(video, index, lambda frame: set_propagated(frame, 1, [carried(1, 20)]), 64, 40)
        journal.part = 1
        for index in (1, 2, 3):
            write(journal, video, store, index, (2,), 20)


def without(frame: FrameAnnotation, object_id: int) -> FrameAnnotation:
    return replace(frame.with_object(object_id, ()), propagated_ids=frame.propagated_ids - {object_id})


def test_masks_come_back_under_the_name_that_the_object_has_now(video: Video, store: AnnotationStore) -> None:
    replaced(video, store)
    list(relabel_object(video, store, 1, "goose", range(4)))
    older = store.read(video, 2).shapes_of(2)
    list(take_back_last_run(video, store))
    assert [labels(video, store, index)[1] for index in range(4)] == ["goose"] * 4
    assert store.read(video, 2).shapes_of(1)[0].points == carried(1, 4).points
    assert labels(video, store, 2)[2] == "swan"
    assert store.read(video, 2).shapes_of(2) != older


def test_masks_that_an_interrupted_run_took_out_come_back_under_the_name_of_now(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {2: box(30, 10)})
    draw(store, video, 1, {2: box(30, 10)}, source=PROPAGATED)
    journal = RunJournal(video, store)
    journal.add(1, store.read(video, 1), (1,), (2,))
    store.update(video, 1, lambda frame: set_propagated(without(frame, 2), 1, [carried(1, 4)]), 64, 40)
    journal.close(has_ended=False)
    list(relabel_object(video, store, 2, "goose", [0]))
    list(take_back_last_run(video, store))
    assert labels(video, store, 1) == {2: "goose"}


def test_what_a_person_deleted_stays_deleted_though_the_run_had_taken_it_out_itself(
    video: Video, store: AnnotationStore
) -> None:
    replaced(video, store)
    list(delete_object(video, store, 2, [2]))
    list(take_back_last_run(video, store))
    assert [set(labels(video, store, index)) for index in range(4)] == [{1, 2}, {1, 2}, {1}, {1, 2}]
    assert store.read(video, 2).propagated_ids == {1}


def test_what_a_person_says_is_not_here_stays_so_when_a_run_is_taken_back(video: Video, store: AnnotationStore) -> None:
    replaced(video, store)
    list(delete_object(video, store, 2, [2], is_absent=True))
    list(change_object_id(video, store, 2, 5, range(4)))
    list(take_back_last_run(video, store))
    assert [set(labels(video, store, index)) for index in range(4)] == [{1, 5}, {1, 5}, {1}, {1, 5}]
    assert store.read(video, 2).absent_ids == {5}
    list(take_back_last_run(video, store))
    assert store.read(video, 2).shapes == ()
    assert store.read(video, 2).absent_ids == {5}


def test_an_older_state_says_where_an_object_is_not_under_its_new_number(video: Video, store: AnnotationStore) -> None:
    old = replace(store.blank(video, 1, 64, 40), absent_ids=frozenset({2, 3}), propagated_ids=frozenset({2}))
    new = Renamed(2, 3, None, frozenset({1})).apply(old)
    assert (new.absent_ids, new.propagated_ids) == ({3}, {3})
    assert Renamed(2, 2, "goose", frozenset({1})).apply(old) == old


def test_masks_of_an_object_that_another_was_joined_to_come_back_when_a_run_is_taken_back(
    video: Video, store: AnnotationStore
) -> None:
    draw(store, video, 0, {1: box(4, 10)})
    draw(store, video, 1, {1: box(4, 10)}, source=PROPAGATED)
    before = store.read(video, 1)
    draw(store, video, 3, {2: box(4, 10)})
    run_over(video, store, [1, 2], left=20)
    store.update(video, 2, lambda frame: replace(frame, absent_ids=frozenset({2})), 64, 40)
    list(change_object_id(video, store, 2, 1, [2, 3]))
    list(take_back_last_run(video, store))
    assert store.read(video, 1) == before
    assert store.read(video, 3).object_ids() == (1,)


def test_what_a_killed_run_took_out_and_had_not_written_again_comes_back(video: Video, store: AnnotationStore) -> None:
    draw(store, video, 0, {1: box(4, 10), 2: box(30, 10)})
    draw(store, video, 1, {1: box(4, 10), 2: box(30, 10)}, source=PROPAGATED)
    before = all_files(video)
    journal = RunJournal(video, store)
    journal.add(1, store.read(video, 1), (1,), (2,))
    store.update(video, 1, lambda frame: set_propagated(without(frame, 2), 1, [carried(1, 9)]), 64, 40)
    journal.add(1, store.read(video, 1), (2,))  # and killed before it is written
    list(take_back_last_run(video, store))
    assert all_files(video) == before


def test_a_renumbered_object_is_taken_back_under_its_new_number(video: Video, store: AnnotationStore) -> None:
    replaced(video, store)
    list(change_object_id(video, store, 1, 3, range(4)))
    list(take_back_last_run(video, store))
    assert [set(labels(video, store, index)) for index in range(4)] == [{2, 3}] * 4
    assert store.read(video, 2).shapes_of(3)[0].points == carried(1, 4).points
    list(take_back_last_run(video, store))
    assert set(labels(video, store, 0)) == {2, 3}
    assert store.annotated_frames(video) == {0}


def test_objects_that_swapped_their_numbers_are_taken_back_each_under_its_own(
    video: Video, store: AnnotationStore
) -> None:
    replaced(video, store)
    for old, new in ((1, 9), (2, 1), (9, 2)):
        list(change_object_id(video, store, old, new, range(4)))
    list(take_back_last_run(video, store))
    first, second = (store.read(video, 2).shapes_of(number)[0].points for number in (2, 1))
    assert (first, second) == (carried(1, 4).points, carried(2, 4).points)
    list(take_back_last_run(video, store))
    assert store.annotated_frames(video) == {0}


def test_an_interrupted_run_over_an_object_that_was_renumbered_is_not_gone_on_with(
    video: Video, store: AnnotationStore
) -> None:
    journal = RunJournal(video, store)
    write(journal, video, store, 1, (1,), 4)
    journal.close(has_ended=False)
    list(relabel_object(video, store, 1, "goose", [1]))
    assert not last_run(video, store).has_ended
    list(change_object_id(video, store, 1, 3, [1]))
    assert last_run(video, store).has_ended


CHANGES = {
    "renamed": lambda *place: relabel_object(*place, "goose", [1]),
    "renumbered": lambda *place: change_object_id(*place, 3, [1]),
    "deleted": lambda *place: delete_object(*place, [1]),
    "admitted": lambda *place: admit_object(*place, [1]),
}


@pytest.mark.parametrize("has_run", [True, False])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_no_object_is_changed_under_the_hands_of_a_run(
    video: Video, store: AnnotationStore, change: Callable[..., Iterator[int]], has_run: bool
) -> None:
    """Not by another process either, nor before the run has written anything."""
    draw(store, video, 1, {1: box(4, 10)})
    if has_run:
        run_over(video, store, [2])
    before = all_files(video)
    with sole_run(video, store), pytest.raises(InputError, match="Another propagation or import is at work on clip"):
        list(change(video, store, 1))
    assert all_files(video) == before


def test_of_a_run_that_is_taken_back_no_answer_is_left_where_a_person_says_that_it_is_not_there(
    video: Video, store: AnnotationStore
) -> None:
    run_over(video, store, [1])
    list(delete_object(video, store, 1, [1], is_absent=True))
    store.update(video, 1, lambda now: replace(now, propagated_ids=frozenset({1})), 64, 40)
    list(take_back_last_run(video, store))
    assert (store.read(video, 1).absent_ids, store.read(video, 1).propagated_ids) == ({1}, frozenset())


def test_files_of_others_among_the_runs_do_no_harm(video: Video, store: AnnotationStore) -> None:
    run_over(video, store, [1])
    strange = [runs_folder(video, store) / name for name in ("\u00b2.run", "2.run", "copy of 000001.run", "\u0663.run")]
    for path in strange:
        path.write_bytes(b"")
    run_over(video, store, [2])
    assert list(take_back_last_run(video, store)) == [2]
    assert list(take_back_last_run(video, store)) == [1]
    assert all(path.exists() for path in strange)


def test_what_was_left_of_a_killed_write_is_swept_by_the_next_run(video: Video, store: AnnotationStore) -> None:
    run_over(video, store, [1])
    left = runs_folder(video, store) / ".repaired.k2j3.part"
    left.write_bytes(b"[[1,")
    with sole_run(video, store):
        assert not left.exists()
