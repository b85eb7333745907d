"""Unpacking a video file once into numbered JPEG frames beside it."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2

from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.unpacked import Marker, fingerprint, is_free, read_marker, write_marker
from sam_annotator.core.videos import Video

JPEG_QUALITY: Final = 95

# FFmpeg and OpenCV would print their own complaints about a broken file beside our one sentence.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


@dataclass(frozen=True)
class UnpackProgress:
    """How far unpacking has come.

    Attributes:
        done: frames that lie in the folder.
        total: frames that the video file claims to have; None where it does not say. Some files claim wrongly.
    """

    done: int
    total: int | None


def unpack(video: Video) -> Iterator[UnpackProgress]:
    """Write the frames of a video file as `00000.jpg`, `00001.jpg`, ... into the folder of the video.

    The number is the exact index of the frame. A generator: it works as it is asked, and may be closed at any point;
    what is there is kept, and the next call goes on from it. Frames that are there are never written again, nor is
    anything in a folder that was not made here. Nothing happens for a video that needs no unpacking.

    Yields:
        After each frame, in order.

    Raises:
        InputError: the file is not a video, cannot be read, or the folder belongs to somebody else.
        SaveError: the frames cannot be written; those that were are kept.
    """
    if video.source is None or not video.needs_unpacking:
        return
    with _opened(video.source) as capture:
        if not capture.grab():
            raise InputError(_not_a_video(video.source))
        marker = _claim(video, video.source, capture)
        index = 0
        while index == 0 or capture.grab():
            _write_frame(video, index, capture)
            index += 1
            yield UnpackProgress(index, _at_least(index, marker.expected_frames))
    with _saving(video):
        write_marker(video.folder, replace(marker, frames=index, complete=True))
    video.refresh()


def read_fps(video: Video) -> float | None:
    """Frames a second of the video file that the frames were unpacked from; None where nobody knows."""
    marker = read_marker(video.folder)
    return None if marker is None else marker.fps


def frame_name(index: int) -> str:
    """File name of an unpacked frame."""
    return f"{index:05d}.jpg"


@contextmanager
def _opened(source: Path) -> Iterator[cv2.VideoCapture]:
    try:
        source.open("rb").close()
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror}).") from error
    # FFmpeg alone: OpenCV's other readers take names with digits for numbered images.
    capture = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(_not_a_video(source))
        yield capture
    finally:
        capture.release()


def _not_a_video(source: Path) -> str:
    return f"{source} is not a video that can be decoded: it is damaged, cut off, or of another format."


def _claim(video: Video, source: Path, capture: cv2.VideoCapture) -> Marker:
    """The marker of our folder, which is made if need be."""
    marker = read_marker(video.folder)
    if marker is not None and marker.belongs_to(source):
        return marker
    if not is_free(video.folder):
        raise InputError(
            f"{video.folder} holds other files, so {source.name} was not unpacked into it. "
            "Open the folder of videos again: another name will be found."
        )
    facts = source.stat()
    marker = Marker(
        source=source.name,
        size=facts.st_size,
        mtime_ns=facts.st_mtime_ns,
        fingerprint=fingerprint(source),
        fps=_positive(capture.get(cv2.CAP_PROP_FPS)),
        expected_frames=int(_positive(capture.get(cv2.CAP_PROP_FRAME_COUNT)) or 0) or None,
    )
    with _saving(video):
        write_marker(video.folder, marker)
    return marker


def _write_frame(video: Video, index: int, capture: cv2.VideoCapture) -> None:
    """Convert and write the frame that was grabbed, unless it is there. (Seeking past it would not be exact.)"""
    path = video.folder / frame_name(index)
    if path.exists():
        return
    found, image = capture.retrieve()
    if not found:
        raise InputError(f"Frame {index} of {video.source} cannot be decoded.")
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with _saving(video):
        write_atomically(path, data.tobytes())


@contextmanager
def _saving(video: Video) -> Iterator[None]:
    try:
        yield
    except SaveError as error:
        reason = getattr(error.__cause__, "strerror", None) or "the folder cannot be written"
        raise SaveError(
            f"The frames of {video.source} cannot be saved in {video.folder} ({reason}); those that are there "
            "are kept. Free some space, or copy the video file to a folder that can be written and open that."
        ) from error


def _at_least(done: int, expected: int | None) -> int | None:
    return None if expected is None else max(done, expected)


def _positive(number: float) -> float | None:
    """What OpenCV says, unless it is its way to say that it does not know (0, negative, not a number)."""
    return number if math.isfinite(number) and number > 0 else None
