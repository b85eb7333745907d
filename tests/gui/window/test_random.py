"""A law of the window: whatever a person does, the file of the frame says what the canvas shows.

Random hands, by seed: a failure prints what they did last. SAM_ANNOTATOR_FULL=1 takes more of them.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import read_annotation
from sam_annotator.gui.canvas.shapes import from_labelme
from sam_annotator.gui.driver import Driver
from tests.gui.scene import HEIGHT, WIDTH, DiscSegmenter
from tests.gui.steps import file_of

SEEDS, STEPS = (range(1, 13), 500) if os.environ.get("SAM_ANNOTATOR_FULL") else (range(1, 5), 200)

PLAIN_KEYS = (
    "D", "A", "E", "Q", "W", "1", "2", "3", "Z", "K", "X", "T", "Tab", "Return", "Return", "Return", "Escape",
    "Delete", "Space", "Home", "End", "Backspace", "Up", "Left", "C", "C", "B", "BracketRight", "BracketLeft",
)  # fmt: skip
CONTROL_KEYS = ("Z", "Z", "C", "V", "D", "E", "N", "R", "J", "P", "S", "A", "PageDown", "PageUp")
EXPECTED_SENTENCES = ("Not now", "Nothing to propagate")


class RandomHands:
    """Does one thing after the other; knows what it did."""

    def __init__(self, driver: Driver, seed: int) -> None:
        self.did: list[str] = []
        self._driver, self._window, self._random = driver, driver.window, random.Random(seed)

    def act(self) -> None:
        """Answer the dialog that is open, or do anything else."""
        if self._window.naming.dialog is not None:
            self._answer_name()
        elif self._driver.dialog_text():
            self._close_message()
        else:
            actions = (self._click, self._drag, self._press, self._press_with_control)
            self._random.choices(actions, weights=(35, 15, 30, 20))[0]()
        QtWidgets.QApplication.processEvents()

    def _answer_name(self) -> None:
        if self._random.random() < 0.75:
            self.did.append(name := self._random.choice(("ball", "brick", "cat")))
            self._driver.name(name)
        else:
            self.did.append("cancel")
            QtTest.QTest.keyClick(self._window.naming.dialog, Qt.Key_Escape)
            self._driver.wait(lambda: self._window.naming.dialog is None, "the dialog to close")

    def _close_message(self) -> None:
        text = self._driver.dialog_text()
        assert any(expected in text for expected in EXPECTED_SENTENCES), text
        for box in self._window.findChildren(QtWidgets.QMessageBox):
            box.close()

    def _click(self) -> None:
        x, y = self._random.randrange(-10, WIDTH + 10), self._random.randrange(-10, HEIGHT + 10)
        include = not self._window.canvas.is_prompting or self._random.random() < 0.75
        self.did.append(f"click {x} {y} {include}")
        self._driver.hover(x, y)
        self._driver.click(x, y, include)
        if self._random.random() < 0.7 and not self._window.canvas.prompt.is_empty:
            self._driver.proposals()

    def _drag(self) -> None:
        places = [self._random.randrange(limit) for limit in (WIDTH, HEIGHT, WIDTH, HEIGHT)]
        shapes = self._window.listed_shapes()
        if shapes and self._random.random() < 0.5:
            vertex = self._random.choice(self._random.choice(shapes).points)
            places[:2] = [vertex.x(), vertex.y()]
        self.did.append(f"drag {places}")
        self._driver.hover(*places[:2])
        self._driver.drag(*places)

    def _press(self) -> None:
        self.did.append(key := self._random.choice(PLAIN_KEYS))
        self._driver.press(getattr(Qt, f"Key_{key}"))

    def _press_with_control(self) -> None:
        self.did.append(f"Ctrl+{(key := self._random.choice(CONTROL_KEYS))}")
        self._driver.press(getattr(Qt, f"Key_{key}"), Qt.ControlModifier)


def check(driver: Driver) -> None:
    """Canvas, list and file agree; every shape in a file belongs to an object; Ctrl+Z means one thing."""
    window = driver.window
    actions = window.labelme_actions
    assert not (actions.undo.isEnabled() and actions.undo_last_point.isEnabled())
    if window.session.tracks is None or not window.isEnabled():
        return
    path = file_of(driver)
    annotation = read_annotation(path) if path.exists() else None
    saved = () if annotation is None else annotation.shapes
    assert None not in {shape.object_id for shape in saved}
    assert not window.is_dirty
    assert [s for s in window.canvas.shapes if s.label is not None] == window.listed_shapes()
    is_busy = window.canvas.has_prompt or window.canvas.is_drawing or window.naming.dialog is not None
    if not is_busy and not window.propagation.is_running:  # to a busy person nothing new is shown
        assert tuple(from_labelme(shape) for shape in window.listed_shapes()) == saved
        assert window.view.absent_ids() == (frozenset() if annotation is None else annotation.absent_ids)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_a_person_does_the_file_says_what_the_canvas_shows(
    make_annotation_window: Callable[..., Driver], make_videos: Callable[..., Path], discs: DiscSegmenter, seed: int
) -> None:
    driver = make_annotation_window(make_videos("a", "b", frames=5))
    hands = RandomHands(driver, seed)
    for _ in range(STEPS):
        hands.act()
        try:
            check(driver)
        except AssertionError:
            print(*hands.did[-40:], sep="\n")  # noqa: T201  what led to it
            raise
    if driver.window.naming.dialog is not None:
        driver.window.naming.dialog.reject()
    driver.window.propagation.cancel()
    driver.propagation(60)
    if driver.dialog_text():
        hands.act()
