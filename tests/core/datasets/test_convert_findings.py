"""Each odd thing in a tree of annotations has a decision, and a line in the report with file and reason.

`EDGE_CASES` lists what may be odd, what becomes of it, and the test that shows it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.core.annotation import Shape
from sam_annotator.core.datasets.convert_report import ConversionError, Finding
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.report_file import report_document, write_report
from sam_annotator.core.errors import InputError
from sam_annotator.core.masks import object_mask
from tests.dataset_tree import HEIGHT, TRIANGLE, WIDTH, Tree, outside, polygon

EDGE_CASES = {
    "null group_id": ("error; skip; per-label", "test_odd_shapes_are_told_with_their_file"),
    "null group_id, on wish": ("one object a label", "test_shapes_without_an_id_become_one_object_per_label_on_wish"),
    "null group_id, example of labelme": ("per-label", "test_the_example_of_labelme_converts_by_label"),
    "duplicate group_id, one label": ("parts of one object", "test_parts_that_overlap_are_joined"),
    "same id, two labels": ("error", "test_one_id_with_two_labels_in_one_frame_is_an_error_that_names_it"),
    "label changes within a track": ("error", "test_an_object_with_two_labels_is_an_error_that_names_the_frames"),
    "float group_id": ("whole: an id; else an error", "test_a_whole_float_as_id_and_the_id_zero_are_ids"),
    "string group_id": ("error", "test_files_that_cannot_be_used_are_told_with_the_reason"),
    "group_id 0": ("an id", "test_a_whole_float_as_id_and_the_id_zero_are_ids"),
    "id used again for another object": ("note", "test_an_object_that_comes_back_far_away_is_noted"),
    "overlapping parts": ("joined", "test_parts_that_overlap_are_joined"),
    "hole polygons": ("holes; fill; xor", "test_raster_and_holes_reach_the_pixels"),
    "fewer than three points": ("dropped", "test_odd_shapes_are_told_with_their_file"),
    "zero area": ("as labelme draws it", "test_a_polygon_of_no_area_is_kept_as_labelme_draws_it"),
    "wholly outside": ("object vanishes", "test_an_object_that_is_nowhere_vanishes_and_is_named"),
    "points and lines": ("dropped", "test_points_and_lines_are_left_out_and_counted"),
    "frame without JSON": (
        "absent, note",
        "test_frames_without_annotation_are_counted_by_video",
    ),
    "frame with an empty JSON": ("absent", "test_a_frame_that_says_nothing_here_is_annotated"),
    "JSON without image": ("dropped", "test_annotations_without_a_frame_and_videos_without_annotation_are_told"),
    "image that cannot be read": ("error", "test_images_that_cannot_be_read_are_errors_that_name_them"),
    "broken JSON": ("error", "test_a_corrupt_annotation_is_an_error_that_names_the_file_and_changes_nothing"),
    "list-root JSON": ("error", "test_a_list_as_the_old_annotator_wrote_it_and_broken_json_are_told"),
    "foreign JSON": ("error", "test_files_that_cannot_be_used_are_told_with_the_reason"),
    "false frame size": ("error", "test_an_annotation_of_another_size_is_an_error_that_names_the_file"),
    "differing frame sizes": ("error", "test_frames_of_different_sizes_in_one_video_are_an_error"),
    "PNG frames": ("encoded anew, note", "test_frames_that_are_encoded_anew_are_told_with_the_first_of_them"),
    "EXIF": ("turned for good", "test_a_frame_that_exif_turns_is_turned_for_good"),
    "natural or lexical order": ("natural", "test_frames_stand_in_natural_order"),
    "one-frame video": ("kept, note", "test_a_video_of_one_frame_is_kept_and_noted"),
    "empty video": ("no video", "test_hidden_and_empty_folders_are_no_videos"),
    "integer labels": ("error", "test_files_that_cannot_be_used_are_told_with_the_reason"),
    "case of labels": ("note", "test_labels_that_differ_in_case_alone_are_noted"),
    "blank labels": ("error", "test_an_empty_label_is_an_error_that_names_the_file"),
    "unicode labels": ("composed, repaired", "test_odd_shapes_are_told_with_their_file"),
    "unknown labels": ("error; drop", "test_unknown_labels_are_left_out_on_wish_and_counted"),
    "mask crop outside": ("cut off, repaired", "test_a_mask_crop_that_reaches_out_of_the_image_is_clipped"),
    "hidden folders": ("no videos", "test_hidden_and_empty_folders_are_no_videos"),
    "colliding output names": ("error", "test_videos_that_would_share_a_name_are_an_error"),
    "colliding names of several trees": (
        "told apart, note",
        "test_videos_of_one_name_are_told_apart",
    ),
    "a video annotated in two trees": ("error", "test_a_video_that_two_trees_annotated_is_an_error_that_names_both"),
    "an image in the way": ("error", "test_an_image_of_another_frame_in_the_dataset_is_not_written_over"),
    "more objects than evaluators look at": (
        "note",
        "test_more_objects_than_evaluators_look_at_are_noted",
    ),
    "iscrowd, on the way in": ("one object, told", "test_a_crowd_is_taken_as_one_object_and_told"),
    "bad run lengths, on the way in": ("named", "test_a_bad_mask_is_named_and_the_rest_of_its_frame_is_there"),
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    tree.video("bear")
    return tree


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Make of an annotation what our own code would not write."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def outcome(tree: Tree, **options: Any) -> tuple[Finding, ...]:
    try:
        return told(tree.convert(**options).findings)
    except ConversionError as error:
        return told(error.findings)


def told(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings but that most frames of these small trees have no annotation."""
    return tuple(finding for finding in findings if finding.reason != "frame-not-annotated")


def strip(size: int) -> Shape:
    return Shape("swan", ((-4.0, 43.0), (-5.0 + size, 52.0)), "mask", 1, mask=np.ones((10, size), bool))


def shape(**facts: Any) -> Shape:
    return replace(polygon(1), **facts)


def test_every_edge_case_has_its_test() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [case for case, (_decision, test) in EDGE_CASES.items() if f"def {test}(" not in tests] == []


def test_one_id_with_two_labels_in_one_frame_is_an_error_that_names_it(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1), polygon(1, "duck"))
    (found,) = outcome(tree)
    assert (found.kind, found.reason, found.video) == ("error", "labels-conflict", "bear")
    assert "Object 1 of video bear is labelled 'swan' in frame 00000 and 'duck' in frame 00000" in found.text


ODD_SHAPES = {
    "a null id": ((shape(object_id=None),), "error", "no-object-id"),
    "a blank label": ((shape(label=" "),), "error", "label-empty"),
    "white space around a label": ((shape(label=" swan\t"),), "repaired", "label-cleaned"),
    "a label in decomposed Unicode": ((shape(label="ze\u0300bre"),), "repaired", "label-cleaned"),
    "two points": ((polygon(1), polygon(1, points=TRIANGLE[:2])), "dropped", "part-nowhere"),
    "a part outside": ((polygon(1), outside(1)), "dropped", "part-nowhere"),
    "all outside": ((outside(1),), "dropped", "mask-nowhere"),
    "a point": ((polygon(1), Shape("swan", ((1.0, 1.0),), "point", 1)), "dropped", "no-area"),
    "a line without id": ((polygon(1), Shape("swan", TRIANGLE, "linestrip")), "dropped", "no-area"),
    "a mask that reaches out": ((strip(12),), "repaired", "mask-clipped"),
    "a mask outside": ((polygon(1), strip(4)), "dropped", "part-nowhere"),
}


@pytest.mark.parametrize("name", ODD_SHAPES)
def test_odd_shapes_are_told_with_their_file(tree: Tree, name: str) -> None:
    shapes, kind, reason = ODD_SHAPES[name]
    path = tree.annotate("bear/00001", *shapes)
    found = outcome(tree)
    assert [(f.kind, f.reason, f.file) for f in found if f.file][:1] == [(kind, reason, str(path))]
    assert found[0].text.startswith(str(path))
    assert found[0].video == "bear"


ODD_FILES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "an id that is a text": (lambda d: d["shapes"][0].update(group_id="1"), "group_id of shape 0 is '1'"),
    "an id that is half a number": (lambda d: d["shapes"][0].update(group_id=1.5), "group_id of shape 0 is 1.5"),
    "a label that is a number": (lambda d: d["shapes"][0].update(label=3), "label of shape 0 is 3, not a text"),
    "foreign JSON": (lambda d: d.clear(), "'shapes' is missing"),
    "another size": (lambda d: d.update(imageWidth=999), "was made for an image of 999 x 48 pixels"),
    "a mask without pixels": (lambda d: d["shapes"][0].update(shape_type="mask"), "a mask without its pixels"),
}


@pytest.mark.parametrize("name", ODD_FILES)
def test_files_that_cannot_be_used_are_told_with_the_reason(tree: Tree, name: str) -> None:
    change, reason = ODD_FILES[name]
    path = edit(tree.annotate("bear/00001", polygon()), change)
    (found,) = outcome(tree)
    assert (found.kind, found.reason, found.file) == ("error", "annotation-unusable", str(path))
    assert reason in found.text


@pytest.mark.parametrize("content", ["[]", "{", "null", '"text"', '[{"label": "swan"}]'])
def test_a_list_as_the_old_annotator_wrote_it_and_broken_json_are_told(tree: Tree, content: str) -> None:
    path = tree.annotate("bear/00000")
    path.write_text(content)
    (found,) = outcome(tree)
    assert (found.kind, found.reason, found.file) == ("error", "annotation-unusable", str(path))


def test_a_whole_float_as_id_and_the_id_zero_are_ids(tree: Tree) -> None:
    edit(tree.annotate("bear/00000", polygon(7), polygon(0)), lambda d: d["shapes"][0].update(group_id=7.0))
    tree.annotate("bear/00001", polygon(7))
    assert tree.convert().objects == 2
    assert [a["areas"][1] is None for a in tree.load().annotations.values()] == [True, False]


def test_parts_that_overlap_are_joined(tree: Tree) -> None:
    shapes = (polygon(1), polygon(1, points=[(x + 5, y + 3) for x, y in TRIANGLE]))
    tree.annotate("bear/00000", *shapes)
    assert tree.convert().is_clean
    assert tree.load().annotations[1]["areas"][0] == object_mask(shapes, HEIGHT, WIDTH, holes="fill").sum()


def test_a_polygon_of_no_area_is_kept_as_labelme_draws_it(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1, points=((5.0, 5.0), (20.0, 5.0), (5.0, 5.0))))
    assert tree.convert().is_clean
    assert tree.load().annotations[1]["areas"][0] == 16


def test_an_object_that_is_nowhere_vanishes_and_is_named(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1), outside(2, "duck"))
    reasons = {f.reason: f for f in outcome(tree)}
    assert reasons["object-nowhere"].text == "object 2 (duck) of bear covers no pixel in any frame."
    assert len(tree.load().annotations) == 1


def test_shapes_without_an_id_are_left_out_on_wish(tree: Tree) -> None:
    path = tree.annotate("bear/00000", polygon(None), polygon(None, "duck"), polygon(1))
    report = tree.convert(draw=DrawOptions(null_group="skip"))
    assert (report.objects, report.is_clean) == (1, False)
    (found,) = told(report.findings)
    assert (found.kind, found.reason, found.file, found.count) == ("dropped", "no-object-id", str(path), 2)
    assert f"Left out: shapes without an object id: 2 ({path})" in str(report)


def test_shapes_without_an_id_become_one_object_per_label_on_wish(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(None, "duck"), polygon(None), polygon(9))
    tree.annotate("bear/00002", polygon(None), polygon(None, points=((50, 5), (60, 5), (60, 15))))
    report = tree.convert(draw=DrawOptions(null_group="per-label"))
    assert (report.objects, report.masks) == (3, 4)
    assert {f.reason for f in told(report.findings)} == {"joined-by-label"}
    reader = tree.load()
    assert [reader.category_name(a) for a in reader.annotations.values()] == ["swan", "duck", "swan"]
    assert [s is not None for s in reader.annotations[3]["segmentations"]] == [True, False, True]


def test_the_example_of_labelme_converts_by_label(shared: Path, tmp_path: Path) -> None:
    tree = Tree(tmp_path, beside=True)
    tree.videos = shared / "labelme_example" / "data_annotated"
    report = tree.convert(draw=DrawOptions(null_group="per-label"))
    assert report.masks > 0
    tree.load()


def test_an_object_that_comes_back_far_away_is_noted(tree: Tree) -> None:
    here, there = ((1, 1), (5, 1), (5, 5)), ((50, 40), (54, 40), (54, 44))
    tree.annotate("bear/00000", polygon(1, points=here), polygon(2, points=here))
    path = tree.annotate("bear/00002", polygon(1, points=there), polygon(2, points=here))
    report = tree.convert()
    (found,) = told(report.findings)
    assert (found.kind, found.reason, found.file) == ("note", "far-jump", str(path))
    assert report.is_clean


def test_labels_that_differ_in_case_alone_are_noted(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1, "Swan"), polygon(2, "swan"))
    report = tree.convert()
    assert "To know: The labels 'Swan', 'swan' differ in case alone" in str(report)
    assert report.categories == 2


def test_a_video_of_one_frame_is_kept_and_noted(tree: Tree) -> None:
    tree.video("one", frames=1)
    tree.annotate("one/00000", polygon())
    report = tree.convert()
    assert [(f.kind, f.reason, f.video) for f in report.findings if f.video == "one"] == [("note", "one-frame", "one")]
    assert report.videos == 1


def test_frames_without_annotation_are_counted_by_video(tree: Tree) -> None:
    tree.annotate("bear/00001", polygon())
    tree.video("swan")
    for index in (0, 1):
        tree.annotate(f"swan/{index:05d}", polygon())
    report = tree.convert()
    found = [(f.kind, f.reason, f.video, f.file, f.count) for f in report.findings]
    assert found == [
        ("note", "frame-not-annotated", "bear", str(tree.videos / "bear/00000.jpg"), 2),
        ("note", "frame-not-annotated", "swan", str(tree.videos / "swan/00002.jpg"), 1),
    ]
    assert "2 of 3 frames of bear have no annotation (00000, 00002); objects count as absent" in report.findings[0].text
    assert "To know: frames without annotation: 3 of 6, in 2 videos (bear, swan)" in str(report)
    assert report.is_clean


def test_a_frame_that_says_nothing_here_is_annotated(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon())
    for index in (1, 2):
        tree.annotate(f"bear/{index:05d}")
    assert tree.convert().findings == ()


def test_more_objects_than_evaluators_look_at_are_noted(tree: Tree) -> None:
    tree.annotate("bear/00000", *(polygon(number) for number in range(101)), polygon(200, "duck"))
    (found,) = outcome(tree)
    assert (found.kind, found.reason, found.count) == ("note", "many-of-a-category", 101)


def test_hidden_and_empty_folders_are_no_videos(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon())
    tree.image(".hidden/00000.jpg")
    (tree.videos / "empty").mkdir()
    report = tree.convert()
    assert (report.videos, told(report.findings)) == (1, ())


def test_frames_that_are_encoded_anew_are_told_with_the_first_of_them(tree: Tree) -> None:
    path = tree.image("bear/00003.png")
    tree.annotate("bear/00000", polygon())
    report = tree.convert()
    (found,) = told(report.findings)
    assert (found.kind, found.reason, found.file, found.count) == ("note", "images-encoded", str(path), 1)
    assert outcome(tree, force=True, images="none") == ()


def test_annotations_without_a_frame_and_videos_without_annotation_are_told(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon())
    tree.video("swan")
    stray = tree.annotate("gone/00000", polygon())
    found = {f.reason: f for f in outcome(tree)}
    assert found["file-without-frame"].file == str(stray)
    assert (found["video-without-annotation"].kind, found["video-without-annotation"].video) == ("note", "swan")


def test_strict_writes_nothing_where_something_would_be_left_out(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1), outside(1))
    (problem,) = tree.problems(strict=True)
    assert "1 part of object 1 (swan) covers no pixel" in problem
    tree.annotate("bear/00000", polygon(1))
    assert tree.convert(strict=True).masks == 1


def test_a_dry_run_finds_all_and_writes_nothing(tree: Tree) -> None:
    tree.annotate("bear/00000", polygon(1), outside(1))
    report = tree.convert(dry_run=True)
    assert not tree.dataset.exists()
    assert str(report).startswith(f"Would write {report.path}")
    assert (report.masks, report.is_clean) == (1, False)
    assert report_document(report)["written"] == []


def test_the_report_is_written_as_json_and_as_text(tree: Tree, tmp_path: Path) -> None:
    path = tree.annotate("bear/00000", polygon(1), outside(1))
    report = tree.convert()
    write_report(tmp_path / "report.json", report)
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["result"] == "findings"
    assert document["counts"]["masks"] == document["counts"]["verified"] == 1
    assert document["reasons"] == {"dropped: part-nowhere": 1, "note: frame-not-annotated": 2}
    assert document["findings"][0]["file"] == str(path)
    write_report(tmp_path / "report.txt", report)
    text = (tmp_path / "report.txt").read_text()
    assert f"Left out: 1\n  [part-nowhere] {path}: 1 part of object 1 (swan) covers no pixel" in text


def test_what_cannot_run_has_a_report_as_well(tree: Tree, tmp_path: Path) -> None:
    tree.annotate("bear/00000", polygon(None), outside(2))
    with pytest.raises(ConversionError) as caught:
        tree.convert()
    document = report_document(caught.value)
    assert document["result"] == "impossible"
    assert {f["kind"] for f in document["findings"]} == {"error", "dropped", "note"}
    write_report(tmp_path / "report.txt", InputError("There is nothing."))
    assert "[cannot-run] There is nothing." in (tmp_path / "report.txt").read_text()


points = st.lists(st.tuples(st.integers(-40, 100), st.integers(-40, 100)), min_size=1, max_size=5)
numbers = st.one_of(st.none(), st.integers(-3, 4), st.sampled_from(["1", 1.0, 1.5, True, []]))
odd_shapes = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["swan", " duck", "", "Swan", 3, None]),
        "points": points,
        "group_id": numbers,
        "shape_type": st.sampled_from(["polygon", "rectangle", "circle", "point", "line", "mask", "star", None]),
    }
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(odd_shapes, max_size=4), min_size=1, max_size=3), st.sampled_from(["error", "skip", "per-label"])
)
def test_no_object_is_lost_in_silence(tmp_path_factory: pytest.TempPathFactory, frames: Any, null_group: Any) -> None:
    tree = Tree(tmp_path_factory.mktemp("tree"))
    tree.video("bear")
    for index, shapes in enumerate(frames):
        path = tree.annotate(f"bear/{index:05d}")
        edit(path, lambda document, shapes=shapes: document.update(shapes=shapes))
    try:
        report = tree.convert(draw=DrawOptions(null_group=null_group))
    except ConversionError:  # a sentence, no traceback
        return
    objects = {
        ("id", s["group_id"]) if s["group_id"] is not None else ("label", str(s["label"]).strip())
        for shapes in frames
        for s in shapes
        if s["shape_type"] not in ("point", "line", "star") and (s["group_id"] is not None or null_group == "per-label")
    }
    counts = Counter[str]()
    for finding in report.findings:
        counts[finding.reason] += finding.count
    assert len(objects) == report.objects + len(report.empty_objects)
    shapes_without_area = sum(s["shape_type"] in ("point", "line", "star") for shapes in frames for s in shapes)
    assert counts["no-area"] == shapes_without_area == sum(report.ignored_shapes.values())
    tree.load()
