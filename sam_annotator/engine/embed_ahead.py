"""Encoding the frames of whole videos into files, hours before anybody clicks on them."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import ImageError
from sam_annotator.core.images import read_image
from sam_annotator.engine.embedding_files import EmbeddingFiles, digest_of, packed_size
from sam_annotator.engine.segmenter import Segmenter

_FRAMES_AHEAD: Final = 3  # images that are read or waiting at any time


@dataclass(frozen=True)
class FrameEmbedded:
    """What became of one frame.

    Attributes:
        path: its image.
        is_new: False: its embedding was there already.
        problem: why there is none, a sentence; empty: there is one.
    """

    path: Path
    is_new: bool = True
    problem: str = ""


@dataclass(frozen=True, eq=False)
class _Read:
    """An image that is still to be encoded, or why it is not."""

    path: Path
    digest: str = ""
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    problem: str = ""


def bytes_of_a_frame(segmenter: Segmenter, files: EmbeddingFiles) -> int:
    """Bytes of a file: of one that is there, or found by encoding a small black image. Raises EngineError."""
    return files.size_of_one() or packed_size(segmenter.encode(np.zeros((64, 64, 3), np.uint8)))


def embed_frames(
    paths: Iterable[Path], segmenter: Segmenter, files: EmbeddingFiles
) -> Generator[FrameEmbedded, None, None]:
    """See that each image's embedding is in a file; those that are there are left as they are, damaged ones replaced.

    Yields what became of each image, in their order; what was yielded is kept when the generator is closed.

    Raises:
        EngineError: the segmenter failed.
        SaveError: the folder cannot be written.
    """
    to_read = iter(paths)
    waiting: deque[Future[_Read]] = deque()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as reader:
        try:
            while True:
                waiting.extend(
                    reader.submit(_read, path, files) for path in islice(to_read, _FRAMES_AHEAD - len(waiting))
                )
                if not waiting:
                    return
                yield _embed(waiting.popleft().result(), segmenter, files)
        finally:
            for image in waiting:
                image.cancel()


def _embed(read: _Read, segmenter: Segmenter, files: EmbeddingFiles) -> FrameEmbedded:
    if read.image is None:
        return FrameEmbedded(read.path, is_new=False, problem=read.problem)
    if files.write(read.digest, segmenter.encode(read.image)):
        return FrameEmbedded(read.path)
    return FrameEmbedded(read.path, problem=f"There was no room for {read.path} in {files.folder}.")


def _read(path: Path, files: EmbeddingFiles) -> _Read:
    try:
        digest = digest_of(path.read_bytes())
        if files.read(digest) is not None:
            return _Read(path, digest)
        image = read_image(path)
        if digest_of(path.read_bytes()) != digest:
            return _Read(path, problem=f"{path} was changed while it was read; run this again.")
        return _Read(path, digest, image)
    except OSError as error:
        return _Read(path, problem=f"{path} cannot be read ({error.strerror or error}).")
    except ImageError as error:
        return _Read(path, problem=str(error))
