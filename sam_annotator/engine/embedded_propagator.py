"""A propagator that needs no weights: it learns each object from the masks it is given, in closed form.

Flow carries the mask along; a global model (ridge regression over random features of colour and texture) knows the
object wherever it is; a local one compares with the frame before; a graph cut draws the contour. All at a bounded
working size, about 427 x 240, whatever the video's.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.embedded_appearance import (
    CEILING,
    Appearance,
    GlobalModel,
    gather_evidence,
    local_log_odds,
    spread_global,
)
from sam_annotator.engine.embedded_contour import NEVER, Contours, compete, without_overlap
from sam_annotator.engine.embedded_flow import (
    FLOW_AREA,
    WORK_AREA,
    Floats,
    Flow,
    FlowEstimator,
    Mask,
    bounded_size,
    enlarge_mask,
    resize,
    shrink_mask,
    signed_distance,
)
from sam_annotator.engine.embedded_recovery import LastSeen
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask

Image = NDArray[np.uint8]

WARP_WEIGHT: Final = 0.2
LOCAL_WEIGHT: Final = 0.55
GLOBAL_WEIGHT: Final = 1.1

REACH: Final = 36.0
"""Working pixels outside the predicted mask beyond which the object cannot have got in one frame."""

FARTHEST_FLOW: Final = 4
"""Frames apart beyond which flow is not trusted and the object is looked for instead."""

REMEMBERED_AREAS: Final = 15
GOOD_SHARE: Final = 0.3
LOST_SHARE: Final = 0.2


@dataclass(frozen=True, eq=False)
class _View:
    """One frame as it is looked at: `grey` for flow, `appearance` for everything else."""

    index: int
    grey: Image
    appearance: Appearance

    @property
    def size(self) -> tuple[int, int]:
        return self.appearance.size


@dataclass(frozen=True, eq=False)
class _StoredKeyFrame:
    """A key frame kept for the run, packed: JPEG image, mask bits at working size."""

    index: int
    image: NDArray[np.uint8]
    masks: Mapping[int, NDArray[np.uint8]]

    @classmethod
    def of(cls, index: int, image: Image, masks: Mapping[int, Mask]) -> "_StoredKeyFrame":
        packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        return cls(index, packed, {key: np.packbits(mask) for key, mask in masks.items()})

    def unpacked_image(self) -> Image:
        return np.ascontiguousarray(cv2.imdecode(self.image, cv2.IMREAD_COLOR)[..., ::-1])

    def unpacked_mask(self, object_id: int, size: tuple[int, int]) -> Mask:
        return np.unpackbits(self.masks[object_id], count=size[0] * size[1]).reshape(size).astype(bool)


@dataclass(eq=False)
class _Followed:
    """What is remembered of one object; the size of it does not change with the steps taken."""

    model: GlobalModel = field(default_factory=GlobalModel)
    view: _View | None = None
    distance: Floats | None = None
    last_seen: LastSeen | None = None
    areas: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AREAS))
    frames_lost: int = 0

    def place(self, view: _View, mask: Mask) -> Floats:
        """The object is here now; returns the mask's signed distance."""
        self.view, self.distance = view, signed_distance(mask)
        return self.distance

    def is_good(self, area: int) -> bool:
        """True if a mask of that area is worth learning from."""
        return area > 0 and (not self.areas or area > GOOD_SHARE * float(np.median(self.areas)))

    def seen(self, area: int) -> None:
        """The mask in place is good."""
        if self.distance is not None:
            self.areas.append(area)
            self.last_seen, self.frames_lost = LastSeen(self.distance), 0


@dataclass(frozen=True, eq=False)
class _Prediction:
    """One object in the present frame before the contour is drawn. All float32 (height, width)."""

    distance: Floats
    local: Floats
    overall: Floats
    odds: Floats
    found_again: bool


class EmbeddedPropagator:
    """The propagator contract without a network; see the module.

    Attributes:
        name: for people.
    """

    def __init__(self) -> None:
        self.name = "embedded, cpu"
        self._flow = FlowEstimator()
        self._forget()

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames. See the contract.

        Raises:
            EngineError: key frames of different sizes, or a mask that is not of its image's size.
        """
        self._forget()
        for key_frame in key_frames:
            view, small = self._look(key_frame.index, key_frame.image), {}
            for object_id, mask in key_frame.masks.items():
                small[object_id] = self._shrunk(mask, view, object_id)
                self._learn(object_id, view, signed_distance(small[object_id]))
            image = cast(Image, resize(key_frame.image, view.grey.shape))
            self._stored.append(_StoredKeyFrame.of(key_frame.index, image, small))

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run. See the contract.

        Raises:
            EngineError: an image or a mask of another size than before.
        """
        view = self._look(index, image)
        small = {object_id: self._shrunk(mask, view, object_id) for object_id, mask in given.items()}
        blocked = np.logical_or.reduce(list(small.values())) if small else np.zeros(view.size, bool)
        predictions = self._predict_all(view, sorted(wanted - given.keys()), blocked)
        masks = self._draw(view, predictions)
        answers = {key: self._taken(key, view, given[key], small[key]) for key in sorted(wanted & given.keys())}
        free = ~np.logical_or.reduce(list(given.values())) if given else np.ones(image.shape[:2], bool)
        for object_id, mask in masks.items():
            score = _score(mask, predictions[object_id])
            self._accept(object_id, view, mask, learn=not predictions[object_id].found_again)
            answers[object_id] = PropagatedMask(enlarge_mask(mask, free.shape) & free, score)
        return answers

    def _forget(self) -> None:
        self._image_size: tuple[int, int] | None = None
        self._objects: dict[int, _Followed] = {}
        self._stored: list[_StoredKeyFrame] = []

    def _look(self, index: int, image: Image) -> _View:
        height, width = image.shape[:2]
        if self._image_size not in (None, (height, width)):
            known = f"{self._image_size[1]} x {self._image_size[0]}" if self._image_size else ""
            raise EngineError(
                f"Frame {index} is {width} x {height} pixels, the frames before it {known}: "
                "masks can be carried only between frames of one size."
            )
        self._image_size = height, width
        return self._view(index, image)

    @staticmethod
    def _view(index: int, image: Image) -> _View:
        height, width = image.shape[:2]
        seen = cast(Image, resize(image, bounded_size(height, width, FLOW_AREA)))
        size = bounded_size(height, width, WORK_AREA)
        return _View(index, cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), Appearance.of(seen, size))

    def _shrunk(self, mask: Mask, view: _View, object_id: int) -> Mask:
        if mask.shape != self._image_size:
            raise EngineError(
                f"The mask of object {object_id} in frame {view.index} is {mask.shape[1]} x {mask.shape[0]} pixels, "
                "its image is of another size: check that annotation."
            )
        return shrink_mask(mask, view.size)

    def _learn(self, object_id: int, view: _View, distance: Floats) -> None:
        """Learn a key frame's mask; one that `begin` has learned already only restarts what moves."""
        followed = self._objects.setdefault(object_id, _Followed())
        evidence = gather_evidence(view.appearance, distance)
        if evidence is None:
            return
        if any(stored.index == view.index and object_id in stored.masks for stored in self._stored):
            followed.model.restart(evidence)
        else:
            followed.model.learn_key_frame(evidence)

    def _taken(self, object_id: int, view: _View, mask: Mask, small: Mask) -> PropagatedMask:
        """A mask that is true: answered as it is, and gone on from."""
        followed = self._objects.setdefault(object_id, _Followed())
        self._learn(object_id, view, followed.place(view, small))
        followed.areas.clear()
        if small.any():
            followed.seen(int(small.sum()))
        return PropagatedMask(mask.astype(bool), 1.0)

    def _accept(self, object_id: int, view: _View, mask: Mask, *, learn: bool) -> None:
        followed, area = self._objects[object_id], int(mask.sum())
        distance = followed.place(view, mask)
        if not followed.is_good(area):
            followed.frames_lost += 1
            return
        followed.seen(area)
        evidence = gather_evidence(view.appearance, distance) if learn else None
        if evidence is not None:
            followed.model.follow(evidence)

    def _draw(self, view: _View, predictions: Mapping[int, _Prediction]) -> dict[int, Mask]:
        if not predictions:
            return {}
        contours = Contours.of(view.appearance.lab)
        odds = compete({object_id: prediction.odds for object_id, prediction in predictions.items()})
        masks = {}
        for object_id, prediction in predictions.items():
            possible = (prediction.odds > -6) | ((prediction.distance > -10) & (prediction.odds > NEVER))
            masks[object_id] = contours.cut(odds[object_id], possible)
        return without_overlap(masks, odds)

    def _predict_all(self, view: _View, object_ids: Iterable[int], blocked: Mask) -> dict[int, _Prediction]:
        flows: dict[int, Flow] = {}
        predictions = {}
        for object_id in object_ids:
            if object_id not in self._objects:
                continue
            followed = self._objects[object_id]
            self._go_to_nearest(object_id, followed, view.index)
            predictions[object_id] = self._predict(followed, view, flows, blocked)
        return predictions

    def _go_to_nearest(self, object_id: int, followed: _Followed, index: int) -> None:
        """Start from the nearest key frame where the run does (or jumps to) a place nearer to it."""
        away = abs(followed.view.index - index) if followed.view else None
        stored = min(
            (stored for stored in self._stored if object_id in stored.masks),
            key=lambda stored: abs(stored.index - index),
            default=None,
        )
        if stored is None or (away is not None and (away <= 1 or away <= abs(stored.index - index))):
            return
        seeds = [f.view for f in self._objects.values() if f.view and f.view.index == stored.index]
        view = seeds[0] if seeds else self._view(stored.index, stored.unpacked_image())
        mask = stored.unpacked_mask(object_id, view.size)
        self._taken(object_id, view, mask, mask)

    def _predict(self, followed: _Followed, view: _View, flows: dict[int, Flow], blocked: Mask) -> _Prediction:
        nowhere = np.full(view.size, -CEILING, np.float32)
        samples = followed.model.sampled_log_odds(view.appearance)
        overall = spread_global(samples, view.size)
        before, previous = followed.view, followed.distance
        if before is None or previous is None or not followed.model.knows:
            return _Prediction(nowhere, nowhere, nowhere, np.full(view.size, NEVER, np.float32), False)
        if abs(before.index - view.index) > FARTHEST_FLOW:
            previous = np.full_like(previous, signed_distance(np.zeros((1, 1), bool)).item())
        if before.index not in flows:
            flows[before.index] = self._flow.between(before.grey, view.grey, view.size)
        flow = flows[before.index]
        distance, trust = flow.carry(previous), flow.trust
        found = self._found_again(followed, previous, samples)
        if found is not None:
            distance, trust = np.maximum(distance, found), np.zeros_like(trust)
            local = np.zeros_like(distance)
        else:
            local = local_log_odds(before.appearance, previous, view.appearance, distance, flow)
        odds = _fuse(distance, trust, local, overall)
        odds[blocked] = NEVER
        return _Prediction(distance, local, overall, odds, found is not None)

    @staticmethod
    def _found_again(followed: _Followed, previous: Floats, samples: Floats) -> Floats | None:
        if followed.last_seen is None or not followed.areas:
            return None
        if np.count_nonzero(previous > 0) >= LOST_SHARE * float(np.median(followed.areas)):
            return None
        return followed.last_seen.find(samples, followed.frames_lost)


def _fuse(distance: Floats, trust: Floats, local: Floats, overall: Floats) -> Floats:
    """Log odds of the object at each pixel, NEVER where it cannot have got."""
    warp = 1.5 * np.clip(distance / (4 * (1 + 2 * (1 - trust))), -CEILING, CEILING)
    odds = np.float32(WARP_WEIGHT) * warp + np.float32(LOCAL_WEIGHT) * local + np.float32(GLOBAL_WEIGHT) * overall
    odds[distance < -REACH] = NEVER
    return odds.astype(np.float32)


def _score(mask: Mask, prediction: _Prediction) -> float:
    """0..1: how far flow, the local and the global model agree with the answer near it; 0 for an empty one."""
    if not mask.any():
        return 0.0
    near = prediction.distance > -24
    voices = (prediction.distance, prediction.local, prediction.overall)
    agreement = [_overlap(mask, (voice > 0) & near) for voice in voices]
    return float(np.mean(agreement))


def _overlap(a: Mask, b: Mask) -> float:
    return float(np.count_nonzero(a & b) / max(1, np.count_nonzero(a | b)))
