"""What videos, frames, categories and objects are called in the dataset, and names that cannot be."""

import json
from pathlib import Path

import pytest

from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, convert, dataset_names
from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, polygon


def test_frames_stand_in_natural_order(tree: Tree) -> None:
    for number in (10, 2, 1):
        tree.image(f"bear/f_{number}.jpg")
    tree.annotate("bear/f_10", polygon())
    tree.convert()
    reader = tree.load()
    assert reader.video("bear")["file_names"] == ["bear/f_1.jpg", "bear/f_2.jpg", "bear/f_10.jpg"]
    assert [s is not None for s in reader.annotations[1]["segmentations"]] == [False, False, True]


def test_videos_without_annotation_are_left_out_and_counted(tree: Tree) -> None:
    for name in ("a", "b", "c", "d"):
        tree.video(name)
    tree.annotate("b/00000", polygon())
    tree.annotate("d/00000")  # looked at, nothing there
    report = tree.convert()
    reader = tree.load()
    assert [video["file_names"][0] for video in reader.videos.values()] == ["b/00000.jpg", "d/00000.jpg"]
    assert report.videos_without_annotation == ("a", "c")
    assert "videos without annotation: 2 (a, c)" in str(report)


def test_annotations_beside_the_frames_give_the_same_dataset(tmp_path: Path) -> None:
    written = []
    for beside in (False, True):
        tree = Tree(tmp_path / str(beside), beside)
        tree.video("train/00000")
        tree.annotate("train/00000/00001", polygon())
        written.append(tree.convert().path.read_bytes())
    assert written[0] == written[1]


def test_one_video_by_itself_goes_under_the_name_of_its_folder(tmp_path: Path) -> None:
    tree = Tree(tmp_path, beside=True)
    tree.videos = tree.annotations = tmp_path / "bear"
    tree.video(".")
    tree.annotate("00000", polygon())
    assert tree.convert().files_without_frame == ()
    assert tree.load().video("bear")["length"] == 3


def test_a_nested_video_is_called_by_its_last_part_or_by_all_where_another_ends_alike(tree: Tree) -> None:
    for name in ("train/00000", "train/00001", "val/00000", "bear"):
        tree.video(name, frames=1)
        tree.annotate(f"{name}/00000", polygon())
    tree.convert()
    folders = [video["file_names"][0].split("/")[0] for video in tree.load().videos.values()]
    assert folders == ["bear", "train_00000", "00001", "val_00000"]


def test_videos_that_would_share_a_name_are_an_error(tree: Tree) -> None:
    for name in ("a/b/x", "a_b/x"):
        tree.video(name, frames=1)
    with pytest.raises(InputError, match=r"The videos a/b/x and a_b/x would both be called a_b_x in the dataset"):
        dataset_names(find_videos(tree.videos))


def test_names_with_spaces_and_other_letters_come_through(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "Größe 漢字")
    tree.video("зебра am See")
    tree.annotate("зебра am See/00001", polygon(label="zèbre 🦓"))
    tree.convert()
    reader = tree.load()
    assert reader.video("зебра am See")["length"] == 3
    assert reader.category_name(reader.annotations[1]) == "zèbre 🦓"


def test_categories_of_a_file_are_all_written_with_their_ids_and_other_keys(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon(label=" swan"), polygon(2, "duck"))
    entries = [{"id": i, "name": n, "partition": 3} for i, n in ((9, "swan"), (4, "goose"), (2, "duck"))]
    path = tree.videos.parent / "categories.json"
    path.write_text(json.dumps({"categories": entries}))
    tree.convert(categories=path)
    reader = tree.load()
    assert reader.dataset["categories"] == [entry | {"supercategory": "object"} for entry in entries]
    assert [annotation["category_id"] for annotation in reader.annotations.values()] == [9, 2]


def test_labels_that_the_category_file_does_not_name_are_all_listed(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon(1, "Swan"), polygon(2, "dukc"), polygon(3, "dukc"), polygon(4, "duck"))
    path = tree.videos.parent / "names.txt"
    path.write_text("swan\nduck\n")
    (problem,) = tree.problems(categories=path)
    assert problem.splitlines()[1:] == [
        "    'dukc' (2 objects): did you mean 'duck'?",
        "    'Swan' (1 object): did you mean 'swan'?",
        "    Or rename labels on the way (--map FILE), or leave such objects out with --drop-unknown.",
    ]


def test_an_object_with_two_labels_is_an_error_that_names_the_frames(tree: Tree) -> None:
    tree.video("bear", frames=6)
    for index in range(5):
        tree.annotate(f"bear/{index:05d}", polygon(7, "swan"))
    tree.annotate("bear/00005", polygon(7, "duck"))
    (problem,) = tree.problems()
    assert problem.startswith(
        "Object 7 of video bear is labelled 'swan' in frames 00000, 00001, 00002 and 2 more and 'duck' in frame 00005."
    )


def test_shapes_without_an_object_id_are_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(None), polygon(None, "duck"), polygon(1))
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} has shapes without an object id (group_id), labelled 'duck', 'swan'; open the")


def test_an_empty_label_is_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(1, "  "))
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} has 1 shape with an empty label")


def test_group_ids_of_the_example_of_labelme_are_missing_and_the_error_says_so(shared: Path, tmp_path: Path) -> None:
    folder = shared / "labelme_example" / "data_annotated"
    with pytest.raises(ConversionError) as caught:
        list(convert(find_videos(folder), AnnotationStore(), tmp_path / "dataset", ConvertOptions()))
    first, *problems = caught.value.problems
    occurring = "2 labels occur: 'car', 'track'"
    assert first.startswith(f"Nothing fixes the names and ids of the categories ({occurring}); give --categories FILE")
    assert all("without an object id" in problem for problem in problems)
    assert problems
    assert isinstance(caught.value, AnnotatorError)
