"""Editing the list of categories in the window."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.gui.categories_dialog import CategoriesDialog
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BRICK, DiscSegmenter, brick_centre
from tests.gui.steps import annotate, draw, facts, listed, settled

Window = Callable[..., Driver]
Videos = Callable[..., Path]


class Edited:
    """The dialog as hands meet it."""

    def __init__(self, driver: Driver) -> None:
        driver.window.own_actions["categories"].trigger()
        driver.wait(self._find(driver), "the dialog", 10)
        self.dialog = self._find(driver)()
        self.driver = driver

    @staticmethod
    def _find(driver: Driver) -> Callable[[], CategoriesDialog | None]:
        return lambda: next((one for one in driver.window.findChildren(CategoriesDialog) if one.isVisible()), None)

    @property
    def texts(self) -> list[str]:
        return [item.name for item in self.dialog.names()]

    def add(self, name: str) -> None:
        QtTest.QTest.keyClicks(self.dialog.entry, name)
        QtTest.QTest.keyClick(self.dialog.entry, Qt.Key_Return)

    def choose(self, name: str) -> None:
        (item,) = self.dialog.list.findItems(name, Qt.MatchExactly)
        place = self.dialog.list.visualItemRect(item).center()
        QtTest.QTest.mouseClick(self.dialog.list.viewport(), Qt.LeftButton, Qt.NoModifier, place)

    def rename(self, old: str, new: str) -> None:
        self.choose(old)
        self.press("Rename")
        editor = self.dialog.list.findChild(QtWidgets.QLineEdit)
        editor.selectAll()
        QtTest.QTest.keyClicks(editor, new)
        QtTest.QTest.keyClick(editor, Qt.Key_Return)
        QtWidgets.QApplication.processEvents()  # the list hears of it

    def press(self, text: str) -> None:
        (button,) = (one for one in self.dialog.findChildren(QtWidgets.QPushButton) if one.text().strip("&") == text)
        QtTest.QTest.mouseClick(button, Qt.LeftButton)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("ball\nbrick\ncart\n", encoding="utf-8")
    return path


@pytest.fixture
def driver(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, labels: Path) -> Driver:
    return make_annotation_window(make_videos(frames=3), labels=labels)


def test_a_list_is_edited_and_saved_to_its_file(driver: Driver, labels: Path) -> None:
    edited = Edited(driver)
    edited.add("heron")
    edited.rename("brick", "stone")
    edited.choose("cart")
    edited.press("Up")
    edited.choose("ball")
    edited.press("Remove")
    assert labels.read_text(encoding="utf-8") == "ball\nbrick\ncart\n"
    edited.press("Save")
    assert labels.read_text(encoding="utf-8") == "cart\nstone\nheron\n"
    assert driver.window.naming.categories.names == ("cart", "stone", "heron")


def test_cancelling_changes_nothing(driver: Driver, labels: Path) -> None:
    edited = Edited(driver)
    edited.add("heron")
    edited.press("Cancel")
    assert labels.read_text(encoding="utf-8") == "ball\nbrick\ncart\n"
    assert driver.window.naming.categories.names == ("ball", "brick", "cart")


def test_a_renamed_category_is_renamed_in_the_video_too_if_the_person_wants_it(
    make_annotation_window: Window, make_videos: Videos, tmp_path: Path, labels: Path
) -> None:
    root = make_videos(frames=3)
    draw(root, tmp_path / "annotations", range(3))
    draw(root, tmp_path / "annotations", [1], thing=BRICK)
    driver = make_annotation_window(root, labels=labels)
    edited = Edited(driver)
    assert not edited.dialog.follow.isVisible()
    edited.rename("ball", "orange")
    assert edited.dialog.follow.isVisible()
    edited.press("Save")
    settled(driver)
    assert listed(driver) == {1: "orange", 2: "brick"}
    assert facts(driver, 2) == {(1, "orange", "manual")}
    again = Edited(driver)
    again.rename("brick", "stone")
    again.dialog.follow.setChecked(False)
    again.press("Save")
    settled(driver)
    assert listed(driver) == {1: "orange", 2: "brick"}


def test_removing_a_category_touches_no_annotation(driver: Driver) -> None:
    annotate(driver, brick_centre(0), "brick")
    edited = Edited(driver)
    edited.choose("brick")
    QtTest.QTest.keyClick(edited.dialog.list, Qt.Key_Delete)
    edited.press("Save")
    assert facts(driver, 0) == {(1, "brick", "sam")}


def test_a_name_twice_is_refused_in_words(driver: Driver) -> None:
    edited = Edited(driver)
    edited.rename("brick", "ball")
    assert "in the list" in edited.dialog.message.text()
    assert edited.texts == ["ball", "brick", "cart"]
    edited.add("ball")
    assert edited.texts == ["ball", "brick", "cart"]
    edited.press("Cancel")


def test_a_dataset_gives_its_categories_and_is_not_written_to(driver: Driver, labels: Path, tmp_path: Path) -> None:
    path = tmp_path / "train_instances.json"
    path.write_text(json.dumps({"categories": [{"id": 4, "name": "zebra"}, {"id": 9, "name": "ball"}], "videos": []}))
    edited = Edited(driver)
    edited.dialog.import_file(path)
    assert edited.texts == ["ball", "brick", "cart", "zebra"]
    edited.dialog.import_file(tmp_path / "absent.txt")
    assert "absent.txt" in edited.dialog.message.text()
    edited.dialog.save(path)
    assert "holds a dataset" in edited.dialog.message.text()
    assert edited.dialog.isVisible()
    edited.dialog.save(tmp_path / "other.txt")
    assert (tmp_path / "other.txt").read_text(encoding="utf-8").split() == ["ball", "brick", "cart", "zebra"]
    assert labels.read_text(encoding="utf-8") == "ball\nbrick\ncart\n"
    assert driver.window.naming.categories.path == tmp_path / "other.txt"


def test_without_a_file_the_list_grows_as_it_is_used_and_the_next_window_knows_it(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, tmp_path: Path
) -> None:
    driver = make_annotation_window(make_videos(frames=3))
    annotate(driver, brick_centre(0), "brick")
    edited = Edited(driver)
    assert edited.texts == ["brick"]
    edited.add("heron")
    edited.press("A–Z")
    edited.press("Save")
    again = make_annotation_window(output=tmp_path / "elsewhere")
    assert again.window.naming.categories.names == ("brick", "heron")


def test_a_category_that_was_removed_is_not_offered_as_a_recent_one(driver: Driver) -> None:
    annotate(driver, brick_centre(0), "brick")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    edited = Edited(driver)
    edited.choose("brick")
    edited.press("Remove")
    edited.press("Save")
    driver.click(*brick_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    listing = driver.window.naming.dialog.list
    assert [listing.item(row).text() for row in range(listing.count())] == ["ball", "cart"]
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Escape)


def test_a_category_that_the_file_does_not_name_is_taken_and_said_to_be_new(driver: Driver) -> None:
    driver.click(*brick_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    QtTest.QTest.keyClicks(driver.window.naming.dialog.category, "balloon")
    QtTest.QTest.keyClick(driver.window.naming.dialog.category, Qt.Key_Up)  # the last line: a new category
    QtTest.QTest.keyClick(driver.window.naming.dialog.category, Qt.Key_Return)
    driver.wait(lambda: driver.window.naming.dialog is None, "the dialog to close")
    assert facts(driver, 0) == {(1, "balloon", "sam")}
    assert "balloon is not in the list" in driver.window.statusBar().currentMessage()
    assert driver.window.naming.categories.names == ("ball", "brick", "cart")


def test_letters_find_a_category_among_many(make_annotation_window: Window, tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    path.write_text("".join(f"thing {number}\n" for number in range(1196)), encoding="utf-8")
    edited = Edited(make_annotation_window(labels=path))
    QtTest.QTest.keyClicks(edited.dialog.entry, "1195")
    shown = [row for row in range(1196) if not edited.dialog.list.item(row).isHidden()]
    assert shown == [1195]
    edited.press("Cancel")
