"""Weights that are damaged or cannot be loaded: said once, offered again, and the window works on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.weights import damage, published
from sam_annotator.gui.driver import Driver
from tests.file_server import FileServer
from tests.gui.scene import ball_centre
from tests.gui.steps import draw, facts, shapes
from tests.gui.weights.banner_steps import AUTO, VIT_B, at_work, buttons, confirm, press, question, says

Make = Callable[..., Driver]
CUT_SHORT = b"PK\x03\x04 and no more"


@pytest.fixture
def damaged(server: FileServer, checkout: Path) -> Path:
    """A vit_b of the right size in which a few bytes are wrong."""
    path = checkout / VIT_B
    path.write_bytes(b"wrong" + server.content[5:])
    return path


def test_with_a_damaged_sam_clicks_are_answered_and_the_banner_offers_it_again(
    server: FileServer, damaged: Path, open_window: Make
) -> None:
    driver = open_window()
    driver.wait(lambda: "is not the published" in says(driver), "the banner")
    assert says(driver).startswith(str(damaged))
    assert "The embedded segmenter is at work" in says(driver)
    assert buttons(driver)[0].startswith("Fetch Segment Anything again (")
    assert "Use a file…" in buttons(driver)
    driver.click(*ball_centre(0))
    driver.proposals()
    assert not driver.dialog_text()
    driver.window.hand.reject()
    press(driver, "Fetch Segment Anything again")
    assert "which is not the published one" in question(driver).informativeText()
    assert not server.asked  # nothing is replaced before the question is answered
    confirm(driver)
    at_work(driver, "SAM vit_b")
    assert damaged.read_bytes() == server.content


def test_a_damaged_sam_is_known_at_the_next_start_and_read_once(
    server: FileServer, damaged: Path, open_window: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = open_window()
    driver.wait(lambda: "is not the published" in says(driver), "the banner")
    driver.window.close()
    monkeypatch.setattr(published, "hash_steps", None)
    monkeypatch.setattr(damage, "_noted", {})
    again = open_window()
    assert says(again).startswith(str(damaged))
    again.click(*ball_centre(0))
    again.proposals()


def test_a_damaged_file_that_was_asked_for_is_said_once_in_the_banner_and_by_clicks_in_the_status_line(
    damaged: Path, open_window: Make
) -> None:
    driver = open_window(engines={**AUTO, "segmenter": "sam_vit_b"})
    driver.wait(lambda: "is not the published" in says(driver), "the banner")
    for x in (0, 4):
        driver.window.statusBar().clearMessage()
        driver.click(ball_centre(0)[0] + x, ball_centre(0)[1])
        driver.wait(lambda: "No segmenter is" in driver.window.statusBar().currentMessage(), "the status line")
    assert not driver.dialog_text()
    assert not driver.window.jobs.segmenter_name
    QtTest.QTest.mouseClick(driver.window.banner.close_button, Qt.LeftButton)
    driver.click(*ball_centre(0))
    driver.wait(lambda: not driver.window.sam_tool._job, "the answer")
    assert not says(driver)
    driver.window.weights.show()
    assert says(driver).startswith(str(damaged))


def test_with_a_damaged_stcn_masks_are_carried_and_the_banner_offers_it_again(
    checkout: Path, open_window: Make, tmp_path: Path
) -> None:
    bad = checkout / "stcn.pth"
    bad.write_bytes(CUT_SHORT)
    draw(tmp_path / "videos", tmp_path / "annotations")
    driver = open_window(engines={**AUTO, "segmenter": "embedded"})
    assert not says(driver)  # nobody has read it yet
    driver.press(Qt.Key_Space)
    driver.propagation(60)
    assert facts(driver, 3) == {(1, "ball", "propagated")}
    assert says(driver).startswith(f"{bad} cannot be read as a file of weights")
    assert "The embedded propagator is at work" in says(driver)
    assert buttons(driver)[0].startswith("Fetch STCN again (")


def test_a_damaged_stcn_that_was_asked_for_ends_the_run_with_a_sentence(
    checkout: Path, open_window: Make, tmp_path: Path, take_dialog: Callable[[Driver], str]
) -> None:
    bad = checkout / "stcn.pth"
    bad.write_bytes(CUT_SHORT)
    draw(tmp_path / "videos", tmp_path / "annotations")
    driver = open_window(engines={"segmenter": "embedded", "propagator": "stcn"})
    driver.press(Qt.Key_Space)
    assert f"{bad} cannot be read" in take_dialog(driver)
    driver.propagation(60)
    assert "Loading" not in driver.window.status.engine.toolTip() + driver.window.status.engine.text()
    assert says(driver).startswith(str(bad))
    assert not shapes(driver, 3)


def test_a_segmenter_that_cannot_be_loaded_for_another_reason_is_said_in_the_banner_too(
    server: FileServer, checkout: Path, open_window: Make
) -> None:
    (checkout / VIT_B).write_bytes(server.content)
    driver = open_window(engines={"device": "cuda:99", "segmenter": "sam_vit_b"})
    driver.click(*ball_centre(0))
    driver.wait(lambda: "cuda:99" in says(driver), "the banner")
    assert not driver.dialog_text()


def test_a_banner_that_comes_late_is_as_high_as_its_text_and_the_window_as_high_as_before(
    checkout: Path, open_window: Make, tmp_path: Path, take_dialog: Callable[[Driver], str]
) -> None:
    own = tmp_path / "my.pth"
    own.write_bytes(CUT_SHORT)
    draw(tmp_path / "videos", tmp_path / "annotations")
    driver = open_window(engines={"segmenter": "embedded", "propagator": str(own)})
    height, label = driver.window.height(), driver.window.banner.label
    label.resize(44, label.height())  # as Qt leaves it at times while the banner is hidden
    driver.press(Qt.Key_Space)
    assert f"{own} cannot be read" in take_dialog(driver)
    driver.propagation(60)
    driver.wait(lambda: label.height() >= label.heightForWidth(label.width()), "the whole text")
    assert label.height() < 5 * label.fontMetrics().height()
    assert driver.window.height() == height
    assert buttons(driver)[0].startswith("Fetch STCN (")  # a file of one's own was to be STCN
