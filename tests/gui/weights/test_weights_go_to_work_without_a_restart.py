"""What was fetched or chosen takes over in the open window, between two masks and not in the middle of one."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt5 import QtWidgets

from sam_annotator.core.errors import EngineError
from sam_annotator.engine import engines
from sam_annotator.gui.driver import Driver
from tests.file_server import FileServer
from tests.gui.scene import ball_centre
from tests.gui.steps import accept, facts
from tests.gui.weights.banner_steps import VIT_B, at_work, buttons, confirm, press, says

Make = Callable[..., Driver]


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
        driver.window.jobs.told("Checking sam_vit_h_4b8939.pth: 1 MB of 2.6 GB ...", False)


def test_where_memory_is_short_the_status_line_says_where_sam_goes_on(open_window: Make) -> None:
    driver = open_window()
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.window.jobs.told("Segment Anything goes on with cpu float32, for cuda:0 bfloat16 is out of memory.", False)
    assert "goes on with cpu float32" in driver.window.statusBar().currentMessage()
