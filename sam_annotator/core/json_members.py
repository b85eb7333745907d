"""The members of a JSON object in a file, read one by one: of a dataset of gigabytes, memory holds one annotation.

msgspec looks over the mapped file, checks it, and tells where each member, or each entry of a list, stands, without
making an object of what is only passed by. Then each can be read alone.
"""

import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray

from sam_annotator.core.errors import InputError

BOM: Final = b"\xef\xbb\xbf"

_Shape = TypeVar("_Shape")
_Extent = tuple[int, int]
_WHITE: Final = b" \t\r\n"
_HEAD: Final = 4096


class NotJsonError(ValueError):
    """The file is not valid JSON; the text says why."""


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
            self._check()
            with self.path.open("rb") as stream:
                for start, end in extents:
                    stream.seek(start)
                    yield stream.read(end - start)
        except OSError as error:
            raise self._lost(error) from error

    def entries(self, extent: _Extent) -> list[_Extent]:
        """Where the entries of the list stand that stands there.

        Raises:
            InputError: as `read`.
        """
        try:
            self._check()
            content = _map(self.path)
        except OSError as error:
            raise self._lost(error) from error
        found = _decode(content[slice(*extent)], list[msgspec.Raw])
        origin = _address(content)
        return [_extent(raw, origin) for raw in found]

    def _check(self) -> None:
        if JsonFile.of(self.path) != self:
            raise InputError(f"{self.path} was changed while it was read; do it again.")

    def _lost(self, error: OSError) -> InputError:
        return InputError(
            f"{self.path} cannot be read any more ({error.strerror}); whoever does the work has to see it."
        )


@dataclass(frozen=True)
class JsonMembers:
    """The members of the object that is in a JSON file, and where each stands."""

    file: JsonFile
    _extents: Mapping[str, _Extent]
    _lists: frozenset[str]

    @classmethod
    def read(cls, path: Path) -> "JsonMembers | None":
        """Look over a file; None: what it holds is no object.

        Raises:
            OSError: it cannot be read.
            NotJsonError: it is no JSON.
        """
        file = JsonFile.of(path)
        if not file.stamp[0]:
            raise NotJsonError("it is empty, or a pipe; name a file")
        content = _map(path)
        start = len(BOM) if bytes(content[: len(BOM)]) == BOM else 0
        if not bytes(content[start : start + _HEAD]).lstrip(_WHITE).startswith(b"{"):
            _decode(content[start:], msgspec.Raw)
            return None
        found = _decode(content[start:], dict[str, msgspec.Raw])
        origin = _address(content)
        lists = frozenset(name for name, raw in found.items() if bytes(memoryview(raw)[:1]) == b"[")
        return cls(file, {name: _extent(raw, origin) for name, raw in found.items()}, lists)

    def __contains__(self, name: object) -> bool:
        return name in self._extents

    def is_list(self, name: str) -> bool:
        """True if the member is there, and a list."""
        return name in self._lists

    def value(self, name: str) -> Any:
        """A member as a whole; None where there is none.

        Raises:
            InputError, NotJsonError: the file was changed; it is beyond what JSON may be here.
        """
        extents = [self._extents[name]] if name in self else []
        return next((value for value, *_extent in self._values(extents)), None)

    def entries(self, name: str) -> Iterator[tuple[Any, int, int]]:
        """The entries of a list, one by one, each with its first byte in the file, and the one after its last.

        Raises:
            InputError, NotJsonError: as `value`.
        """
        return self._values(self.file.entries(self._extents[name]))

    def _values(self, extents: list[_Extent]) -> Iterator[tuple[Any, int, int]]:
        for (start, end), content in zip(extents, self.file.read(extents), strict=True):
            try:
                yield orjson.loads(content), start, end
            except orjson.JSONDecodeError as error:
                raise NotJsonError(f"{error}, counted from byte {start}") from error


def _map(path: Path) -> memoryview:
    """The bytes of a file that is not empty, without reading them."""
    with path.open("rb") as stream:
        return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))


def _decode(content: memoryview, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.DecodeError as error:
        raise NotJsonError(str(error)) from error
    except RecursionError as error:
        raise NotJsonError("its lists and objects are nested too deep") from error


def _extent(raw: msgspec.Raw, origin: int) -> _Extent:
    """The place of what msgspec found: it is a view of the bytes that were looked over."""
    start = _address(raw) - origin
    return start, start + len(memoryview(raw))


def _address(buffer: "memoryview | msgspec.Raw") -> int:
    return int(np.frombuffer(buffer, np.uint8).__array_interface__["data"][0])
