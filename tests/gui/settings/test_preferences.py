"""Settings that are made in the window: in force at once, remembered for the next one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt5 import QtTest
from PyQt5.QtCore import Qt

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.settings.preferences import PreferencesDialog, remembered_encoding
from tests.gui.scene import DiscSegmenter, ball_centre

Window = Callable[..., Driver]
Videos = Callable[..., Path]


class Speckled(DiscSegmenter):
    """Discs with a speck of nine pixels, and a hole of four."""

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        return tuple(Proposal(speckled(one.mask), one.score) for one in super().predict(prompt, previous))


def speckled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask[100:103, 4:7] = True
    x, y = ball_centre(0)
    mask[y - 3 : y - 1, x : x + 2] = False
    return mask


def open_dialog(driver: Driver) -> PreferencesDialog:
    driver.window.open_preferences()
    return next(one for one in driver.window.findChildren(PreferencesDialog) if one.isVisible())


def set_least_part(driver: Driver, pixels: int) -> None:
    dialog = open_dialog(driver)
    dialog.least_part.setValue(pixels)
    QtTest.QTest.keyClick(dialog, Qt.Key_Return)


def shown(driver: Driver) -> NDArray[np.bool_]:
    driver.click(*ball_centre(0))
    driver.proposals()
    mask: NDArray[np.bool_] = driver.window.sam_tool.proposal.mask
    driver.press(Qt.Key_Escape)
    return mask


def test_specks_and_pinholes_are_left_out_of_proposals_as_far_as_the_person_wants_it(
    make_annotation_window: Window, make_videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Speckled()
    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", lambda *_options: segmenter)
    driver = make_annotation_window(make_videos())
    x, y = ball_centre(0)
    assert not shown(driver)[101, 5]
    assert shown(driver)[y - 2, x]
    set_least_part(driver, 5)
    assert shown(driver)[101, 5]
    assert shown(driver)[y - 2, x]
    set_least_part(driver, 0)
    assert not shown(driver)[y - 2, x]


def test_a_speck_that_was_clicked_stays(
    make_annotation_window: Window, make_videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Speckled()
    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", lambda *_options: segmenter)
    driver = make_annotation_window(make_videos())
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.click(5.5, 101.5)
    driver.proposals()
    assert driver.window.sam_tool.proposal.mask[101, 5]


def test_settings_are_remembered_and_the_keys_change_with_the_next_window(
    make_annotation_window: Window, make_videos: Videos, tmp_path: Path
) -> None:
    driver = make_annotation_window(make_videos())
    dialog = open_dialog(driver)
    assert dialog.least_part.value() == 16
    dialog.least_part.setValue(40)
    dialog.keymap.setCurrentIndex(1)
    dialog.accept()
    assert "next start" in driver.window.statusBar().currentMessage()
    again = make_annotation_window(output=tmp_path / "elsewhere")
    assert again.window.sam_tool.least_part == 40
    assert again.window.preset == "classic"


def test_cancelling_changes_nothing(make_annotation_window: Window) -> None:
    driver = make_annotation_window()
    dialog = open_dialog(driver)
    dialog.least_part.setValue(40)
    QtTest.QTest.keyClick(dialog, Qt.Key_Escape)
    assert driver.window.sam_tool.least_part == 16


def test_what_is_encoded_ahead_and_kept_is_remembered_unless_the_command_line_says_otherwise(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter
) -> None:
    driver = make_annotation_window(make_videos(frames=8))
    prefetch = driver.window.sam_tool.prefetch
    driver.wait(lambda: prefetch.encoded.frames == {0, 1, 2, 3, 4}, "four frames ahead")
    dialog = open_dialog(driver)
    dialog.frames_ahead.setValue(1)
    dialog.keep_embeddings.setChecked(False)
    QtTest.QTest.keyClick(dialog, Qt.Key_Return)
    driver.go_to(7)
    driver.wait(lambda: prefetch.encoded.frames == {0, 1, 2, 3, 4, 6, 7}, "one frame around")
    again = EngineJobs(remembered_encoding(driver.window.settings))
    assert (again.frames_ahead, again.keeps_embeddings) == (1, False)
    asked = EngineJobs({**remembered_encoding(driver.window.settings), "frames_ahead": 9, "keep_embeddings": True})
    assert (asked.frames_ahead, asked.keeps_embeddings) == (9, True)
