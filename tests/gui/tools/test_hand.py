"""An object in hand: taken up again in its frame, or taken along to the next one, without a dialog."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED, SAM
from sam_annotator.core.masks import iou
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre, brick_centre, truth
from tests.gui.steps import (
    annotate,
    choose_in_menu,
    draw,
    facts,
    file_of,
    hint,
    overlap,
    saved_mask,
    settled,
    shapes,
    take,
)

Window = Callable[..., Driver]
Videos = Callable[..., Path]

CORNER = (20.0, 96.0)  # of the ground, far from ball and brick


@pytest.fixture(params=["labelme", "classic"])
def driver(
    make_annotation_window: Window,
    make_videos: Videos,
    discs: DiscSegmenter,
    output: Path,
    request: pytest.FixtureRequest,
) -> Driver:
    """A window, with either preset, on a video where the ball was propagated through all frames: object 1."""
    root = make_videos(frames=4)
    draw(root, output, range(4), source=PROPAGATED)
    return make_annotation_window(root, keymap=request.param)


@pytest.fixture
def empty(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter) -> Driver:
    """A window on a video without annotations."""
    return make_annotation_window(make_videos(frames=4))


def held(driver: Driver) -> int | None:
    in_hand = driver.window.sam_tool.in_hand
    return None if in_hand is None else in_hand.object_id


# --- taken up again ------------------------------------------------------------------------------------------------


def test_an_object_of_the_list_is_taken_up_and_a_click_refines_its_mask(driver: Driver, discs: DiscSegmenter) -> None:
    take(driver)
    assert "Click adds to 1 ball" in hint(driver)
    driver.click(*ball_centre(0))
    driver.proposals()
    (previous,) = discs.previous
    assert previous is not None
    assert np.array_equal(previous.mask, saved_mask(driver, 1, 0))
    driver.press(Qt.Key_Return)
    assert driver.window.naming.dialog is None
    assert facts(driver, 0) == {(1, "ball", "sam")}
    assert saved_mask(driver, 1, 0).sum() < 200  # the disc, not the ball
    assert 0 in driver.window.session.tracks.get(1).key_frames
    assert held(driver) is None


def test_taking_back_what_replaced_a_mask_is_one_step(driver: Driver) -> None:
    before = file_of(driver).read_bytes()
    take(driver)
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    assert file_of(driver).read_bytes() != before
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(driver).read_bytes() == before


def test_esc_forgets_the_clicks_and_a_second_one_leaves_the_object_as_it_is(driver: Driver) -> None:
    before = file_of(driver).read_bytes()
    take(driver)
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Escape)
    assert held(driver) == 1
    driver.press(Qt.Key_Escape)
    assert held(driver) is None
    assert file_of(driver).read_bytes() == before
    driver.click(*CORNER)
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name("stone")
    assert facts(driver, 0) == {(1, "ball", "propagated"), (2, "stone", "sam")}


def test_a_right_click_alone_takes_away_from_a_mask_that_was_taken_up(driver: Driver, discs: DiscSegmenter) -> None:
    take(driver)
    driver.click(*ball_centre(0), include=False)
    driver.proposals()
    assert [prompt.includes for prompt in discs.asked] == [(False,)]
    assert discs.previous[0] is not None


def test_z_goes_back_to_the_mask_that_was_taken_up(driver: Driver) -> None:
    take(driver)
    driver.click(*CORNER)
    driver.proposals()
    driver.press(Qt.Key_Z)
    assert driver.window.sam_tool.proposals == ()
    assert not driver.window.own_actions["accept"].isEnabled()
    assert "Click adds to 1 ball" in hint(driver)


def test_the_object_that_is_selected_is_taken_up_with_the_sam_tool(driver: Driver) -> None:
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Q)
    assert held(driver) == 1


def test_control_and_a_click_take_up_what_is_there_and_beside_it_put_it_down(driver: Driver) -> None:
    canvas, x_y = driver.window.canvas, driver._place(*ball_centre(0))
    QtTest.QTest.mouseClick(canvas, Qt.LeftButton, Qt.ControlModifier, x_y)
    assert held(driver) == 1
    assert not canvas.has_prompt
    QtTest.QTest.mouseClick(canvas, Qt.LeftButton, Qt.ControlModifier, driver._place(*CORNER))
    assert held(driver) is None


def test_the_menu_of_an_object_takes_it_up_with_sam_or_with_the_brush(driver: Driver) -> None:
    driver.press(Qt.Key_E)
    choose_in_menu(driver, 1, "Refine with SAM")
    assert held(driver) == 1
    assert driver.window.canvas.is_prompting
    choose_in_menu(driver, 1, "Paint with the brush")
    assert driver.window.brush.object_id == 1
    assert driver.window.canvas.is_brushing


def test_description_and_flags_of_a_shape_stay_when_its_mask_is_replaced(driver: Driver) -> None:
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    driver.window.naming.dialog.description.setText("half hidden")
    driver.name("ball")
    settled(driver)
    driver.press(Qt.Key_Q)
    take(driver)
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    assert [shape["description"] for shape in shapes(driver)] == ["half hidden"]


def test_what_is_in_hand_is_shown_on_the_canvas_in_the_place_of_its_old_outline(driver: Driver) -> None:
    driver.look()
    plain = driver.window.canvas.grab().toImage()
    take(driver)
    driver.look()
    assert driver.window.canvas.grab().toImage() != plain
    driver.press(Qt.Key_Escape)
    driver.look()
    assert driver.window.canvas.grab().toImage() == plain


def test_an_object_that_is_deleted_is_in_hand_no_more(driver: Driver) -> None:
    take(driver)
    choose_in_menu(driver, 1, "Delete in the whole video")
    settled(driver)
    driver.wait(lambda: held(driver) is None, "the object to be put down")


def test_undo_while_an_object_is_in_hand_takes_up_the_mask_that_comes_back(driver: Driver) -> None:
    take(driver)
    driver.click(*CORNER)
    driver.proposals()
    driver.press(Qt.Key_Return)
    take(driver)
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    x, y = ball_centre(0)
    driver.wait(lambda: driver.window.sam_tool.in_hand.start.mask[y, x], "the old mask")


def test_another_tool_and_another_frame_put_down_what_is_in_hand(driver: Driver) -> None:
    take(driver)
    driver.press(Qt.Key_E)
    assert held(driver) is None
    driver.press(Qt.Key_Q)
    take(driver)
    driver.press(Qt.Key_Right)
    assert held(driver) is None


# --- taken along ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keymap", ["labelme", "classic"])
def test_one_click_and_one_key_a_frame_annotate_an_object_through_a_video(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, keymap: str
) -> None:
    driver = make_annotation_window(make_videos(frames=4), keymap=keymap)
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_C)
    driver.name("ball")
    for index in (1, 2, 3):
        assert driver.window.session.index == index
        assert "Click on 1 ball" in hint(driver)
        driver.click(*ball_centre(index))
        driver.proposals()
        driver.press(Qt.Key_C)
        assert driver.window.naming.dialog is None
    assert [facts(driver, index) for index in range(4)] == [{(1, "ball", "sam")}] * 4


def test_of_three_proposals_the_one_as_large_as_the_object_was_is_chosen(empty: Driver) -> None:
    driver = empty
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_3)
    driver.press(Qt.Key_C)
    driver.name("ball")
    driver.click(*ball_centre(1))
    driver.proposals()
    assert driver.window.sam_tool.chosen == 2
    x, y = ball_centre(1)
    driver.click(x + 3, y)
    driver.proposals()
    assert driver.window.sam_tool.chosen == 0  # what is chosen was refined, whatever is offered beside it


def test_what_was_under_the_brush_is_not_said_of_the_tool_after_it(empty: Driver) -> None:
    empty.press(Qt.Key_B)
    assert "new object" in str(empty.window.canvas._held)
    empty.press(Qt.Key_Q)
    assert empty.window.canvas._held is None
    assert empty.window.canvas.hint().startswith("Click on an object")


def test_enter_ends_going_on_with_an_object_and_the_next_click_is_a_new_one(empty: Driver) -> None:
    driver = empty
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_C)
    driver.name("ball")
    driver.click(*ball_centre(1))
    driver.proposals()
    driver.press(Qt.Key_Return)
    annotate(driver, brick_centre(1), "brick")
    assert facts(driver, 1) == {(1, "ball", "sam"), (2, "brick", "sam")}


def test_an_object_that_was_just_accepted_is_taken_along(empty: Driver) -> None:
    driver = empty
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_C)
    assert (driver.window.session.index, held(driver)) == (1, 1)
    driver.press(Qt.Key_Escape)
    annotate(driver, brick_centre(1), "brick")
    assert facts(driver, 1) == {(2, "brick", "sam")}


def test_going_on_where_the_object_has_a_mask_already_takes_that_up(driver: Driver) -> None:
    take(driver)
    driver.press(Qt.Key_C)
    assert driver.window.session.index == 1
    assert np.array_equal(driver.window.sam_tool.in_hand.start.mask, saved_mask(driver, 1, 1))
    assert overlap(driver, BALL, 1) > 0.9


def test_without_an_object_and_at_the_last_frame_going_on_says_why_not(empty: Driver) -> None:
    driver = empty
    driver.press(Qt.Key_C)
    assert "Which object?" in driver.window.statusBar().currentMessage()
    driver.press(Qt.Key_End)
    annotate(driver, ball_centre(3), "ball")
    driver.press(Qt.Key_C)
    assert "last frame" in driver.window.statusBar().currentMessage()
    assert facts(driver, 3) == {(1, "ball", "sam")}


def test_an_object_that_is_not_here_is_chosen_in_the_list_and_clicked_without_a_dialog(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, [0])
    draw(root, output, [2], thing=BRICK)
    driver = make_annotation_window(root)
    take(driver, 2)
    driver.click(*brick_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    assert facts(driver, 0) == {(1, "ball", "manual"), (2, "brick", "sam")}
    x, y = brick_centre(0)
    assert saved_mask(driver, BRICK, 0)[y, x]
    assert np.array_equal(saved_mask(driver, BALL, 0), truth(BALL, 0)) or overlap(driver, BALL, 0) > 0.98


# --- what is open when other things begin ------------------------------------------------------------------------


def correct(driver: Driver) -> None:
    """Take the ball up, and click on the corner: what is proposed is not what the file says."""
    take(driver)
    driver.click(*CORNER)
    driver.proposals()


def said(driver: Driver) -> str:
    """The sentence that stands at the left of the status line for a while."""
    return str(driver.window.statusBar().currentMessage())


@pytest.mark.parametrize("repair", [False, True])
def test_space_accepts_the_open_correction_and_carries_what_was_corrected(driver: Driver, repair: bool) -> None:
    window = driver.window
    old = saved_mask(driver, 1, 0)
    driver.press(Qt.Key_Q)
    correct(driver)
    wanted = window.sam_tool.proposal.mask
    driver.press(Qt.Key_Space, Qt.ShiftModifier if repair else Qt.NoModifier)
    assert window.propagation.is_running
    driver.propagation(60)
    assert not window.canvas.has_prompt
    assert iou(saved_mask(driver, 1, 0), wanted) > 0.95
    assert iou(saved_mask(driver, 1, 0), old) < 0.95
    assert facts(driver, 0) == {(1, "ball", SAM)}


@pytest.mark.parametrize("modifiers", [Qt.NoModifier, Qt.ShiftModifier])
def test_space_refuses_while_a_new_objects_proposal_is_open(driver: Driver, modifiers: Qt.KeyboardModifier) -> None:
    window = driver.window
    driver.click(*CORNER)
    driver.proposals()
    driver.press(Qt.Key_Space, modifiers)
    assert not window.propagation.is_running
    assert window.sam_tool.proposals
    assert said(driver) == "Accept or reject the proposal first: Enter or Esc."


def test_space_and_enter_say_that_the_mask_is_on_its_way_and_the_hint_goes_when_it_comes(
    driver: Driver, discs: DiscSegmenter
) -> None:
    window = driver.window
    discs.gate = threading.Semaphore(0)
    driver.press(Qt.Key_Q)
    take(driver)
    driver.click(*CORNER)
    for key in (Qt.Key_Return, Qt.Key_Space):
        driver.press(key)
        assert said(driver) == "Wait for the mask, or forget the clicks with Esc."
        window.statusBar().clearMessage()
    assert not window.propagation.is_running
    driver.press(Qt.Key_Return)
    QtWidgets.QApplication.processEvents()
    discs.gate.release(1000)
    driver.proposals()
    assert said(driver) == ""


def test_enter_says_what_is_missing_where_no_mask_will_come(driver: Driver) -> None:
    driver.press(Qt.Key_Q)
    driver.click(*CORNER, include=False)
    driver.press(Qt.Key_Return)
    assert said(driver) == "There is no mask: click on the object, or forget the clicks with Esc."


@pytest.mark.parametrize("way", ["next frame", "end", "edit", "brush", "next object", "slider"])
def test_a_proposal_that_is_left_behind_is_spoken_of(driver: Driver, way: str) -> None:
    window = driver.window
    driver.go_to(1)
    driver.press(Qt.Key_Q)
    driver.click(*CORNER)
    driver.proposals()
    ways: dict[str, Callable[[], object]] = {
        "next frame": lambda: driver.press(Qt.Key_Right),
        "end": lambda: driver.press(Qt.Key_End),
        "edit": window.edit_mode,
        "brush": window.own_actions["brush"].trigger,
        "next object": lambda: driver.press(Qt.Key_BracketRight),
        "slider": lambda: driver.go_to(3),
    }
    ways[way]()
    assert not window.canvas.has_prompt
    assert said(driver) == "The proposal on frame 2 was not accepted."
    QtWidgets.QApplication.processEvents()
    driver.press(Qt.Key_Q)
    driver.click(*CORNER)
    assert said(driver) == ""  # a new action: what was said of the last one has had its day


def test_what_is_accepted_or_rejected_is_not_said_to_be_left(driver: Driver) -> None:
    driver.press(Qt.Key_Q)
    correct(driver)
    driver.press(Qt.Key_Return)
    assert said(driver) == ""
    correct(driver)
    driver.press(Qt.Key_Escape)
    driver.press(Qt.Key_Right)
    assert said(driver) == ""


def test_a_rename_in_the_list_accepts_the_open_correction_first(driver: Driver) -> None:
    driver.press(Qt.Key_Q)
    correct(driver)
    wanted = driver.window.sam_tool.proposal.mask
    choose_in_menu(driver, 1, "Rename…")
    driver.name("globe")
    settled(driver)
    assert iou(saved_mask(driver, 1, 0), wanted) > 0.95
    assert facts(driver, 0) == {(1, "globe", SAM)}
    assert facts(driver, 2) == {(1, "globe", PROPAGATED)}


@pytest.mark.parametrize("what", ["export", "rename", "take back"])
def test_long_work_does_not_begin_over_a_new_objects_proposal(driver: Driver, what: str) -> None:
    window = driver.window
    driver.click(*CORNER)
    driver.proposals()
    if what == "export":
        window.own_actions["export"].trigger()
    elif what == "rename":
        choose_in_menu(driver, 1, "Rename…")
    else:
        window.commands.take_back(lambda: iter(()))
    assert window.sam_tool.proposals
    assert window.naming.dialog is None
    assert not window.commands.is_busy
    assert said(driver) == "Accept or reject the proposal first: Enter or Esc."
