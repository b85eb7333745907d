"""A dataset is written whole or not at all: where to, over what, stopped, and each problem told."""

import os
from pathlib import Path

import pytest

from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, check_apart, convert
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, polygon


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        tree = Tree(tmp_path / place)
        for name in ("b", "a", "c"):
            tree.video(name)
            tree.annotate(f"{name}/00000", polygon(2), polygon(1, "duck"))
        written += [tree.convert().path.read_bytes(), tree.convert(force=True).path.read_bytes()]
    assert len(set(written)) == 1


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"shapes": []}', b"\xff\xfe"])
def test_a_corrupt_annotation_is_an_error_that_names_the_file_and_changes_nothing(tree: Tree, content: bytes) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000")
    path.write_bytes(content)
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} is not ")
    assert path.read_bytes() == content


def test_all_problems_are_found_in_one_run_and_the_first_twenty_are_told(tree: Tree) -> None:
    tree.video("bear", frames=30)
    for index in range(30):
        tree.annotate(f"bear/{index:05d}", polygon(None))
    with pytest.raises(ConversionError) as caught:
        tree.convert()
    assert len(caught.value.problems) == 30
    lines = str(caught.value).splitlines()
    assert lines[0] == "30 problems were found and nothing was written:"
    assert len(lines) == 23
    assert lines[-2] == "  ... and 10 more of this kind"
    assert lines[-1].startswith("    Open the video in the window and give each object its id"), "said once"


def test_some_problems_of_each_kind_are_told_however_many_there_are_of_one(tree: Tree) -> None:
    tree.video("bear", frames=30)
    for index in range(30):
        tree.annotate(f"bear/{index:05d}", polygon(None, "eel"))
    path = tree.annotations / "bear/00029.json"
    path.write_text("{")
    names = tree.videos.parent / "names.txt"
    names.write_text("swan\n")
    with pytest.raises(ConversionError) as caught:
        tree.convert(categories=names)
    lines = str(caught.value).splitlines()
    assert lines[0] == "31 problems were found and nothing was written:"
    assert any(str(path) in line for line in lines)
    assert "    'eel' (1 object)" in lines, "of shapes without an id, too"
    assert "  ... and 23 more of this kind" in lines


def test_annotation_files_without_a_frame_are_told(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    strays = (tree.annotate("bear/99999", polygon()), tree.annotate("gone/00000", polygon()))
    report = tree.convert()
    assert report.files_without_frame == strays
    assert f"annotation files without a frame: 2 ({strays[0]}, {strays[1]})" in str(report)


def test_a_dataset_in_the_annotation_folder_is_not_taken_for_annotations(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    output = tree.annotations / "dataset"
    tree.steps(output=output)
    assert tree.steps(output=output, force=True)[-1].report.files_without_frame == ()
    assert tree.convert().files_without_frame == (), "nor is it left out of another dataset"


def test_annotations_of_other_videos_and_no_annotations_are_errors(tree: Tree) -> None:
    tree.video("bear")
    tree.annotations.mkdir()
    with pytest.raises(InputError, match=r"annotations holds no annotation\. Annotate a frame first"):
        tree.convert()
    stray = tree.annotate("swan/00000", polygon())
    with pytest.raises(InputError, match=r"The JSON file found belongs to no frame of the videos: ") as caught:
        tree.convert()
    assert str(stray) in str(caught.value)
    assert not tree.dataset.exists()


def test_the_json_of_the_same_split_is_written_over_only_by_force(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    path = tree.convert().path
    before = path.read_bytes()
    tree.annotate("bear/00001", polygon())
    with pytest.raises(InputError, match=r"train_instances\.json is there already; write over it with --force"):
        tree.convert()
    assert path.read_bytes() == before
    tree.convert(split="val")
    assert tree.convert(force=True).masks == 2


@pytest.mark.parametrize("split", ["", "a/b", "..", ".hidden", "a b"])
def test_a_split_is_a_plain_name(tree: Tree, split: str) -> None:
    tree.video("bear")
    with pytest.raises(InputError, match="cannot name a split"):
        tree.convert(split=split)


def test_a_dataset_among_the_videos_is_refused(tree: Tree) -> None:
    tree.video("bear")
    for output in (tree.videos, tree.videos / "dataset", tree.videos / "bear" / ".." / "x"):
        with pytest.raises(InputError, match="would lie among the videos"):
            check_apart(output, tree.videos)
    check_apart(tree.videos.parent / "videos2", tree.videos)


def test_an_output_that_is_a_file_is_an_error_before_anything_is_read(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000").write_bytes(b"{")
    tree.dataset.write_text("a file")
    with pytest.raises(InputError, match="dataset is a file; choose a folder"):
        tree.convert()


def test_an_output_that_cannot_be_written_is_an_error_before_anything_is_read(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.video("bear")
    tree.annotate("bear/00000").write_bytes(b"{")
    monkeypatch.setattr("tempfile.TemporaryFile", _refuse)  # root may write anywhere
    with pytest.raises(InputError, match=r"cannot be written \(Permission denied\); choose a folder that can"):
        tree.convert()


def test_an_annotation_file_that_is_read_only_is_said_beforehand(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    tree.convert()
    (file,) = (tree.dataset / "Annotations").glob("*.json")
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file and real(path, mode))  # root may write it
    with pytest.raises(InputError, match=rf"{file.name} is read-only; choose a folder that can be written"):
        tree.convert(force=True)


def _refuse(*_arguments: object, **_options: object) -> None:
    raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize("name", ["Annotations", "JPEGImages"])
def test_a_file_where_a_folder_of_the_dataset_has_to_be_is_an_error_beforehand(tree: Tree, name: str) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    tree.dataset.mkdir()
    (tree.dataset / name).write_text("a file")
    with pytest.raises(InputError, match=f"{name} is a file"):
        tree.convert(dry_run=True)


def test_to_look_whether_an_output_can_be_written_leaves_nothing(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    tree.dataset.mkdir()
    tree.convert(dry_run=True)
    assert not list(tree.dataset.iterdir())


def test_a_full_disk_leaves_no_json_and_no_half_images(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", fail)
        with pytest.raises(SaveError, match=r"could not be put into the dataset as .*00000\.jpg \(No space left"):
            tree.convert(images="copy")
    assert [path for path in tree.dataset.rglob("*") if path.is_file()] == []
    assert tree.convert(images="copy").images == {"copied": 3}


def test_a_conversion_stopped_at_any_step_leaves_no_json_and_can_be_made_again(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    videos, store = find_videos(tree.videos), AnnotationStore(tree.annotations)
    for stop in range(1, 8):
        steps = convert(videos, store, tree.dataset, ConvertOptions(present=True))
        for _ in range(stop):
            next(steps)
        steps.close()
        assert not (tree.dataset / "Annotations").exists()
    tree.convert()
    tree.load()


def test_progress_counts_each_stage_to_its_end_and_the_report_comes_last(tree: Tree) -> None:
    for name in ("a", "b", "c"):
        tree.video(name)
    tree.annotate("a/00000", polygon())
    tree.annotate("c/00000", polygon())
    steps = tree.steps()
    for stage, total in (("videos", 3), ("masks", 6), ("images", 6), ("done", 6)):
        counted = [(step.done, step.total) for step in steps if step.stage == stage]
        assert counted == [(total, total)] if stage == "done" else [(n, total) for n in range(1, total + 1)]
    assert [step.report is not None for step in steps] == [False] * (len(steps) - 1) + [True]


def test_a_video_file_counts_once_it_is_unpacked(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    (tree.videos / "film.mp4").write_bytes(b"")
    report = tree.convert()
    assert report.videos_not_unpacked == ("film",)
    assert "video files not unpacked (open them once in the window): 1 (film)" in str(report)


def test_a_folder_where_the_json_has_to_lie_is_an_error_before_anything_is_written(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    (tree.dataset / "Annotations" / "train_instances.json").mkdir(parents=True)
    with pytest.raises(InputError, match=r"train_instances\.json is a folder; move it away"):
        tree.convert(force=True)
    assert not (tree.dataset / "JPEGImages").exists()
