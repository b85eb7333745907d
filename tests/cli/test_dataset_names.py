"""Names of folders and frames that are not UTF-8, as old zips make them: told in a sentence, never a traceback."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sam_annotator.cli import main
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, outside, polygon
from tests.small_dataset import blob, document, write_json

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere know no such names")

BAD = os.fsdecode(b"b\xff")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The videos `good`, and one whose name is not UTF-8, both annotated."""
    made = Tree(tmp_path)
    for name in ("good", BAD):
        made.video(name, 2)
        made.annotate(f"{name}/00000", polygon())
    return made


def run(tree: Tree, command: str, *more: str | Path) -> int:
    return main([command, str(tree.annotations), f"--videos={tree.videos}", *map(str, more)])


COMMANDS = pytest.mark.parametrize(
    ("command", "more", "output"),
    [
        ("convert", ["--categories=present"], "new"),
        ("export-masks", [], "new"),
        ("export-masks", ["--categories=present"], "new.json"),
    ],
)


@COMMANDS
def test_a_folder_that_no_dataset_can_name_is_told_and_nothing_is_written(
    tree: Tree, command: str, more: Sequence[str], output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tree.videos.parent
    assert run(tree, command, *more, f"--output={folder / output}", f"--report={folder / 'report.json'}") == 2
    told = capsys.readouterr().err
    assert f"The folder {tree.videos}/b\\xff: a dataset cannot hold its name" in told
    assert "rename it and its annotations" in told
    assert not (folder / output).exists()
    findings = json.loads((folder / "report.json").read_text())["findings"]
    (finding,) = (one for one in findings if one["kind"] == "error")
    assert (finding["reason"], finding["video"]) == ("name-not-utf-8", "b\\xff")


@COMMANDS
def test_so_is_a_frame(
    tmp_path: Path, command: str, more: Sequence[str], output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = Tree(tmp_path)
    tree.video("good", 2)
    tree.image(f"good/{BAD}.jpg")
    tree.annotate("good/00000", polygon())
    report = tmp_path / "report.txt"
    assert run(tree, command, *more, f"--output={tmp_path / output}", f"--report={report}") == 2
    assert f"The frame {tree.videos}/good/b\\xff.jpg: a dataset cannot hold its name" in capsys.readouterr().err
    assert "b\\xff.jpg" in report.read_text(encoding="utf-8")
    assert not (tmp_path / output).exists()


@COMMANDS
def test_one_that_is_not_annotated_is_in_nobodys_way(
    tree: Tree, command: str, more: Sequence[str], output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tree.videos.parent
    (tree.annotations / BAD / "00000.json").unlink()
    assert run(tree, command, *more, f"--output={folder / output}", f"--report={folder / 'report.json'}") == 0
    assert (folder / output).exists()
    assert "Traceback" not in capsys.readouterr().err


def test_a_folder_above_all_may_be_called_anything(tmp_path: Path) -> None:
    tree = Tree(tmp_path / BAD)
    tree.video("good", 2)
    tree.annotate("good/00000", polygon(), outside(2))
    report = tmp_path / "report.json"
    for command, output in (("convert", "new"), ("export-masks", "new.json")):
        more = ["--categories=present", f"--output={tmp_path / output}", f"--report={report}"]
        assert run(tree, command, *more, f"--cache={tmp_path / 'cache'}") == 1
        assert "b\\\\xff" in report.read_text(encoding="utf-8")


def test_statistics_count_it_all_the_same(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    target = tree.videos.parent / "stats.json"
    tree.annotate(f"{BAD}/00001", polygon(), polygon(None))
    assert run(tree, "stats", f"--json={target}") == 1
    assert json.loads(target.read_text())["videos"] == 2
    assert "b\\\\xff" in target.read_text()
    assert capsys.readouterr().out


def test_an_import_leaves_out_the_frames_whose_names_no_annotation_can_hold(tmp_path: Path) -> None:
    tree = Tree(tmp_path / BAD)
    tree.image("lake/00000.png", (17, 12))
    content = document({"lake": (1, [(3, [blob(1, 1)])])})
    dataset, report = write_json(tmp_path / "new.json", content), tmp_path / "report.json"
    more = ["--videos", str(tree.videos), "--output", str(tmp_path / "ann"), "--report", str(report)]
    assert main(["import", str(dataset), *more]) == 1
    assert "b\\\\xff" in report.read_text(encoding="utf-8")
    video = find_videos(tree.videos)[0]
    assert not AnnotationStore(tmp_path / "ann").annotated_frames(video)
