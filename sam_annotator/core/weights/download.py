"""Fetching a checkpoint: resumable, checked, and whole or not there.

The bytes go to `<file>.part`, which nothing ever loads; when size and sha256 are right it takes its name. What
stopped half-way goes on from there the next time. Beside it, `<file>.tag.part` says which version the part is of.
"""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from sam_annotator.core.errors import AnnotatorError, SaveError
from sam_annotator.core.locks import alone
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.weights.hashing import FETCHING, WAITING, FetchProgress, hash_steps
from sam_annotator.core.weights.http_pieces import Head, HttpPieces, LostError, Patience, RefusedError
from sam_annotator.core.weights.manifest import Checkpoint, describe_bytes, has_right_size
from sam_annotator.core.weights.record import record

_STEP_SECONDS = 0.1
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


class DownloadError(AnnotatorError):
    """A checkpoint could not be fetched; what came so far is kept, unless it was wrong."""


class _WrongBytesError(DownloadError):
    """What came is not the published file."""


Steps = Generator[FetchProgress, None, None]


def part_path(checkpoint: Checkpoint, folder: Path) -> Path:
    """Where an unfinished download lies."""
    return folder / f"{checkpoint.file}.part"


def fetched_bytes(checkpoint: Checkpoint, folder: Path) -> int:
    """How much an earlier attempt left; 0: nothing."""
    return _size(part_path(checkpoint, folder))


def fetch(
    checkpoint: Checkpoint, folder: Path, *, force: bool = False, patience: Patience | None = None
) -> Generator[FetchProgress, None, Path]:
    """Fetch a checkpoint into a folder, in steps of a tenth of a second; returns the file's path.

    Closing the generator stops it at any step, and leaves the part to go on from. A file that is there and right is
    left as it is, without a network.

    Args:
        force: replace a file of that name that is not the published one, once the right one is whole.

    Raises:
        DownloadError: no network, no room, or something else than the published file; one sentence.
    """
    target = folder / checkpoint.file
    try:
        if target.exists() and (yield from _is_right(checkpoint, target, force=force)):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        with _one_at_a_time(target):
            yield from _Download(checkpoint, target, patience or Patience()).run()
    except OSError as error:
        raise _explain(error, checkpoint, folder) from error
    return target


def _is_right(checkpoint: Checkpoint, target: Path, *, force: bool) -> Generator[FetchProgress, None, bool]:
    """True if there is nothing to fetch; an error where somebody's file would be replaced."""
    if checkpoint.sha256 is None and not _is_page(target):
        return not force
    if has_right_size(checkpoint, target) and (yield from hash_steps(target)) == checkpoint.sha256:
        return True
    if not force:
        raise DownloadError(
            f"{target} is there, but it is not the published file; move it away, or fetch with --force, which "
            "replaces it."
        )
    return False


def _is_page(path: Path) -> bool:
    with path.open("rb") as stream:
        return _begins_like_a_page(stream.read(64))


def _begins_like_a_page(piece: bytes) -> bool:
    return piece.lstrip()[:1] in (b"<", b"{")


@contextmanager
def _one_at_a_time(target: Path) -> Iterator[None]:
    """Two programs that write the same part would make it worthless."""
    name = hashlib.sha256(f"{Path.home()} {target.resolve()}".encode()).hexdigest()[:32]
    with alone(Path(tempfile.gettempdir()) / f"sam_annotator-{name}.lock") as is_alone:
        if not is_alone:
            raise DownloadError(
                f"{target.name} is being fetched into {target.parent} already; wait until that is done, or stop it."
            )
        yield


@dataclass(frozen=True)
class _Version:
    """What a part is a part of: the address, what the server calls that version, its size in bytes."""

    url: str
    tag: str = ""
    total: int | None = None


class _Download:
    """One fetch: attempts until the part is whole, then the checks, then the name."""

    def __init__(self, checkpoint: Checkpoint, target: Path, patience: Patience) -> None:
        self._checkpoint, self._target, self._patience = checkpoint, target, patience
        self._part = part_path(checkpoint, target.parent)
        self._tag_path = target.with_name(f"{target.name}.tag.part")
        self._url = checkpoint.download_url
        self._total = checkpoint.bytes
        self._received = 0  # since the last attempt began
        self._earlier = 0  # bytes that were there before: they may be of another version

    def run(self) -> Steps:
        """Fetch, check, rename."""
        self._earlier = self._resumable()
        try:
            yield from self._fetch_and_check()
        except _WrongBytesError:
            if not self._earlier:
                raise
            self._earlier = 0  # what was left of an earlier attempt spoiled it: once more from the beginning
            yield FetchProgress(WAITING, 0, self._total, "The part that was there is of another file; from the start.")
            yield from self._fetch_and_check()
        os.replace(self._part, self._target)
        self._tag_path.unlink(missing_ok=True)
        if self._checkpoint.sha256 is None:
            with suppress(SaveError):  # a record that cannot be kept is no reason to have no file
                record(self._target)

    def _fetch_and_check(self) -> Steps:
        yield from self._all_attempts()
        try:
            yield from self._check()
        except _WrongBytesError:
            self._drop_part()
            raise

    def _all_attempts(self) -> Steps:
        failures = 0
        while not self._is_whole():
            try:
                self._received = 0
                yield from self._attempt()
            except LostError as error:
                failures = 1 if self._received else failures + 1
                pauses = self._patience.pauses if fetched_bytes(self._checkpoint, self._target.parent) else (0.5,)
                if failures > len(pauses):
                    raise DownloadError(self._describe_unreachable(str(error))) from error
                yield from self._wait(pauses[failures - 1], str(error))
            except RefusedError as error:
                raise DownloadError(f"{self._host} cannot be used: {error}. {self._by_hand()}") from error

    def _attempt(self) -> Steps:
        start, tag = self._resumable(), self._read_version().tag
        with closing(HttpPieces(self._url, start=start, tag=tag, patience=self._patience)) as pieces:
            head = yield from self._wait_for_head(pieces)
            if not self._accept(head, start):
                return
            with self._part.open("ab" if head.start else "wb") as stream:
                yield from self._receive(pieces, stream, head.start)
        if self._total is not None and _size(self._part) < self._total:
            raise LostError("the connection was lost")
        self._total = self._total or _size(self._part)

    def _wait_for_head(self, pieces: HttpPieces) -> Generator[FetchProgress, None, Head]:
        while True:
            item = pieces.take(_STEP_SECONDS)
            if isinstance(item, Head):
                return item
            if item is not None:
                raise LostError("the connection was lost")
            yield FetchProgress(WAITING, _size(self._part), self._total)

    def _accept(self, head: Head, start: int) -> bool:
        """Whether the bytes that follow are wanted; an error where they are not those of the file."""
        if start and (head.status == 416 or (head.status == 206 and not self._continues(head, start))):
            if head.total is not None and head.total == start:
                self._total = start  # all of it is there
            else:
                self._drop_part()
            return False
        if head.status in _TRY_AGAIN:
            raise LostError(f"it answers {head.status} {head.reason}")
        if head.status not in (200, 206) or head.start != (start if head.status == 206 else 0):
            raise DownloadError(
                f"{self._host} answers {head.status} {head.reason} for {self._checkpoint.file}. {self._by_hand()}"
            )
        if head.is_page:
            raise DownloadError(self._describe_page())
        self._check_total(head)
        if not head.start:
            self._earlier = 0
            self._write_version(head)
        return True

    def _continues(self, head: Head, start: int) -> bool:
        return head.start == start and self._read_version().total in (None, head.total)

    def _check_total(self, head: Head) -> None:
        if head.total is not None and self._checkpoint.bytes not in (None, head.total):
            raise DownloadError(
                f"{self._host} offers {self._checkpoint.file} with {head.total:,} bytes instead of "
                f"{self._checkpoint.bytes:,}, so it is another file. {self._by_hand()}"
            )
        self._total = head.total if head.total is not None else self._checkpoint.bytes
        missing, free = (self._total or 0) - head.start, shutil.disk_usage(self._target.parent).free
        if missing > free:
            raise DownloadError(
                f"{self._checkpoint.file} needs {describe_bytes(missing)} more, and {self._target.parent} has "
                f"{describe_bytes(free)} left",
                Remedy.ROOM_FOR_MODELS,
            )

    def _receive(self, pieces: HttpPieces, stream: BinaryIO, done: int) -> Steps:
        told = 0.0
        while (piece := pieces.take(_STEP_SECONDS)) != b"":
            if isinstance(piece, bytes):
                if not done and _begins_like_a_page(piece):
                    raise DownloadError(self._describe_page())
                stream.write(piece)
                done += len(piece)
                self._received += len(piece)
            if piece is None or time.monotonic() - told > _STEP_SECONDS:
                yield FetchProgress(FETCHING, done, self._total)
                told = time.monotonic()

    def _check(self) -> Steps:
        """What is on the disk, not what went by: size, then sha256."""
        found, wanted = _size(self._part), self._checkpoint.bytes
        if wanted not in (None, found):
            raise _WrongBytesError(self._describe_wrong(f"{found:,} bytes came instead of {wanted:,}"))
        with self._part.open("rb") as stream:
            os.fsync(stream.fileno())
        if self._checkpoint.sha256 is None:
            return
        digest = yield from hash_steps(self._part)
        if digest != self._checkpoint.sha256:
            raise _WrongBytesError(
                self._describe_wrong(f"its sha256 is {digest[:16]}... instead of {self._checkpoint.sha256[:16]}...")
            )

    def _wait(self, seconds: float, reason: str) -> Steps:
        end = time.monotonic() + seconds
        note = f"{self._host}: {reason}; trying again"
        while (left := end - time.monotonic()) > 0:
            yield FetchProgress(WAITING, _size(self._part), self._total, note)
            time.sleep(min(left, _STEP_SECONDS))

    # --- the part and its tag ------------------------------------------------------------------------------

    def _is_whole(self) -> bool:
        return self._total is not None and _size(self._part) == self._total

    def _resumable(self) -> int:
        """How much of the part can be gone on from. One whose version nobody can check begins anew."""
        found = _size(self._part)
        if not found or (self._checkpoint.bytes is not None and found > self._checkpoint.bytes):
            return 0
        version = self._read_version()
        return found if self._checkpoint.sha256 is not None or version.tag or version.total else 0

    def _read_version(self) -> _Version:
        """Which version the part is of, as far as that is known."""
        try:
            version = _Version(**json.loads(self._tag_path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return _Version(self._url)
        return version if version.url == self._url else _Version(self._url)

    def _write_version(self, head: Head) -> None:
        version = asdict(_Version(self._url, head.tag, head.total))
        self._tag_path.write_text(json.dumps(version) + "\n", encoding="utf-8")

    def _drop_part(self) -> None:
        self._part.unlink(missing_ok=True)
        self._tag_path.unlink(missing_ok=True)

    # --- sentences -----------------------------------------------------------------------------------------

    @property
    def _host(self) -> str:
        return urlsplit(self._url).netloc

    def _by_hand(self) -> str:
        return f"By hand: save {self._checkpoint.url} as {self._target}."

    def _describe_unreachable(self, reason: str) -> str:
        kept = fetched_bytes(self._checkpoint, self._target.parent)
        again = f"{describe_bytes(kept)} are kept, and fetching again goes on from there" if kept else "then try again"
        return f"{self._host} cannot be reached: {reason}. Check the network or the proxy; {again}. {self._by_hand()}"

    def _describe_page(self) -> str:
        return (
            f"{self._host} sent a web page in place of {self._checkpoint.file}: the login page of this network, or a "
            f"notice. Open {self._checkpoint.url} in a browser to see it, or save the file as {self._target}."
        )

    def _describe_wrong(self, what: str) -> str:
        return (
            f"What {self._host} sent is not the published {self._checkpoint.file} ({what}); it was thrown away. "
            f"Fetch it again; if it stays so, something on the way changes it. {self._by_hand()}"
        )


def _explain(error: OSError, checkpoint: Checkpoint, folder: Path) -> DownloadError:
    if error.errno in _FULL:
        kept = describe_bytes(fetched_bytes(checkpoint, folder))
        return DownloadError(
            f"{folder} is full; {kept} of {checkpoint.file} are kept. Make room and fetch again: it goes on from there."
        )
    return DownloadError(
        f"{checkpoint.file} cannot be written to {folder} ({error.strerror or error})", Remedy.OTHER_MODELS
    )


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
