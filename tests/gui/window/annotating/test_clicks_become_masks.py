"""From a click to a file: what is proposed, chosen, taken back and accepted with mouse and keys."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import iou
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE
from tests.gui.scene import BALL, DiscSegmenter, ball_centre, brick_centre, truth
from tests.gui.steps import accept, annotate, document, file_of, overlap, saved_mask

Window = Callable[..., Driver]
Videos = Callable[..., Path]
CORNER = (20.0, 96.0)  # of the ground, far from ball and brick


def test_click_accept_and_name_write_the_object_to_the_file(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    driver = make_annotation_window(make_videos())
    driver.click(*ball_centre(0))
    driver.proposals()
    score = driver.window.sam_tool.proposal.score
    accept(driver, "ball")
    content = document(driver, 0)
    (shape,) = content["shapes"]
    assert (shape["label"], shape["group_id"], shape["source"]) == ("ball", 1, "sam")
    assert shape["shape_type"] == "polygon"
    assert shape["score"] == pytest.approx(score, abs=1e-3)
    assert (content["imageData"], content["imageWidth"], content["imageHeight"]) == (None, 160, 120)
    assert (file_of(driver).parent / content["imagePath"]).resolve() == driver.window.session.frame.path
    assert overlap(driver, BALL, 0) > 0.85


def test_a_click_is_answered_with_three_proposals_and_a_hint_what_to_do(driver: Driver) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    assert len(driver.window.sam_tool.proposals) == 3
    assert "Enter accepts" in driver.window.hint_label.text()
    assert not file_of(driver).exists()


def test_the_image_stays_where_it_is_while_a_person_works_on_it(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter
) -> None:
    driver = make_annotation_window(make_videos(frames=4))
    canvas = driver.window.canvas
    driver.look()
    before = canvas.scale, canvas.image_origin()
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.look()
    assert (canvas.scale, canvas.image_origin()) == before
    accept(driver, "ball")
    driver.look()
    assert (canvas.scale, canvas.image_origin()) == before
    driver.press(Qt.Key_D)
    driver.look()
    assert (canvas.scale, canvas.image_origin()) == before


@pytest.mark.parametrize(("keys", "radius"), [("1", 6), ("2", 10), ("3", 14), ("\t", 10), ("\t\t", 14), ("\t\t\t", 6)])
def test_number_keys_and_tab_choose_the_proposal_that_is_saved(driver: Driver, keys: str, radius: int) -> None:
    x, y = ball_centre(0)
    driver.click(x, y)
    driver.proposals()
    for key in keys:
        driver.press(Qt.Key_Tab if key == "\t" else Qt.Key(ord(key)))
    accept(driver, "ball")
    assert saved_mask(driver, 1, 0).sum() == pytest.approx(np.pi * radius**2, rel=0.08)


def test_the_thumbnails_choose_and_the_buttons_accept_and_reject(driver: Driver) -> None:
    panel = driver.window.proposals_panel
    driver.click(*ball_centre(0))
    driver.proposals()
    thumbnails = panel.findChildren(QtWidgets.QToolButton)
    QtTest.QTest.mouseClick(thumbnails[2], Qt.LeftButton)
    assert driver.window.sam_tool.chosen == 2
    accept_button, reject_button = panel.findChildren(QtWidgets.QPushButton)
    QtTest.QTest.mouseClick(accept_button, Qt.LeftButton)
    driver.name("ball")
    assert saved_mask(driver, 1, 0).sum() > 500
    driver.click(*brick_centre(0))
    driver.proposals()
    QtTest.QTest.mouseClick(reject_button, Qt.LeftButton)
    assert not driver.window.canvas.has_prompt


def test_a_right_click_takes_away_and_refines_the_chosen_proposal(driver: Driver, discs: DiscSegmenter) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_2)
    chosen = driver.window.sam_tool.proposal
    driver.click(*CORNER, include=False)
    driver.proposals()
    assert discs.asked[-1].includes == (True, False)
    assert discs.previous[-1] is chosen


def test_a_right_click_makes_the_mask_of_the_real_segmenter_smaller_there(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    driver = make_annotation_window(make_videos())
    driver.press(Qt.Key_W)
    driver.drag(14, 18, 144, 98)  # ball and brick in one box
    driver.proposals()
    before = iou(driver.window.sam_tool.proposal.mask, truth(BALL, 0))
    driver.click(*brick_centre(0), include=False)
    driver.proposals()
    mask = driver.window.sam_tool.proposal.mask
    assert not mask[brick_centre(0)[1], brick_centre(0)[0]]
    assert iou(mask, truth(BALL, 0)) >= before


@pytest.mark.parametrize("key", [Qt.Key_Q, Qt.Key_W])
def test_a_drag_asks_with_a_box_in_both_tools(driver: Driver, discs: DiscSegmenter, key: Qt.Key) -> None:
    driver.press(key)
    driver.drag(60, 70, 20, 24)  # from bottom right to top left
    driver.proposals()
    assert discs.asked[-1].points == ()
    assert discs.asked[-1].box == pytest.approx((20, 24, 60, 70), abs=0.5)


def test_a_mere_click_does_nothing_in_the_box_tool(driver: Driver, discs: DiscSegmenter) -> None:
    driver.press(Qt.Key_W)
    driver.click(*ball_centre(0))
    assert driver.window.canvas.create_mode == SAM_BOX_MODE
    assert not driver.window.canvas.has_prompt
    assert discs.asked == []


@pytest.mark.parametrize(("key", "modifier"), [(Qt.Key_Z, Qt.NoModifier), (Qt.Key_Z, Qt.ControlModifier)])
def test_z_takes_the_last_click_back_and_shows_the_proposal_before_it(
    driver: Driver, key: Qt.Key, modifier: Qt.KeyboardModifiers
) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_3)
    before = driver.window.sam_tool.proposal
    driver.click(*brick_centre(0))
    driver.proposals()
    driver.press(key, modifier)
    assert driver.window.sam_tool.proposal is before
    driver.press(key, modifier)
    assert not driver.window.canvas.has_prompt
    assert driver.window.sam_tool.proposal is None


def test_escape_forgets_the_clicks_and_leaves_nothing_on_disk(driver: Driver) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Escape)
    assert not driver.window.canvas.has_prompt
    driver.press(Qt.Key_Return)
    assert driver.window.naming.dialog is None
    assert not file_of(driver).exists()


def test_a_proposal_does_not_follow_to_the_next_frame(driver: Driver) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_D)
    assert driver.window.session.index == 1
    assert driver.window.sam_tool.proposal is None
    driver.press(Qt.Key_Return)
    assert driver.window.naming.dialog is None


def test_undoing_an_accepted_mask_takes_it_off_the_disk_too(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert not file_of(driver).exists()


def test_going_away_and_back_shows_what_was_saved(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_End)
    assert driver.window.listed_shapes() == []
    driver.press(Qt.Key_Home)
    (shape,) = driver.window.listed_shapes()
    assert (shape.label, shape.group_id) == ("ball", 1)
