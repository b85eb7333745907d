"""Weights in the window: offered, fetched from a real server, resumed, refused, put to work; driven with clicks."""

import hashlib
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PyQt5 import QtCore, QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.errors import EngineError
from sam_annotator.core.weights import damage, download, manifest, published
from sam_annotator.core.weights.http_pieces import Patience
from sam_annotator.engine import engines
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from sam_annotator.engine.stcn import load
from sam_annotator.gui.driver import Driver
from tests.conftest import REPOSITORY
from tests.engine.small_sam import small_sam
from tests.engine.stcn.small import small_network
from tests.file_server import FileServer, serve
from tests.gui.scene import ball_centre
from tests.gui.steps import accept, draw, facts, shapes

VIT_B = "sam_vit_b_01ec64.pth"
AUTO = {"device": "cpu"}

Make = Callable[..., Driver]
CUT_SHORT = b"PK\x03\x04 and no more"


def _small_vit_b() -> Any:
    return small_sam(width=768, depth=1, heads=4)


@pytest.fixture(scope="module")
def weights() -> bytes:
    """The file of a vit_b that is small enough for a test."""
    stream = io.BytesIO()
    torch.save(_small_vit_b().state_dict(), stream)
    return stream.getvalue()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `models` folder of a checkout without weights; vit_b and STCN are small ones."""
    (tmp_path / "checkout/models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "models/checkpoints.json", tmp_path / "checkout/models")
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "checkout/sam_annotator")
    monkeypatch.setitem(import_segment_anything().sam_model_registry, "vit_b", _small_vit_b)
    monkeypatch.setattr(load, "StcnNetwork", small_network)
    return tmp_path / "checkout/models"


@pytest.fixture
def server(checkout: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serves the small vit_b in place of all that the manifest names."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "Patience", lambda: Patience(connect=5, read=5, pauses=(0.01,)))
    with serve(weights) as files:
        entries = json.loads((checkout / "checkpoints.json").read_text())
        for name, entry in entries.items():
            entry["url"] = f"{files.url}/{name}"
            if name == "sam_vit_b":
                entry |= {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
        (checkout / "checkpoints.json").write_text(json.dumps(entries))
        yield files


@pytest.fixture
def open_window(make_annotation_window: Make, make_videos: Callable[..., Path]) -> Make:
    """The window on one video, with whatever weights there are."""
    videos = make_videos()

    def make(**options: Any) -> Driver:
        return make_annotation_window(videos, engines=options.pop("engines", AUTO), **options)

    return make


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
    driver.wait(lambda: name in driver.window.statusBar().currentMessage(), "the status line to say so")


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


def test_what_was_fetched_segments_without_a_restart(server: FileServer, checkout: Path, open_window: Make) -> None:
    driver = open_window()
    driver.click(*ball_centre(0))
    driver.proposals()
    accept(driver, "ball")
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    at_work(driver, "SAM vit_b")
    assert (checkout / VIT_B).read_bytes() == server.content
    assert not list(checkout.glob("*.part"))
    assert buttons(driver)[0] == "Fetch STCN (MIT)…"
    driver.wait(lambda: driver.window.session.frame.path in driver.window.jobs.encoded, "the frame to be encoded")
    driver.go_to(1)
    driver.click(*ball_centre(1))
    driver.proposals()
    assert driver.window.sam_tool.proposals[0].state.shape == (32, 32)  # low-resolution logits of a SAM of 128 pixels
    accept(driver, "thing")
    assert ("thing", "sam") in {fact[1:] for fact in facts(driver)}


def test_clicks_get_their_mask_before_another_segmenter_takes_over(server: FileServer, open_window: Make) -> None:
    driver = open_window()
    driver.click(*ball_centre(0))
    driver.proposals()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    driver.wait(lambda: "takes over when this mask is accepted or rejected" in says(driver), "the banner")
    assert driver.window.jobs.segmenter_name.startswith("embedded")
    assert driver.window.sam_tool.proposals
    accept(driver, "ball")
    at_work(driver, "SAM vit_b")
    assert len(facts(driver)) == 1


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


@pytest.mark.parametrize(("which", "option"), [("sam", "segmenter"), ("stcn", "propagator")])
def test_a_file_of_ones_own_is_used_where_it_lies_and_at_the_next_start(
    checkout: Path, tmp_path: Path, weights: bytes, open_window: Make, monkeypatch: pytest.MonkeyPatch,
    which: str, option: str,
) -> None:  # fmt: skip
    path = tmp_path / "tuned.pth"
    if which == "sam":
        path.write_bytes(weights)
    else:
        torch.save(small_network().state_dict(), path)
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    driver = open_window()
    press(driver, "Use a file")
    at_work(driver, {"sam": "SAM vit_b", "stcn": "STCN, cpu"}[which])
    assert not list(checkout.glob("*.pth"))
    assert "Forget my file" in buttons(driver)
    driver.window.close()

    again = open_window()
    assert again.window.settings.value(f"weights/{option}") == str(path)
    wanted = {"sam": "Fetch STCN", "stcn": "Fetch Segment Anything"}[which]
    assert [text.split(" (")[0] for text in buttons(again)] == [wanted, "Use a file…", "Forget my file"]
    if which == "sam":
        again.click(*ball_centre(0))
        again.proposals()
        assert again.window.jobs.segmenter_name.startswith("SAM vit_b")
    again.close()

    path.unlink()
    gone = open_window()
    assert says(gone).startswith(f"{path}, which was in use, is not there any more.")
    press(gone, "Forget my file")
    at_work(gone, "embedded")
    assert not gone.window.settings.value(f"weights/{option}")
    assert "Forget my file" not in buttons(gone)


def test_a_file_that_holds_no_weights_is_refused_and_not_remembered(
    checkout: Path, tmp_path: Path, open_window: Make, take_dialog: Callable[[Driver], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "other.pth"
    torch.save({"mask_decoder.x": torch.zeros(1)}, path)
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    driver = open_window()
    press(driver, "Use a file")
    text = take_dialog(driver)
    assert "This file cannot be used" in text
    assert str(path) in text
    assert "Fetch Segment Anything" in buttons(driver)[0]
    driver.click(*ball_centre(0))
    driver.proposals()
    assert driver.window.jobs.segmenter_name.startswith("embedded")
    assert not driver.window.settings.value("weights/segmenter")


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


def test_with_all_weights_there_is_no_banner_but_other_files_can_be_chosen(open_window: Make) -> None:
    driver = open_window(engines={"segmenter": "embedded", "propagator": "embedded"})
    assert not says(driver)
    driver.window.weights.show()
    assert "Use a file…" in buttons(driver)


def test_what_is_put_away_while_it_is_fetched_goes_on_and_says_how_it_ended(
    server: FileServer, checkout: Path, open_window: Make, take_dialog: Callable[[Driver], str]
) -> None:
    server.content = b"wrong" + server.content[5:]
    driver = open_window()
    press(driver, "Fetch Segment Anything")
    confirm(driver)
    QtTest.QTest.mouseClick(driver.window.banner.close_button, Qt.LeftButton)
    assert f"is not the published {VIT_B}" in take_dialog(driver)


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


def test_a_click_made_while_weights_are_loaded_is_answered_by_them(
    server: FileServer, checkout: Path, open_window: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = open_window()
    driver.click(*ball_centre(0))
    driver.proposals()
    (checkout / VIT_B).write_bytes(server.content)
    began, go_on, make = threading.Event(), threading.Event(), engines.make_segmenter

    def make_slowly(*arguments: Any) -> Any:
        began.set()
        assert go_on.wait(20)
        return make(*arguments)

    monkeypatch.setattr(engines, "make_segmenter", make_slowly)
    monkeypatch.setattr(QtWidgets.QFileDialog, "getOpenFileName", lambda *_: (str(checkout / VIT_B), ""))
    press(driver, "Use a file")
    assert "takes over when this mask is accepted or rejected" in says(driver)
    driver.window.hand.reject()
    driver.wait(began.is_set, "the loading to begin")
    assert says(driver) == f"Loading {VIT_B} …"
    driver.click(*ball_centre(0))
    go_on.set()
    at_work(driver, "SAM vit_b")
    driver.proposals()
    assert driver.window.sam_tool.proposals[0].state.shape == (32, 32)  # of that SAM


def test_a_window_that_closes_does_not_wait_until_a_large_file_is_read(open_window: Make) -> None:
    driver = open_window()
    driver.window.engine.stop()
    with pytest.raises(EngineError):
        driver.window.jobs.told("Checking sam_vit_h_4b8939.pth: 1 MB of 2.6 GB ...")


def test_where_memory_is_short_the_status_line_says_where_sam_goes_on(open_window: Make) -> None:
    driver = open_window()
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.window.jobs.told("Segment Anything goes on with cpu float32, for cuda:0 bfloat16 is out of memory.")
    assert "goes on with cpu float32" in driver.window.statusBar().currentMessage()
