"""Files that are not what their name or place says, or change while a dataset is made of them."""

import os
from pathlib import Path

import pytest

from sam_annotator.core.datasets import annotation_files
from sam_annotator.core.datasets.annotation_files import AnnotationFiles
from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.errors import InputError
from tests.dataset_tree import Tree, outside, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.video("bear")
    return tree


def test_several_parts_outside_are_told_in_the_plural(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1), outside(1), outside(1))
    (finding,) = [finding for finding in tree.convert().findings if finding.kind == "dropped"]
    assert "2 parts of object 1 (swan) cover no pixel of the image" in finding.text


def test_the_folder_of_one_video_given_for_all_is_told_with_the_one_above(tree: Tree) -> None:
    path = tree.annotate("bear/00000", polygon(1))
    root, tree.annotations = tree.annotations, path.parent
    with pytest.raises(InputError, match=rf"looked for in {path.parent}/bear\. .* for the annotations: {root}\.$"):
        tree.convert()


def test_a_file_that_changes_between_the_look_and_the_drawing_is_not_kept_under_its_old_name(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tree.annotate("bear/00000", polygon(1))
    old = path.read_bytes()
    new = tree.annotate("bear/00000", polygon(1, points=((1.0, 1.0), (5.0, 1.0), (5.0, 5.0)))).read_bytes()
    path.write_bytes(old)
    truth = tree.convert()
    expected = truth.path.read_bytes()
    take = AnnotationFiles.take
    monkeypatch.setattr(annotation_files, "_KEPT", 0)

    def changed(files: AnnotationFiles, index: int) -> bytes | None:
        path.write_bytes(new)
        return take(files, index)

    with monkeypatch.context() as patch:
        patch.setattr(AnnotationFiles, "take", changed)
        tree.convert(cache=tmp_path / "cache", force=True)
        assert truth.path.read_bytes() != expected, "what was read now is what is written"
    path.write_bytes(old)
    tree.convert(cache=tmp_path / "cache", force=True)
    assert truth.path.read_bytes() == expected


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_for_an_annotation_is_told_and_not_waited_for(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1))
    os.mkfifo(tree.annotations / "bear/00001.json")
    with pytest.raises(ConversionError, match=r"00001\.json cannot be read \(it is no file but a pipe or a device"):
        tree.convert()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_that_belongs_to_no_frame_is_told_and_not_waited_for(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1))
    os.mkfifo(tree.annotations / "bear/other.json")
    assert tree.convert().files_without_frame == (tree.annotations / "bear/other.json",)


def square(inset: float) -> tuple[tuple[float, float], ...]:
    near, far = 4.0 + inset, 44.0 - inset
    return ((near, near), (far, near), (far, far), (near, far))


@pytest.mark.parametrize("holes", ["auto", "fill", "xor"])
def test_a_hole_that_takes_most_of_its_polygon_is_told_with_what_to_do(tree: Tree, holes: str) -> None:
    path = tree.annotate("bear/00000", polygon(1, points=square(0)), polygon(1, points=square(2)))
    tree.annotate("bear/00001", polygon(1, points=square(0)), polygon(1, points=square(12)))
    tree.annotate("bear/00002", *(polygon(1, points=square(inset)) for inset in (0, 12, 13)))
    report = tree.convert(draw=DrawOptions(holes=holes))
    found = [finding for finding in report.findings if finding.reason == "large-hole"]
    assert [(f.kind, f.file, f.count) for f in found] == ([("note", str(path), 1)] if holes == "auto" else [])
    assert report.is_clean
    if found:
        assert "a polygon of object 1 (swan) takes more than half of another" in found[0].text
        remedy = (
            "if it is none, delete one of the two in the window, or take all such polygons as filled (--holes fill)."
        )
        assert found[0].text.endswith(f"as a hole in it; {remedy}")
