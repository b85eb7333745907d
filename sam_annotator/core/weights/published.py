"""Whether a checkpoint is the very file its authors published; read once for each file, not at each start.

What a file was found to be is noted in the user's cache folder: path -> size, time of change, sha256. Only a file that
has changed since is read again.
"""

import json
from collections.abc import Callable
from pathlib import Path

import platformdirs

from sam_annotator.core.errors import SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.steps import finished
from sam_annotator.core.weights.damage import DamagedError, noted_damage
from sam_annotator.core.weights.hashing import FetchProgress, hash_steps
from sam_annotator.core.weights.manifest import Checkpoint, describe_bytes, has_right_size, search_folders


def record_path() -> Path:
    """Where it is noted; the file may not exist."""
    return Path(platformdirs.user_cache_dir("sam_annotator")) / "verified.json"


def check_hash(path: Path, checkpoint: Checkpoint, report: Callable[[str], None] = lambda _text: None) -> None:
    """Compare a file with the hash that its authors published, if they did.

    Args:
        report: is told how far that is, every tenth of a second; what it raises ends the reading.

    Raises:
        OSError: the file cannot be read.
        DamagedError: it is another one; says what to do.
    """
    if checkpoint.sha256 is None:
        return
    found = _noted_hash(path)
    if found is None:
        found = _hash(path, report)
        _note(path, found)
    if found != checkpoint.sha256:
        raise DamagedError(_describe_wrong_hash(path, found, checkpoint))


def damage_of(path: Path, checkpoint: Checkpoint | None) -> str | None:
    """What is known to be wrong with a file as it is now, a sentence; None: nothing. Reads no more than a note."""
    if (noted := noted_damage(path, checkpoint)) is not None or checkpoint is None or checkpoint.sha256 is None:
        return noted
    try:
        found = _noted_hash(path)
    except OSError:
        return None
    return None if found in (None, checkpoint.sha256) else _describe_wrong_hash(path, found, checkpoint)


def whole_copies(checkpoint: Checkpoint, extra: Path | None = None) -> list[Path]:
    """The files of a checkpoint that are of the right size and not known to be damaged, in the order of folders."""
    paths = (folder / checkpoint.file for folder in search_folders(extra))
    return [
        path
        for path in paths
        if path.is_file() and has_right_size(checkpoint, path) and damage_of(path, checkpoint) is None
    ]


def _hash(path: Path, report: Callable[[str], None]) -> str:
    def tell(step: FetchProgress) -> None:
        report(f"Checking {path.name}: {describe_bytes(step.done)} of {describe_bytes(step.total or 0)} ...")

    return finished(hash_steps(path), tell)


def _describe_wrong_hash(path: Path, found: str, checkpoint: Checkpoint) -> str:
    return (
        f"{path} is not the published {checkpoint.file}, though as long (sha256 {found[:12]}... instead of "
        f"{str(checkpoint.sha256)[:12]}...); download it again from {checkpoint.url}, or if the weights are your own, "
        f"give the file another name and choose it (--sam FILE, or Use a file… in the window)."
    )


def _noted_hash(path: Path) -> str | None:
    """The sha256 of a file as it is now, if that is noted."""
    entry, facts = _entries().get(str(path.resolve())), path.stat()
    if not isinstance(entry, dict) or (entry.get("size"), entry.get("changed")) != (facts.st_size, facts.st_mtime_ns):
        return None
    found = entry.get("sha256")
    return found if isinstance(found, str) else None


def _note(path: Path, found: str) -> None:
    facts = path.stat()
    entry = {"size": facts.st_size, "changed": facts.st_mtime_ns, "sha256": found}
    entries = {**_entries(), str(path.resolve()): entry}
    try:
        write_atomically(record_path(), (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())
    except SaveError:
        return  # a cache folder that cannot be written costs reading the file again at the next start, no more


def _entries() -> dict[str, object]:
    """What is noted; a record that is not there or is damaged counts as empty, and is made anew."""
    try:
        entries = json.loads(record_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
