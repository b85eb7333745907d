"""Which files of weights were used here, by their hash: for those whose authors published none.

The first use of a file is taken on trust and written down; a file that is another one later is noticed. The record
is a JSON file in the user's configuration folder: path -> name, size, sha256.
"""

import json
from pathlib import Path

import platformdirs

from sam_annotator.core.errors import SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.weights.hashing import sha256


def record_path() -> Path:
    """Where the record is kept; the file may not exist."""
    return Path(platformdirs.user_config_dir("sam_annotator")) / "weights.json"


def record(path: Path) -> str:
    """Write down which file this is, in place of what was known of this path; returns its sha256.

    Raises:
        InputError: the file cannot be read.
        SaveError: the record cannot be written.
    """
    found = sha256(path)
    _write(path, found)
    return found


def recorded(path: Path) -> str | None:
    """The sha256 that the file at this path had when it was last recorded; None: it never was."""
    entry = _entries().get(_name_of(path))
    return entry.get("sha256") if isinstance(entry, dict) else None


def notice_change(path: Path) -> str | None:
    """Record a file at its first use; a sentence where it is not the one that was recorded, which it then is.

    A record that cannot be kept is said in a sentence, too: no reason not to work.

    Raises:
        InputError: the file cannot be read.
    """
    before, now = recorded(path), sha256(path)
    if before == now:
        return None
    try:
        _write(path, now)
    except SaveError as error:
        return f"Which weights were used could not be noted: {error}"
    if before is None:
        return None
    return (
        f"{path} is another file than the last time (sha256 {now[:12]}..., was {before[:12]}...): if you did not "
        "replace it, download it again."
    )


def _write(path: Path, found: str) -> None:
    entries = _entries()
    entries[_name_of(path)] = {"name": path.name, "size": path.stat().st_size, "sha256": found}
    write_atomically(record_path(), (json.dumps(entries, indent=1, sort_keys=True) + "\n").encode())


def _entries() -> dict[str, object]:
    """What is recorded; a record that is not there or is damaged counts as empty, and is made anew."""
    try:
        entries = json.loads(record_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _name_of(path: Path) -> str:
    return str(path.expanduser().resolve())
