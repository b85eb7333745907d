"""A tree of annotations as videos with masks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from sam_annotator.core.annotation import FrameAnnotation, Shape
from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideos
from sam_annotator.core.errors import AnnotationError, ImageError
from sam_annotator.core.images import image_size
from sam_annotator.core.masks import AREA_TYPES, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video


@dataclass(frozen=True)
class AnnotatedVideo:
    """One annotated video; a `MaskedVideo`. Its frames are those that have an annotation file."""

    video: Video
    store: AnnotationStore

    @property
    def name(self) -> str:
        """The name of the video."""
        return self.video.name

    @cached_property
    def _indices(self) -> tuple[int, ...]:
        return tuple(sorted(self.store.annotated_frames(self.video)))

    @cached_property
    def frames(self) -> tuple[str, ...]:
        """The annotated frames, without suffix."""
        return tuple(self.video.frame_paths[index].stem for index in self._indices)

    @cached_property
    def labels(self) -> Mapping[int, str]:
        """The category of each object; all files are read for it. An object with two has the first."""
        labels: dict[int, str] = {}
        for position in range(len(self._indices)):
            annotation = self._annotation(position)
            if isinstance(annotation, FrameAnnotation):
                for object_id, shapes in _objects(annotation).items():
                    labels.setdefault(object_id, normal_label(shapes[0].label))
        return {object_id: labels[object_id] for object_id in sorted(labels)}

    @property
    def width(self) -> int:
        """Of the first frame that can be read."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Of the first frame that can be read."""
        return self._size[1]

    @cached_property
    def _size(self) -> tuple[int, int]:
        sizes = (self._size_of(position, self._annotation(position)) for position in range(len(self._indices)))
        return next((size for size in sizes if not isinstance(size, str)), (0, 0))

    def _size_of(self, position: int, annotation: FrameAnnotation | str) -> tuple[int, int] | str:
        """(width, height) of a frame as its file says, else of its image; or what is wrong."""
        if isinstance(annotation, str):
            return annotation
        if annotation.width and annotation.height:
            return annotation.width, annotation.height
        try:
            return image_size(self.video.frame_paths[self._indices[position]])
        except ImageError as error:
            return str(error)

    def read(self, position: int) -> FrameMasks:
        """The masks of one frame; a file that cannot be read is a problem there."""
        annotation = self._annotation(position)
        size = self._size_of(position, annotation)
        if isinstance(annotation, str) or isinstance(size, str):
            return FrameMasks(0, 0, problems=(str(size),))
        width, height = size
        drawn = {i: object_mask(shapes, height, width) for i, shapes in sorted(_objects(annotation).items())}
        masks = {object_id: mask for object_id, mask in drawn.items() if mask.any()}
        return FrameMasks(width, height, masks, tuple(self._describe(position, annotation, drawn)))

    def _describe(self, position: int, annotation: FrameAnnotation, drawn: Iterable[int]) -> Iterable[str]:
        path = self.store.path(self.video, self._indices[position])
        unowned = sum(shape.object_id is None for shape in annotation.shapes if shape.shape_type in AREA_TYPES)
        if unowned:
            yield f"{path} has {unowned} shapes without an object id (group_id); they are left out."
        for object_id in drawn:
            label = normal_label(_objects(annotation)[object_id][0].label)
            if label != self.labels.get(object_id, label):
                yield f"{path} calls object {object_id} {label!r}, earlier frames {self.labels[object_id]!r}."

    def _annotation(self, position: int) -> FrameAnnotation | str:
        """What the file of a frame says, or what is wrong with it."""
        try:
            annotation = self.store.read(self.video, self._indices[position])
        except AnnotationError as error:
            return str(error)
        gone = f"{self.store.path(self.video, self._indices[position])} was taken away meanwhile."
        return gone if annotation is None else annotation


def read_annotated(videos: Iterable[Video], store: AnnotationStore) -> MaskedVideos:
    """The videos that have an annotated frame."""
    return MaskedVideos(tuple(AnnotatedVideo(video, store) for video in videos if store.annotated_frames(video)))


def _objects(annotation: FrameAnnotation) -> dict[int, list[Shape]]:
    """By object id, the shapes that cover an area."""
    objects: dict[int, list[Shape]] = {}
    for shape in annotation.shapes:
        if shape.object_id is not None and shape.shape_type in AREA_TYPES:
            objects.setdefault(shape.object_id, []).append(shape)
    return objects
