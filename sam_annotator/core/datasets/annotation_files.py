"""The annotation files of one video as they are read into a dataset: looked at once, and the same when they are drawn.

What is drawn is kept under a name made of all that was looked at. So a file that somebody changes between the look and
the drawing has to be noticed: else new masks would stand under the name of the old ones.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from sam_annotator.core.files import regular_bytes
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_KEPT: Final = 32 * 2**20
"""So many bytes of annotations are kept between the look and the reading."""


class AnnotationFiles:
    """The annotation files of a video, and the facts of its frames.

    Attributes:
        annotated: frames that have a file, as it was in the beginning.
        has_changed: something that was read is not as it was when it was looked at.
    """

    def __init__(self, video: Video, store: AnnotationStore) -> None:
        self.annotated = store.annotated_frames(video)
        self.has_changed = False
        self._video = video
        self._store = store
        self._kept: dict[int, bytes] = {}
        self._digests: dict[int, bytes] = {}
        self._facts: list[tuple[int, int]] = []

    def look(self) -> Iterator[tuple[str, tuple[int, int], bytes | None]]:
        """For each frame: its name, (bytes, time of change in ns) of the image, and the content of its annotation.

        As many contents as memory allows are kept. Raises OSError if a file is not there.
        """
        room = _KEPT
        for index, frame in enumerate(self._video.frame_paths):
            facts = frame.stat()
            self._facts.append((facts.st_size, facts.st_mtime_ns))
            content = None
            if index in self.annotated:
                content = regular_bytes(self._store.path(self._video, index))
                room -= len(content)
                if room > 0:
                    self._kept[index] = content
                else:
                    self._digests[index] = _digest(content)
            yield frame.name, self._facts[-1], content

    def take(self, index: int) -> bytes | None:
        """What the annotation of a frame says; given once. None: the file cannot be read (any more)."""
        kept = self._kept.pop(index, None)
        if kept is not None:
            return kept
        try:
            content = regular_bytes(self._store.path(self._video, index))
        except OSError:
            content = None
        if index in self._digests and (content is None or _digest(content) != self._digests[index]):
            self.has_changed = True
        return content

    def check_images(self) -> None:
        """See whether the images are still those that were looked at."""
        try:
            facts = [os.stat(frame) for frame in self._video.frame_paths]
        except OSError:
            self.has_changed = True
            return
        if self._facts != [(one.st_size, one.st_mtime_ns) for one in facts]:
            self.has_changed = True


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=20).digest()
