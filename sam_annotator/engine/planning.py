"""What a propagation is asked for, and which requests fill a whole video."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

import numpy as np

from sam_annotator.core.tracks import Track
from sam_annotator.core.videos import Video

Direction = Literal["forward", "backward", "both"]

Reach = Literal["forward", "backward", "both", "between"]
"""Where the frames lie that a whole video is filled in: see `plan_unfilled`."""

REACHES: Final[tuple[Reach, ...]] = ("forward", "backward", "both", "between")

MAX_KEY_FRAMES: Final = 8
"""Key frames that a propagator is told of before a run, unless the objects need more to have one each."""


@dataclass(frozen=True)
class PropagationRequest:
    """What to propagate, from where, and how far.

    Attributes:
        object_ids: the objects to answer for.
        start: the frame whose saved masks are carried on.
        first, last: the range to fill, inclusive; `start` lies in it.
        direction: `forward` fills start..last, `backward` start..first, `both` one after the other.
        within: the first and the last frame that are written; others are only gone through. None: all are.
    """

    object_ids: tuple[int, ...]
    start: int
    first: int
    last: int
    direction: Direction = "forward"
    within: tuple[int, int] | None = None

    def writes(self, index: int) -> bool:
        """Whether a frame may be written."""
        return self.within is None or self.within[0] <= index <= self.within[1]

    @property
    def passes(self) -> tuple[range, ...]:
        """The frames of each pass in the order they are stepped through; each pass begins at `start`."""
        forward = range(self.start, self.last + 1)
        backward = range(self.start, self.first - 1, -1)
        if self.direction == "both":
            return tuple(frames for frames in (forward, backward) if len(frames) > 1) or (forward,)
        return (forward,) if self.direction == "forward" else (backward,)

    @property
    def total(self) -> int:
        """How many frames the run reports."""
        return len(set().union(*self.passes))

    def fills(self, index: int) -> bool:
        """Whether a frame is one to fill: one that the run comes to, and may write, not the one it begins with."""
        return self.writes(index) and index != self.start and any(index in frames for frames in self.passes)


def plan_unfilled(
    video: Video,
    tracks: Iterable[Track],
    *,
    direction: Reach = "forward",
    again: bool = False,
    within: tuple[int, int] | None = None,
) -> list[PropagationRequest]:
    """The runs, in order, after which every object is answered for in every frame that is asked for.

    A frame is answered for if a human made or approved the object there, or said that it is not there, or a propagation
    wrote it or said 'not here'; so after an interruption the runs begin where the last one stopped. Objects that
    lack an answer in the same frames run together, because they compete for pixels.

    Args:
        direction: for each object, `forward`: the frames after its first key frame; `backward`: those before its last
            one, carried backward; `both`: all; `between`: those between its first and its last one.
        again: what an earlier propagation wrote counts as not answered.
        within: the first and the last frame that may be filled; None: all may. The frames from what is known to the
            first one are gone through.
    """
    known = [track for track in tracks if track.key_frames]
    forward, backward = range(len(video)), range(len(video) - 1, -1, -1)
    first, last = within or (0, len(video) - 1)
    requests = []
    if direction in ("forward", "both", "between"):
        requests += _plan_pass(known, forward, again, range(first, last + 1), direction)
    if direction in ("backward", "both"):
        requests += _plan_pass(known, backward, again, range(first, last + 1), direction)
    return requests


def choose_key_frames(key_frames: Iterable[Iterable[int]], frames: range) -> list[int]:
    """The key frames to learn before a pass through `frames`, ascending.

    Of each object the one nearest to the pass's start; then others, evenly spread over the pass, or the
    nearest to it, up to MAX_KEY_FRAMES.

    Args:
        key_frames: those of each object.
    """
    per_object = [sorted(indices) for indices in key_frames]
    chosen = {min(indices, key=lambda index: abs(index - frames[0])) for indices in per_object if indices}
    others = sorted(set().union(*per_object) - chosen)
    inside = [index for index in others if index in frames]
    outside = sorted(set(others).difference(inside), key=lambda index: min(abs(index - frames[i]) for i in (0, -1)))
    room = max(MAX_KEY_FRAMES - len(chosen), 0)
    if len(inside) > room:
        chosen.update(inside[place] for place in np.linspace(0, len(inside) - 1, room).astype(int))
    else:
        chosen.update((inside + outside)[:room])
    return sorted(chosen)


def _plan_pass(
    tracks: Sequence[Track], frames: range, again: bool, within: range, direction: Reach
) -> list[PropagationRequest]:
    """The runs through `frames`, in their order, that fill what lies beyond each object's key frame."""
    missing = {track.object_id: _missing(track, frames, again, within, direction) for track in tracks}

    def lacking(index: int) -> tuple[int, ...]:
        return tuple(object_id for object_id, indices in missing.items() if index in indices)

    requests = []
    for object_ids, group in groupby(frames, key=lacking):
        indices = list(group)
        if object_ids:
            before = indices[0] - frames.step  # carried on from there
            start = before
            if before not in within:  # what lies between is not filled by a request before this one
                anchors = (_anchor(track, before, frames.step) for track in tracks if track.object_id in object_ids)
                start = min(anchors, key=lambda index: index * frames.step)
            ends = (start, indices[-1])
            way: Direction = "forward" if frames.step > 0 else "backward"
            written = None if start == before else (min(indices), max(indices))
            requests.append(PropagationRequest(object_ids, start, min(ends), max(ends), way, written))
    return requests


def _anchor(track: Track, index: int, step: int) -> int:
    """The nearest frame, from this one back to where a pass comes from, that says where the object is."""
    known = [i for i in track.known_frames if (index - i) * step >= 0]
    return max(known, key=lambda i: i * step, default=index)


def _missing(track: Track, frames: range, again: bool, within: range, direction: Reach) -> set[int]:
    """The frames beyond the key frame that have no answer, and those between two of them where a human has the say (by
    a mask, or 'not here'): a run goes on through them."""
    begin = max(track.key_frames) if direction == "backward" else min(track.key_frames)
    end = max(track.key_frames) if direction == "between" else frames[-1]
    beyond = [i for i in frames if i in within and (i - begin) * frames.step > 0 and (end - i) * frames.step >= 0]
    answered = frozenset() if again else track.frames | track.answered_frames
    missing: set[int] = set()
    for done, group in groupby(beyond, key=lambda index: index in answered - track.decided_frames):
        stretch = list(group)
        without = [place for place, index in enumerate(stretch) if index not in track.decided_frames]
        if without and not done:
            missing.update(stretch[without[0] : without[-1] + 1])
    return missing
