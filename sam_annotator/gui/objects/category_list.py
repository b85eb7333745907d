"""The categories that are offered: those of a file, or those that the settings remember."""

from collections.abc import Sequence
from pathlib import Path

from PyQt5 import QtCore

from sam_annotator.core.categories import read_categories
from sam_annotator.core.category_files import ListedName, check_names, save_names

_KEY = "categories"


class CategoryList:
    """The list of categories, and where it is kept.

    Attributes:
        names: in the order of the list.
        path: the file it belongs to; None: the settings keep it, and every new category is added to it.
    """

    def __init__(self, memory: QtCore.QSettings, names: Sequence[str] = (), path: Path | None = None) -> None:
        self._memory = memory
        self.path = path
        self.names = tuple(names) if names or path is not None else tuple(memory.value(_KEY, []) or [])

    def is_foreign(self, name: str) -> bool:
        """True for a category that the list's file does not name."""
        return self.path is not None and name not in self.names

    def add(self, name: str) -> None:
        """A category was used: the settings' list grows by it, a file's does not."""
        if self.path is None and name not in self.names:
            self.names = (*self.names, name)
            self._memory.setValue(_KEY, list(self.names))

    def save(self, names: Sequence[ListedName], path: Path | None) -> None:
        """Put another list in the place of this one; with a path, it is that file's from now on.

        Raises:
            InputError, SaveError: nothing was changed.
        """
        if path is None:
            if names:
                check_names(names)
            self.names = tuple(item.name for item in names)
            self._memory.setValue(_KEY, list(self.names))
        else:
            save_names(path, names)
            self.names = tuple(category.name for category in read_categories(path))
        self.path = path
