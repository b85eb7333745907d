"""How far fetching is, in words."""

import time

from sam_annotator.core.weights.hashing import FetchProgress
from sam_annotator.core.weights.manifest import describe_bytes

_SPEED_SECONDS = 5.0


class Speed:
    """Bytes a second, over the last few seconds."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def add(self, done: int) -> None:
        """Note how far it is now."""
        now = time.monotonic()
        self._seen = [*(item for item in self._seen if now - item[0] < _SPEED_SECONDS), (now, done)]

    @property
    def per_second(self) -> float:
        """0 while nothing is known."""
        (start, before), (now, done) = self._seen[0], self._seen[-1]
        return (done - before) / (now - start) if now > start and done > before else 0.0

    def describe(self, step: FetchProgress) -> str:
        """`, 8.2 MB/s, 31 s left`; empty while nothing is known."""
        speed = self.per_second
        if not speed:
            return ""
        left = f", {_describe_seconds((step.total - step.done) / speed)} left" if step.total else ""
        return f", {describe_bytes(int(speed))}/s{left}"


def _describe_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def describe_amount(step: FetchProgress) -> str:
    done = describe_bytes(step.done)
    if step.total is None:
        return done
    total = describe_bytes(step.total)
    same_unit = done.split()[-1] == total.split()[-1]
    return f"{done.split()[0] if same_unit else done} of {total}"
