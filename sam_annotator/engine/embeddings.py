"""Where the embedding of a frame comes from: memory, a file, or the segmenter.

embeddings = Embeddings(segmenter, EmbeddingFiles(folder, segmenter.key))
segmenter.use(embeddings.find(path) or embeddings.make(path))
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sam_annotator.core.errors import SaveError
from sam_annotator.core.images import read_image
from sam_annotator.engine.embedding_files import EmbeddingFiles, digest_of
from sam_annotator.engine.segmenter import Embedding, Segmenter, never

logger = logging.getLogger(__name__)

MEMORY_BUDGET: Final = 2**30
"""Bytes of embeddings in memory: 256 frames of SAM, somewhat fewer of the embedded segmenter."""

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Known:
    """An embedding, and the image file as it was."""

    stamp: Stamp
    digest: str
    embedding: Embedding


class Embeddings:
    """The embeddings of image files by one segmenter. The engine thread owns it.

    A file that was changed is never answered with the embedding of what it was.

    Attributes:
        encoded: the files whose embeddings are in memory. Replaced as a whole: any thread may read it.
    """

    def __init__(
        self, segmenter: Segmenter, files: EmbeddingFiles | None = None, *, budget: int = MEMORY_BUDGET
    ) -> None:
        """
        Args:
            segmenter: what encodes.
            files: where embeddings are kept beyond this session; None: nowhere.
            budget: bytes of memory. One embedding is kept in any case.
        """
        self._can_write = True
        self._segmenter, self._files, self._budget = segmenter, files, budget
        self._known: dict[Path, _Known] = {}  # in the order of use
        self._view: tuple[Mapping[Path, int], int] = ({}, 0)
        self.encoded: frozenset[Path] = frozenset()

    def look_from(self, places: Mapping[Path, int], index: int) -> None:
        """The person is at a frame: where memory is short, what is farthest from there goes first. Any thread.

        Args:
            places: index of each frame of the video; other files are farther away than all of these.
            index: of the frame that is shown.
        """
        self._view = (places, index)

    def find(self, path: Path) -> Embedding | None:
        """The embedding of an image file if it can be had within milliseconds, else None."""
        known = self._known.pop(path, None)
        stamp = _stamp(path)
        if known is not None and stamp != known.stamp:  # perhaps only touched, or linked to
            known = replace(known, stamp=stamp) if stamp and _digest(path) == known.digest else None
        if known is None and stamp is not None:
            known = self._read(path, stamp)
        if known is not None:
            self._keep(path, known)
        else:
            self._publish()
        return None if known is None else known.embedding

    def make(self, path: Path, should_stop: Callable[[], bool] = never) -> Embedding:
        """The embedding of an image file, encoded now if it must be.

        Raises:
            EncodingStopped: `should_stop` said so.
            ImageError: the file cannot be read.
            EngineError: the segmenter failed.
        """
        found = self.find(path)
        if found is not None:
            return found
        before, digest = _stamp(path), _digest(path)
        embedding = self._segmenter.encode(read_image(path), should_stop)
        if before is not None and digest is not None and _stamp(path) == before:  # not replaced meanwhile
            self._keep(path, _Known(before, digest, embedding))
            self._write(digest, embedding)
        return embedding

    def _read(self, path: Path, stamp: Stamp) -> _Known | None:
        digest = None if self._files is None else _digest(path)
        found = None if self._files is None or digest is None else self._files.read(digest)
        return None if found is None or digest is None else _Known(stamp, digest, found)

    def _write(self, digest: str, embedding: Embedding) -> None:
        if self._files is None or not self._can_write:
            return
        try:
            self._files.write(digest, embedding)
        except SaveError as error:
            logger.warning("Embeddings are kept in memory only from now on: %s", error)
            self._can_write = False

    def _keep(self, path: Path, known: _Known) -> None:
        """Put one in, and let the farthest go until the budget is kept."""
        self._known.pop(path, None)
        self._known[path] = known
        total = sum(one.embedding.nbytes for one in self._known.values())
        for far in sorted(self._known, key=self._distance, reverse=True):
            if total <= self._budget:
                break
            if far != path or len(self._known) > 1:
                total -= self._known.pop(far).embedding.nbytes
        self._publish()

    def _distance(self, path: Path) -> float:
        places, index = self._view
        return abs(places[path] - index) if path in places else float("inf")

    def _publish(self) -> None:
        self.encoded = frozenset(self._known)


def _stamp(path: Path) -> Stamp | None:
    """What differs when a file was changed; None for one that is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino


def _digest(path: Path) -> str | None:
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return None
