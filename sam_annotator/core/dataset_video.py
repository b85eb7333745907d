"""One video on its way into a dataset: its annotations read frame by frame, objects as run-length masks at the end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.annotation import FrameAnnotation, Shape
from sam_annotator.core.categories import normal_label
from sam_annotator.core.dataset_images import FrameImage, examine_image
from sam_annotator.core.errors import AnnotationError, ImageError
from sam_annotator.core.masks import AREA_TYPES, bounding_box, encode_rle, object_mask
from sam_annotator.core.store import AnnotationStore, check_size
from sam_annotator.core.videos import Video

_LISTED: Final = 3


@dataclass(frozen=True, slots=True)
class MaskRecord:
    """One object's mask in one frame.

    Attributes:
        rle: COCO's compressed encoding, {'size': [height, width], 'counts': text}.
        box: (x, y, width, height) in pixels, the outermost pixels included.
        area: number of pixels, at least 1.
    """

    rle: Mapping[str, Any]
    box: tuple[int, int, int, int]
    area: int


def record_mask(mask: NDArray[np.bool_]) -> MaskRecord | None:
    """What a dataset says of a mask, bool (height, width); None if it is empty."""
    box = bounding_box(mask)
    if box is None:
        return None
    left, top, right, bottom = box
    area = int(np.count_nonzero(mask[top:bottom, left:right]))
    return MaskRecord(encode_rle(mask), (left, top, right - left, bottom - top), area)


@dataclass
class Findings:
    """What came up while reading; one for a whole conversion.

    Attributes:
        problems: sentences; with one of them, nothing is written.
        ignored_shapes: shapes that cover no pixels, counted by type.
        empty_masks: objects in a frame whose shapes cover no pixel of it.
        empty_objects: objects that are left out because they cover no pixel in any frame, named.
    """

    problems: list[str] = field(default_factory=list)
    ignored_shapes: Counter[str] = field(default_factory=Counter)
    empty_masks: int = 0
    empty_objects: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ObjectRecord:
    """One object through one video; `masks` has an entry for each frame, None where the object is absent."""

    object_id: int
    label: str
    masks: tuple[MaskRecord | None, ...]

    def to_document(self, number: int, video: "VideoRecord", category_id: int) -> dict[str, Any]:
        """The annotation as YouTube-VIS writes it: three lists of one length, null in all three where absent."""
        return {
            "id": number,
            "video_id": video.number,
            "category_id": category_id,
            "iscrowd": 0,
            "width": video.width,
            "height": video.height,
            "length": len(video.images),
            "segmentations": [None if mask is None else mask.rle for mask in self.masks],
            "bboxes": [None if mask is None else mask.box for mask in self.masks],
            "areas": [None if mask is None else mask.area for mask in self.masks],
        }


@dataclass(frozen=True)
class VideoRecord:
    """One video of the dataset; `number` is its id, `name` its folder, `images` its frames in order."""

    number: int
    name: str
    width: int
    height: int
    images: tuple[FrameImage, ...]
    objects: tuple[ObjectRecord, ...]

    def file_names(self) -> list[str]:
        """Where the frames lie below the image root: VIDEO/FRAME.jpg."""
        return [f"{self.name}/{image.path.stem}.jpg" for image in self.images]

    def to_document(self) -> dict[str, Any]:
        """The video as YouTube-VIS writes it."""
        return {
            "id": self.number,
            "width": self.width,
            "height": self.height,
            "length": len(self.images),
            "file_names": self.file_names(),
        }


@dataclass
class _OpenObject:
    masks: dict[int, MaskRecord] = field(default_factory=dict)
    frames_by_label: dict[str, list[str]] = field(default_factory=dict)


class VideoReader:
    """Reads the frames of one video in order, `read_frame(0)` first; `record` is the result.

    What is wrong is not raised but noted in `findings`, so that one run tells all there is to mend.
    """

    def __init__(self, video: Video, name: str, store: AnnotationStore, findings: Findings) -> None:
        self._video = video
        self._name = name
        self._store = store
        self._findings = findings
        self._annotated = store.annotated_frames(video)
        self._images: list[FrameImage] = []
        self._objects: dict[int, _OpenObject] = {}

    def read_frame(self, index: int) -> FrameImage | None:
        """Read one frame's image and annotation. None: the image cannot be used."""
        image = self._examine(index)
        if index in self._annotated:
            self._read_annotation(index, image)
        return image

    def record(self, number: int) -> VideoRecord:
        """The video as it was read; valid only if no problem was found."""
        width, height = self._images[0].size if self._images else (0, 0)
        objects = [self._close(object_id) for object_id in sorted(self._objects)]
        kept = tuple(record for record in objects if record is not None)
        return VideoRecord(number, self._name, width, height, tuple(self._images), kept)

    def _examine(self, index: int) -> FrameImage | None:
        path = self._video.frame_paths[index]
        try:
            image = examine_image(path)
        except ImageError as error:
            self._findings.problems.append(str(error))
            return None
        self._images.append(image)
        first = self._images[0]
        if image.size != first.size:
            self._findings.problems.append(
                f"{path} is {image.width} x {image.height} pixels, but {first.path.name} of the same video is "
                f"{first.width} x {first.height}; a video has one size. Scale them to one, or split the video."
            )
        return image

    def _read_annotation(self, index: int, image: FrameImage | None) -> None:
        path = self._store.path(self._video, index)
        try:
            annotation = self._store.read(self._video, index)
            if annotation is None:  # taken away since the folder was listed
                return
            if image is not None:
                check_size(annotation, image.width, image.height, path)
        except AnnotationError as error:
            self._findings.problems.append(str(error))
            return
        shapes_by_id = self._shapes_by_id(index, annotation)
        if image is not None:
            for object_id, shapes in shapes_by_id.items():
                self._add_mask(index, object_id, shapes, image)

    def _shapes_by_id(self, index: int, annotation: FrameAnnotation) -> Mapping[int, list[Shape]]:
        covering = [shape for shape in annotation.shapes if shape.shape_type in AREA_TYPES]
        self._findings.ignored_shapes.update(s.shape_type for s in annotation.shapes if s.shape_type not in AREA_TYPES)
        self._note_unusable(index, covering)
        shapes_by_id: dict[int, list[Shape]] = {}
        for shape in covering:
            if shape.object_id is not None:
                shapes_by_id.setdefault(shape.object_id, []).append(shape)
                self._note_label(index, shape.object_id, normal_label(shape.label))
        return shapes_by_id

    def _note_unusable(self, index: int, shapes: Sequence[Shape]) -> None:
        path = self._store.path(self._video, index)
        nameless = [shape for shape in shapes if not normal_label(shape.label)]
        if nameless:
            self._findings.problems.append(
                f"{path} has {_count(len(nameless), 'shape')} with an empty label; open the video in the window and "
                "name the object."
            )
        unowned = sorted({shape.label for shape in shapes if shape.object_id is None})
        if unowned:
            self._findings.problems.append(
                f"{path} has shapes without an object id (group_id), labelled {_some(unowned)}; open the video in the "
                "window and give each object its id there, the same in every frame."
            )

    def _note_label(self, index: int, object_id: int, label: str) -> None:
        frames = self._objects.setdefault(object_id, _OpenObject()).frames_by_label.setdefault(label, [])
        stem = self._video.frame_paths[index].stem
        if not frames or frames[-1] != stem:
            frames.append(stem)

    def _add_mask(self, index: int, object_id: int, shapes: Sequence[Shape], image: FrameImage) -> None:
        record = record_mask(object_mask(shapes, image.height, image.width))
        if record is None:
            self._findings.empty_masks += 1
        else:
            self._objects[object_id].masks[index] = record

    def _close(self, object_id: int) -> ObjectRecord | None:
        found = self._objects[object_id]
        label, *others = found.frames_by_label
        if others:
            self._findings.problems.append(self._describe_conflict(object_id, found))
        if not found.masks:
            self._findings.empty_objects.append(f"object {object_id} ({label}) of {self._video.name}")
            return None
        length = len(self._video.frame_paths)
        return ObjectRecord(object_id, label, tuple(found.masks.get(index) for index in range(length)))

    def _describe_conflict(self, object_id: int, found: _OpenObject) -> str:
        labels = " and ".join(f"{label!r} in {_frames(stems)}" for label, stems in found.frames_by_label.items())
        return (
            f"Object {object_id} of video {self._video.name} is labelled {labels}. An object has one category: relabel "
            "it, or give the other object an id of its own, in the window."
        )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:_LISTED]))
    return listed if len(names) <= _LISTED else f"{listed} and {len(names) - _LISTED} more"


def _frames(stems: Sequence[str]) -> str:
    listed = ", ".join(stems[:_LISTED])
    more = len(stems) - _LISTED
    return f"{'frame' if len(stems) == 1 else 'frames'} {listed}" + (f" and {more} more" if more > 0 else "")
