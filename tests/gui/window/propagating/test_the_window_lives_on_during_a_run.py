"""While a propagation runs: the window stays alive, its view stays with the person, and what must wait says so."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtCore, QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.run_records import FOLDER
from sam_annotator.gui.driver import Driver
from tests.gui.scene import brick_centre
from tests.gui.steps import annotate, choose_in_menu, facts, file_of, listed
from tests.gui.window.propagating.held import BALL_CARRIED, FRAMES, HeldPropagator, answered, finish, start

Window = Callable[..., Driver]


def test_the_window_stays_alive_while_the_real_engine_works(make_annotation_window: Window, samples: Path) -> None:
    driver = make_annotation_window(samples / "videos", size=(1280, 800))
    facts_of_it = json.loads((samples / "truth" / "objects.json").read_text(encoding="utf-8"))["coffee"]["1"]
    annotate(driver, tuple(facts_of_it["click"]), "cup")
    ticks = Ticks()
    driver.press(Qt.Key_Space)
    driver.propagation()
    ticks.stop()
    assert len([index for index in range(FRAMES) if file_of(driver, index).exists()]) == FRAMES
    assert ticks.longest < max(0.3, ticks.all / 5)  # on a machine that has other things to do, all takes longer


class Ticks(QtCore.QObject):
    """The heart of the window: a timer of 10 ms. Knows how long it had to wait at most, and in all, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.longest = self.all = 0.0
        self._last = time.monotonic()
        self._timer = QtCore.QTimer(self, interval=10)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def stop(self) -> None:
        self._tick()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.monotonic()
        self.longest, self.all, self._last = max(self.longest, now - self._last), self.all + now - self._last, now


def test_a_pause_is_said_whatever_goes_on_meanwhile(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    line = driver.window.status.engine
    driver.press(Qt.Key_Space)
    driver.window.propagation.busy.emit("loading the propagator")  # of the step that was under way
    assert line.text().endswith("·  paused")
    driver.window.sam_tool.busy.emit("preparing 00003.jpg")
    assert line.text().endswith("·  paused; preparing 00003.jpg")
    driver.window.sam_tool.busy.emit("")
    assert line.text().endswith("·  paused")
    driver.press(Qt.Key_Space)
    assert "propagating" in line.text()
    finish(driver, held)


def test_a_click_amid_a_run_leaves_what_is_said_of_the_run(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.window.sam_tool.busy.emit("preparing the frame")
    assert "preparing" in driver.window.status.engine.text()
    driver.window.sam_tool.busy.emit("")
    assert "propagating" in driver.window.status.engine.text()
    finish(driver, held)
    assert "ready" in driver.window.status.engine.text()


def test_the_view_follows_the_run_until_the_person_goes_elsewhere(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    assert driver.window.session.index == 2
    driver.press(Qt.Key_Home)
    finish(driver, held)
    assert driver.window.session.index == 0


def test_without_follow_the_view_stays(driver: Driver, held: HeldPropagator) -> None:
    QtTest.QTest.mouseClick(driver.window.timeline.follow, Qt.LeftButton)
    start(driver, held, 3)
    finish(driver, held)
    assert driver.window.session.index == 0
    assert answered(driver) == list(range(FRAMES))


def test_a_click_is_answered_while_the_run_goes_on_and_its_view_is_not_taken_away(
    driver: Driver, held: HeldPropagator
) -> None:
    start(driver, held, 2)
    index = driver.window.session.index
    driver.click(*brick_centre(index))
    held.let(1)
    driver.proposals()
    assert driver.window.propagation.is_running
    held.let(1)
    driver.wait(lambda: driver.window.propagation.done == 4, "another frame")
    assert driver.window.session.index == index
    assert driver.window.sam_tool.proposal is not None
    driver.press(Qt.Key_Return)
    driver.name("brick")
    finish(driver, held)
    assert facts(driver, index) == {(1, "ball", "propagated"), (2, "brick", "sam")}


def test_the_frame_that_is_shown_is_refreshed_when_the_run_comes_by(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.go_to(4)
    assert driver.window.listed_shapes() == []
    finish(driver, held)
    assert [shape.group_id for shape in driver.window.listed_shapes()] == [1]
    assert driver.window.objects_panel.tree.topLevelItem(0).text(1) == f"{FRAMES}/{FRAMES}"


@pytest.mark.parametrize("tool", [Qt.Key_Q, Qt.Key_N])
def test_what_came_while_the_person_was_at_work_is_shown_once_they_give_that_up(
    driver: Driver, held: HeldPropagator, tool: Qt.Key
) -> None:
    start(driver, held, 2)
    driver.go_to(3)
    driver.press(tool, Qt.ControlModifier if tool == Qt.Key_N else Qt.NoModifier)
    driver.click(*brick_centre(3))
    finish(driver, held)
    assert facts(driver, 3) == BALL_CARRIED
    assert driver.window.listed_shapes() == []
    driver.press(Qt.Key_Escape)
    assert [shape.group_id for shape in driver.window.listed_shapes()] == [1]


def test_another_video_opened_during_a_run_gets_none_of_its_frames(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    first = driver.window.session.video
    driver.open_video("b")
    held.let_all()
    driver.propagation(30)
    driver.look(0)
    store = driver.window.session.store
    assert driver.window.session.index == 0
    assert store.annotated_frames(driver.window.session.video) == frozenset()
    assert store.annotated_frames(first) in ({0, 1, 2}, {0, 1, 2, 3})
    assert driver.window.listed_shapes() == []
    assert listed(driver) == {}
    driver.open_video("a")
    assert listed(driver) == {1: "ball"}


@pytest.mark.parametrize("entry", ["Rename…", "Delete in the whole video"])
def test_changing_an_object_everywhere_has_to_wait_for_the_end_of_a_run(
    driver: Driver, held: HeldPropagator, take_dialog: Callable[[Driver], str], entry: str
) -> None:
    start(driver, held, 2)
    choose_in_menu(driver, 1, entry)
    assert "A propagation is running" in take_dialog(driver)
    finish(driver, held)
    assert {label for index in range(FRAMES) for _, label, _ in facts(driver, index)} == {"ball"}


def test_closing_the_window_during_a_run_leaves_whole_files_and_no_thread(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 3)
    held.let_all()
    driver.window.close()
    assert not driver.window.engine.isRunning()
    assert not driver.window.files.isRunning()
    files = sorted(path for path in file_of(driver, 0).parent.iterdir() if path.name != FOLDER)
    assert {path.suffix for path in files} == {".json"}
    assert [json.loads(path.read_bytes())["imageWidth"] for path in files] == [160] * len(files)
    assert len(files) >= 3


def test_a_run_that_goes_on_is_not_taken_back_and_says_so(driver: Driver, held: HeldPropagator) -> None:
    start(driver, held, 2)
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    said = driver.window.statusBar().currentMessage()
    finish(driver, held)
    assert said == "A propagation is running; cancel it or let it end, then take it back."
