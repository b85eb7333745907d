"""Where the members of a JSON object stand in its file, and the entries of its lists: found a piece at a time.

The file is read and never mapped, for a mapped file that somebody cuts short kills who looks at it. A piece ends where
an entry does: as a rule where the last of those begins that begin like the first, and if msgspec finds that this was
guessed wrong, all brackets are counted. What is passed by has been checked by msgspec, without making objects of it.
"""

import re
from collections.abc import Generator
from typing import BinaryIO, Final, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

BOM: Final = b"\xef\xbb\xbf"

_Shape = TypeVar("_Shape")
_PIECE: Final = 2**18
_WHITE: Final = b" \t\r\n"
_BLANK: Final = re.compile(rb"[ \t\r\n]*")
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*("|\\?\Z)|[\[\]{}]', re.DOTALL)
"""A string, whose group is no quote where it goes on beyond what is there; or a bracket."""
_STEPS: Final = {ord('"'): 0, ord("{"): 1, ord("["): 1, ord("}"): -1, ord("]"): -1}
"""By a token's first byte, how much deeper it leads."""
_SCALAR: Final = re.compile(rb"[^ \t\r\n,:\[\]{}]*")
_OPENING: Final = re.compile(rb'[\[{][ \t\r\n]*"[^"\\]{1,40}"[ \t\r\n]*:')
_BYTE: Final = re.compile(r" \(byte \d+\)")


class NotJsonError(ValueError):
    """The file is not valid JSON; the text says why."""


class Member(NamedTuple):
    """Where a value stands: its first byte, and the one after its last; of a list the same of its entries.

    Attributes:
        entries: int64 (n, 2); None: it is no list.
    """

    start: int
    end: int
    entries: NDArray[np.int64] | None = None


def look_over(stream: BinaryIO) -> Generator[int, None, dict[str, Member] | None]:
    """Go over a stream, from its beginning to its end. Yields how many bytes it is done with.

    Returns:
        The members of the object by name; None: it is valid, but no object.

    Raises:
        OSError: it cannot be read.
        NotJsonError: it is no JSON.
    """
    window = _Window(stream)
    found = None
    if window.begins_object():
        found = yield from _members(window)
    else:
        yield from _value(window)
    if window.next_mark():
        raise window.error("something follows its end")
    return found


class _Window:
    """The piece of a stream that is looked at: `content`, from `start` in the stream; `at` goes ahead in it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.content = b""
        self.start = self.at = 0
        self.is_last = False

    @property
    def position(self) -> int:
        return self.start + self.at

    @property
    def waiting(self) -> int:
        return len(self.content) - self.at

    def read_on(self) -> None:
        """Drop what is passed, and read as much again as waits, or a piece. Raises NotJsonError at the end."""
        if self.is_last:
            raise self.error("it is cut off")
        rest = self.content[self.at :]
        more = self._stream.read(max(_PIECE, len(rest)))
        self.is_last = not more
        self.start, self.at, self.content = self.position, 0, rest + more

    def begins_object(self) -> bool:
        while self.waiting < len(BOM) and not self.is_last:
            self.read_on()
        self.at = len(BOM) if self.content.startswith(BOM) else 0
        return self.next_mark() == b"{"

    def next_mark(self) -> bytes:
        """The next byte that is not blank, which is not passed; empty at the end."""
        while True:
            self.at = _end(_BLANK, self.content, self.at)
            if self.waiting or self.is_last:
                return self.content[self.at : self.at + 1]
            self.read_on()

    def take_mark(self, *allowed: bytes) -> bytes:
        """Pass the next byte that is not blank. Raises NotJsonError if it is another than those."""
        mark = self.next_mark()
        if mark not in allowed:
            raise self.error(f"{' or '.join(map(bytes.decode, allowed))} is missing")
        self.at += 1
        return mark

    def error(self, reason: str) -> NotJsonError:
        return NotJsonError(f"{reason}, at byte {self.position}")

    def decode(self, content: bytes, shape: type[_Shape]) -> _Shape:
        """What stands at `at`. Raises NotJsonError."""
        try:
            return msgspec.json.decode(content, type=shape)
        except msgspec.DecodeError as error:
            raise NotJsonError(f"{_BYTE.sub('', str(error))}, after byte {self.position}") from error
        except RecursionError as error:
            raise self.error("its lists and objects are nested too deep") from error


def _members(window: _Window) -> Generator[int, None, dict[str, Member]]:
    """The members of the object that begins there."""
    found: dict[str, Member] = {}
    window.take_mark(b"{")
    mark = b","
    if window.next_mark() == b"}":
        mark = window.take_mark(b"}")
    while mark == b",":
        if window.next_mark() != b'"':
            raise window.error("a name in quotes is missing")
        name = window.decode((yield from _whole(window)), str)
        window.take_mark(b":")
        found[name] = yield from _value(window)
        mark = window.take_mark(b",", b"}")
    return found


def _value(window: _Window) -> Generator[int, None, Member]:
    """What stands next; it is passed."""
    is_list = window.next_mark() == b"["
    start = window.position
    if is_list:
        entries = yield from _entries(window)
        return Member(start, window.position, entries)
    yield from _whole(window)
    return Member(start, window.position)


def _whole(window: _Window) -> Generator[int, None, bytes]:
    """The value that stands next and is no list, as it stands; it is passed."""
    while (end := _end_of_value(window)) is None:
        window.read_on()
        yield window.position
    content = window.content[window.at : end]
    window.decode(content, msgspec.Raw)
    window.at = end
    return content


def _end_of_value(window: _Window) -> int | None:
    """None: it is not all there."""
    if window.content[window.at : window.at + 1] not in (b"{", b"[", b'"'):
        end = _end(_SCALAR, window.content, window.at)
        return end if end < len(window.content) or window.is_last else None
    depth = 0
    for token in _TOKEN.finditer(window.content, window.at):
        if token[1] not in (None, b'"'):
            return None
        depth += _STEPS[window.content[token.start()]]
        if depth <= 0:
            return token.end()
    return None


def _entries(window: _Window) -> Generator[int, None, NDArray[np.int64]]:
    """Where the entries of the list stand that begins there; it is passed."""
    window.take_mark(b"[")
    found: list[NDArray[np.int64]] = []
    mark = b","
    if window.next_mark() == b"]":
        mark = window.take_mark(b"]")
    else:
        opening = _OPENING.match(window.content, window.at)
    while mark == b",":
        if window.waiting < _PIECE and not window.is_last:
            window.read_on()
        batch = None if opening is None else _guessed(window, opening[0])
        batch = _counted(window) if batch is None else batch
        if batch is None:
            window.read_on()
        else:
            found.append(batch)
            window.at = int(batch[-1, 1]) - window.start
            mark = window.take_mark(b",", b"]")
        yield window.position
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)


def _guessed(window: _Window, opening: bytes) -> NDArray[np.int64] | None:
    """The entries up to the last that begins like the first; None if that is none."""
    end = window.content.rfind(opening, window.at + 1)
    before = window.content[window.at : max(end, 0)].rstrip(_WHITE)
    if not before.endswith(b","):
        return None
    try:
        return _extents(window, before[:-1])
    except NotJsonError:
        return None


def _counted(window: _Window) -> NDArray[np.int64] | None:
    """The entries up to the end of the list, else up to the last that is sure to be whole; None if none is."""
    depth, last, end, limit = 0, window.at, window.at, len(window.content)
    for token in _TOKEN.finditer(window.content, window.at):
        if token[1] not in (None, b'"'):
            limit = token.start()
            break
        depth += _STEPS[window.content[token.start()]]
        if depth < 0:
            return _extents(window, window.content[window.at : token.start()])
        last = token.end()
        if depth == 0 and token[1] is None:
            end = last
    if depth == 0:
        end = max(end, window.content.rfind(b",", last, limit))
    return _extents(window, window.content[window.at : end]) if end > window.at else None


def _extents(window: _Window, content: bytes) -> NDArray[np.int64]:
    """int64 (n, 2): where the entries stand of that part of a list, which begins at `at`. Raises NotJsonError."""
    framed = b"[%b]" % content
    found = window.decode(framed, list[msgspec.Raw])
    if not found:
        raise window.error("an entry is missing")
    views = [np.frombuffer(raw, np.uint8) for raw in found]  # of the bytes that were looked over
    first = [view.__array_interface__["data"][0] for view in views]
    places = np.array(first, np.int64) - np.frombuffer(framed, np.uint8).__array_interface__["data"][0]
    places += window.position - 1
    return np.stack([places, places + [view.size for view in views]], axis=1)


def _end(pattern: re.Pattern[bytes], content: bytes, at: int) -> int:
    match = pattern.match(content, at)
    return at if match is None else match.end()
