"""What is known of repairs: which corrections were carried on, and what those left that were interrupted."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import orjson

from sam_annotator.core.annotation import FrameAnnotation
from sam_annotator.core.errors import AnnotationError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.renamed import Renamed
from sam_annotator.core.run_records import Entry, read_run, run_paths, runs_folder
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


def unsettled_repairs(video: Video, store: AnnotationStore) -> dict[tuple[int, int], FrameAnnotation | None]:
    """(frame, object) -> what the frame said before repairs that were interrupted came by, and none settled it since.

    What stands there is half of something: with it no later repair may agree. None: there was no file.
    """
    befores: dict[tuple[int, int], FrameAnnotation | None] = {}
    for path in run_paths(runs_folder(video, store)):
        run = read_run(path)
        if run is None:
            continue
        for part in sorted({entry.part for entry in run.entries} | run.settled.keys()):
            _unsettle(video, store, [entry for entry in run.entries if entry.part == part], run.plan, befores)
            if part in run.settled:
                befores = {place: b for place, b in befores.items() if not run.settled[part].covers(*place)}
    return befores


def _unsettle(
    video: Video,
    store: AnnotationStore,
    entries: Iterable[Entry],
    plan: Mapping[str, Any],
    befores: dict[tuple[int, int], FrameAnnotation | None],
) -> None:
    """Add what a part of a run found, where it is a repair; else take out what it made anew."""
    for entry in entries:
        now: FrameAnnotation | None = None
        with suppress(AnnotationError):
            now = store.read(video, entry.index) if entry.since else None
        for object_id in entry.answered_for(now):
            if entry.part < len(plan.get("repairs", ())):
                befores.setdefault((entry.index, object_id), entry.said_before(now))
            else:
                befores.pop((entry.index, object_id), None)
