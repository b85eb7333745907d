"""A propagator that takes each step only when it is let, and runs of it."""

import threading
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import Qt

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask
from sam_annotator.gui.driver import Driver
from tests.gui.steps import file_of

FRAMES = 6
BALL_CARRIED = {(1, "ball", "propagated")}


class HeldPropagator:
    """At the model boundary: carries masks on as they are, and takes each step only when it is let."""

    name = "held, test"

    def __init__(self) -> None:
        self.given: dict[int, frozenset[int]] = {}
        self.fails_at = -1
        self.blind_at: frozenset[int] = frozenset()
        self._steps = threading.Semaphore(0)
        self._is_free = threading.Event()

    def let(self, steps: int) -> None:
        """Allow some more steps."""
        self._steps.release(steps)

    def let_all(self) -> None:
        """Hold no step any more."""
        self._is_free.set()
        self._steps.release()

    def hold(self) -> None:
        """Hold each step again."""
        self._is_free.clear()
        while self._steps.acquire(blocking=False):
            pass

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        self._masks = {object_id: mask for key in key_frames for object_id, mask in key.masks.items()}

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        if not self._is_free.is_set() and not self._steps.acquire(timeout=180):
            raise EngineError("nobody let the step go on")
        if index == self.fails_at:
            raise EngineError("The model has no memory left; close other programs.")
        self.given[index] = frozenset(given)
        self._masks |= given
        seen = self._masks if index not in self.blind_at else {i: np.zeros_like(m) for i, m in self._masks.items()}
        return {object_id: PropagatedMask(seen[object_id], 0.9) for object_id in wanted - given.keys()}


def start(driver: Driver, held: HeldPropagator, steps: int) -> None:
    """Propagate, and wait until so many frames are done."""
    held.let(steps)
    driver.press(Qt.Key_Space)
    driver.wait(lambda: driver.window.propagation.done == steps, f"{steps} frames")


def finish(driver: Driver, held: HeldPropagator) -> None:
    held.let_all()
    driver.propagation(60)


def answered(driver: Driver) -> list[int]:
    """Frames that have a file."""
    return [index for index in range(FRAMES) if file_of(driver, index).exists()]
