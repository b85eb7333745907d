"""What a run remembers: for a bounded number of frames what they looked like, and what of it was which object."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from math import sqrt

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, everybody's name for it

TOP = 20
"""Places of memory that take part in the answer for one place of a frame, as published."""

CHUNK = 2**24
"""Affinities that are held at once (64 MiB), unless one remembered frame alone makes more."""


class Kind(IntEnum):
    """Why a frame is remembered of an object; a frame that is remembered for two reasons has the higher."""

    LAST = 1
    """It is the one before; the next one takes its place."""
    WORKING = 2
    """It is one of a spread over what the run has come through."""
    GIVEN = 3
    """The run came by it, and the object's mask was given there."""
    KEY = 4
    """It was learned before the run, and is kept for good."""


@dataclass(frozen=True)
class MemoryPlan:
    """How much is remembered.

    Attributes:
        every: each so many frames of a run become working frames, 5 as published; None: none does.
        last: whether the frame before is remembered too, where it is not for another reason.
        working: working frames that are kept for each object, spread over the run, the near ones more densely.
        given: likewise, frames in which its mask was given during the run.
    """

    every: int | None = 5
    last: bool = True
    working: int = 16
    given: int = 8

    def is_due(self, steps: int) -> bool:
        """Whether the frame so many steps after the first one of a run becomes a working frame."""
        return self.every is not None and steps % self.every == 0


DEFAULT_PLAN = MemoryPlan()


@dataclass(frozen=True, eq=False)
class _Entry:
    kind: Kind
    value: Tensor  # (places, channels)


class MemoryBank:
    """Keys of frames and, for each object by itself, values of the frames in which it is remembered.

    It is bounded: for each object the key frames, and what the plan allows besides. What is remembered of one object
    does not depend on which others there are.

    Attributes:
        plan: how much is remembered.
    """

    def __init__(self, plan: MemoryPlan = DEFAULT_PLAN) -> None:
        self.plan = plan
        self._keys: dict[int, Tensor] = {}  # frame -> float32 (places, channels)
        self._entries: dict[int, dict[int, _Entry]] = {}  # object -> frame -> entry, in the order they came

    @property
    def working(self) -> int:
        """Working frames of the object that has most of them."""
        kinds = ([entry.kind for entry in entries.values()] for entries in self._entries.values())
        return max((of_one.count(Kind.WORKING) for of_one in kinds), default=0)

    @property
    def objects(self) -> frozenset[int]:
        """The objects that are remembered."""
        return frozenset(self._entries)

    def frames(self, object_id: int) -> dict[int, Kind]:
        """The frames in which an object is remembered, in the order they came, and why."""
        return {index: entry.kind for index, entry in self._entries.get(object_id, {}).items()}

    def value(self, object_id: int, index: int) -> Tensor:
        """What is remembered of an object in a frame: (places, channels)."""
        return self._entries[object_id][index].value

    def remember(self, index: int, key: Tensor, values: Mapping[int, Tensor], kinds: Mapping[int, Kind]) -> None:
        """Remember a frame; all of it, or nothing where there is no memory for it.

        Args:
            index: the frame's index in the video.
            key: float32 (1, channels, h, w).
            values: for each object (channels, h, w).
            kinds: for each object why.
        """
        places, kept = _places(key[0]), {object_id: _places(value) for object_id, value in values.items()}
        for object_id, value in kept.items():
            entries, kind = self._entries.setdefault(object_id, {}), kinds[object_id]
            for old in [old for old, entry in entries.items() if entry.kind == Kind.LAST]:
                del entries[old]
            known = entries.get(index)
            if known is None or known.kind <= kind or kind == Kind.GIVEN:
                entries[index] = _Entry(max(kind, known.kind if known else kind), value)
        self._keys[index] = places
        self._keep_to_plan()

    def keep_fewer(self, working: int) -> None:
        """Keep at most so many working frames of each object from now on."""
        self.plan = replace(self.plan, working=working)
        self._keep_to_plan()

    def move(self, device: torch.device, dtype: torch.dtype) -> None:
        """Keep everything on another device from now on, the values in this type."""
        self._keys = {index: key.to(device) for index, key in self._keys.items()}
        for entries in self._entries.values():
            for index, entry in entries.items():
                entries[index] = _Entry(entry.kind, entry.value.to(device, dtype))

    def _keep_to_plan(self) -> None:
        for entries in self._entries.values():
            _thin(entries, Kind.WORKING, self.plan.working)
            _thin(entries, Kind.GIVEN, self.plan.given)
        used: set[int] = set().union(*self._entries.values())
        self._keys = {frame: places for frame, places in self._keys.items() if frame in used}

    def read(self, key: Tensor, object_ids: Iterable[int]) -> Tensor:
        """What each object's memory holds for each place of a frame.

        Args:
            key: float32 (1, channels, h, w), the frame's.
            object_ids: of k objects that are remembered.

        Returns:
            (k, channels, h, w), of the type of the values.
        """
        queries = _places(key[0])
        matches: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        readouts = []
        for object_id in object_ids:
            entries = self._entries[object_id]
            frames = tuple(sorted(entries))
            if frames not in matches:  # objects that are remembered in the same frames look up the same places
                matches[frames] = match(queries, [self._keys[frame] for frame in frames])
            weights, places = matches[frames]
            values = torch.cat([entries[frame].value for frame in frames])
            read = F.embedding_bag(places, values, mode="sum", per_sample_weights=weights.to(values.dtype))
            readouts.append(read.T.reshape(-1, *key.shape[2:]))
        return torch.stack(readouts)


def match(queries: Tensor, keys: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The places of memory whose keys lie nearest to each query, and how much each counts.

    The affinity is the negative squared distance over the root of the number of channels, less what is the same
    for all places of memory. Only a part of all affinities is ever held.

    Args:
        queries: float32 (q, channels).
        keys: of each remembered frame, float32 (places, channels); a frame that was seen larger has more places.

    Returns:
        float32 (q, top), summing up to one; int64 (q, top), counted through all frames. `top` is TOP, or all there are.
    """
    scale = sqrt(queries.shape[1])
    best, where = queries.new_empty(len(queries), 0), torch.empty(len(queries), 0, dtype=torch.long)
    where = where.to(queries.device)
    together = max(1, CHUNK // (len(queries) * max(len(key) for key in keys)))
    before = 0
    for first in range(0, len(keys), together):
        chunk = torch.cat(keys[first : first + together])
        affinity = torch.addmm(-chunk.square().sum(1) / scale, queries, chunk.T, alpha=2 / scale)
        values, places = affinity.topk(min(TOP, len(chunk)), sorted=False)
        best, where = torch.cat([best, values], 1), torch.cat([where, places + before], 1)
        if best.shape[1] > TOP:
            best, kept = best.topk(TOP, sorted=False)
            where = where.gather(1, kept)
        before += len(chunk)
    return torch.softmax(best, 1), where


def _places(features: Tensor) -> Tensor:
    """(channels, h, w) -> (h * w, channels), of its own memory."""
    return features.flatten(1).T.contiguous().clone()


def _thin(entries: dict[int, _Entry], kind: Kind, limit: int) -> None:
    """Forget entries of a kind until `limit` are left, the newest and the oldest among them.

    Of the others goes the one whose neighbours are nearest to each other, measured by how far back it lies; so what
    is left lies densely near the newest and is spread out further back, and reaches back to the start.
    """
    frames = [index for index, entry in entries.items() if entry.kind == kind]
    while len(frames) > limit:
        newest = frames[-1]
        costs = [
            abs(after - before) / abs(newest - frame)
            for before, frame, after in zip(frames, frames[1:], frames[2:], strict=False)
        ]
        del entries[frames.pop(1 + costs.index(min(costs)) if limit > 1 and costs else 0)]
