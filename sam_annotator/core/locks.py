"""Several processes at one tree: one of them at a time. The system lets go of a lock whose process dies, however."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sam_annotator.core.errors import SaveError

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int, wait: bool) -> None:
        """Raises OSError: somebody else has it (without waiting at once, else after ten seconds)."""
        msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(handle: int, wait: bool) -> None:
        """Raises OSError: somebody else has it, or the drive knows no locks."""
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Wait until no other process is in this block for the same folder; then be in it alone.

    Writes nothing into the folder, which has to exist. For moments: reading, changing and writing one file. On a drive
    that knows no locks nobody waits.
    """
    handle: int | None = None
    try:
        with suppress(OSError):
            handle = _open_folder(folder)
            _take(handle, wait=True)
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether this process alone has the file `path` until the block ends; False: somebody else has it already.

    The file is made, with its folder, and stays. On a drive that knows no locks everybody is alone.

    Raises:
        SaveError: it cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _open_lock(path)
    except OSError as error:
        raise SaveError(
            f"{path} could not be made ({error.strerror}); choose a folder for annotations that can be written."
        ) from error
    try:
        yield _is_taken(handle)
    finally:
        os.close(handle)


def _is_taken(handle: int) -> bool:
    try:
        _take(handle, wait=False)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # no locks here
        return True
    return True


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:  # somebody else's file, in a folder that several people may write
        return os.open(path, os.O_RDONLY)


def _open_folder(folder: Path) -> int:
    if sys.platform != "win32":
        return os.open(folder, os.O_RDONLY)
    # a folder cannot be opened there: a file for it, out of the way
    name = hashlib.sha256(os.path.realpath(folder).encode()).hexdigest()[:32]
    return os.open(Path(tempfile.gettempdir()) / f"sam_annotator-{name}.lock", os.O_RDWR | os.O_CREAT)
