"""The masks of each video on disk between reading and writing, so that memory holds one video, not a dataset.

A file is named by a digest of all that its content depends on: the annotations' bytes, the images' names, sizes and
times, how shapes are drawn. So it is also a cache: a conversion that was interrupted takes what is there.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import cv2
import orjson
import PIL

import sam_annotator
from sam_annotator.core.annotation import LABELME_VERSION
from sam_annotator.core.datasets.annotation_files import AnnotationFiles
from sam_annotator.core.datasets.records import DrawOptions, ReadVideo
from sam_annotator.core.datasets.youtube_vis.caches import use_cache
from sam_annotator.core.errors import SaveError
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.videos import Video

_FORMAT: Final = (
    f"sam_annotator {sam_annotator.__version__} youtube_vis 6 {LABELME_VERSION}",
    f"Pillow {PIL.__version__} OpenCV {cv2.__version__} pycocotools {metadata.version('pycocotools')}",
)
"""Has to change whenever the same input would give another file: who reads it, and who draws."""


@contextmanager
def spool_folder(cache: Path | None) -> Iterator[Path]:
    """The folder for the files: `cache`, which is made and stays, or a temporary one.

    Raises:
        SaveError: it cannot be made.
    """
    if cache is None:
        with tempfile.TemporaryDirectory(prefix="sam_annotator.") as folder:
            yield Path(folder)
        return
    try:
        use_cache(cache)
    except OSError as error:
        raise SaveError(f"{cache} cannot take the cache ({error.strerror})", Remedy.OTHER_CACHE) from error
    yield cache


def digest_of(video: Video, files: AnnotationFiles, folder: Path, draw: DrawOptions) -> str:
    """A name for all that the masks of a video depend on. `folder`: that of its annotations.

    Raises OSError if a file is not there.
    """
    digest = blake2b(digest_size=20)
    _add(digest, *_FORMAT, orjson.dumps(draw), video.name, video.folder, folder)
    for name, facts, content in files.look():
        _add(digest, name, *facts)
        if content is not None:
            _add(digest, content)
    return digest.hexdigest()


def _add(digest: "blake2b", *parts: object) -> None:
    for part in parts:
        data = part if isinstance(part, bytes) else os.fsencode(str(part))
        digest.update(b"%d:" % len(data))  # so that no two lists of parts give the same bytes
        digest.update(data)


def save(path: Path, read: ReadVideo, bodies: list[bytes]) -> None:
    """Write what was read of a video, and the lists of each object, one line each; whole or not at all.

    Raises:
        SaveError: it cannot be written.
    """
    content = b"".join(part + b"\n" for part in (_dumped(read), *bodies))
    try:
        handle, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(_checksum(content) + b"\n")
                stream.write(content)
            os.replace(temporary, path)  # not flushed to the disk: the checksum tells what a crash left
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise SaveError(
            f"The masks of a video could not be kept in {path.parent} ({error.strerror})", Remedy.OTHER_CACHE
        ) from error


def _dumped(read: ReadVideo) -> bytes:
    try:
        return orjson.dumps(read.to_document())
    except TypeError:  # a finding names a file below a folder whose name is not UTF-8; slower, but it takes all
        return json.dumps(read.to_document()).encode("ascii")


def _loaded(document: bytes) -> Any:
    try:
        return orjson.loads(document)
    except ValueError:
        return json.loads(document)


def load(path: Path, video: Video) -> ReadVideo | None:
    """What `save` wrote; None if there is no such file, or not all of it."""
    try:
        checksum, content = path.read_bytes().split(b"\n", 1)
        if checksum != _checksum(content):
            return None
        return ReadVideo.from_document(_loaded(content.split(b"\n", 1)[0]), video)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def bodies(path: Path) -> Iterator[bytes]:
    """The lists of each object, as they were given to `save`, one by one.

    Raises:
        SaveError: the file has gone.
    """
    try:
        with path.open("rb") as stream:
            stream.readline()
            stream.readline()
            for line in stream:
                yield line[:-1]
    except OSError as error:
        raise SaveError(f"{path} cannot be read any more ({error.strerror}); try again.") from error


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).hexdigest().encode()
