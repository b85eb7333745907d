"""Where a hand points is where the prompt is: at every zoom, wherever the image is scrolled, also at its border."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PyQt5 import QtCore, QtGui, QtTest
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
from sam_annotator.gui.canvas.paint import Held
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE, SAM_POINTS_MODE
from tests.gui.scene import DiscSegmenter

Window = Callable[..., Driver]

WIDTH, HEIGHT = 100, 80
LEFT, TOP = 40, 30  # of the image in its canvas


class Hand:
    """A mouse on a canvas that is larger than its image; positions are pixels of the image."""

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self.canvas = canvas
        self.prompts: list[Prompt] = []
        canvas.prompt_changed.connect(self.prompts.append)

    def place(self, x: float, y: float) -> QtCore.QPoint:
        return QtCore.QPoint(LEFT + int(x), TOP + int(y))

    def click(self, x: float, y: float, button: Qt.MouseButton = Qt.LeftButton) -> None:
        QtTest.QTest.mouseClick(self.canvas, button, Qt.NoModifier, self.place(x, y))

    def double_click(self, x: float, y: float, button: Qt.MouseButton = Qt.LeftButton) -> None:
        """Two quick clicks, as Qt tells of them."""
        self.click(x, y, button)
        QtTest.QTest.mouseDClick(self.canvas, button, Qt.NoModifier, self.place(x, y))
        QtTest.QTest.mouseRelease(self.canvas, button, Qt.NoModifier, self.place(x, y))

    def press(self, x: float, y: float) -> None:
        QtTest.QTest.mousePress(self.canvas, Qt.LeftButton, Qt.NoModifier, self.place(x, y))

    def move(self, x: float, y: float) -> None:
        place = QtCore.QPointF(self.place(x, y))
        event = QtGui.QMouseEvent(QtCore.QEvent.MouseMove, place, Qt.NoButton, Qt.LeftButton, Qt.NoModifier)
        QtCore.QCoreApplication.sendEvent(self.canvas, event)

    def release(self, x: float, y: float) -> None:
        QtTest.QTest.mouseRelease(self.canvas, Qt.LeftButton, Qt.NoModifier, self.place(x, y))

    def drag(self, *places: tuple[float, float]) -> None:
        self.press(*places[0])
        for place in places[1:]:
            self.move(*place)
        self.release(*places[-1])


@pytest.fixture
def hand(qtbot: QtBot) -> Hand:
    canvas = AnnotationCanvas()
    qtbot.addWidget(canvas)
    canvas.load_pixmap(QtGui.QPixmap(WIDTH, HEIGHT))
    canvas.resize(WIDTH + 2 * LEFT, HEIGHT + 2 * TOP)
    canvas.set_editing(False)
    canvas.create_mode = SAM_POINTS_MODE
    return Hand(canvas)


# --- clicks ------------------------------------------------------------------------------------------------------


def test_left_includes_and_right_excludes(hand: Hand) -> None:
    hand.click(10, 20)
    hand.click(30, 40, Qt.RightButton)
    assert hand.prompts == [Prompt(((10.0, 20.0),), (True,)), Prompt(((10.0, 20.0), (30.0, 40.0)), (True, False))]


def test_two_quick_clicks_are_two_clicks(hand: Hand) -> None:
    hand.click(10, 20)
    hand.double_click(50, 60)
    assert hand.canvas.prompt.points == ((10.0, 20.0), (50.0, 60.0), (50.0, 60.0))
    assert not hand.canvas.is_drawing


def test_two_quick_right_clicks_are_two_exclusions(hand: Hand) -> None:
    hand.click(10, 20)
    hand.double_click(50, 60, Qt.RightButton)
    assert hand.canvas.prompt.includes == (True, False, False)


@pytest.mark.parametrize("place", [(-1, 20), (10, -1), (101, 20), (10, 81), (-30, -20)])
@pytest.mark.parametrize("button", [Qt.LeftButton, Qt.RightButton])
def test_a_click_beside_the_image_asks_nothing(hand: Hand, place: tuple[int, int], button: Qt.MouseButton) -> None:
    hand.click(*place, button)
    assert hand.prompts == []


@pytest.mark.parametrize("place", [(0, 0), (99, 79), (100, 80)])
def test_a_click_on_the_border_is_inside(hand: Hand, place: tuple[int, int]) -> None:
    hand.click(*place)
    ((x, y),) = hand.canvas.prompt.points
    assert 0 <= x < WIDTH
    assert 0 <= y < HEIGHT
    assert (x, y) == pytest.approx(place, abs=0.02)


def test_a_trembling_hand_clicks_where_it_pressed(hand: Hand) -> None:
    hand.drag((10, 20), (12, 21), (13, 22))
    assert hand.prompts == [Prompt(((10.0, 20.0),), (True,))]


def test_taking_clicks_back_goes_through_all_of_them(hand: Hand) -> None:
    hand.click(10, 20)
    hand.click(30, 40)
    hand.drag((5, 5), (60, 60))
    seen = []
    while hand.canvas.has_prompt:
        hand.canvas.undo_prompt()
        seen.append(hand.canvas.prompt)
    assert seen == [*reversed(hand.prompts[:2]), Prompt()]
    hand.canvas.undo_prompt()
    assert hand.prompts[-1] == Prompt()
    assert len(hand.prompts) == 6


def test_forgetting_everything_says_nothing(hand: Hand) -> None:
    hand.click(10, 20)
    hand.canvas.clear_prompt()
    assert not hand.canvas.has_prompt
    assert hand.canvas.past_prompts == ()
    assert len(hand.prompts) == 1


def test_what_is_pressed_when_the_prompt_is_forgotten_does_nothing_when_released(hand: Hand) -> None:
    hand.press(10, 10)
    hand.move(50, 50)
    hand.canvas.clear_prompt()  # another frame is shown
    hand.release(60, 60)
    assert hand.prompts == []


def test_without_an_image_nothing_is_asked(hand: Hand) -> None:
    hand.canvas.load_pixmap(QtGui.QPixmap())
    hand.click(10, 20)
    hand.drag((0, 0), (50, 50))
    assert hand.prompts == []


# --- boxes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [SAM_POINTS_MODE, SAM_BOX_MODE])
@pytest.mark.parametrize("corners", [((10, 20), (60, 70)), ((60, 70), (10, 20)), ((60, 20), (10, 70))])
def test_a_drag_in_any_direction_is_a_box(hand: Hand, mode: str, corners: tuple[tuple[int, int], ...]) -> None:
    hand.canvas.create_mode = mode
    hand.drag(corners[0], (40, 40), corners[1])
    assert hand.prompts == [Prompt(box=(10.0, 20.0, 60.0, 70.0))]


@pytest.mark.parametrize(
    ("corners", "box"),
    [
        (((-20, -10), (50, 40)), (0, 0, 50, 40)),
        (((50, 40), (130, 100)), (50, 40, 100, 80)),
        (((-30, 20), (130, 60)), (0, 20, 100, 60)),
        (((120, 90), (40, 30)), (40, 30, 100, 80)),
    ],
)
def test_a_box_that_begins_or_ends_beside_the_image_is_clipped(
    hand: Hand, corners: tuple[tuple[int, int], ...], box: tuple[int, ...]
) -> None:
    hand.drag(corners[0], ((corners[0][0] + corners[1][0]) / 2, 35), corners[1])
    assert hand.canvas.prompt.box == pytest.approx(box, abs=0.02)
    left, top, right, bottom = hand.canvas.prompt.box
    assert 0 <= left < right <= WIDTH
    assert 0 <= top < bottom <= HEIGHT


@pytest.mark.parametrize(
    "places", [((-30, 10), (-5, 70)), ((-30, -20), (130, -3)), ((10, 20), (60, 20)), ((10, 20), (60, 70), (10, 20))]
)
def test_a_drag_that_encloses_no_pixel_is_no_box(hand: Hand, places: tuple[tuple[int, int], ...]) -> None:
    hand.drag(*places)
    assert hand.prompts == []


def test_a_box_after_clicks_keeps_them_and_a_new_box_takes_the_place_of_the_old(hand: Hand) -> None:
    hand.click(30, 30)
    hand.drag((10, 10), (60, 60))
    hand.drag((20, 20), (70, 70))
    assert hand.canvas.prompt == Prompt(((30.0, 30.0),), (True,), (20.0, 20.0, 70.0, 70.0))


def test_with_the_box_tool_a_click_means_something_only_after_a_box(hand: Hand) -> None:
    hand.canvas.create_mode = SAM_BOX_MODE
    hand.click(30, 30)
    hand.click(30, 30, Qt.RightButton)
    assert hand.prompts == []
    hand.drag((10, 10), (60, 60))
    hand.click(30, 30)
    hand.click(15, 15, Qt.RightButton)
    assert hand.canvas.prompt.includes == (True, False)


# --- what is said and painted --------------------------------------------------------------------------------------


def test_the_hint_says_what_to_do_next(hand: Hand) -> None:
    said: list[str] = []
    hand.canvas.status_updated.connect(said.append)
    hand.canvas.refresh_hint()
    hand.click(30, 30)
    hand.canvas.show_proposal(None, is_coming=True)
    hand.canvas.show_proposal(Proposal(np.ones((HEIGHT, WIDTH), bool), 0.9))
    hand.canvas.create_mode = SAM_BOX_MODE
    hand.canvas.clear_prompt()
    starts = [text.split()[0] for text in said]
    assert starts[0] == "Click"
    assert "Looking" in starts
    assert "Enter" in starts
    assert starts[-1] == "Drag"


def test_the_hint_names_the_keys_of_the_proposals_that_there_are(hand: Hand) -> None:
    proposal = Proposal(np.ones((HEIGHT, WIDTH), bool), 0.9)
    for held in (None, Held(1, "1 ball", is_here=True)):
        hand.canvas.clear_prompt()
        hand.canvas.show_held(held)
        hand.click(30, 30)
        for count, said in ((3, "  ·  1 2 3  ·  "), (2, "  ·  1 2  ·  "), (1, "")):
            hand.canvas.show_proposal(proposal, count=count)
            assert ("1 2" in hand.canvas.hint()) == (count > 1)
            assert said in hand.canvas.hint()


def test_the_proposal_and_the_clicks_are_seen(hand: Hand) -> None:
    hand.canvas.pixmap.fill(QtGui.QColor(40, 40, 40))
    before = hand.canvas.grab().toImage()
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:70, 40:80] = True
    hand.click(10, 20)
    hand.canvas.show_proposal(Proposal(mask, 0.9))
    after = hand.canvas.grab().toImage()
    tinted, dot, elsewhere = hand.place(60, 55), hand.place(10, 24), hand.place(85, 10)
    assert QtGui.QColor(after.pixel(tinted)).red() > QtGui.QColor(after.pixel(tinted)).blue() + 40
    assert QtGui.QColor(after.pixel(dot)).green() > 120
    assert after.pixel(elsewhere) == before.pixel(elsewhere)
    hand.canvas.clear_prompt()
    assert hand.canvas.grab().toImage() == before


@pytest.mark.parametrize("has_image", [True, False])
def test_a_notice_is_seen_with_and_without_an_image(hand: Hand, has_image: bool) -> None:
    if not has_image:
        hand.canvas.load_pixmap(QtGui.QPixmap())
    before = hand.canvas.grab().toImage()
    hand.canvas.show_notice("This frame cannot be read.")
    assert hand.canvas.grab().toImage() != before
    hand.canvas.show_notice("")
    assert hand.canvas.grab().toImage() == before


# --- in the window, by eye -----------------------------------------------------------------------------------------

IMAGE = (480, 640)  # height, width
MARK = np.array([0, 0, 255], np.uint8)  # red, for OpenCV


@pytest.fixture
def make_marked(tmp_path: Path) -> Callable[[int, int], Path]:
    """A video of one grey frame with a red square of 5 x 5 pixels around a pixel (x, y)."""

    def make(x: int, y: int) -> Path:
        folder = tmp_path / "videos" / "marked"
        folder.mkdir(parents=True)
        image = np.full((*IMAGE, 3), 90, np.uint8)
        image[y - 2 : y + 3, x - 2 : x + 3] = MARK
        cv2.imwrite(str(folder / "0.png"), image)
        return tmp_path / "videos"

    return make


def see_mark(driver: Driver) -> QtCore.QPointF:
    """The middle of what is red on the screen, in pixels of the canvas."""
    viewport = driver.window.centralWidget().viewport()
    image = viewport.grab().toImage().convertToFormat(QtGui.QImage.Format_RGB32)
    pixels = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    pixels = pixels.reshape(image.height(), image.width(), 4)[..., :3].astype(int)
    red = np.clip(pixels[..., 2] - pixels[..., 1], 0, None)  # also the half red ones along its edge
    assert red.any(), "the mark is not on the screen"
    rows, columns = np.indices(red.shape)
    middle = QtCore.QPointF(np.average(columns, weights=red) + 0.5, np.average(rows, weights=red) + 0.5)
    return middle - QtCore.QPointF(driver.window.canvas.pos())


@pytest.mark.parametrize("mark", [(320, 240), (2, 2), (637, 477), (50, 400)])
def test_what_is_clicked_on_the_screen_is_what_is_asked_for_at_every_zoom_and_scroll(
    make_annotation_window: Window, make_marked: Callable[[int, int], Path], discs: DiscSegmenter, mark: tuple[int, int]
) -> None:
    driver = make_annotation_window(make_marked(*mark))
    window, canvas, area = driver.window, driver.window.canvas, driver.window.centralWidget()
    for zoom in (None, 50, 100, 137, 250, 800):
        if zoom is not None:
            window.zoom_widget.setValue(zoom)
        assert zoom is None or canvas.scale == pytest.approx(zoom / 100)
        for share in (0.15, 0.6):
            origin = canvas.image_origin()
            for bar, position in (
                (area.horizontalScrollBar(), origin.x() + mark[0] * canvas.scale - share * area.viewport().width()),
                (area.verticalScrollBar(), origin.y() + mark[1] * canvas.scale - share * area.viewport().height()),
            ):
                bar.setValue(int(position))
            place = see_mark(driver)
            QtTest.QTest.mouseClick(canvas, Qt.LeftButton, Qt.NoModifier, QtCore.QPoint(int(place.x()), int(place.y())))
            reach = max(0.5, 1 / canvas.scale)  # a mouse is on a whole pixel of the screen, whose corner it tells
            assert canvas.prompt.points[-1] == pytest.approx((mark[0] + 0.5, mark[1] + 0.5), abs=reach), zoom
            driver.press(Qt.Key_Escape)


def type_zoom(driver: Driver, percent: int) -> None:
    zoom = driver.window.zoom_widget
    zoom.setFocus()
    zoom.selectAll()
    QtTest.QTest.keyClicks(zoom, str(percent))
    QtTest.QTest.keyClick(zoom, Qt.Key_Return)


def turn_wheel(driver: Driver, _percent: int) -> None:
    canvas = driver.window.canvas
    middle = QtCore.QPointF(canvas.rect().center())
    for _ in range(8):
        event = QtGui.QWheelEvent(
            middle, canvas.mapToGlobal(middle.toPoint()), QtCore.QPoint(), QtCore.QPoint(0, 120), Qt.NoButton,
            Qt.ControlModifier, Qt.NoScrollPhase, False,
        )  # fmt: skip
        QtCore.QCoreApplication.sendEvent(canvas, event)


@pytest.mark.parametrize("zoom_in", [type_zoom, turn_wheel])
def test_the_zoom_and_the_place_stay_from_frame_to_frame(
    make_annotation_window: Window, make_videos: Window, zoom_in: Callable[[Driver, int], None]
) -> None:
    driver = make_annotation_window(make_videos("ball", frames=3))
    window, area = driver.window, driver.window.centralWidget()
    zoom_in(driver, 900)
    assert window.canvas.scale > 8
    area.horizontalScrollBar().setValue(300)
    area.verticalScrollBar().setValue(200)
    driver.press(Qt.Key_D)
    driver.look(0.01)
    assert window.session.index == 1
    assert window.canvas.scale > 8
    assert (area.horizontalScrollBar().value(), area.verticalScrollBar().value()) == (300, 200)
    window.fit_image()
    fitting = window.canvas.scale
    type_zoom(driver, 900)
    window.labelme_actions.fit_window.trigger()
    driver.press(Qt.Key_D)
    driver.look(0.01)
    assert window.canvas.scale == fitting < 8


def test_the_position_in_the_status_line_is_the_pixel_under_the_mouse(
    make_annotation_window: Window, make_videos: Window
) -> None:
    driver = make_annotation_window(make_videos("ball"))
    driver.hover(31, 77)
    words = driver.window.position_label.text().split()
    assert (float(words[1]), float(words[3])) == pytest.approx((31, 77), abs=1)
