"""`sam-annotator [VIDEOS]`: what is wrong is said before any window comes up; the window's end is the command's."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sam_annotator.cli import main
from tests.gui.scene import make_video
from tests.gui.steps import draw


@pytest.fixture
def no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a window fails the test."""

    def fail(**_options: object) -> None:
        pytest.fail("a window was made")

    monkeypatch.setattr("sam_annotator.gui.app.make_window", fail)


def empty_folder(folder: Path) -> Path:
    return folder


def folder_without_images(folder: Path) -> Path:
    (folder / "papers").mkdir()
    (folder / "notes.txt").write_text("no images", encoding="utf-8")
    return folder


def missing_folder(folder: Path) -> Path:
    return folder / "nowhere"


def text_file(folder: Path) -> Path:
    (folder / "notes.txt").write_text("no video", encoding="utf-8")
    return folder / "notes.txt"


@pytest.mark.parametrize("make", [empty_folder, folder_without_images, missing_folder, text_file])
@pytest.mark.usefixtures("no_window")
def test_what_cannot_be_opened_is_told_in_one_line_without_a_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], Path]
) -> None:
    (tmp_path / "my videos ü").mkdir()
    path = make(tmp_path / "my videos ü")
    assert main([str(path)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"sam-annotator: {path} ")
    assert output.err.count("\n") == 1


@pytest.mark.usefixtures("no_window")
def test_a_list_of_categories_that_is_not_there_is_told_without_a_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video(tmp_path / "ball", frames=2)
    assert main([str(tmp_path), "--labels", str(tmp_path / "labels.txt")]) == 2
    assert "labels.txt cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        (
            "--sam",
            "emb",
            "There is no segmenter 'emb' and no file of that name; choose auto, embedded, one of sam_",
        ),
        ("--sam", "vit_b.pth.part", "is an unfinished download"),
        ("--propagator", "emb", "There is no propagator 'emb' and no file of that name; choose auto, embedded, stcn"),
        ("--models", "nowhere", "given with --models does not exist"),
        ("--device", "gpu", "There is no device 'gpu'; choose --device auto"),
    ],
)
@pytest.mark.usefixtures("no_window")
def test_models_that_there_are_not_are_told_without_a_window(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, words: str
) -> None:
    make_video(tmp_path / "ball", frames=2)
    assert main([str(tmp_path), option, value]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_published_checkpoints_that_are_not_there_open_the_window_which_offers_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr("sam_annotator.gui.app.run_window", lambda **options: made.append(options["engines"]) or 0)
    make_video(tmp_path / "ball", frames=2)
    assert main([str(tmp_path), "--sam", "sam_vit_l", "--propagator", "stcn"]) == 0
    assert len(made) == 1


def run_command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; variables given as '' are taken away."""
    environment = {**os.environ, **variables}
    environment = {name: value for name, value in environment.items() if value}
    return subprocess.run(
        [sys.executable, "-m", "sam_annotator", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux says by variables whether there is a display"
)
def test_without_a_display_it_says_what_works_without_one(tmp_path: Path) -> None:
    make_video(tmp_path / "ball", frames=2)
    done = run_command(str(tmp_path), DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 2
    assert done.stderr.startswith("sam-annotator: There is no display")
    assert "`sam-annotator demo` works without one" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_output_that_is_a_file_is_told(tmp_path: Path) -> None:
    make_video(tmp_path / "videos" / "ball", frames=2)
    (tmp_path / "out").write_text("", encoding="utf-8")
    done = run_command(str(tmp_path / "videos"), "--output", str(tmp_path / "out"), QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 2
    assert f"sam-annotator: {tmp_path / 'out'} is a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, isolated_home: Path) -> None:
    make_video(tmp_path / "ball", frames=2)
    settings = isolated_home / ".config" / "sam_annotator" / "config.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("shortcuts: [", encoding="utf-8")
    done = run_command(str(tmp_path), QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 2
    assert f"sam-annotator: The settings file {settings} cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


OPENED_AT = """
import sys
import sam_annotator.gui.window
from PyQt5 import QtCore, QtWidgets
from sam_annotator.cli import main
from sam_annotator.gui.window import AnnotationWindow

application = QtWidgets.QApplication([])

def look():
    for window in application.topLevelWidgets():
        if isinstance(window, AnnotationWindow) and window.session.tracks is not None:
            print(window.session.video.name, window.session.index, len(window.listed_shapes()))
            window.close()

timer = QtCore.QTimer(interval=10)
timer.timeout.connect(look)
timer.start()
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("suffix", [".json", ".jpg"])
def test_an_annotation_file_or_an_image_opens_its_video_at_that_frame(tmp_path: Path, suffix: str) -> None:
    frames = make_video(tmp_path / "videos" / "ball", frames=4)
    draw(tmp_path / "videos", tmp_path / "out", (2,))
    written = json.loads((tmp_path / "out/ball/00002.json").read_text(encoding="utf-8"))
    (frames / "00002.json").write_text(json.dumps({**written, "imagePath": "00002.jpg"}), encoding="utf-8")
    command = [sys.executable, "-c", OPENED_AT, str(frames / f"00002{suffix}"), "--sam", "embedded"]
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "ball 2 1"


@pytest.mark.usefixtures("no_window")
def test_an_annotation_apart_from_its_frame_says_what_to_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video(tmp_path / "videos" / "ball", frames=2)
    draw(tmp_path / "videos", tmp_path / "out")
    assert main([str(tmp_path / "out/ball/00000.json")]) == 2
    error = capsys.readouterr().err
    assert f"00000.json is the annotation of {tmp_path / 'videos/ball/00000.jpg'}, which lies elsewhere" in error
    assert error.count("\n") == 1


@pytest.mark.usefixtures("no_window")
def test_a_json_that_is_no_annotation_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_video(tmp_path / "ball", frames=2)
    (tmp_path / "ball/notes.json").write_text("[]", encoding="utf-8")
    assert main([str(tmp_path / "ball/notes.json")]) == 2
    assert "notes.json" in capsys.readouterr().err


CLOSED_DURING_A_RUN = """
import sys
import sam_annotator.gui.window
from PyQt5 import QtCore, QtWidgets
from sam_annotator.cli import main
from sam_annotator.gui.window import AnnotationWindow

application = QtWidgets.QApplication([])

def look():
    for window in application.topLevelWidgets():
        if isinstance(window, AnnotationWindow) and window.session.tracks is not None:
            if not window.propagation.is_running:
                window.toggle_propagation()
            elif window.propagation.done >= 2:
                print("frames:", window.session.total, window.session.video.name)
                window.close()

timer = QtCore.QTimer(interval=10)
timer.timeout.connect(look)
timer.start()
status = main(sys.argv[1:])
print("status:", status)
sys.exit(status)
"""


def test_a_window_closed_in_the_middle_of_a_run_ends_the_command_well(tmp_path: Path) -> None:
    make_video(tmp_path / "videos" / "ball", frames=24)
    draw(tmp_path / "videos", tmp_path / "out")
    command = [sys.executable, "-c", CLOSED_DURING_A_RUN, str(tmp_path / "videos"), "--output", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--sam", "embedded"],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["frames:", "24", "ball", "status:", "0"]
    assert "Traceback" not in done.stderr
    assert "QThread" not in done.stderr
    assert 2 <= len(list((tmp_path / "out" / "ball").glob("*.json"))) <= 24
    hidden = [path.name for path in (tmp_path / "out" / "ball").glob(".*")]
    assert hidden == [".sam_annotator"]  # what it takes to undo the run; no half-written file
