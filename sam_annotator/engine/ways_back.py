"""Which frames a propagator is led back through, so that what lies between two key frames is reached from both.

Each object has key frames of its own, so each has its own stretches between two of them. An object is led back from the
next of its key frames through the frames that the run is about to come to, all of those that bear on them at once.
"""

from collections.abc import Mapping
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
        frames: of the pass, in its order. A key frame that lies farther beyond their end than they are many has little
            to say of them: no way leads back from it.
        farthest: so many frames from a key frame a way back may go.
    """

    def __init__(self, tracks: Mapping[int, Track], frames: range, farthest: int) -> None:
        self._tracks, self._step, self._farthest = tracks, frames.step, farthest
        self._end = frames[-1] + frames.step * len(frames)
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
                is_near = at != index and (self._end - at) * self._step >= 0
                return at if is_near and at in track.key_frames else None
        return None
