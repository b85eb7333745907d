"""The sample videos: what a new user sees first, and what quality is measured on."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.images import read_image
from sam_annotator.core.videos import find_videos
from sam_annotator.samples import make_samples
from sam_annotator.samples.make import MARKER

LENGTH = 48
SIZES = {"coffee": (854, 480), "space": (854, 480), "whiskers": (640, 360)}
CATEGORIES = {"coffee": ["cup"], "space": ["space shuttle", "astronaut"], "whiskers": ["cat"]}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "samples"
    make_samples(folder)
    return folder


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("short") / "samples"
    make_samples(folder, frames=2)
    return folder


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return


def _truth(samples: Path, name: str, index: int) -> NDArray[np.uint8]:
    with Image.open(samples / "truth" / name / f"{index:05d}.png") as image:
        assert image.mode == "P"
        return np.array(image)


def _objects(samples: Path) -> dict[str, dict[str, dict]]:
    return json.loads((samples / "truth" / "objects.json").read_text(encoding="utf-8"))


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _is_red(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return image[:, :, 0].astype(int) > image[:, :, 1].astype(int) + 10


def test_the_window_finds_the_videos_in_order_from_easy_to_hard(samples: Path) -> None:
    videos = find_videos(samples / "videos")
    assert [(video.name, len(video)) for video in videos] == [(name, LENGTH) for name in SIZES]


@pytest.mark.parametrize("name", SIZES)
def test_every_frame_has_a_truth_of_its_size(samples: Path, name: str) -> None:
    frames = sorted(path.stem for path in (samples / "videos" / name).iterdir())
    assert frames == [f"{index:05d}" for index in range(LENGTH)]
    assert frames == sorted(path.stem for path in (samples / "truth" / name).iterdir())
    for index in range(0, LENGTH, 8):
        image = read_image(samples / "videos" / name / f"{index:05d}.jpg")
        assert image.shape[1::-1] == SIZES[name]
        assert image.shape[:2] == _truth(samples, name, index).shape


@pytest.mark.parametrize("name", SIZES)
def test_the_truth_holds_exactly_the_objects_that_are_named(samples: Path, name: str) -> None:
    objects = _objects(samples)[name]
    assert [described["category"] for described in objects.values()] == CATEGORIES[name]
    for index in range(LENGTH):
        assert set(np.unique(_truth(samples, name, index))) == {0, *map(int, objects)}


@pytest.mark.parametrize("name", SIZES)
def test_the_click_is_deep_inside_and_the_box_tight(samples: Path, name: str) -> None:
    truth = _truth(samples, name, 0)
    for object_id, described in _objects(samples)[name].items():
        mask = truth == int(object_id)
        x, y = described["click"]
        assert mask[y - 10 : y + 11, x - 10 : x + 11].all()
        left, top, right, bottom = described["box"]
        inside = mask[top:bottom, left:right]
        assert inside.sum() == mask.sum()
        assert inside[0].any()
        assert inside[-1].any()
        assert inside[:, 0].any()
        assert inside[:, -1].any()


@pytest.mark.parametrize("index", range(0, LENGTH, 8))
def test_the_truth_lies_where_the_red_cup_is_on_the_green_lawn(samples: Path, index: int) -> None:
    truth = _truth(samples, "coffee", index) == 1
    red = _is_red(read_image(samples / "videos" / "coffee" / f"{index:05d}.jpg"))
    assert red[truth].mean() > 0.85
    assert red[~truth].mean() < 0.02


@pytest.mark.parametrize("index", range(0, LENGTH, 8))
def test_the_truth_lies_where_the_tan_cat_is_before_the_blue_sky(samples: Path, index: int) -> None:
    above_the_lamps = slice(0, 120)
    truth = _truth(samples, "whiskers", index)[above_the_lamps] == 1
    red = _is_red(read_image(samples / "videos" / "whiskers" / f"{index:05d}.jpg")[above_the_lamps])
    assert red[truth].mean() > 0.9
    assert red[~truth].mean() < 0.05


def test_the_shuttle_passes_behind_the_astronaut_and_comes_out_again(samples: Path) -> None:
    truths = [_truth(samples, "space", index) for index in range(LENGTH)]
    shuttle = np.array([(truth == 1).sum() for truth in truths])
    astronaut = np.array([(truth == 2).sum() for truth in truths])
    hidden = int(np.argmin(shuttle))
    assert 10 < hidden < LENGTH - 5
    assert shuttle[hidden] < 0.5 * shuttle[-1] < 0.5 * shuttle[0]
    assert astronaut.min() > 0.95 * astronaut[0]


def test_the_cat_comes_closer_leaves_the_frame_partly_and_the_light_goes(samples: Path) -> None:
    areas = [(_truth(samples, "whiskers", index) == 1).sum() for index in (0, LENGTH - 10)]
    assert areas[1] < 0.7 * areas[0]
    light = [read_image(samples / "videos" / "whiskers" / f"{index:05d}.jpg").mean() for index in (0, LENGTH - 1)]
    assert light[1] < 0.75 * light[0]


@pytest.mark.parametrize("index", range(LENGTH))
def test_the_photograph_of_the_cat_never_shows_where_it_ends(samples: Path, index: int) -> None:
    cat = _truth(samples, "whiskers", index) == 1
    assert cat[-1, 0]
    assert cat[0, :200].any()
    lower = cat[200:]
    assert lower[:, 0].all()


@pytest.mark.usefixtures("no_network")
def test_another_run_without_a_network_writes_the_same_bytes(short: Path, tmp_path: Path) -> None:
    make_samples(tmp_path / "again", frames=2)
    assert _files(tmp_path / "again") == _files(short)


def test_a_short_set_is_the_begin_of_the_whole_one(short: Path, samples: Path) -> None:
    whole = _files(samples)
    for name, content in _files(short).items():
        if name != MARKER:
            assert whole[name] == content


def test_making_them_again_changes_nothing_and_keeps_annotations(short: Path) -> None:
    annotation = short / "videos" / "coffee" / "00000.json"
    annotation.write_text("{}")
    before = {path: path.stat().st_mtime_ns for path in short.rglob("*")}
    said: list[str] = []
    assert make_samples(short, said.append, frames=2) == [short / "videos" / name for name in SIZES]
    assert {path: path.stat().st_mtime_ns for path in short.rglob("*")} == before
    assert len(said) == 1
    annotation.unlink()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    folder = tmp_path / "leer und schön"
    folder.mkdir()
    make_samples(folder, frames=1)
    assert (folder / "videos" / "space" / "00000.jpg").is_file()
    assert os.listdir(tmp_path) == [folder.name]


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"something else.*new or empty"):
        make_samples(tmp_path, frames=1)
    assert _files(tmp_path) == {"thesis.txt": b"mine"}


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "samples").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        make_samples(tmp_path / "samples", frames=1)


def test_samples_of_another_version_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text('{"version": 0}')
    with pytest.raises(InputError, match="another version"):
        make_samples(tmp_path, frames=1)
    assert list(_files(tmp_path)) == [MARKER]


def test_an_interrupted_run_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(sentence: str) -> None:
        if "2 of 3" in sentence:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_samples(tmp_path / "samples", interrupt, frames=1)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaveError, match=r"could not be written to .*samples"):
        make_samples(tmp_path / "file" / "samples", frames=1)


def test_neither_qt_nor_torch_nor_a_downloader_is_loaded() -> None:
    program = (
        "import sys, sam_annotator.samples as s; from sam_annotator.samples.photographs import read_photograph; "
        "read_photograph('chelsea.png'); "
        "print([m for m in ('torch', 'PyQt5', 'labelme', 'skimage', 'pooch', 'requests') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_command_says_where_they_are_and_what_to_do_next(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["samples", str(samples)]) == 0
    output = capsys.readouterr().out
    assert f"sam-annotator {samples / 'videos'}" in output
    assert str(samples / "truth") in output


def test_the_command_refuses_a_foreign_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert main(["samples", str(tmp_path)]) == 2
    assert "something else" in capsys.readouterr().err
