"""The propagator contract: one `step` per frame; whoever calls owns the loop."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.weights.manifest import describe_bytes

Masks = Mapping[int, NDArray[np.bool_]]
"""Object id -> bool (height, width). Masks of one frame do not overlap; an empty mask says 'not here'."""


@dataclass(frozen=True, eq=False)
class KeyFrame:
    """What is known for sure in one frame of the video.

    Attributes:
        index: the frame's index in the video.
        image: uint8 (height, width, 3), RGB.
        masks: the objects that a human made or approved in this frame.
    """

    index: int
    image: NDArray[np.uint8]
    masks: Masks


@dataclass(frozen=True, eq=False)
class PropagatedMask:
    """The answer for one object in one frame.

    Attributes:
        mask: bool (height, width); all False where the object is not to be seen.
        score: 0..1, low where the mask may have drifted.
    """

    mask: NDArray[np.bool_]
    score: float


class Propagator(Protocol):
    """Carries masks from frame to frame. Not thread-safe: the engine thread owns it.

    Its memory is bounded and does not grow with the number of steps.

    Attributes:
        name: for people, with model and device: `STCN, cuda float16` or `embedded, cpu`.
    """

    name: str

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        """Forget everything, then learn these key frames, which stay in memory for the whole run.

        They may lie before, inside or after the range that is stepped through. Read one at a time.
        """

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        """Answer for the next frame of the run, the neighbour of the one before (forward or backward).

        Args:
            index: the frame's index in the video.
            image: uint8 (height, width, 3), RGB, of the same size in every step.
            given: masks that are true in this frame, of wanted objects (which are then taken as they are,
                and carried on from here) and of others (which only compete for pixels).
            wanted: the objects to answer for. An object that was never given in `begin` or in a step so
                far has no answer yet and is left out.

        Raises:
            EngineError: the model failed.
        """


@runtime_checkable
class LearnsOneByOne(Propagator, Protocol):
    """A propagator that can be given its key frames one at a time, after a `begin` with none of them."""

    def learn(self, key_frame: KeyFrame) -> None:
        """Learn one more key frame, before the first step."""


@runtime_checkable
class ReachesBack(Propagator, Protocol):
    """A propagator that knows more of a frame before a key frame if it was led back to it from there first.

    For those whose memory of key frames ahead does not tell them all that they can know. What it finds on the way back
    it keeps until `step` comes by, which then answers from both sides. Each frame's steps are the caller's, as always:

        propagator.begin_back()
        for index in range(key_frame, here - 1, -1):
            propagator.step_back(index, image, given, wanted)
        propagator.step(here, image, given, wanted)

    Attributes:
        farthest_back: so many frames from a key frame it may be led back, which bounds its memory.
    """

    farthest_back: int

    def begin_back(self) -> None:
        """A way back begins; what was found on others, and the run itself, stay as they are."""

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        """Go through the next frame of a way back. Arguments as in `step`.

        Each object sets out from the first frame on the way in which it is given and wanted.

        Raises:
            EngineError: the model failed.
        """


@dataclass(frozen=True)
class Forecast:
    """What memory a run will take, known before it; as text a sentence for people.

    Attributes:
        run: for whom: `3 objects at 1920 x 1080`.
        bytes: about as many at most, with the model.
        free: bytes that are free now (this process's part of them), with what the model has already; None: unknown.
        where: whose memory: `cpu`, `cuda:1`.
    """

    run: str
    bytes: int
    free: int | None
    where: str

    @property
    def is_short(self) -> bool:
        """Whether there may not be enough."""
        return self.free is not None and self.free < self.bytes

    def __str__(self) -> str:
        free = "" if self.free is None else f", {describe_bytes(self.free)} free"
        advice = "; a smaller --short-side or fewer objects at once need less" if self.is_short else ""
        return f"Memory for {self.run}: about {describe_bytes(self.bytes)} on {self.where}{free}{advice}."


@runtime_checkable
class MemoryBound(Propagator, Protocol):
    """A propagator that needs much memory: it says so beforehand, and gives something up where there is not enough.

    A contract besides, for those that need it; ask through `notice_of` and `forecast_of`, which take any propagator.
    """

    def notice(self) -> str | None:
        """What changed since the last call, in a sentence for people; None: nothing did.

        Such as `Memory is short: frames are seen at 360 instead of 480 pixels from frame 120 on.` Where memory runs out
        in `begin` or `step`, the call goes on with less and answers nevertheless, so ask after each of them.
        """

    def forecast(self, height: int, width: int, objects: int, key_frames: int) -> Forecast:
        """What memory a run will take at most, however long the video is, and what there is.

        Args:
            height, width: of the video, in pixels.
            objects: how many will be followed.
            key_frames: how many will be learned in `begin`.
        """


@runtime_checkable
class Identified(Propagator, Protocol):
    """A propagator whose name does not say all that its answers depend on."""

    @property
    def identity(self) -> str:
        """The same for propagators that give the same answers: weights, settings, device and precision are in it."""


def identity_of(propagator: Propagator) -> str:
    """What tells a propagator from others that answer otherwise."""
    return propagator.identity if isinstance(propagator, Identified) else propagator.name


def notice_of(propagator: Propagator) -> str | None:
    """What a propagator has to say since the last time, a sentence for people; None: nothing."""
    return propagator.notice() if isinstance(propagator, MemoryBound) else None


def forecast_of(propagator: Propagator, height: int, width: int, objects: int, key_frames: int = 1) -> Forecast | None:
    """The memory that a run will take; None: too little to speak of. Arguments: see the contract."""
    if isinstance(propagator, MemoryBound):
        return propagator.forecast(height, width, objects, key_frames)
    return None
