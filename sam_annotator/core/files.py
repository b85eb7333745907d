"""Whole files or none: write to a temporary sibling, flush to disk, rename."""

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO, Final

from sam_annotator.core.errors import SaveError
from sam_annotator.core.remedies import Remedy

_HALF: Final = ".part"
_NAMED: Final = 32
"""So many characters of a file's name are in that of its half."""

Turn = Callable[[], AbstractContextManager[bool]]
"""Entered for the moment in which a file takes its place; where it gives False, all stays as it was."""


def regular_bytes(path: Path) -> bytes:
    """The content of a file that may have any name, but has to be one.

    Raises:
        OSError: it is missing or cannot be read; also for a pipe or a device, which one could wait for for ever.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of a folder, reading says so
        raise OSError(errno.EINVAL, "it is no file but a pipe or a device; move it away", str(path))
    return path.read_bytes()


def write_atomically(path: Path, data: bytes, turn: Turn | None = None) -> None:
    """Replace `path` by `data`, so that a reader sees the old file or the new one, never a part.

    Missing parent folders are made. A symbolic link is written through, not replaced.

    Args:
        turn: a lock that need not be held for as long as the disk takes, and what is to be looked at under it.

    Raises:
        SaveError: nothing was changed at `path`.
    """
    with replacing(path, turn=turn) as stream:
        stream.write(data)


@contextmanager
def replacing(path: Path, *, flush: bool = True, turn: Turn | None = None) -> Iterator[BinaryIO]:
    """As `write_atomically`, for a file that is written piece by piece: a stream, open for reading, too.

    It takes the place of `path` when the block ends; where the block raises, nothing is changed at `path`.
    Without `flush`, a power failure may damage it: for what can be computed anew, and tells whether it is whole.

    Raises:
        SaveError: for an OSError, in the block as well.
    """
    target = Path(os.path.realpath(path))
    try:
        _refuse_read_only(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _replacement(target, flush, turn or _always) as stream:
            yield stream
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(f"{path} could not be saved ({reason}); {what_stands(target)}.", Remedy.MAKE_ROOM) from error


def remove_halves(folder: Path, name: str = "") -> None:
    """Remove what killed processes left in a folder while they wrote: halves of the file `name`, or of any."""
    start = f".{name[:_NAMED]}." if name else "."
    with suppress(OSError), os.scandir(folder) as entries:
        halves = [entry.path for entry in entries if entry.name.startswith(start) and entry.name.endswith(_HALF)]
        for half in halves:
            os.unlink(half)


def is_unicode(name: str) -> bool:
    """False for the name of a file that is not UTF-8, as old zips make them: no JSON can hold it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def sayable(name: str) -> str:
    """The name of a file as it can be told, with backslashes for what is not UTF-8."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # a half of a character, as Windows may have it
        return name.encode("utf-8", "backslashreplace").decode()


def what_stands(path: Path) -> str:
    """What to tell people of `path` where nothing was changed there."""
    try:
        return "the file that was there is unchanged" if path.exists() else "nothing was written"
    except OSError:  # a folder that may not be looked into, a name too long
        return "nothing was changed"


def _refuse_read_only(target: Path) -> None:
    """Renaming would pass over the permission that somebody took from this very file."""
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is read-only")


@contextmanager
def _replacement(target: Path, flush: bool, turn: Turn) -> Iterator[BinaryIO]:
    # The name is cut: with what is put around it, a long one would be longer than file systems allow.
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:_NAMED]}.", suffix=_HALF, dir=target.parent)
    try:
        with os.fdopen(handle, "w+b") as stream:
            yield stream
            if flush:
                stream.flush()
                os.fsync(stream.fileno())
        with suppress(OSError):  # some network and FAT drives know no permissions
            os.chmod(temporary, _mode_for(target))
        with turn() as may_replace:
            if may_replace:
                os.replace(temporary, target)
                return
        os.unlink(temporary)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _always() -> AbstractContextManager[bool]:
    return nullcontext(True)


def _mode_for(target: Path) -> int:
    """Permission bits of the file that stands there, else what a plain `open` would give."""
    try:
        return target.stat().st_mode & 0o7777
    except OSError:
        return 0o666 & ~_UMASK


def _read_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


_UMASK = _read_umask()  # read once: asking changes it for a moment, which is not safe between threads
