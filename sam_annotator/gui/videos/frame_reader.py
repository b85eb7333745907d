"""Reading the image of a frame, the next one already while this one is looked at. No Qt."""

import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.images import read_image

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Ahead:
    """An image that is being read: of which file, as that was then."""

    path: Path
    state: tuple[int, int]
    image: "Future[Image]"


class FrameReader:
    """Reads images, at most one of them ahead, in a thread that begins with the first that is expected."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._ahead: _Ahead | None = None

    def read(self, path: Path) -> Image:
        """The image, as core's `read_image` reads it.

        Raises:
            ImageError: it cannot be read.
        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead.path == path and ahead.state == _state(path):
            return ahead.image.result()
        return read_image(path)

    def expect(self, path: Path) -> None:
        """This is likely to be asked for next; what was expected before is given up."""
        if self._ahead is not None:
            self._ahead.image.cancel()
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="frame-reader")
        self._ahead = _Ahead(path, _state(path), self._thread.submit(read_image, path))

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = self._ahead = None


def _state(path: Path) -> tuple[int, int]:
    """What differs when a file is another than before; (0, 0) for one that is not there."""
    try:
        facts = os.stat(path)
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_size)
