"""A propagator that knows the truth, and small videos for it: what the tests of propagation share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.annotation import MANUAL, PROPAGATED, REVIEWED, FrameAnnotation
from sam_annotator.core.masks import mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask

HEIGHT, WIDTH, FRAMES = 40, 64, 10
SPEED = 3
Mask = NDArray[np.bool_]


class MovingPropagator:
    """Knows the truth: everything moves SPEED pixels to the right from one frame to the next."""

    name = "moving, test"

    def __init__(self, on_step: Callable[[int], None] = lambda _: None) -> None:
        self.on_step = on_step
        self.begun: list[list[int]] = []
        self.steps: list[int] = []
        self.given: dict[int, dict[int, Mask]] = {}

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        self.last: dict[int, tuple[int, Mask]] = {}
        learned = [(key.index, dict(key.masks)) for key in key_frames]
        self.begun.append([index for index, _ in learned])
        for index, masks in learned:
            for object_id, mask in masks.items():
                self.last.setdefault(object_id, (index, mask))

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        assert image.shape == (HEIGHT, WIDTH, 3)
        self.steps.append(index)
        self.given[index] = dict(given)
        self.on_step(index)
        free = np.ones((HEIGHT, WIDTH), bool)
        for mask in given.values():
            assert not np.any(mask & ~free), "masks of one frame do not overlap"
            free &= ~mask
        answers = {}
        for object_id in sorted(wanted):
            if object_id in given:
                self.last[object_id] = index, given[object_id]
            elif object_id in self.last:
                at, mask = self.last[object_id]
                mask = moved(mask, (index - at) * SPEED) & free
                free &= ~mask
                self.last[object_id] = index, mask
                answers[object_id] = PropagatedMask(mask, 0.5 + index / 1000)
        return answers


def moved(mask: Mask, pixels: int) -> Mask:
    return cv2.warpAffine(
        mask.astype(np.uint8), np.float32([[1, 0, pixels], [0, 1, 0]]), (WIDTH, HEIGHT), flags=cv2.INTER_NEAREST
    ).astype(bool)


def box(left: int, top: int, width: int = 8, height: int = 6) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[max(top, 0) : top + height, max(left, 0) : left + width] = True
    return mask


def make_video(folder: Path, frames: int = FRAMES) -> Video:
    (folder / "clip").mkdir(parents=True)
    for index in range(frames):
        Image.new("RGB", (WIDTH, HEIGHT), (index, 90, 30)).save(folder / "clip" / f"{index:05}.png")
    return find_videos(folder)[0]


def draw(
    store: AnnotationStore,
    video: Video,
    index: int,
    masks: Mapping[int, Mask],
    *,
    source: str = MANUAL,
    reviewed: bool = False,
    label: str = "swan",
) -> None:
    """Save masks as a person (or an earlier propagation) does."""

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        for object_id, mask in masks.items():
            shapes = mask_to_shapes(mask, label=label, object_id=object_id, source=source)
            flags = {REVIEWED: True} if reviewed else {}
            annotation = annotation.with_object(object_id, [replace(shape, flags=flags) for shape in shapes])
            if source == PROPAGATED:
                annotation = replace(annotation, propagated_ids=annotation.propagated_ids | {object_id})
        return annotation

    store.update(video, index, change, WIDTH, HEIGHT)


def say_absent(store: AnnotationStore, video: Video, index: int, *object_ids: int) -> None:
    """Delete objects of a frame for good, as a person does."""

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        for object_id in object_ids:
            annotation = annotation.with_object(object_id, ())
        return replace(annotation, absent_ids=annotation.absent_ids.union(object_ids))

    store.update(video, index, change, WIDTH, HEIGHT)


def mask_at(store: AnnotationStore, video: Video, index: int, object_id: int = 1) -> Mask:
    annotation = store.read(video, index)
    return object_mask(annotation.shapes_of(object_id) if annotation else (), HEIGHT, WIDTH)


def all_files(video: Video) -> dict[str, bytes]:
    """All files of the video's folder, what is hidden left out."""
    return {path.name: path.read_bytes() for path in sorted(video.folder.iterdir()) if not path.name.startswith(".")}


def tracks_of(video: Video, store: AnnotationStore) -> tuple[Track, ...]:
    known = VideoTracks()
    for _ in known.scan(video, store):
        pass
    return known.tracks()
