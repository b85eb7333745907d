"""What a propagation changed, written down on disk as it goes: it can be taken back later, and be gone on with.

Beside the annotations of a video lies a hidden folder with its last runs, one file each. Before a frame is written, the
file gets what the frame said before; so a run that is killed can be taken back, or finished, as one that was not.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final

import orjson

from sam_annotator.core.annotation import FrameAnnotation, decode_annotation, encode_annotation
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.locks import alone
from sam_annotator.core.renamed import Renamed, ids_after, renamed_from
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

FOLDER: Final = ".sam_annotator"
"""The hidden folder beside the annotations of a video."""

KEPT_RUNS: Final = 5
"""Runs of one video that can be taken back; older ones are forgotten."""

_SUFFIX: Final = ".run"
_NAME: Final = re.compile(r"[0-9]{6,}\.run")
_REPAIRS: Final = "repaired"
_RECORD: Final = struct.Struct("<II")  # length and checksum of what follows


@dataclass(frozen=True)
class Entry:
    """One frame that a run was about to write.

    Attributes:
        index: the frame.
        object_ids: the objects that the run answered for.
        dropped: objects whose earlier answers it took out of the frame.
        part: which of the run's requests it belongs to, from 0.
        before: what the file said, as bytes of JSON; None: there was none.
        since: what objects were renamed and renumbered after it was written down, in order.
    """

    index: int
    object_ids: tuple[int, ...]
    dropped: tuple[int, ...]
    part: int
    before: bytes | None
    since: tuple[Renamed, ...] = ()


@dataclass(frozen=True)
class RecordedRun:
    """One run as it was written down.

    Attributes:
        path: the file.
        plan: what the run was about, as `RunJournal` was told.
        entries: the frames it wrote, in order. The last one may not have been written any more.
        has_ended: False: it was killed or interrupted, and can be gone on with: no object was renumbered since.
        is_complete: False: it may have been killed between writing the last entry down and writing the frame.
    """

    path: Path
    plan: Mapping[str, Any]
    entries: tuple[Entry, ...]
    has_ended: bool
    is_complete: bool


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
        self._folder = runs_folder(video, store)
        self._plan = dict(plan or {})
        self._stream: BinaryIO | None = None

    @classmethod
    def resumed(cls, video: Video, store: AnnotationStore, run: RecordedRun) -> "RunJournal":
        """Go on writing down a run that was interrupted."""
        journal = cls(video, store, run.plan)
        with _saving(run.path):
            _cut_torn_end(run.path)
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

    def close(self, *, has_ended: bool) -> None:
        """Nothing more will come; without `has_ended` the run counts as interrupted."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with stream, suppress(OSError):  # a disk that is full now has all that is needed
                if has_ended:
                    stream.write(_packed({"ended": True}))

    def _begin(self) -> BinaryIO:
        with _saving(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            known = _numbered(self._folder)
            for old in known[: max(len(known) - KEPT_RUNS + 1, 0)]:
                old.unlink(missing_ok=True)
            number = int(known[-1].stem) + 1 if known else 1
            stream = (self._folder / f"{number:06}{_SUFFIX}").open("xb", buffering=0)
        try:
            with _saving(self._folder):
                stream.write(_packed({"plan": self._plan}))
        except SaveError:
            stream.close()
            raise
        return stream

    def _write(self, head: Mapping[str, Any], data: bytes) -> None:
        assert self._stream is not None
        with _saving(self._folder):
            self._stream.write(_packed(head, data))
            os.fsync(self._stream.fileno())  # as the frames are: no power failure keeps a frame and loses this


def runs_folder(video: Video, store: AnnotationStore) -> Path:
    """The hidden folder that holds what is known of a video's runs, whether it is there or not."""
    return store.folder(video) / FOLDER


def can_take_back(video: Video, store: AnnotationStore) -> bool:
    """Whether there is something that looks like a run; fast."""
    return bool(_numbered(runs_folder(video, store)))


def last_run(video: Video, store: AnnotationStore) -> RecordedRun | None:
    """The last run of a video that wrote something and was not taken back; None: there is none."""
    for path in reversed(_numbered(runs_folder(video, store))):
        run = _read(path)
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
        with _saving(run.path):
            run.path.unlink(missing_ok=True)


@contextmanager
def noting_renamed(video: Video, store: AnnotationStore, change: Renamed) -> Iterator[None]:
    """While in this block an object is renamed or renumbered; runs that are taken back later follow.

    Raises:
        InputError: a run is at work just now.
        SaveError: it could not be written down; then nothing may be changed.
    """
    paths = _numbered(runs_folder(video, store))
    if not paths:
        yield
        return
    with sole_run(video, store):
        for path in paths:
            with _saving(path):
                _cut_torn_end(path)
                with path.open("ab", buffering=0) as stream:
                    stream.write(_packed(change.document()))
        _rename_repairs(video, store, change)
        yield


def _rename_repairs(video: Video, store: AnnotationStore, change: Renamed) -> None:
    known = repaired(video, store)
    now = {(i, change.id_of(number) if i in change.frames else number): d for (i, number), d in known.items()}
    if now != known:
        _write_repairs(video, store, now)


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
    if not run.is_complete and entries[-1] is run.entries[-1] and now == _before(entries[-1], now):
        entries = entries[:-1]  # the frame was not written any more
    object_ids, dropped = frozenset[int](), frozenset[int]()
    for entry in entries:
        changes = [change for change in entry.since if change.counts_in(index, now)]
        object_ids |= ids_after(changes, entry.object_ids)
        dropped |= ids_after(changes, entry.dropped)
    store.take_back(video, index, _before(first, now), object_ids, dropped - object_ids)


def _before(entry: Entry, now: FrameAnnotation | None) -> FrameAnnotation | None:
    """What a frame said before an entry, under the names of today."""
    old = None if entry.before is None else decode_annotation(entry.before)
    for change in entry.since:
        if old is not None and change.counts_in(entry.index, now):
            old = change.apply(old)
    return old


def _repairs_of(run: RecordedRun) -> list[tuple[int, int]]:
    """The corrections that a run carried on: (frame, object), under the ids of today."""
    since = run.entries[0].since
    return [
        (frame, object_id)
        for frame, ids in run.plan.get("repairs", ())
        for object_id in ids_after((change for change in since if frame in change.frames), ids)
    ]


def repaired(video: Video, store: AnnotationStore) -> dict[tuple[int, int], str]:
    """(frame, object) -> the digest of the mask there that was carried on by a repair."""
    try:
        notes = orjson.loads((runs_folder(video, store) / _REPAIRS).read_bytes())
        return {(int(frame), int(object_id)): str(digest) for frame, object_id, digest in notes}
    except (OSError, ValueError, TypeError):
        return {}


def note_repairs(video: Video, store: AnnotationStore, digests: Mapping[tuple[int, int], str]) -> None:
    """Remember that these corrections were carried on, so that nobody does it again. Raises SaveError."""
    _write_repairs(video, store, {**repaired(video, store), **digests})


def forget_repairs(video: Video, store: AnnotationStore, corrections: Iterable[tuple[int, int]]) -> None:
    """These (frame, object) count as not carried on any more. Raises SaveError."""
    known, gone = repaired(video, store), set(corrections)
    if known.keys() & gone:
        _write_repairs(video, store, {place: digest for place, digest in known.items() if place not in gone})


def _write_repairs(video: Video, store: AnnotationStore, digests: Mapping[tuple[int, int], str]) -> None:
    rows = [[*place, digest] for place, digest in sorted(digests.items())]
    write_atomically(runs_folder(video, store) / _REPAIRS, orjson.dumps(rows))


@contextmanager
def sole_run(video: Video, store: AnnotationStore) -> Iterator[None]:
    """While in this block, no other process, and nobody else in this one, propagates this video.

    Raises:
        InputError: somebody does so already.
        SaveError: the folder for annotations cannot be written.
    """
    with alone(runs_folder(video, store) / "lock") as mine:
        if not mine:
            raise InputError(
                f"Another propagation is at work on {video.name} (in {store.folder(video)}); "
                "wait until it has ended, or cancel it."
            )
        for left in runs_folder(video, store).glob(f".{_REPAIRS}.*.part"):  # of a process that was killed
            with suppress(OSError):
                left.unlink()
        yield


def _numbered(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    ours = [name for name in names if _NAME.fullmatch(name)]
    return [folder / name for name in sorted(ours, key=lambda name: (len(name), name))]


def _read(path: Path) -> RecordedRun | None:
    """A run up to where its file is whole; None: not even its plan is."""
    try:
        records = list(_records(path.read_bytes()))
    except OSError:
        return None
    if not records or "plan" not in records[0][1]:
        return None
    entries: list[Entry] = []
    renumbered = False
    for _, head, data in records:
        if "renamed" in head:
            change = renamed_from(head)
            renumbered |= change.new_id != change.object_id
            entries = [replace(entry, since=(*entry.since, change)) for entry in entries]
        elif "frame" in head:
            ids, dropped = tuple(head["objects"]), tuple(head["dropped"])
            entries.append(Entry(head["frame"], ids, dropped, head["part"], data if head["was"] else None))
    has_ended = any("ended" in head for _, head, _ in records)
    return RecordedRun(path, records[0][1]["plan"], tuple(entries), has_ended or renumbered, has_ended)


def _packed(head: Mapping[str, Any], data: bytes = b"") -> bytes:
    content = zlib.compress(orjson.dumps(head) + b"\n" + data)
    return _RECORD.pack(len(content), zlib.crc32(content)) + content


def _records(data: bytes) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Where each record ends, its head and its data; up to the first one that is not whole."""
    place = 0
    while place + _RECORD.size <= len(data):
        length, checksum = _RECORD.unpack_from(data, place)
        content = data[place + _RECORD.size : place + _RECORD.size + length]
        if len(content) < length or zlib.crc32(content) != checksum:
            return
        place += _RECORD.size + length
        head, _, rest = zlib.decompress(content).partition(b"\n")
        yield place, orjson.loads(head), rest


def _cut_torn_end(path: Path) -> None:
    ends = [end for end, _, _ in _records(path.read_bytes())]
    os.truncate(path, ends[-1] if ends else 0)


@contextmanager
def _saving(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SaveError(
            f"{path} could not be written ({error.strerror or error}), and without it the propagation could not be "
            "taken back. Free some space or choose a folder that can be written (--output DIR)."
        ) from error
