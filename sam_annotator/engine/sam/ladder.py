"""What SAM does where memory is short: a ladder down, from the fastest place to the one that always has some."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from sam_annotator.engine.device import fastest_precision
from sam_annotator.engine.out_of_memory import is_out_of_memory

Result = TypeVar("Result")


@dataclass(frozen=True)
class Rung:
    """Where and how a model computes.

    Attributes:
        device: where.
        precision: of the image encoder's matrices.
    """

    device: torch.device
    precision: torch.dtype

    def __str__(self) -> str:
        return f"{self.device} {precision_name(self.precision)}"


def precision_name(precision: torch.dtype) -> str:
    """For people: `bfloat16`."""
    return str(precision).removeprefix("torch.")


def rungs_below(rung: Rung) -> tuple[Rung, ...]:
    """Smaller numbers on the same device, then the processor; none below the processor."""
    if rung.device.type == "cpu":
        return ()
    cpu = torch.device("cpu")
    smaller = (Rung(rung.device, torch.float16),) if rung.precision == torch.float32 else ()
    return (*smaller, Rung(cpu, fastest_precision(cpu)))


class Ladder:
    """Computes on the highest rung that has the memory for it, and stays where it came to.

    Attributes:
        rung: where it stands.
        fallen_from: the rungs that had too little memory.
    """

    def __init__(self, rung: Rung, lower: tuple[Rung, ...], report: Callable[[str], None]) -> None:
        """
        Args:
            rung: where to begin.
            lower: what comes below, in order.
            report: is told each step down, in a sentence.
        """
        self.rung, self.fallen_from = rung, tuple[Rung, ...]()
        self._lower, self._report = lower, report

    def compute(self, act: Callable[[], Result], move: Callable[[Rung], None]) -> Result:
        """What `act` returns; it is done again after each remedy against a lack of memory.

        Args:
            act: what is wanted.
            move: takes the model to another rung. Not kept: a model that its own ladder refers to would outlive its
                last user until garbage is searched for, and its memory is wanted at once.

        Raises:
            Exception: what `act` raised: no lack of memory, or one that nothing remedies.
        """
        has_emptied = False
        while True:
            try:
                return act()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or (has_emptied and not self._lower):
                    raise
            # Only here, with the exception and its traceback gone, is what the failed attempt held free again.
            empty_caches(self.rung.device)
            if has_emptied:
                self._step_down(move)
            has_emptied = True

    def _step_down(self, move: Callable[[Rung], None]) -> None:
        full, self.rung, self._lower = self.rung, self._lower[0], self._lower[1:]
        self.fallen_from = (*self.fallen_from, full)
        self._report(f"Segment Anything goes on with {self.rung}, for {full} is out of memory.")
        move(self.rung)
        empty_caches(full.device)


def empty_caches(device: torch.device) -> None:
    """Give back to a device what torch holds of it and does not use."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
