"""What tests of weights do with the banner again and again."""

from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.gui.driver import Driver

VIT_B = "sam_vit_b_01ec64.pth"
AUTO = {"device": "cpu"}


def says(driver: Driver) -> str:
    banner = driver.window.banner
    return banner.label.text() if banner.isVisible() else ""


def buttons(driver: Driver) -> list[str]:
    return [button.text() for button in driver.window.banner.buttons]


def press(driver: Driver, text: str) -> None:
    """Click on the banner's button that begins with this text."""
    (button,) = (one for one in driver.window.banner.buttons if one.text().startswith(text))
    QtTest.QTest.mouseClick(button, Qt.LeftButton, Qt.NoModifier, QtCore.QPoint(12, button.height() // 2))


def question(driver: Driver) -> QtWidgets.QMessageBox:
    driver.wait(driver.dialog_text, "a question")
    (box,) = (box for box in driver.window.findChildren(QtWidgets.QMessageBox) if box.isVisible())
    return box


def confirm(driver: Driver) -> None:
    QtTest.QTest.mouseClick(question(driver).defaultButton(), Qt.LeftButton)
    driver.wait(lambda: driver.window.weights.is_fetching, "the fetch to begin")


def ended(driver: Driver) -> None:
    driver.wait(lambda: not driver.window.weights.is_fetching, "the fetch to end")


def at_work(driver: Driver, name: str) -> None:
    jobs = driver.window.jobs
    driver.wait(lambda: name in f"{jobs.segmenter_name} {jobs.propagator_name}", f"{name} to be at work")
    # what was said last, for a click that is answered takes an older hint away at once
    driver.wait(lambda: name in driver.window.status._hint, "the status line to say so")
