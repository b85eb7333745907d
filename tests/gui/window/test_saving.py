"""Saving: every change at once and whole, and what the window does when it cannot."""

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PyQt5 import QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import SAM
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, HEIGHT, WIDTH, DiscSegmenter, ball_centre, brick_centre
from tests.gui.steps import (
    annotate,
    answer_when_asked,
    choose_in_menu,
    corner_of,
    document,
    draw,
    facts,
    file_of,
    settled,
    shapes,
)

Window = Callable[..., Driver]
Videos = Callable[..., Path]
TakeDialog = Callable[[Driver], str]
Box = QtWidgets.QMessageBox


@pytest.fixture
def driver(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path) -> Driver:
    """A window on a video whose first frame has the ball."""
    root = make_videos(frames=4)
    draw(root, output)
    return make_annotation_window(root)


class Disk:
    """A disk that may be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self._fsync = os.fsync
        monkeypatch.setattr(os, "fsync", self._sync)

    def _sync(self, handle: int) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._fsync(handle)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def delete_ball(driver: Driver) -> None:
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Delete)


def says(driver: Driver) -> str:
    """Whether the frame is saved, in the status line."""
    text: str = driver.window.status.saved.text()
    return text


# --- each change ---------------------------------------------------------------------------------------------------


def test_the_status_line_says_whether_the_frame_is_saved(driver: Driver) -> None:
    assert says(driver) == "saved: 00000.json"
    driver.press(Qt.Key_D)
    assert says(driver) == "not annotated"
    annotate(driver, ball_centre(1), "ball")
    assert says(driver) == "saved: 00001.json"
    assert "*" not in driver.window.windowTitle()


def test_looking_at_frames_writes_no_file_and_changes_none(driver: Driver) -> None:
    before = file_of(driver).read_bytes(), file_of(driver).stat().st_mtime_ns
    for key in (Qt.Key_End, Qt.Key_Home, Qt.Key_E, Qt.Key_Q):
        driver.press(key)
    driver.window.close()
    assert (file_of(driver).read_bytes(), file_of(driver).stat().st_mtime_ns) == before
    assert [path.name for path in file_of(driver).parent.iterdir()] == ["00000.json"]


def test_deleting_the_last_object_says_looked_at_and_nothing_here(driver: Driver) -> None:
    delete_ball(driver)
    assert document(driver)["shapes"] == []
    assert says(driver) == "saved: 00000.json"


def test_a_frame_without_shapes_opens_as_annotated_and_takes_new_ones(driver: Driver) -> None:
    empty = {**document(driver, 0), "shapes": []}
    file_of(driver, 2).write_text(json.dumps(empty), encoding="utf-8")
    driver.go_to(2)
    assert says(driver) == "saved: 00002.json"
    assert driver.window.listed_shapes() == []
    annotate(driver, brick_centre(2), "brick")
    assert facts(driver, 2) == {(2, "brick", "sam")}


def test_what_other_programs_wrote_survives_an_edit(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    path = output / "ball" / "00000.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content |= {"reviewer": "Zoë", "tool": {"version": [1, 2]}, "flags": {"blurred": True}}
    content["shapes"][0] |= {"attributes": {"occluded": False}, "score": None, "description": "left one"}
    path.write_text(json.dumps(content), encoding="utf-8")
    driver = make_annotation_window(root)
    x, y = corner_of(shapes(driver)[0])
    driver.press(Qt.Key_E)
    driver.hover(x, y)
    driver.drag(x, y, x - 8, y)
    annotate_in_sam_mode(driver)
    after = document(driver)
    assert corner_of(after["shapes"][0])[0] == pytest.approx(x - 8, abs=0.5)
    assert len(after["shapes"]) == 2
    assert (after["reviewer"], after["tool"]) == ("Zoë", {"version": [1, 2]})
    assert after["flags"] == {"blurred": True}
    assert after["shapes"][0]["attributes"] == {"occluded": False}
    assert after["shapes"][0]["description"] == "left one"


def annotate_in_sam_mode(driver: Driver) -> None:
    driver.press(Qt.Key_Q)
    annotate(driver, brick_centre(0), "brick")


# --- autosave off --------------------------------------------------------------------------------------------------


@pytest.fixture
def unsaved(driver: Driver) -> Driver:
    """labelme's autosave is off, and the ball was deleted."""
    driver.window.labelme_actions.save_auto.trigger()
    delete_ball(driver)
    assert facts(driver, 0) == {(1, "ball", "manual")}
    assert "*" in driver.window.windowTitle()
    return driver


def test_without_autosave_a_change_waits_for_control_s(unsaved: Driver) -> None:
    unsaved.press(Qt.Key_S, Qt.ControlModifier)
    assert document(unsaved)["shapes"] == []
    assert "*" not in unsaved.window.windowTitle()


@pytest.mark.parametrize(("button", "index", "left"), [(Box.Save, 1, 0), (Box.Discard, 1, 1), (Box.Cancel, 0, 1)])
def test_leaving_an_unsaved_frame_asks_whether_to_save_discard_or_stay(
    unsaved: Driver, button: Box.StandardButton, index: int, left: int
) -> None:
    asked = answer_when_asked(button)
    unsaved.press(Qt.Key_D)
    assert asked == [f"Save what was changed in {file_of(unsaved, 0)}?"]
    assert unsaved.window.session.index == index
    assert len(shapes(unsaved, 0)) == left
    assert unsaved.window.is_dirty == (button == Box.Cancel)


def test_closing_the_window_with_an_unsaved_frame_asks_and_can_be_called_off(unsaved: Driver) -> None:
    asked = answer_when_asked(Box.Cancel)
    unsaved.window.close()
    assert len(asked) == 1
    assert unsaved.window.isVisible()
    asked = answer_when_asked(Box.Save)
    unsaved.window.close()
    assert len(asked) == 1
    assert not unsaved.window.isVisible()
    assert document(unsaved, 0)["shapes"] == []


def test_a_run_from_an_unsaved_frame_asks_first(unsaved: Driver) -> None:
    asked = answer_when_asked(Box.Cancel)
    unsaved.press(Qt.Key_Space)
    assert len(asked) == 1
    assert not unsaved.window.propagation.is_running


@pytest.mark.parametrize("in_hand", [False, True])
def test_closing_the_window_with_an_open_proposal_asks_and_can_be_called_off(driver: Driver, in_hand: bool) -> None:
    before = file_of(driver, 0).read_bytes()
    if in_hand:
        driver.window.select_object(1)
    driver.click(*ball_centre(0))
    driver.proposals()
    asked = answer_when_asked(Box.Cancel)
    driver.window.close()
    assert ("The correction of 1 ball" in asked[0]) == in_hand
    assert driver.window.isVisible()
    assert driver.window.sam_tool.proposal is not None
    asked = answer_when_asked(Box.Discard)
    driver.window.close()
    assert len(asked) == 1
    assert not driver.window.isVisible()
    assert file_of(driver, 0).read_bytes() == before


def test_closing_the_window_while_a_mask_is_looked_for_asks_too(driver: Driver, discs: DiscSegmenter) -> None:
    discs.gate = threading.Semaphore(0)
    driver.click(*ball_centre(0))
    assert driver.window.sam_tool.is_looking
    asked = answer_when_asked(Box.Cancel)
    driver.window.close()
    assert len(asked) == 1
    assert driver.window.isVisible()
    discs.gate.release(10)
    driver.proposals()


# --- when it fails -------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_once_and_leaves_the_old_file(driver: Driver, disk: Disk, take_dialog: TakeDialog) -> None:
    before = file_of(driver).read_bytes()
    disk.is_full = True
    delete_ball(driver)
    said = take_dialog(driver)
    assert "00000.json" in said
    assert "No space left" in said
    assert says(driver) == "NOT SAVED"
    assert "*" in driver.window.windowTitle()
    assert file_of(driver).read_bytes() == before
    assert [path.name for path in file_of(driver).parent.iterdir()] == ["00000.json"]
    annotate_in_sam_mode(driver)
    assert driver.dialog_text() == ""  # said before
    assert says(driver) == "NOT SAVED"


def test_the_next_save_that_succeeds_clears_the_mark_and_holds_every_change(
    driver: Driver, disk: Disk, take_dialog: TakeDialog
) -> None:
    disk.is_full = True
    delete_ball(driver)
    take_dialog(driver)
    disk.is_full = False
    annotate_in_sam_mode(driver)
    assert facts(driver) == {(2, "brick", "sam")}
    assert says(driver) == "saved: 00000.json"
    assert "*" not in driver.window.windowTitle()
    disk.is_full = True
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert "No space left" in take_dialog(driver)  # a new failure is told again


def test_a_mask_that_could_not_be_saved_stays_on_the_canvas(
    driver: Driver, disk: Disk, take_dialog: TakeDialog
) -> None:
    disk.is_full = True
    annotate(driver, brick_centre(0), "brick")
    take_dialog(driver)
    assert {shape.label for shape in driver.window.listed_shapes()} == {"ball", "brick"}
    disk.is_full = False
    driver.press(Qt.Key_S, Qt.ControlModifier)
    assert {label for _, label, _ in facts(driver)} == {"ball", "brick"}


def test_choosing_save_where_saving_fails_does_not_leave_the_frame(
    driver: Driver, disk: Disk, take_dialog: TakeDialog
) -> None:
    disk.is_full = True
    delete_ball(driver)
    take_dialog(driver)
    answer_when_asked(Box.Save)
    driver.press(Qt.Key_D)
    assert driver.window.session.index == 0
    assert driver.window.listed_shapes() == []
    assert driver.window.is_dirty
    answer_when_asked(Box.Save)
    driver.window.close()
    assert driver.window.isVisible()
    disk.is_full = False
    answer_when_asked(Box.Save)
    driver.press(Qt.Key_D)
    assert driver.window.session.index == 1
    assert document(driver, 0)["shapes"] == []


def test_an_output_folder_that_cannot_be_written_is_told_and_nothing_is_lost(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path, take_dialog: TakeDialog
) -> None:
    driver = make_annotation_window(make_videos())
    output.write_text("a file where the folder of annotations should be", encoding="utf-8")
    annotate(driver, ball_centre(0), "ball")
    said = take_dialog(driver)
    assert str(output / "ball" / "00000.json") in said
    assert says(driver) == "NOT SAVED"
    output.unlink()
    driver.press(Qt.Key_S, Qt.ControlModifier)
    assert facts(driver) == {(1, "ball", "sam")}
    assert says(driver) == "saved: 00000.json"


def test_a_folder_that_is_read_only_is_told_with_what_to_do(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, take_dialog: TakeDialog
) -> None:
    before = file_of(driver).read_bytes()

    def refuse(*_arguments: object, **_options: object) -> None:  # the tests may run as root, whom no folder refuses
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("sam_annotator.core.files.tempfile.mkstemp", refuse)
    delete_ball(driver)
    said = take_dialog(driver)
    assert "Permission denied" in said
    assert said.endswith("choose a folder that can be written (File &gt; Change Output Dir).")
    assert _plain(driver.window.labelme_actions.change_output_dir.text()) == "Change Output Dir"
    assert says(driver) == "NOT SAVED"
    assert file_of(driver).read_bytes() == before


def _plain(text: str) -> str:
    return text.replace("&", "")


def test_a_run_that_cannot_save_stops_with_a_sentence(driver: Driver, disk: Disk, take_dialog: TakeDialog) -> None:
    disk.is_full = True
    driver.press(Qt.Key_Space)
    said = take_dialog(driver)
    assert "could not be taken back; free some space, or choose" in said
    assert "(File &gt; Change Output Dir)" in said
    assert "--" not in said
    assert str(file_of(driver, 1).parent) in said
    assert not driver.window.propagation.is_running
    assert facts(driver, 0) == {(1, "ball", "manual")}
    assert not file_of(driver, 1).exists()


def test_what_another_program_saved_meanwhile_to_other_objects_is_kept(
    driver: Driver, output: Path, make_videos: Videos
) -> None:
    draw(output.parent / "videos", output, thing=BALL, object_id=9)  # as a run without the window would
    annotate(driver, brick_centre(0), "brick")
    assert {number for number, _, _ in facts(driver)} == {1, 2, 9}
    assert {shape.group_id for shape in driver.window.listed_shapes()} == {1, 2, 9}


# --- undone, down to no file -------------------------------------------------------------------------------------


@pytest.fixture
def blank(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter) -> Driver:
    """A window on a video without annotations."""
    return make_annotation_window(make_videos(frames=4))


def test_undoing_the_first_mask_of_a_frame_leaves_no_file_and_offers_its_id_again(blank: Driver) -> None:
    annotate(blank, ball_centre(0), "ball")
    annotate(blank, brick_centre(0), "brick")
    assert facts(blank) == {(1, "ball", SAM), (2, "brick", SAM)}
    blank.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(blank) == {(1, "ball", SAM)}
    blank.press(Qt.Key_Z, Qt.ControlModifier)
    assert not file_of(blank).exists()
    assert blank.window.status.saved.text() == "not annotated"
    assert blank.window.session.tracks.annotated == 0
    annotate(blank, brick_centre(0), "brick")
    assert facts(blank) == {(1, "brick", SAM)}


def test_a_frame_that_was_emptied_by_hand_keeps_its_file_until_that_is_undone_too(blank: Driver) -> None:
    annotate(blank, ball_centre(0), "ball")
    blank.window.commands.delete(1, "frame")
    assert shapes(blank) == []
    assert file_of(blank).exists()  # looked at, nothing here
    blank.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(blank) == {(1, "ball", SAM)}
    blank.press(Qt.Key_Z, Qt.ControlModifier)
    assert not file_of(blank).exists()


def test_a_frame_that_had_a_file_keeps_it_when_all_is_undone(driver: Driver) -> None:
    before = shapes(driver)
    annotate(driver, brick_centre(0), "brick")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert shapes(driver) == before


def test_what_a_propagation_said_meanwhile_stays_when_the_first_mask_is_undone(blank: Driver, output: Path) -> None:
    annotate(blank, ball_centre(0), "ball")
    session = blank.window.session
    session.store.update(session.video, 0, lambda frame: replace(frame, propagated_ids=frozenset({7})), WIDTH, HEIGHT)
    blank.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(blank).exists()
    assert session.store.read(session.video, 0).propagated_ids == {7}


# --- undo after many frames were changed -------------------------------------------------------------------------


def undo(driver: Driver) -> None:
    driver.press(Qt.Key_Z, Qt.ControlModifier)


@pytest.fixture
def two(blank: Driver) -> Driver:
    """The ball, then the brick were accepted in the first frame."""
    annotate(blank, ball_centre(0), "ball")
    annotate(blank, brick_centre(0), "brick")
    return blank


def test_after_a_rename_earlier_edits_are_undone_under_the_new_name(two: Driver) -> None:
    two.window.commands.rename(1, "globe")
    settled(two)
    assert facts(two) == {(1, "globe", SAM), (2, "brick", SAM)}
    undo(two)
    assert facts(two) == {(1, "globe", SAM)}
    undo(two)
    assert not file_of(two).exists()


def test_after_renaming_by_the_dialog_each_undo_takes_something_back(two: Driver) -> None:
    choose_in_menu(two, 1, "Rename…")
    two.name("globe")
    settled(two)
    undo(two)
    assert facts(two) == {(1, "globe", SAM)}


def test_after_a_new_id_earlier_edits_are_undone_under_that_id(two: Driver) -> None:
    two.window.commands.renumber(1, 9)
    settled(two)
    undo(two)
    assert facts(two) == {(9, "ball", SAM)}


def test_a_state_in_which_the_new_id_was_another_objects_cannot_be_gone_back_to_and_that_is_said(two: Driver) -> None:
    two.window.commands.delete(2, "frame")
    two.window.commands.renumber(1, 2)
    settled(two)
    assert facts(two) == {(2, "ball", SAM)}
    assert "earlier edits of it cannot be undone" in two.window.statusBar().currentMessage()
    undo(two)
    assert facts(two) == {(2, "ball", SAM)}


def test_what_was_deleted_in_the_video_does_not_come_back_by_undoing_another_edit(two: Driver) -> None:
    two.window.commands.delete(1, "video")
    settled(two)
    undo(two)
    assert shapes(two) == []


def test_a_change_of_other_frames_keeps_every_step_of_undo(two: Driver) -> None:
    two.window.commands.take_back(lambda: iter(()))
    settled(two)
    assert two.window.statusBar().currentMessage() == "The last propagation is taken back."
    undo(two)
    assert facts(two) == {(1, "ball", SAM)}


def test_a_change_of_this_frame_by_others_is_said_to_end_undo(two: Driver) -> None:
    session = two.window.session

    def steps() -> Iterator[int]:
        session.store.update(session.video, 0, lambda frame: frame.with_object(2, ()), WIDTH, HEIGHT)
        yield 0

    two.window.commands.take_back(steps)
    settled(two)
    assert facts(two) == {(1, "ball", SAM)}
    assert "earlier edits of it cannot be undone" in two.window.statusBar().currentMessage()
    assert not two.window.can_undo()
