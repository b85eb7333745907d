"""The command `stats` as a person runs it."""

import json
from pathlib import Path

import pytest

from sam_annotator.cli import main
from tests.small_dataset import blob, document, ring, write_frames, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`videos` with `lake`, its annotations in `ann`, the dataset they come from in `train.json`."""
    write_frames(tmp_path / "videos", "lake", 3)
    content = document({"lake": (3, [(3, [blob(1, 1), None, ring()]), (8, [None, blob(5, 5), None])])})
    write_json(tmp_path / "train.json", content)
    command = ["import", "train.json", "--videos", "videos", "--output", "ann"]
    assert main([part if part[0] == "-" or part == "import" else str(tmp_path / part) for part in command]) == 0
    return tmp_path


def test_a_tree_and_its_dataset_have_the_same_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    categories = ["--categories", str(folder / "train.json")]
    assert main(["stats", str(folder / "ann"), "--videos", str(folder / "videos"), *categories]) == 0
    of_tree = capsys.readouterr().out
    assert main(["stats", str(folder / "train.json")]) == 0
    assert capsys.readouterr().out == of_tree
    lines = of_tree.splitlines()
    assert lines[:7] == [
        "videos             1",
        "frames             3",
        "objects            2",
        "masks              3",
        "categories         2",
        "base               1 categories, 1 objects, 2 masks",
        "novel              1 categories, 1 objects, 1 masks",
    ]
    assert "gaps               1 in 1 objects, the longest 1 frames" in lines
    assert lines[-2:] == [
        "        1        2        2        1  dog (base)",
        "        1        1        1        1  red_panda (novel)",
    ]


def test_numbers_and_plot_are_written(folder: Path) -> None:
    files = ["--json", str(folder / "new/stats.json"), "--plot", str(folder / "plot.svg")]
    assert main(["stats", str(folder / "train.json"), *files]) == 0
    assert json.loads((folder / "new/stats.json").read_text())["masks"] == 3
    assert (folder / "plot.svg").read_text().startswith("<?xml")


def test_a_broken_annotation_is_told_and_ends_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ann/lake/00001.json").write_text("{")
    assert main(["stats", str(folder / "ann"), "--videos", str(folder / "videos")]) == 1
    assert "Not counted (1):" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{}/nowhere"], "nowhere does not exist"),
        (["{}/videos"], "No frame of the videos has an annotation"),
        (["{}/ann"], "add --videos DIR"),
        (["{}/train.json", "--plot", "{}/plot.doc"], "has no suffix of a picture"),
        (["{}/train.json", "--categories", "{}/nowhere"], "The category file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_2(
    folder: Path, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["stats", *(part.format(folder) for part in arguments)]) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)
