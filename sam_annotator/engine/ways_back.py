"""Which frames a propagator is led back through, so that what lies between two key frames is reached from both.

Each object has key frames of its own, so each has its own stretches between two of them. An object is led back from the
next of its key frames through the frames that the run is about to come to, all of those that bear on them at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sam_annotator.core.tracks import Track


@dataclass(frozen=True)
class WayBack:
    """One way back.

    Attributes:
        frames: from the farthest key frame to the one that the run is about to come to.
        key_frames: object id -> the key frame that it is led back from.
    """

    frames: range
    key_frames: Mapping[int, int]

    def objects(self, index: int) -> frozenset[int]:
        """The objects that are led through a frame: it is their key frame, or they have come by it."""
        back = self.frames.step
        return frozenset(i for i, key_frame in self.key_frames.items() if (index - key_frame) * back >= 0)


class WaysBack:
    """The ways back of one pass, each once.

    Args:
        tracks: of the objects that the run answers for, by id.
        frames: of the pass, in its order.
        farthest: so many frames from a key frame a way back may go.
        pending: the objects that a later run will answer for anew in a frame. A way is worth it where half of its
            frames or more are yet to be answered for, now or later: so it does not matter how runs share them out.
    """

    def __init__(
        self, tracks: Mapping[int, Track], frames: range, farthest: int, pending: Callable[[int], frozenset[int]]
    ) -> None:
        self._tracks, self._step, self._farthest = tracks, frames.step, farthest
        self._frames, self._pending = frames, pending
        self._led: set[tuple[int, int]] = set()

    def due(self, index: int, object_ids: frozenset[int]) -> WayBack | None:
        """The way to lead some of these objects before the run comes to a frame; None: there is no need to."""
        coming = {i: self._coming_key_frame(self._tracks[i], index) for i in sorted(object_ids & self._tracks.keys())}
        due = {i: at for i, at in coming.items() if at is not None and (i, at) not in self._led}
        if not due:
            return None
        self._led.update(due.items())
        farthest = max(due.values(), key=lambda at: at * self._step)
        return WayBack(range(farthest, index - self._step, -self._step), due)

    def _coming_key_frame(self, track: Track, index: int) -> int | None:
        """The key frame ahead, where it is near enough and a human says nothing of the object before."""
        for at in range(index, index + (self._farthest + 1) * self._step, self._step):
            if at in track.decided_frames:
                return at if at in track.key_frames and self._is_worth_it(track, range(index, at, self._step)) else None
        return None

    def _is_worth_it(self, track: Track, way: range) -> bool:
        open_ones = [
            at
            for at in way
            if at in self._frames or at not in track.known_frames or track.object_id in self._pending(at)
        ]
        return len(open_ones) * 2 >= len(way) > 0
