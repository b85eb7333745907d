"""Keeps Python's search for garbage from holding up clicks: the one place that tunes it.

A full search looks at all that was ever imported: with labelme, Qt and torch more than 50 ms in which no click is
answered. None of that is garbage before the program ends, so it is set aside. What is set aside is freed as ever
with the last reference to it; only cycles among it are not found any more. Segmenters are therefore in none.
"""

import gc
import sys

_set_aside: set[str] = set()  # names of modules


def set_aside() -> None:
    """What is there now is left out of searches from now on; for when the window is up."""
    _set_aside.update(sys.modules)
    gc.freeze()


def set_aside_imports() -> None:
    """As `set_aside`, where it was done before and modules were imported since. Any thread."""
    if gc.get_freeze_count() and not _set_aside.issuperset(sys.modules):
        set_aside()
