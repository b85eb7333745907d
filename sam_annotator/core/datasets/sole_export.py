"""One export at a time into one place: they would take each other's halves of files, and caches, for left ones."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.locks import alone


@contextmanager
def sole_export(output: Path) -> Iterator[None]:
    """While in this block, nothing else of this user on this machine exports to `output`.

    Nothing is written there: it may be that there is nothing to export.

    Raises:
        InputError: somebody does so already.
    """
    with ExitStack() as stack:
        try:
            mine = stack.enter_context(alone(_lock_of(output)))
        except SaveError:  # no folder for temporary files: then nobody is kept apart
            mine = True
        if not mine:
            raise InputError(
                f"Another export to {output} is at work; wait until it has ended, or choose another output."
            )
        yield


def _lock_of(output: Path) -> Path:
    user = os.getuid() if hasattr(os, "getuid") else ""  # one user's file is not another's to open
    name = hashlib.sha256(os.fsencode(os.path.realpath(output))).hexdigest()[:32]
    return Path(tempfile.gettempdir()) / f"sam_annotator-export-{user}-{name}.lock"
