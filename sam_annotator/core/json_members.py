"""The members of a JSON object in a file, read one by one: of a dataset of gigabytes, memory holds one annotation.

First the file is looked over, which tells where each member, or each entry of a list, stands. Then each is read alone.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from sam_annotator.core.errors import InputError
from sam_annotator.core.json_look import BOM, Member, NotJsonError, look_over
from sam_annotator.core.steps import finished

__all__ = ["BOM", "JsonFile", "JsonMembers", "NotJsonError"]

_Extent = tuple[int, int]


@dataclass(frozen=True)
class JsonFile:
    """A file as it was when it was looked at.

    Attributes:
        path: where it is.
        stamp: its size in bytes and the time of its last change, in ns.
    """

    path: Path
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> "JsonFile":
        """Raises OSError if there is no such file."""
        facts = path.stat()
        return cls(path, (facts.st_size, facts.st_mtime_ns))

    def read(self, extents: Iterable[_Extent] | NDArray[np.int64]) -> Iterator[bytes]:
        """What stands from the first byte of each extent up to the second.

        Raises:
            InputError: the file cannot be read any more, or was changed since.
        """
        try:
            self.check()
            with self.path.open("rb") as stream:
                for start, end in extents:
                    stream.seek(start)
                    content = stream.read(end - start)
                    if len(content) < end - start:
                        raise self.changed()
                    yield content
            self.check()
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read any more ({error.strerror}); whoever does the work has to see it."
            ) from error

    def check(self) -> None:
        """Make sure that it is what it was.

        Raises:
            OSError: it cannot be found.
            InputError: it was changed.
        """
        if JsonFile.of(self.path) != self:
            raise self.changed()

    def changed(self) -> InputError:
        """What to tell people of a file that does not say any more what it said."""
        return InputError(f"{self.path} was changed while it was read; do it again.")


@dataclass(frozen=True)
class JsonMembers:
    """The members of the object that is in a JSON file, and where each stands."""

    file: JsonFile
    _members: Mapping[str, Member]

    @classmethod
    def read(cls, path: Path) -> "JsonMembers | None":
        """As `reading`, at once."""
        return finished(cls.reading(path))

    @classmethod
    def reading(cls, path: Path) -> "Generator[int, None, JsonMembers | None]":
        """Look over a file; None: what it holds is no object. Yields how many bytes it is done with.

        Raises:
            OSError: it cannot be read.
            NotJsonError: it is no JSON.
            InputError: it was changed meanwhile.
        """
        file = JsonFile.of(path)
        if not file.stamp[0]:
            raise NotJsonError("it is empty, or a pipe; name a file")
        try:
            with path.open("rb") as stream:
                found = yield from look_over(stream)
        except NotJsonError:
            file.check()
            raise
        file.check()
        return None if found is None else cls(file, found)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def is_list(self, name: str) -> bool:
        """True if the member is there, and a list."""
        return name in self and self._members[name].entries is not None

    def value(self, name: str) -> Any:
        """A member as a whole; None where there is none.

        Raises:
            InputError, NotJsonError: the file was changed; it is beyond what JSON may be here.
        """
        extents = np.array([self._members[name][:2]] if name in self else [], np.int64).reshape(-1, 2)
        return next((value for value, *_extent in self._values(extents)), None)

    def entries(self, name: str) -> Iterator[tuple[Any, int, int]]:
        """The entries of a list, one by one, each with its first byte in the file, and the one after its last.

        Raises:
            InputError, NotJsonError: as `value`.
        """
        extents = self._members[name].entries
        return iter(()) if extents is None else self._values(extents)

    def _values(self, extents: NDArray[np.int64]) -> Iterator[tuple[Any, int, int]]:
        for (start, end), content in zip(extents.tolist(), self.file.read(extents), strict=True):
            try:
                yield orjson.loads(content), start, end
            except orjson.JSONDecodeError as error:
                self.file.check()
                raise NotJsonError(f"{error}, counted from byte {start}") from error
