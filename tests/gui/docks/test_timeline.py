"""The timeline: frames in their places and colours, the range that is propagated, and the buttons of a run."""

from collections.abc import Callable

import pytest
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.gui.docks.timeline import FrameMarks, FrameSlider, Timeline
from tests.gui.docks.clicks import left_click


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    panel = Timeline()
    qtbot.addWidget(panel)
    panel.resize(700, 80)
    panel.show()
    return panel


@pytest.mark.parametrize("total", [1, 2, 50, 200])
def test_every_frame_has_its_place_on_the_slider(timeline: Timeline, total: int) -> None:
    said: list[int] = []
    timeline.slider.moved.connect(said.append)
    timeline.show_video(total)
    timeline.show_frame(total, 0)
    wanted = sorted({0, 1, total // 2, total - 2, total - 1} & set(range(total)))
    for index in wanted:
        left_click(timeline.slider, QtCore.QPoint(int(timeline.slider.x_of(index)), 15))
    assert said == wanted


def test_clicks_beside_the_bar_go_to_its_ends_and_without_frames_nowhere(timeline: Timeline) -> None:
    said: list[int] = []
    timeline.frame_wanted.connect(said.append)
    left_click(timeline.slider)
    timeline.show_video(20)
    timeline.show_frame(20, 5)
    left_click(timeline.slider, QtCore.QPoint(1, 15))
    left_click(timeline.slider, QtCore.QPoint(timeline.slider.width() - 1, 15))
    assert said == [0, 19]


def test_the_frame_number_counts_from_one_and_is_told_when_it_is_complete(timeline: Timeline) -> None:
    said: list[int] = []
    timeline.frame_wanted.connect(said.append)
    timeline.show_video(120)
    timeline.show_frame(120, 7)
    assert (timeline.number.value(), timeline.total_label.text(), said) == (8, "of 120", [])
    timeline.number.selectAll()
    QtTest.QTest.keyClicks(timeline.number, "100")
    assert said == []
    QtTest.QTest.keyClick(timeline.number, Qt.Key_Return)
    assert said == [99]


def test_the_buttons_beside_the_number_step(timeline: Timeline) -> None:
    said: list[int] = []
    timeline.step_wanted.connect(said.append)
    for total in (0, 20):  # without frames they lead nowhere
        timeline.show_video(total)
        for button in timeline.findChildren(QtWidgets.QToolButton):
            left_click(button)
            assert button.isEnabled() == (total > 0)
    assert said == [-(10**9), -10, 10, 10**9]


def test_a_new_video_is_propagated_from_end_to_end_unless_a_range_is_chosen(timeline: Timeline) -> None:
    timeline.show_video(30)
    assert timeline.frame_range() == (0, 29)
    timeline.first.setValue(20)
    timeline.last.setValue(10)
    assert timeline.frame_range() == (9, 19)
    timeline.show_video(5)
    assert timeline.frame_range() == (0, 4)
    timeline.show_video(50)
    assert timeline.frame_range() == (0, 49)


def test_a_run_shows_its_progress_and_the_buttons_that_make_sense(timeline: Timeline) -> None:
    def visible() -> list[str]:
        return [button.text() for button in timeline.findChildren(QtWidgets.QPushButton) if button.isVisible()]

    timeline.show_video(30)
    assert visible() == ["Repair", "Propagate"]
    timeline.show_run(12, 30, "12/30   5.0 fps", paused=False)
    assert visible() == ["Pause", "Cancel"]
    assert (timeline.progress.value(), timeline.progress.maximum()) == (12, 30)
    assert timeline.progress.text() == "12/30   5.0 fps"
    timeline.show_run(12, 30, "paused", paused=True)
    assert visible() == ["Go on", "Cancel"]
    timeline.show_idle("Done: 29 frames computed")
    assert visible() == ["Repair", "Propagate"]
    assert timeline.progress.text() == "Done: 29 frames computed"


def test_a_click_on_a_button_of_the_run_is_told(timeline: Timeline) -> None:
    said: list[str] = []
    timeline.start_wanted.connect(lambda: said.append("start"))
    timeline.pause_wanted.connect(lambda: said.append("pause"))
    timeline.cancel_wanted.connect(lambda: said.append("cancel"))
    timeline.show_video(30)
    left_click(timeline.start)
    timeline.show_run(1, 30, "", paused=False)
    left_click(timeline.pause)
    left_click(timeline.cancel)
    assert said == ["start", "pause", "cancel"]


def test_a_video_of_one_frame_has_nothing_to_propagate_to(timeline: Timeline) -> None:
    timeline.show_video(1)
    assert not timeline.start.isEnabled()


@pytest.fixture
def color_at(timeline: Timeline) -> Callable[[int], QtGui.QColor]:
    def look(index: int) -> QtGui.QColor:
        image = timeline.slider.grab().toImage()
        return QtGui.QColor(image.pixel(int(timeline.slider.x_of(index)), image.height() // 2))

    return look


def test_frames_are_coloured_by_what_is_in_them(timeline: Timeline, color_at: Callable[[int], QtGui.QColor]) -> None:
    timeline.show_video(10)
    timeline.show_frame(10, 9)
    timeline.slider.show_marks(FrameMarks(frozenset({1, 2, 3}), frozenset({1}), frozenset({3})))
    nothing, key, filled, doubtful = (color_at(index) for index in (0, 1, 2, 3))
    assert key.blue() > key.red() + 80
    assert filled.green() > filled.red() + 20
    assert doubtful.red() > doubtful.blue() + 80
    assert max(nothing.getRgb()[:3]) - min(nothing.getRgb()[:3]) < 20


def test_a_slider_of_10000_frames_paints_in_a_moment(qtbot: QtBot) -> None:
    slider = FrameSlider()
    qtbot.addWidget(slider)
    slider.resize(700, 30)
    slider.show_frames(10_000, 5_000)
    slider.show_marks(FrameMarks(frozenset(range(10_000)), frozenset(range(0, 10_000, 100)), frozenset()))
    timer = QtCore.QElapsedTimer()
    timer.start()
    slider.grab()
    assert timer.elapsed() < 1000


def test_without_a_video_no_frame_is_numbered(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    for total, said in ((0, ("–", "no frames", "–")), (5, ("1", "of 5", "1")), (0, ("–", "no frames", "–"))):
        timeline.show_video(total)
        timeline.show_frame(total, 0)
        assert (timeline.number.text(), timeline.total_label.text(), timeline.first.text()) == said
        assert timeline.number.isEnabled() == bool(total)
