"""Small datasets with known masks for the tests: frames on disk, and YouTube-VIS JSON written from the definition."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco

HEIGHT, WIDTH = 12, 17
CATEGORIES = [
    {"id": 3, "name": "dog", "supercategory": "object", "partition": 0},
    {"id": 8, "name": "red_panda", "supercategory": "object", "partition": 3},
]

Masks = Sequence[np.ndarray | None]
"""One object's mask in each frame; None where it is absent."""


def blob(left: int, top: int, width: int = 4, height: int = 3) -> np.ndarray:
    """A mask, bool (HEIGHT, WIDTH), of one rectangle."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def ring() -> np.ndarray:
    """A mask of two parts, one with a hole."""
    mask = blob(2, 2, 7, 7) ^ blob(4, 4, 2, 2)
    return mask | blob(12, 1, 3, 3)


def write_frames(root: Path, name: str, count: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """A video of black frames 00000.png, ..."""
    (root / name).mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", size).save(root / name / f"{index:05d}.png")


def compressed(mask: np.ndarray) -> dict[str, Any]:
    rle = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": rle["counts"].decode()}


def uncompressed(mask: np.ndarray) -> dict[str, Any]:
    """Run lengths down the columns, outside first."""
    flat = np.concatenate([[False], mask.T.reshape(-1)])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": list(mask.shape), "counts": np.diff(edges, prepend=0, append=mask.size).tolist()}


def document(videos: Mapping[str, tuple[int, Sequence[tuple[int, Masks]]]], encode: Any = compressed) -> dict[str, Any]:
    """A dataset: by name of the video its length and its objects, each a category id and masks."""
    entries, annotations = [], []
    for number, (name, (length, objects)) in enumerate(videos.items(), start=1):
        files = [f"{name}/{index:05d}.jpg" for index in range(length)]
        entries.append({"id": number, "width": WIDTH, "height": HEIGHT, "length": length, "file_names": files})
        for category, masks in objects:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": number,
                    "category_id": category,
                    "iscrowd": 0,
                    "segmentations": [None if mask is None else encode(mask) for mask in masks],
                }
            )
    return {"info": {}, "licenses": [], "videos": entries, "categories": [*CATEGORIES], "annotations": annotations}


def write_json(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
