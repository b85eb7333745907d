"""The list of videos: only what is seen is counted, what is searched is found, what is clicked is opened."""

from pathlib import Path

import pytest
from PyQt5 import QtTest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.videos import Video
from sam_annotator.gui.docks.videos import VideoCounts, VideosPanel
from tests.gui.docks.clicks import left_click

WAIT_MS = 20_000


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
