"""What a person deletes in a frame is not there: no propagation brings it back, until somebody says otherwise."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5 import QtCore, QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import find_videos
from sam_annotator.engine.planning import plan_unfilled
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, DiscSegmenter, ball_centre, brick_centre
from tests.gui.steps import choose_in_menu, document, draw, file_of, listed, settled, shapes
from tests.gui.window.propagating.held import HeldPropagator

Window = Callable[..., Driver]
Videos = Callable[..., Path]
FRAMES = 8


@pytest.fixture
def root(make_videos: Videos, output: Path) -> Path:
    """The ball was clicked in frame 0 and carried to frame 4; the brick was drawn in frame 0."""
    root = make_videos("a", frames=FRAMES)
    draw(root, output)
    draw(root, output, range(1, 5), source=PROPAGATED)
    draw(root, output, thing=BRICK)
    return root


@pytest.fixture
def driver(make_annotation_window: Window, root: Path, discs: DiscSegmenter, held: HeldPropagator) -> Driver:
    held.let_all()
    return make_annotation_window(root)


def absent(driver: Driver) -> dict[int, list[int]]:
    """Frame -> ids of what is not there, as the files say."""
    found = {index: document(driver, index).get("absent") for index in range(FRAMES) if file_of(driver, index).exists()}
    return {index: ids for index, ids in found.items() if ids}


def ids(driver: Driver, index: int) -> set[int]:
    return {shape["group_id"] for shape in shapes(driver, index)}


def undo(driver: Driver) -> None:
    driver.press(Qt.Key_Z, Qt.ControlModifier)


def delete(driver: Driver, index: int, object_id: int = BALL) -> None:
    """Select an object and press Delete."""
    driver.go_to(index)
    driver.press(Qt.Key_E)
    driver.window.select_object(object_id)
    driver.press(Qt.Key_Delete)


def propagate(driver: Driver) -> None:
    driver.press(Qt.Key_Space)
    driver.propagation(60)


def test_what_is_deleted_stays_away_from_runs_and_from_their_undo(driver: Driver) -> None:
    delete(driver, 2)
    assert absent(driver) == {2: [BALL]}
    assert "1 ball is not here: no propagation brings it back" in driver.window.statusBar().currentMessage()
    driver.window.refresh_panels()
    assert listed(driver)[BALL] == "ball  (not here)"
    driver.go_to(0)
    driver.window.timeline.last.setValue(3)
    propagate(driver)
    assert [ids(driver, index) for index in (1, 2)] == [{1, 2}, {2}]
    assert absent(driver) == {2: [BALL]}
    driver.press(Qt.Key_Z, Qt.ControlModifier | Qt.ShiftModifier)
    settled(driver)
    assert [ids(driver, index) for index in (1, 2, 3)] == [{1}, set(), {1}]
    assert absent(driver) == {2: [BALL]}


def test_undo_of_the_deletion_and_each_new_mask_take_it_back(driver: Driver) -> None:
    before = document(driver, 2)
    delete(driver, 2)
    undo(driver)
    assert document(driver, 2) == before
    driver.press(Qt.Key_C, Qt.ControlModifier)
    delete(driver, 2)
    driver.window.select_object(BALL)
    driver.press(Qt.Key_Q)
    driver.window.hand.take(BALL)
    driver.click(*ball_centre(2))
    driver.proposals()
    driver.press(Qt.Key_Return)
    assert (absent(driver), [shape["source"] for shape in shapes(driver, 2)]) == ({}, ["sam"])
    undo(driver)
    assert (absent(driver), shapes(driver, 2)) == ({2: [BALL]}, [])
    undo(driver)
    assert document(driver, 2) == before


def test_an_object_that_was_drawn_here_and_undone_may_come(driver: Driver) -> None:
    driver.go_to(6)
    driver.window.hand.take(BALL)
    driver.click(*ball_centre(6))
    driver.proposals()
    driver.press(Qt.Key_Return)
    assert file_of(driver, 6).exists()
    undo(driver)
    assert not file_of(driver, 6).exists()
    delete(driver, 0, BRICK)  # that no other frame shows: it is gone
    assert absent(driver) == {}
    assert listed(driver) == {BALL: "ball"}


def test_what_is_not_here_is_kept_through_other_edits_a_visit_and_a_restart(
    driver: Driver, make_annotation_window: Window, root: Path
) -> None:
    delete(driver, 0)
    driver.go_to(3)
    driver.go_to(0)
    assert driver.window.view.absent_ids() == {BALL}
    driver.window.select_object(BRICK)
    driver.press(Qt.Key_K)
    assert absent(driver) == {0: [BALL]}
    again = make_annotation_window(root)
    again.window.refresh_panels()
    assert listed(again)[BALL] == "ball  (not here)"


def test_the_menu_says_that_an_object_is_not_there_and_lets_it_in_again(driver: Driver) -> None:
    driver.go_to(6)
    choose_in_menu(driver, BALL, "Not in this frame")
    assert absent(driver) == {6: [BALL]}
    undo(driver)
    assert not file_of(driver, 6).exists()
    driver.go_to(2)
    choose_in_menu(driver, BALL, "Delete from this frame on")
    settled(driver)
    assert absent(driver) == {index: [BALL] for index in (2, 3, 4)}
    said = "1 ball is not there in the 3 annotated frames from here on; the others may still be filled."
    assert driver.window.statusBar().currentMessage() == said
    driver.go_to(3)
    assert driver.window.statusBar().currentMessage() != said
    choose_in_menu(driver, BALL, "May be in this frame again")
    assert absent(driver) == {2: [BALL], 4: [BALL]}
    undo(driver)
    assert absent(driver) == {2: [BALL], 3: [BALL], 4: [BALL]}
    assert listed(driver)[BALL] == "ball  (not here)"
    choose_in_menu(driver, BALL, "May be in all frames again")
    settled(driver)
    assert absent(driver) == {}
    driver.go_to(0)
    propagate(driver)
    assert BALL in ids(driver, 4)


def plan_of(root: Path, output: Path) -> list[range]:
    """The frames that a propagation without a window would fill with the ball."""
    video, store, tracks = find_videos(root)[0], AnnotationStore(output), VideoTracks()
    for _ in tracks.scan(video, store):
        pass
    asked = plan_unfilled(video, [track for track in tracks.tracks() if track.object_id == BALL])
    return [range(request.first, request.last + 1) for request in asked]


def test_what_may_be_here_again_is_filled_without_a_window_too(driver: Driver, root: Path, output: Path) -> None:
    before = document(driver, 2)
    delete(driver, 2)
    deleted = document(driver, 2)
    assert deleted["propagated"] == [BALL]
    planned = plan_of(root, output)
    choose_in_menu(driver, BALL, "May be in this frame again")
    assert "propagated" not in document(driver, 2)
    assert plan_of(root, output) != planned
    assert any(2 in frames for frames in plan_of(root, output))
    undo(driver)
    assert document(driver, 2) == deleted
    undo(driver)
    assert document(driver, 2) == before


def test_from_here_on_an_object_is_gone_where_others_are_annotated_and_where_nothing_is_yet(
    driver: Driver, root: Path, output: Path
) -> None:
    draw(root, output, (6, 7), thing=BRICK)
    driver.window.navigator.reread_video()
    driver.wait(lambda: driver.window.session.tracks.annotated == 7, "what was drawn")
    driver.go_to(5)
    choose_in_menu(driver, BALL, "Delete from this frame on")
    settled(driver)
    assert absent(driver) == {index: [BALL] for index in (5, 6, 7)}
    assert driver.window.statusBar().currentMessage() == (
        "1 ball is not there from this frame on: no propagation brings it back."
    )
    driver.go_to(0)
    propagate(driver)
    assert [index for index in range(FRAMES) if BALL in ids(driver, index)] == [0, 1, 2, 3, 4]


def test_a_frame_that_nobody_has_looked_at_does_not_get_an_annotation_from_a_deletion(driver: Driver) -> None:
    driver.go_to(6)
    choose_in_menu(driver, BALL, "Delete from this frame on")
    settled(driver)
    assert absent(driver) == {6: [BALL]}
    assert [index for index in range(FRAMES) if file_of(driver, index).exists()] == [0, 1, 2, 3, 4, 6]
    assert driver.window.statusBar().currentMessage().startswith("1 ball is not there in this frame; the others")


def test_an_object_becomes_the_one_that_was_drawn_where_it_was_said_to_be_away(driver: Driver) -> None:
    driver.go_to(3)
    choose_in_menu(driver, BALL, "Delete from this frame on")
    settled(driver)
    driver.press(Qt.Key_Q)
    driver.window.hand.put_down()
    driver.click(*ball_centre(3))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name("ball")
    driver.window.commands.renumber(BALL, 3)
    settled(driver)
    assert not driver.dialog_text()
    assert [ids(driver, index) for index in range(5)] == [{2, 3}, {3}, {3}, {3}, set()]
    assert absent(driver) == {4: [3]}


def test_not_in_this_frame_wins_over_what_a_run_wrote_behind_an_open_proposal(
    driver: Driver,
    held: HeldPropagator,
) -> None:
    held.hold()
    driver.window.timeline.follow.setChecked(False)
    driver.press(Qt.Key_Space)
    driver.go_to(6)
    driver.press(Qt.Key_Q)
    driver.click(*brick_centre(6))
    held.let(1)  # a click comes between two steps
    driver.proposals()
    held.let(6)
    driver.wait(lambda: ids(driver, 6) == {BALL, BRICK}, "frame 6")
    assert driver.window.view.object_ids() == set()
    choose_in_menu(driver, BALL, "Not in this frame")
    assert (ids(driver, 6), absent(driver)) == ({BRICK}, {6: [BALL]})
    held.let_all()
    driver.propagation(60)
    assert (ids(driver, 6), absent(driver)) == ({BRICK}, {6: [BALL]})


def test_not_in_this_frame_gives_way_to_what_another_person_drew_there_and_says_so(
    driver: Driver, root: Path, output: Path
) -> None:
    driver.go_to(6)
    draw(root, output, (6,))
    choose_in_menu(driver, BALL, "Not in this frame")
    assert (ids(driver, 6), absent(driver)) == ({BALL}, {})
    assert driver.window.view.object_ids() == {BALL}
    assert "1 ball was drawn here by somebody else" in driver.window.statusBar().currentMessage()


def test_the_hint_of_a_deletion_goes_with_its_frame(driver: Driver) -> None:
    delete(driver, 2)
    assert "Ctrl+Z takes that back" in driver.window.statusBar().currentMessage()
    driver.go_to(3)
    assert "Ctrl+Z" not in driver.window.statusBar().currentMessage()


def test_delete_says_why_it_does_nothing_to_an_object_that_is_not_in_the_frame(driver: Driver) -> None:
    driver.press(Qt.Key_E)
    driver.window.objects_panel.step(1)
    driver.go_to(6)
    driver.press(Qt.Key_Delete)
    assert "1 ball has no mask in this frame" in driver.window.statusBar().currentMessage()
    choose_in_menu(driver, BALL, "Not in this frame")
    driver.window.select_object(BALL)
    driver.press(Qt.Key_Delete)
    assert "1 ball is not here already" in driver.window.statusBar().currentMessage()
    assert absent(driver) == {6: [BALL]}


def test_the_menu_is_about_the_frame_as_it_is_when_it_opens(driver: Driver) -> None:
    delete(driver, 2)
    driver.window._refresh_timer.stop()  # the list would be refreshed in a moment
    choose_in_menu(driver, BALL, "May be in this frame again")
    assert absent(driver) == {}


def test_it_goes_with_its_object(driver: Driver) -> None:
    delete(driver, 2)
    driver.go_to(0)
    driver.window.commands.renumber(BALL, 7)
    settled(driver)
    assert absent(driver) == {2: [7]}
    driver.go_to(2)
    choose_in_menu(driver, 7, "Delete in the whole video")
    settled(driver)
    assert absent(driver) == {}
    assert listed(driver) == {BRICK: "brick"}


def test_an_object_that_becomes_another_one_here_is_not_said_to_be_away(driver: Driver) -> None:
    driver.go_to(3)
    driver.press(Qt.Key_E)
    driver.window.select_object(BALL)
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.wait(lambda: driver.window.naming.dialog is not None, "the dialog")
    box = driver.window.naming.dialog.object
    box.setCurrentIndex(box.findData(BRICK))
    driver.window.naming.dialog.accept()
    driver.wait(lambda: ids(driver, 3) == {BRICK}, "the change")
    assert absent(driver) == {}


def test_an_object_that_was_said_to_be_away_is_not_proposed_for_a_new_mask(driver: Driver) -> None:
    delete(driver, 2)
    driver.press(Qt.Key_Q)
    driver.window.hand.put_down()
    driver.click(*ball_centre(2))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name("ball")
    assert ids(driver, 2) == {3}
    assert absent(driver) == {2: [BALL]}


def test_shapes_that_are_carried_to_the_next_frame_leave_it_out(driver: Driver) -> None:
    delete(driver, 3)
    driver.go_to(2)
    driver.window.config["keep_prev"] = True
    driver.window.step_frame(1)
    assert (shapes(driver, 3), absent(driver)) == ([], {3: [BALL]})
    driver.go_to(0)
    driver.go_to(6)
    assert ids(driver, 6) == {BALL, BRICK}
    assert absent(driver) == {3: [BALL]}


def test_the_slider_shows_it(driver: Driver) -> None:
    slider = driver.window.timeline.slider

    def edges(index: int) -> list[QtGui.QColor]:
        picture = slider.grab().toImage()
        rows = (slider.height() // 2 - 6, slider.height() // 2)
        return [QtGui.QColor(picture.pixel(QtCore.QPoint(int(slider.x_of(index)) + 3, row))) for row in rows]

    delete(driver, 2)
    driver.go_to(0)
    driver.window.refresh_panels()
    (away, inside), (carried, _) = edges(2), edges(3)
    assert away.blue() > 180 > away.red()
    assert carried.blue() < 250
    assert away != carried
    assert inside != away
