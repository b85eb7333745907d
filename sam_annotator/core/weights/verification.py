"""Whether the checkpoints that are here are the published ones."""

import shlex
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.weights.hashing import FetchProgress, hash_steps
from sam_annotator.core.weights.manifest import Checkpoint, has_right_size, search_folders
from sam_annotator.core.weights.record import record, recorded


@dataclass(frozen=True)
class Verdict:
    """What is known of a file now.

    Attributes:
        is_good: False for one that is wrong, or another than it was.
        text: a line for people.
    """

    is_good: bool
    text: str


def copies(checkpoint: Checkpoint, extra: Path | None = None) -> list[Path]:
    """All files of that name in the folders where checkpoints are looked for."""
    return [path for folder in search_folders(extra) if (path := folder / checkpoint.file).is_file()]


def verify(checkpoint: Checkpoint, path: Path) -> Generator[FetchProgress, None, Verdict]:
    """Compare a file with what its authors published, in steps.

    Where they published no hash, it is compared with what the file was at its first use, which is now if it was
    never recorded.

    Raises:
        InputError: it cannot be read.
    """
    folder = shlex.quote(str(path.absolute().parent))  # another copy may lie where it would be fetched to otherwise
    again = f"fetch it again: `sam-annotator models fetch {checkpoint.name} --force --models {folder}`"
    if not has_right_size(checkpoint, path):
        return Verdict(False, f"wrong: {path.stat().st_size:,} bytes instead of {checkpoint.bytes:,}; {again}")
    try:
        found = yield from hash_steps(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    if checkpoint.sha256 is not None:
        if found == checkpoint.sha256:
            return Verdict(True, "ok: size and sha256 as published")
        return Verdict(False, f"wrong: sha256 {found} instead of {checkpoint.sha256}; {again}")
    return _compare_with_first_use(path, found, again)


def _compare_with_first_use(path: Path, found: str, again: str) -> Verdict:
    before = recorded(path)
    if before is None:
        return Verdict(True, _record(path, found))
    if before == found:
        return Verdict(True, "no hash is published; unchanged since its first use")
    return Verdict(
        False, f"changed: sha256 {found}, at its first use {before}; if you did not replace it yourself, {again}"
    )


def _record(path: Path, found: str) -> str:
    try:
        record(path)
    except SaveError as error:
        return f"no hash is published; sha256 {found}, which could not be noted ({error})"
    return f"no hash is published; sha256 {found}, noted to be compared with from now on"
