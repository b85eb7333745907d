"""The command `stats` as a person runs it."""

import json
from pathlib import Path

import pytest
from PIL import Image

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
    assert "Found (1):" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{}/nowhere"], "nowhere does not exist"),
        (["{}/videos"], "No frame of the videos has an annotation beside it"),
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


def test_frames_that_do_not_fit_and_unknown_things_are_told_and_the_rest_is_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (9, 9)).save(folder / "videos/lake/00002.png")
    frame = json.loads((folder / "ann/lake/00001.json").read_text())
    frame["shapes"] += [{"label": "eel", "points": [[1, 1]], "shape_type": "point", "group_id": 5, "flags": {}}]
    frame["shapes"] += [{**frame["shapes"][0], "group_id": None}]
    (folder / "ann/lake/00001.json").write_text(json.dumps(frame))
    (folder / "ann/lake/stray.json").write_text("{}")
    (folder / "names.txt").write_text("dog\n")
    options = ["--videos", str(folder / "videos"), "--categories", str(folder / "names.txt")]
    assert main(["stats", str(folder / "ann"), *options, "--json", str(folder / "stats.json")]) == 1
    told = capsys.readouterr().out
    for sentence in (
        "lake/stray.json belongs to no frame of the videos.",
        "00002.png is 9 x 9 pixels, but 00000.png of the same video is 17 x 12",
        "00002.json was made for an image of 17 x 12 pixels",
        "shapes that cover no area were left out (1 point)",
        "without an object id",
        "names.txt; rename the objects",
    ):
        assert sentence in told, sentence
    assert json.loads((folder / "stats.json").read_text())["problems"]


def test_masks_of_a_dataset_are_compared_with_the_frames_that_videos_has(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = ["--videos", str(folder / "videos")]
    assert main(["stats", str(folder / "train.json"), *videos]) == 0
    capsys.readouterr()
    write_frames(folder / "videos", "lake", 1, size=(9, 9))
    (folder / "videos/lake/00002.png").unlink()
    assert main(["stats", str(folder / "train.json"), *videos]) == 1
    told = capsys.readouterr().out
    assert "00000.png is 9 x 9 pixels, but the masks of video lake are 17 x 12 pixels." in told
    assert "Video lake: 1 frame not in" in told
    (folder / "videos/lake").rename(folder / "videos/hill")
    assert main(["stats", str(folder / "train.json"), *videos]) == 1
    assert "Video lake has no folder of frames in" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("choice", "status", "objects", "told"),
    [
        ("error", 1, 1, "without an object id (group_id), labelled 'dog'"),
        ("skip", 1, 1, "were left out"),
        ("per-label", 1, 2, "shapes without an object id, joined by label: 2 ("),
    ],
)
def test_shapes_without_an_object_id_count_as_convert_counts_them(
    folder: Path, capsys: pytest.CaptureFixture[str], choice: str, status: int, objects: int, told: str
) -> None:
    for path in (folder / "ann/lake").glob("*.json"):
        frame = json.loads(path.read_text())
        shapes = [{**shape, "group_id": None if shape["group_id"] == 1 else 1} for shape in frame["shapes"]]
        path.write_text(json.dumps({**frame, "shapes": shapes}))
    command = [str(folder / "ann"), "--videos", str(folder / "videos"), "--null-group", choice]
    capsys.readouterr()
    assert main(["stats", *command, "--json", str(folder / "stats.json")]) == status
    assert told in capsys.readouterr().out
    numbers = json.loads((folder / "stats.json").read_text())
    assert (numbers["objects"], len(numbers["problems"])) == (objects, 1 if choice == "per-label" else 2)
    convert = ["convert", *command, "--output", str(folder / "dataset"), "--categories", "present"]
    assert main(convert) == (2 if choice == "error" else 1)
    if choice != "error":
        assert f"objects     {objects}\n" in capsys.readouterr().out
