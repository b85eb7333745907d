"""Whole files or none: write to a temporary sibling, flush to disk, rename."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sam_annotator.core.errors import SaveError


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, so that a reader sees the old file or the new one, never a part.

    Missing parent folders are made. A symbolic link is written through, not replaced.

    Raises:
        SaveError: nothing was changed at `path`.
    """
    target = Path(os.path.realpath(path))
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _mode_for(target))
        os.replace(temporary, target)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                os.unlink(temporary)
        reason = error.strerror or str(error)
        raise SaveError(
            f"{path} could not be saved ({reason}); the file that was there is unchanged. "
            "Free some space or choose a folder that can be written (--output DIR)."
        ) from error


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
