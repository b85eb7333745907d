"""Files that are not what their name or place says, or change while a dataset is made of them."""

from pathlib import Path

import pytest

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
