"""Datasets in JSON as others write them: every encoding read, every fault named, never a traceback."""

import json
import os
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from sam_annotator.core.datasets.json_source import read_dataset_json, reading_dataset_json
from sam_annotator.core.datasets.json_video import decode_segmentation
from sam_annotator.core.datasets.masked_video import MaskedVideos
from sam_annotator.core.errors import InputError
from tests.small_dataset import (
    CATEGORIES,
    HEIGHT,
    WIDTH,
    blob,
    compressed,
    document,
    ring,
    uncompressed,
    write_json,
)


def read(tmp_path: Path, content: Any) -> MaskedVideos:
    return read_dataset_json(write_json(tmp_path / "dataset.json", content))


def one_object(*masks: Any) -> dict[str, Any]:
    """A dataset of the video `lake` with one dog; `masks` as the file shall have them."""
    content = document({"lake": (len(masks), [(3, [])])})
    content["annotations"][0]["segmentations"] = list(masks)
    return content


@pytest.mark.parametrize("encode", [compressed, uncompressed], ids=["compressed", "uncompressed"])
def test_run_lengths_of_both_kinds_give_the_pixels(tmp_path: Path, encode: Any) -> None:
    content = document({"lake": (3, [(3, [blob(1, 1), None, ring()]), (8, [None, blob(5, 5), None])])}, encode)
    (video,) = read(tmp_path, content).videos
    assert (video.name, video.frames) == ("lake", ("00000", "00001", "00002"))
    assert video.labels == {1: "dog", 2: "red_panda"}
    found = [video.read(position).masks for position in range(3)]
    assert [sorted(masks) for masks in found] == [[1], [2], [1]]
    np.testing.assert_array_equal(found[2][1], ring())
    np.testing.assert_array_equal(found[1][2], blob(5, 5))


def test_polygons_are_drawn_as_the_coco_api_draws_them(tmp_path: Path) -> None:
    polygons = [[1.0, 1, 8, 2, 6.5, 9], [10, 3, 15, 3, 15, 8, 10, 8]]
    (video,) = read(tmp_path, one_object(polygons)).videos
    expected = coco.decode(coco.merge(coco.frPyObjects(polygons, HEIGHT, WIDTH)))
    np.testing.assert_array_equal(video.read(0).masks[1], expected)


def test_a_list_without_polygons_and_an_empty_mask_are_absence_and_told(tmp_path: Path) -> None:
    (video,) = read(tmp_path, one_object([], compressed(blob(0, 0, 0, 0)), None)).videos
    found = [video.read(position) for position in range(3)]
    assert [(frame.masks, len(frame.problems), frame.unknown_ids) for frame in found] == [
        ({}, count, frozenset()) for count in (1, 1, 0)
    ]
    assert "frame 00001: the mask has no pixel" in found[1].problems[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": [3, 4]}, "the runs add up to 7 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": "~~~"}, "cut off or hold foreign characters"),
        ({"size": [HEIGHT, WIDTH], "counts": compressed(ring())["counts"][:-2]}, ""),
        ({"size": [10**9, 10**9], "counts": "0"}, "the video's is [12, 17]"),
        ({"counts": [HEIGHT * WIDTH]}, "its size is None"),
        ({"size": [HEIGHT, WIDTH], "counts": [[1], [2]]}, "the counts hold a list, but are whole numbers"),
        ({"size": [HEIGHT, WIDTH], "counts": [HEIGHT * WIDTH - 0.5]}, "the counts hold a float"),
        ({"size": [HEIGHT, WIDTH], "counts": [float(HEIGHT * WIDTH)]}, "the counts hold a float"),
        ({"size": [HEIGHT, WIDTH], "counts": [str(HEIGHT * WIDTH)]}, "the counts hold a str"),
        ({"size": [HEIGHT, WIDTH], "counts": [True, HEIGHT * WIDTH - 1]}, "the counts hold a bool"),
        ({"size": [HEIGHT, WIDTH], "counts": [2**80, HEIGHT * WIDTH - 2**80]}, "this is no run-length encoding"),
        ([[1, 2, 3, 4]], "of three points or more"),
        ([[1, 2, 3, 4, 5, None]], "has None for a number"),
        ([[1, 2, 3, 4, 5, 1e300]], "far outside the image"),
        ("dog", "a str is no run-length encoding"),
        (7, "a int is no run-length encoding"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named_and_the_others_are_read(tmp_path: Path, bad: Any, reason: str) -> None:
    content = one_object(bad, compressed(ring()))
    content["annotations"].append({**content["annotations"][0], "id": 2, "segmentations": [compressed(ring()), None]})
    (video,) = read(tmp_path, content).videos
    found = video.read(0)
    assert sorted(found.masks) == [2]
    assert found.unknown_ids == {1}
    (problem,) = found.problems
    assert problem.startswith("Video lake, object 1 (dog), frame 00000: the mask cannot be used; ")
    assert reason in problem
    assert sorted(video.read(1).masks) == [1]


def test_our_own_object_ids_come_back_and_others_number_objects_in_their_video(tmp_path: Path) -> None:
    content = document({"a": (1, [(3, [ring()]), (8, [ring()])]), "b": (1, [(3, [ring()]), (3, [ring()])])})
    for annotation, object_id in zip(content["annotations"], (7, 0, 4, 4), strict=True):
        annotation["object_id"] = object_id
    first, second = read(tmp_path, content).videos
    assert first.labels == {7: "dog", 0: "red_panda"}
    assert second.labels == {1: "dog", 2: "dog"}, "an id twice tells nothing apart"


@pytest.mark.parametrize("missing", [None, "drop", []], ids=["null", "no key", "none"])
def test_the_part_for_tests_without_annotations_is_one_sentence(tmp_path: Path, missing: Any) -> None:
    content = document({"lake": (1, [])})
    content["annotations"] = missing
    if missing == "drop":
        del content["annotations"]
    with pytest.raises(InputError, match="holds no annotations"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", [[], {}, {"shapes": []}, 3])
def test_what_is_no_dataset_is_one_sentence(tmp_path: Path, content: Any) -> None:
    with pytest.raises(InputError, match="is no dataset of YouTube-VIS or COCO"):
        read(tmp_path, content)


def test_what_is_no_json_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    with pytest.raises(InputError, match="cannot be read"):
        read_dataset_json(path)
    path.write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_dataset_json(path)


def test_entries_that_cannot_be_used_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    content = document({"a": (2, [(3, [ring(), None])]), "b": (1, [(3, [ring()])]), "c": (1, [(8, [ring()])])})
    content["videos"][1].pop("width")
    content["annotations"] += [
        {**content["annotations"][0], "id": 21, "category_id": 99},
        {**content["annotations"][0], "id": 22, "video_id": "nowhere"},
        {**content["annotations"][0], "id": 23, "segmentations": None},
        {**content["annotations"][0], "id": 24, "segmentations": [compressed(ring())]},
        "nothing",
    ]
    source = read(tmp_path, content)
    assert [(video.name, dict(video.labels)) for video in source.videos] == [
        ("a", {1: "dog", 3: "dog"}),
        ("c", {1: "red_panda"}),
    ]
    told = "\n".join(source.problems)
    for part in (
        "Video b has no width and height and is left out with 1 annotations.",
        "Annotation 21 is left out: its category_id 99 is that of no category.",
        "Annotation 22 is left out: its video_id 'nowhere' is that of none in 'videos'.",
        "Video a, object 2 (dog) has no segmentations; it is left out.",
        "Video a, object 3 (dog) has 1 segmentations for 2 frames",
        "Annotation number 7 is left out: it is no object.",
    ):
        assert part in told
    assert len(source.problems) == 6


def test_coco_per_frame_becomes_videos_by_folder_with_tracks(tmp_path: Path) -> None:
    images = [
        {"id": 10, "file_name": "a/f_10.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 11, "file_name": "a/f_9.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 12, "file_name": "b/1.jpg", "width": WIDTH, "height": HEIGHT},
    ]
    parts = [(10, 5, blob(1, 1)), (10, 5, blob(9, 6)), (11, 5, ring()), (11, 6, blob(3, 3))]
    annotations = [
        {"id": n, "image_id": image, "category_id": 3, "track_id": track, "segmentation": uncompressed(mask)}
        for n, (image, track, mask) in enumerate(parts)
    ]
    annotations.append({"id": 9, "image_id": 12, "category_id": 8, "segmentation": [[1, 1, 6, 1, 6, 6]]})
    content = {"videos": [{"id": 1}], "images": images, "categories": CATEGORIES, "annotations": annotations}
    source = read(tmp_path, content)
    a, b = source.videos
    assert (a.name, a.frames, a.labels) == ("a", ("f_9", "f_10"), {5: "dog", 6: "dog"})
    np.testing.assert_array_equal(a.read(1).masks[5], blob(1, 1) | blob(9, 6))
    np.testing.assert_array_equal(a.read(0).masks[5], ring())
    assert (b.name, b.labels, list(b.read(0).masks)) == ("b", {1: "red_panda"}, [1])
    assert source.problems == ()


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["id", "size", "counts"]), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(segmentation=JUNK | st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]), "counts": JUNK | st.binary()}))
def test_any_segmentation_is_a_mask_or_a_sentence(segmentation: Any) -> None:
    with suppress(ValueError):
        mask = decode_segmentation(segmentation, HEIGHT, WIDTH)
        assert mask.shape == (HEIGHT, WIDTH)
        assert mask.dtype == bool


KEYS = ["id", "name", "video_id", "category_id", "segmentations", "file_names", "width", "height", "object_id"]
ENTRY = st.dictionaries(st.sampled_from(KEYS), JUNK | st.lists(st.text(max_size=3), max_size=3))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tree_of_entries_is_read_without_a_silent_loss(tmp_path: Path, data: st.DataObject) -> None:
    content = document({"a": (2, [(3, [ring(), None]), (8, [None, ring()])]), "b": (1, [(3, [ring()])])})
    for key in ("videos", "categories", "annotations"):
        entries = content[key]
        for at in data.draw(st.lists(st.integers(0, len(entries) - 1), max_size=2), label=key):
            change = data.draw(ENTRY | JUNK)
            entries[at] = {**entries[at], **change} if isinstance(change, dict) and change else change
            if not isinstance(entries[at], dict):
                break
    source = read(tmp_path, content)
    objects = sum(len(video.labels) for video in source.videos)
    assert objects == 3 or source.problems
    for video in source.videos:
        for position in range(len(video.frames)):
            video.read(position)


def test_the_order_of_the_keys_and_of_the_annotations_says_nothing(tmp_path: Path) -> None:
    content = document({"lake": (2, [(3, [blob(1, 1), None])]), "sea": (1, [(8, [ring()]), (3, [blob(2, 2)])])})
    turned = dict(reversed(content.items())) | {"annotations": content["annotations"][::-1]}
    straight, other = read(tmp_path, content).videos, read_dataset_json(write_json(tmp_path / "b.json", turned)).videos
    assert [(video.name, video.frames) for video in other] == [(video.name, video.frames) for video in straight]
    np.testing.assert_array_equal(other[0].read(0).masks[1], blob(1, 1))
    np.testing.assert_array_equal(other[1].read(0).masks[2], ring())


def test_reading_tells_how_far_it_is_from_the_start_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam_annotator.core.datasets.json_source._TOLD_EVERY", 100)
    monkeypatch.setattr("sam_annotator.core.json_look._PIECE", 100)
    path = write_json(tmp_path / "x.json", document({"lake": (1, [(3, [ring()])] * 9)}))
    steps = list(reading_dataset_json(path))
    size = path.stat().st_size
    assert {step.total for step in steps} == {size}
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[0].done == 0, "before the file is looked into"
    assert steps[-1].done == steps[-1].total
    assert len([step for step in steps if 0 < step.done <= size // 4]) >= 9, "while it is looked over"
    assert len([step for step in steps if size // 4 < step.done < size]) >= 8, "and while it is read"


@pytest.mark.parametrize("how", ["cut short", "other bytes", "other values", "gone"])
def test_a_dataset_that_is_changed_at_any_moment_of_its_reading_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("sam_annotator.core.datasets.json_source._TOLD_EVERY", 1)
    monkeypatch.setattr("sam_annotator.core.json_look._PIECE", 64)
    content = document({"lake": (2, [(3, [ring(), blob(1, 1)])] * 4)})
    path = tmp_path / "x.json"
    for moment in range(1, 1000):
        write_json(path, content)
        steps = reading_dataset_json(path)
        step = [next(steps) for _ in range(moment)][-1]
        if step.done == step.total:
            break
        spoil_file(path, how)
        with pytest.raises(InputError, match=r"was changed while|cannot be read|not valid JSON|is no dataset"):
            list(steps)
    assert moment > 15


def spoil_file(path: Path, how: str) -> None:
    size = path.stat().st_size
    match how:
        case "cut short":
            os.truncate(path, size // 3)
        case "other bytes":
            with path.open("r+b") as stream:
                stream.write(b"~" * size)
        case "other values":
            path.write_text(json.dumps([1] * size))
        case _:
            path.unlink()


@pytest.mark.parametrize("how", ["cut short", "other bytes", "other values", "gone"])
def test_a_dataset_that_is_changed_before_its_masks_are_read_is_one_sentence(tmp_path: Path, how: str) -> None:
    path = write_json(tmp_path / "x.json", document({"lake": (2, [(3, [ring(), blob(1, 1)])] * 4)}))
    (video,) = read_dataset_json(path).videos
    spoil_file(path, how)
    with pytest.raises(InputError, match=r"was changed while|cannot be read any more"):
        video.read(0)


def test_a_worker_in_another_folder_reads_the_same_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "x.json", document({"lake": (1, [(3, [ring()])])}))
    monkeypatch.chdir(tmp_path)
    (video,) = read_dataset_json(Path("x.json")).videos
    sent = pickle.dumps(video)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    np.testing.assert_array_equal(pickle.loads(sent).read(0).masks[1], ring())
    assert len(sent) < 1500, "not the masks are sent, but where they stand"


def test_what_is_nested_beyond_all_masks_is_a_problem_and_annotations_that_are_no_list_too(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(300):
        deep = [deep]
    content = document({"lake": (1, [(3, [blob(1, 1)])])})
    content["annotations"][0]["segmentations"] = [deep]
    found = read(tmp_path, content).videos[0].read(0)
    assert not found.masks
    assert "the mask cannot be used" in found.problems[0]
    content["annotations"] = content["annotations"][0]
    assert "'annotations' is no list; nothing of it can be read." in read(tmp_path, content).problems


def test_of_frames_beyond_the_end_of_its_list_nothing_is_known_of_an_object(tmp_path: Path) -> None:
    content = document({"lake": (3, [(3, [blob(1, 1), None, blob(2, 2)]), (8, [ring(), ring(), ring()])])})
    del content["annotations"][0]["segmentations"][1:]
    video = read(tmp_path, content).videos[0]
    assert [sorted(video.read(position).unknown_ids) for position in range(3)] == [[], [1], [1]]
