"""STCN behind the propagator contract."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.checkpoints import all_finite
from sam_annotator.engine.drift import MotionWatch
from sam_annotator.engine.fitting import fitting_size
from sam_annotator.engine.out_of_memory import free_memory
from sam_annotator.engine.propagator import Forecast, KeyFrame, Masks, PropagatedMask
from sam_annotator.engine.stcn.forecast import forecast_bytes, weight_bytes
from sam_annotator.engine.stcn.ladder import Thrift
from sam_annotator.engine.stcn.memory import DEFAULT_PLAN, MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.score import find_signs
from sam_annotator.engine.stcn.sparing import Result, Sparing
from sam_annotator.engine.stcn.tracker import Shares, Tracker
from sam_annotator.engine.stcn.working import WorkingSize

SHORT_SIDE = 480
"""The shorter side of a frame as the network sees it; smaller frames are seen as they are."""


class StcnPropagator:
    """The propagator contract with STCN, and `MemoryBound`: where memory runs out, a run goes on with less of it.

    Attributes:
        name: model, device and precision, such as `STCN, cpu float32`.
    """

    def __init__(
        self,
        network: StcnNetwork,
        *,
        name: str,
        plan: MemoryPlan = DEFAULT_PLAN,
        short_side: int = SHORT_SIDE,
        fallback: Callable[[], StcnNetwork] | None = None,
        notice: str | None = None,
    ) -> None:
        """
        Args:
            network: on its device, in its precision, for evaluation.
            name: for people.
            plan: what is remembered.
            short_side: the shorter side of a frame as the network sees it, in pixels.
            fallback: makes the network anew on a device with more memory, to go on with where nothing else helps.
            notice: what is to be said first.
        """
        self.name = name
        self._plan = plan
        self._short_side = short_side
        self._tracker = Tracker(network, plan)
        usual = Thrift(plan.working, self._tracker.together, short_side, str(network.device))
        self._sparing = Sparing(self._tracker, network, usual, fallback)
        self._watch = MotionWatch()
        self._first_notice = notice
        self._forget()

    @property
    def identity(self) -> str:
        """Name, short side, and a digest of the weights. See `Identified`."""
        return f"{self.name}, {self._short_side} pixels, weights {digest_of_weights(self._sparing.network)}"

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames. See the contract.

        Raises:
            EngineError: an image or mask that does not fit the others, or the model failed.
        """
        self._forget()
        for key_frame in key_frames:
            self.learn(key_frame)

    def learn(self, key_frame: KeyFrame) -> None:
        """Learn one more key frame, before the first step: as `begin`, so that others can come between them.

        Raises:
            EngineError: as `begin`.
        """
        self._check(key_frame.index, key_frame.image, key_frame.masks)
        self._attempt(partial(self._learn, key_frame), len(key_frame.masks))

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run. See the contract.

        Raises:
            EngineError: an image or mask that does not fit the others, or the model failed.
        """
        self._check(index, image, given)
        shares, size = self._attempt(partial(self._see, index, image, given, wanted), len(wanted))
        self._attempt(partial(self._watch.look, image), len(wanted))
        answers = self._attempt(partial(self._answers, shares, size, given), len(wanted))
        for object_id in sorted(wanted & given.keys()):
            answers[object_id] = PropagatedMask(np.array(given[object_id], dtype=np.bool_), 1.0)
        return answers

    def notice(self) -> str | None:
        """What was given up since the last call. See `MemoryBound`."""
        first, self._first_notice = self._first_notice, None
        return " ".join(text for text in (first, self._sparing.notice()) if text) or None

    def forecast(self, height: int, width: int, objects: int, key_frames: int) -> Forecast:
        """What memory a run will take. See `MemoryBound`; `forecast_bytes` says what is in it."""
        network = self._sparing.network
        size = WorkingSize.of(height, width, self._short_side)
        free = free_memory(network.device)
        return Forecast(
            run=f"{objects} object{'' if objects == 1 else 's'} at {width} x {height}",
            bytes=forecast_bytes(network, size, objects, key_frames, self._plan),
            free=None if free is None else free + weight_bytes(network),
            where=str(network.device),
        )

    def _forget(self) -> None:
        self._full: tuple[int, int] | None = None
        self._areas: dict[int, float] = {}  # parts of the frame
        self._watch.forget()
        self._sparing.begin()

    def _learn(self, key_frame: KeyFrame) -> None:
        size = self._size()
        masks = {object_id: size.mask(mask) for object_id, mask in key_frame.masks.items()}
        self._tracker.learn(key_frame.index, size.frame(key_frame.image), masks)

    def _see(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> tuple[Shares, WorkingSize]:
        size = self._size()
        true = {object_id: size.mask(mask) for object_id, mask in given.items()}
        return self._tracker.step(index, size.frame(image), true, wanted), size

    def _answers(self, shares: Shares, size: WorkingSize, given: Masks) -> dict[int, PropagatedMask]:
        """The masks of what is not given, at the video's size, and their scores; keeps the areas for the next ones."""
        planes = size.without_pads(shares.planes)
        if not all_finite(planes):
            raise EngineError(
                f"{self.name} answered with what are no numbers: its weights are damaged, or do not fit its precision. "
                "Download stcn.pth again (`sam-annotator models list` says from where), or choose --device cpu or "
                "--propagator embedded."
            )
        winner = planes.argmax(0)
        owner = winner.cpu().numpy().copy() if size.inner == size.full else _owner(shares, size)
        for mask in given.values():
            owner[mask] = -1
        answers, areas = {}, {}
        for place, object_id in enumerate(shares.objects, start=1):
            working = winner == place
            agreed = self._watch.agreement(object_id, working.cpu().numpy())
            areas[object_id] = float(working.sum()) / working.numel()
            if object_id not in given:
                before = self._areas.get(object_id)
                area = None if before is None else before * working.numel()
                answers[object_id] = PropagatedMask(
                    owner == place, find_signs(planes, place, working, area, agreed).score
                )
        self._areas.update(areas)
        return answers

    def _attempt(self, compute: Callable[[], Result], objects: int) -> Result:
        """What `compute` gives, with less memory in use if need be."""
        with failures_explained(self.name), torch.inference_mode():
            return self._sparing.attempt(compute, objects=objects, side=min(self._full or (0,)))

    def _size(self) -> WorkingSize:
        """At which the network works now."""
        height, width = self._full or (1, 1)
        return WorkingSize.of(height, width, self._sparing.thrift.short_side)

    def _check(self, index: int, image: NDArray[np.uint8], masks: Masks) -> None:
        self._full = fitting_size(index, image, masks, self._full)


def digest_of_weights(network: StcnNetwork) -> str:
    """16 hex digits, of the first thousand numbers of every tensor: others are never alike in all of them."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.flatten()[:1000].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


@contextmanager
def failures_explained(name: str) -> Iterator[None]:
    """What torch raises becomes an EngineError that says what to do."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError, cv2.error) as error:  # torch's own are RuntimeErrors
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineError(
            f"{name} failed: {reason.rstrip('.')}. If memory is short, propagate fewer objects at once, or choose "
            "a smaller --short-side, --device cpu or --propagator embedded."
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
