"""STCN from frame to frame, on tensors of working size: look, read memory, decide, remember."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sam_annotator.engine.stcn.aggregate import aggregate
from sam_annotator.engine.stcn.memory import DEFAULT_PLAN, Kind, MemoryBank, MemoryPlan
from sam_annotator.engine.stcn.network import FrameFeatures, StcnNetwork

OBJECTS_TOGETHER = 8
"""Objects that go through the network at once; this bounds the memory of a step."""


@dataclass(frozen=True, eq=False)
class Shares:
    """Who has how much of each pixel.

    Attributes:
        objects: the objects, ascending.
        planes: float32 (1 + objects, height, width), the background first; they sum up to one.
    """

    objects: tuple[int, ...]
    planes: Tensor

    def of(self, object_id: int) -> Tensor:
        """An object's plane: float32 (height, width)."""
        return self.planes[1 + self.objects.index(object_id)]


class Tracker:
    """Follows objects through frames padded to multiples of 16.

    A step that fails changes nothing and may be repeated, also with frames scaled to another size.

    Attributes:
        memory: what is remembered.
        together: objects that go through the network at once.
    """

    def __init__(self, network: StcnNetwork, plan: MemoryPlan = DEFAULT_PLAN) -> None:
        self._network = network
        self._plan = plan
        self.together = OBJECTS_TOGETHER
        self.begin()

    @property
    def network(self) -> StcnNetwork:
        """What computes."""
        return self._network

    @network.setter
    def network(self, network: StcnNetwork) -> None:
        self._network = network
        self.memory.move(network.device, network.dtype)

    def begin(self) -> None:
        """Forget everything."""
        self.memory = MemoryBank(self._plan)
        self._steps = 0

    def learn(self, index: int, image: Tensor, masks: Mapping[int, Tensor]) -> None:
        """Remember a key frame for good.

        Args:
            index: the frame's index in the video.
            image: float32 (1, 3, height, width), normalised.
            masks: object -> float32 (height, width), 0..1.
        """
        if masks:
            frame = self._network.encode_frame(image)
            self._remember(index, frame, self._share(frame, masks, {}), dict.fromkeys(masks, Kind.KEY))

    def step(self, index: int, image: Tensor, given: Mapping[int, Tensor], wanted: frozenset[int]) -> Shares:
        """Who has the pixels of a frame: what is given, and the wanted objects that are remembered.

        Args:
            index: the frame's index in the video.
            image: float32 (1, 3, height, width), normalised.
            given: object -> float32 (height, width), 0..1. Those that are wanted are remembered.
            wanted: the objects to follow.
        """
        frame = self._network.encode_frame(image)
        follow = sorted((wanted & self.memory.objects) - given.keys())
        shares = self._share(frame, given, self._predict(frame, follow))
        kinds = dict.fromkeys(sorted(wanted & given.keys()), Kind.GIVEN)
        if self._plan.is_due(self._steps):
            kinds.update(dict.fromkeys(follow, Kind.WORKING))
        elif self._plan.last:
            kinds.update(dict.fromkeys(follow, Kind.LAST))
        self._remember(index, frame, shares, kinds)
        self._steps += 1
        return shares

    def _predict(self, frame: FrameFeatures, object_ids: list[int]) -> dict[int, Tensor]:
        """The probability of each object by itself."""
        return self._in_groups(
            object_ids, lambda group: self._network.decode(frame, self.memory.read(frame.key, group))[:, 0]
        )

    def _share(self, frame: FrameFeatures, given: Mapping[int, Tensor], predicted: Mapping[int, Tensor]) -> Shares:
        everyone = {**given, **predicted}
        probabilities = torch.zeros(len(everyone), *frame.image.shape[2:], device=frame.image.device)
        for plane, object_id in zip(probabilities, sorted(everyone), strict=True):
            plane.copy_(everyone[object_id])
        return Shares(tuple(sorted(everyone)), aggregate(probabilities))

    def _remember(self, index: int, frame: FrameFeatures, shares: Shares, kinds: Mapping[int, Kind]) -> None:
        everything = shares.planes[1:].sum(0)

        def encode(group: list[int]) -> Tensor:
            masks = torch.stack([shares.of(object_id) for object_id in group])[:, None]
            return self._network.encode_values(frame, masks, everything - masks)

        self.memory.remember(index, frame.key, self._in_groups(sorted(kinds), encode), kinds)

    def _in_groups(self, object_ids: list[int], compute: Callable[[list[int]], Tensor]) -> dict[int, Tensor]:
        """What `compute` gives for groups of objects, by object."""
        groups = (object_ids[first : first + self.together] for first in range(0, len(object_ids), self.together))
        return {object_id: result for group in groups for object_id, result in zip(group, compute(group), strict=True)}
