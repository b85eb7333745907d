"""What the embedded propagator remembers: the frame before, each object it follows, the key frames of the run."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import Appearance, GlobalModel, gather_evidence, global_grid
from sam_annotator.engine.embedded.flow import (
    FAR,
    WORK_AREA,
    Floats,
    Mask,
    bounded_size,
    resize,
    signed_distance,
)
from sam_annotator.engine.embedded.recovery import LastSeen
from sam_annotator.engine.embedded.shape import Shape
from sam_annotator.engine.embedded.small import SMALL_AREA
from sam_annotator.engine.embedded.strangers import Strangers
from sam_annotator.engine.embedded.texture import find_grain

Image = NDArray[np.uint8]

REMEMBERED_AREAS: Final = 15

GOOD_SHARE: Final = 0.3
"""A mask smaller than this share of the usual area is answered but not learned from, and refuses no piece beside it."""

LOST_SHARE: Final = 0.2
"""An object whose mask was smaller than this share of its usual area is looked for elsewhere."""

LONG_AWAY: Final = 5
"""Frames out of sight after which what looks like an object need not be it."""


@dataclass(frozen=True, eq=False)
class View:
    """One frame as it is looked at.

    Attributes:
        index: the frame's index in the video.
        grey: uint8 (height, width), at working size.
        appearance: its colours, at working size.
    """

    index: int
    grey: Image
    appearance: Appearance

    @classmethod
    def of(cls, index: int, image: Image) -> "View":
        """From uint8 (height, width, 3), RGB."""
        height, width = image.shape[:2]
        seen = cast(Image, resize(image, bounded_size(height, width, WORK_AREA)))
        return cls.shrunk(index, seen, grain_of(image, (seen.shape[0], seen.shape[1])))

    @classmethod
    def shrunk(cls, index: int, seen: Image, grain: Floats) -> "View":
        """From uint8 (height, width, 3), RGB, at working size, and the grain, which is lost in it."""
        return cls(index, cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), Appearance.of(seen, grain))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the masks that are worked out in it."""
        return self.appearance.size


def grain_of(image: Image, size: tuple[int, int]) -> Floats:
    """The grain of a frame, uint8 (height, width, 3), that is looked at in working `size`."""
    height, width = image.shape[:2]
    finer = cast(Image, resize(image, bounded_size(height, width, 4 * WORK_AREA)))
    return find_grain(cast(Image, cv2.cvtColor(finer, cv2.COLOR_RGB2GRAY)), global_grid(size))


@dataclass(frozen=True, eq=False)
class StoredKeyFrame:
    """A key frame kept for the run, packed, at working size: image as PNG, masks as bits, what is lost in them."""

    index: int
    masks: Mapping[int, NDArray[np.uint8]]
    _image: NDArray[np.uint8]
    _grain: Floats
    _size: tuple[int, int]

    @classmethod
    def of(cls, index: int, image: Image, masks: Mapping[int, Mask], size: tuple[int, int]) -> "StoredKeyFrame":
        """From the frame as it came, and masks (height, width) at working `size`."""
        seen = cast(Image, resize(image, size))
        packed = cv2.imencode(".png", seen[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        bits = {key: np.packbits(mask) for key, mask in masks.items()}
        return cls(index, bits, packed, grain_of(image, size), size)

    def view(self) -> View:
        """The frame as it was looked at, to the last bit."""
        unpacked = cast(Image, cv2.imdecode(self._image, cv2.IMREAD_COLOR))
        return View.shrunk(self.index, np.ascontiguousarray(unpacked[..., ::-1]), self._grain)

    def mask(self, object_id: int) -> Mask:
        """The object's mask at working size."""
        height, width = self._size
        return np.unpackbits(self.masks[object_id], count=height * width).reshape(self._size).astype(bool)


@dataclass(eq=False)
class Followed:
    """What is remembered of one object; it does not grow with the steps taken.

    Attributes:
        model: its appearance over the whole run.
        view: the frame in which it was answered last, None before the first.
        true_index: the frame in which its mask was true last.
        distance: float32 (height, width), signed distance of its mask in that frame.
        last_seen: where it was last answered with a mask of a good size.
        frames_lost: steps since then.
        frames_away: steps since it was last there at all, be it in part.
        longest_away: so many steps it was away at most before it was found again, since its mask was true last.
        is_doubtful: it was lost since its mask was true last: what was found again may be something else.
        motion: float32 (height, width), log odds gathered from how each pixel moved; None after a key frame or a loss.
        strangers: what came into sight beside it; None after a key frame or a loss.
        shape: its outline where it was true last, carried along; None after a loss, and where it is too small.
    """

    model: GlobalModel = field(default_factory=GlobalModel)
    view: View | None = None
    true_index: int = 0
    distance: Floats | None = None
    last_seen: LastSeen | None = None
    frames_lost: int = 0
    motion: Floats | None = None
    strangers: Strangers | None = None
    frames_away: int = 0
    longest_away: int = 0
    is_doubtful: bool = False
    shape: Shape | None = None
    _areas: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED_AREAS))

    @property
    def is_lost(self) -> bool:
        """True if it was there once and has (almost) vanished since."""
        if self.distance is None or not self._areas:
            return False
        return int((self.distance > 0).sum()) < LOST_SHARE * self._usual_area

    @property
    def _usual_area(self) -> float:
        """Working pixels; 0 as long as it was not seen."""
        return float(np.median(self._areas)) if self._areas else 0.0

    @property
    def is_small(self) -> bool:
        """True if its usual area is next to nothing on the grids of the models' samples."""
        return bool(self._areas) and self._usual_area < SMALL_AREA

    @property
    def may_be_another(self) -> bool:
        """True if it was away for long: what was found since, and learned from, only the key frames can tell."""
        return self.longest_away >= LONG_AWAY

    def setting_out(self) -> "Followed":
        """The same object, its appearance known, on another way on which it was not seen yet."""
        return Followed(self.model.copy())

    def restart(self, view: View, mask: Mask, others: Mask | None = None) -> None:
        """Go on from a mask that is true; what came before tells nothing about the size it has now.

        Args:
            view: the frame that it is true in.
            mask: bool (height, width).
            others: bool (height, width), what is known of other objects there.

        An empty one says that it is not here: it is looked for from then on, and what is found need not be it.
        """
        self.true_index = view.index
        self.is_doubtful = False
        self.longest_away = 0
        self.motion, self.strangers = None, None
        distance = self._place(view, mask)
        self.shape = None
        if mask.any():
            self.shape = Shape.of(view.appearance.lab, distance, others)
            self._areas.clear()
            self._see(int(mask.sum()))
        else:
            self.longest_away = LONG_AWAY
            self._miss()

    def go_on(self, view: View, mask: Mask, trust: float) -> None:
        """Go on from a mask that was worked out, and adapt to it as far as it is trusted (0..1)."""
        area = int(mask.sum())
        distance = self._place(view, mask)
        if area <= GOOD_SHARE * self._usual_area:
            self._miss()
            return
        self._see(area)
        evidence = gather_evidence(view.appearance, distance) if trust > 0 else None
        if evidence is not None:
            self.model.follow(evidence, trust)

    def sort_out(self, mask: Mask) -> Mask:
        """The mask, bool (height, width), of the present frame without what came into sight beside the object there."""
        if self.strangers is None or self.motion is None:
            return mask
        kept, strangers = self.strangers.sort_out(mask, self.motion)
        if kept.sum() <= GOOD_SHARE * self._usual_area:
            return mask
        self.strangers = strangers
        return kept

    def lose(self) -> None:
        """It may be anywhere: too many frames went by unseen, or another scene has begun."""
        self.longest_away = LONG_AWAY
        if self.distance is not None:
            self.distance = np.full_like(self.distance, -FAR)

    def _place(self, view: View, mask: Mask) -> Floats:
        self.view, self.distance = view, signed_distance(mask)
        return self.distance

    def _see(self, area: int) -> None:
        self._areas.append(area)
        self.last_seen = None if self.distance is None else LastSeen(self.distance)
        self.frames_lost = self.frames_away = 0

    def _miss(self) -> None:
        self.frames_lost += 1
        self.frames_away = self.frames_away + 1 if self.is_lost else 0
