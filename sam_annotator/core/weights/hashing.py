"""The sha256 of files of gigabytes, in steps, so that it can be watched and given up."""

import hashlib
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from sam_annotator.core.errors import InputError
from sam_annotator.core.steps import finished

FETCHING, CHECKING, WAITING = "fetching", "checking", "waiting"

_STEP_SECONDS = 0.1


@dataclass(frozen=True)
class FetchProgress:
    """How far fetching or checking a file is.

    Attributes:
        doing: FETCHING, CHECKING (reading what is on the disk) or WAITING (for the network).
        done, total: bytes; `total` is None where nobody says.
        note: something that people want to know, mostly empty.
    """

    doing: str
    done: int
    total: int | None
    note: str = ""


def hash_steps(path: Path) -> Generator[FetchProgress, None, str]:
    """The sha256 of a file, 64 hexadecimal digits, in steps of a tenth of a second; reads it once.

    Raises:
        OSError: it cannot be read.
    """
    digest, done, total, told = hashlib.sha256(), 0, path.stat().st_size, time.monotonic()
    with path.open("rb") as stream:
        while piece := stream.read(2**20):
            digest.update(piece)
            done += len(piece)
            if time.monotonic() - told > _STEP_SECONDS:
                yield FetchProgress(CHECKING, done, total)
                told = time.monotonic()
    return digest.hexdigest()


def sha256(path: Path) -> str:
    """As `hash_steps`, at once.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return finished(hash_steps(path))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check the file's name.") from error
