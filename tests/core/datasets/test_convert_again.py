"""A dataset made again into a folder that has one: nothing old stands under new masks."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.datasets import images
from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.youtube_vis import CategoryNames
from sam_annotator.core.datasets.youtube_vis.splits import SplitPlan
from sam_annotator.core.errors import InputError
from tests.dataset_tree import HEIGHT, WIDTH, Tree, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    for name in ("a", "b"):
        tree.video(name)
        tree.annotate(f"{name}/00000", polygon(1))
    return tree


def change(path: Path) -> None:
    """Other pixels in a file of the same length, as when a video is cut anew; the old file stays with its links."""
    if path.suffix == ".png":
        path.unlink()
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 99, np.uint8)).save(path)
        return
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("mode", ["link", "copy"])
def test_new_frames_of_the_same_size_are_an_error_before_anything_is_written(
    tree: Tree, suffix: str, jobs: int, mode: str
) -> None:
    if suffix == ".png":
        tree.video("c", suffix=".png")
        tree.annotate("c/00000", polygon(1))
    video = "c" if suffix == ".png" else "b"
    tree.convert(images=mode)
    before = {path: path.read_bytes() for path in tree.dataset.rglob("*.*")}
    source = tree.videos / video / f"00001{suffix}"
    change(source)
    tree.annotate(f"{video}/00001", polygon(2))
    with pytest.raises(ConversionError) as caught:
        tree.convert(images=mode, force=True, jobs=jobs)
    folder = tree.dataset / "JPEGImages/train" / video
    (problem,) = caught.value.problems
    assert problem.startswith(f"{folder / '00001.jpg'} is there already and has other content than {source};")
    assert f"remove the folder {folder}, and try again" in problem
    assert [finding.reason for finding in caught.value.findings if finding.kind == "error"] == ["image-in-the-way"]
    assert {path: path.read_bytes() for path in tree.dataset.rglob("*.*")} == before
    assert tree.convert(images="none", force=True, jobs=jobs).masks > 0


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_the_same_content_in_another_file_is_no_error(tree: Tree, suffix: str) -> None:
    tree.video("c", suffix=suffix)
    tree.annotate("c/00000", polygon(1))
    tree.convert(images="link")
    source = tree.videos / "c" / f"00001{suffix}"
    content = source.read_bytes()
    source.unlink()
    source.write_bytes(content)
    assert tree.convert(images="link", force=True).images == {"left": 9}


def test_linked_frames_are_known_without_a_look_at_their_bytes(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.convert()
    monkeypatch.setattr(images, "_same_bytes", lambda *_: pytest.fail("a linked frame was read"))
    steps = tree.steps(force=True)
    assert steps[-1].report is not None
    assert steps[-1].report.images == {"left": 6}
    assert [step.done for step in steps if step.stage == "compare"] == [3, 6]
    assert [step.stage for step in tree.steps(split="val")].count("compare") == 0


def test_a_file_where_the_folder_of_a_video_should_be_is_one_sentence(tree: Tree) -> None:
    folder = tree.dataset / "JPEGImages/train"
    folder.mkdir(parents=True)
    (folder / "b").write_text("a file")
    with pytest.raises(ConversionError, match="cannot be compared with"):
        tree.convert()
    assert os.listdir(tree.dataset) == ["JPEGImages"]


def test_folders_that_another_draw_left_are_counted(tree: Tree) -> None:
    tree.convert(plan=SplitPlan({"a": "train", "b": "train"}))
    report = tree.convert(plan=SplitPlan({"a": "train", "b": "val"}), force=True)
    (note,) = (finding for finding in report.findings if finding.reason == "images-of-no-video")
    folder = tree.dataset / "JPEGImages/train"
    assert (note.kind, note.count, note.file) == ("note", 1, str(folder))
    assert note.text.startswith(f"{folder} has 1 folder of no video of the split train (b); its JSON does not name")
    assert f"To know: {note.text}" in str(report)


def categories(tree: Tree, split: str) -> dict[int, str]:
    return {number: category["name"] for number, category in tree.load(split).categories.items()}


def write_names(tree: Tree, *names: str) -> Path:
    path = tree.videos.parent / "names.txt"
    path.write_text("\n".join(names))
    return path


@pytest.mark.parametrize("layout", ["lvvis", "split-first", "ytvis2019", "ytvis2021"])
def test_a_further_split_takes_the_categories_of_the_first_with_ids_and_keys(tree: Tree, layout: str) -> None:
    listed = [{"id": 7, "name": "swan", "partition": 2}, {"id": 3, "name": "duck", "partition": 1}]
    names = tree.videos.parent / "names.json"
    names.write_text(json.dumps({"categories": listed}))
    path = tree.convert(categories=names, layout=layout).path
    report = tree.convert(present=False, split="val", layout=layout)
    val = tree.load("val", layout=layout)
    assert [(c["id"], c["name"], c["partition"]) for c in val.categories.values()] == [(7, "swan", 2), (3, "duck", 1)]
    assert f"Categories and ids are those of {path}, a split of the same dataset." in str(report)


def test_a_label_that_the_other_split_lacks_is_an_error_that_lists_it(tree: Tree) -> None:
    path = tree.convert().path
    tree.annotate("b/00000", polygon(1), polygon(2, "duck"))
    with pytest.raises(ConversionError, match="'duck'") as caught:
        tree.convert(present=False, split="val")
    assert f"not in {path}" in str(caught.value)
    assert "counts as a split of the same dataset; --categories FILE" in str(caught.value)
    report = tree.convert(present=False, split="val", drop_unknown=True)
    assert (report.objects, report.is_clean) == (2, False)


def test_what_occurs_fixes_nothing_unless_it_is_asked_for(tree: Tree) -> None:
    tree.annotate("b/00000", polygon(1), polygon(2, "duck"), polygon(3, "eel"), polygon(4, "hen"), polygon(5, "Elk"))
    tree.annotate("b/00001", polygon(None))
    first, second = tree.problems(present=False)
    assert first == (
        "Nothing fixes the names and ids of the categories (5 labels occur: 'duck', 'eel', 'Elk' and 2 more); give "
        "--categories FILE, a text with a name a line or a JSON such as LV-VIS', or --categories present for the "
        "labels that occur."
    )
    assert "without an object id" in second, "all there is to mend is told at once"
    report = tree.convert(draw=DrawOptions(null_group="skip"))
    assert report.categories == 5
    with pytest.raises(InputError, match="needs a category file"):
        tree.convert(present=False, force=True, drop_unknown=True)


def test_a_list_that_is_kept_elsewhere_fixes_names_and_ids_but_other_splits_come_first(tree: Tree) -> None:
    listed = CategoryNames(("duck", "swan"), "the window's list")
    report = tree.convert(present=False, listed=listed)
    assert categories(tree, "train") == {1: "duck", 2: "swan"}
    assert report.is_clean
    tree.annotate("b/00000", polygon(1), polygon(2, "goose"))
    with pytest.raises(ConversionError, match="1 label is not in the window's list"):
        tree.convert(present=False, listed=listed, force=True)
    tree.annotate("b/00000", polygon(1))
    tree.convert(present=False, listed=replace(listed, names=("swan",)), split="val")
    assert categories(tree, "val") == {1: "duck", 2: "swan"}


def test_labels_that_occur_are_an_error_where_another_split_has_other_ids(tree: Tree) -> None:
    path = tree.convert().path
    tree.convert(split="same")
    tree.annotate("b/00000", polygon(1), polygon(2, "duck"))
    with pytest.raises(ConversionError) as caught:
        tree.convert(split="val")
    assert caught.value.problems[0].startswith(f"{path.with_name('same_instances.json')}, a split of the same dataset")
    assert "1 is 'duck' here and 'swan' there, 'swan' has 2 here and 1 there" in caught.value.problems[0]
    assert len(caught.value.problems) == 2


def test_a_file_that_another_split_contradicts_is_taken_with_a_note(tree: Tree) -> None:
    tree.convert()
    report = tree.convert(split="val", categories=write_names(tree, "duck", "swan"))
    assert categories(tree, "val") == {1: "duck", 2: "swan"}
    assert [f.kind for f in report.findings if f.reason == "categories-differ"] == ["note"]
    with pytest.raises(ConversionError, match="has other ids for its categories"):
        tree.convert(present=False, split="test")


def test_json_that_is_no_split_fixes_nothing_and_broken_json_is_told(tree: Tree) -> None:
    tree.dataset.mkdir()
    (tree.dataset / "report.json").write_text('{"result": "clean"}')
    (tree.dataset / "names.json").write_text('{"categories": [{"id": 9, "name": "swan"}]}')
    with pytest.raises(ConversionError, match="Nothing fixes the names"):
        tree.convert(present=False, layout="ytvis2019")
    tree.convert(layout="ytvis2019")
    assert list(tree.load(layout="ytvis2019").categories) == [1]
    (tree.dataset / "val.json").write_text("{")
    with pytest.raises(InputError, match=r"val\.json, a split of the same dataset, is not valid JSON"):
        tree.convert(layout="ytvis2019", force=True)
