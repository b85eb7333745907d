"""Annotating a frame with mouse and keys: what the window makes of it is read from the files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.masks import iou
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre, brick_centre, truth
from tests.gui.steps import (
    accept,
    annotate,
    choose_in_menu,
    corner_of,
    document,
    draw,
    facts,
    file_of,
    listed,
    overlap,
    saved_mask,
    settled,
    shapes,
)

Window = Callable[..., Driver]
Videos = Callable[..., Path]

CORNER = (20.0, 96.0)  # of the ground, far from ball and brick


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "annotations"


@pytest.fixture
def driver(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter) -> Driver:
    """A window on a video without annotations; the segmenter answers with discs."""
    return make_annotation_window(make_videos(frames=4))


@pytest.fixture
def with_ball(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path) -> Driver:
    """A window on a video where an earlier session has drawn the ball in all frames: object 1."""
    root = make_videos(frames=4)
    draw(root, output, range(4))
    return make_annotation_window(root)


# --- from a click to a file ----------------------------------------------------------------------------------------


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


# --- names ---------------------------------------------------------------------------------------------------------


def test_cancelling_the_dialog_keeps_the_proposal_and_writes_nothing(driver: Driver) -> None:
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Escape)
    driver.wait(lambda: driver.window.naming.dialog is None, "the dialog to close")
    assert driver.window.sam_tool.proposal is not None
    assert not file_of(driver).exists()


def test_each_new_object_gets_the_next_id_that_is_free_in_the_whole_video(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, [3], object_id=7)
    driver = make_annotation_window(root)
    annotate(driver, ball_centre(0), "balloon")
    annotate(driver, brick_centre(0), "brick")
    assert facts(driver, 0) == {(8, "balloon", "sam"), (9, "brick", "sam")}


def test_an_object_of_the_category_that_is_missing_here_is_proposed(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_D)
    annotate(driver, ball_centre(1), "ball")
    assert facts(driver, 1) == {(1, "ball", "sam")}


def test_a_second_object_of_a_category_that_is_here_already_is_a_new_one(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    annotate(driver, brick_centre(0), "ball")
    assert facts(driver, 0) == {(1, "ball", "sam"), (2, "ball", "sam")}


def test_enter_alone_names_it_like_the_one_before(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    annotate(driver, brick_centre(0), "")
    assert {label for _, label, _ in facts(driver, 0)} == {"ball"}


def test_choosing_an_object_that_is_here_replaces_its_mask(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.click(*brick_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    box = driver.window.naming.dialog.object
    box.setFocus()
    row = box.findData(1)
    while box.currentIndex() != row:
        QtTest.QTest.keyClick(box, Qt.Key_Down if box.currentIndex() < row else Qt.Key_Up)
    driver.name("ball")
    x, y = brick_centre(0)
    assert facts(driver, 0) == {(1, "ball", "sam")}
    assert saved_mask(driver, 1, 0)[y, x]


def test_control_e_renames_the_object_in_all_frames(with_ball: Driver) -> None:
    driver = with_ball
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.name("orange")
    settled(driver)
    assert [facts(driver, index) for index in range(4)] == [{(1, "orange", "manual")}] * 4
    assert listed(driver) == {1: "orange"}


def test_shapes_without_an_id_become_objects_of_their_own(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=2)
    draw(root, output, [0], thing=BALL)
    draw(root, output, [0], thing=BRICK)
    path = next(output.rglob("00000.json"))
    path.write_text(path.read_text(encoding="utf-8").replace('"group_id": 1', '"group_id": null').replace(
        '"group_id": 2', '"group_id": null'), encoding="utf-8")  # fmt: skip
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    for centre, label in ((ball_centre(0), "ball"), (brick_centre(0), "brick")):
        driver.click(*centre)
        driver.press(Qt.Key_E, Qt.ControlModifier)
        driver.name(label)
        settled(driver)
    assert {(label, number) for number, label, _source in facts(driver, 0)} == {("ball", 1), ("brick", 2)}


def test_an_object_that_becomes_another_one_takes_its_place_by_hand(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=2)
    draw(root, output, [0], thing=BALL, source=PROPAGATED)
    draw(root, output, [0], thing=BRICK, source=PROPAGATED)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    driver.click(*brick_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.wait(lambda: driver.window.naming.dialog is not None, "the dialog")
    box = driver.window.naming.dialog.object
    box.setCurrentIndex(box.findData(1))
    QtTest.QTest.keyClick(driver.window.naming.dialog.category, Qt.Key_Return)
    settled(driver)
    assert facts(driver, 0) == {(1, "ball", "manual")}
    assert overlap(driver, BRICK, 0, object_id=1) > 0.8


def test_the_window_does_not_close_while_frames_are_changed(with_ball: Driver) -> None:
    window = with_ball.window
    window.commands.is_busy = True
    assert not window.close()
    window.commands.is_busy = False


def test_the_list_of_objects_renames_an_object_that_is_not_in_this_frame(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, [2, 3])
    driver = make_annotation_window(root)
    choose_in_menu(driver, 1, "Rename…")
    driver.name("orange")
    settled(driver)
    assert facts(driver, 2) == facts(driver, 3) == {(1, "orange", "manual")}
    assert not file_of(driver, 0).exists()


def test_a_new_id_is_given_in_the_whole_video(with_ball: Driver) -> None:
    driver = with_ball
    choose_in_menu(driver, 1, "Change id…")
    (dialog,) = driver.window.findChildren(QtWidgets.QInputDialog)
    dialog.setIntValue(5)
    dialog.accept()
    settled(driver)
    assert [facts(driver, index) for index in range(4)] == [{(5, "ball", "manual")}] * 4


def test_an_id_that_is_taken_is_refused_in_a_sentence(
    make_annotation_window: Window,
    make_videos: Videos,
    discs: DiscSegmenter,
    output: Path,
    take_dialog: Callable[[Driver], str],
) -> None:
    root = make_videos(frames=4)
    draw(root, output, range(4))
    draw(root, output, [2], thing=BRICK)
    driver = make_annotation_window(root)
    driver.window.commands.renumber(1, 2)
    assert "shows object 2 already" in take_dialog(driver)
    assert facts(driver, 0) == {(1, "ball", "manual")}
    assert driver.window.isEnabled()


# --- editing and deleting ------------------------------------------------------------------------------------------


def test_dragging_a_vertex_of_a_propagated_shape_makes_it_manual(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, [0], source=PROPAGATED)
    driver = make_annotation_window(root)
    x, y = corner_of(shapes(driver)[0])
    driver.press(Qt.Key_E)
    drag_vertex(driver, (x, y), (x - 8, y))
    assert corner_of(shapes(driver)[0]) == pytest.approx((x - 8, y), abs=0.5)
    assert facts(driver) == {(1, "ball", "manual")}
    assert 0 in driver.window.session.tracks.get(1).key_frames
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(driver) == {(1, "ball", "propagated")}
    assert corner_of(shapes(driver)[0]) == pytest.approx((x, y), abs=1e-6)


def drag_vertex(driver: Driver, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Move the mouse over a vertex, as a hand does before it presses, and drag it."""
    canvas = driver.window.canvas
    driver.hover(*start)
    driver.wait(lambda: canvas.hovered_shape is not None, "the vertex to be found")
    driver.drag(*start, *end)


def test_an_edited_mask_of_sam_stays_the_work_of_sam(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    x, y = corner_of(shapes(driver)[0])
    driver.press(Qt.Key_E)
    drag_vertex(driver, (x, y), (x - 8, y))
    assert corner_of(shapes(driver)[0])[0] == pytest.approx(x - 8, abs=0.5)
    assert facts(driver) == {(1, "ball", "sam")}


def test_k_approves_a_propagated_mask_and_takes_that_back(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output, range(4), source=PROPAGATED)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_K)
    assert shapes(driver)[0]["flags"] == {"reviewed": True}
    assert driver.window.session.tracks.get(1).key_frames == {0}
    driver.press(Qt.Key_K)
    assert shapes(driver)[0]["flags"] == {}
    assert facts(driver) == {(1, "ball", "propagated")}


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("Delete in this frame", [0, 2, 3]),
        ("Delete from this frame on", [0]),
        ("Delete in the whole video", []),
    ],
)
def test_the_list_of_objects_deletes_in_a_frame_onward_and_in_the_video(
    with_ball: Driver, entry: str, left: list[int]
) -> None:
    driver = with_ball
    driver.press(Qt.Key_D)
    choose_in_menu(driver, 1, entry)
    settled(driver)
    assert [index for index in range(4) if facts(driver, index)] == left
    assert all(file_of(driver, index).exists() for index in range(4))
    assert driver.window.session.index == 1
    assert driver.window.listed_shapes() == []
    assert [label.split()[0] for label in listed(driver).values()] == ["ball"] * bool(left)


def test_delete_removes_the_selected_object_and_control_z_brings_it_back_on_disk(with_ball: Driver) -> None:
    driver = with_ball
    before = file_of(driver).read_bytes()
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Delete)
    assert document(driver)["shapes"] == []
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert file_of(driver).read_bytes() == before


def test_brackets_step_through_the_objects_of_the_video(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    draw(root, output, thing=BRICK)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    selected = []
    for _ in range(3):
        driver.press(Qt.Key_BracketRight)
        selected += [shape.group_id for shape in driver.window.canvas.selected_shapes]
    driver.press(Qt.Key_BracketLeft)
    selected += [shape.group_id for shape in driver.window.canvas.selected_shapes]
    assert selected == [1, 2, 1, 2]


# --- by hand -------------------------------------------------------------------------------------------------------


TRIANGLE = ((20, 70), (60, 74), (34, 104))


def draw_triangle(driver: Driver) -> None:
    draw_polygon(driver, TRIANGLE)


def draw_polygon(driver: Driver, corners: Sequence[tuple[float, float]]) -> None:
    driver.press(Qt.Key_N, Qt.ControlModifier)
    for x, y in (*corners, corners[0]):
        driver.hover(x, y)
        driver.click(x, y)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog for names")


def test_a_polygon_drawn_by_hand_is_named_and_saved(driver: Driver) -> None:
    draw_triangle(driver)
    driver.name("sail")
    (shape,) = shapes(driver)
    assert (shape["label"], shape["group_id"], shape["source"]) == ("sail", 1, "manual")
    assert "score" not in shape
    assert np.allclose(shape["points"], TRIANGLE, atol=0.5)


def test_cancelling_the_name_of_a_drawing_leaves_nothing_on_canvas_or_disk(driver: Driver) -> None:
    draw_triangle(driver)
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Escape)
    driver.wait(lambda: driver.window.naming.dialog is None, "the dialog to close")
    assert driver.window.canvas.unnamed_shapes() == []
    assert driver.window.listed_shapes() == []
    driver.press(Qt.Key_Escape)
    driver.press(Qt.Key_D)
    driver.press(Qt.Key_A)
    assert not file_of(driver, 0).exists()


def test_copy_and_paste_into_the_next_frame_keep_the_object(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_C, Qt.ControlModifier)
    driver.press(Qt.Key_D)
    driver.press(Qt.Key_V, Qt.ControlModifier)
    assert facts(driver, 1) == {(1, "ball", "manual")}
    assert np.array_equal(saved_mask(driver, 1, 1), saved_mask(driver, 1, 0))


def test_a_copy_pasted_beside_its_original_is_a_new_object(driver: Driver) -> None:
    annotate(driver, ball_centre(0), "ball")
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_C, Qt.ControlModifier)
    driver.press(Qt.Key_V, Qt.ControlModifier)
    assert facts(driver, 0) == {(1, "ball", "sam"), (2, "ball", "manual")}


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


def test_an_object_that_was_just_renamed_can_be_deleted(with_ball: Driver) -> None:
    driver = with_ball
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.name("orange")
    settled(driver)
    driver.press(Qt.Key_Delete)  # what was selected is on the canvas no more
    assert facts(driver, 0) == {(1, "orange", "manual")}
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_Delete)
    assert facts(driver, 0) == set()


def test_an_object_that_gets_the_id_of_another_gets_its_category_too(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    draw(root, output, [2], thing=BRICK)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.wait(lambda: driver.window.naming.dialog, "the dialog")
    box = driver.window.naming.dialog.object
    while box.currentData() != 2:
        QtTest.QTest.keyClick(box, Qt.Key_Down)
    QtTest.QTest.keyClick(driver.window.naming.dialog, Qt.Key_Return)
    settled(driver)
    assert facts(driver, 0) == facts(driver, 2) == {(2, "brick", "manual")}
    assert listed(driver) == {2: "brick"}


def test_undoing_a_later_change_keeps_the_id_of_what_was_drawn_by_hand(driver: Driver) -> None:
    draw_triangle(driver)
    driver.name("sail")
    driver.press(Qt.Key_Q)
    annotate(driver, brick_centre(0), "brick")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert facts(driver) == {(1, "sail", "manual")}


def test_control_z_takes_back_the_last_point_of_what_is_being_drawn(with_ball: Driver) -> None:
    driver = with_ball
    driver.press(Qt.Key_N, Qt.ControlModifier)
    for x, y in TRIANGLE:
        driver.hover(x, y)
        driver.click(x, y)
    driver.press(Qt.Key_K)  # a change of the frame in the middle of drawing
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    driver.hover(*TRIANGLE[0])
    assert driver.window.canvas.is_drawing
    assert shapes(driver)[0]["flags"] == {"reviewed": True}
    assert not driver.window.labelme_actions.undo.isEnabled()
    driver.press(Qt.Key_Escape)
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    assert shapes(driver)[0]["flags"] == {}


def test_a_shape_moved_from_where_the_edge_of_another_one_is_highlighted_is_saved(driver: Driver) -> None:
    x, y = ball_centre(0)
    draw_polygon(driver, ((x, y - 30), (x, y + 40), (x - 35, y + 40)))  # an edge runs through the ball
    driver.name("sail")
    driver.press(Qt.Key_Q)
    driver.click(x, y)
    driver.proposals()
    driver.press(Qt.Key_3)
    accept(driver, "ball")
    driver.press(Qt.Key_E)
    driver.hover(x, y)
    assert driver.window.canvas.hovered_shape.label == "sail"
    driver.drag(x, y, x + 20, y)  # the ball is on top: it is what moves
    assert corner_of(shapes(driver)[1])[0] == pytest.approx(x - 14 + 20, abs=1.5)
    assert not driver.window.canvas.is_dragging_shape
