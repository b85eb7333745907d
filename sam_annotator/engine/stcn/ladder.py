"""What a run gives up, step by step, where there is not enough memory: the cheapest first."""

from dataclasses import dataclass, replace

FEWEST_WORKING = 4
"""Working frames of each object that a run does not go below."""

SMALLEST_SIDE = 240
"""Pixels: the shorter side of a frame as the network sees it that a run does not go below."""

SHRINKING = 0.75
"""The shorter side becomes so much of itself at a time."""


@dataclass(frozen=True)
class Thrift:
    """How sparing a run is with memory.

    Attributes:
        working: working frames that are remembered of each object.
        together: objects that go through the network at once.
        short_side: pixels of a frame's shorter side as the network sees it.
        device: what computes, for people.
    """

    working: int
    together: int
    short_side: int
    device: str

    def lower(self, *, remembered: int, objects: int, side: int) -> "Thrift | None":
        """The next step down that changes anything on this device; None: there is none.

        Args:
            remembered: working frames that there are of an object, at most.
            objects: that are followed.
            side: pixels of the video's shorter side.
        """
        working = min(self.working, remembered)
        if working > FEWEST_WORKING:
            return replace(self, working=max(FEWEST_WORKING, working // 2))
        together = min(self.together, objects)
        if together > 1:
            return replace(self, together=together // 2)
        seen = min(self.short_side, side)
        if seen > SMALLEST_SIDE:
            return replace(self, short_side=max(SMALLEST_SIDE, round(seen * SHRINKING)))
        return None

    def describe_change(self, before: "Thrift", objects: int | None = None) -> str:
        """What is different from before, a sentence for people. `objects`: that are followed; None: unknown."""
        changes = []
        if self.device != before.device:
            changes.append(f"{self.device} computes instead of {before.device}")
        if self.working != before.working:
            changes.append(f"each object keeps {self.working} working frames in memory instead of {before.working}")
        if self.together != before.together:
            usual = before.together if objects is None else min(before.together, objects)
            changes.append(f"objects are computed {self.together} at a time instead of {usual}")
        if self.short_side != before.short_side:
            changes.append(f"frames are seen with a short side of {self.short_side} pixels")
        return f"Memory is short, so the run goes on with less: {'; '.join(changes)}."
