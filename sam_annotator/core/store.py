"""Where annotations live, and the rules of who may overwrite what.

Beside the frames as `<frame>.json`, like labelme; or below an output folder as `<video>/<frame>.json`,
so that videos with equal frame names do not land on each other.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from sam_annotator.core.annotation import FrameAnnotation, Shape, read_annotation, write_annotation
from sam_annotator.core.errors import AnnotationError, InputError, SaveError
from sam_annotator.core.locks import in_turn
from sam_annotator.core.videos import Video


class AnnotationStore:
    """Reads and writes the annotations of videos. May be used from several threads, and by several processes.

    The window and a propagation write to the same files. Each goes through here, and a lock makes
    reading, changing and writing a file one step, for other processes too.

    Attributes:
        output: the folder that takes the annotations, or None: they lie beside the frames.
    """

    def __init__(self, output: Path | None = None) -> None:
        """
        Raises:
            InputError: `output` is a file.
        """
        if output is not None and output.exists() and not output.is_dir():
            raise InputError(f"{output} is a file; name a folder for the annotations.")
        self.output = None if output is None else Path(os.path.abspath(output))
        self._lock = threading.RLock()
        self._depth = 0  # of blocks of `alone` in each other
        # Where a file that is open can be replaced, a reader sees the old or the new one and need not wait for
        # the disk; Windows refuses to replace a file while somebody reads it.
        self._reading: AbstractContextManager[object] = self._lock if os.name == "nt" else nullcontext()

    @contextmanager
    def alone(self, video: Video) -> Iterator[None]:
        """Nobody else writes annotations of this video, in this process or another. For moments."""
        with self._lock, nullcontext() if self._depth else in_turn(video.folder):
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1

    def path(self, video: Video, index: int) -> Path:
        """The JSON file of a frame, whether it is there or not."""
        return self.folder(video) / _json_name(video.frame_paths[index])

    def folder(self, video: Video) -> Path:
        """The folder that takes the JSON files of a video."""
        return video.folder if self.output is None else self.output.joinpath(*video.name.split("/"))

    def read(self, video: Video, index: int) -> FrameAnnotation | None:
        """What the file of a frame says; None if there is no file.

        Raises:
            AnnotationError: the file cannot be read, or is no annotation.
        """
        path = self.path(video, index)
        try:
            with self._reading:
                return read_annotation(path)
        except AnnotationError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    def blank(self, video: Video, index: int, width: int, height: int) -> FrameAnnotation:
        """An annotation without shapes for a frame of this size in pixels. Nothing is written."""
        image_path = relative_path(video.frame_paths[index], self.folder(video))
        return FrameAnnotation(image_path=image_path, width=width, height=height)

    def save(self, video: Video, index: int, mine: FrameAnnotation, base: FrameAnnotation | None) -> FrameAnnotation:
        """Write what a person made of a frame, keeping what a propagation wrote to other objects meanwhile.

        Object by object: where the person changed something since `base`, the person's version stands;
        elsewhere what is in the file now. An annotation without shapes is written too: it says 'looked
        at, nothing here'. A file that is as it should be is not touched.

        Args:
            mine: the frame as the person wants it.
            base: the frame as it was loaded or last saved; None if there was no file.

        Returns:
            what the file says now: show this, and pass it as `base` the next time, or what was added by
            others would look deleted by the person.

        Raises:
            AnnotationError: the file became unreadable; it is left as it is.
            SaveError: it could not be written; what stood there is unchanged.
        """
        with self.alone(video):
            theirs = self.read(video, index)
            merged = mine if theirs is None else merge(mine=mine, base=base, theirs=theirs)
            if merged != theirs:
                write_annotation(self.path(video, index), merged)
            return merged

    def update(
        self,
        video: Video,
        index: int,
        change: Callable[[FrameAnnotation], FrameAnnotation],
        width: int,
        height: int,
    ) -> FrameAnnotation:
        """Read a frame, change it and write it, in one step that no other thread or process can come between.

        Args:
            change: gets what the file says, or a blank annotation, and returns what it shall say. If it
                returns an equal annotation, nothing is written.
            width, height: of the frame in pixels.

        Returns:
            what the file says now; the blank annotation if there is still no file.

        Raises:
            AnnotationError: the file is unreadable, or made for an image of another size.
            SaveError: it could not be written; what stood there is unchanged.
        """
        with self.alone(video):
            current = self.read(video, index)
            if current is None:
                current = self.blank(video, index, width, height)
            check_size(current, width, height, self.path(video, index))
            changed = change(current)
            if changed != current:
                changed = replace(changed, width=width, height=height)
                write_annotation(self.path(video, index), changed)
            return changed

    def take_back(
        self,
        video: Video,
        index: int,
        before: FrameAnnotation | None,
        object_ids: Iterable[int],
        dropped: Iterable[int] = (),
    ) -> FrameAnnotation | None:
        """Undo what a propagation wrote to a frame, in one step; what a person did there since stays.

        Args:
            before: what the file said when the propagation came; None: there was none.
            object_ids: the objects that it answered for.
            dropped: objects whose earlier answers it took out of the frame.

        Returns:
            what the file says now; None: there is none (any more).

        Raises:
            AnnotationError, SaveError: nothing was changed.
        """
        with self.alone(video):
            current = self.read(video, index)
            if current is None:
                return None
            restored = without_propagation(current, before, object_ids, dropped)
            if before is None and restored == self.blank(video, index, restored.width, restored.height):
                self.remove(video, index)
                return None
            if restored != current:
                write_annotation(self.path(video, index), restored)
            return restored

    def remove(self, video: Video, index: int) -> None:
        """Delete the file of a frame, if there is one.

        Raises:
            SaveError: it could not be deleted.
        """
        path = self.path(video, index)
        try:
            with self.alone(video):
                path.unlink(missing_ok=True)
        except OSError as error:
            raise SaveError(f"{path} could not be deleted ({error.strerror}); check its permissions.") from error

    def sweep(self, video: Video) -> None:
        """Remove what a process that was killed while it wrote left behind: halves of files, under names of ours."""
        with self.alone(video), suppress(OSError):
            for left in self.folder(video).glob(".*.json.*.part"):
                left.unlink(missing_ok=True)

    def annotated_frames(self, video: Video) -> frozenset[int]:
        """Indices of the frames that have a file; costs one directory listing.

        Raises:
            InputError: the folder cannot be listed.
        """
        folder = self.folder(video)
        try:
            with os.scandir(folder) as entries:
                present = {entry.name for entry in entries if entry.name.endswith(".json")}
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except OSError as error:
            raise InputError(f"{folder} cannot be listed ({error.strerror}); check its permissions.") from error
        if not present:
            return frozenset()
        return frozenset(index for index, frame in enumerate(video.frame_paths) if _json_name(frame) in present)


def merge(*, mine: FrameAnnotation, base: FrameAnnotation | None, theirs: FrameAnnotation) -> FrameAnnotation:
    """What two sides made of one frame, joined: `mine` and what `theirs` changed of objects that mine did not.

    Who says anew that an object is not here, says it also of what a propagation has just put there; but not of what
    somebody else has made or approved there meanwhile. Shapes without an object id count as one object. Everything
    but shapes and the ids at the top is mine.
    """
    if theirs == base:
        return mine
    merged = mine
    said_absent = mine.absent_ids - (frozenset[int]() if base is None else base.absent_ids)
    for object_id in dict.fromkeys(shape.object_id for shape in (*mine.shapes, *theirs.shapes)):
        before = () if base is None else base.shapes_of(object_id)
        shapes = theirs.shapes_of(object_id)
        if object_id in said_absent and not any(shape.is_protected for shape in shapes):
            continue
        if mine.shapes_of(object_id) == before != shapes:
            merged = merged.with_object(object_id, shapes)
    base = base or FrameAnnotation(mine.image_path, mine.width, mine.height)
    return replace(
        merged,
        propagated_ids=_merged_ids(mine.propagated_ids, base.propagated_ids, theirs.propagated_ids),
        absent_ids=_merged_ids(mine.absent_ids, base.absent_ids, theirs.absent_ids),
    )


def _merged_ids(mine: frozenset[int], base: frozenset[int], theirs: frozenset[int]) -> frozenset[int]:
    return (mine | theirs - base) - (base - theirs)


def set_propagated(annotation: FrameAnnotation, object_id: int, shapes: Iterable[Shape]) -> FrameAnnotation:
    """The frame with a propagation's answer for one object; no shapes: 'not here'.

    A protected object stays as it is, also one of which a person says that it is not here; and so does the whole
    annotation.
    """
    if annotation.is_key_frame_of(object_id):
        return annotation
    answered = annotation.propagated_ids | {object_id}
    return replace(annotation.with_object(object_id, shapes), propagated_ids=answered)


def without_propagation(
    current: FrameAnnotation, before: FrameAnnotation | None, object_ids: Iterable[int], dropped: Iterable[int] = ()
) -> FrameAnnotation:
    """The frame with these objects as they were before a propagation.

    Left alone are those that a person protected since, and those that they took out of the frame, answer and all
    (unless the propagation did so, `dropped`). Where they said that it is not there, only the answer goes.
    """
    gone = frozenset(dropped)
    answered = frozenset[int]() if before is None else before.propagated_ids
    for object_id in sorted(gone.union(object_ids) & (current.propagated_ids | gone)):
        if object_id not in current.absent_ids:
            if current.is_key_frame_of(object_id):
                continue
            current = current.with_object(object_id, () if before is None else before.shapes_of(object_id))
        current = replace(current, propagated_ids=current.propagated_ids - {object_id} | answered & {object_id})
    return current if before is None else _in_order_of(before, current)


def _in_order_of(before: FrameAnnotation, current: FrameAnnotation) -> FrameAnnotation:
    """The frame in the drawing order of before, where it shows the same shapes: one that was away came last."""
    same = len(current.shapes) == len(before.shapes) and all(shape in current.shapes for shape in before.shapes)
    return replace(current, shapes=before.shapes) if same else current


def check_size(annotation: FrameAnnotation, width: int, height: int, path: Path) -> None:
    """Make sure that an annotation belongs to an image of this size. One that states no size always does.

    Raises:
        AnnotationError: it was made for an image of another size; the sentence names `path`.
    """
    for stated, actual in ((annotation.width, width), (annotation.height, height)):
        if stated not in (0, actual):
            raise AnnotationError(
                f"{path} was made for an image of {annotation.width} x {annotation.height} pixels, but the frame has "
                f"{width} x {height}. Nothing was changed; put back the image it was made for, or move the file away "
                "to annotate this frame anew."
            )


def _json_name(frame: Path) -> str:
    """As labelme names it. A video never has two frames that differ only in the suffix."""
    return f"{frame.stem}.json"


def relative_path(image: Path, folder: Path) -> str:
    """The path from `folder` to an image, with forward slashes; absolute where there is none between them."""
    if image.parent == folder:
        return image.name
    try:
        # '..' leads out of where a linked folder really is, not out of where the link stands
        return Path(os.path.relpath(image, os.path.realpath(folder))).as_posix()
    except ValueError:  # different drives of Windows
        return Path(os.path.abspath(image)).as_posix()
