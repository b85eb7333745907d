"""Where memory runs out, a run goes on at the same frame with less of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import cv2
import torch

from sam_annotator.engine.out_of_memory import is_out_of_memory
from sam_annotator.engine.stcn.ladder import Thrift
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.tracker import Tracker

Result = TypeVar("Result")


class Sparing:
    """Repeats what ran out of memory, with less and less in use; each run begins with all that was asked for.

    First the device's cache is emptied; then `Thrift` gives up one thing after another; then the fallback takes over,
    where everything is to be had again, and may be given up again.

    Attributes:
        thrift: how sparing the run is now.
    """

    def __init__(
        self, tracker: Tracker, network: StcnNetwork, usual: Thrift, fallback: Callable[[], StcnNetwork] | None
    ) -> None:
        """
        Args:
            tracker: what is made to take less.
            network: that it computes with.
            usual: what it begins with.
            fallback: makes the network anew where there is more memory; None: there is no such place.
        """
        self._tracker = tracker
        self._network = network
        self._usual = usual
        self._fallback = fallback
        self.thrift = self._told = usual
        self._stand_in: StcnNetwork | None = None
        self._objects = 0

    @property
    def network(self) -> StcnNetwork:
        """What a run begins with."""
        return self._network

    def begin(self) -> None:
        """Another run begins: forget what the last one remembered, and what it had to give up."""
        self._tracker.begin()
        self._tracker.network, self._tracker.together = self._network, self._usual.together
        self.thrift = self._told = self._usual

    def notice(self) -> str | None:
        """What was given up since the last call, a sentence for people."""
        before, self._told = self._told, self.thrift
        return None if before == self.thrift else self.thrift.describe_change(before, self._objects)

    def attempt(self, compute: Callable[[], Result], *, objects: int, side: int) -> Result:
        """What `compute` gives in the end. It must change nothing where it fails.

        Args:
            compute: is called until it does not run out of memory.
            objects: that it is about.
            side: pixels of the frame's shorter side.

        Raises:
            what `compute` raises: another failure, or there is nothing left to give up.
        """
        failures = 0
        self._objects = objects
        while True:
            try:
                return compute()
            except (RuntimeError, MemoryError, cv2.error) as error:
                if not is_out_of_memory(error):
                    raise
                lower = self._next(objects, side) if failures else self.thrift
                if lower is None:
                    raise
            # Not before: the exception's traceback holds on to what was computed.
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._use(lower)
            failures += 1

    def _next(self, objects: int, side: int) -> Thrift | None:
        lower = self.thrift.lower(remembered=self._tracker.memory.working, objects=objects, side=side)
        if lower is not None or self._fallback is None or self._tracker.network is self._stand_in:
            return lower
        if self._stand_in is None:
            self._stand_in = self._fallback()
        return replace(self._usual, device=str(self._stand_in.device))

    def _use(self, thrift: Thrift) -> None:
        self.thrift = thrift
        self._tracker.together = thrift.together
        self._tracker.memory.keep_fewer(thrift.working)
        if self._stand_in is not None and thrift.device == str(self._stand_in.device):
            self._tracker.network = self._stand_in
