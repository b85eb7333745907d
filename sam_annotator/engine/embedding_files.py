"""Embeddings as files: what one session, or one night of another machine, has encoded need not be encoded again.

`FOLDER/<segmenter's key>/<first two digits>/<digest of the image file>.embedding`, floats as float16. A file begins
with a checksum of the rest, so one that is damaged is known as such, and written anew. When the folder's budget is
used up, the files that were not used for the longest time go.
"""

import hashlib
import json
import logging
import os
import shutil
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from sam_annotator.core.errors import SaveError
from sam_annotator.core.files import replacing, write_atomically
from sam_annotator.engine.segmenter import Embedding

logger = logging.getLogger(__name__)

DEFAULT_BUDGET: Final = 10 * 10**9
"""Bytes of all files together, where nobody chose another budget: some 5,000 frames of SAM."""

LEAST_FREE: Final = 10**9
"""Bytes that are left to others on the disk."""

_SUFFIX = ".embedding"
_BUDGET_FILE = "budget.txt"
_DIGEST_BYTES = 16
_LOST_AFTER_S = 3600.0  # an unfinished file of this age belongs to nobody any more
_RECOUNT_AFTER = 500  # files: other processes may write to the folder, too


def default_folder() -> Path:
    """Where embeddings are kept if nobody says otherwise."""
    return Path(platformdirs.user_cache_dir("sam_annotator")) / "embeddings"


def digest_of(data: bytes) -> str:
    """Name of an image by the content of its file, 32 hex digits."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


@dataclass(frozen=True)
class _Kept:
    path: Path
    used: int  # when it was used last, nanoseconds
    bytes: int


class EmbeddingFiles:
    """The embeddings of one segmenter in a folder. One thread writes, any may read, and so may other processes.

    Attributes:
        folder: of all segmenters' embeddings.
        budget: bytes of all files in the folder.
    """

    def __init__(self, folder: Path, key: str) -> None:
        """
        Args:
            folder: need not exist.
            key: the segmenter's; not empty.
        """
        self.folder, self.budget = folder, read_budget(folder)
        self._own = folder / key
        self._used = 0
        self._oldest: deque[_Kept] = deque()
        self._until_recount = 0

    def read(self, digest: str) -> Embedding | None:
        """The embedding of an image; None if there is none, or its file is damaged."""
        path = self._path(digest)
        try:
            found = _unpacked(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            logger.info("%s is left out: %s", path, error)
            return None
        with suppress(OSError):  # a folder of other people's may be read-only
            os.utime(path)
        return found

    def write(self, digest: str, embedding: Embedding) -> bool:
        """Keep an embedding; False: there is no room for it, or float16 cannot hold its numbers.

        Raises:
            SaveError: the folder cannot be written.
        """
        data, path = _packed(embedding), self._path(digest)
        more = 0 if data is None else len(data) - _size(path)
        try:
            if data is None or not self._make_room(more):
                return False
        except OSError as error:  # a network drive that is gone
            raise SaveError(
                f"{self.folder} cannot be used ({error.strerror or error}); name another folder."
            ) from error
        with _advising(self.folder), replacing(path, flush=False) as stream:
            stream.write(data)
        self._used += more
        return True

    def size_of_one(self) -> int | None:
        """Bytes of one of this segmenter's files; None: there is none yet."""
        return next((_size(path) for path in self._own.glob(f"??/*{_SUFFIX}")), None)

    def room(self) -> int:
        """Bytes that all files together may take: the budget, or less where the disk is nearly full."""
        return max(min(self.budget, self._room_on_disk()), 0)

    @property
    def is_disk_short(self) -> bool:
        """Whether the disk leaves less room than the budget."""
        return self._room_on_disk() < self.budget

    def _room_on_disk(self) -> int:
        if self._until_recount <= 0:
            self._count()
        existing = next(folder for folder in (self.folder, *self.folder.parents) if folder.exists())
        return self._used + shutil.disk_usage(existing).free - LEAST_FREE

    def trim(self) -> None:
        """Keep a budget that has become smaller: what was not used for the longest time goes."""
        self._count()
        self._make_room(0)

    def _make_room(self, size: int) -> bool:
        """Delete what was not used for the longest time until `size` bytes fit; False: they never will."""
        self._until_recount -= 1
        room = self.room()
        if size > room:
            return False
        if self._used + size > room and not self._oldest:
            self._count()
        while self._used + size > room and self._oldest:
            kept = self._oldest.popleft()
            with suppress(OSError):
                if kept.path.stat().st_mtime_ns == kept.used:  # not used since it was looked at
                    kept.path.unlink()
                    self._used -= kept.bytes
        return self._used + size <= room

    def _count(self) -> None:
        found = sorted(_files_in(self.folder), key=lambda kept: kept.used)
        self._used, self._oldest = sum(kept.bytes for kept in found), deque(found)
        self._until_recount = _RECOUNT_AFTER

    def _path(self, digest: str) -> Path:
        return self._own / digest[:2] / f"{digest}{_SUFFIX}"


def read_budget(folder: Path) -> int:
    """The budget that was chosen for a folder, in bytes; the default where none was."""
    try:
        return max(int((folder / _BUDGET_FILE).read_text(encoding="ascii")), 0)
    except (OSError, ValueError):
        return DEFAULT_BUDGET


def write_budget(folder: Path, budget: int) -> None:
    """Choose the budget of a folder, in bytes, for all who use it. Raises SaveError."""
    with _advising(folder):
        write_atomically(folder / _BUDGET_FILE, f"{budget}\n".encode("ascii"))


@contextmanager
def _advising(folder: Path) -> Iterator[None]:
    """Say of what cannot be saved what can be done about it here."""
    try:
        yield
    except SaveError as error:
        reason = getattr(error.__cause__, "strerror", None) or str(error)
        raise SaveError(
            f"Embeddings cannot be kept in {folder} ({reason}); free some space, or name another folder with "
            "--embeddings DIR."
        ) from error


def packed_size(embedding: Embedding) -> int:
    """Bytes of an embedding's file."""
    data = _packed(embedding)
    return 0 if data is None else len(data)


def _files_in(folder: Path) -> Iterator[_Kept]:
    """All embeddings of all segmenters; what a killed process left half-written is deleted."""
    lost = time.time_ns() - int(_LOST_AFTER_S * 1e9)
    for path in folder.glob("*/??/*"):
        with suppress(OSError):  # another process may delete it meanwhile
            facts = path.stat()
            if path.suffix == _SUFFIX:
                yield _Kept(path, facts.st_mtime_ns, facts.st_size)
            elif path.name.startswith(".") and path.suffix == ".part" and facts.st_mtime_ns < lost:
                path.unlink()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _packed(embedding: Embedding) -> bytes | None:
    """Checksum, a line of JSON, then the arrays' bytes; None where float16 cannot hold the numbers."""
    arrays = {name: _halved(array) for name, array in embedding.arrays.items()}
    if any(array.dtype == np.float16 and not np.isfinite(array).all() for array in arrays.values()):
        return None
    facts = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
    head = json.dumps({"image_size": embedding.image_size, "arrays": facts}).encode("ascii") + b"\n"
    rest = head + b"".join(array.tobytes() for array in arrays.values())
    return hashlib.blake2b(rest, digest_size=_DIGEST_BYTES).digest() + rest


def _unpacked(data: bytes) -> Embedding:
    """Raises ValueError for a file that is not whole."""
    checksum, rest = data[:_DIGEST_BYTES], memoryview(data)[_DIGEST_BYTES:]
    if hashlib.blake2b(rest, digest_size=_DIGEST_BYTES).digest() != checksum:
        raise ValueError("it is damaged")
    start = data.index(b"\n", _DIGEST_BYTES) + 1
    facts: dict[str, Any] = json.loads(data[_DIGEST_BYTES:start])
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, (dtype, shape) in facts["arrays"].items():
        array = np.frombuffer(data, dtype, count=int(np.prod(shape)), offset=start).reshape(shape)
        start += array.nbytes
        arrays[name] = array.astype(np.float32) if array.dtype == np.float16 else array
    height, width = facts["image_size"]
    return Embedding((height, width), arrays)


def _halved(array: NDArray[np.generic]) -> NDArray[np.generic]:
    with np.errstate(over="ignore"):
        return array.astype(np.float16) if np.issubdtype(array.dtype, np.floating) else array
