"""The panels by themselves: what they show, and what they say when a hand touches them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.prompt import Proposal
from sam_annotator.core.tracks import Track
from sam_annotator.core.videos import Video
from sam_annotator.gui.docks.objects import ObjectsPanel
from sam_annotator.gui.docks.proposals import ProposalsPanel
from sam_annotator.gui.docks.timeline import FrameMarks, FrameSlider, Timeline
from sam_annotator.gui.docks.videos import VideoCounts, VideosPanel

WAIT_MS = 20_000


def left_click(widget: QtWidgets.QWidget, place: QtCore.QPoint | None = None) -> None:
    QtTest.QTest.mouseClick(widget, Qt.LeftButton, Qt.NoModifier, place or widget.rect().center())


# --- proposals ---------------------------------------------------------------------------------------------------


def proposal(score: float, left: int = 10) -> Proposal:
    mask = np.zeros((60, 80), bool)
    mask[20:40, left : left + 20] = True
    return Proposal(mask, score)


@pytest.fixture
def proposals_panel(qtbot: QtBot) -> ProposalsPanel:
    panel = ProposalsPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def buttons(panel: QtWidgets.QWidget) -> list[QtWidgets.QToolButton]:
    return panel.findChildren(QtWidgets.QToolButton)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_thumbnails_can_be_clicked_as_there_are_proposals(proposals_panel: ProposalsPanel, count: int) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.9 - index / 10) for index in range(count)], 0)
    assert [button.isEnabled() for button in buttons(proposals_panel)] == [index < count for index in range(3)]
    assert [not button.icon().isNull() for button in buttons(proposals_panel)] == [index < count for index in range(3)]
    accept, reject = proposals_panel.findChildren(QtWidgets.QPushButton)
    assert accept.isEnabled() == reject.isEnabled() == bool(count)


def test_a_thumbnail_says_its_key_and_score_and_the_chosen_one_is_pressed(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.91), proposal(0.82), proposal(0.73)], 1)
    assert [button.text().split() for button in buttons(proposals_panel)] == [
        ["1", "0.91"],
        ["2", "0.82"],
        ["3", "0.73"],
    ]
    assert [button.isChecked() for button in buttons(proposals_panel)] == [False, True, False]


def test_clicks_on_thumbnails_and_buttons_are_told(proposals_panel: ProposalsPanel) -> None:
    said: list[object] = []
    proposals_panel.chosen.connect(said.append)
    proposals_panel.accepted.connect(lambda: said.append("accepted"))
    proposals_panel.rejected.connect(lambda: said.append("rejected"))
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.9), proposal(0.8)], 0)
    for widget in (*buttons(proposals_panel), *proposals_panel.findChildren(QtWidgets.QPushButton)):
        left_click(widget)
    assert said == [0, 1, "accepted", "rejected"]


def test_the_thumbnail_shows_the_part_of_the_image_around_the_mask(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    image.fill(QtGui.QColor(0, 0, 160))
    proposals_panel.show_proposals(image, [proposal(0.9)], 0)
    picture = buttons(proposals_panel)[0].icon().pixmap(92, 72).toImage()
    middle = QtGui.QColor(picture.pixel(picture.width() // 2, picture.height() // 2))
    corner = QtGui.QColor(picture.pixel(2, 2))
    assert corner.blue() > 150
    assert corner.red() < 10
    assert middle.red() > 60  # tinted


def test_a_mask_at_the_border_or_without_pixels_has_a_thumbnail_too(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    at_border, empty = proposal(0.9, left=60), Proposal(np.zeros((60, 80), bool), 0.1)
    proposals_panel.show_proposals(image, [at_border, empty], 0)
    assert [not button.icon().isNull() for button in buttons(proposals_panel)] == [True, True, False]


# --- objects -----------------------------------------------------------------------------------------------------


def track(object_id: int, label: str = "swan", frames: int = 3) -> Track:
    return Track(object_id, label, frozenset({0}), frozenset(range(1, frames)), frozenset(range(1, frames)))


@pytest.fixture
def objects_panel(qtbot: QtBot) -> ObjectsPanel:
    panel = ObjectsPanel()
    qtbot.addWidget(panel)
    panel.resize(300, 300)
    panel.show()
    return panel


def rows(panel: ObjectsPanel) -> list[tuple[str, str]]:
    items = [panel.tree.topLevelItem(row) for row in range(panel.tree.topLevelItemCount())]
    return [(item.text(0), item.text(1)) for item in items]


def test_objects_are_listed_with_id_category_and_frames(objects_panel: ObjectsPanel) -> None:
    objects_panel.show_tracks([track(1), track(4, "duck", 2)], 12, frozenset({4}))
    assert rows(objects_panel) == [("1  swan", "3/12"), ("4  duck", "2/12")]
    items = [objects_panel.tree.topLevelItem(row) for row in range(2)]
    assert [item.font(0).bold() for item in items] == [False, True]  # bold: in the frame that is shown


def test_without_objects_the_panel_says_what_to_do(objects_panel: ObjectsPanel) -> None:
    objects_panel.show_tracks((), 12, frozenset())
    texts = [label.text() for label in objects_panel.findChildren(QtWidgets.QLabel) if label.isVisible()]
    assert any("Q" in text for text in texts)
    assert not objects_panel.tree.isVisible()


def test_check_marks_and_the_current_object_stay_when_the_list_is_shown_anew(objects_panel: ObjectsPanel) -> None:
    objects_panel.show_tracks([track(1), track(2), track(5)], 12, frozenset())
    objects_panel.tree.topLevelItem(1).setCheckState(0, Qt.Unchecked)
    objects_panel.select(5)
    objects_panel.show_tracks([track(2), track(3), track(5)], 12, frozenset())
    assert [text for text, _frames in rows(objects_panel)] == ["2  swan", "3  swan", "5  swan"]
    assert objects_panel.checked_ids() == (3, 5)
    assert objects_panel.current_id() == 5


def test_a_click_selects_and_a_double_click_opens(objects_panel: ObjectsPanel) -> None:
    said: list[tuple[str, int]] = []
    objects_panel.selected.connect(lambda object_id: said.append(("selected", object_id)))
    objects_panel.opened.connect(lambda object_id: said.append(("opened", object_id)))
    objects_panel.show_tracks([track(1), track(2)], 12, frozenset())
    tree = objects_panel.tree
    place = tree.visualItemRect(tree.topLevelItem(1)).center()
    left_click(tree.viewport(), place)
    QtTest.QTest.mouseDClick(tree.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert said[0] == ("selected", 2)
    assert ("opened", 2) in said


def test_showing_and_selecting_say_nothing(objects_panel: ObjectsPanel) -> None:
    said: list[int] = []
    objects_panel.selected.connect(said.append)
    objects_panel.show_tracks([track(1), track(2)], 12, frozenset())
    objects_panel.select(2)
    objects_panel.select(None)
    objects_panel.select(77)
    assert said == []
    assert objects_panel.current_id() is None


def test_stepping_goes_round(objects_panel: ObjectsPanel) -> None:
    said: list[int] = []
    objects_panel.selected.connect(said.append)
    objects_panel.step(1)  # no objects: nothing
    objects_panel.show_tracks([track(1), track(2), track(3)], 12, frozenset())
    for by in (1, 1, 1, 1, -1, -1):
        objects_panel.step(by)
    assert said == [1, 2, 3, 1, 3, 2]


def test_stepping_back_first_begins_at_the_last(objects_panel: ObjectsPanel) -> None:
    objects_panel.show_tracks([track(1), track(2), track(3)], 12, frozenset())
    objects_panel.step(-1)
    assert objects_panel.current_id() == 3


def test_the_menu_of_an_object_says_what_is_wanted(objects_panel: ObjectsPanel, qtbot: QtBot) -> None:
    said: list[tuple[object, ...]] = []
    objects_panel.rename_wanted.connect(lambda object_id: said.append(("rename", object_id)))
    objects_panel.renumber_wanted.connect(lambda object_id: said.append(("renumber", object_id)))
    objects_panel.delete_wanted.connect(lambda object_id, where: said.append(("delete", object_id, where)))
    objects_panel.opened.connect(lambda object_id: said.append(("open", object_id)))
    objects_panel.show_tracks([track(1), track(2)], 12, frozenset())
    tree = objects_panel.tree
    tree.customContextMenuRequested.emit(tree.visualItemRect(tree.topLevelItem(1)).center())
    (menu,) = objects_panel.findChildren(QtWidgets.QMenu)
    for action in menu.actions():
        action.trigger()
    menu.close()
    assert said == [
        ("rename", 2), ("renumber", 2), ("open", 2),
        ("delete", 2, "frame"), ("delete", 2, "onward"), ("delete", 2, "video"),
    ]  # fmt: skip


# --- videos ------------------------------------------------------------------------------------------------------


@pytest.fixture
def videos_panel(qtbot: QtBot) -> VideosPanel:
    panel = VideosPanel()
    qtbot.addWidget(panel)
    panel.resize(260, 240)
    panel.show()
    return panel


def videos(count: int, name: str = "video{:04d}") -> list[Video]:
    return [Video(name.format(number), Path("/nowhere") / name.format(number)) for number in range(count)]


def shown(panel: VideosPanel) -> list[tuple[str, str]]:
    model = panel.view.model()
    return [
        (model.index(row, 0).data(), model.index(row, 1).data())
        for row in range(model.rowCount())
        if panel.view.visualRect(model.index(row, 0)).intersects(panel.view.viewport().rect())
    ]


def test_of_5000_videos_only_those_that_are_seen_are_counted(videos_panel: VideosPanel, qtbot: QtBot) -> None:
    asked: list[int] = []
    videos_panel.model.counts_wanted.connect(asked.extend)
    videos_panel.model.set_videos(videos(5000))
    qtbot.waitUntil(lambda: bool(asked), timeout=WAIT_MS)
    assert asked[0] == 0
    assert len(asked) < 40
    first = len(asked)
    videos_panel.view.scrollToBottom()
    qtbot.waitUntil(lambda: len(asked) > first, timeout=WAIT_MS)
    assert 4999 in asked
    assert len(asked) < 80
    assert len(set(asked)) == len(asked)


def test_counts_are_shown_as_they_come_and_not_asked_for_again(videos_panel: VideosPanel, qtbot: QtBot) -> None:
    asked: list[int] = []
    videos_panel.model.counts_wanted.connect(asked.extend)
    videos_panel.model.set_videos(videos(3))
    qtbot.waitUntil(lambda: len(asked) == 3, timeout=WAIT_MS)
    videos_panel.model.set_counts(0, VideoCounts(2, 25))
    videos_panel.model.set_counts(1, VideoCounts(0, 0, "The video cannot be read."))
    assert [progress for _name, progress in shown(videos_panel)] == ["2/25", "!", "…"]
    index = videos_panel.view.model().index(1, 0)
    assert index.data(Qt.ToolTipRole) == "The video cannot be read."
    videos_panel.view.grab()
    assert not videos_panel.model._timer.isActive()
    assert len(asked) == 3


def test_a_video_file_that_was_never_opened_says_so(videos_panel: VideosPanel, tmp_path: Path) -> None:
    videos_panel.model.set_videos([Video("biker", tmp_path / "biker", tmp_path / "biker.mp4")])
    videos_panel.model.set_counts(0, VideoCounts(0, 0))
    assert shown(videos_panel) == [("biker", "video file")]


def test_a_click_opens_the_video_and_selecting_says_nothing(videos_panel: VideosPanel) -> None:
    said: list[int] = []
    videos_panel.opened.connect(said.append)
    videos_panel.model.set_videos(videos(5))
    videos_panel.select(3)
    assert said == []
    view = videos_panel.view
    left_click(view.viewport(), view.visualRect(view.model().index(2, 0)).center())
    assert set(said) == {2}


def test_searching_shows_what_fits_and_opens_nothing_by_itself(videos_panel: VideosPanel) -> None:
    said: list[int] = []
    videos_panel.opened.connect(said.append)
    videos_panel.model.set_videos([*videos(5, "swan{}"), *videos(5, "Duck{}")])
    videos_panel.select(1)
    QtTest.QTest.keyClicks(videos_panel.search, "duck")
    assert [name for name, _progress in shown(videos_panel)] == [f"Duck{number}" for number in range(5)]
    assert said == []
    view = videos_panel.view
    left_click(view.viewport(), view.visualRect(view.model().index(4, 0)).center())
    assert set(said) == {9}


def test_when_the_search_is_cleared_the_open_video_is_the_current_one(videos_panel: VideosPanel) -> None:
    videos_panel.model.set_videos([*videos(5, "swan{}"), *videos(5, "duck{}")])
    videos_panel.select(1)
    QtTest.QTest.keyClicks(videos_panel.search, "duck")
    assert not videos_panel.view.currentIndex().isValid()
    videos_panel.search.clear()
    assert videos_panel.view.currentIndex().data() == "swan1"


def test_the_video_that_is_opened_by_a_key_is_scrolled_into_view(videos_panel: VideosPanel) -> None:
    videos_panel.model.set_videos(videos(500))
    videos_panel.select(400)
    assert "video0400" in [name for name, _progress in shown(videos_panel)]


# --- timeline ----------------------------------------------------------------------------------------------------


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
    for button in timeline.findChildren(QtWidgets.QToolButton):
        left_click(button)
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
