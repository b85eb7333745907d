"""A propagator that needs no weights: it learns each object from the masks it is given, in closed form.

Flow carries the mask along and tells what moves with it; a global model (ridge regression over random features of
colour and texture) knows the object wherever it is; a local one compares with the frame before; a graph cut draws the
contour. All at a bounded working size, about 427 x 240, whatever the video's. Forward and backward are the same to it,
and where it is led back from a key frame ahead, it answers from both sides (`two_sides`).

A step has a second thread beside it, which ends with the step: flow is worked out there while colours and textures are
looked at, and outlines are drawn there while the models learn. The answers are the same as in one.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from sam_annotator import __version__
from sam_annotator.engine.embedded.appearance import GlobalModel, gather_evidence
from sam_annotator.engine.embedded.contour import NEVER, Contours
from sam_annotator.engine.embedded.flow import FlowEstimator, Mask, shrink_mask, signed_distance
from sam_annotator.engine.embedded.memory import Followed, Image, StoredKeyFrame, View
from sam_annotator.engine.embedded.outline import redraw
from sam_annotator.engine.embedded.prediction import Prediction, draw, predict
from sam_annotator.engine.embedded.two_sides import Reached, fuse
from sam_annotator.engine.fitting import fitting_size
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask

FARTHEST_BACK: Final = 100
"""Frames from a key frame that a way back may go: a megabyte an object, and 15 seconds before the first answer."""


class EmbeddedPropagator:
    """The propagator contract without a network; see the module.

    Attributes:
        name: for people.
        farthest_back: see ReachesBack.
    """

    farthest_back = FARTHEST_BACK

    def __init__(self) -> None:
        self.name = "embedded, cpu"
        self._flow = FlowEstimator()
        # Many small products: a second thread gains nothing and, waiting busily, takes the core of the window.
        self._threads = ThreadpoolController()
        self._back: dict[int, Followed] = {}
        self._forget()

    @property
    def identity(self) -> str:
        """Name and version: there are no weights that would tell one from the next. See `Identified`."""
        return f"{self.name}, {__version__}"

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames. See the contract.

        Raises:
            EngineError: key frames of different sizes, a mask that is not of its image's, or arrays of another kind.
        """
        self._forget()
        for key_frame in key_frames:
            self.learn(key_frame)

    def learn(self, key_frame: KeyFrame) -> None:
        """Learn one more key frame. In which order they come makes no difference.

        Raises:
            EngineError: as `begin`.
        """
        with self._threads.limit(limits=1, user_api="blas"):
            view, masks = self._look(key_frame.index, key_frame.image, key_frame.masks)
            for object_id, mask in masks.items():
                self._learn(self._objects, object_id, view, mask)
            self._is_in_order &= not self._stored or self._stored[-1].index <= view.index
            self._stored.append(StoredKeyFrame.of(key_frame.index, key_frame.image, masks, view.size))

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run. See the contract.

        Raises:
            EngineError: an image or a mask of another size than before, or of another kind.
        """
        view, known = self._look(index, image, given)
        sought = sorted((wanted - given.keys()) & self._objects.keys())
        with self._threads.limit(limits=1, user_api="blas"), ThreadPoolExecutor(1, "beside") as beside:
            if not self._is_in_order:
                self._learn_in_order()
            answers = self._follow(view, image, known, sought, beside) if sought else {}
            taken = _union(given.values(), image.shape[:2])
            answers = {key: PropagatedMask(answer.mask & ~taken, answer.score) for key, answer in answers.items()}
            for object_id in sorted(wanted & given.keys()):
                self._restart(self._objects, object_id, view, known)
                answers[object_id] = PropagatedMask(given[object_id].astype(bool), 1.0)
        return answers

    def begin_back(self) -> None:
        """A way back begins. See ReachesBack."""
        if not self._is_in_order:
            self._learn_in_order()
        self._back = {object_id: followed.setting_out() for object_id, followed in self._objects.items()}

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        """Go through the next frame of a way back. See ReachesBack.

        Raises:
            EngineError: as `step`.
        """
        view, known = self._look(index, image, given)
        sought = sorted((wanted - given.keys()) & self._back.keys())
        with self._threads.limit(limits=1, user_api="blas"), ThreadPoolExecutor(1, "beside") as beside:
            self._follow_back(view, known, sought, beside)
            for object_id in sorted(wanted & given.keys()):
                if known[object_id].any():
                    self._restart(self._back, object_id, view, known)
                elif object_id in self._back:  # from where it is not, nothing is to be learned of the frames before
                    self._back[object_id] = self._back[object_id].setting_out()

    def _forget(self) -> None:
        self._image_size: tuple[int, int] | None = None
        self._objects: dict[int, Followed] = {}
        self._back.clear()
        self._reached: dict[int, dict[int, Reached]] = {}
        self._stored: list[StoredKeyFrame] = []
        self._is_in_order = True

    def _look(self, index: int, image: Image, masks: Masks) -> tuple[View, dict[int, Mask]]:
        """The frame, and its masks, at working size."""
        self._image_size = fitting_size(index, image, masks, self._image_size)
        view = View.of(index, image)
        return view, {object_id: shrink_mask(mask, view.size) for object_id, mask in masks.items()}

    def _learn_in_order(self) -> None:
        """Learn the key frames anew by their place in the video: the last one learned weighs most."""
        self._stored.sort(key=lambda stored: stored.index)
        known, self._stored = self._stored, []
        for followed in self._objects.values():
            followed.model = GlobalModel()
        for stored in known:
            view = stored.view()
            for object_id in stored.masks:
                self._learn(self._objects, object_id, view, stored.mask(object_id))
            self._stored.append(stored)
        self._is_in_order = True

    def _restart(self, objects: dict[int, Followed], object_id: int, view: View, known: Mapping[int, Mask]) -> None:
        """Go on from the mask of an object in a frame in which these ones are known."""
        self._learn(objects, object_id, view, known[object_id])
        others = _union((mask for key, mask in known.items() if key != object_id), view.size)
        objects[object_id].restart(view, known[object_id], others)

    def _learn(self, objects: dict[int, Followed], object_id: int, view: View, mask: Mask) -> None:
        """Learn a true mask; one that `begin` has learned already only renews what adapts from frame to frame."""
        followed = objects.setdefault(object_id, Followed())
        evidence = gather_evidence(view.appearance, signed_distance(mask))
        if evidence is None:
            return
        if any(stored.index == view.index and object_id in stored.masks for stored in self._stored):
            followed.model.restart(evidence)
        else:
            followed.model.learn_key_frame(evidence)

    def _follow(
        self, view: View, image: Image, known: Mapping[int, Mask], object_ids: list[int], beside: Executor
    ) -> dict[int, PropagatedMask]:
        """Answers for objects that are remembered and not given here; `known` are the given masks, shrunk."""
        for object_id in object_ids:
            self._start_nearest(object_id, view.index)
        blocked = _union(known.values(), view.size)
        predictions, contours = self._predict(self._objects, object_ids, view, blocked, beside)
        for object_id, reached in self._reached.pop(view.index, {}).items():
            if object_id in predictions:
                followed = self._objects[object_id]
                predictions[object_id] = fuse(predictions[object_id], followed, view.index, reached)
                predictions[object_id].odds[blocked] = NEVER
        masks = draw(contours, predictions, self._objects)
        odds = {object_id: prediction.odds for object_id, prediction in predictions.items()}
        outlines = beside.submit(redraw, image, view.appearance.lab, masks, odds)
        for object_id, mask in masks.items():
            self._objects[object_id].go_on(view, mask, trust=0.0 if predictions[object_id].found_again else 1.0)
        return {
            object_id: PropagatedMask(outline, predictions[object_id].score(masks[object_id]))
            for object_id, outline in outlines.result().items()
        }

    def _follow_back(self, view: View, known: Mapping[int, Mask], object_ids: list[int], beside: Executor) -> None:
        """Keep what a way back finds of these objects, where they have set out. The others compete by their looks."""
        under_way = [object_id for object_id in object_ids if self._back[object_id].view]
        if not under_way:
            return
        blocked = _union(known.values(), view.size)
        predictions, contours = self._predict(self._back, self._back.keys() - known.keys(), view, blocked, beside)
        found = {key: predictions[key] for key in under_way}
        for object_id, mask in draw(contours, found, self._back).items():
            followed, prediction = self._back[object_id], predictions[object_id]
            reached = Reached.of(prediction, mask, followed, view.index)
            self._reached.setdefault(view.index, {})[object_id] = reached
            followed.go_on(view, mask, trust=0.0 if prediction.found_again else 1.0)

    def _predict(
        self, objects: Mapping[int, Followed], object_ids: Iterable[int], view: View, blocked: Mask, beside: Executor
    ) -> tuple[dict[int, Prediction], Contours]:
        """What is to be expected of these objects, and what contours cost; flow is worked out once from each frame."""
        sought = {object_id: objects[object_id] for object_id in sorted(object_ids)}
        before = {followed.view.index: followed.view for followed in sought.values() if followed.view}
        flows = {index: beside.submit(self._flow.between, other.grey, view.grey) for index, other in before.items()}
        contours = beside.submit(Contours.of, view.appearance.lab)
        predictions = predict(sought, view, lambda other: flows[other.index].result(), blocked)
        return predictions, contours.result()

    def _start_nearest(self, object_id: int, index: int) -> None:
        """Go on from the nearest key frame, where the run starts at (or jumps to) a place nearer to it."""
        followed = self._objects[object_id]
        away = abs(followed.view.index - index) if followed.view else None
        stored = [key_frame for key_frame in self._stored if object_id in key_frame.masks]
        if away in (0, 1) or not stored:
            return
        nearest = min(stored, key=lambda key_frame: abs(key_frame.index - index))
        if away is None or abs(nearest.index - index) < away:
            views = [other.view for other in self._objects.values() if other.view]
            same = [view for view in views if view.index == nearest.index]
            known = {key: nearest.mask(key) for key in nearest.masks}
            self._restart(self._objects, object_id, same[0] if same else nearest.view(), known)


def _union(masks: Iterable[Mask], size: tuple[int, int]) -> Mask:
    union = np.zeros(size, bool)
    for mask in masks:
        union |= mask
    return union
