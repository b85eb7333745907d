"""Names and ids of objects: what the dialog offers, what is renamed and renumbered in the whole video."""

from collections.abc import Callable
from pathlib import Path

from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre, brick_centre
from tests.gui.steps import annotate, choose_in_menu, draw, facts, file_of, listed, overlap, saved_mask, settled

Window = Callable[..., Driver]
Videos = Callable[..., Path]


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
