"""Fetching from a real server: offered, asked for, cancelled, resumed, refused; driven with clicks."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.weights import manifest
from sam_annotator.gui.driver import Driver
from tests.engine.stcn.small import small_network
from tests.file_server import FileServer
from tests.gui.scene import ball_centre
from tests.gui.weights.banner_steps import AUTO, VIT_B, at_work, buttons, confirm, ended, press, question, says

Make = Callable[..., Driver]


def test_missing_weights_are_offered_with_size_and_licence(server: FileServer, open_window: Make) -> None:
    driver = open_window()
    assert says(driver).startswith("The embedded segmenter and propagator are at work, which need no weights")
    size = manifest.load_manifest()[0].size
    assert buttons(driver) == [f"Fetch Segment Anything ({size}, Apache-2.0)…", "Fetch STCN (MIT)…", "Use a file…"]
    others = [action.text() for action in driver.window.banner.buttons[0].menu().actions()]
    assert [text.split(":")[0] for text in others] == ["Segment Anything, ViT-L", "Segment Anything, ViT-H"]


def test_what_would_be_fetched_is_said_before_and_may_be_refused(
    server: FileServer, checkout: Path, open_window: Make
) -> None:
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    text = question(driver).informativeText()
    for fact in (manifest.load_manifest()[0].size, "Apache-2.0", f"{server.url}/sam_vit_b", str(checkout / VIT_B)):
        assert fact in text
    QtTest.QTest.mouseClick(question(driver).button(QtWidgets.QMessageBox.Cancel), Qt.LeftButton)
    driver.wait(lambda: not driver.dialog_text(), "the question to close")
    assert not server.asked
    assert not driver.window.weights.is_fetching


def test_an_offer_that_was_put_away_stays_away_until_it_is_asked_for(checkout: Path, open_window: Make) -> None:
    driver = open_window()
    QtTest.QTest.mouseClick(driver.window.banner.close_button, Qt.LeftButton)
    assert not says(driver)
    driver.window.close()

    again = open_window()
    assert not says(again)
    (action,) = (one for one in again.window.labelme_menus.help.actions() if one.text() == "Weights…")
    action.trigger()
    assert says(again).startswith("The embedded segmenter")
    again.window.close()

    (checkout / "stcn.pth").write_bytes(b"PK")
    other = open_window()
    assert says(other).startswith("The embedded segmenter is at work")  # another offer than the one put away


def fetch_half(driver: Driver, server: FileServer, folder: Path) -> None:
    """Begin, and stop as soon as something is there."""
    server.holds_after = len(server.content) // 2
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    part = folder / f"{VIT_B}.part"
    driver.wait(lambda: " of 1" in says(driver) and part.stat().st_size > 1_000_000, "half of it")
    press(driver, "Cancel")
    ended(driver)
    server.holds_after = None
    server.go_on.set()
    server.asked.clear()


def test_cancelling_leaves_something_to_go_on_from(server: FileServer, checkout: Path, open_window: Make) -> None:
    driver = open_window()
    fetch_half(driver, server, checkout)
    assert "was stopped" in says(driver)
    assert "are kept" in says(driver)
    assert not (checkout / VIT_B).exists()
    assert buttons(driver)[0].startswith("Go on fetching Segment Anything vit_b (")
    press(driver, "Go on fetching")
    confirm(driver)
    at_work(driver, "SAM vit_b")
    assert str(server.ranges[0]).startswith("bytes=")
    assert (checkout / VIT_B).read_bytes() == server.content


def test_a_connection_that_is_lost_in_the_middle_is_taken_up_again(
    server: FileServer, checkout: Path, open_window: Make
) -> None:
    server.drops = [len(server.content) // 2]
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    at_work(driver, "SAM vit_b")
    assert len(server.asked) == 2
    assert (checkout / VIT_B).read_bytes() == server.content


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"wrong", 200, f"is not the published {VIT_B}"),
        (None, 404, "answers 404"),
        (b"<!DOCTYPE html>", 200, "sent a web page in place of"),
    ],
)
def test_what_is_wrong_is_said_in_the_banner_and_nothing_changes(
    server: FileServer, checkout: Path, open_window: Make, content: bytes | None, status: int, words: str
) -> None:
    if content is not None:
        server.content = content + server.content[len(content) :]
    server.status = status
    server.kind = "text/html" if content and content.startswith(b"<") else server.kind
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    ended(driver)
    assert words in says(driver)
    assert buttons(driver)[0].startswith("Fetch Segment Anything (")
    assert not list(checkout.glob("*.pth*"))
    driver.click(*ball_centre(0))
    driver.proposals()
    assert driver.window.jobs.segmenter_name.startswith("embedded")


def test_a_folder_that_cannot_be_written_is_said_with_what_to_do_from_the_window(
    server: FileServer, checkout: Path, open_window: Make, take_dialog: Callable[[Driver], str]
) -> None:
    blocked = checkout / "mine"
    driver = open_window(engines={**AUTO, "models": blocked})
    blocked.write_text("a file")
    press(driver, "Fetch Segment Anything")
    said = take_dialog(driver)
    assert f"{blocked} cannot be written; give yourself the right to write there" in said
    assert "start sam-annotator with another folder (--models DIR)" in said


def test_a_disk_that_is_full_is_said_with_what_to_do_from_the_window(
    server: FileServer, checkout: Path, open_window: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(checkout)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage._replace(free=7))
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    ended(driver)
    said = says(driver)
    assert f"{checkout} has 7 bytes left; make room and fetch again, or start sam-annotator with another folder" in said


def test_the_window_goes_on_and_closes_while_the_server_says_nothing(
    server: FileServer, checkout: Path, open_window: Make
) -> None:
    server.holds_after = len(server.content) // 2
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    driver.wait(lambda: " of 1" in says(driver), "something to come")
    driver.go_to(3)
    driver.click(*ball_centre(3))
    driver.proposals()
    driver.window.sam_tool.forget()
    clock = QtCore.QElapsedTimer()
    clock.start()
    driver.window.close()
    assert clock.elapsed() < 3000
    assert (checkout / f"{VIT_B}.part").stat().st_size > 0
    assert not (checkout / VIT_B).exists()


def test_stcn_is_fetched_and_carries_the_masks(server: FileServer, checkout: Path, open_window: Make) -> None:
    stream = io.BytesIO()
    torch.save(small_network().state_dict(), stream)
    server.content = stream.getvalue()
    driver = open_window(engines={**AUTO, "segmenter": "embedded"})
    assert buttons(driver) == ["Fetch STCN (MIT)…", "Use a file…"]
    press(driver, "Fetch STCN")
    assert "no hash is published" in question(driver).informativeText()
    confirm(driver)
    at_work(driver, "STCN, cpu")
    assert not says(driver)
    assert (checkout / "stcn.pth").read_bytes() == server.content


def test_what_is_put_away_while_it_is_fetched_goes_on_and_says_how_it_ended(
    server: FileServer, checkout: Path, open_window: Make, take_dialog: Callable[[Driver], str]
) -> None:
    server.content = b"wrong" + server.content[5:]
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    QtTest.QTest.mouseClick(driver.window.banner.close_button, Qt.LeftButton)
    assert f"is not the published {VIT_B}" in take_dialog(driver)
