"""What a conversion must not decide in silence: frames passed over, crops that do not fit, ids that are too large."""

from pathlib import Path

import pytest

from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.video("a")
    tree.annotate("a/00000", polygon(1))
    return tree


def test_of_two_images_that_differ_in_the_suffix_the_one_passed_over_is_told(tree: Tree) -> None:
    passed = tree.image("a/00001.png")
    report = tree.convert()
    (note,) = (finding for finding in report.findings if finding.reason == "image-passed-over")
    assert (note.kind, note.video, note.file, note.count) == ("note", "a", str(passed), 1)
    assert note.text == (
        "1 image of a passed over, since a frame of the same name has another suffix: 00001.png beside 00001.jpg."
    )
    assert report.is_clean
    assert len(tree.load().videos[1]["file_names"]) == 3


def test_images_passed_over_are_listed_anew_with_the_frames(tree: Tree) -> None:
    (video,) = find_videos(tree.videos)
    assert video.passed_over == ()
    passed = tree.image("a/00002.bmp")
    video.refresh()
    assert (video.passed_over, len(video)) == ((passed,), 3)
