"""An import beside others: propagations, other imports, and a person who saves at the same moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sam_annotator.core.annotation import Shape
from sam_annotator.core.datasets import importing
from sam_annotator.core.datasets.importing import ImportOptions, ImportReport, import_masks
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import Turn
from sam_annotator.core.run_journal import sole_run
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from tests.small_dataset import HEIGHT, WIDTH, blob, document, ring, write_frames, write_json

DATASET = document({name: (3, [(3, [blob(1, 1), ring(), None])]) for name in ("lake", "pond")})
BY_HAND = Shape("swan", ((1.0, 1.0), (9.0, 1.0), (9.0, 9.0)), object_id=99)


class Place:
    """Two videos, and a dataset of both."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, AnnotationStore(folder / "ann")
        for name in ("lake", "pond"):
            write_frames(folder / "videos", name, 3)
        self.json = write_json(folder / "train.json", DATASET)

    @property
    def videos(self) -> tuple[Video, Video]:
        lake, pond = find_videos(self.folder / "videos")
        return lake, pond

    def load(self, **options: Any) -> ImportReport:
        steps = list(import_masks(read_dataset_json(self.json), self.videos, self.store, ImportOptions(**options)))
        assert [step.done for step in steps][-1] == steps[-1].total
        return steps[-1].report

    def save_by_hand(self, index: int) -> None:
        """As the window does it, in another program."""
        video, store = self.videos[0], AnnotationStore(self.store.output)
        blank = store.blank(video, index, WIDTH, HEIGHT)
        store.save(video, index, replace(blank, shapes=(BY_HAND,)), None)

    def is_by_hand(self, index: int) -> bool:
        annotation = self.store.read(self.videos[0], index)
        return annotation is not None and BY_HAND in annotation.shapes


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_video_at_which_another_program_works_is_left_out_and_the_others_go_on(place: Place, jobs: int) -> None:
    lake, pond = place.videos
    with sole_run(lake, place.store):
        report = place.load(force=True, jobs=jobs)
    assert not place.store.annotated_frames(lake)
    assert place.store.annotated_frames(pond) == {0, 1, 2}
    (problem,) = report.problems
    assert "Video lake is left out: another program is at work" in problem
    assert not report.without_mask, "nothing is known of its masks"
    assert place.load().is_clean


def test_a_check_locks_nobody_out(place: Place) -> None:
    with sole_run(place.videos[0], place.store):
        assert place.load(dry_run=True).is_clean


def test_nobody_begins_to_propagate_amid_an_import(place: Place) -> None:
    steps = import_masks(read_dataset_json(place.json), place.videos, place.store, ImportOptions())
    next(steps)
    with pytest.raises(InputError, match="import is at work on lake"), sole_run(place.videos[0], place.store):
        pass
    steps.close()
    with sole_run(place.videos[0], place.store):
        pass


@pytest.mark.parametrize("force", [False, True])
def test_what_is_saved_while_a_frame_is_on_its_way_to_the_disk_is_kept_unless_by_force(
    place: Place, monkeypatch: pytest.MonkeyPatch, force: bool
) -> None:
    write = importing._write

    def saving(path: Path, data: bytes, turn: Turn) -> None:
        if path == place.store.path(place.videos[0], 1):

            @contextmanager
            def late() -> Iterator[bool]:
                place.save_by_hand(1)  # its half is written: the last moment before it takes its place
                with turn() as may_replace:
                    yield may_replace

            write(path, data, late)
        else:
            write(path, data, turn)

    monkeypatch.setattr(importing, "_write", saving)
    report = place.load(force=force)
    assert place.is_by_hand(1) is not force
    assert report.kept == ([] if force else [place.store.path(place.videos[0], 1)])
    assert report.frames == ({"written": 5, "replaced": 1} if force else {"written": 5})
    assert not list((place.folder / "ann").rglob("*.part"))


def test_a_frame_takes_its_place_while_nobody_else_may_write(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    entered: list[str] = []
    alone = AnnotationStore.alone

    @contextmanager
    def told(store: AnnotationStore, video: Video) -> Iterator[None]:
        with alone(store, video):
            entered.append(video.name)
            yield

    monkeypatch.setattr(AnnotationStore, "alone", told)
    place.load()
    assert entered.count("lake") >= 3
