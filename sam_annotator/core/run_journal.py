"""What a propagation changed, written down on disk as it goes: it can be taken back later, and be gone on with.

Beside the annotations of a video lies a hidden folder with its last runs, one file each. Before a frame is written, the
file gets what the frame said before; so a run that is killed can be taken back, or finished, as one that was not.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

from sam_annotator.core.annotation import FrameAnnotation, encode_annotation
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.locks import alone
from sam_annotator.core.renamed import Renamed, ids_after
from sam_annotator.core.repair_notes import forget_repairs, interrupted_runs, rename_repairs, sweep_notes
from sam_annotator.core.run_records import (
    REMNANT,
    SUFFIX,
    Entry,
    RecordedRun,
    Settled,
    cut_torn_end,
    packed,
    read_run,
    run_paths,
    runs_folder,
    saving,
)
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

KEPT_RUNS: Final = 5
"""Runs of one video that can be taken back; older ones are forgotten."""


class RunJournal:
    """Writes down one run. Nothing is on disk before the first frame; a context manager.

    Attributes:
        part: the number of the request that is being carried out, for the entries to come.
    """

    def __init__(self, video: Video, store: AnnotationStore, plan: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            plan: anything JSON; what it takes to go on with the run after an interruption. Kept as it is.
        """
        self.part = 0
        self._video, self._store, self._folder = video, store, runs_folder(video, store)
        self._plan = dict(plan or {})
        self._stream: BinaryIO | None = None

    @classmethod
    def resumed(cls, video: Video, store: AnnotationStore, run: RecordedRun) -> "RunJournal":
        """Go on writing down a run that was interrupted."""
        journal = cls(video, store, run.plan)
        with saving(run.path):
            cut_torn_end(run.path)
            journal._stream = run.path.open("ab", buffering=0)
        return journal

    def __enter__(self) -> "RunJournal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close(has_ended=kind is None)

    def add(
        self, index: int, before: FrameAnnotation | None, object_ids: Iterable[int], dropped: Iterable[int] = ()
    ) -> None:
        """A frame is about to be written. To be called before it is.

        Raises:
            SaveError: it could not be written down; then the frame must not be written either.
        """
        head = {
            "frame": index,
            "objects": sorted(object_ids),
            "dropped": sorted(dropped),
            "part": self.part,
            "was": before is not None,
        }
        if self._stream is None:
            self._stream = self._begin()
        self._write(head, b"" if before is None else encode_annotation(before))

    @property
    def has_begun(self) -> bool:
        """Whether anything of the run is on disk."""
        return self._stream is not None

    def settle(self, repaired: Iterable[Settled]) -> None:
        """The part, a repair, is done: in its frames nothing is left of interrupted runs. Raises SaveError."""
        if self._stream is None:
            self._stream = self._begin()
        done = [[one.object_id, one.frames.start, one.frames.stop] for one in repaired]
        self._write({"settled": done, "part": self.part})

    def close(self, *, has_ended: bool) -> None:
        """Nothing more will come; without `has_ended` the run counts as interrupted."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with stream, suppress(OSError):  # a disk that is full now has all that is needed
                if has_ended:
                    stream.write(packed({"ended": True}))

    def _begin(self) -> BinaryIO:
        with saving(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            known = run_paths(self._folder)
            self._forget(known[: max(len(known) - KEPT_RUNS + 1, 0)])
            number = int(known[-1].stem) + 1 if known else 1
            stream = (self._folder / f"{number:06}{SUFFIX}").open("xb", buffering=0)
        try:
            with saving(self._folder):
                stream.write(packed({"plan": self._plan}))
        except SaveError:
            stream.close()
            raise
        return stream

    def _forget(self, old: list[Path]) -> None:
        """Make away with old runs, but for what they left half done, and with what was left and is settled by now."""
        if old:
            needed = interrupted_runs(self._video, self._store)
            for path in (*run_paths(self._folder, (REMNANT,)), *old):
                if path in needed:
                    path.rename(path.with_suffix(REMNANT))
                else:
                    path.unlink(missing_ok=True)

    def _write(self, head: Mapping[str, Any], data: bytes = b"") -> None:
        assert self._stream is not None
        with saving(self._folder):
            self._stream.write(packed(head, data))
            os.fsync(self._stream.fileno())  # as the frames are: no power failure keeps a frame and loses this


def can_take_back(video: Video, store: AnnotationStore) -> bool:
    """Whether there is something that looks like a run; fast."""
    return bool(run_paths(runs_folder(video, store)))


def last_run(video: Video, store: AnnotationStore) -> RecordedRun | None:
    """The last run of a video that wrote something and was not taken back; None: there is none."""
    for path in reversed(run_paths(runs_folder(video, store))):
        run = read_run(path)
        if run is not None and run.entries:
            return run
    return None


def take_back_last_run(video: Video, store: AnnotationStore) -> Iterator[int]:
    """Undo the last run frame by frame, the last first; what a person did since stays. A generator over indices.

    The run is forgotten when all its frames were gone through; where that is interrupted, or a frame cannot be read or
    written, it is not, and can be taken back again.

    Raises:
        InputError: there is no run, or one is at work just now.
        AnnotationError, SaveError: a frame could not be taken back; the ones before it were.
    """
    with sole_run(video, store):
        run = last_run(video, store)
        if run is None:
            raise InputError(f"There is no propagation of {video.name} to take back.")
        for index, entries in _by_frame(run).items():
            _take_back(video, store, index, entries, run)
            yield index
        forget_repairs(video, store, _repairs_of(run))
        with saving(run.path):
            run.path.unlink(missing_ok=True)


@contextmanager
def noting_renamed(video: Video, store: AnnotationStore, change: Renamed) -> Iterator[None]:
    """While in this block an object is renamed or renumbered; runs that are taken back later follow.

    Raises:
        InputError: a run is at work just now.
        SaveError: it could not be written down; then nothing may be changed.
    """
    with sole_run(video, store):
        for path in run_paths(runs_folder(video, store), (SUFFIX, REMNANT)):
            with saving(path):
                cut_torn_end(path)
                with path.open("ab", buffering=0) as stream:
                    stream.write(packed(change.document()))
        rename_repairs(video, store, change)
        yield


def _by_frame(run: RecordedRun) -> dict[int, list[Entry]]:
    """The entries of each frame in order; the frame that was written last comes first."""
    frames: dict[int, list[Entry]] = {}
    for entry in reversed(run.entries):
        frames.setdefault(entry.index, []).insert(0, entry)
    return frames


def _take_back(video: Video, store: AnnotationStore, index: int, entries: list[Entry], run: RecordedRun) -> None:
    """Undo all that a run wrote to one frame.

    What it took out of the frame and then answered for itself counts as answered: so it stays away where a person
    deleted that answer.
    """
    now = store.read(video, index)
    first = entries[0]
    if not run.is_complete and entries[-1] is run.entries[-1] and now == entries[-1].said_before(now):
        entries = entries[:-1]  # the frame was not written any more
    object_ids = frozenset[int]().union(*(entry.answered_for(now) for entry in entries))
    dropped = frozenset[int]().union(*(entry.taken_out(now) for entry in entries))
    store.take_back(video, index, first.said_before(now), object_ids, dropped - object_ids)


def _repairs_of(run: RecordedRun) -> list[tuple[int, int]]:
    """The corrections that a run carried on: (frame, object), under the ids of today."""
    since = run.entries[0].since
    return [
        (frame, object_id)
        for frame, ids in run.plan.get("repairs", ())
        for object_id in ids_after((change for change in since if frame in change.frames), ids)
    ]


@contextmanager
def sole_run(video: Video, store: AnnotationStore) -> Iterator[None]:
    """While in this block, no other process, and nobody else in this one, propagates this video or
    imports annotations of it.

    Raises:
        InputError: somebody does so already.
        SaveError: the folder for annotations cannot be written.
    """
    with alone(runs_folder(video, store) / "lock") as mine:
        if not mine:
            raise InputError(
                f"Another propagation or import is at work on {video.name} (in {store.folder(video)}); "
                "wait until it has ended, or cancel it."
            )
        sweep_notes(video, store)
        yield
