"""Layouts, run lengths, splits, renamed labels: what the dataset holds with each option."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.label_renames import read_renames
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, convert
from sam_annotator.core.datasets.youtube_vis.splits import SplitPlan, parse_ratios, read_split_list
from sam_annotator.core.errors import InputError
from sam_annotator.core.masks import object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import HEIGHT, WIDTH, Tree, polygon

HOLE = ((15.0, 15.0), (30.0, 15.0), (20.0, 30.0))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    for name in ("a", "b", "c", "d"):
        tree.video(name)
    for name in ("a", "b", "c"):
        tree.annotate(f"{name}/00000", polygon(1), polygon(2, "duck"))
    return tree


def write(tree: Tree, name: str, content: object) -> Path:
    path = tree.videos.parent / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def names_of(tree: Tree, split: str) -> list[str]:
    return [video["file_names"][0].split("/")[0] for video in tree.load(split).videos.values()]


@pytest.mark.parametrize(
    ("layout", "json_file", "image"),
    [
        ("lvvis", "Annotations/train_instances.json", "JPEGImages/train/a/00000.jpg"),
        ("split-first", "train/train_instances.json", "train/JPEGImages/a/00000.jpg"),
        ("ytvis2019", "train.json", "train/JPEGImages/a/00000.jpg"),
        ("ytvis2021", "train/instances.json", "train/JPEGImages/a/00000.jpg"),
    ],
)
def test_each_layout_has_its_places(tree: Tree, layout: str, json_file: str, image: str) -> None:
    assert tree.convert(layout=layout).path == tree.dataset / json_file
    assert (tree.dataset / image).is_file()
    assert len(tree.load(layout=layout).videos) == 3
    with pytest.raises(InputError, match="is there already"):
        tree.convert(layout=layout)


def test_uncompressed_run_lengths_are_the_same_masks(tree: Tree) -> None:
    tree.convert()
    tree.convert(split="val", draw=DrawOptions(compressed=False))
    text, numbers = tree.load("train"), tree.load("val")
    for number, annotation in numbers.annotations.items():
        assert isinstance(annotation["segmentations"][0]["counts"], list)
        assert np.array_equal(numbers.mask(annotation, 0), text.mask(text.annotations[number], 0))


@pytest.mark.parametrize("raster", ["labelme", "cv2", "coco"])
@pytest.mark.parametrize("holes", ["auto", "fill", "xor"])
def test_raster_and_holes_reach_the_pixels(tree: Tree, raster: str, holes: str) -> None:
    shapes = (polygon(1), polygon(1, points=HOLE))
    tree.annotate("a/00000", *shapes)
    tree.convert(draw=DrawOptions(raster, holes))
    reader = tree.load()
    truth = object_mask(shapes, HEIGHT, WIDTH, raster=raster, holes=holes)
    assert np.array_equal(reader.mask(reader.annotations[1], 0), truth)


def test_the_test_split_has_all_videos_and_no_annotations(tree: Tree) -> None:
    report = tree.convert(split="test")
    document = json.loads(report.path.read_text(encoding="ascii"))
    assert list(document) == ["info", "licenses", "videos", "categories"]
    assert [video["file_names"][0] for video in document["videos"]] == [f"{n}/00000.jpg" for n in "abcd"]
    assert [category["name"] for category in document["categories"]] == ["duck", "swan"]


def test_annotations_can_be_kept_in_the_test_split_and_left_out_of_others(tree: Tree) -> None:
    assert "annotations" in json.loads(tree.convert(split="test", annotated="yes").path.read_text())
    assert "annotations" not in json.loads(tree.convert(split="valid", annotated="no").path.read_text())


def test_a_list_says_which_video_goes_where(tree: Tree) -> None:
    plan = read_split_list(write(tree, "splits.txt", "val b\ntrain a\n\nval d\n"))
    report = tree.convert(plan=plan)
    assert (names_of(tree, "train"), names_of(tree, "val")) == (["a"], ["b"])
    assert report.videos_in_no_split == ("c",)
    assert report.videos_without_annotation == ("d",)
    assert "Left out: videos in no split: 1 (c)" in str(report)
    report = tree.convert(plan=read_split_list(write(tree, "few.txt", "test b\n")))
    assert "Left out: videos in no split: 2 (a, c)\n" in str(report)
    assert "Not in the dataset: videos in no split, without annotation: 1 (d)" in str(report)
    categories = [list(tree.load(split).categories) for split in ("train", "val")]
    assert categories == [[1, 2], [1, 2]]


def test_a_list_may_be_json_and_may_have_an_unannotated_test_split(tree: Tree) -> None:
    plan = read_split_list(write(tree, "splits.json", {"train": ["a", "b", "c"], "test": ["d"]}))
    test = tree.convert(plan=plan).more_paths[0]
    assert [v["file_names"][0] for v in json.loads(test.read_text())["videos"]] == ["d/00000.jpg"]


def test_of_several_splits_each_says_what_it_holds_and_a_test_split_holds_no_annotations(tree: Tree) -> None:
    plan = SplitPlan({"a": "train", "b": "train", "c": "test"})
    report = tree.convert(plan=plan, dry_run=True)
    assert [share[0] for share in report.shares] == [2, 1]
    assert report.shares[1] == (1, 0, 0)
    assert (report.objects, report.masks) == report.shares[0][1:]
    first, second = str(report).splitlines()[:2]
    assert first.endswith(f"train_instances.json   (videos 2, objects {report.objects}, masks {report.masks})")
    assert second.endswith("test_instances.json   (videos 1, objects 0, masks 0)")
    assert "  without annotations in the JSON: test" in str(report)
    assert report.counts()["splits"][str(report.path)]["videos"] == 2
    assert not tree.convert(dry_run=True).shares, "one split says it as the whole"


def test_stopped_amid_several_splits_none_of_them_is_written(tree: Tree) -> None:
    plan = SplitPlan({"a": "train", "b": "val"})
    steps = convert(
        find_videos(tree.videos),
        AnnotationStore(tree.annotations),
        tree.dataset,
        ConvertOptions(present=True, plan=plan),
    )
    checked = [step.done for step, _ in zip((step for step in steps if step.stage == "check"), range(3), strict=False)]
    assert checked == [1, 2, 3], "the first split, of two objects, is whole by now"
    steps.close()  # type: ignore[attr-defined]
    assert not [path for path in (tree.dataset / "Annotations").iterdir() if path.is_file()]
    tree.convert(plan=plan)
    assert (names_of(tree, "train"), names_of(tree, "val")) == (["a"], ["b"])


@pytest.mark.parametrize("jobs", [1, 2])
def test_halves_of_files_that_a_killed_run_left_go_with_the_next(tree: Tree, jobs: int) -> None:
    images, json_half = tree.dataset / "JPEGImages/train/a", tree.dataset / "Annotations/.train_instances.json.x1.part"
    for half in (images / ".00000.jpg.x1.part", json_half):
        half.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(b"half")
    others = tree.dataset / "Annotations/.val_instances.json.x1.part"
    others.write_bytes(b"somebody is at it")
    tree.convert(images="copy", jobs=jobs)
    assert [path.name for path in tree.dataset.rglob("*.part")] == [others.name]


def test_processes_that_are_stopped_leave_no_halves_of_images(tree: Tree) -> None:
    options = ConvertOptions(present=True, images="copy", jobs=2)
    steps = convert(find_videos(tree.videos), AnnotationStore(tree.annotations), tree.dataset, options)
    next(step for step in steps if step.stage == "images")
    half = tree.dataset / "JPEGImages/train/a/.00002.jpg.x1.part"
    half.write_bytes(b"as a process that is killed amid it leaves it")
    steps.close()  # type: ignore[attr-defined]
    assert not list(tree.dataset.rglob("*.part"))
    assert not list(tree.dataset.rglob("*.json"))


def test_frames_that_have_to_be_encoded_are_told_beforehand(tree: Tree) -> None:
    tree.image("a/00009.png")
    dry = str(tree.convert(dry_run=True))
    assert "  images      1 to be encoded as JPEG, the others as they are" in dry
    assert "to be encoded" not in str(tree.convert(dry_run=True, images="none"))
    assert "to be encoded" not in str(tree.convert())


def test_a_list_with_videos_that_are_not_there_is_an_error(tree: Tree) -> None:
    (problem,) = tree.problems(plan=SplitPlan({"a": "train", "x": "val"}, source=Path("splits.txt")))
    assert problem == "The list of splits splits.txt names 'x', which is no video of the folder; mend the list."


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("s.txt", "train\n", r"Line 1 of the list of splits .*s\.txt is no split and video"),
        ("s.txt", "train a\nval a\n", "puts the video a into train and into val"),
        ("s.txt", "\n", "names no video"),
        ("s.json", "{", "is not valid JSON"),
        ("s.json", ["a"], "is no object of lists"),
        ("s.json", {"train": [1]}, "has a video that is no text"),
    ],
)
def test_a_list_that_cannot_be_used_is_told(tree: Tree, name: str, content: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_split_list(write(tree, name, content))


@pytest.mark.parametrize("text", ["", "train", "train=x", "train=0,val=1", "train=1,train=2", "=1", "a=nan", "a=inf"])
def test_ratios_that_are_none_are_told(text: str) -> None:
    with pytest.raises(InputError, match="says no ratios of splits; write them like"):
        parse_ratios(text)


@pytest.mark.parametrize("text", ["train=1e308,val=1e308", "train=1e200,val=1", "train=1e-320,val=1e-310"])
def test_ratios_that_cannot_be_reckoned_with_are_told(text: str) -> None:
    with pytest.raises(InputError, match="are too large or too small to reckon with; write them like train="):
        parse_ratios(text)


def test_ratios_are_kept_to_the_video_and_shared_alike_by_category() -> None:
    rng = np.random.default_rng(0)
    videos = [
        (f"v{n}", f"v{n}", Counter(rng.choice(["swan", "duck", "owl"], 3, p=[0.7, 0.2, 0.1]).tolist()))
        for n in range(100)
    ]
    assigned = parse_ratios("train=8,val=2", seed=3).assign(videos)
    assert Counter(assigned.values()) == {"train": 80, "val": 20}
    total, val = Counter[str](), Counter[str]()
    for name, _new, labels in videos:
        total.update(labels)
        if assigned[name] == "val":
            val.update(labels)
    assert all(0.15 <= val[label] / total[label] <= 0.25 for label in total)
    assert assigned == parse_ratios("train=8,val=2", seed=3).assign(videos[::-1])
    assert assigned != parse_ratios("train=8,val=2", seed=4).assign(videos)


def test_splits_by_ratio_hold_whole_videos_each_in_one(tree: Tree) -> None:
    report = tree.convert(plan=parse_ratios("train=2,val=1"))
    train, val = names_of(tree, "train"), names_of(tree, "val")
    assert (len(train), len(val), sorted(train + val)) == (2, 1, ["a", "b", "c"])
    assert (report.videos, report.objects, report.masks) == (3, 6, 6)
    assert str(report).count("Wrote ") == 2


def test_labels_are_renamed_once_and_before_they_are_compared(tree: Tree) -> None:
    tree.annotate("a/00001", polygon(1, "cygnus"))  # another label for the same object
    path = write(tree, "map.txt", "cygnus -> swan\n swan -> duck \nduck->owl\nnever -> seen\n")
    problems = tree.problems(renames=path)
    assert "Object 1 of video a is labelled 'duck' in frame 00000 and 'swan' in frame 00001" in problems[0]
    path.write_text('{"cygnus": "goose", "swan": "goose", "never": "seen"}')
    report = tree.convert(renames=path)
    assert [c["name"] for c in tree.load().categories.values()] == ["duck", "goose"]
    assert [f.text for f in report.findings if f.kind == "note" and not f.video] == [
        "1 of the renamed labels occurs nowhere: 'never'."
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("swan goose\n", "Line 1 of the map of labels .* is no 'old -> new'"),
        ("swan -> \n", "both need a name"),
        ("a -> b\na -> c\n", "renames 'a' to 'b' and to 'c'"),
        ("\n", "renames nothing"),
        ('{"a": 1}', "is no object of names"),
        ("{", "is not valid JSON"),
    ],
)
def test_a_map_that_cannot_be_used_is_told(tree: Tree, content: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_renames(write(tree, "map.txt", content))


def test_unknown_labels_are_left_out_on_wish_and_counted(tree: Tree) -> None:
    path = write(tree, "names.txt", "swan\n")
    with pytest.raises(ConversionError, match=r"'duck' \(3 objects\)"):
        tree.convert(categories=path)
    report = tree.convert(categories=path, drop_unknown=True)
    assert (report.objects, report.masks, report.is_clean) == (3, 3, False)
    gone = [finding for finding in report.findings if finding.reason == "unknown-label"]
    assert [(f.kind, f.video, f.count) for f in gone] == [("dropped", name, 1) for name in "abc"]
    assert "Left out: labels that the category file does not name: 3" in str(report)
    assert len(tree.load().annotations) == 3


def test_dropping_unknown_labels_needs_a_category_file(tree: Tree) -> None:
    with pytest.raises(InputError, match="--drop-unknown needs a category file"):
        tree.convert(drop_unknown=True)


def test_categories_without_an_object_and_without_a_partition_are_noted(tree: Tree) -> None:
    entries = [{"id": 1, "name": "swan", "partition": 0}, {"id": 2, "name": "duck"}, {"id": 3, "name": "owl"}]
    report = tree.convert(categories=write(tree, "categories.json", entries))
    notes = [finding.reason for finding in report.findings if finding.file and not finding.video]
    assert notes == ["category-unused", "partition-missing"]
    assert "\nTo know: 2 categories have no 'partition', others have" in str(report)
    entries[1]["partition"] = 1
    report = tree.convert(categories=write(tree, "categories.json", entries), dry_run=True, force=True)
    assert "\nTo know: 1 category has no 'partition', others have" in str(report)
    assert report.is_clean


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"layout": "voc"}, "'voc' is no layout"), ({"annotated": "x"}, "is no annotated"), ({"jobs": 0}, "0 processes")],
)
def test_options_that_cannot_be_are_told(tree: Tree, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        tree.convert(**options)
