"""Naming by a few letters: what is offered, what Enter takes, which object is meant."""

import statistics
import time
from collections.abc import Callable

import numpy as np
import pytest
from PyQt5 import QtCore, QtTest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.gui.objects.name_dialog import KnownObject, Name, NameDialog, center_on, rank_categories

CATEGORIES = ("black swan", "car_(automobile)", "cart", "duck", "rubber duck", "swan", "whooper swan")


def many_categories() -> list[str]:
    """As many as LV-VIS has, of made-up words."""
    random = np.random.default_rng(5)
    syllables = ("ba", "no", "ti", "ker", "lan", "swa", "mo", "per", "dri", "gu", "ta", "sel", "po", "ri")
    words = ["".join(random.choice(syllables, random.integers(1, 4))) for _ in range(3000)]
    names = dict.fromkeys(f"{first}_{second}" for first, second in zip(words[::2], words[1::2], strict=True))
    return list(names)[:1196]


# --- ranking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("swan", "swan"), ("SWAN", "swan"), (" swan ", "swan"), ("bl", "black swan"), ("who", "whooper swan"),
        ("du", "duck"), ("duk", "duck"), ("rubber", "rubber duck"), ("automobile", "car_(automobile)"), ("car", "cart"),
    ],
)  # fmt: skip
def test_a_few_letters_bring_the_category_that_is_meant_to_the_top(typed: str, first: str) -> None:
    assert rank_categories(typed, CATEGORIES, ())[0] == first


def test_what_begins_with_the_letters_comes_before_what_only_contains_them() -> None:
    ranked = rank_categories("swan", ("black swan", "swan lake", "swan"), ())
    assert ranked == ["swan", "swan lake", "black swan"]


def test_without_letters_the_recent_ones_come_first_and_none_twice() -> None:
    ranked = rank_categories("", CATEGORIES, ("duck", "heron"))
    assert ranked[:3] == ["duck", "heron", "black swan"]
    assert len(ranked) == len(set(ranked)) == len(CATEGORIES) + 1


def test_no_category_is_offered_twice() -> None:
    for typed in ("s", "sw", "swan", "duck", "c"):
        ranked = rank_categories(typed, CATEGORIES, ("swan",))
        assert len(ranked) == len(set(ranked))


@pytest.mark.parametrize("typed", ["{", "%%%", "猫", "zzzzzz"])
def test_letters_that_fit_nothing_offer_nothing(typed: str) -> None:
    assert rank_categories(typed, CATEGORIES, ()) == []


def test_a_letter_typed_into_1196_categories_is_answered_at_once() -> None:
    names = many_categories()
    assert len(names) == 1196
    seconds = []
    for typed in ("s", "sw", "swa", "swat", "lanker", "perti mo", "drigu_tasel"):
        begun = time.thread_time()
        rank_categories(typed, names, names[:12])
        seconds.append(time.thread_time() - begun)
    assert statistics.median(seconds) < 0.05


# --- the dialog --------------------------------------------------------------------------------------------------


Open = Callable[..., "Opened"]


class Opened:
    """A dialog as a hand meets it."""

    def __init__(self, dialog: NameDialog) -> None:
        self.dialog = dialog
        self.ends: list[str] = []
        dialog.accepted.connect(lambda: self.ends.append("accepted"))
        dialog.rejected.connect(lambda: self.ends.append("rejected"))

    def type(self, text: str) -> None:
        QtTest.QTest.keyClicks(self.dialog.category, text)

    def press(self, key: Qt.Key) -> None:
        QtTest.QTest.keyClick(self.dialog.category, key)

    @property
    def offered(self) -> list[str]:
        return [self.dialog.list.item(row).text() for row in range(self.dialog.list.count())]

    @property
    def ids(self) -> list[int]:
        return [self.dialog.object.itemData(row) for row in range(self.dialog.object.count())]

    def choose_id(self, object_id: int) -> None:
        box = self.dialog.object
        box.setCurrentIndex(box.findData(object_id))
        box.activated.emit(box.currentIndex())

    @property
    def answer(self) -> Name:
        return self.dialog.result_name()


@pytest.fixture
def open_dialog(qtbot: QtBot) -> Open:
    def open_(**options: object) -> Opened:
        given = {"categories": CATEGORIES, "recent": (), "objects": (), "new_id": 3, **options}
        dialog = NameDialog(**given)
        qtbot.addWidget(dialog)
        dialog.show()
        return Opened(dialog)

    return open_


def test_typing_a_category_and_enter_names_a_new_object(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.type("swan")
    opened.press(Qt.Key_Return)
    assert opened.ends == ["accepted"]
    assert opened.answer == Name("swan", 3)


def test_a_category_that_nobody_knows_is_taken_as_it_was_typed(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.type("  grey heron ")
    opened.press(Qt.Key_Return)
    assert opened.answer.label == "grey heron"


def test_enter_alone_repeats_the_last_category(open_dialog: Open) -> None:
    opened = open_dialog(recent=("duck", "swan"))
    assert "duck" in opened.dialog.category.placeholderText()
    opened.press(Qt.Key_Return)
    assert opened.ends == ["accepted"]
    assert opened.answer == Name("duck", 3)


def test_enter_alone_without_a_last_category_does_not_close(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.press(Qt.Key_Return)
    assert opened.ends == []
    assert opened.dialog.isVisible()


def test_escape_gives_up(open_dialog: Open) -> None:
    opened = open_dialog(recent=("duck",))
    opened.press(Qt.Key_Escape)
    assert opened.ends == ["rejected"]


def test_the_list_follows_each_letter_and_down_takes_from_it(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.type("swan")
    assert opened.offered[0] == "swan"
    assert "duck" not in opened.offered
    opened.press(Qt.Key_Down)
    assert opened.dialog.category.text() == opened.offered[1]
    opened.press(Qt.Key_Up)
    opened.press(Qt.Key_Return)
    assert opened.answer.label == "swan"


@pytest.mark.parametrize(
    ("typed", "is_closed", "taken"),
    [
        ("whoo", False, "whooper swan"), ("SWAN", False, "swan"), ("auto", False, "car_(automobile)"),
        ("duk", False, "duk"), ("duk", True, "duck"), ("heron", False, "heron"), ("zzzzzz", True, "zzzzzz"),
    ],
)  # fmt: skip
def test_enter_takes_the_line_that_is_marked(open_dialog: Open, typed: str, is_closed: bool, taken: str) -> None:
    opened = open_dialog(is_closed=is_closed)
    opened.type(typed)
    assert opened.dialog.list.currentItem().data(Qt.UserRole) == taken
    opened.press(Qt.Key_Return)
    assert opened.answer.label == taken


def test_what_begins_like_a_category_can_still_be_a_new_one(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.type("car")
    assert opened.offered[-1] == "new category: car"
    opened.press(Qt.Key_Up)
    opened.press(Qt.Key_Return)
    assert opened.answer.label == "car"


def test_of_several_that_begin_alike_a_recent_one_is_marked(open_dialog: Open) -> None:
    opened = open_dialog(recent=("car_(automobile)",))
    opened.type("car")
    opened.press(Qt.Key_Return)
    assert opened.answer.label == "car_(automobile)"


def test_a_dialog_with_1196_categories_opens_at_once(open_dialog: Open) -> None:
    names = many_categories()
    seconds = []
    for _ in range(5):
        begun = time.thread_time()
        opened = open_dialog(categories=names, recent=names[5:17], objects=[KnownObject(1, "swan", False)])
        opened.dialog.grab()
        seconds.append(time.thread_time() - begun)
        opened.dialog.close()
    assert statistics.median(seconds) < 0.05


def test_up_from_the_top_goes_to_the_end_and_an_empty_list_stays_as_it_is(open_dialog: Open) -> None:
    opened = open_dialog()
    opened.press(Qt.Key_Up)
    assert opened.dialog.list.currentRow() in (len(CATEGORIES) - 2, len(CATEGORIES) - 1)
    opened.dialog.category.clear()
    opened.type("zzzzzz")
    opened.press(Qt.Key_Down)
    assert opened.dialog.category.text() == "zzzzzz"


def test_a_click_in_the_list_takes_the_category_and_a_double_click_closes(open_dialog: Open) -> None:
    opened = open_dialog()
    listing = opened.dialog.list
    place = listing.visualItemRect(listing.item(2)).center()
    QtTest.QTest.mouseClick(listing.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert opened.dialog.category.text() == opened.offered[2]
    QtTest.QTest.mouseDClick(listing.viewport(), Qt.LeftButton, Qt.NoModifier, place)
    assert opened.ends == ["accepted"]


KNOWN = (KnownObject(1, "swan", True), KnownObject(2, "swan", False), KnownObject(4, "duck", False))


def test_an_object_of_the_category_that_is_missing_here_is_offered_first(open_dialog: Open) -> None:
    opened = open_dialog(objects=KNOWN, new_id=5)
    assert opened.answer.object_id == 5
    opened.type("swan")
    assert opened.answer.object_id == 2
    opened.dialog.category.clear()
    opened.type("duck")
    assert opened.answer.object_id == 4
    opened.dialog.category.clear()
    opened.type("cart")
    assert opened.answer.object_id == 5


def test_enter_alone_means_the_missing_object_of_the_last_category(open_dialog: Open) -> None:
    opened = open_dialog(objects=KNOWN, new_id=5, recent=("swan",))
    opened.press(Qt.Key_Return)
    assert opened.answer == Name("swan", 2)


def test_every_object_can_be_chosen_and_a_new_one(open_dialog: Open) -> None:
    opened = open_dialog(objects=KNOWN, new_id=5)
    opened.type("swan")
    assert sorted(opened.ids) == [1, 2, 4, 5]
    texts = [opened.dialog.object.itemText(row) for row in range(4)]
    assert any(text.startswith("1  swan") and "replace" in text for text in texts)
    assert any(text.startswith("5") and "new" in text for text in texts)


def test_a_chosen_id_stays_while_the_category_is_typed(open_dialog: Open) -> None:
    opened = open_dialog(objects=KNOWN, new_id=5)
    opened.choose_id(5)
    opened.type("swan")
    assert opened.answer == Name("swan", 5)


def test_choosing_an_object_takes_its_category(open_dialog: Open) -> None:
    opened = open_dialog(objects=KNOWN, new_id=5)
    opened.choose_id(4)
    assert opened.answer == Name("duck", 4)


def test_renaming_begins_with_what_stands_and_keeps_the_id(open_dialog: Open) -> None:
    old = Name("duck", 4, "by the reeds", {"reviewed": True, "truncated": False})
    opened = open_dialog(objects=KNOWN, new_id=5, recent=("swan",), name=old)
    assert opened.answer == old
    assert opened.dialog.category.selectedText() == "duck"
    opened.type("swan")
    opened.press(Qt.Key_Return)
    assert opened.answer == Name("swan", 4, "by the reeds", {"reviewed": True, "truncated": False})


def test_renaming_to_nothing_does_not_close(open_dialog: Open) -> None:
    opened = open_dialog(recent=("swan",), name=Name("duck", 4))
    opened.press(Qt.Key_Backspace)
    opened.press(Qt.Key_Return)
    assert opened.ends == []


def test_description_and_flags_are_part_of_the_answer(open_dialog: Open) -> None:
    opened = open_dialog(name=Name("duck", 4, "", {"truncated": False}))
    QtTest.QTest.keyClicks(opened.dialog.description, " behind the swan ")
    QtTest.QTest.mouseClick(opened.dialog._flags["truncated"], Qt.LeftButton, Qt.NoModifier, QtCore.QPoint(8, 8))
    assert opened.answer == Name("duck", 4, "behind the swan", {"truncated": True})


def test_a_dialog_with_1196_categories_follows_every_letter(open_dialog: Open) -> None:
    opened = open_dialog(categories=many_categories(), objects=[KnownObject(i, "swan", False) for i in range(1, 60)])
    seconds = []
    for letter in "swatiker":
        begun = time.thread_time()
        opened.type(letter)
        seconds.append(time.thread_time() - begun)
    assert statistics.median(seconds) < 0.05


@pytest.mark.parametrize("place", [(0, 0), (10_000, 10_000), (-500, 300), (400, 300)])
def test_the_dialog_is_whole_on_the_screen_wherever_the_mouse_is(open_dialog: Open, place: tuple[int, int]) -> None:
    dialog = open_dialog().dialog
    center_on(dialog, QtCore.QPoint(*place))
    area = dialog.screen().availableGeometry()
    assert area.contains(dialog.geometry().topLeft())
    assert dialog.width() > area.width() or dialog.geometry().right() <= area.right() + 1
