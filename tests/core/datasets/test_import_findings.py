"""Every edge case on the way in has a decision, and a line in the report: nothing is dropped or altered in silence."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.annotation import read_annotation
from tests.small_dataset import CATEGORIES, HEIGHT, WIDTH, blob, compressed, document, ring, write_frames, write_json

Change = Callable[[dict[str, Any]], object]

LAKE: Final = json.loads(json.dumps(document({"lake": (2, [(3, [blob(1, 1), None]), (8, [ring(), ring()])])})))
TRACK: Final = {
    "images": [
        {"id": 4 + index, "file_name": f"lake/{index:05d}.jpg", "width": WIDTH, "height": HEIGHT} for index in range(2)
    ],
    "categories": CATEGORIES,
    "annotations": [
        {"id": 11 + n, "image_id": 4 + n, "category_id": 3, "track_id": 1, "segmentation": compressed(blob(1 + n, 1))}
        for n in range(2)
    ],
}
NOT_ONE: Final = "is that of no category"
NO_VIDEO: Final = "is that of none in 'videos'"
ANEW: Final = "1 of 2 annotations have no id that is a whole number from 1, and no other's; exported again"
OWN: Final = "Video lake: not each annotation has an object_id of its own"
OUTSIDE: Final = [[100, 100, 110, 100, 110, 110]]


def put(*path: Any) -> Change:
    """Write the last of these at the place that the others lead to."""

    def change(content: dict[str, Any]) -> None:
        *way, key, value = path
        for step in way:
            content = content[step]
        content[key] = value

    return change


def mask(value: Any) -> Change:
    return put("annotations", 0, "segmentations", 0, value)


def both(key: str, first: Any, second: Any) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["annotations"][0][key], content["annotations"][1][key] = first, second

    return change


def longer(content: dict[str, Any]) -> None:
    content["annotations"][1]["segmentations"].append(None)


def without_size(content: dict[str, Any]) -> None:
    del content["videos"][0]["width"]


def twin(content: dict[str, Any]) -> None:
    content["videos"].append({**content["videos"][0], "id": 2})


def part(category: int) -> Change:
    def change(content: dict[str, Any]) -> None:
        content["annotations"].append(
            {**content["annotations"][0], "id": 13, "category_id": category, "segmentation": compressed(blob(6, 5))}
        )

    return change


CASES: Final[dict[str, tuple[dict[str, Any], Change, str, int, int]]] = {
    # by name: the dataset, the change, what the report says, objects and masks in the tree
    "nothing": (LAKE, lambda _: None, "", 2, 3),
    "null id": (LAKE, put("annotations", 0, "id", None), ANEW, 2, 3),
    "text as id": (LAKE, put("annotations", 0, "id", "7"), ANEW, 2, 3),
    "float as id": (LAKE, put("annotations", 0, "id", 1.0), ANEW, 2, 3),
    "negative id": (LAKE, put("annotations", 0, "id", -1), ANEW, 2, 3),
    "id twice": (LAKE, put("annotations", 0, "id", 2), ANEW, 2, 3),
    "video without id": (LAKE, put("videos", 0, "id", None), "Entry 0 of 'videos' has no id", -1, 0),
    "float as video": (LAKE, put("annotations", 0, "video_id", 1.0), NO_VIDEO, 1, 2),
    "truth as video": (LAKE, put("annotations", 0, "video_id", True), NO_VIDEO, 1, 2),
    "text as category": (LAKE, put("annotations", 0, "category_id", "3"), NOT_ONE, 1, 2),
    "float as category": (LAKE, put("annotations", 0, "category_id", 3.0), NOT_ONE, 1, 2),
    "unknown category": (LAKE, put("annotations", 0, "category_id", 99), NOT_ONE, 1, 2),
    "object id twice": (LAKE, both("object_id", 5, 5), OWN, 2, 3),
    "object id for some": (LAKE, both("object_id", 5, None), OWN, 2, 3),
    "floats as object ids": (LAKE, both("object_id", 5.0, 6.0), OWN, 2, 3),
    "same id, two labels": (TRACK, part(8), "object 1 is both dog and red_panda; the first is taken", 1, 2),
    "label changes within a track": (TRACK, put("annotations", 1, "category_id", 8), "is both dog and red_panda", 1, 2),
    "track for some": (TRACK, put("annotations", 0, "track_id", None), "each becomes an object of its own", 2, 2),
    "parts of one object": (TRACK, part(3), "", 1, 2),
    "two categories of one name": (
        LAKE,
        put("categories", 1, "name", " dog"),
        "both called dog; they become one",
        2,
        3,
    ),
    "blank name": (LAKE, put("categories", 0, "name", " "), "The category 3 has no name and is left out", 1, 2),
    "number as name": (LAKE, put("categories", 0, "name", 7), "The category 3 has no name and is left out", 1, 2),
    "hole polygons": (LAKE, mask([[1, 1, 9, 1, 9, 9, 1, 9], [3, 3, 6, 3, 6, 6, 3, 6]]), "", 2, 3),
    "two points": (LAKE, mask([[3, 3, 5, 5]]), "of three points or more", 1, 2),
    "zero area": (LAKE, mask([[3, 3, 3, 3, 3, 3]]), "the mask has no pixel", 1, 2),
    "wholly outside": (LAKE, mask(OUTSIDE), "dog 1 of lake has no mask in any frame", 1, 2),
    "partly outside": (LAKE, mask([[-5, 3, 5, 5, 5, 30]]), "", 2, 3),
    "of another size": (LAKE, mask({"size": [9, 9], "counts": [40, 41]}), "its size is [9, 9], but the video's", 1, 2),
    "all null": (LAKE, mask(None), "dog 1 of lake has no mask in any frame", 1, 2),
    "list too short": (LAKE, put("annotations", 0, "segmentations", []), "has 0 segmentations for 2 frames", 1, 2),
    "list too long": (LAKE, longer, "has 3 segmentations for 2 frames; those that have a frame are taken", 2, 3),
    "false frame size": (LAKE, put("videos", 0, "width", WIDTH + 1), f"are {WIDTH + 1} x {HEIGHT}; the frame is", 0, 0),
    "no frame size": (LAKE, without_size, "Video lake has no width and height and is left out with 2 annot", -1, 0),
    "empty video": (LAKE, put("videos", 0, "file_names", []), "Video 1 names no frames", -1, 0),
    "frames named twice": (LAKE, put("videos", 0, "file_names", ["lake/0.jpg", "lake/0.png"]), "or one twice", -1, 0),
    "colliding names": (LAKE, twin, "Video lake is left out: lake has the folder", 2, 3),
    "backslashes": (LAKE, put("videos", 0, "file_names", [f"x\\lake\\0000{n}.jpg" for n in (0, 1)]), "", 2, 3),
    "other order": (LAKE, put("videos", 0, "file_names", [f"lake/0000{n}.jpg" for n in (1, 0)]), "another order", 2, 3),
    "false length": (LAKE, put("videos", 0, "length", 99), "", 2, 3),
    "false boxes": (LAKE, put("annotations", 0, "bboxes", [None, [1, 2, 3, 4]]), "", 2, 3),
    "annotations null": (LAKE, put("annotations", None), "holds no annotations", -1, 0),
    "foreign JSON": (LAKE, lambda content: content.pop("videos"), "it has neither 'videos' nor 'images'", -1, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_each_edge_case_has_its_decision_and_its_line_in_the_report(tmp_path: Path, name: str) -> None:
    base, change, said, objects, masks = CASES[name]
    content = copy.deepcopy(base)
    change(content)
    write_frames(tmp_path / "videos", "lake", 2)
    code, report = run(tmp_path, content)
    findings = report["findings"]
    assert said in "\n".join(finding["text"] for finding in findings)
    assert bool(findings) == bool(said)
    if objects < 0:
        assert code == 2
        assert not (tmp_path / "annotations").exists()
        return
    assert (report["counts"]["objects"], report["counts"]["masks"]) == (objects, masks)
    assert code == (0 if all(finding["kind"] == "note" for finding in findings) else 1)
    ids = {shape.object_id for path in files(tmp_path) for shape in read_annotation(path).shapes}
    assert len(ids) == objects


def run(place: Path, content: Any) -> tuple[int, Any]:
    write_json(place / "dataset.json", content)
    command = ["import", place / "dataset.json", "--videos", place / "videos", "--output", place / "annotations"]
    code = main([*map(str, command), "--report", str(place / "report.json")])
    return code, json.loads((place / "report.json").read_text())


def files(place: Path) -> list[Path]:
    return list((place / "annotations").rglob("*.json"))


def test_a_list_of_all_and_half_a_file_are_told(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos", "lake", 2)
    code, report = run(tmp_path, [LAKE])
    assert (code, len(report["findings"])) == (2, 1)
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps(LAKE)[:-3])
    assert main(["import", str(path), "--videos", str(tmp_path / "videos"), "--output", str(tmp_path / "a")]) == 2


@pytest.mark.parametrize("what", ["missing", "of another size", "damaged", "turned by EXIF", "of another format"])
def test_frames_that_differ_from_what_the_dataset_says_are_told_or_fit(tmp_path: Path, what: str) -> None:
    write_frames(tmp_path / "videos", "lake", 2)
    frame = tmp_path / "videos/lake/00001.png"
    frame.unlink()
    match what:
        case "of another size":
            Image.new("RGB", (9, 9)).save(frame)
        case "damaged":
            frame.write_bytes(b"no image")
        case "turned by EXIF":
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.new("RGB", (HEIGHT, WIDTH)).save(frame.with_suffix(".jpg"), exif=exif)
        case "of another format":
            Image.new("RGB", (WIDTH, HEIGHT)).save(frame.with_suffix(".bmp"))
    code, report = run(tmp_path, LAKE)
    fits = what in ("turned by EXIF", "of another format")
    assert (code, report["counts"]["masks"], len(files(tmp_path))) == ((0, 3, 2) if fits else (1, 2, 1))
    assert len(report["findings"]) == (0 if fits else 1)
    assert all("00001" in finding["text"] for finding in report["findings"])


def test_hidden_and_empty_folders_are_no_videos_of_a_dataset(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos", "lake", 2)
    (tmp_path / "videos/empty").mkdir()
    write_frames(tmp_path / "videos/.hidden", "lake", 2)
    code, report = run(tmp_path, LAKE)
    assert (code, report["counts"]["masks"], len(files(tmp_path))) == (0, 3, 2)


def told(folder: Path, content: Any) -> list[str]:
    """The notes of an import that is clean."""
    code, report = run(folder, content)
    assert code == 0
    return [finding["text"] for finding in report["findings"]]


def test_frames_that_the_dataset_does_not_name_are_noted(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos", "lake", 5)
    (note,) = told(tmp_path, copy.deepcopy(LAKE))
    assert note == (
        f"Video lake: {tmp_path}/videos/lake has 3 frames that the dataset does not name; a dataset made of the "
        "video has all 5."
    )


def test_ids_that_no_category_file_may_have_are_noted_with_what_to_do(tmp_path: Path) -> None:
    content = copy.deepcopy(LAKE)
    first = content["categories"][0]["id"]
    for entry in (content["categories"][0], *content["annotations"]):
        for key in ("id", "category_id"):
            if entry.get(key) == first and (key == "id") == (entry is content["categories"][0]):
                entry[key] = 0
    write_frames(tmp_path / "videos", "lake", 2)
    (note,) = told(tmp_path, content)
    assert "ids are whole numbers from 1: 1 (dog has 0)" in note
    assert "give the categories as a list of names" in note


def test_names_that_are_cleaned_are_noted(tmp_path: Path) -> None:
    content = copy.deepcopy(LAKE)
    content["categories"][0]["name"] = " dog "
    write_frames(tmp_path / "videos", "lake", 2)
    (note,) = told(tmp_path, content)
    assert "white space around them, and composed (NFC): 1 (' dog ')" in note
