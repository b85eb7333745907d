"""Help > First steps stands where labelme's tutorial of polygons stood, and names the keys in force."""

from collections.abc import Callable

import pytest
from PyQt5 import QtGui

from sam_annotator.gui.driver import Driver


@pytest.fixture
def driver(make_annotation_window: Callable[..., Driver]) -> Driver:
    return make_annotation_window()


def _said(driver: Driver, take_dialog: Callable[[Driver], str]) -> str:
    first = driver.window.labelme_menus.help.actions()[0]
    assert first.text() == "&First steps"
    first.trigger()
    return take_dialog(driver)


def test_they_lead_from_a_click_to_a_dataset(driver: Driver, take_dialog: Callable[[Driver], str]) -> None:
    said = _said(driver, take_dialog)
    steps = (
        "Open Dir",
        "Click on an object",
        "<b>Enter</b> accepts",
        "<b>Space</b> carries",
        "doubtful",
        "Export a dataset",
    )
    places = [said.index(step) for step in steps]
    assert places == sorted(places)
    texts = [action.text() for action in driver.window.labelme_menus.help.actions()]
    assert not [text for text in texts if "Tutorial" in text]


def test_they_name_the_keys_of_the_settings_and_without_one_the_action(
    driver: Driver, take_dialog: Callable[[Driver], str]
) -> None:
    actions = driver.window.own_actions
    actions["propagate"].setShortcut(QtGui.QKeySequence("F9"))
    actions["next_doubtful"].setShortcuts([])
    said = _said(driver, take_dialog)
    assert "<b>F9</b> carries" in said
    assert "<b>Next doubtful frame</b> goes" in said
