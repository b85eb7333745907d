"""Several trees become one dataset: each video once, ids anew, names told apart, nothing guessed."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.datasets.convert_report import ConvertReport
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, Tree, convert, merge_trees
from sam_annotator.core.datasets.youtube_vis.merging import tell_apart
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests import dataset_tree
from tests.dataset_tree import polygon
from tests.youtube_vis_reader import YoutubeVis, check_consistency


@pytest.fixture
def sites(tmp_path: Path) -> tuple[dataset_tree.Tree, dataset_tree.Tree]:
    """Two trees: `north` with the videos 00000 and lake, `south` with 00000 and hill; all but hill are annotated."""
    north, south = dataset_tree.Tree(tmp_path / "north"), dataset_tree.Tree(tmp_path / "south")
    north.video("00000")
    north.video("lake")
    north.annotate("00000/00000", polygon(1))
    north.annotate("lake/00001", polygon(1), polygon(2, "duck"))
    south.video("00000")
    south.video("hill")
    south.annotate("00000/00002", polygon(1, "goat"))
    return north, south


def merged(*trees: dataset_tree.Tree, **options: object) -> ConvertReport:
    given = [Tree(tree.videos, find_videos(tree.videos), AnnotationStore(tree.annotations)) for tree in trees]
    joined = merge_trees(given)
    chosen = ConvertOptions(present="categories" not in options, **options)  # type: ignore[arg-type]
    *_steps, last = convert(joined.videos, joined.store, trees[0].dataset, chosen, joined.findings)
    assert last.report is not None
    return last.report


def test_two_trees_become_one_dataset_with_ids_anew(sites: tuple[dataset_tree.Tree, dataset_tree.Tree]) -> None:
    report = merged(*sites)
    assert (report.videos, report.objects, report.categories) == (3, 4, 3)
    reader = sites[0].load()
    names = [video["file_names"][0].split("/")[0] for video in reader.videos.values()]
    assert names == ["north_00000", "lake", "south_00000"]
    assert [reader.category_name(a) for a in reader.annotations.values()] == ["swan", "swan", "duck", "goat"]
    assert [a["object_id"] for a in reader.annotations.values()] == [1, 1, 2, 1]
    assert report.images == {"linked": 9}


def test_videos_of_one_name_are_told_apart(
    sites: tuple[dataset_tree.Tree, dataset_tree.Tree],
) -> None:
    report = merged(*sites)
    renamed = [f for f in report.findings if f.reason == "video-renamed"]
    assert [(f.kind, f.video, f.file) for f in renamed] == [
        ("note", "north/00000", str(sites[0].videos / "00000")),
        ("note", "south/00000", str(sites[1].videos / "00000")),
    ]
    assert f"that of {sites[1].videos} is called south/00000 here" in renamed[1].text
    assert report.is_clean
    (line,) = [line for line in str(report).splitlines() if "share a name" in line]
    assert line.endswith("and got the tree's before it: 2 (north/00000, south/00000)")
    assert "is called" not in str(report)
    assert report.videos_without_annotation == ("hill",)


def test_two_trees_over_the_same_videos_count_each_video_once(tmp_path: Path) -> None:
    first, second = dataset_tree.Tree(tmp_path), dataset_tree.Tree(tmp_path)
    second.annotations = tmp_path / "second"
    first.video("lake")
    first.video("hill")
    first.annotate("lake/00000", polygon(1))
    second.annotate("hill/00000", polygon(1, "goat"))
    report = merged(first, second)
    assert (report.videos, report.objects) == (2, 2)
    assert {f.reason for f in report.findings} == {"frame-not-annotated"}


def test_a_video_that_two_trees_annotated_is_an_error_that_names_both(tmp_path: Path) -> None:
    first, second = dataset_tree.Tree(tmp_path), dataset_tree.Tree(tmp_path)
    second.annotations = tmp_path / "second"
    first.video("lake")
    for tree in (first, second):
        tree.annotate("lake/00000", polygon(1))
    with pytest.raises(Exception, match=f"is annotated in {first.annotations}/lake and in {second.annotations}/lake"):
        merged(first, second)
    assert not first.dataset.exists()
    assert merged(first, first).videos == 1


def test_names_that_differ_in_case_alone_are_told_apart_too(tmp_path: Path) -> None:
    north, south = dataset_tree.Tree(tmp_path / "a" / "x"), dataset_tree.Tree(tmp_path / "b" / "x")
    for tree, name in ((north, "Lake"), (south, "lake")):
        tree.video(name)
        tree.annotate(f"{name}/00000", polygon())
    merged(north, south)
    names = [video["file_names"][0].split("/")[0] for video in north.load().videos.values()]
    assert names == ["a_Lake", "b_lake"]


def test_labels_of_all_trees_are_checked_against_one_category_file(
    sites: tuple[dataset_tree.Tree, dataset_tree.Tree], tmp_path: Path
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("swan\nduck\n")
    with pytest.raises(Exception, match=r"'goat' \(1 object\)"):
        merged(*sites, categories=names)


def test_annotations_without_a_frame_are_found_in_every_tree(
    sites: tuple[dataset_tree.Tree, dataset_tree.Tree],
) -> None:
    strays = {sites[0].annotate("gone/00000"), sites[1].annotate("00000/00077")}
    assert set(merged(*sites).files_without_frame) == strays


def test_nothing_annotated_in_any_tree_is_one_sentence(tmp_path: Path) -> None:
    trees = [dataset_tree.Tree(tmp_path / name) for name in ("a", "b")]
    for tree in trees:
        tree.video("lake")
    with pytest.raises(Exception, match="None of the folders holds an annotation"):
        merged(*trees)


def test_splits_name_videos_as_they_are_called_in_the_dataset(
    sites: tuple[dataset_tree.Tree, dataset_tree.Tree], tmp_path: Path
) -> None:
    north, south = sites
    (tmp_path / "splits.txt").write_text("train north_00000\nval south/00000\ntrain lake\n")
    command = ["convert", north.annotations, south.annotations, "--videos", north.videos, "--videos", south.videos]
    command += ["--output", north.dataset, "--split-list", tmp_path / "splits.txt", "--jobs", "2"]
    command += ["--categories", "present"]
    assert main(list(map(str, command))) == 0
    assert len(north.load("train").videos) == 2
    check_consistency(YoutubeVis(north.dataset / "Annotations" / "val_instances.json"))


def test_pairs_that_do_not_go_together_are_one_sentence(
    sites: tuple[dataset_tree.Tree, dataset_tree.Tree], capsys: pytest.CaptureFixture[str]
) -> None:
    north, south = sites
    command = ["convert", north.annotations, "--videos", north.videos, "--videos", south.videos, "--output", "x"]
    assert main(list(map(str, command))) == 2
    assert "annotations: 1, of videos: 2; they do not go together" in capsys.readouterr().err


def named(*folders: Path, videos: Sequence[str] = ()) -> list[str]:
    """The names that videos get where the trees with these roots are merged; `videos` are made first."""
    for video in videos:
        (folders[0].parent / video).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folders[0].parent / video / "00000.jpg")
    trees = [Tree(folder, find_videos(folder), AnnotationStore(None)) for folder in folders]
    return [video.name for video in merge_trees(trees).videos]


def test_a_tree_that_is_given_again_changes_no_name(tmp_path: Path) -> None:
    north, south = tmp_path / "north", tmp_path / "south"
    videos = ["north/a", "north/b", "south/a"]
    once = named(north, south, videos=videos)
    assert once == ["north/a", "b", "south/a"]
    assert named(north, north, north, south) == named(north, south, south, north) == once
    assert named(north, north, north) == ["a", "b"]


def test_a_folder_within_another_tree_keeps_the_name_that_it_has_there(tmp_path: Path) -> None:
    outer = tmp_path / "videos"
    assert named(outer, outer / "more", videos=["videos/ball", "videos/more/ball"]) == ["ball", "more/ball"]
    assert named(outer / "more", outer) == ["more/ball", "videos/ball"]


def test_only_videos_that_share_a_name_with_another_tree_get_one_before_it(tmp_path: Path) -> None:
    north, south, west = (tmp_path / name / "videos" for name in ("north", "south", "west"))
    for tree, names in ((north, "ab"), (south, "bc"), (west, "d")):
        for name in names:
            named(tree, videos=[f"videos/{name}"])
    assert named(north, west) == ["a", "b", "d"]
    assert named(north, west, south) == ["a", "north/b", "d", "south/b", "c"]
    assert named(north, south) == ["a", "north/b", "south/b", "c"], "whatever else is merged"


def test_a_name_with_that_of_its_tree_is_never_that_of_another_video(tmp_path: Path) -> None:
    north, south = tmp_path / "north", tmp_path / "south"
    videos = ["north/a", "south/a", "south/north/a"]
    assert named(north, south, videos=videos) == ["north/a_", "south/a", "north/a"]


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        (["/data/site1/videos", "/data/site2/videos"], ["site1", "site2"]),
        (["/data/videos", "/data/videos/more"], ["videos", "more"]),
        (["/a/x", "/a/y", "/b/x"], ["a/x", "a/y", "b/x"]),
        (["/v", "/v/v"], ["v", "v/v"]),
        (["/", "/v"], ["tree1", "tree2"]),
        (["/a/X", "/a/x"], ["tree1", "tree2"]),
    ],
)
def test_trees_are_told_apart_by_as_little_of_their_paths_as_will_do(roots: list[str], expected: list[str]) -> None:
    assert tell_apart(roots) == expected
