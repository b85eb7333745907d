"""What the tests of the window do again and again, and how they read and write the files."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import MANUAL, PROPAGATED, FrameAnnotation, Shape
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, HEIGHT, WIDTH, Mask, truth

NAMES = {1: "ball", 2: "brick"}


def draw(
    root: Path,
    output: Path,
    frames: Iterable[int] = (0,),
    *,
    thing: int = BALL,
    object_id: int | None = None,
    source: str = MANUAL,
    video: int = 0,
) -> None:
    """Write annotations as an earlier session did: where a thing of the scene is, under its own id and name."""
    store, target = AnnotationStore(output), find_videos(root)[video]
    number = object_id or thing
    for index in frames:
        parts = mask_to_shapes(truth(thing, index), label=NAMES[thing], object_id=number, source=source)
        answered = frozenset({number}) if source == PROPAGATED else frozenset()
        store.update(target, index, _adding(number, parts, answered), WIDTH, HEIGHT)


def _adding(number: int, parts: Iterable[Shape], answered: frozenset[int]) -> Callable[[Any], Any]:
    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        annotation = annotation.with_object(number, parts)
        return replace(annotation, propagated_ids=annotation.propagated_ids | answered)

    return change


def file_of(driver: Driver, index: int | None = None, video: Video | None = None) -> Path:
    """The annotation file of a frame; of the one that is shown, if none is named."""
    session = driver.window.session
    return session.store.path(video or session.video, session.index if index is None else index)


def document(driver: Driver, index: int | None = None) -> dict[str, Any]:
    """What the file of a frame says; raises if there is none."""
    content: dict[str, Any] = json.loads(file_of(driver, index).read_text(encoding="utf-8"))
    return content


def shapes(driver: Driver, index: int | None = None) -> list[dict[str, Any]]:
    """The shapes in the file of a frame; none if there is no file."""
    return document(driver, index)["shapes"] if file_of(driver, index).exists() else []


def facts(driver: Driver, index: int | None = None) -> set[tuple[int, str, str]]:
    """(object id, category, source) of the shapes in the file of a frame."""
    return {(shape["group_id"], shape["label"], shape["source"]) for shape in shapes(driver, index)}


def saved_mask(driver: Driver, object_id: int, index: int) -> Mask:
    """The mask of an object in the file of a frame, bool (HEIGHT, WIDTH)."""
    session = driver.window.session
    annotation = session.store.read(session.video, index)
    return object_mask(annotation.shapes_of(object_id) if annotation else (), HEIGHT, WIDTH)


def overlap(driver: Driver, thing: int, index: int, object_id: int | None = None) -> float:
    """IoU of a saved mask with where the thing is."""
    return float(iou(saved_mask(driver, object_id or thing, index), truth(thing, index)))


def accept(driver: Driver, category: str) -> None:
    """Accept the proposal that is shown, and name it."""
    driver.press(Qt.Key_Return)
    driver.name(category)


def annotate(driver: Driver, place: tuple[float, float], category: str) -> None:
    """Click on an object, accept, name."""
    driver.click(*place)
    driver.proposals()
    accept(driver, category)


def take(driver: Driver, object_id: int = 1) -> None:
    """Choose an object in the list with a click."""
    tree = driver.window.objects_panel.tree
    (item,) = (item for item in _items(tree) if item.text(0).split()[0] == str(object_id))
    place = tree.visualItemRect(item).center()
    QtTest.QTest.mouseClick(tree.viewport(), Qt.LeftButton, Qt.NoModifier, place)


def hint(driver: Driver) -> str:
    """What the window says is to do next."""
    return str(driver.window.hint_label.text())


def choose_in_menu(driver: Driver, object_id: int, text: str) -> None:
    """Right-click on an object of the list and choose an entry."""
    tree = driver.window.objects_panel.tree
    (item,) = (item for item in _items(tree) if item.text(0).split()[0] == str(object_id))
    tree.customContextMenuRequested.emit(tree.visualItemRect(item).center())
    driver.wait(QtWidgets.QApplication.activePopupWidget, "the menu")
    menu = QtWidgets.QApplication.activePopupWidget()
    (action,) = (action for action in menu.actions() if action.text() == text)
    QtTest.QTest.mouseClick(menu, Qt.LeftButton, Qt.NoModifier, menu.actionGeometry(action).center())


def settled(driver: Driver) -> None:
    """Wait until a change over many frames is done and read again."""
    window = driver.window

    def is_settled() -> bool:
        return window.isEnabled() and window.session.tracks is not None and not window.navigator.is_reading

    driver.wait(is_settled, "the change")
    driver.focus()


def listed(driver: Driver) -> dict[int, str]:
    """The objects in the list: id and category."""
    driver.window.refresh_panels()
    texts = (item.text(0).split(maxsplit=1) for item in _items(driver.window.objects_panel.tree))
    return {int(number): label for number, label in texts}


def _items(tree: QtWidgets.QTreeWidget) -> list[QtWidgets.QTreeWidgetItem]:
    return [tree.topLevelItem(row) for row in range(tree.topLevelItemCount())]


def answer(driver: Driver, button: QtWidgets.QMessageBox.StandardButton) -> str:
    """Press a button of the question that is open; returns what it asked."""
    driver.wait(driver.dialog_text, "a question")
    text = driver.dialog_text()
    (box,) = (box for box in driver.window.findChildren(QtWidgets.QMessageBox) if box.isVisible())
    QtTest.QTest.mouseClick(box.button(button), Qt.LeftButton)
    return text


def answer_when_asked(button: QtWidgets.QMessageBox.StandardButton) -> list[str]:
    """Press a button of the next question that blocks the caller; what it asked is in the list afterwards."""
    asked: list[str] = []

    def look() -> None:
        box = QtWidgets.QApplication.activeModalWidget()
        if isinstance(box, QtWidgets.QMessageBox):
            asked.append(box.text())
            QtTest.QTest.mouseClick(box.button(button), Qt.LeftButton)
        else:
            QtCore.QTimer.singleShot(10, look)

    QtCore.QTimer.singleShot(0, look)
    return asked


def corner_of(shape: dict[str, Any]) -> tuple[float, float]:
    """The vertex of a polygon that is farthest to the left: (x, y)."""
    points = np.asarray(shape["points"])
    x, y = points[int(np.argmin(points[:, 0]))]
    return float(x), float(y)
