"""What is wrong with files is said in one sentence, and the files stay as they were."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PyQt5 import QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.datasets.youtube_vis import ConvertOptions, annotations_path, convert, images_folder
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.gui.driver import Driver
from tests.gui.scene import DiscSegmenter, ball_centre, frame, make_video
from tests.gui.steps import annotate, document, draw, facts, file_of, take

Window = Callable[..., Driver]
Videos = Callable[..., Path]
TakeDialog = Callable[[Driver], str]


def all_bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# --- folders -------------------------------------------------------------------------------------------------------


def make_empty(folder: Path) -> str:
    return f"{folder} is empty"


def make_without_images(folder: Path) -> str:
    (folder / "papers").mkdir()
    (folder / "papers" / "notes.txt").write_text("no images here", encoding="utf-8")
    return f"{folder} holds no videos"


def make_missing(folder: Path) -> str:
    folder.rmdir()
    return f"{folder} does not exist"


@pytest.mark.parametrize("make", [make_empty, make_without_images, make_missing])
def test_a_folder_with_nothing_to_open_is_told_and_the_open_video_stays(
    make_annotation_window: Window,
    make_videos: Videos,
    tmp_path: Path,
    take_dialog: TakeDialog,
    make: Callable[[Path], str],
) -> None:
    driver = make_annotation_window(make_videos())
    (tmp_path / "other").mkdir()
    expected = make(tmp_path / "other")
    driver.window.open_path(tmp_path / "other")
    assert expected in take_dialog(driver)
    assert driver.window.session.video.name == "ball"
    driver.press(Qt.Key_D)
    assert driver.window.session.index == 1


def test_a_file_that_is_no_video_is_told_and_left_as_it_is(
    make_annotation_window: Window, tmp_path: Path, take_dialog: TakeDialog
) -> None:
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "holiday.mp4").write_bytes(b"this is not a video" * 50)
    before = all_bytes(tmp_path / "films")
    driver = make_annotation_window()
    driver.window.open_path(tmp_path / "films" / "holiday.mp4")
    said = take_dialog(driver)
    assert "holiday.mp4 is not a video that can be decoded" in said
    assert "holiday.mp4" in driver.window.canvas.notice
    assert all_bytes(tmp_path / "films") == before
    driver.window.open_path(make_video(tmp_path / "videos" / "ball"))  # and the window goes on
    driver.wait(lambda: driver.window.session.tracks is not None, "another video")


def test_a_video_folder_that_is_gone_is_told_and_the_others_open(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    root = make_videos("a", "b", "c")
    driver = make_annotation_window(root)
    shutil.rmtree(root / "b")
    driver.window.navigator.open_video(1)
    assert str(root / "b") in driver.window.canvas.notice
    driver.open_video("c")
    assert driver.window.session.frame.path.parent.name == "c"


# --- images --------------------------------------------------------------------------------------------------------


def truncate(path: Path) -> bytes:
    path.write_bytes(path.read_bytes()[:900])
    return path.read_bytes()


def test_a_truncated_jpeg_is_named_and_can_be_stepped_over(make_annotation_window: Window, make_videos: Videos) -> None:
    root = make_videos(frames=4)
    left = truncate(root / "ball" / "00001.jpg")
    driver = make_annotation_window(root)
    driver.press(Qt.Key_D)
    assert "00001.jpg" in driver.window.canvas.notice
    assert not driver.window.canvas.isEnabled()
    driver.click(*ball_centre(1))
    driver.press(Qt.Key_Space)
    assert not driver.window.canvas.has_prompt
    assert not driver.window.propagation.is_running
    driver.press(Qt.Key_D)
    assert driver.window.canvas.notice == ""
    assert driver.window.canvas.isEnabled()
    assert (root / "ball" / "00001.jpg").read_bytes() == left
    assert not file_of(driver, 1).exists()


def test_a_frame_that_cannot_be_annotated_offers_nothing_for_what_was_selected_before(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=3)
    truncate(root / "ball" / "00001.jpg")
    draw(root, output, (0, 2))
    file = output / "ball" / "00002.json"
    file.write_bytes(file.read_bytes()[:-9])
    driver = make_annotation_window(root)
    actions = driver.window.labelme_actions
    offered = (actions.delete, actions.edit, actions.duplicate, actions.copy)
    driver.press(Qt.Key_E)
    take(driver)
    assert all(action.isEnabled() for action in offered)
    for index in (1, 2):
        driver.press(Qt.Key_D)
        for box in driver.window.findChildren(QtWidgets.QMessageBox):
            box.close()
        assert driver.window.session.index == index
        take(driver)
        assert not any(action.isEnabled() for action in offered)
    driver.press(Qt.Key_Home)
    assert actions.delete.isEnabled(), "the object is chosen in the list"


def test_a_truncated_first_frame_does_not_keep_the_video_from_opening(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter
) -> None:
    root = make_videos(frames=4)
    truncate(root / "ball" / "00000.jpg")
    driver = make_annotation_window(root)
    assert "00000.jpg" in driver.window.canvas.notice
    driver.press(Qt.Key_D)
    annotate(driver, ball_centre(1), "ball")
    assert facts(driver, 1) == {(1, "ball", "sam")}


def test_a_propagation_skips_a_truncated_jpeg_and_names_it(
    make_annotation_window: Window, make_videos: Videos, output: Path
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    truncate(root / "ball" / "00002.jpg")
    driver = make_annotation_window(root)
    driver.press(Qt.Key_Space)
    driver.propagation()
    assert "00002.jpg" in driver.window.timeline.progress.text()
    assert not file_of(driver, 2).exists()
    assert facts(driver, 3) == {(1, "ball", "propagated")}
    checked = [driver.window.labelme_docks.file_list.item(row).checkState() for row in range(4)]
    assert checked == [Qt.Checked, Qt.Checked, Qt.Unchecked, Qt.Checked]


# --- annotations ---------------------------------------------------------------------------------------------------


def broken_json(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:100])
    return "is not valid JSON"


def no_annotation(path: Path) -> str:
    path.write_text('{"hello": "world"}', encoding="utf-8")
    return "is not a labelme annotation"


def other_size(path: Path) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | {"imageWidth": 1920, "imageHeight": 1080}), encoding="utf-8")
    return "was made for an image of 1920 x 1080 pixels, but the frame has 160 x 120"


@pytest.mark.parametrize("spoil", [broken_json, no_annotation, other_size])
def test_an_annotation_that_cannot_be_used_is_told_and_cannot_be_overwritten(
    make_annotation_window: Window,
    make_videos: Videos,
    discs: DiscSegmenter,
    output: Path,
    take_dialog: TakeDialog,
    spoil: Callable[[Path], str],
) -> None:
    root = make_videos(frames=4)
    draw(root, output, range(4))
    expected = spoil(output / "ball" / "00001.json")
    before = all_bytes(output)
    driver = make_annotation_window(root)
    driver.press(Qt.Key_E)
    driver.click(*ball_centre(0))
    driver.press(Qt.Key_C, Qt.ControlModifier)
    driver.press(Qt.Key_D)
    said = take_dialog(driver)
    assert expected in said
    assert "00001.json" in said
    assert not driver.window.canvas.isEnabled()
    assert not driver.window.sam_tool.proposals
    for key, modifier in (  # everything that would change the frame
        (Qt.Key_V, Qt.ControlModifier),
        (Qt.Key_S, Qt.ControlModifier),
        (Qt.Key_Z, Qt.ControlModifier),
        (Qt.Key_K, Qt.NoModifier),
        (Qt.Key_Delete, Qt.NoModifier),
        (Qt.Key_Space, Qt.NoModifier),
        (Qt.Key_D, Qt.NoModifier),
    ):
        driver.press(key, modifier)
    assert driver.window.session.index == 2
    assert driver.window.canvas.isEnabled()
    assert all_bytes(output) == before


def test_a_corrupt_annotation_opens_its_dialog_once_in_a_visit_of_the_video_and_stays_to_be_read(
    make_annotation_window: Window, make_videos: Videos, output: Path, take_dialog: TakeDialog
) -> None:
    root = make_videos("a", "b", frames=3)
    draw(root, output, [1])
    next(output.rglob("00001.json")).write_text("{", encoding="utf-8")
    driver = make_annotation_window(root)
    driver.press(Qt.Key_Right)
    assert "not valid JSON" in take_dialog(driver)
    driver.press(Qt.Key_Left)
    driver.press(Qt.Key_Right)
    assert driver.dialog_text() == ""
    assert "not valid JSON" in driver.window.canvas.notice
    driver.press(Qt.Key_Space)
    assert "go to another one, and propagate from there" in driver.window.statusBar().currentMessage()
    driver.open_video("b")
    driver.open_video("a")
    driver.press(Qt.Key_Right)
    assert "not valid JSON" in take_dialog(driver)


def test_deleting_an_object_everywhere_leaves_a_corrupt_file_and_says_so(
    make_annotation_window: Window, make_videos: Videos, output: Path, take_dialog: TakeDialog
) -> None:
    root = make_videos(frames=4)
    draw(root, output, range(4))
    driver = make_annotation_window(root)
    broken_json(output / "ball" / "00002.json")
    left = (output / "ball" / "00002.json").read_bytes()
    driver.window.commands.delete(1, "video")
    assert "00002.json is not valid JSON" in take_dialog(driver)
    assert (output / "ball" / "00002.json").read_bytes() == left
    assert [facts(driver, index) for index in (0, 1, 3)] == [set()] * 3


def test_a_file_that_breaks_while_its_frame_is_shown_is_not_overwritten(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path, take_dialog: TakeDialog
) -> None:
    root = make_videos(frames=4)
    draw(root, output)
    driver = make_annotation_window(root)
    file_of(driver).write_text("{", encoding="utf-8")
    annotate(driver, ball_centre(0), "cat")
    assert "is not valid JSON" in take_dialog(driver)
    assert driver.window.status.saved.text() == "NOT SAVED"
    assert file_of(driver).read_text(encoding="utf-8") == "{"


# --- names and videos ----------------------------------------------------------------------------------------------


def test_names_with_spaces_and_other_scripts_work_down_to_the_dataset(
    make_annotation_window: Window, tmp_path: Path
) -> None:
    root, output = tmp_path / "Filme über Tiere" / "видео 影片", tmp_path / "mes annotations é"
    make_video(root / "Schwäne am See" / "τέταρτο 1", frames=3)
    driver = make_annotation_window(root, output=output)
    annotate(driver, ball_centre(0), "Höckerschwan 天鹅")
    driver.press(Qt.Key_Space)
    driver.propagation()
    assert document(driver, 2)["shapes"][0]["label"] == "Höckerschwan 天鹅"
    assert (output / "Schwäne am See" / "τέταρτο 1" / "00002.json").exists()
    dataset = tmp_path / "data set ö"
    for _ in convert(find_videos(root), AnnotationStore(output), dataset, ConvertOptions(present=True)):
        pass
    content = json.loads(annotations_path(dataset, "train").read_text(encoding="utf-8"))
    assert [category["name"] for category in content["categories"]] == ["Höckerschwan 天鹅"]
    assert len(content["annotations"]) == 1
    images = [images_folder(dataset, "train") / name for name in content["videos"][0]["file_names"]]
    assert [image.exists() for image in images] == [True] * 3


def write_film(path: Path, frames: int) -> None:
    """A video file of the scene; frame i has a mark of brightness 20 i (modulo 250) in a corner."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25.0, (160, 120))
    assert writer.isOpened()
    for index in range(frames):
        image = frame(0)
        image[88:, :32] = 20 * index % 250
        writer.write(image[:, :, ::-1])
    writer.release()


def test_a_video_file_opens_with_progress_and_each_frame_is_the_right_one(
    make_annotation_window: Window, tmp_path: Path, discs: DiscSegmenter
) -> None:
    (tmp_path / "films").mkdir()
    write_film(tmp_path / "films" / "march.mp4", 12)
    driver = make_annotation_window()
    steps: list[tuple[int, int]] = []
    driver.window.navigator._opener.unpacking.connect(lambda done, total: steps.append((done, total)))
    driver.open(tmp_path / "films")
    assert steps == [(done, 12) for done in range(1, 13)]
    assert driver.window.session.total == 12
    for index in (0, 7, 11):
        driver.go_to(index)
        shown = driver.window.session.frame.image[96:112, 8:24]
        assert float(np.mean(shown)) == pytest.approx(20 * index, abs=6)
    driver.go_to(7)
    annotate(driver, ball_centre(0), "ball")
    assert file_of(driver, 7).name == "00007.json"


def test_leaving_a_video_file_while_it_is_unpacked_keeps_what_is_there_and_goes_on_later(
    make_annotation_window: Window, make_videos: Videos
) -> None:
    root = make_videos("a")
    write_film(root / "z.mp4", 60)
    driver = make_annotation_window(root)
    steps: list[int] = []
    driver.window.navigator._opener.unpacking.connect(lambda done, _total: steps.append(done))
    driver.window.navigator.step_video(1)
    driver.wait(lambda: steps, "the first frame")
    driver.open_video("a")
    unpacked = len(list((root / "z").glob("*.jpg")))
    assert unpacked >= 1
    driver.window.navigator.step_video(1)
    driver.wait(lambda: driver.window.session.tracks is not None, "the film")
    assert driver.window.session.total == 60


def test_closing_the_window_while_a_film_is_unpacked_leaves_whole_frames(
    make_annotation_window: Window, tmp_path: Path
) -> None:
    (tmp_path / "films").mkdir()
    write_film(tmp_path / "films" / "march.mp4", 60)
    driver = make_annotation_window()
    steps: list[int] = []
    driver.window.navigator._opener.unpacking.connect(lambda done, _total: steps.append(done))
    driver.window.open_path(tmp_path / "films")
    driver.wait(lambda: steps, "the first frame")
    driver.window.close()
    frames = sorted((tmp_path / "films" / "march").glob("*.jpg"))
    assert frames
    assert all(cv2.imread(str(path)) is not None for path in frames)
    assert [path.name for path in frames] == [f"{index:05d}.jpg" for index in range(len(frames))]


def test_biker_opens_with_239_frames(make_annotation_window: Window, shared: Path, tmp_path: Path) -> None:
    shutil.copy(shared / "videos" / "biker.mp4", tmp_path / "biker.mp4")
    driver = make_annotation_window()
    driver.open(tmp_path / "biker.mp4")
    assert driver.window.session.total == 239
    checked = (0, 1, 120, 237, 238)
    around_all = {index: [near for near in range(index - 2, index + 3) if 0 <= near < 239] for index in checked}
    film = read_film(shared / "videos" / "biker.mp4", {near for around in around_all.values() for near in around})
    for index, around in around_all.items():
        driver.go_to(index)
        shown = driver.window.session.frame.image.astype(np.int16)
        assert min(around, key=lambda near: float(np.abs(shown - film[near]).mean())) == index


def read_film(path: Path, wanted: set[int]) -> dict[int, np.ndarray]:
    """Some frames of a video file, RGB, as OpenCV decodes it."""
    capture = cv2.VideoCapture(str(path))
    frames = {}
    for index in range(max(wanted) + 1):
        assert capture.grab()
        if index in wanted:
            frames[index] = cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)
    capture.release()
    return frames
