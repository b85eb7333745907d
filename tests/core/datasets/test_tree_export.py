"""Masks out of a tree of annotations: what a conversion refuses or reports is refused or reported here too."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.json_video import JsonVideo
from sam_annotator.core.datasets.mask_export import MaskOptions
from sam_annotator.core.datasets.mask_sources import read_dataset
from sam_annotator.core.datasets.tree_export import export_masks
from tests import small_dataset
from tests.small_dataset import blob, document, write_frames, write_json

Frames = list[list[dict[str, Any]]]

WIDTH, HEIGHT = 60, 40


def square(label: str, group: int | None, left: int, top: int, side: int = 10) -> dict[str, Any]:
    corners = [[left, top], [left + side, top], [left + side, top + side], [left, top + side]]
    return {"label": label, "group_id": group, "points": corners, "shape_type": "polygon", "flags": {}}


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes the video `lake` with one frame for each list of shapes, and its annotations."""

    def write(*frames: list[dict[str, Any]], width: int = WIDTH) -> Path:
        for index, shapes in enumerate(frames):
            image, file = tmp_path / f"videos/lake/{index:05d}.jpg", tmp_path / f"ann/lake/{index:05d}.json"
            for path in (image, file):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT)).save(image)
            says = {"version": "5.0", "flags": {}, "shapes": shapes, "imagePath": image.name, "imageData": None}
            file.write_text(json.dumps(says | {"imageHeight": HEIGHT, "imageWidth": width}))
        return tmp_path

    return write


def run(folder: Path, command: str, output: str, *more: str) -> int:
    tree = [str(folder / "ann"), f"--videos={folder}/videos", f"--output={folder}/{output}"]
    is_open = (command == "convert" or output.endswith(".json")) and not any("--categories" in one for one in more)
    return main([command, *tree, *(["--categories", "present"] if is_open else []), *more])


OUTPUTS = pytest.mark.parametrize("output", ["masks", "coco.json"])


@OUTPUTS
@pytest.mark.parametrize(
    ("frames", "width", "told"),
    [
        ([[square("cat", 1, 5, 5)]], 90, "lake/00000.json"),
        ([[square("cat", 1, 5, 5), square("dog", 1, 30, 5)]], WIDTH, "'cat' in frame 00000 and 'dog' in frame 00000"),
        ([[square("cat", 1, 5, 5)], [square("dog", 1, 5, 5)]], WIDTH, "'cat' in frame 00000 and 'dog' in frame 00001"),
        ([[square("cat", None, 5, 5)]], WIDTH, "--null-group per-label"),
    ],
)
def test_what_a_conversion_refuses_is_refused_with_its_sentence(
    folder: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    output: str,
    frames: Frames,
    width: int,
    told: str,
) -> None:
    root = folder(*frames, width=width)
    assert run(root, "convert", "dataset") == 2
    theirs = capsys.readouterr().err
    assert run(root, "export-masks", output) == 2
    assert capsys.readouterr().err == theirs
    assert told in theirs
    assert not (root / output).exists()


@OUTPUTS
def test_what_a_conversion_leaves_out_is_told_with_its_file(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str], output: str
) -> None:
    point = {"label": "cat", "group_id": 3, "points": [[1, 1]], "shape_type": "point", "flags": {}}
    root = folder([square("cat", 1, 5, 5), point], [square("cat", 1, 5, 5), square("cat", 2, -40, -40)])
    (root / "ann/lake/stray.json").write_text("{}")
    assert run(root, "export-masks", output, f"--report={root}/report.json") == 1
    told = capsys.readouterr().out
    assert "lake/00000.json: shapes that cover no area were left out (1 point)" in told
    assert "lake/00001.json: object 2 (cat) covers no pixel of the image" in told
    assert "stray.json belongs to no frame of the videos" in told
    assert run(root, "convert", "dataset", f"--report={root}/theirs.json") == 1
    ours, theirs = (json.loads((root / name).read_text()) for name in ("report.json", "theirs.json"))
    losses = [[one for one in report["findings"] if one["kind"] != "note"] for report in (ours, theirs)]
    assert losses[0] == losses[1]
    assert ours["written"] == [str(root / output)]


def test_an_object_wholly_under_others_is_named_and_not_counted(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder([square("cat", 1, 12, 12, 4), square("dog", 2, 10, 10, 20)])
    assert run(root, "export-masks", "masks") == 1
    told = capsys.readouterr().out
    assert "lake/00000.png: object 1 (cat) lies wholly under others" in told
    assert "  objects  1\n" in told
    assert list(json.loads((root / "masks/meta.json").read_text())["videos"]["lake"]["objects"]) == ["2"]


def test_shapes_without_an_id_become_one_object_per_label_where_that_is_asked_for(
    folder: Callable[..., Path],
) -> None:
    root = folder([square("cat", None, 2, 2), square("dog", 7, 30, 20)], [square("cat", None, 5, 5)])
    assert run(root, "export-masks", "masks", "--null-group=per-label") == 1
    values = [set(np.unique(np.asarray(Image.open(root / f"masks/Annotations/lake/0000{i}.png")))) for i in (0, 1)]
    assert values == [{0, 1, 7}, {0, 1}]


def test_repairs_of_one_kind_are_one_line_and_each_stands_in_the_report(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(*([square("cat", None, 2, 2)] for _ in range(5)))
    assert run(root, "export-masks", "masks", "--null-group=per-label", f"--report={root}/report.json") == 1
    told = capsys.readouterr().out.splitlines()
    listed = ", ".join(f"{root}/ann/lake/0000{index}.json" for index in range(3))
    assert told[4:] == [f"Repaired: shapes without an object id, joined by label: 5 ({listed}, ...)"]
    findings = json.loads((root / "report.json").read_text())["findings"]
    assert [finding["file"] for finding in findings] == [f"{root}/ann/lake/0000{index}.json" for index in range(5)]


@OUTPUTS
def test_a_dry_run_goes_through_everything_and_writes_nothing(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str], output: str
) -> None:
    root = folder([square("cat", 1, 12, 12, 4), square("dog", 2, 30, 10)])
    assert run(root, "export-masks", output, "--dry-run") == 0
    would = capsys.readouterr().out
    assert not (root / output).exists()
    assert run(root, "export-masks", output) == 0
    assert capsys.readouterr().out == would.replace("Would write", "Wrote")
    assert run(root, "export-masks", output, "--dry-run") == 2
    assert "--force" in capsys.readouterr().err


def test_a_dry_run_refuses_labels_that_are_no_categories_and_drops_them_where_that_is_asked_for(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder([square("cat", 1, 12, 12, 4), square("dog", 2, 30, 10)])
    (root / "names.txt").write_text("dog\n")
    categories = f"--categories={root}/names.txt"
    assert run(root, "export-masks", "coco.json", "--dry-run", categories) == 2
    assert "'cat' (1 object)" in capsys.readouterr().err
    assert run(root, "export-masks", "coco.json", categories, "--drop-unknown") == 1
    assert "labelled 'cat'" in capsys.readouterr().out
    assert [a["track_id"] for a in json.loads((root / "coco.json").read_text())["annotations"]] == [2]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_coco_of_annotations_needs_categories_as_a_conversion_does_and_says_so_before_masks_are_drawn(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str], jobs: str
) -> None:
    root = folder([square("cat", 1, 12, 12), square("dog", 2, 30, 10)])
    command = ["export-masks", f"{root}/ann", f"--videos={root}/videos", f"--output={root}/coco.json", f"--jobs={jobs}"]
    assert main([*command, f"--cache={root}/cache"]) == 2
    told = capsys.readouterr().err
    assert "(2 labels occur: 'cat', 'dog')" in told
    assert "--categories present" in told
    assert not (root / "coco.json").exists()
    assert not list((root / "cache").glob("*.video"))
    assert main([*command, "--categories=present"]) == 0
    written = json.loads((root / "coco.json").read_text())
    assert [(category["id"], category["name"]) for category in written["categories"]] == [(1, "cat"), (2, "dog")]
    assert run(root, "export-masks", "masks") == 0, "PNGs have no categories"
    assert run(root, "export-masks", "others", "--categories=present") == 2


def test_coco_keeps_the_categories_of_a_dataset_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_json(tmp_path / "train.json", document({"lake": (2, [(8, [blob(1, 1), None])])}))
    command = ["export-masks", str(path), f"--output={tmp_path}/coco.json"]
    assert main(command) == 0
    written = json.loads((tmp_path / "coco.json").read_text())
    assert written["categories"] == json.loads(path.read_text())["categories"]
    assert [found["category_id"] for found in written["annotations"]] == [8]
    assert main([*command, "--force", "--categories=present"]) == 0
    assert [found["category_id"] for found in json.loads((tmp_path / "coco.json").read_text())["annotations"]] == [1]


def test_categories_of_a_dataset_that_cannot_be_kept_are_an_error_that_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = document({"lake": (2, [(8, [blob(1, 1), None])])})
    content["categories"] = [{**category, "name": "dog"} for category in content["categories"]]
    command = ["export-masks", str(write_json(tmp_path / "train.json", content)), f"--output={tmp_path}/coco.json"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "twice" in told
    assert "--categories present" in told
    assert main([*command, "--categories=present"]) == 1
    assert json.loads((tmp_path / "coco.json").read_text())["categories"][0]["name"] == "dog"


def test_masks_without_a_category_file_of_their_own_need_categories_too(tmp_path: Path) -> None:
    path = write_json(tmp_path / "train.json", document({"lake": (1, [(3, [blob(1, 1)])])}))
    source = replace(read_dataset(path), file=None)
    with pytest.raises(ConversionError, match=r"\(1 label occurs: 'dog'\)"):
        list(export_masks(source, tmp_path / "coco.json", MaskOptions()))


@pytest.mark.parametrize("is_tree", [True, False])
def test_labels_are_renamed_on_the_way_out(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str], is_tree: bool
) -> None:
    root = folder([square("dog", 1, 12, 12)])
    path = write_json(root / "train.json", document({"lake": (1, [(3, [blob(1, 1)])])}))
    (root / "names.txt").write_text("cat\nwolf\n")
    (root / "map.txt").write_text("dog -> wolf\nnever -> cat\n")
    source = [f"{root}/ann", f"--videos={root}/videos"] if is_tree else [str(path)]
    command = ["export-masks", *source, f"--map={root}/map.txt", f"--report={root}/report.json"]
    assert main([*command, f"--output={root}/coco.json", f"--categories={root}/names.txt"]) == 0
    assert [found["category_id"] for found in json.loads((root / "coco.json").read_text())["annotations"]] == [2]
    assert "1 of the renamed labels occurs nowhere: 'never'." in (root / "report.json").read_text()
    assert main([*command, f"--output={root}/masks"]) == 0
    assert json.loads((root / "masks/meta.json").read_text())["videos"]["lake"]["objects"]["1"]["category"] == "wolf"
    if not is_tree:
        assert main([*command, f"--output={root}/other.json"]) == 2
        assert "'wolf' (1 object)" in (told := capsys.readouterr().err)
        assert "not in" in told
        assert "train.json" in told


def test_png_masks_are_not_written_among_the_videos(
    folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder([square("cat", 1, 12, 12)])
    assert run(root, "export-masks", "videos/masks") == 2
    assert "would lie among the videos" in capsys.readouterr().err


@OUTPUTS
def test_a_dataset_of_another_size_than_the_frames_is_refused_where_they_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    path = write_json(tmp_path / "train.json", document({"lake": (2, [(3, [blob(1, 1), None])])}))
    write_frames(tmp_path / "videos", "lake", 2, size=(2 * small_dataset.WIDTH, 2 * small_dataset.HEIGHT))
    command = ["export-masks", str(path), f"--output={tmp_path}/{output}"]
    assert main([*command, f"--videos={tmp_path}/videos"]) == 2
    told = capsys.readouterr().err
    assert "00000.png is 34 x 24 pixels, but the masks of video lake are 17 x 12." in told
    assert not (tmp_path / output).exists()
    (tmp_path / "videos/lake").rename(tmp_path / "videos/hill")
    assert main([*command, f"--videos={tmp_path}/videos"]) == 2
    assert "Video lake has no folder of frames." in capsys.readouterr().err
    assert main(command) == 0


def test_images_that_cannot_be_read_are_all_named_without_a_look_at_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JsonVideo, "read", None)  # whoever reads masks, fails
    videos = {name: (30, [(3, [blob(1, 1)] * 30)]) for name in ("hill", "lake")}
    path = write_json(tmp_path / "train.json", document(videos))
    for name in videos:
        write_frames(tmp_path / "videos", name, 30)
        for image in sorted((tmp_path / "videos" / name).iterdir())[1:]:
            image.write_bytes(b"no image")
    command = ["export-masks", str(path), f"--output={tmp_path}/masks", f"--videos={tmp_path}/videos"]
    assert main([*command, f"--report={tmp_path}/report.json"]) == 2
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["reasons"] == {"error: image-unreadable": 58}
    assert {finding["video"] for finding in report["findings"]} == {"hill", "lake"}
    assert not (tmp_path / "masks").exists()


@OUTPUTS
def test_a_frame_of_which_nothing_can_be_used_is_not_said_to_be_empty(tmp_path: Path, output: str) -> None:
    content = document({"lake": (2, [(3, [blob(1, 1), blob(2, 2)])])})
    content["annotations"][0]["segmentations"][0]["counts"] = "1"
    path = write_json(tmp_path / "train.json", content)
    assert main(["export-masks", str(path), f"--output={tmp_path}/{output}"]) == 1
    if output == "masks":
        assert [one.name for one in (tmp_path / "masks").rglob("*.png")] == ["00001.png"]
    else:
        written = json.loads((tmp_path / output).read_text())
        assert [image["file_name"] for image in written["images"]] == ["lake/00001.jpg"]
