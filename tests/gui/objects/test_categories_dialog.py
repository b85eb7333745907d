"""Editing the list of categories in the window."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtCore, QtGui, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.category_files import ListedName
from sam_annotator.core.errors import InputError
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.objects.categories_dialog import CategoriesDialog
from sam_annotator.gui.objects.category_list import CategoryList
from tests.gui.scene import BRICK, DiscSegmenter, brick_centre
from tests.gui.steps import annotate, draw, facts, listed, settled

Window = Callable[..., Driver]
Videos = Callable[..., Path]


class Edited:
    """The dialog as hands meet it."""

    def __init__(self, driver: Driver) -> None:
        driver.window.own_actions["categories"].trigger()
        driver.wait(self._find(driver), "the dialog")
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


# --- what is refused ---------------------------------------------------------------------------------------------


def editor(edited: Edited) -> QtWidgets.QLineEdit:
    """The line that is being written in the list."""
    edited.driver.wait(lambda: _editors(edited), "the editor")
    return _editors(edited)[-1]


def _editors(edited: Edited) -> list[QtWidgets.QLineEdit]:
    return [one for one in edited.dialog.list.findChildren(QtWidgets.QLineEdit) if one.isVisible()]


def test_a_refused_name_goes_back_to_the_last_one_so_that_no_two_are_alike(driver: Driver) -> None:
    edited = Edited(driver)
    edited.rename("ball", "zz")
    edited.add("ball")
    edited.choose("zz")
    edited.press("Rename")
    editor(edited).clear()
    QtTest.QTest.keyClick(editor(edited), Qt.Key_Return)
    QtWidgets.QApplication.processEvents()
    assert sorted(edited.texts) == ["ball", "brick", "cart", "zz"]
    assert edited.dialog.message.text() == "A category needs a name."
    QtTest.QTest.keyClick(editor(edited), Qt.Key_Escape)
    edited.press("Save")
    assert sorted(driver.window.naming.categories.names) == ["ball", "brick", "cart", "zz"]


def test_a_new_line_that_is_refused_keeps_its_name_and_what_was_typed_is_in_the_editor(driver: Driver) -> None:
    edited = Edited(driver)
    edited.add("heron")
    edited.rename("heron", "cart")
    assert edited.dialog.message.text() == "cart is in the list already."
    assert "heron" in edited.texts
    assert editor(edited).text() == "cart"
    QtTest.QTest.keyClicks(editor(edited), "carts")  # over what is selected
    QtTest.QTest.keyClick(editor(edited), Qt.Key_Return)
    QtWidgets.QApplication.processEvents()
    assert edited.texts == ["ball", "brick", "cart", "carts"]
    edited.press("Save")
    assert not edited.dialog.isVisible()


def test_save_does_not_hide_that_the_line_in_the_editor_was_refused(driver: Driver) -> None:
    edited = Edited(driver)
    edited.choose("brick")
    edited.press("Rename")
    editor(edited).setText("cart")
    QtWidgets.QApplication.sendEvent(editor(edited), QtGui.QFocusEvent(QtCore.QEvent.FocusOut))  # to the button
    edited.press("Save")
    assert edited.dialog.isVisible()
    assert edited.dialog.message.text() == "cart is in the list already."
    QtTest.QTest.keyClick(editor(edited), Qt.Key_Escape)
    edited.press("Save")
    assert not edited.dialog.isVisible()
    assert driver.window.naming.categories.names == ("ball", "brick", "cart")


def test_remove_takes_only_lines_that_are_seen(driver: Driver) -> None:
    edited = Edited(driver)
    edited.choose("ball")
    QtTest.QTest.keyClicks(edited.dialog.entry, "cart")
    edited.press("Remove")
    edited.press("Save")
    assert driver.window.naming.categories.names == ("ball", "brick", "cart")


def test_the_settings_list_refuses_two_alike_as_a_file_does() -> None:
    categories = CategoryList(QtCore.QSettings(), ["a"])
    with pytest.raises(InputError, match="twice"):
        categories.save([ListedName("a", "a"), ListedName("a")], None)
    assert categories.names == ("a",)


def test_during_a_propagation_a_rename_of_objects_is_refused_before_anything_is_stored(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, labels: Path
) -> None:
    driver = make_annotation_window(make_videos(frames=40), labels=labels)
    annotate(driver, brick_centre(0), "brick")
    edited = Edited(driver)
    edited.rename("brick", "stone")
    driver.window.propagation_panel._begin(lambda: iter(range(0)), (0, 39))
    edited.press("Save")
    assert edited.dialog.isVisible()
    assert "A propagation is running" in edited.dialog.message.text()
    assert driver.window.naming.categories.names == ("ball", "brick", "cart")
    assert labels.read_text(encoding="utf-8").split() == ["ball", "brick", "cart"]
    driver.propagation(20)
    edited.press("Save")
    settled(driver)
    assert facts(driver, 0) == {(1, "stone", "sam")}
    assert driver.window.naming.categories.names == ("ball", "stone", "cart")
