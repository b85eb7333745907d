"""What is open: the folder, the video, the frame, and what its file said when it was read. No Qt."""

import os
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.annotation import FrameAnnotation
from sam_annotator.core.errors import AnnotationError, ImageError, InputError
from sam_annotator.core.store import AnnotationStore, check_size
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.gui.videos.frame_reader import FrameReader

_ANY = range(1, sys.maxsize)
DRAWABLE: Final[Mapping[str, Container[int]]] = {
    **dict.fromkeys(("polygon", "linestrip", "line", "point", "points"), _ANY),
    **dict.fromkeys(("rectangle", "circle"), (1, 2)),
    "oriented_rectangle": (1, 2, 4),
    "mask": (2,),
}
"""labelme's shape types, and the numbers of points that it can draw them with."""


@dataclass(frozen=True, eq=False)
class LoadedFrame:
    """One frame as it was read.

    Attributes:
        image: uint8 (height, width, 3), RGB; None where it cannot be read.
        annotation: what the file says; None: there is none, or it cannot be read.
        problem: why the frame cannot be annotated, a sentence; empty: it can.
    """

    path: Path
    image: NDArray[np.uint8] | None
    annotation: FrameAnnotation | None
    problem: str = ""


class Session:
    """The state of the window's work. The window shows it; it knows nothing of the window.

    Attributes:
        videos: of the folder that is open.
        row: which of them is open; None: none.
        index: the frame that is shown.
        frame: that frame as it was read.
        base: what the frame's file says, as far as the window knows: saving is relative to it.
        tracks: the objects of the video; None until its annotations were read.
        saved_frames: indices of the frames that were saved since that reading began.
    """

    def __init__(self, store: AnnotationStore) -> None:
        self.store = store
        self.videos: Sequence[Video] = ()
        self.row: int | None = None
        self.index = 0
        self.frame: LoadedFrame | None = None
        self.base: FrameAnnotation | None = None
        self.tracks: VideoTracks | None = None
        self._images = FrameReader()
        self.saved_frames: set[int] = set()

    @property
    def video(self) -> Video | None:
        return None if self.row is None else self.videos[self.row]

    @property
    def root(self) -> Path | None:
        """The folder that holds all videos that are open; None: there are none."""
        folders = [str(video.folder) for video in self.videos]
        return Path(os.path.commonpath(folders)) if folders else None

    @property
    def total(self) -> int:
        """Frames of the video; 0 where they cannot be listed."""
        try:
            return 0 if self.video is None else len(self.video.frame_paths)
        except InputError:
            return 0

    @property
    def can_annotate(self) -> bool:
        """True if the frame was read, and so was its file."""
        return self.frame is not None and not self.frame.problem

    def close_video(self) -> None:
        self.row, self.index, self.frame, self.base, self.tracks = None, 0, None, None, None

    def close(self) -> None:
        """Nothing more will be read."""
        self._images.close()

    def load_frame(self, index: int) -> LoadedFrame:
        """Read a frame and make it the current one. Never raises for what is wrong with its files."""
        assert self.video is not None
        following = 2 * index - self.index if self.frame is not None else index + 1
        self.index = index
        self.frame = self._read(self.video, index)
        self.base = self.frame.annotation
        if following != index and 0 <= following < self.total:
            self._images.expect(self.video.frame_paths[following])  # whoever steps is likely to step on
        return self.frame

    def reload_annotation(self) -> FrameAnnotation | None:
        """Read the current frame's file again, after somebody else wrote it.

        Raises:
            AnnotationError: it cannot be read any more.
        """
        assert self.video is not None
        annotation = self.store.read(self.video, self.index)
        if annotation is not None:
            _check_shapes(annotation, self.store.path(self.video, self.index))
        self.base = annotation
        return annotation

    def save(self, mine: FrameAnnotation, is_as_found: bool = False) -> FrameAnnotation:
        """Save the current frame; returns what its file says now, which may be more than `mine`.

        Args:
            is_as_found: all that the person did since the frame was shown is undone: where there was no file then,
                there is none again, unless somebody else has something to say there (`base` is None then).

        Raises:
            SaveError, AnnotationError: nothing was changed.
        """
        assert self.video is not None
        assert self.frame is not None
        self.base = self.store.save(self.video, self.index, mine, self.base)
        if is_as_found and self.frame.annotation is None:
            self.base = self.store.take_back(self.video, self.index, None, ())
        self.saved_frames.add(self.index)
        if self.tracks is not None:
            self.tracks.set_frame(self.index, self.base)
        return self.base or mine

    def starting_point(self) -> FrameAnnotation:
        """The current frame's annotation, or an empty one."""
        assert self.video is not None
        assert self.frame is not None
        assert self.frame.image is not None
        height, width = self.frame.image.shape[:2]
        return self.base or self.store.blank(self.video, self.index, width, height)

    def _read(self, video: Video, index: int) -> LoadedFrame:
        path = video.frame_paths[index]
        try:
            image = self._images.read(path)
        except ImageError as error:
            return LoadedFrame(path, None, None, str(error))
        try:
            annotation = self.store.read(video, index)
            if annotation is not None:
                check_size(annotation, image.shape[1], image.shape[0], self.store.path(video, index))
                _check_shapes(annotation, self.store.path(video, index))
        except AnnotationError as error:
            return LoadedFrame(path, image, None, str(error))
        return LoadedFrame(path, image, annotation)


def _check_shapes(annotation: FrameAnnotation, path: Path) -> None:
    """AnnotationError for a shape that cannot be on the canvas: what is not there would be missing in the next save."""
    for number, shape in enumerate(annotation.shapes):
        if len(shape.points) not in DRAWABLE.get(shape.shape_type, ()):
            raise AnnotationError(
                f"{path} holds a shape that labelme cannot show (shape {number}, a {shape.shape_type} of "
                f"{len(shape.points)} points). Nothing was changed; make it a polygon, or move the file away to "
                "annotate this frame anew."
            )
