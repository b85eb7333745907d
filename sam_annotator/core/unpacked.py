"""The folder that a video file is unpacked into, and the hidden file in it that says whose it is."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, get_args

import orjson

from sam_annotator.core.files import write_atomically

MARKER_NAME: Final = ".unpacked.json"
"""Hidden file in a folder of unpacked frames. A folder without it belongs to somebody else."""

_FINGERPRINT_BYTES: Final = 16384


@dataclass(frozen=True)
class Marker:
    """What a folder of unpacked frames says about itself.

    Attributes:
        source: file name of the video file, which lies beside the folder.
        size: of the video file, in bytes.
        mtime_ns: its time of change, in nanoseconds.
        fingerprint: sha256 of its first and last bytes; tells a copied file from a changed one.
        fps: frames a second as the video file says, None where it does not.
        expected_frames: how many frames the video file claims to have, None where it does not say.
        frames: how many it really had; 0 until all are unpacked.
        complete: True once all frames are unpacked.
    """

    source: str
    size: int
    mtime_ns: int
    fingerprint: str
    fps: float | None = None
    expected_frames: int | None = None
    frames: int = 0
    complete: bool = False

    def belongs_to(self, source: Path) -> bool:
        """True if the frames come from this file as it is now; a file that was only copied is the same."""
        try:
            facts = source.stat()
            return (self.source, self.size) == (source.name, facts.st_size) and (
                self.mtime_ns == facts.st_mtime_ns or self.fingerprint == fingerprint(source)
            )
        except OSError:
            return False


def read_marker(folder: Path) -> Marker | None:
    """The marker of a folder; None if it has none, or none that can be understood."""
    try:
        document = orjson.loads((folder / MARKER_NAME).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if not isinstance(document, dict):
        return None
    known = {field.name: document[field.name] for field in fields(Marker) if field.name in document}
    try:
        marker = Marker(**known)
    except TypeError:
        return None
    return marker if _is_well_typed(marker) else None


def write_marker(folder: Path, marker: Marker) -> None:
    """Write the marker, whole or not at all; raises SaveError."""
    write_atomically(folder / MARKER_NAME, orjson.dumps(asdict(marker), option=orjson.OPT_INDENT_2))


def fingerprint(source: Path) -> str:
    """sha256 of the first and the last bytes of a file."""
    with source.open("rb") as stream:
        head = stream.read(_FINGERPRINT_BYTES)
        stream.seek(max(0, source.stat().st_size - _FINGERPRINT_BYTES))
        return hashlib.sha256(head + stream.read(_FINGERPRINT_BYTES)).hexdigest()


def is_free(folder: Path) -> bool:
    """True if nothing stands there, or an empty folder."""
    try:
        return not any(not _is_leftover(name) for name in os.listdir(folder))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def choose_folders(parent: Path, sources: Iterable[str], names: Iterable[str]) -> dict[str, Path]:
    """Where each video file of one folder is, or will be, unpacked: `<stem>`, `<stem>_mp4`, `<stem>_mp4_2`, ...

    The first that was unpacked from this file as it is now, else the first that is nobody's. The answer is the
    same in the next run.

    Args:
        parent: the folder.
        sources: names of the video files in it.
        names: names of everything in it.
    """
    # Some file systems do not tell `A` from `a`: whatever could be the same name is looked at closely.
    standing = {name.casefold() for name in names}
    ordered = sorted(sources)
    chosen = {source: folder for source in ordered if (folder := _folder_of(parent / source, standing)) is not None}
    taken = {folder.name.casefold() for folder in chosen.values()}
    for source in ordered:
        if source not in chosen:
            chosen[source] = _free_folder(parent / source, standing, taken)
            taken.add(chosen[source].name.casefold())
    return chosen


def _folder_of(source: Path, standing: set[str]) -> Path | None:
    """The folder that was unpacked from this very file."""
    for number, folder in enumerate(_folders(source)):
        if folder.name.casefold() not in standing:
            if number == 0:  # the plain name may have come free since the second was taken
                continue
            return None
        marker = read_marker(folder)
        if marker is not None and marker.belongs_to(source):
            return folder
    return None


def _free_folder(source: Path, standing: set[str], taken: set[str]) -> Path:
    return next(
        folder
        for folder in _folders(source)
        if folder.name.casefold() not in taken and (folder.name.casefold() not in standing or is_free(folder))
    )


def _folders(source: Path) -> Iterator[Path]:
    yield source.with_name(source.stem)
    second = f"{source.stem}_{source.suffix[1:].lower()}"
    yield source.with_name(second)
    number = 2
    while True:
        yield source.with_name(f"{second}_{number}")
        number += 1


def _is_leftover(name: str) -> bool:
    """True for the temporary file of a marker that was never finished: the process was killed."""
    return re.fullmatch(rf"\.{re.escape(MARKER_NAME)}\..*\.part", name) is not None


def _is_well_typed(marker: Marker) -> bool:
    return all(
        isinstance(getattr(marker, field.name), get_args(field.type) or field.type)  # type: ignore[arg-type]
        for field in fields(marker)
    )
