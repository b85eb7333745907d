"""A dataset made again into a folder that has one: nothing old stands under new masks."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.datasets import images
from sam_annotator.core.datasets.convert_report import ConversionError
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
    assert f"remove the folder {folder}, and convert again" in problem
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
