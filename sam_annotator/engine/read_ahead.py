"""Images read from disk by a thread, a few before they are needed."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import ImageError
from sam_annotator.core.images import read_image

FRAMES_AHEAD = 3
"""Images that are read or waiting at any time; this bounds the memory of a run."""

Image = NDArray[np.uint8]


def read_ahead(paths: Iterable[Path]) -> Generator[Image | ImageError, None, None]:
    """The images in this order: uint8 (height, width, 3) RGB, or the error for one that cannot be read.

    The thread that reads has ended when the generator has, also when it is closed early.
    """
    to_read = iter(paths)
    waiting: deque[Future[Image | ImageError]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        try:
            while True:
                for path in islice(to_read, FRAMES_AHEAD - len(waiting)):
                    waiting.append(reader.submit(_read, path))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for image in waiting:
                image.cancel()


def _read(path: Path) -> Image | ImageError:
    try:
        return read_image(path)
    except ImageError as error:
        return error
