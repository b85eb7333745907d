"""One video on its way into a dataset: its annotations read frame by frame, objects as run-length masks at the end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Final

import orjson

from sam_annotator.core.annotation import FrameAnnotation, Shape, decode_annotation
from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.annotation_files import AnnotationFiles
from sam_annotator.core.datasets.convert_report import Finding, Kind
from sam_annotator.core.datasets.images import FrameImage, examine_image
from sam_annotator.core.datasets.records import (
    ANNOTATION_ID,
    LISTED,
    VIDEO_ID,
    Box,
    DrawOptions,
    LabelUse,
    ReadObject,
    ReadVideo,
    TrackMasks,
    is_id,
    only_id,
)
from sam_annotator.core.errors import AnnotationError, ImageError
from sam_annotator.core.raster import AREA_TYPES, covers_nothing, large_holes, object_patch
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.run_lengths import EncodedMask
from sam_annotator.core.store import AnnotationStore, check_size
from sam_annotator.core.videos import Video

_FAR: Final = 3.0
"""An object that was gone and comes back farther away than this many times its size may be another one."""

_EVALUATED: Final = 100
"""So many objects of one category and video are what YouTube-VIS' evaluation takes."""

_Key = tuple[int, int, str]
"""(0, object id, '') or, for shapes without an id that are joined by label, (1, 0, label)."""


@dataclass
class _OpenObject:
    masks: TrackMasks
    frames_by_label: dict[str, list[str]] = field(default_factory=dict)
    annotation_ids: set[int] = field(default_factory=set)
    is_drawn: bool = False
    """A frame of it was of the video's size."""
    hollow: list[int] = field(default_factory=list)
    """Frames in which a hole takes most of a part of it."""


_normal: Final = lru_cache(4096)(normal_label)


class VideoReader:
    """Reads the frames of one video in order, `read_frame(0)` first; `finish` gives the result.

    What is wrong is not raised but becomes a finding, so that one run tells all there is to mend.

    Args:
        files: those of the video, if they were looked at already.
        draws: False: no masks; what has to be mended in files, labels and ids is found without them, much sooner.
    """

    def __init__(
        self,
        video: Video,
        store: AnnotationStore,
        draw: DrawOptions,
        files: AnnotationFiles | None = None,
        *,
        draws: bool = True,
    ) -> None:
        self._files = AnnotationFiles(video, store) if files is None else files
        self._draws = draws
        self.masks = 0
        self._video = video
        self._store = store
        self._draw = draw
        self._annotated = self._files.annotated
        self._images: list[FrameImage] = []
        self._objects: dict[_Key, _OpenObject] = {}
        self._findings: list[Finding] = []
        self._ignored_shapes = Counter[str]()
        self._empty_masks = 0
        self._video_ids: set[int] = set()

    def read_frame(self, index: int) -> None:
        """Read one frame's image and annotation."""
        image = self._examine(index)
        if index in self._annotated:
            self._read_annotation(index, image)

    def finish(self) -> tuple[ReadVideo, list[bytes]]:
        """The video as it was read; and for each of its objects the lists of a dataset, as the end of a JSON object."""
        objects, bodies, empty = [], [], []
        for key in sorted(self._objects):
            found = self._objects[key]
            uses = tuple(
                LabelUse(label, len(stems), tuple(stems[:LISTED])) for label, stems in found.frames_by_label.items()
            )
            number = only_id(found.annotation_ids)
            record = ReadObject(None if key[0] else key[1], uses, len(found.masks), number)
            if len(found.masks):
                masks = found.masks.all()
                bodies.append(self._body(masks))
                self._note_jumps(record, masks)
                self._note_holes(record, found.hollow)
                objects.append(record)
            else:
                if found.is_drawn:  # else nothing is known of it but that its frames do not fit, which was told
                    empty.append(f"{record} of {self._video.name}")
                    text = f"{record} of {self._video.name} covers no pixel in any frame."
                    self._note("dropped", "object-nowhere", text)
                objects.append(record)
                bodies.append(b"")
        self._note_frames()
        read = ReadVideo(
            self._video.name,
            tuple(self._images),
            tuple(objects),
            tuple(self._findings),
            dict(sorted(self._ignored_shapes.items())),
            self._empty_masks,
            tuple(empty),
            bool(self._annotated),
            only_id(self._video_ids),
        )
        return read, bodies

    def _body(self, masks: Mapping[int, EncodedMask]) -> bytes:
        width, height = self._images[0].size
        length = len(self._video)
        size = (height, width)
        every = [masks.get(index) for index in range(length)]
        document = {
            "width": width,
            "height": height,
            "length": length,
            "segmentations": [None if mask is None else {"size": size, "counts": mask.counts} for mask in every],
            "bboxes": [None if mask is None else mask.box for mask in every],
            "areas": [None if mask is None else mask.area for mask in every],
        }
        return orjson.dumps(document)[1:]

    def _note(
        self, kind: Kind, reason: str, what: str, file: object = "", count: int = 1, remedy: Remedy | None = None
    ) -> None:
        self._findings.append(Finding(kind, reason, what, self._video.name, str(file), count, remedy))

    def _examine(self, index: int) -> FrameImage | None:
        path = self._video.frame_paths[index]
        try:
            image = examine_image(path)
        except ImageError as error:
            remedy = "Put a whole image in its place, or leave the video out with a list of splits."
            self._note("error", "image-unreadable", f"{error} {remedy}", path)
            return None
        self._images.append(image)
        first = self._images[0]
        if image.size != first.size:
            text = (
                f"{path} is {image.width} x {image.height} pixels, but {first.path.name} of the same video is "
                f"{first.width} x {first.height}; a video has one size. Scale them to one, or split the video."
            )
            self._note("error", "sizes-differ", text, path)
        return image

    def _read_annotation(self, index: int, image: FrameImage | None) -> None:
        try:
            annotation = self._annotation(index)
            if annotation is None:  # taken away since the folder was listed
                return
            if image is not None and (annotation.width, annotation.height) != image.size:
                check_size(annotation, image.width, image.height, self._store.path(self._video, index))
        except AnnotationError as error:
            self._note("error", "annotation-unusable", str(error), self._store.path(self._video, index))
            return
        shapes_by_key = self._shapes_by_key(index, annotation)
        if self._draws and image is not None and image.size == self._images[0].size:
            for key, shapes in shapes_by_key.items():
                self._add_mask(index, key, shapes, image)

    def _annotation(self, index: int) -> FrameAnnotation | None:
        content = self._files.take(index)
        if content is None:
            return self._store.read(self._video, index)  # which knows why
        return decode_annotation(content, str(self._store.path(self._video, index)))

    def _shapes_by_key(self, index: int, annotation: FrameAnnotation) -> Mapping[_Key, list[Shape]]:
        if is_id(number := annotation.extra.get(VIDEO_ID)):
            self._video_ids.add(number)
        covering = [shape for shape in annotation.shapes if shape.shape_type in AREA_TYPES]
        if len(covering) < len(annotation.shapes):
            self._note_ignored(index, [s.shape_type for s in annotation.shapes if s.shape_type not in AREA_TYPES])
        shapes_by_key: dict[_Key, list[Shape]] = {}
        stem = self._video.frame_paths[index].stem
        for shape in self._note_unusable(index, covering):
            label = _normal(shape.label)
            key = (1, 0, label) if shape.object_id is None else (0, shape.object_id, "")
            shapes_by_key.setdefault(key, []).append(shape)
            found = self._object(key)
            if is_id(number := shape.extra.get(ANNOTATION_ID)):
                found.annotation_ids.add(number)
            frames = found.frames_by_label.setdefault(label, [])
            if not frames or frames[-1] != stem:
                frames.append(stem)
        return shapes_by_key

    def _object(self, key: _Key) -> _OpenObject:
        found = self._objects.get(key)
        if found is None:
            found = self._objects[key] = _OpenObject(TrackMasks(self._draw.compressed))
        return found

    def _note_ignored(self, index: int, types: Sequence[str]) -> None:
        counts = Counter(types)
        self._ignored_shapes.update(counts)
        path = self._store.path(self._video, index)
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        text = f"{path}: shapes that cover no area were left out ({kinds})."
        self._note("dropped", "no-area", text, path, len(types))

    def _note_unusable(self, index: int, shapes: Sequence[Shape]) -> Sequence[Shape]:
        """Tell of shapes without a label or an id; return those that count."""
        if all(shape.object_id is not None and shape.label == _normal(shape.label) != "" for shape in shapes):
            return shapes
        path = self._store.path(self._video, index)
        nameless = [shape for shape in shapes if not normal_label(shape.label)]
        if nameless:
            text = (
                f"{path} has {_count(len(nameless), 'shape')} with an empty label; open the video in the window and "
                "name the object."
            )
            self._note("error", "label-empty", text, path, len(nameless))
        cleaned = [shape for shape in shapes if normal_label(shape.label) != shape.label]
        if cleaned:
            text = f"{path}: labels were taken without white space around them and composed: {_labels(cleaned)}."
            self._note("repaired", "label-cleaned", text, path, len(cleaned))
        unowned = [shape for shape in shapes if shape.object_id is None]
        if not unowned:
            return shapes
        self._note_unowned(path, unowned)
        if self._draw.null_group != "skip":  # where they are an error, what else is wrong with them is told, too
            return shapes
        return [shape for shape in shapes if shape.object_id is not None]

    def _note_unowned(self, path: object, unowned: Sequence[Shape]) -> None:
        without = f"without an object id (group_id), labelled {_labels(unowned)}"
        match self._draw.null_group:
            case "skip":
                text = f"{path}: shapes {without} were left out."
                self._note("dropped", "no-object-id", text, path, len(unowned))
            case "per-label":
                text = f"{path}: shapes {without} were taken as one object per label."
                self._note("repaired", "joined-by-label", text, path, len(unowned))
            case _:
                text, count = f"{path} has shapes {without}", len(unowned)
                self._note("error", "no-object-id", text, path, count, Remedy.GIVE_IDS)

    def _add_mask(self, index: int, key: _Key, shapes: Sequence[Shape], image: FrameImage) -> None:
        patch = object_patch(shapes, image.height, image.width, raster=self._draw.raster, holes=self._draw.holes)
        self._objects[key].is_drawn = True
        if not self._objects[key].masks.add(index, patch, image.height, image.width):
            self._empty_masks += 1
            path = self._store.path(self._video, index)
            text = f"{path}: {_name_of(key, shapes)} covers no pixel of the image: too few points, or outside."
            self._note("dropped", "mask-nowhere", text, path)
            return
        self.masks += 1
        if len(shapes) > 1 or shapes[0].mask is not None:  # else nothing can be lost
            self._note_parts(index, _name_of(key, shapes), shapes, image)
        reads_holes = len(shapes) > 1 and self._draw.holes == "auto"
        if reads_holes and large_holes(shapes, image.height, image.width, raster=self._draw.raster):
            self._objects[key].hollow.append(index)

    def _note_parts(self, index: int, name: str, shapes: Sequence[Shape], image: FrameImage) -> None:
        """Tell of parts of an object that are lost though the object is not."""
        path = self._store.path(self._video, index)
        gone = [shape for shape in shapes if covers_nothing(shape, image.height, image.width)]
        if gone:
            parts, cover = _count(len(gone), "part"), "covers" if len(gone) == 1 else "cover"
            text = f"{path}: {parts} of {name} {cover} no pixel of the image: too few points, or outside."
            self._note("dropped", "part-nowhere", text, path, len(gone))
        unfit = sum(_does_not_fit(shape) for shape in shapes)
        if unfit:
            text = (
                f"{path}: {_count(unfit, 'mask')} of {name} {'is' if unfit == 1 else 'are'} not of the size that the "
                "points say; the pixels were taken, from the first point on."
            )
            self._note("repaired", "mask-unfit", text, path, unfit)
        clipped = sum(_reaches_out(shape, image) for shape in shapes if shape not in gone)
        if clipped:
            were = "was" if clipped == 1 else "were"
            text = f"{path}: {_count(clipped, 'mask')} of {name} {were} cut off at the border of the image."
            self._note("repaired", "mask-clipped", text, path, clipped)

    def _note_frames(self) -> None:
        """Tell of what is no fault here, and may be one for who trains or evaluates."""
        name, length = self._video.name, len(self._video)
        without = [index for index in range(length) if index not in self._annotated]
        if length == 1:
            self._note("note", "one-frame", f"The video {name} has one frame; most trainers need two.")
        if self._annotated and without:
            stems = [self._video.frame_paths[index].stem for index in without[:LISTED]]
            text = (
                f"{len(without)} of {length} frames of {name} have no annotation ({', '.join(stems)}"
                f"{', ...' if len(without) > LISTED else ''}); objects count as absent there."
            )
            self._note("note", "frame-not-annotated", text, self._video.frame_paths[without[0]], len(without))
        counts = Counter(next(iter(found.frames_by_label)) for found in self._objects.values())
        for label, count in sorted(counts.items()):
            if count > _EVALUATED:
                text = f"The video {name} has {count} objects labelled {label!r}; evaluators look at {_EVALUATED}."
                self._note("note", "many-of-a-category", text, count=count)

    def _note_jumps(self, record: ReadObject, masks: Mapping[int, EncodedMask]) -> None:
        """An id that is taken anew for another object shows as a jump after a gap."""
        for before, after in pairwise(masks):
            if after - before > 1 and _far(masks[before].box, masks[after].box):
                stems = [self._video.frame_paths[index].stem for index in (before, after)]
                text = (
                    f"{record} of {self._video.name} is last seen in frame {stems[0]} and comes back far away in frame "
                    f"{stems[1]}; look whether it is the same object."
                )
                self._note("note", "far-jump", text, self._store.path(self._video, after))

    def _note_holes(self, record: ReadObject, frames: Sequence[int]) -> None:
        """The same outline drawn twice, one a little smaller, leaves a thin ring of an object."""
        if frames:
            path = self._store.path(self._video, frames[0])
            more = f", and in {_count(len(frames) - 1, 'more frame')}" if len(frames) > 1 else ""
            text = (
                f"{path}{more}: a polygon of {record} takes more than half of another that it lies in, and was taken "
                "as a hole in it"
            )
            self._note("note", "large-hole", text, path, len(frames), Remedy.FILL_HOLES)


def _name_of(key: _Key, shapes: Sequence[Shape]) -> str:
    return f"{key[2]} without id" if key[0] else f"object {key[1]} ({normal_label(shapes[0].label)})"


def _does_not_fit(shape: Shape) -> bool:
    """True for a mask whose crop has another size than its points, the first and the last pixel, say."""
    if shape.mask is None or shape.shape_type != "mask":
        return False
    (left, top), (right, bottom) = ((int(x), int(y)) for x, y in shape.points)
    return shape.mask.shape != (bottom - top + 1, right - left + 1)


def _reaches_out(shape: Shape, image: FrameImage) -> bool:
    """True for a mask whose crop leaves the image."""
    if shape.mask is None or shape.shape_type != "mask":
        return False
    left, top = int(shape.points[0][0]), int(shape.points[0][1])
    right, bottom = left + shape.mask.shape[1], top + shape.mask.shape[0]
    return left < 0 or top < 0 or right > image.width or bottom > image.height


def _far(first: Box, second: Box) -> bool:
    size = max(*first[2:], *second[2:])
    return any(
        abs((a + across / 2) - (b + other / 2)) > _FAR * size
        for a, across, b, other in zip(first[:2], first[2:], second[:2], second[2:], strict=True)
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _labels(shapes: Sequence[Shape]) -> str:
    names = sorted({shape.label for shape in shapes})
    listed = ", ".join(map(repr, names[:LISTED]))
    return listed if len(names) <= LISTED else f"{listed} and {len(names) - LISTED} more"
