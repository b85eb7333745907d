"""Whatever annotations and datasets say: a result or a sentence, never a traceback, and nothing lost in silence."""

import copy
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_annotator.core.annotation import FrameAnnotation, Shape, encode_annotation, read_annotation
from sam_annotator.core.datasets.convert_report import ConversionError, ConvertReport
from sam_annotator.core.datasets.importing import ImportOptions, ImportReport, import_masks
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.errors import InputError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import HEIGHT, WIDTH, Tree, polygon
from tests.small_dataset import blob, compressed, document, ring, uncompressed, write_frames

AREA = ("polygon", "mask", "rectangle", "circle", "oriented_rectangle")

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([2**31, 2**63, -(2**70), 1e308, -0.0, 0.5])
    | st.sampled_from(["", " ", "swan", "polygon", "mask", "iVBORw0KGgo=", "\\x00", "Ünïcode", "0" * 40, "no\npe"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "points", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)


DEEP = {f"deep {depth}": depth for depth in (2, 60, 300, 2000, 30_000)}
"""Stand for lists in lists, as deep as that; the JSON module of Python could not write them."""


def spoil(data: st.DataObject, whole: Any, times: int) -> Any:
    """The same tree of JSON with something else in some places, or nothing; see `dumped`."""
    whole = copy.deepcopy(whole)
    for _ in range(times):
        place = whole
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and data.draw(st.booleans()):
                place = place[key]
                continue
            spoil_entry(data, place, key)
            break
    return whole


def spoil_entry(data: st.DataObject, place: Any, key: Any) -> None:
    value = place[key]
    ways = ["other", "other", "gone", "deep", "wrapped"]
    ways += ["an entry of it"] * bool(isinstance(value, dict | list) and value) + ["twice"] * isinstance(place, list)
    match data.draw(st.sampled_from(ways)):
        case "other":
            place[key] = data.draw(odd_values)
        case "gone":
            del place[key]
        case "deep":
            place[key] = data.draw(st.sampled_from(sorted(DEEP)))
        case "wrapped":
            place[key] = [value]
        case "an entry of it":
            place[key] = data.draw(st.sampled_from(list(value.values() if isinstance(value, dict) else value)))
        case "twice":
            place.append(copy.deepcopy(value))


def dumped(content: Any) -> str:
    text = json.dumps(content)
    for name, depth in DEEP.items():
        text = text.replace(f'"{name}"', "[" * depth + "]" * depth)
    return text


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


MASK = Shape("duck", ((3.0, 4.0), (12.0, 13.0)), "mask", 2, mask=np.eye(10, dtype=bool))
FRAME = json.loads(
    encode_annotation(FrameAnnotation("x.jpg", WIDTH, HEIGHT, (polygon(1), MASK, polygon(None, "goat"), polygon(1))))
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), null_group=st.sampled_from(["error", "skip", "per-label"]))
def test_spoiled_annotations_become_a_dataset_or_sentences_and_every_object_is_accounted_for(
    data: st.DataObject, null_group: Any
) -> None:
    with folder() as place:
        tree = Tree(place)
        tree.video("bear", 2)
        documents = [spoil(data, FRAME, data.draw(st.integers(0, 4))) for _ in range(2)]
        for index, content in enumerate(documents):
            path = tree.annotations / "bear" / f"{index:05d}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dumped(content))
        try:
            report = tree.convert(draw=DrawOptions(null_group=null_group))
        except ConversionError as caught:
            problems = caught.problems
            assert problems
            assert all(str(place) in problem or "bear" in problem for problem in problems)
            return
        account_for(report, [shape for content in documents for shape in content["shapes"]], null_group)
        tree.load()


def account_for(report: ConvertReport, shapes: list[dict[str, Any]], null_group: str) -> None:
    counts = {finding.reason: 0 for finding in report.findings}
    for finding in report.findings:
        counts[finding.reason] += finding.count
    covering = [shape for shape in shapes if (shape.get("shape_type") or "polygon") in AREA]
    owned = [shape for shape in covering if shape.get("group_id") is not None]
    unowned = [shape for shape in covering if shape.get("group_id") is None]
    assert counts.get("no-area", 0) == len(shapes) - len(covering)
    objects = {float(shape["group_id"]) for shape in owned}
    if null_group == "per-label":
        joined = {shape["label"].strip() for shape in unowned}
        assert counts.get("joined-by-label", 0) == len(unowned)
    else:
        joined = set()
        assert counts.get("no-object-id", 0) == len(unowned)
    assert len(objects) + len(joined) == report.objects + len(report.empty_objects)


DATASET = document(
    {
        "lake": (2, [(3, [blob(1, 1), None]), (8, [ring(), ring()])]),
        "hill": (1, [(3, [blob(2, 2)])]),
    }
)
DATASET["annotations"][1]["segmentations"][1] = uncompressed(ring())
DATASET["annotations"][2]["segmentations"][0] = [[1.0, 1.0, 8.0, 1.0, 8.0, 7.5]]
DATASET = json.loads(json.dumps(DATASET))


COCO = {
    "images": [
        {"id": 4, "file_name": "lake/00000.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 5, "file_name": "lake/00001.jpg", "width": WIDTH, "height": HEIGHT},
        {"id": 9, "file_name": "hill/00000.jpg", "width": WIDTH, "height": HEIGHT},
    ],
    "categories": DATASET["categories"],
    "annotations": [
        {"id": 11, "image_id": 4, "category_id": 3, "object_id": 1, "segmentation": compressed(blob(1, 1))},
        {"id": 12, "image_id": 5, "category_id": 3, "object_id": 1, "segmentation": uncompressed(ring())},
        {"id": 13, "image_id": 5, "category_id": 8, "object_id": 2, "segmentation": [[1.0, 1.0, 8.0, 1.0, 8.0, 7.5]]},
        {"id": 14, "image_id": 9, "category_id": 3, "object_id": 1, "segmentation": compressed(blob(2, 2))},
    ],
}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), kind=st.sampled_from(["YouTube-VIS", "YouTube-VIS", "COCO"]))
def test_spoiled_datasets_are_imported_or_told_and_every_annotation_is_accounted_for(
    data: st.DataObject, kind: str
) -> None:
    with folder() as place:
        write_frames(place / "videos", "lake", 2)
        write_frames(place / "videos", "hill", 1)
        content = spoil(data, DATASET if kind == "YouTube-VIS" else COCO, data.draw(st.integers(0, 4)))
        path = place / "dataset.json"
        path.write_text(dumped(content))
        try:
            source = read_dataset_json(path)
            videos, store = find_videos(place / "videos"), AnnotationStore(place / "annotations")
            *_steps, last = import_masks(source, videos, store, ImportOptions())
        except InputError:
            return
        report = last.report
        assert not report.kept
        assert len(list((place / "annotations").rglob("*.json"))) == sum(report.frames.values())
        if isinstance(content["annotations"], list):
            account_for_import(report, content["annotations"], kind, tracks_in(place / "annotations"))
        else:
            assert report.problems


def tracks_in(annotations: Path) -> Counter[tuple[Any, ...]]:
    """How many masks each track has: by video, object id, and the id that its annotation had in the dataset."""
    tracks: Counter[tuple[Any, ...]] = Counter()
    for path in annotations.rglob("*.json"):
        for shape in read_annotation(path).shapes:
            tracks[path.parent.name, shape.object_id, shape.extra.get("annotation_id")] += 1
    return tracks


def account_for_import(report: ImportReport, given: list[Any], kind: str, tracks: Counter[tuple[Any, ...]]) -> None:
    """Each annotation is in the tree with all its masks, or one sentence speaks of it, or of all of its video."""
    assert sum(tracks.values()) == report.masks
    told = [problem for problem in report.problems if "is a crowd" not in problem]
    if kind == "COCO":
        assert report.masks + lost_in(told) >= len(given)
    else:
        assert len(tracks) == report.objects
        assert report.objects + len(report.without_mask) + lost_in(told) >= len(given)
        masks = sum(mask is not None for one in given for mask in listed(one))
        assert report.masks == masks or told or report.without_mask
    if not told:
        assert report.objects + len(report.without_mask) == len(tracks if kind == "COCO" else given)


def listed(annotation: Any) -> list[Any]:
    found = annotation.get("segmentations") if isinstance(annotation, dict) else None
    return found if isinstance(found, list) else []


def lost_in(problems: list[str]) -> int:
    """At most so many annotations are lost by what these sentences tell."""
    total = 0
    for problem in problems:
        several = re.search(r"is left out with (\d+) annotations", problem)
        whole_videos = "without a folder" in problem or "has the folder" in problem or "not in" in problem
        total += int(several[1]) if several else 10**6 if whole_videos else not problem.startswith("Entry")
    return total
