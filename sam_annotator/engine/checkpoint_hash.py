"""See that a published checkpoint is the very file its authors published; once for each file, not at each start.

What was found right is noted in the user's cache folder: path -> size, time of change, sha256. Only a file that has
changed since is read again.
"""

import json
from pathlib import Path

import platformdirs

from sam_annotator.core.errors import EngineError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.weights.manifest import Checkpoint
from sam_annotator.core.weights.record import sha256


def record_path() -> Path:
    """Where it is noted; the file may not exist."""
    return Path(platformdirs.user_cache_dir("sam_annotator")) / "verified.json"


def check_hash(path: Path, checkpoint: Checkpoint) -> None:
    """Compare a file with the hash that its authors published, if they did.

    Raises:
        InputError: the file cannot be read.
        EngineError: it is another one; says what to do.
    """
    if checkpoint.sha256 is None:
        return
    facts = path.stat()
    entry = {"size": facts.st_size, "changed": facts.st_mtime_ns, "sha256": checkpoint.sha256}
    entries, name = _entries(), str(path.resolve())
    if entries.get(name) == entry:
        return
    found = sha256(path)
    if found != checkpoint.sha256:
        raise EngineError(
            f"{path} is not the published {checkpoint.file}, though as long (sha256 {found[:12]}... instead of "
            f"{checkpoint.sha256[:12]}...); download it again from {checkpoint.url}, or if the weights are your own, "
            f"give the file another name and choose it with --sam FILE."
        )
    try:
        write_atomically(
            record_path(), (json.dumps({**entries, name: entry}, indent=1, sort_keys=True) + "\n").encode()
        )
    except SaveError:
        return  # a cache folder that cannot be written costs reading the file again at the next start, no more


def _entries() -> dict[str, object]:
    """What is noted; a record that is not there or is damaged counts as empty, and is made anew."""
    try:
        entries = json.loads(record_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}
