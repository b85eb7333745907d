"""Files of weights that were found to be of no use: remembered while the program runs, until the file changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sam_annotator.core.errors import EngineError
from sam_annotator.core.weights.manifest import Checkpoint

_Stamp = tuple[int, int, int, int]
_noted: dict[tuple[Path, str], tuple[_Stamp, str]] = {}


class DamagedError(EngineError):
    """A file of weights is not what it should be; another try will not change that."""


def noted_damage(path: Path, checkpoint: Checkpoint | None) -> str | None:
    """The sentence that was noted of this file as it is now, when it was taken for this checkpoint."""
    stamp, sentence = _noted.get(_key(path, checkpoint), (None, None))
    return sentence if stamp is not None and stamp == _stamp(path) else None


@contextmanager
def damage_noted(path: Path, checkpoint: Checkpoint | None) -> Iterator[None]:
    """Note a DamagedError of what is done with a file; where one is noted, raise it in place of doing it again."""
    if (known := noted_damage(path, checkpoint)) is not None:
        raise DamagedError(known)
    stamp = _stamp(path)
    try:
        yield
    except DamagedError as error:
        if stamp is not None:
            _noted[_key(path, checkpoint)] = (stamp, str(error))
        raise


def _key(path: Path, checkpoint: Checkpoint | None) -> tuple[Path, str]:
    return path.expanduser().absolute(), checkpoint.name if checkpoint is not None else ""


def _stamp(path: Path) -> _Stamp | None:
    try:
        facts = path.expanduser().stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino
