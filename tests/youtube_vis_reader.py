"""A YouTube-VIS API for the tests, written from the format's definition: what a reader of our datasets relies on.

Like the reference API it takes the file as it is (a dict at the root, `segmentations` per annotation) and decodes a
mask with the height and width of the *video*.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco


class YoutubeVis:
    """An instances file, indexed.

    Attributes:
        videos, annotations, categories: the entries by id.
        annotations_of_video: video id -> annotations; videos_of_category: category id -> video ids.
    """

    def __init__(self, path: Path) -> None:
        with path.open(encoding="ascii") as stream:  # any reader's default encoding must do
            self.dataset: dict[str, Any] = json.load(stream)
        assert isinstance(self.dataset, dict)
        self.videos = _by_id(self.dataset["videos"])
        self.annotations = _by_id(self.dataset["annotations"])
        self.categories = _by_id(self.dataset["categories"])
        self.annotations_of_video: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.videos_of_category: dict[int, list[int]] = defaultdict(list)
        for annotation in self.dataset["annotations"]:
            self.annotations_of_video[annotation["video_id"]].append(annotation)
            self.videos_of_category[annotation["category_id"]].append(annotation["video_id"])

    def video(self, name: str) -> dict[str, Any]:
        """The video whose frames lie in the folder `name`."""
        found = [video for video in self.videos.values() if video["file_names"][0].split("/")[0] == name]
        assert len(found) == 1
        return found[0]

    def category_name(self, annotation: dict[str, Any]) -> str:
        return self.categories[annotation["category_id"]]["name"]

    def rle(self, annotation: dict[str, Any], frame: int) -> dict[str, Any] | None:
        video = self.videos[annotation["video_id"]]
        height, width = video["height"], video["width"]
        segmentation = annotation["segmentations"][frame]
        if segmentation is None:
            return None
        if isinstance(segmentation, list):
            return coco.merge(coco.frPyObjects(segmentation, height, width))
        if isinstance(segmentation["counts"], list):
            return coco.frPyObjects(segmentation, height, width)
        return segmentation

    def mask(self, annotation: dict[str, Any], frame: int) -> np.ndarray | None:
        """bool (height, width), or None where the object is absent."""
        rle = self.rle(annotation, frame)
        return None if rle is None else coco.decode(rle).astype(bool)


def check_consistency(reader: YoutubeVis) -> None:
    """What one or another consumer of YouTube-VIS files relies on, asserted for each entry."""
    assert list(reader.dataset) == ["info", "licenses", "videos", "categories", "annotations"]
    assert sorted(reader.videos) == list(range(1, len(reader.videos) + 1))
    assert sorted(reader.annotations) == list(range(1, len(reader.annotations) + 1))
    for video in reader.videos.values():
        _check_video(video)
    for annotation in reader.annotations.values():
        _check_annotation(reader, annotation)


def _check_video(video: dict[str, Any]) -> None:
    assert video["length"] == len(video["file_names"]) == len(set(video["file_names"]))
    assert len({name.split("/")[0] for name in video["file_names"]}) == 1
    assert all(name.count("/") == 1 and "\\" not in name and name.endswith(".jpg") for name in video["file_names"])


def _check_annotation(reader: YoutubeVis, annotation: dict[str, Any]) -> None:
    video = reader.videos[annotation["video_id"]]
    assert annotation["category_id"] in reader.categories
    assert annotation["iscrowd"] == 0
    assert [annotation[key] for key in ("width", "height", "length")] == [
        video[key] for key in ("width", "height", "length")
    ]
    lists = [annotation[key] for key in ("segmentations", "bboxes", "areas")]
    assert [len(entries) for entries in lists] == [video["length"]] * 3
    assert any(entry is not None for entry in lists[0]), "an object that is nowhere counts as a miss"
    for frame, (segmentation, box, area) in enumerate(zip(*lists, strict=True)):
        if segmentation is None:
            assert (box, area) == (None, None)
        else:
            _check_mask(reader, annotation, frame, box, area)


def _check_mask(reader: YoutubeVis, annotation: dict[str, Any], frame: int, box: list[Any], area: int) -> None:
    video = reader.videos[annotation["video_id"]]
    segmentation = annotation["segmentations"][frame]
    assert segmentation["size"] == [video["height"], video["width"]]
    assert isinstance(segmentation["counts"], str | list)
    mask = reader.mask(annotation, frame)
    assert mask is not None
    assert type(area) is int
    assert area == mask.sum() > 0
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert box == [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]


def _by_id(entries: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    found = {entry["id"]: entry for entry in entries}
    assert len(found) == len(entries), "an id occurs twice"
    return found
