"""The commands `import` and `export-masks` as a person runs them: what is printed, and the exit codes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.annotation import FrameAnnotation, Shape, read_annotation
from tests.small_dataset import blob, document, ring, write_frames, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`videos` with `lake` of two frames, and `train.json` with two objects in it."""
    write_frames(tmp_path / "videos", "lake", 2)
    content = document({"lake": (2, [(3, [blob(1, 1), ring()]), (8, [None, blob(12, 7)])])})
    write_json(tmp_path / "train.json", content)
    return tmp_path


def command(folder: Path, dataset: str, *more: str) -> list[str]:
    parts = (folder / dataset, "--videos", folder / "videos", "--output", folder / "ann", *more)
    return ["import", *map(str, parts)]


def without_ids(annotation: FrameAnnotation) -> list[Shape]:
    """Its shapes without the ids of annotations, which are those of one JSON alone."""
    return [replace(shape, extra={}) for shape in annotation.shapes]


def test_an_import_is_summed_up_and_ends_with_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder, "train.json")) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Imported:",
        "  videos   1",
        "  frames   2 written",
        "  objects  2",
        "  masks    3",
    ]
    assert main(command(folder, "train.json", "--force")) == 0
    assert "2 there already" in capsys.readouterr().out


def test_annotations_go_beside_the_frames_where_the_output_is_the_folder_of_videos(folder: Path) -> None:
    assert main(["import", str(folder / "train.json"), *(f"--{a}={folder}/videos" for a in ("videos", "output"))]) == 0
    assert read_annotation(folder / "videos/lake/00001.json").image_path == "00001.png"


def test_what_is_left_is_told_and_ends_with_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((folder / "train.json").read_text())
    content["annotations"][0]["segmentations"][1] = {"size": [12, 17], "counts": [5]}
    write_json(folder / "train.json", content)
    assert main(command(folder, "train.json")) == 1
    assert "Not used (1):\n  Video lake, object 1 (dog), frame 00001: the mask" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("dataset", "more", "sentence"),
    [
        ("nowhere.json", [], "nowhere.json does not exist"),
        ("videos/lake/00000.png", [], "is not valid JSON"),
        ("train.json", ["--format", "davis"], "is a file; name the folder"),
        ("train.json", ["--names", "names.json"], "train.json names its objects itself"),
        (".", ["--videos", "{}/nowhere"], "nowhere does not exist"),
        ("empty", [], "holds no PNG masks"),
        ("train.json", ["--output", "{}/train.json"], "train.json is a file; name a folder for the annotations"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_2(
    folder: Path, dataset: str, more: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "empty").mkdir()
    assert main(command(folder, dataset, *(part.format(folder) for part in more))) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert (told.out, told.err.count("\n")) == ("", 1)


@pytest.mark.parametrize("command_name", ["import", "export-masks"])
def test_a_dataset_of_which_nothing_can_be_used_ends_with_2_and_the_reasons(
    folder: Path, command_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((folder / "train.json").read_text())
    content["videos"][0]["file_names"] = None
    write_json(folder / "train.json", content)
    assert main([command_name, *command(folder, "train.json")[1:]]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "sam-annotator: No video of this can be used:",
        "  Video 1 names no frames (file_names) and is left out with 2 annotations.",
    ]


def test_a_video_file_has_to_be_unpacked_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "videos/hill.mp4").touch()
    mask = [[blob(1, 1)] * 2]
    write_json(folder / "train.json", document({"lake": (2, [(3, mask[0])]), "hill": (2, [(3, mask[0])])}))
    assert main(command(folder, "train.json")) == 1
    assert "hill.mp4 is not wholly unpacked; open it once in the window" in capsys.readouterr().out
    assert [path.parent.name for path in (folder / "ann").rglob("*.json")] == ["lake", "lake"]


def test_masks_go_out_as_png_and_come_back_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder, "train.json")) == 0
    export = ["export-masks", str(folder / "ann"), f"--videos={folder}/videos", f"--output={folder}/davis"]
    assert main(export) == 0
    assert capsys.readouterr().out.splitlines()[-4:] == [
        f"Wrote {folder}/davis",
        "  videos   1",
        "  frames   2",
        "  objects  2",
    ]
    assert main(export) == 2
    assert "has masks already; write over them with --force" in capsys.readouterr().err
    assert main(command(folder, "davis", f"--output={folder}/again")) == 0
    for name in ("lake/00000.json", "lake/00001.json"):
        first, again = read_annotation(folder / "ann" / name), read_annotation(folder / "again" / name)
        assert (without_ids(first), first.absent_ids) == (without_ids(again), again.absent_ids)


def test_masks_come_out_of_a_dataset_without_its_videos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export-masks", str(folder / "train.json"), "--output", str(folder / "davis")]) == 0
    with Image.open(folder / "davis/Annotations/lake/00001.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), ring() * 1 + blob(12, 7) * 2)
    assert main(["export-masks", str(folder / "videos"), "--output", str(folder / "none")]) == 2
    assert "No frame of the videos has an annotation" in capsys.readouterr().err


def test_coco_goes_out_and_comes_back_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(folder, "train.json")) == 0
    export = ["export-masks", str(folder / "ann"), f"--videos={folder}/videos", f"--output={folder}/coco.json"]
    assert main([*export, f"--categories={folder}/train.json"]) == 0
    assert main(export) == 2
    assert "is there already; write over it with --force" in capsys.readouterr().err
    assert main(command(folder, "coco.json", f"--output={folder}/again")) == 0
    for name in ("lake/00000.json", "lake/00001.json"):
        first, again = read_annotation(folder / "ann" / name), read_annotation(folder / "again" / name)
        assert (without_ids(first), first.absent_ids) == (without_ids(again), again.absent_ids)


def test_labels_that_are_no_categories_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "names.txt").write_text("dogs\nred_panda\n")
    export = ["export-masks", str(folder / "train.json"), f"--categories={folder}/names.txt", "--output"]
    assert main([*export, str(folder / "coco.json")]) == 2
    assert "'dog' (1 object): did you mean 'dogs'?" in capsys.readouterr().err
    assert not (folder / "coco.json").exists()
    assert main([*export, str(folder / "davis")]) == 2
    assert "--categories is for COCO" in capsys.readouterr().err


def test_a_report_lists_everything_that_was_not_imported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = document({"lake": (2, [(3, [blob(1, 1), ring()]) for _ in range(30)])})
    for annotation in content["annotations"]:
        annotation["segmentations"][1] = {"size": [12, 17], "counts": [5]}
    write_json(folder / "train.json", content)
    for name in ("report.json", "report.txt"):
        assert main(command(folder, "train.json", f"--report={folder / name}")) == 1
    assert "and 10 more; the report (--report FILE) lists all" in capsys.readouterr().out
    report = json.loads((folder / "report.json").read_text())
    assert (report["result"], report["counts"]["masks"], len(report["findings"])) == ("findings", 30, 30)
    assert all(f"object {number} (dog)" in (folder / "report.txt").read_text() for number in range(1, 31))
    assert main(command(folder, "nowhere.json", f"--report={folder}/report.json")) == 2
    assert json.loads((folder / "report.json").read_text())["result"] == "impossible"


@pytest.mark.parametrize("command_name", ["import", "export-masks"])
def test_a_report_that_cannot_be_written_is_told_before_the_work(folder: Path, command_name: str) -> None:
    (folder / "file").touch()
    assert main([command_name, *command(folder, "train.json", f"--report={folder}/file/report.txt")[1:]]) == 2
    assert not (folder / "ann").exists()


def test_objects_of_frames_that_are_kept_are_not_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(folder / "other.json", document({"lake": (2, [(3, [blob(3, 3), blob(3, 3)])])}))
    assert main(command(folder, "other.json")) == 0
    capsys.readouterr()
    assert main(command(folder, "train.json")) == 1
    assert "  objects  0\n  masks    0\n" in capsys.readouterr().out


@pytest.mark.parametrize("nothing", [{"size": [12, 17], "counts": [204]}, []])
def test_a_mask_without_a_pixel_is_told(folder: Path, nothing: object, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads((folder / "train.json").read_text())
    content["annotations"][0]["segmentations"][1] = nothing
    write_json(folder / "train.json", content)
    assert main(command(folder, "train.json")) == 1
    assert "object 1 (dog), frame 00001: the mask has no pixel" in capsys.readouterr().out


def test_import_loads_neither_qt_nor_torch_nor_labelme(folder: Path) -> None:
    code = (
        "import sys\nfrom sam_annotator.cli import main\n"
        f"assert main({command(folder, 'train.json')!r}) == 0\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'PyQt5', 'torch', 'labelme', 'onnxruntime', 'matplotlib'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bars where nobody looks"
