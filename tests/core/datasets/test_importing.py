"""Published datasets become annotations: the same pixels, nothing overwritten, and back again without loss."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sam_annotator.cli import main
from sam_annotator.core.annotation import FrameAnnotation, Shape, read_annotation, write_annotation
from sam_annotator.core.datasets.importing import ImportOptions, ImportReport, import_masks
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.datasets.masked_video import MaskedVideos
from sam_annotator.core.datasets.youtube_vis.numbering import number_records
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord
from sam_annotator.core.errors import InputError
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import find_videos
from tests.small_dataset import HEIGHT, WIDTH, blob, compressed, document, ring, uncompressed, write_frames, write_json
from tests.youtube_vis_reader import YoutubeVis

FOLDER_OF_RUNS = ".sam_annotator"
"""Of each video; the lock is in it that keeps two programs apart."""


class Place:
    """Folders for videos, annotations and datasets."""

    def __init__(self, folder: Path) -> None:
        self.videos, self.annotations, self.dataset = folder / "videos", folder / "annotations", folder / "new"
        self.json = folder / "dataset.json"

    def source(self, content: Any) -> MaskedVideos:
        return read_dataset_json(write_json(self.json, content))

    def load(self, content: Any, **options: Any) -> ImportReport:
        store = AnnotationStore(self.annotations)
        steps = import_masks(self.source(content), find_videos(self.videos), store, ImportOptions(**options))
        return list(steps)[-1].report

    def frame(self, name: str) -> FrameAnnotation:
        return read_annotation(self.annotations / f"{name}.json")

    def masks(self) -> dict[tuple[str, int], np.ndarray]:
        """By frame and object the pixels that the tree has."""
        found = {}
        for path in self.annotations.rglob("*.json"):
            annotation = read_annotation(path)
            name = path.relative_to(self.annotations).with_suffix("").as_posix()
            for object_id in annotation.object_ids():
                shapes = annotation.shapes_of(object_id)
                found[name, object_id] = object_mask(shapes, annotation.height, annotation.width)
        return found

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.annotations)): path.read_bytes() for path in self.annotations.rglob("*.json")}

    def convert(self, categories: Path | None = None) -> YoutubeVis:
        command = ["convert", self.annotations, "--videos", self.videos, "--output", self.dataset, "--images", "none"]
        command += ["--force", "--categories", categories or "present"]
        assert main(list(map(str, command))) == 0
        (path,) = self.dataset.rglob("*instances*.json")
        return YoutubeVis(path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The video `lake` of three frames."""
    write_frames(tmp_path / "videos", "lake", 3)
    return Place(tmp_path)


LAKE = document({"lake": (3, [(3, [blob(1, 1), None, ring()]), (8, [None, blob(5, 5), None])])})


def test_each_frame_gets_its_masks_as_imported_shapes_on_its_image(place: Place) -> None:
    report = place.load(LAKE)
    assert (report.videos, report.frames, report.objects, report.masks) == (1, {"written": 3}, 2, 3)
    assert report.is_clean
    frame = place.frame("lake/00002")
    (shape,) = frame.shapes
    assert (shape.label, shape.object_id, shape.source, shape.shape_type) == ("dog", 1, "imported", "mask")
    assert (place.annotations / "lake" / frame.image_path).resolve() == place.videos / "lake" / "00002.png"
    np.testing.assert_array_equal(place.masks()["lake/00002", 1], ring())


def test_what_is_absent_is_said_to_be_so_that_no_propagation_fills_it(place: Place) -> None:
    place.load(LAKE)
    (video,) = find_videos(place.videos)
    store = AnnotationStore(place.annotations)
    tracks = VideoTracks()
    for _ in tracks.scan(video, store):
        pass
    first, second = tracks.tracks()
    assert (first.key_frames, first.absent_frames) == ({0, 2}, {1})
    assert (second.key_frames, second.absent_frames) == ({1}, {0, 2})


def test_polygons_come_near_where_they_are_wanted(place: Place) -> None:
    place.load(LAKE, style="auto")
    assert [shape.shape_type for shape in place.frame("lake/00000").shapes] == ["polygon"]
    assert iou(place.masks()["lake/00000", 1], blob(1, 1)) > 0.99
    np.testing.assert_array_equal(place.masks()["lake/00002", 1], ring())


def test_other_annotations_are_kept_unless_forced(place: Place) -> None:
    mine = FrameAnnotation("../x.png", WIDTH, HEIGHT, (Shape("cat", ((1.0, 1.0), (5.0, 5.0)), "rectangle", 9),))
    write_annotation(place.annotations / "lake/00000.json", mine)
    (place.annotations / "lake/00001.json").write_text("{ broken")
    report = place.load(LAKE)
    assert (report.frames, len(report.kept), report.is_clean) == ({"written": 1}, 2, False)
    assert place.frame("lake/00000") == mine
    assert (place.annotations / "lake/00001.json").read_text() == "{ broken"
    assert "Kept: 2 frames with other annotations" in str(report)
    report = place.load(LAKE, force=True)
    assert (report.frames, report.is_clean) == ({"replaced": 2, "there already": 1}, True)
    assert sorted(place.masks()) == [("lake/00000", 1), ("lake/00001", 2), ("lake/00002", 1)]


def test_an_import_that_was_stopped_goes_on_where_it_was(place: Place) -> None:
    write_frames(place.videos, "sea", 40)
    content = document({"sea": (40, [(3, [blob(1, 1)] * 40)])})
    steps = import_masks(
        place.source(content), find_videos(place.videos), AnnotationStore(place.annotations), ImportOptions()
    )
    report = next(steps).report
    steps.close()
    there = place.files()
    assert "sea/00000.json" in there
    assert len(there) < 40
    assert report.frames == {"written": len(there)}, "what was on its way to the disk has arrived, and counts"
    assert report.masks == len(there)
    before = (place.annotations / "sea/00000.json").stat().st_mtime_ns
    assert place.load(content).frames == {"there already": len(there), "written": 40 - len(there)}
    assert (place.annotations / "sea/00000.json").stat().st_mtime_ns == before


def test_halves_of_files_that_a_killed_import_left_are_swept_away(place: Place) -> None:
    half = place.annotations / "lake/.00001.json.k3x9.part"
    half.parent.mkdir(parents=True)
    half.write_bytes(b'{"version"')
    place.load(LAKE, dry_run=True)
    assert half.exists()
    place.load(LAKE)
    visible = (path.name for path in half.parent.iterdir() if path.name != FOLDER_OF_RUNS)
    assert sorted(visible) == ["00000.json", "00001.json", "00002.json"]


def test_a_half_that_another_process_swept_away_is_written_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    swept: list[str] = []
    replace_file = os.replace

    def sweeping(source: str, target: Path) -> None:
        if target.name not in swept:
            swept.append(target.name)
            os.unlink(source)
        replace_file(source, target)

    monkeypatch.setattr("sam_annotator.core.files.os.replace", sweeping)
    assert place.load(LAKE).is_clean
    assert sorted(swept) == ["00000.json", "00001.json", "00002.json"]
    assert sorted(place.masks()) == [("lake/00000", 1), ("lake/00001", 2), ("lake/00002", 1)]


def test_an_import_that_was_killed_at_any_moment_ends_with_the_same_files(place: Place) -> None:
    write_frames(place.videos, "sea", 120)
    content = document({"sea": (120, [(3, [blob(1 + index % 9, 1) for index in range(120)]), (8, [ring()] * 120)])})
    place.load(content)
    expected = place.files()
    place.annotations = place.annotations.with_name("again")
    command = [sys.executable, "-m", "sam_annotator", "import", place.json, "--videos", place.videos]
    for frames in (1, 40, 90):
        process = subprocess.Popen([*map(str, command), "--output", str(place.annotations)], stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list(place.annotations.rglob("*.json"))) < frames:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.01)
        process.kill()
        process.wait()
        assert place.files().items() <= expected.items(), "every file is whole"
    assert place.load(content).is_clean
    assert place.files() == expected
    names = {path.name for path in (place.annotations / "sea").iterdir()} - {FOLDER_OF_RUNS}
    assert len(names) == 120, "no halves of files are left"


def test_a_dry_run_writes_nothing_and_tells_the_same(place: Place) -> None:
    report = place.load(LAKE, dry_run=True)
    assert not place.annotations.exists()
    assert (report.frames, report.masks) == ({"written": 3}, 3)
    assert str(report).startswith("Nothing was written; it would be:")


def test_missing_videos_and_frames_are_counted_and_named(place: Place) -> None:
    content = document({"lake": (5, [(3, [blob(1, 1)] * 5)]), "hill": (2, [(3, [ring(), ring()])])})
    report = place.load(content)
    assert report.frames == {"written": 3}
    assert report.problems == [
        "1 video without a folder of frames: hill.",
        f"Video lake: 2 frames not in {place.videos / 'lake'} (00003, 00004).",
    ]
    with pytest.raises(InputError, match="None of the 1 videos of the dataset"):
        place.load(document({"hill": (2, [(3, [ring(), ring()])])}))


def test_a_frame_of_another_size_is_left_out_and_named(place: Place) -> None:
    write_frames(place.videos, "lake", 1, size=(WIDTH + 1, HEIGHT))
    report = place.load(LAKE)
    (problem,) = report.problems
    assert "00000.png is 18 x 12 pixels, but the masks of video lake are 17 x 12" in problem
    assert report.frames == {"written": 2}


def test_a_bad_mask_is_named_and_the_rest_of_its_frame_is_there(place: Place) -> None:
    content = json.loads(json.dumps(LAKE))
    content["annotations"][0]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": [1, 2]}
    content["annotations"][1]["segmentations"][0] = uncompressed(ring())
    report = place.load(content)
    assert [problem[:44] for problem in report.problems] == ["Video lake, object 1 (dog), frame 00000: the"]
    frame = place.frame("lake/00000")
    assert frame.object_ids() == (2,)
    assert frame.absent_ids == frozenset(), "nobody knows whether the object is there"


def test_objects_that_are_never_seen_are_named(place: Place) -> None:
    report = place.load(document({"lake": (3, [(3, [None] * 3), (8, [ring(), None, None])])}))
    assert report.without_mask == ["dog 1 of lake"]
    assert not report.is_clean


def test_videos_are_found_by_the_last_part_of_their_names(tmp_path: Path) -> None:
    write_frames(tmp_path / "videos", "train/lake", 1)
    write_frames(tmp_path / "videos", "val/lake", 1)
    write_frames(tmp_path / "videos", "val/hill", 1)
    place = Place(tmp_path)
    names = ("hill", "train_lake", "train/lake")
    report = place.load(document({name: (1, [(3, [ring()])]) for name in names}))
    assert sorted(name for name, _ in place.masks()) == ["train/lake/00000", "val/hill/00000"]
    assert report.problems == [f"Video train/lake is left out: train_lake has the folder {tmp_path}/videos/train/lake."]


MASK = arrays.arrays(np.bool_, (HEIGHT, WIDTH)) | st.sampled_from([ring(), blob(0, 0), blob(3, 2, 9, 8)])


@st.composite
def tracks(draw: st.DrawFn, length: int) -> list[np.ndarray | None]:
    """One object that is somewhere."""
    masks: list[np.ndarray | None] = [draw(st.none() | MASK) for _ in range(length)]
    at = draw(st.integers(0, length - 1))
    masks[at] = draw(MASK) | blob(0, 0, 1, 1)
    return [None if mask is None or not mask.any() else mask for mask in masks]


@st.composite
def contents(draw: st.DrawFn) -> dict[str, tuple[int, Sequence[Any]]]:
    content = {}
    for name in draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True)):
        length = draw(st.integers(1, 3))
        objects = draw(st.lists(st.tuples(st.sampled_from([3, 8]), tracks(length)), min_size=1, max_size=3))
        content[name] = (length, objects)
    return {name: content[name] for name in sorted(content)}


@contextmanager
def new_place(videos: dict[str, int]) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        for name, length in videos.items():
            write_frames(place.videos, name, length)
        yield place


@settings(max_examples=12, deadline=None)
@given(videos=contents())
def test_what_is_imported_and_exported_is_the_same_dataset(videos: dict[str, tuple[int, Sequence[Any]]]) -> None:
    content = document(videos)
    with new_place({name: length for name, (length, _) in videos.items()}) as place:
        assert place.load(content).is_clean
        written = place.convert(categories=place.json)
        assert written.dataset["categories"] == content["categories"]
        assert_same(written.dataset["videos"], content["videos"], "id", "width", "height", "length", "file_names")
        assert_same(
            written.dataset["annotations"], content["annotations"], "id", "video_id", "category_id", "segmentations"
        )


@settings(max_examples=12, deadline=None)
@given(
    videos=contents(),
    numbers=st.permutations([30, 10, 20]),
    more=st.lists(st.integers(1, 2**53), unique=True, min_size=9, max_size=9),
    order=st.randoms(use_true_random=False),
)
def test_ids_of_videos_and_annotations_come_back_however_a_dataset_numbers_them(
    videos: Any, numbers: list[int], more: list[int], order: Any
) -> None:
    content = document(videos)
    for entry, number in zip(content["videos"], numbers, strict=False):
        entry["id"] = number
    for annotation, number in zip(content["annotations"], more, strict=False):
        annotation |= {"id": number, "video_id": numbers[annotation["video_id"] - 1]}
    order.shuffle(content["videos"])
    order.shuffle(content["annotations"])
    with new_place({name: length for name, (length, _) in videos.items()}) as place:
        assert place.load(content).is_clean
        written = place.convert(categories=place.json).dataset
        by_id = {entry["id"]: entry for entry in content["videos"]}
        assert [entry["id"] for entry in written["videos"]] == sorted(by_id)
        assert_same(written["videos"], [by_id[entry["id"]] for entry in written["videos"]], "file_names")
        by_id = {annotation["id"]: annotation for annotation in content["annotations"]}
        assert sorted(annotation["id"] for annotation in written["annotations"]) == sorted(by_id)
        expected = [by_id[annotation["id"]] for annotation in written["annotations"]]
        assert_same(written["annotations"], expected, "id", "video_id", "category_id", "segmentations")


@settings(max_examples=15, deadline=None)
@given(videos=contents(), data=st.data())
def test_the_ids_of_all_that_could_be_imported_come_back_where_some_could_not(videos: Any, data: st.DataObject) -> None:
    content = document(videos)
    broken: set[int] = set()
    for annotation in content["annotations"]:
        fault = data.draw(st.sampled_from([None, None, {"size": [HEIGHT, WIDTH], "counts": [3, 4]}, "empty", "none"]))
        if fault is not None:
            broken.add(annotation["id"])
            wrong = {"empty": compressed(np.zeros((HEIGHT, WIDTH), bool)), "none": None}.get(str(fault), fault)
            annotation["segmentations"] = [wrong] * len(annotation["segmentations"])
    whole = [annotation for annotation in content["annotations"] if annotation["id"] not in broken]
    with new_place({name: length for name, (length, _) in videos.items()}) as place:
        report = place.load(content)
        assert report.is_clean == (not broken)
        assert report.objects == len(whole)
        if whole:
            written = place.convert(categories=place.json).dataset
            assert_same(written["annotations"], whole, "id", "video_id", "category_id", "segmentations")


def test_ids_stay_where_something_new_is_annotated_and_that_gets_the_ids_after_them(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    write_frames(place.videos, "hill", 1)
    content = document({"lake": (3, [(3, [blob(0, 0)] * 3), (8, [ring()] * 3)])})
    content["videos"][0]["id"] = 50
    for annotation, number in zip(content["annotations"], (900, 700), strict=True):
        annotation |= {"id": number, "video_id": 50}
    place.load(content)
    written = place.convert().dataset
    assert [(a["id"], a["video_id"]) for a in written["annotations"]] == [(900, 50), (700, 50)]
    shape = Shape("dog", ((1.0, 1.0), (5.0, 1.0), (5.0, 5.0)), object_id=1)
    write_annotation(place.annotations / "hill/00000.json", FrameAnnotation("x.png", WIDTH, HEIGHT, (shape,)))
    capsys.readouterr()
    written = place.convert().dataset
    assert [(a["id"], a["video_id"]) for a in written["annotations"]] == [(900, 50), (700, 50), (901, 51)]
    told = capsys.readouterr().out
    assert "1 of 2 videos of the split train are new to the dataset" in told
    assert "1 of 3 annotations of the split train are new" in told


def test_ids_are_numbered_anew_with_a_note_where_two_are_alike() -> None:
    records = [
        VideoRecord("a", "a", (), (1, 2), (1, 2), 2, None, number=7, numbers=(5, 5)),
        VideoRecord("b", "b", (), (1,), (1,), 1, None, number=9, numbers=(None,)),
    ]
    numbered, findings = number_records("train", records)
    assert [(record.number, record.numbers) for record in numbered] == [(7, (1, 2)), (9, (3,))]
    assert [str(finding) for finding in findings if "from 1" in str(finding) and "two are alike" in str(finding)]


def assert_same(found: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]], *keys: str) -> None:
    assert [[entry[key] for key in keys] for entry in found] == [[entry[key] for key in keys] for entry in expected]


@settings(max_examples=8, deadline=None)
@given(videos=contents(), ids=st.permutations([0, 3, 4, 70, -2]))
def test_ids_that_a_dataset_carries_come_back_with_their_masks(videos: Any, ids: list[int]) -> None:
    content = document(videos)
    for number, annotation in enumerate(content["annotations"]):
        annotation["object_id"] = ids[number % len(ids)]
    with new_place({name: length for name, (length, _) in videos.items()}) as place:
        assert place.load(content).is_clean
        written = place.convert(categories=place.json).dataset["annotations"]
        expected = sorted(content["annotations"], key=lambda a: (a["video_id"], a["object_id"]))
        assert_same(written, expected, "video_id", "object_id", "category_id", "segmentations")


@settings(max_examples=8, deadline=None)
@given(videos=contents())
def test_our_own_dataset_comes_back_byte_for_byte(videos: dict[str, tuple[int, Sequence[Any]]]) -> None:
    with new_place({name: length for name, (length, _) in videos.items()}) as place:
        place.load(document(videos))
        place.convert(categories=place.json)
        (path,) = place.dataset.rglob("*instances*.json")
        ours = path.read_bytes()
        place.annotations = place.annotations.with_name("again")
        place.load(json.loads(ours))
        place.convert(categories=place.json)
        assert path.read_bytes() == ours


@settings(max_examples=12, deadline=None)
@given(
    objects=st.dictionaries(
        st.integers(0, 500), st.tuples(st.sampled_from(["dog", "red_panda"]), tracks(2)), min_size=1, max_size=3
    )
)
def test_what_is_exported_and_imported_is_the_same_tree(objects: dict[int, tuple[str, Any]]) -> None:
    with new_place({"lake": 2}) as place:
        for index in range(2):
            shapes = tuple(
                shape
                for object_id, (label, masks) in sorted(objects.items())
                if masks[index] is not None
                for shape in mask_to_shapes(
                    masks[index], label=label, object_id=object_id, source="imported", style="mask"
                )
            )
            frame = FrameAnnotation("x.png", WIDTH, HEIGHT, shapes)
            write_annotation(place.annotations / f"lake/{index:05d}.json", frame)
        before = [place.frame(f"lake/{index:05d}").shapes for index in range(2)]
        written = place.convert().dataset
        place.annotations = place.annotations.with_name("again")
        assert place.load(written).is_clean
        after = [place.frame(f"lake/{index:05d}").shapes for index in range(2)]
        assert [tuple(replace(shape, extra={}) for shape in shapes) for shapes in after] == before, "but for noted ids"


def test_polygons_with_holes_and_parts_come_back_pixel_for_pixel(place: Place) -> None:
    def square(left: float, top: float, side: float) -> Shape:
        corners = ((left, top), (left + side, top), (left + side, top + side), (left, top + side))
        return Shape("dog", corners, "polygon", 5)

    shapes = (square(1, 1, 8), square(3, 3, 4), square(11, 2, 3))
    write_annotation(place.annotations / "lake/00001.json", FrameAnnotation("x.png", WIDTH, HEIGHT, shapes))
    before = place.masks()
    assert not before["lake/00001", 5][5, 5]
    written = place.convert().dataset
    place.annotations = place.annotations.with_name("again")
    place.load(written)
    assert place.masks().keys() == before.keys()
    np.testing.assert_array_equal(place.masks()["lake/00001", 5], before["lake/00001", 5])


def test_shapes_joined_by_label_get_ids_that_are_free(place: Place) -> None:
    unowned = Shape("dog", ((1.0, 1.0), (6.0, 6.0)), "rectangle")
    shapes = (unowned, replace(unowned, label="cat"), replace(unowned, object_id=1), replace(unowned, object_id=2**53))
    write_annotation(place.annotations / "lake/00000.json", FrameAnnotation("x.png", WIDTH, HEIGHT, shapes))
    command = ["convert", place.annotations, "--videos", place.videos, "--output", place.dataset, "--images", "none"]
    assert main([*map(str, command), "--null-group", "per-label", "--categories", "present"]) == 1
    (path,) = place.dataset.rglob("*instances*.json")
    assert [a["object_id"] for a in YoutubeVis(path).annotations.values()] == [1, 2**53, 2, 3]


@pytest.mark.parametrize("style", ["mask", "auto"])
def test_two_processes_write_the_same_tree_and_tell_the_same(place: Place, style: str) -> None:
    for name in ("hill", "wood"):
        write_frames(place.videos, name, 2)
    content = document({name: (2, [(3, [ring(), None]), (8, [blob(3, 3)] * 2)]) for name in ("hill", "lake", "wood")})
    content["annotations"][2]["segmentations"][0] = {"size": [HEIGHT, WIDTH], "counts": [1]}
    alone = place.load(content, style=style)
    files = place.files()
    place.annotations = place.annotations.with_name("again")
    assert place.load(content, style=style, jobs=2) == alone
    assert place.files() == files
    with pytest.raises(InputError, match="0 processes"):
        place.load(content, jobs=0)


def test_a_crowd_is_taken_as_one_object_and_told(place: Place) -> None:
    content = json.loads(json.dumps(LAKE))
    content["annotations"][1]["iscrowd"] = 1
    report = place.load(content)
    assert report.problems == ["Annotation 2 is a crowd (iscrowd); it is taken as one object."]
    assert report.masks == 3
