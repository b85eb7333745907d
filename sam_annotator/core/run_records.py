"""The files in which the runs of a video are written down, as bytes and as what they say; see `run_journal`.

Each is a row of records: the plan, then the frames in order, and what happened to them since. What a killed process
left half-written at the end does not count.
"""

import os
import re
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.annotation import FrameAnnotation, decode_annotation
from sam_annotator.core.errors import SaveError
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.renamed import Renamed, ids_after, renamed_from
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

FOLDER: Final = ".sam_annotator"
"""The hidden folder beside the annotations of a video."""

SUFFIX: Final = ".run"

REMNANT: Final = ".half"
"""Of a run that is too old to be taken back, but was interrupted, and nothing has settled what it left."""

_NUMBER: Final = re.compile(r"[0-9]{6,}")
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

    def said_before(self, now: FrameAnnotation | None) -> FrameAnnotation | None:
        """What the frame said before, under the names of today; `now`: what it says now. Also below."""
        old = None if self.before is None else decode_annotation(self.before)
        for change in self._changes(now):
            old = None if old is None else change.apply(old)
        return old

    def answered_for(self, now: FrameAnnotation | None) -> frozenset[int]:
        """`object_ids`, as they are called today."""
        return ids_after(self._changes(now), self.object_ids)

    def taken_out(self, now: FrameAnnotation | None) -> frozenset[int]:
        """`dropped`, as they are called today."""
        return ids_after(self._changes(now), self.dropped)

    def _changes(self, now: FrameAnnotation | None) -> list[Renamed]:
        return [change for change in self.since if change.counts_in(self.index, now)]


@dataclass(frozen=True)
class Settled:
    """An object of a repair that was done: the frames that it came by, and what was renumbered since, in order."""

    object_id: int
    frames: range
    since: tuple[Renamed, ...] = ()

    def covers(self, index: int, object_id: int) -> bool:
        """Whether it has come by this frame with this object, under its id of today."""
        changes = (change for change in self.since if index in change.frames)
        return index in self.frames and {object_id} == ids_after(changes, (self.object_id,))


@dataclass(frozen=True)
class RecordedRun:
    """One run as it was written down.

    Attributes:
        path: the file.
        plan: what the run was about, as `RunJournal` was told.
        entries: the frames it wrote, in order. The last one may not have been written any more.
        settled: what the repairs that it did came by, by part.
        has_ended: False: it was killed or interrupted, and can be gone on with: no object was renumbered since.
        is_complete: False: it may have been killed between writing the last entry down and writing the frame.
    """

    path: Path
    plan: Mapping[str, Any]
    entries: tuple[Entry, ...]
    settled: Mapping[int, tuple[Settled, ...]]
    has_ended: bool
    is_complete: bool

    @property
    def part(self) -> int:
        """The part to go on with: the one it was at, or the next one where that was done."""
        at = max((entry.part for entry in self.entries), default=0)
        return max((at, *(part + 1 for part in self.settled)))

    def has_done(self, part: int) -> bool:
        """Whether all that a part wrote is whole work; of a repair, `settled` says how much is."""
        is_repair = part < len(self.plan.get("repairs", ()))
        return (self.is_complete or part < self.part) and not (is_repair and self.settled)


def runs_folder(video: Video, store: AnnotationStore) -> Path:
    """The hidden folder that holds what is known of a video's runs, whether it is there or not."""
    return store.folder(video) / FOLDER


def run_paths(folder: Path, suffixes: Collection[str] = (SUFFIX,)) -> list[Path]:
    """The files of runs in the order in which those began; none where there is no such folder."""
    try:
        names = [Path(name) for name in os.listdir(folder)]
    except OSError:
        return []
    ours = [name for name in names if name.suffix in suffixes and _NUMBER.fullmatch(name.stem)]
    return [folder / name for name in sorted(ours, key=lambda name: int(name.stem))]


def read_run(path: Path) -> RecordedRun | None:
    """A run up to where its file is whole; None: not even its plan is."""
    try:
        records = list(records_in(path.read_bytes()))
    except OSError:
        return None
    if not records or "plan" not in records[0][1]:
        return None
    entries: list[Entry] = []
    settled: dict[int, tuple[Settled, ...]] = {}
    renumbered = False
    for _, head, data in records:
        if "renamed" in head:
            change = renamed_from(head)
            renumbered |= change.new_id != change.object_id
            entries = [replace(entry, since=(*entry.since, change)) for entry in entries]
            settled = {
                part: tuple(replace(one, since=(*one.since, change)) for one in done) for part, done in settled.items()
            }
        elif "frame" in head:
            ids, dropped = tuple(head["objects"]), tuple(head.get("dropped", ()))
            entries.append(Entry(head["frame"], ids, dropped, head.get("part", 0), data if head["was"] else None))
        elif "settled" in head:
            settled[head["part"]] = tuple(Settled(i, range(first, stop)) for i, first, stop in head["settled"])
    has_ended = any("ended" in head for _, head, _ in records)
    return RecordedRun(path, records[0][1]["plan"], tuple(entries), settled, has_ended or renumbered, has_ended)


def packed(head: Mapping[str, Any], data: bytes = b"") -> bytes:
    content = zlib.compress(orjson.dumps(head) + b"\n" + data)
    return _RECORD.pack(len(content), zlib.crc32(content)) + content


def records_in(data: bytes) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    """Where each record ends, its head and its data; up to the first one that is not whole."""
    place = 0
    while place + _RECORD.size <= len(data):
        length, checksum = _RECORD.unpack_from(data, place)
        content = data[place + _RECORD.size : place + _RECORD.size + length]
        if not content or len(content) < length or zlib.crc32(content) != checksum:  # zeros: of a power failure
            return
        place += _RECORD.size + length
        head, _, rest = zlib.decompress(content).partition(b"\n")
        yield place, orjson.loads(head), rest


def cut_torn_end(path: Path) -> None:
    ends = [end for end, _, _ in records_in(path.read_bytes())]
    os.truncate(path, ends[-1] if ends else 0)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SaveError(
            f"{path} could not be written ({error.strerror or error}), and without it the propagation could not be "
            "taken back",
            Remedy.MAKE_ROOM,
        ) from error
