"""What a conversion must not decide in silence: frames passed over, crops that do not fit, ids that are too large."""

from pathlib import Path

import numpy as np
import pytest

from sam_annotator.core.annotation import Shape
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import HEIGHT, WIDTH, Tree, polygon


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


def test_a_mask_of_another_size_than_its_points_say_is_taken_from_the_first_point_and_told(tree: Tree) -> None:
    crop = np.ones((10, 12), bool)
    path = tree.annotate("a/00001", Shape("duck", ((3.0, 4.0), (5.0, 6.0)), "mask", 2, mask=crop))
    tree.annotate("a/00002", Shape("duck", ((3.6, 4.6), (14.6, 13.6)), "mask", 2, mask=crop))
    report = tree.convert()
    (finding,) = (finding for finding in report.findings if finding.reason == "mask-unfit")
    assert (finding.kind, finding.file, finding.count) == ("repaired", str(path), 1)
    assert "1 mask of object 2 (duck) is not of the size that the points say" in finding.text
    assert f"Repaired: masks of another size than their points say, taken from the first point on: 1 ({path})" in str(
        report
    )
    truth = np.zeros((HEIGHT, WIDTH), bool)
    truth[4:14, 3:15] = True
    reader = tree.load()
    (duck,) = (a for a in reader.annotations.values() if reader.category_name(a) == "duck")
    assert np.array_equal(reader.mask(duck, 1), truth)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**60), 10**30])
def test_an_object_id_that_readers_would_round_is_an_error(tree: Tree, number: int) -> None:
    path = tree.annotate("a/00001", polygon(7))
    path.write_text(path.read_text().replace('"group_id": 7', f'"group_id": {number}'))
    (problem,) = tree.problems()
    assert problem.startswith(f"The id {int(float(number)) if number > 2**64 else number} of swan in video a is beyond")


def test_the_largest_object_id_comes_through(tree: Tree) -> None:
    tree.annotate("a/00001", polygon(2**53))
    tree.convert()
    assert {a["object_id"] for a in tree.load().annotations.values()} == {1, 2**53}
