"""A file over HTTP, piece by piece. A thread of its own waits for the network, so that nobody else has to."""

import queue
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sam_annotator import __version__

if TYPE_CHECKING:
    import requests

_PIECE = 64 * 1024
_WAITING = 64
"""Pieces that may wait to be taken: 4 MB, whatever the size of the file."""


class LostError(Exception):
    """The connection could not be made, or was lost; it may work the next time. The text is the reason."""


class RefusedError(Exception):
    """Trying again would give the same. The text is the reason."""


@dataclass(frozen=True)
class Head:
    """What a server says before the bytes.

    Attributes:
        status: of HTTP; 200: the whole file follows, 206: what is after `start`.
        reason: the status in words.
        start: offset of the first byte that follows.
        total: size of the whole file in bytes; None where the server does not say.
        tag: what names this version of the file (a strong ETag, else Last-Modified); empty: nothing does.
        is_page: a web page (or another text for people) follows, whatever was asked for.
    """

    status: int
    reason: str
    start: int
    total: int | None
    tag: str
    is_page: bool


@dataclass(frozen=True)
class Patience:
    """How long to wait, in seconds: for a connection, for the next bytes, and before each new attempt."""

    connect: float = 15.0
    read: float = 30.0
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0)


class HttpPieces:
    """One request. `take` never waits longer than it is told to; `close` does not wait at all."""

    def __init__(self, url: str, *, start: int, tag: str, patience: Patience) -> None:
        """
        Args:
            start: offset of the first byte that is wanted.
            tag: the version that the bytes before `start` are of; of another one, all is sent.
        """
        self._url, self._start, self._tag, self._patience = url, start, tag, patience
        self._queue: queue.Queue[Head | bytes | Exception | None] = queue.Queue(_WAITING)
        self._is_closed = False
        self._response: requests.Response | None = None
        # A daemon: where the network says nothing, the end of the program does not wait for it.
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)
        self._thread.start()

    def take(self, seconds: float) -> "Head | bytes | None":
        """What comes next: the head, then bytes, then b'' at the end. None: nothing came in that time.

        Raises:
            LostError, RefusedError: nothing more will come.
        """
        try:
            item = self._queue.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(item, Exception):
            raise item
        return b"" if item is None else item

    def close(self) -> None:
        """Nothing more is wanted."""
        self._is_closed = True
        raw = self._response.raw if self._response is not None else None
        if raw is not None and hasattr(raw, "shutdown"):  # urllib3 2.3: wakes the thread where it reads
            try:
                raw.shutdown()
            except (OSError, ValueError, AttributeError, RuntimeError):
                return  # it is at its end already

    def _run(self) -> None:
        try:
            self._request()
        except (LostError, RefusedError) as error:
            self._put(error)
        finally:
            self._put(None)

    def _request(self) -> None:
        import requests

        try:
            waits = (self._patience.connect, self._patience.read)
            with requests.get(self._url, headers=self._headers(), stream=True, timeout=waits) as response:
                self._response = response
                _refuse_unsafe(self._url, response.url)
                self._put(_read_head(response))
                for piece in response.iter_content(_PIECE):
                    if self._is_closed:
                        return
                    self._put(piece)
        except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema) as error:
            raise RefusedError("the address is not one") from error
        except (requests.RequestException, OSError, ValueError, AttributeError) as error:
            # a connection that is shut down while it is read raises the last two
            raise LostError(_describe(error, self._patience)) from error

    def _headers(self) -> dict[str, str]:
        headers = {"User-Agent": f"sam_annotator/{__version__}", "Accept-Encoding": "identity"}
        if self._start:
            headers["Range"] = f"bytes={self._start}-"
            if self._tag:
                headers["If-Range"] = self._tag
        return headers

    def _put(self, item: "Head | bytes | Exception | None") -> None:
        while not self._is_closed:
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return


def _read_head(response: "requests.Response") -> Head:
    headers = response.headers
    start, total = 0, _number(headers.get("Content-Length"))
    parts = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if parts:
        start, total = int(parts.group(1) or 0), _number(parts.group(2))
    tag = headers.get("ETag", "")
    if not tag or tag.startswith("W/"):  # a weak one does not promise the same bytes
        tag = headers.get("Last-Modified", "")
    kind = headers.get("Content-Type", "").lower()
    is_page = kind.startswith(("text/html", "application/xhtml", "application/json", "application/xml", "text/xml"))
    return Head(response.status_code, response.reason or "", start, total, tag, is_page)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None


def _refuse_unsafe(asked: str, came_from: str) -> None:
    if urlsplit(asked).scheme == "https" and urlsplit(came_from).scheme != "https":
        raise RefusedError(f"it leads to {came_from}, which is not encrypted")


def _describe(error: BaseException, patience: Patience) -> str:
    """Why, in a few words: what the libraries say is long and names their own classes."""
    import requests

    known: tuple[tuple[type[BaseException], str], ...] = (
        (requests.exceptions.ProxyError, "the proxy does not let it through"),
        (requests.exceptions.SSLError, "its certificate cannot be checked"),
        (requests.exceptions.ConnectTimeout, f"no answer in {patience.connect:g} s"),
        (requests.exceptions.ReadTimeout, f"nothing came for {patience.read:g} s"),
        (requests.exceptions.TooManyRedirects, "it leads in a circle"),
        (requests.exceptions.ChunkedEncodingError, "the connection was lost"),
    )
    for kind, words in known:
        if isinstance(error, kind):
            return words
    text = str(error)
    if any(words in text for words in ("NameResolution", "getaddrinfo", "Name or service", "name resolution")):
        return "its name is not known"
    if "timed out" in text:
        return f"nothing came for {patience.read:g} s"
    return "the connection was refused" if "refused" in text else "the connection was lost"
