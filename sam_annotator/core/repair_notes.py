"""What is known of repairs: which corrections were carried on, and what those left that were interrupted."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from sam_annotator.core.annotation import FrameAnnotation
from sam_annotator.core.errors import AnnotationError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.renamed import Renamed
from sam_annotator.core.run_records import REMNANT, SUFFIX, Entry, RecordedRun, read_run, run_paths, runs_folder
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_NOTES: Final = "repaired"


def repaired(video: Video, store: AnnotationStore) -> dict[tuple[int, int], str]:
    """(frame, object) -> the digest of the mask there that was carried on by a repair."""
    try:
        notes = orjson.loads((runs_folder(video, store) / _NOTES).read_bytes())
        return {(int(frame), int(object_id)): str(digest) for frame, object_id, digest in notes}
    except (OSError, ValueError, TypeError):
        return {}


def note_repairs(video: Video, store: AnnotationStore, digests: Mapping[tuple[int, int], str]) -> None:
    """Remember that these corrections were carried on, so that nobody does it again. Raises SaveError."""
    _write(video, store, {**repaired(video, store), **digests})


def forget_repairs(video: Video, store: AnnotationStore, corrections: Iterable[tuple[int, int]]) -> None:
    """These (frame, object) count as not carried on any more. Raises SaveError."""
    known, gone = repaired(video, store), set(corrections)
    if known.keys() & gone:
        _write(video, store, {place: digest for place, digest in known.items() if place not in gone})


def _write(video: Video, store: AnnotationStore, digests: Mapping[tuple[int, int], str]) -> None:
    rows = [[*place, digest] for place, digest in sorted(digests.items())]
    write_atomically(runs_folder(video, store) / _NOTES, orjson.dumps(rows))


def sweep_notes(video: Video, store: AnnotationStore) -> None:
    """Delete what a process that was killed left half-written."""
    for left in runs_folder(video, store).glob(f".{_NOTES}.*.part"):
        with suppress(OSError):
            left.unlink()


def rename_repairs(video: Video, store: AnnotationStore, change: Renamed) -> None:
    """Corrections follow an object that is renumbered. Raises SaveError."""
    known = repaired(video, store)
    now = {(i, change.id_of(number) if i in change.frames else number): d for (i, number), d in known.items()}
    if now != known:
        _write(video, store, now)


Befores = dict[tuple[int, int], FrameAnnotation | None]
"""(frame, object) -> what the frame said of it before; None: there was no file."""


def unsettled(video: Video, store: AnnotationStore) -> Befores:
    """What frames said before runs that were interrupted wrote over earlier answers, and none settled it since.

    What stands there is half of something: with it no later repair may agree.
    """
    return {place: before for place, (_, before) in _unsettled(video, store).items()}


def interrupted_runs(video: Video, store: AnnotationStore) -> set[Path]:
    """The files of the runs that left something unsettled."""
    return {path for path, _ in _unsettled(video, store).values()}


_Left = dict[tuple[int, int], tuple[Path, FrameAnnotation | None]]


def _unsettled(video: Video, store: AnnotationStore) -> _Left:
    left: _Left = {}
    for path in run_paths(runs_folder(video, store), (SUFFIX, REMNANT)):
        run = read_run(path)
        if run is None:
            continue
        for part in sorted({entry.part for entry in run.entries} | run.settled.keys()):
            for entry in run.entries:
                if entry.part == part:
                    _note(left, run, entry, _read_if_whole(video, store, entry.index) if entry.since else None)
            done = run.settled.get(part, ())
            left = {place: known for place, known in left.items() if not any(one.covers(*place) for one in done)}
    return left


def _note(left: _Left, run: RecordedRun, entry: Entry, now: FrameAnnotation | None) -> None:
    """What a run wrote over an earlier answer is left unsettled where it was interrupted; else it settles the place."""
    is_done = run.has_done(entry.part)
    before = None if is_done else entry.said_before(now)
    for object_id in entry.answered_for(now):
        if is_done or not _has_answer(before, object_id):
            left.pop((entry.index, object_id), None)
        else:
            left.setdefault((entry.index, object_id), (run.path, before))


def _read_if_whole(video: Video, store: AnnotationStore, index: int) -> FrameAnnotation | None:
    with suppress(AnnotationError):
        return store.read(video, index)
    return None


def _has_answer(frame: FrameAnnotation | None, object_id: int) -> bool:
    return frame is not None and (object_id in frame.propagated_ids or bool(frame.shapes_of(object_id)))
