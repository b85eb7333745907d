"""The command `preview` as a person runs it."""

from pathlib import Path

import pytest
from PIL import Image

from sam_annotator.cli import main
from tests.small_dataset import document, ring, write_frames, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`videos` with `lake` and its annotations beside the frames, `train.json` where they come from."""
    write_frames(tmp_path / "videos", "lake", 2)
    write_json(tmp_path / "train.json", document({"lake": (2, [(3, [ring(), None])])}))
    videos = str(tmp_path / "videos")
    assert main(["import", str(tmp_path / "train.json"), "--videos", videos, "--output", videos]) == 0
    return tmp_path


def test_a_tree_and_its_dataset_look_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    videos = str(folder / "videos")
    assert main(["preview", videos, "--output", str(folder / "a.png"), "--tiles", "2", "--columns", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Wrote {folder}/a.png: 2 frames of 1 video."
    more = ["--tiles", "2", "--columns", "2", "--video", "lake"]
    assert main(["preview", str(folder / "train.json"), "--videos", videos, "--output", f"{folder}/b.png", *more]) == 0
    with Image.open(folder / "a.png") as first, Image.open(folder / "b.png") as second:
        assert first.tobytes() == second.tobytes()


def test_a_film_is_written_and_not_written_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["preview", str(folder / "videos"), "--output", str(folder / "film.mp4")]
    assert main(command) == 0
    assert main(command) == 2
    assert "is there already; write over it with --force" in capsys.readouterr().err
    assert main([*command, "--force", "--fps", "25"]) == 0


def test_what_is_not_shown_is_told_and_ends_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "videos/lake/00000.json").write_text("{")
    assert main(["preview", str(folder / "videos"), "--output", str(folder / "a.jpg")]) == 1
    assert "Not shown: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{}/train.json", "--output", "{}/a.jpg"], "train.json holds no frames; add --videos DIR."),
        (["{}/videos", "--output", "{}/a.doc"], "has no suffix of a film or a sheet"),
        (["{}/nowhere", "--output", "{}/a.jpg"], "nowhere does not exist"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_2(
    folder: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["preview", *(part.format(folder) for part in arguments)]) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("bad", [["--fps", "0"], ["--tiles", "none"], ["--width", "-5"]])
def test_numbers_that_make_no_picture_are_refused(folder: Path, bad: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["preview", str(folder / "videos"), "--output", str(folder / "a.jpg"), *bad])
    assert end.value.code == 2
