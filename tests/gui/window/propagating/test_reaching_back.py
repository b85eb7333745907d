"""Between two key frames a run comes back from the later one first: the window says so, and it can be stopped there."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt5.QtCore import Qt

from sam_annotator.engine.propagator import Masks
from sam_annotator.gui.driver import Driver
from tests.gui.scene import DiscSegmenter
from tests.gui.steps import draw, file_of
from tests.gui.window.propagating.held import HeldPropagator

FRAMES = 6


class ReachingPropagator(HeldPropagator):
    """At the model boundary: takes each step back only when it is let."""

    farthest_back = 10

    def __init__(self) -> None:
        super().__init__()
        self.back: list[int] = []
        self.steps_back = threading.Semaphore(0)

    def begin_back(self) -> None:
        self.back.clear()

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        assert self.steps_back.acquire(timeout=60), "nobody let the step go on"
        self.back.append(index)


def test_the_way_back_is_told_and_can_be_stopped_and_nothing_is_written_by_then(
    make_annotation_window: Callable[..., Driver],
    make_videos: Callable[..., Path],
    discs: DiscSegmenter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    propagator = ReachingPropagator()
    monkeypatch.setattr("sam_annotator.engine.engines.make_propagator", lambda *_options: propagator)
    root = make_videos("a", frames=FRAMES)
    draw(root, tmp_path / "annotations", frames=(0, 5))
    driver = make_annotation_window(root)
    propagator.let(1)
    propagator.steps_back.release(2)
    driver.press(Qt.Key_Space)
    line = driver.window.status.engine
    driver.wait(lambda: "reaching back from frame 6: 3/5" in line.text(), "the third frame on the way back")
    driver.window.propagation.cancel()
    propagator.steps_back.release(1)
    driver.propagation(60)
    assert propagator.back == [5, 4, 3]
    assert [index for index in range(FRAMES) if file_of(driver, index).exists()] == [0, 5]
    propagator.let_all()
    propagator.steps_back.release(5)
    driver.press(Qt.Key_Space)
    driver.propagation(60)
    assert propagator.back == [5, 4, 3, 2, 1]
    assert [index for index in range(FRAMES) if file_of(driver, index).exists()] == list(range(FRAMES))
