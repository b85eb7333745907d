"""The members of a JSON object in a file, read one by one: of a dataset of gigabytes, memory holds one annotation.

One look over the bytes finds the brackets that are not in strings; NumPy does that at some hundred megabytes a second,
without making a Python object of what is only passed by. Then each member, and each entry of a list, can be read alone.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from sam_annotator.core.errors import InputError

_Numbers = NDArray[np.int64]

_CHUNK: Final = 2**22
_QUOTE, _ESCAPE, _OPEN, _CLOSE = 1, 2, 3, 4
_WHITE: Final = b" \t\r\n"
BOM: Final = b"\xef\xbb\xbf"


def _kinds() -> NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    for characters, kind in ((b'"', _QUOTE), (b"\\", _ESCAPE), (b"[{", _OPEN), (b"]}", _CLOSE)):
        kinds[list(characters)] = kind
    return kinds


_KINDS: Final = _kinds()


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

    def read(self, extents: Iterable[tuple[int, int]] | _Numbers) -> Iterator[bytes]:
        """What stands from the first byte of each extent up to the second.

        Raises:
            InputError: the file cannot be read any more, or was changed since.
        """
        try:
            if JsonFile.of(self.path) != self:
                raise InputError(f"{self.path} was changed while it was read; do it again.")
            with self.path.open("rb") as stream:
                for start, end in extents:
                    stream.seek(start)
                    yield stream.read(end - start)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be read any more ({error.strerror}); whoever does the work has to see it."
            ) from error


@dataclass(frozen=True)
class _Container:
    """A list or an object among the members.

    Attributes:
        start, end: its first byte, and the one after its last.
        is_list: False: an object.
        inner: int64 (n, 2): the extents of lists and objects in it.
    """

    start: int
    end: int
    is_list: bool
    inner: _Numbers


@dataclass(frozen=True)
class JsonMembers:
    """The members of the object that is in a JSON file."""

    file: JsonFile
    _scalars: Mapping[str, Any] = field(default_factory=dict)
    _containers: Mapping[str, _Container] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "JsonMembers | None":
        """As `reading`, at once."""
        steps = cls.reading(path)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: JsonMembers | None = end.value
                return found

    @classmethod
    def reading(cls, path: Path) -> Generator[int, None, "JsonMembers | None"]:
        """Look over a file; None: what it holds is no object. Yields how many bytes were looked at.

        What stands within members is looked at closely only once they are read.

        Raises:
            OSError: it cannot be read.
            NotJsonError: it is no JSON.
        """
        file = JsonFile.of(path)
        scan = _Scan()
        with path.open("rb") as stream:
            if not _begins_with_brace(stream):
                stream.seek(0)
                _loads(stream.read().removeprefix(BOM), 0)
                return None
            stream.seek(0)
            while chunk := stream.read(_CHUNK):
                scan.feed(chunk)
                yield scan.offset
            return cls(file, *_assemble(stream, *scan.brackets()))

    def __contains__(self, name: object) -> bool:
        return name in self._scalars or name in self._containers

    def is_list(self, name: str) -> bool:
        """True if the member is there, and a list."""
        return name in self._containers and self._containers[name].is_list

    def value(self, name: str) -> Any:
        """A member as a whole; None where there is none.

        Raises:
            InputError, NotJsonError: the file was changed; it is no JSON.
        """
        found = self._containers.get(name)
        if found is None:
            return self._scalars.get(name)
        (content,) = self.file.read([(found.start, found.end)])
        return _loads(content, found.start)

    def entries(self, name: str) -> Iterator[tuple[Any, int, int]]:
        """The entries of a list, one by one, each with its extent (its first byte, and the one after its last).

        Numbers, texts and the like have no extent of their own: theirs is (0, 0).

        Raises:
            InputError, NotJsonError: as `value`.
        """
        found = self._containers[name]
        bounds = np.concatenate([[found.start + 1], found.inner.ravel(), [found.end - 1]])
        last = len(bounds) - 2
        for number, content in enumerate(self.file.read(pairwise(bounds))):
            start, end = int(bounds[number]), int(bounds[number + 1])
            if number % 2:
                yield _loads(content, start), start, end
            else:  # between two of them
                yield from ((value, 0, 0) for value in _between(content, number == 0, number == last, start))


class _Scan:
    """Finds the brackets of the three outermost levels; fed with a file, a piece at a time."""

    def __init__(self) -> None:
        self.offset = 0
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self._places: list[_Numbers] = []
        self._depths: list[_Numbers] = []

    def feed(self, chunk: bytes) -> None:
        kinds = _KINDS[np.frombuffer(chunk, np.uint8)]
        places = kinds.nonzero()[0]
        found = kinds[places]
        quotes = (found == _QUOTE) & ~self._escaped(places, found, len(chunk))
        before = np.cumsum(quotes) - quotes + self._in_string
        outside = (found >= _OPEN) & (before & 1 == 0)
        self._in_string = bool((np.count_nonzero(quotes) + self._in_string) & 1)
        places, opens = places[outside], found[outside] == _OPEN
        depths = self._depth + np.cumsum(np.where(opens, 1, -1))
        if len(depths):
            self._depth = int(depths[-1])
            if depths.min() < 0:
                raise NotJsonError(f"a bracket closes what none opened, before byte {self.offset + len(chunk)}")
        level = np.where(opens, depths, depths + 1)  # of what the bracket opens or closes
        shallow = level <= 3
        self._places.append(places[shallow] + self.offset)
        self._depths.append(np.where(opens, level, -level)[shallow])
        self.offset += len(chunk)

    def _escaped(self, places: _Numbers, found: NDArray[np.uint8], length: int) -> NDArray[np.bool_]:
        """Which of the characters follow an odd number of backslashes."""
        slashes = places[found == _ESCAPE]
        escaped = np.zeros(len(places), np.bool_)
        if self._is_escaped and len(places) and places[0] == 0:
            escaped[0] = True
            slashes = slashes[slashes > 0]
        self._is_escaped = False
        if not len(slashes):
            return escaped
        first = np.flatnonzero(np.diff(slashes, prepend=-2) > 1)
        lengths = np.diff(first, append=len(slashes))
        after = slashes[first] + lengths
        after = after[lengths % 2 == 1]
        self._is_escaped = bool(len(after) and after[-1] == length)
        at = np.searchsorted(places, after)
        at = at[(at < len(places)) & (places[np.minimum(at, len(places) - 1)] == after)]
        escaped[at] = True
        return escaped

    def brackets(self) -> tuple[_Numbers, _Numbers]:
        """Where the brackets are; and the level of what each opens, from 1, or, negative, of what it closes.

        Raises:
            NotJsonError: they do not close what they open.
        """
        if self._depth or self._in_string:
            raise NotJsonError(
                f"it ends at byte {self.offset} amid {'a text' if self._in_string else 'a list or object'}"
            )
        return np.concatenate(self._places), np.concatenate(self._depths)


def _begins_with_brace(stream: BinaryIO) -> bool:
    start = stream.read(4096).removeprefix(BOM).lstrip(_WHITE)
    while not start and (more := stream.read(4096)):
        start = more.lstrip(_WHITE)
    return start[:1] == b"{"


def _assemble(stream: BinaryIO, places: _Numbers, levels: _Numbers) -> tuple[dict[str, Any], dict[str, _Container]]:
    """The members that are no lists or objects; and where those that are lie."""

    def text(start: int, end: int) -> bytes:
        stream.seek(start)
        return stream.read(end - start)

    if levels.min() < -3 or np.count_nonzero(levels == 1) != 1 or levels[-1] != -1:
        raise NotJsonError("its brackets do not close what they open")
    root, end = int(places[0]), int(places[-1])
    scalars: dict[str, Any] = {}
    containers: dict[str, _Container] = {}
    last = root
    for first, final in zip(np.flatnonzero(levels == 2), np.flatnonzero(levels == -2), strict=True):
        start, stop = int(places[first]), int(places[final])
        inner = places[first + 1 : final].reshape(-1, 2) + np.array([0, 1])
        kind = text(start, start + 1) + text(stop, stop + 1)
        container = _Container(start, stop + 1, kind == b"[]", inner)
        if kind not in (b"[]", b"{}"):
            raise NotJsonError(f"what begins at byte {start} is closed by another bracket, at byte {stop}")
        for key, value in _keys(text(last + 1, start) + b"[]", last == root, last + 1):
            scalars.pop(key, None)
            containers.pop(key, None)
            if value == []:
                containers[key] = container
            else:
                scalars[key] = value
        last = stop
    for key, value in _keys(text(last + 1, end), last == root, last + 1):
        containers.pop(key, None)
        scalars[key] = value
    if text(end, end + 1) != b"}" or text(end + 1, end + 4096).strip(_WHITE):
        raise NotJsonError(f"there is more behind its end, at byte {end + 1}")
    return scalars, containers


def _keys(content: bytes, is_first: bool, start: int) -> Iterable[tuple[str, Any]]:
    """Members as they stand between two others; an empty list is the one of those that comes next."""
    found: dict[str, Any] = _loads(b"{" + _behind_comma(content, is_first, start) + b"}", start)
    return found.items()


def _between(content: bytes, is_first: bool, is_last: bool, start: int) -> list[Any]:
    """Entries as they stand between two others: as a rule none, a comma alone."""
    bare = content.strip(_WHITE)
    if bare == (b"" if is_first or is_last else b","):
        return []
    if not is_last:
        if not bare.endswith(b","):
            raise NotJsonError(f"a comma is missing before byte {start + len(content)}")
        bare = bare[:-1].rstrip(_WHITE)
        if is_first and not bare:
            raise NotJsonError(f"a comma is one too many at byte {start}")
    return list(_loads(b"[" + _behind_comma(bare, is_first, start) + b"]", start))


def _behind_comma(content: bytes, is_first: bool, start: int) -> bytes:
    bare = content.strip(_WHITE)
    if is_first or not bare:
        return bare
    if bare[:1] != b"," or not bare[1:].strip(_WHITE):
        raise NotJsonError(f"a comma is missing or one too many at byte {start}")
    return bare[1:]


def _loads(content: bytes, start: int) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        where = f", counted from byte {start}" if start else ""
        raise NotJsonError(f"{error}{where}") from error
