"""Texts of the status line that are longer than there is room for."""

from collections.abc import Callable

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.gui.driver import Driver
from sam_annotator.gui.status_bar import CutLabel

LONG = "the annotation of /data/" + "a folder with a long name/" * 20 + "00000.json cannot be read"


def test_a_text_that_fits_is_shown_whole_and_needs_no_tool_tip(qtbot: QtBot) -> None:
    label = CutLabel("ready")
    qtbot.addWidget(label)
    label.resize(label.sizeHint())
    assert super(CutLabel, label).text() == "ready"
    assert not label.toolTip()


def test_a_text_that_does_not_fit_is_cut_in_its_middle_and_told_whole(qtbot: QtBot) -> None:
    label = CutLabel(LONG)
    qtbot.addWidget(label)
    label.resize(300, 20)
    label.show()
    shown = super(CutLabel, label).text()
    assert shown.startswith("the anno")
    assert shown.endswith("be read")
    assert "…" in shown
    assert label.fontMetrics().horizontalAdvance(shown) <= 300
    assert (label.text(), label.toolTip()) == (LONG, LONG)
    label.setText("ready")
    assert not label.toolTip()


def test_long_texts_do_not_make_the_window_wider_and_what_is_at_work_stays(
    make_annotation_window: Callable[..., Driver],
) -> None:
    driver = make_annotation_window(size=(1000, 700))
    window = driver.window
    width = window.width()
    window.hint_label.setText(LONG)
    window.status.show_doing(LONG)
    window.status.show_saved(LONG)
    driver.look()
    assert window.statusBar().minimumSizeHint().width() < 600
    assert window.width() == width
    assert window.hint_label.width() > 0.2 * width
    for label in (window.hint_label, window.status.engine, window.status.saved):
        assert label.toolTip() == label.text()


def test_a_message_that_does_not_fit_ends_in_an_ellipsis_and_is_told_whole(
    make_annotation_window: Callable[..., Driver],
) -> None:
    driver = make_annotation_window(size=(1000, 700))
    bar = driver.window.statusBar()
    driver.window.show_hint(LONG)
    assert bar.shown_message().endswith("…")
    assert bar.toolTip() == LONG
    driver.look()
    room = driver.window.status.engine.x()
    assert bar.fontMetrics().horizontalAdvance(bar.shown_message()) < room
    driver.window.show_hint("Accepted.")
    assert bar.shown_message() == "Accepted."
    assert not bar.toolTip()


def test_a_message_is_told_whole_though_it_fitted_until_something_beside_it_grew(
    make_annotation_window: Callable[..., Driver],
) -> None:
    driver = make_annotation_window(size=(1000, 700))
    bar = driver.window.statusBar()
    driver.window.show_hint("A sentence that has just room enough where nothing else stands.")
    assert not bar.toolTip()
    driver.window.status.show_doing(LONG)
    driver.look()
    assert bar.shown_message().endswith("…")
    place = QtCore.QPoint(20, 5)
    QtWidgets.QApplication.sendEvent(bar, QtGui.QHelpEvent(QtCore.QEvent.ToolTip, place, bar.mapToGlobal(place)))
    assert bar.toolTip() == bar.currentMessage()


def test_before_a_folder_is_opened_nothing_can_be_propagated_and_space_says_what_to_do(
    make_annotation_window: Callable[..., Driver],
) -> None:
    window = make_annotation_window().window
    assert not [box for box in (window.timeline.first, window.timeline.direction) if box.isEnabled()]
    window.propagation_panel.toggle()
    assert window.statusBar().currentMessage() == "Open a folder of videos first."


def test_before_a_folder_is_opened_nothing_is_said_to_be_ready(
    make_annotation_window: Callable[..., Driver],
) -> None:
    window = make_annotation_window().window
    assert window.status.engine.text() == "models are loaded at first use"
    window.status.show_doing("loading the segmenter")
    assert window.status.engine.text() == "loading the segmenter"


def test_a_hint_is_plain_text(make_annotation_window: Callable[..., Driver]) -> None:
    assert make_annotation_window().window.hint_label.textFormat() == Qt.PlainText
