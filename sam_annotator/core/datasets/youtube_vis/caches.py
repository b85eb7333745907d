"""Where the masks of a dataset are kept until it is written, if nobody names a folder."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import platformdirs

KEPT_DAYS: Final = 30
"""What a run that failed or was killed has left is kept so long, for the next one to go on with."""


def own_cache(output: Path, annotations: Iterable[Path]) -> Path:
    """One folder for each dataset and its trees of annotations, the same for window and command line.

    So a check leaves its masks to the export after it, and an interrupted one finds what it has done. Whoever writes
    the dataset removes it.
    """
    dataset = "\0".join(map(os.path.realpath, [output, *annotations]))  # which no path has in it
    name = hashlib.sha256(os.fsencode(dataset)).hexdigest()[:16]
    return _root() / name


def use_cache(cache: Path) -> None:
    """Make the folder `cache`. If it is one of ours, those that nobody has used for `KEPT_DAYS` days are dropped.

    Raises:
        OSError: it cannot be made.
    """
    cache.mkdir(parents=True, exist_ok=True)
    if cache.parent != _root():
        return
    with suppress(OSError):  # somebody else may be at it, too
        os.utime(cache)  # what is found there changes nothing in it
        oldest = time.time() - KEPT_DAYS * 24 * 3600
        for folder in cache.parent.iterdir():
            if folder.is_dir() and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return platformdirs.user_cache_path("sam_annotator") / "convert"
