"""Nothing that labelme users have is lost: plain labelme and ours take turns on a file, and its features stand."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import SAM
from sam_annotator.core.errors import SaveError
from sam_annotator.core.masks import iou, mask_to_shapes
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.gui.driver import Driver
from tests.gui.scene import BALL, BRICK, HEIGHT, WIDTH, DiscSegmenter, ball_centre, brick_centre, make_video, truth
from tests.gui.steps import annotate, answer, draw, facts, file_of, saved_mask, shapes

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


# --- plain labelme -------------------------------------------------------------------------------------------------

PLAIN_LABELME = """
import json, sys
from labelme.app import MainWindow
from PyQt5 import QtWidgets

application = QtWidgets.QApplication([])
window = MainWindow(config_overrides={"auto_save": False})
told = {}
for path in sys.argv[1:]:
    window._load_file(path)
    canvas = window._canvas_widgets.canvas
    told[path] = {
        "shapes": [[shape.label, shape.group_id, shape.shape_type] for shape in canvas.shapes],
        "image": [canvas.pixmap.width(), canvas.pixmap.height()],
    }
    window.mark_dirty()
    window._save_label_file()
    told[path]["dirty"] = window._is_changed
print(json.dumps(told))
"""


def save_in_plain_labelme(paths: list[Path]) -> dict[str, dict[str, object]]:
    """Open each file in labelme's own window and save it again; returns what it saw."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN_LABELME, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_plain_labelme_opens_and_saves_our_frames_and_ours_finds_everything_again(
    make_annotation_window: Window, make_videos: Videos, tmp_path: Path
) -> None:
    root = make_videos("beside", "apart", frames=2)
    drivers = [
        make_annotation_window(root / "beside", output=None),
        make_annotation_window(root / "apart", output=tmp_path / "annotations"),
    ]
    for driver in drivers:
        add_ring(driver)
        driver.click(*ball_centre(0))
        driver.proposals()
        driver.press(Qt.Key_Return)
        driver.name("ball")
    files = [file_of(driver) for driver in drivers]
    before = [(facts(driver), shapes(driver), saved_mask(driver, 5, 0)) for driver in drivers]
    assert [{shape["shape_type"] for shape in saved} for _, saved, _ in before] == [{"mask", "polygon"}] * 2
    told = save_in_plain_labelme(files)
    for driver, path, (known, saved, ring) in zip(drivers, files, before, strict=True):
        assert told[str(path)] == {
            "shapes": [["ring", 5, "mask"], ["ball", 6, "polygon"]],
            "image": [WIDTH, HEIGHT],
            "dirty": False,
        }
        driver.press(Qt.Key_D)
        driver.press(Qt.Key_A)
        assert facts(driver) == known == {(5, "ring", "sam"), (6, "ball", "sam")}
        assert [shape.get("score") for shape in shapes(driver)] == [shape.get("score") for shape in saved]
        assert np.array_equal(saved_mask(driver, 5, 0), ring)
        assert len(driver.window.listed_shapes()) == 2
        assert iou(saved_mask(driver, 6, 0), truth(BALL, 0)) > 0.85


def add_ring(driver: Driver) -> None:
    """An object with a hole, as an earlier session saved it: a mask shape."""
    ring = truth(BRICK, 0)
    ring[74:82, 108:124] = False
    session = driver.window.session
    parts = mask_to_shapes(ring, label="ring", object_id=5, source=SAM, score=0.75)
    session.store.update(session.video, 0, lambda frame: frame.with_object(5, parts), WIDTH, HEIGHT)
    driver.window.navigator.reread_video()
    driver.wait(lambda: session.tracks.get(5), "the ring to be read")


def test_annotations_of_plain_labelme_open_with_all_kinds_of_shapes(
    make_annotation_window: Window, shared: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "data_annotated"
    shutil.copytree(shared / "labelme_example" / "data_annotated", folder)
    before = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    driver = make_annotation_window(folder, output=None)
    for index in range(driver.window.session.total):
        driver.go_to(index)
        wanted = json.loads(before[file_of(driver).name])["shapes"]
        assert [shape.label for shape in driver.window.listed_shapes()] == [shape["label"] for shape in wanted]
    assert {path.name: path.read_bytes() for path in folder.glob("*.json")} == before


# --- labelme's features --------------------------------------------------------------------------------------------


def test_frames_are_gone_through_in_one_menu_whose_entries_say_their_keys(driver: Driver) -> None:
    menus = driver.window.labelme_menus
    assert not [action.text() for action in menus.file.actions() if action.text() in ("&Next Image", "&Prev Image")]
    (video,) = (action.menu() for action in driver.window.menuBar().actions() if action.text() == "&Video")
    keys = {action.text(): [key.toString() for key in action.shortcuts()] for action in video.actions()}
    assert keys["Next frame"] == ["D", "Right"]
    assert keys["Previous frame"] == ["A", "Left"]
    assert keys["Next video"] == ["Ctrl+PgDown"]


def test_the_docks_of_labelme_can_be_shown_and_tell_what_is_in_the_frame(driver: Driver) -> None:
    docks = driver.window.labelme_docks
    for dock in (docks.flag_dock, docks.label_dock, docks.shape_dock, docks.file_dock):
        assert not dock.isVisible()
        assert dock.toggleViewAction() in driver.window.labelme_menus.view.actions()
        dock.toggleViewAction().trigger()
        assert dock.isVisible()
    assert [item.shape().label for item in docks.label_list] == ["ball"]
    assert docks.unique_label_list.find_label_item("ball") is not None
    assert docks.file_list.count() == 4
    assert [docks.file_list.item(row).checkState() for row in range(2)] == [Qt.Checked, Qt.Unchecked]
    docks.file_list.setCurrentRow(2)
    assert driver.window.session.index == 2


def test_flags_of_the_frame_are_shown_changed_and_saved(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=2)
    draw(root, output)
    path = output / "ball" / "00000.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"flags": {"blurred": False}}), encoding="utf-8")
    driver = make_annotation_window(root)
    item = driver.window.labelme_docks.flag_list.item(0)
    assert item.text() == "blurred"
    item.setCheckState(Qt.Checked)
    assert json.loads(path.read_bytes())["flags"] == {"blurred": True}


def test_keep_previous_annotation_carries_the_shapes_to_the_next_frame(driver: Driver) -> None:
    driver.press(Qt.Key_P, Qt.ControlModifier)
    driver.press(Qt.Key_D)
    assert facts(driver, 1) == {(1, "ball", "manual")}
    driver.press(Qt.Key_P, Qt.ControlModifier)
    driver.press(Qt.Key_D)
    assert not file_of(driver, 2).exists()


def test_brightness_and_contrast_change_what_is_seen_and_nothing_that_is_saved(driver: Driver) -> None:
    before = file_of(driver).read_bytes()
    plain = pixels(driver)

    def brighten() -> None:
        dialog = QtWidgets.QApplication.activeModalWidget()
        dialog.slider_brightness.setValue(90)
        dialog.accept()

    QtCore.QTimer.singleShot(0, brighten)
    driver.window.labelme_actions.brightness_contrast.trigger()
    assert pixels(driver).mean() > plain.mean() + 20
    driver.press(Qt.Key_D)
    driver.press(Qt.Key_A)
    assert pixels(driver).mean() > plain.mean() + 20
    assert file_of(driver).read_bytes() == before


def pixels(driver: Driver) -> np.ndarray:
    """What the canvas shows of the image, grey."""
    image = driver.window.canvas.pixmap.toImage().convertToFormat(QtGui.QImage.Format_Grayscale8)
    rows = np.frombuffer(image.constBits().asarray(image.byteCount()), np.uint8)
    return rows.reshape(image.height(), image.bytesPerLine())[:, : image.width()].astype(float)


def test_a_folder_dropped_on_the_window_is_opened(driver: Driver, tmp_path: Path) -> None:
    make_video(tmp_path / "others" / "first", frames=2)
    drop(driver, tmp_path / "others")
    driver.wait(lambda: driver.window.session.tracks, "the folder to open")
    assert driver.window.session.video.name == "first"


def test_an_image_dropped_on_the_window_opens_its_video_at_that_frame(driver: Driver, tmp_path: Path) -> None:
    make_video(tmp_path / "others" / "first", frames=3)
    drop(driver, tmp_path / "others" / "first" / "00002.jpg")
    driver.wait(lambda: driver.window.session.tracks, "the video to open")
    assert (driver.window.session.video.name, driver.window.session.index) == ("first", 2)


def drop(driver: Driver, path: Path) -> None:
    """Drag a file or folder over the window and let it go, as a file manager does."""
    data = QtCore.QMimeData()
    data.setUrls([QtCore.QUrl.fromLocalFile(str(path))])
    place = driver.window.rect().center()
    facts_of_it = (Qt.CopyAction, data, Qt.LeftButton, Qt.NoModifier)
    enter = QtGui.QDragEnterEvent(place, *facts_of_it)
    QtWidgets.QApplication.sendEvent(driver.window, enter)
    assert enter.isAccepted()
    QtWidgets.QApplication.sendEvent(driver.window, QtGui.QDropEvent(QtCore.QPointF(place), *facts_of_it))


def test_an_annotation_file_opens_its_video_at_that_frame(make_annotation_window: Window, make_videos: Videos) -> None:
    root = make_videos("a", "b", frames=4)
    store = AnnotationStore()
    video = find_videos(root)[1]
    store.save(video, 2, store.blank(video, 2, WIDTH, HEIGHT), None)
    driver = make_annotation_window(output=None)
    driver.open(store.path(video, 2))
    assert (driver.window.session.video.name, driver.window.session.index) == ("b", 2)


def test_save_as_writes_a_copy_elsewhere_and_the_frame_keeps_its_own_file(
    driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copies" / "one.json"
    copy.parent.mkdir()
    monkeypatch.setattr(driver.window, "prompt_save_file_path", lambda: str(copy))  # a native dialog of the system
    driver.window.labelme_actions.save_as.trigger()
    content = json.loads(copy.read_bytes())
    assert content["shapes"][0]["label"] == "ball"
    assert (copy.parent / content["imagePath"]).resolve() == driver.window.session.frame.path.resolve()
    annotate(driver, brick_centre(0), "brick")
    assert {label for _, label, _ in facts(driver)} == {"ball", "brick"}
    assert len(json.loads(copy.read_bytes())["shapes"]) == 1


@pytest.mark.parametrize(("button", "stays"), [(Box.No, True), (Box.Yes, False)])
def test_deleting_the_file_of_a_frame_asks_first(driver: Driver, button: Box.StandardButton, stays: bool) -> None:
    driver.press(Qt.Key_Delete, Qt.ControlModifier)
    assert str(file_of(driver)) in answer(driver, button)
    driver.wait(lambda: not driver.dialog_text(), "the question to close")
    assert file_of(driver).exists() == stays
    assert len(driver.window.listed_shapes()) == stays
    assert driver.window.status.saved.text() == ("saved: 00000.json" if stays else "not annotated")
    assert driver.window.session.frame is not None
    assert not driver.window.canvas.pixmap.isNull()


def test_a_file_that_cannot_be_deleted_stays_and_is_said(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, take_dialog: TakeDialog
) -> None:
    def refuse(*_arguments: object) -> None:
        raise SaveError("00000.json cannot be deleted", Remedy.MAKE_ROOM)

    monkeypatch.setattr(driver.window.session.store, "remove", refuse)
    driver.press(Qt.Key_Delete, Qt.ControlModifier)
    answer(driver, Box.Yes)
    driver.wait(lambda: "cannot be deleted" in driver.dialog_text(), "the reason")
    assert "File &gt; Change Output Dir" in take_dialog(driver)
    assert file_of(driver).exists()
    assert len(driver.window.listed_shapes()) == 1


def test_enter_deletes_no_file(driver: Driver) -> None:
    driver.press(Qt.Key_Delete, Qt.ControlModifier)
    driver.wait(driver.dialog_text, "the question")
    (box,) = (box for box in driver.window.findChildren(Box) if box.isVisible())
    assert box.defaultButton() == box.button(Box.No)
    answer(driver, Box.No)


def test_closing_shows_nothing_changes_nothing_and_the_video_can_be_opened_again(driver: Driver) -> None:
    path = file_of(driver)
    before = path.read_bytes()
    driver.press(Qt.Key_W, Qt.ControlModifier)
    assert driver.window.canvas.pixmap.isNull()
    assert "Choose a video" in driver.window.canvas.notice
    for key in (Qt.Key_Space, Qt.Key_D, Qt.Key_K, Qt.Key_Q, Qt.Key_Delete, Qt.Key_X):
        driver.press(key)
    driver.press(Qt.Key_S, Qt.ControlModifier)
    driver.click(*ball_centre(0))
    driver.open_video("ball")
    assert [shape.label for shape in driver.window.listed_shapes()] == ["ball"]
    assert path.read_bytes() == before


def test_shapes_can_be_hidden_and_come_back(driver: Driver) -> None:
    driver.press(Qt.Key_T)
    assert [shape.visible for shape in driver.window.canvas.shapes] == [False]
    driver.press(Qt.Key_T)
    assert [shape.visible for shape in driver.window.canvas.shapes] == [True]


@pytest.mark.parametrize("kind", ["rectangle", "circle", "line", "point", "linestrip"])
def test_every_shape_of_labelme_can_still_be_drawn(driver: Driver, kind: str) -> None:
    driver.window.draw_mode(kind)
    driver.hover(90, 20)
    driver.click(90, 20)
    if kind != "point":
        driver.hover(120, 40)
        if kind == "linestrip":
            driver.click(120, 40)
            driver.press(Qt.Key_Return)
        else:
            driver.click(120, 40)
    driver.name("thing")
    assert [(shape["shape_type"], shape["label"], shape["group_id"]) for shape in shapes(driver)[1:]] == [
        (kind, "thing", 2)
    ]


def test_save_with_image_data_embeds_the_image_as_labelme_does(driver: Driver) -> None:
    driver.window.labelme_actions.save_with_image_data.trigger()
    annotate(driver, brick_centre(0), "brick")
    content = json.loads(file_of(driver).read_bytes())
    assert content["imageData"]
