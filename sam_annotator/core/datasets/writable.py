"""Whether a dataset can be written at all: tried beforehand, so that hours of work do not end with it."""

import errno
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from sam_annotator.core.errors import InputError
from sam_annotator.core.remedies import Remedy


def check_writable(files: Iterable[Path], folders: Iterable[Path] = ()) -> None:
    """Make sure, as far as can be told beforehand, that these can be made, or written over; nothing is left behind.

    Args:
        folders: those that files will be made in.

    Raises:
        InputError: one of them cannot.
    """
    parents = []
    for file in map(_real, files):
        parents.append(file.parent)
        if file.is_dir():
            raise InputError(f"{file} is a folder; move it away, a file has to lie there", Remedy.OTHER_OUTPUT)
        if os.path.exists(file) and not os.access(file, os.W_OK):
            raise InputError(f"{file} is read-only", Remedy.OTHER_OUTPUT)
    for standing in dict.fromkeys(_standing(folder) for folder in (*parents, *map(_real, folders))):
        _try_to_write(standing)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _standing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    for one in (folder, *folder.parents):
        try:
            one.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:  # one may not look into a folder, or a name is too long
            raise _refusal(folder, error) from error
        if not one.is_dir():
            raise InputError(f"{one} is a file, and {folder} cannot be a folder", Remedy.OTHER_OUTPUT)
        return one
    raise _refusal(folder, OSError(errno.ENOENT, os.strerror(errno.ENOENT)))


def _try_to_write(folder: Path) -> None:
    """Permissions alone do not tell: network drives and read-only ones have their own mind."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _refusal(folder, error) from error


def _refusal(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder} cannot be written ({error.strerror})", Remedy.OTHER_OUTPUT)
