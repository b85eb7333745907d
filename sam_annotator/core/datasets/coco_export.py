"""COCO per frame out: one image per frame, one annotation per mask, `track_id` for the object it is of.

Image detectors train on it, and evaluators compare frame by frame. The same masks always give the same bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from sam_annotator.core.categories import Category, categories_from_labels, describe_unknown_labels
from sam_annotator.core.datasets.mask_export import ExportProgress, ExportReport
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos, flat_names
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.masks import bounding_box, encode_rle


def export_coco(
    source: MaskedVideos,
    output: Path,
    *,
    categories: Sequence[Category] | None = None,
    categories_file: Path | None = None,
    force: bool = False,
) -> Iterator[ExportProgress]:
    """Write a COCO file of all frames that have an answer, also of those without objects.

    A generator; the file is written whole at its end, or not at all.

    Args:
        categories: fixed names and ids, read from `categories_file`; None: the labels that occur, sorted.

    Raises:
        InputError: the source has no usable video, the file is there (unless `force`), or labels are no categories.
        SaveError: the disk does not take it.
    """
    source.check()
    if output.exists() and not force:
        raise InputError(f"{output} is there already; write over it with --force, or choose another output.")
    folders = flat_names(video.name for video in source.videos)
    fixed = _settle(source.videos, categories, categories_file)
    document = _Document({category.name: category.id for category in fixed})
    report = ExportReport(output, problems=list(source.problems))
    total = sum(len(video.frames) for video in source.videos)
    for number, video in enumerate(source.videos, start=1):
        shown: set[int] = set()
        for position, frame in enumerate(video.frames):
            found = video.read(position)
            report.problems += found.problems
            if found.width and found.height:  # a file that could not be read is no frame without objects
                document.add(found, f"{folders[video.name]}/{frame}.jpg", video, number, position)
                report.frames += 1
                shown.update(found.masks)
            report.done += 1
            yield ExportProgress(video.name, report.done, total, report)
        report.videos += 1
        report.objects += len(shown)
    write_atomically(output, document.encode(fixed))


class _Document:
    """The images and annotations so far, as JSON already: masks take a tenth of what they would as objects."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        self._ids = ids
        self._images: list[bytes] = []
        self._annotations: list[bytes] = []

    def add(self, found: FrameMasks, file_name: str, video: MaskedVideo, number: int, position: int) -> None:
        """Add one frame of the video of this number."""
        image: dict[str, Any] = {
            "id": len(self._images) + 1,
            "file_name": file_name,
            "width": found.width,
            "height": found.height,
            "video_id": number,
            "frame_id": position,
        }
        self._images.append(_ascii(image))
        for object_id, mask in found.masks.items():
            left, top, right, bottom = bounding_box(mask) or (0, 0, 0, 0)
            annotation = {
                "id": len(self._annotations) + 1,
                "image_id": image["id"],
                "category_id": self._ids[video.labels[object_id]],
                "track_id": object_id,
                "iscrowd": 0,
                "area": int(np.count_nonzero(mask)),
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": encode_rle(mask),
            }
            self._annotations.append(orjson.dumps(annotation))

    def encode(self, categories: Sequence[Category]) -> bytes:
        """The whole file."""
        parts = {
            b"info": b"{}",
            b"licenses": b"[]",
            b"images": _list(self._images),
            b"categories": _list([_ascii(category.to_document()) for category in categories]),
            b"annotations": _list(self._annotations),
        }
        return b"{" + b",\n".join(b'"%s":%s' % part for part in parts.items()) + b"}\n"


def _settle(
    videos: Sequence[MaskedVideo], categories: Sequence[Category] | None, file: Path | None
) -> Sequence[Category]:
    """The categories of the file; every label has to be among them.

    Raises:
        InputError: some are not; they are listed with near names.
    """
    counts: dict[str, int] = {}
    for video in videos:
        for label in video.labels.values():
            counts[label] = counts.get(label, 0) + 1
    if categories is None:
        return categories_from_labels(counts)
    known = {category.name for category in categories}
    unknown = {label: count for label, count in counts.items() if label not in known}
    if unknown:
        raise InputError(describe_unknown_labels(unknown, categories, file or Path("categories")))
    return categories


def _ascii(document: Mapping[str, Any]) -> bytes:
    """JSON with other letters escaped: readers open the file in whatever encoding their machine prefers."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _list(documents: Sequence[bytes]) -> bytes:
    return b"[" + b",\n".join(documents) + b"]"
