"""A file of weights of one's own: used where it lies, remembered, forgotten, refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PyQt5 import QtWidgets

from sam_annotator.gui.driver import Driver
from tests.engine.stcn.small import small_network
from tests.gui.scene import ball_centre
from tests.gui.weights.banner_steps import at_work, buttons, press, says

Make = Callable[..., Driver]


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


def test_with_all_weights_there_is_no_banner_but_other_files_can_be_chosen(open_window: Make) -> None:
    driver = open_window(engines={"segmenter": "embedded", "propagator": "embedded"})
    assert not says(driver)
    driver.window.weights.show()
    assert "Use a file…" in buttons(driver)
