"""The list of objects: what it shows, and what it says when a hand touches it."""

import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.tracks import Track
from sam_annotator.gui.docks.objects import ObjectsPanel
from tests.gui.docks.clicks import left_click


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


def test_without_a_video_the_panel_does_not_ask_for_a_click(objects_panel: ObjectsPanel) -> None:
    objects_panel.show_tracks([track(1)], 12, frozenset())
    objects_panel.show_tracks((), 0, frozenset())
    texts = [label.text() for label in objects_panel.findChildren(QtWidgets.QLabel) if label.isVisible()]
    assert texts == ["No video is open."]


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
