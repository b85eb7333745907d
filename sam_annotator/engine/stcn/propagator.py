"""STCN behind the propagator contract."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from sam_annotator.engine.stcn.memory import DEFAULT_PLAN, MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.score import drift_score
from sam_annotator.engine.stcn.tracker import Shares, Tracker
from sam_annotator.engine.stcn.working import WorkingSize

SHORT_SIDE = 480
"""The shorter side of a frame as the network sees it; smaller frames are seen as they are."""


class StcnPropagator:
    """The propagator contract with STCN.

    Attributes:
        name: model, device and precision, such as `STCN, cpu float32`.
    """

    def __init__(
        self, network: StcnNetwork, *, name: str, plan: MemoryPlan = DEFAULT_PLAN, short_side: int = SHORT_SIDE
    ) -> None:
        """
        Args:
            network: on its device, in its precision, for evaluation.
            name: for people.
            plan: what is remembered.
            short_side: the shorter side of a frame as the network sees it, in pixels.
        """
        self.name = name
        self._tracker = Tracker(network, plan)
        self._short_side = short_side
        self._forget()

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames. See the contract.

        Raises:
            EngineError: an image or mask that does not fit the others, or the model failed.
        """
        self._forget()
        for key_frame in key_frames:
            size = self._check(key_frame.index, key_frame.image, key_frame.masks)
            with self._computing():
                masks = {object_id: size.mask(mask) for object_id, mask in key_frame.masks.items()}
                self._tracker.learn(key_frame.index, size.frame(key_frame.image), masks)

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run. See the contract.

        Raises:
            EngineError: an image or mask that does not fit the others, or the model failed.
        """
        size = self._check(index, image, given)
        with self._computing():
            true = {object_id: size.mask(mask) for object_id, mask in given.items()}
            shares = self._tracker.step(index, size.frame(image), true, wanted)
            answers = self._answers(shares, given, size)
        for object_id in sorted(wanted & given.keys()):
            answers[object_id] = PropagatedMask(np.array(given[object_id], dtype=np.bool_), 1.0)
        return answers

    def _forget(self) -> None:
        self._tracker.begin()
        self._size: WorkingSize | None = None
        self._areas: dict[int, float] = {}

    def _answers(self, shares: Shares, given: Masks, size: WorkingSize) -> dict[int, PropagatedMask]:
        """The masks of what is not given, at the video's size, and their scores; keeps the areas for the next ones."""
        planes = size.without_pads(shares.planes)
        winner = planes.argmax(0)
        owner = winner.cpu().numpy().copy() if size.inner == size.full else _owner(shares, size)
        for mask in given.values():
            owner[mask] = -1
        answers = {}
        for place, object_id in enumerate(shares.objects, start=1):
            working = winner == place
            if object_id not in given:
                score = drift_score(planes[place], working, self._areas.get(object_id))
                answers[object_id] = PropagatedMask(owner == place, score)
            self._areas[object_id] = float(working.sum())
        return answers

    def _check(self, index: int, image: NDArray[np.uint8], masks: Masks) -> WorkingSize:
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise EngineError(
                f"A frame must be an array uint8 (height, width, 3), RGB, not {image.dtype} {image.shape}."
            )
        height, width = image.shape[:2]
        if self._size is None:
            self._size = WorkingSize.of(height, width, self._short_side)
        if self._size.full != (height, width):
            raise EngineError(
                f"Frame {index} is {width} x {height} pixels, the ones before it {self._size.full[1]} x "
                f"{self._size.full[0]}: masks can be carried only between frames of one size."
            )
        for object_id, mask in masks.items():
            if mask.shape != (height, width):
                raise EngineError(
                    f"The mask of object {object_id} in frame {index} is of another size than its image, {mask.shape} "
                    f"instead of {(height, width)} (height, width): check the annotation of that frame."
                )
        return self._size

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with failures_explained(self.name), torch.inference_mode():
            yield


@contextmanager
def failures_explained(name: str) -> Iterator[None]:
    """What torch raises becomes an EngineError that says what to do."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:  # torch's out-of-memory errors are RuntimeErrors
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineError(
            f"{name} failed: {reason.rstrip('.')}. If memory is short, propagate fewer objects at once, or choose "
            "--device cpu or --propagator embedded."
        ) from error


def _owner(shares: Shares, size: WorkingSize) -> NDArray[np.intp]:
    """Which plane is the largest at each pixel of the video; one plane at a time, as there may be many."""
    largest = size.enlarged(shares.planes[0])
    owner = np.zeros(largest.shape, np.intp)
    for place, plane in enumerate(shares.planes[1:], start=1):
        enlarged = size.enlarged(plane)
        owner[enlarged > largest] = place
        np.maximum(largest, enlarged, out=largest)
    return owner
