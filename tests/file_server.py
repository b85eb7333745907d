"""A real HTTP server for files, which behaves as well or as badly as a test asks for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FileServer:
    """What is served, and how.

    Attributes:
        content: the file.
        drops: how many bytes each of the next answers sends before the connection is lost.
        holds_after: how many bytes are sent before the server waits for `go_on`; None: it does not wait.
        has_ranges: False: answers every request with the whole file.
        status, kind: of the answer.
        tag: ETag; empty: none is sent.
        has_length: False: sent in chunks, the length is not said.
        asked: headers of the requests so far.
    """

    content: bytes
    drops: list[int] = field(default_factory=list)
    holds_after: int | None = None
    has_ranges: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    tag: str = '"1"'
    has_length: bool = True
    range_shift: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def ranges(self) -> list[str | None]:
        """The ranges that were asked for."""
        return [headers.get("Range") for headers in self.asked]


@contextmanager
def serve(content: bytes, **behaviour: Any) -> Iterator[FileServer]:
    """A server at `url` as long as the block lasts; `url`/anything is the file."""
    files = FileServer(content, **behaviour)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"files": files}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    files.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield files
    finally:
        files.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    files: FileServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files = self.files
        files.asked.append(dict(self.headers))
        files.paths.append(self.path)
        self.close_connection = True
        start = self._start()
        if start >= len(files.content) and start:
            self._head(416, 0, {"Content-Range": f"bytes */{len(files.content)}"})
            return
        body = files.content[start:]
        self._head(files.status if not start else 206, len(body), self._range(start))
        self._send(body)

    def _start(self) -> int:
        wanted, only_if = self.headers.get("Range"), self.headers.get("If-Range")
        if wanted is None or not self.files.has_ranges or only_if not in (None, self.files.tag):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def _range(self, start: int) -> dict[str, str]:
        total = len(self.files.content)
        return {"Content-Range": f"bytes {start + self.files.range_shift}-{total - 1}/{total}"} if start else {}

    def _head(self, status: int, length: int, more: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.files.kind)
        if self.files.has_length:
            self.send_header("Content-Length", str(length))
        if self.files.tag:
            self.send_header("ETag", self.files.tag)
        for name, value in {**more, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, body: bytes) -> None:
        files = self.files
        if files.drops:
            body = body[: files.drops.pop(0)]
        try:
            if files.holds_after is not None:
                self.wfile.write(body[: files.holds_after])
                self.wfile.flush()
                files.go_on.wait(60)
                body = body[files.holds_after :]
            self.wfile.write(body)
        except OSError:
            return  # the client has gone

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""
