"""COCO per frame out: read by the reference's mask API, pixels against truth."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco

from sam_annotator.core.datasets.coco_export import export_coco
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.datasets.mask_export import ExportReport
from tests.small_dataset import HEIGHT, WIDTH, blob, compressed, document, ring, write_json


def export(folder: Path, content: Any, name: str = "coco.json") -> tuple[dict[str, Any], ExportReport]:
    source = read_dataset_json(write_json(folder / "dataset.json", content))
    report = list(export_coco(source, folder / name))[-1].report
    return json.loads((folder / name).read_text(encoding="ascii")), report


def test_every_frame_is_an_image_and_every_mask_an_annotation(tmp_path: Path) -> None:
    content = document({"b": (2, [(8, [ring(), None])]), "a": (2, [(3, [None, blob(1, 2)]), (3, [None, ring()])])})
    written, report = export(tmp_path, content)
    assert (report.videos, report.frames, report.objects, report.is_clean) == (2, 4, 3, True)
    names = [image["file_name"] for image in written["images"]]
    assert names == ["b/00000.jpg", "b/00001.jpg", "a/00000.jpg", "a/00001.jpg"]
    assert [category["name"] for category in written["categories"]] == ["dog", "red_panda"]
    found = [[a[key] for key in ("id", "image_id", "category_id", "track_id")] for a in written["annotations"]]
    assert found == [[1, 1, 2, 1], [2, 4, 1, 1], [3, 4, 1, 2]]
    for annotation, truth in zip(written["annotations"], (ring(), blob(1, 2), ring()), strict=True):
        rle = annotation["segmentation"]
        np.testing.assert_array_equal(coco.decode(rle), truth)
        assert annotation["area"] == coco.area(rle) == truth.sum()
        assert annotation["bbox"] == coco.toBbox(rle).tolist()
        assert rle["size"] == [HEIGHT, WIDTH]


def test_the_same_masks_give_the_same_bytes(tmp_path: Path) -> None:
    content = document({"é": (1, [(3, [ring()])])})
    for name in ("one.json", "two.json"):
        export(tmp_path, content, name)
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_mask_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    content = document({"a": (1, [(3, [ring()]), (3, [ring()])])})
    content["annotations"][0]["segmentations"] = [{**compressed(ring()), "counts": "1"}]
    written, report = export(tmp_path, content)
    assert [annotation["track_id"] for annotation in written["annotations"]] == [2]
    assert (len(report.problems), report.is_clean) == (1, False)
