"""COCO per frame out: one image per frame, one annotation per mask, `track_id` for the object it is of.

Image detectors train on it, and evaluators compare frame by frame. The same masks always give the same bytes. What is
written leaves memory at once; so the images, of which only the numbers are known before, stand behind the annotations.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import orjson

from sam_annotator.core.categories import Category, categories_from_labels, describe_unknown_labels
from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.mask_export import ExportProgress, ExportReport
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos, flat_names
from sam_annotator.core.datasets.writable import check_writable
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import remove_halves, replacing
from sam_annotator.core.masks import bounding_box, encode_rle
from sam_annotator.core.remedies import Remedy


def export_coco(
    source: MaskedVideos,
    output: Path,
    *,
    categories: Sequence[Category] | None = None,
    categories_file: Path | None = None,
    drop_unknown: bool = False,
    force: bool = False,
    dry_run: bool = False,
    found: Sequence[Finding] = (),
) -> Iterator[ExportProgress]:
    """Write a COCO file of all frames that have an answer, also of those without objects.

    A generator; the file is written whole at its end, or not at all.

    Args:
        categories: fixed names and ids, read from `categories_file`; None: the labels that occur, sorted.
        drop_unknown: leave out objects of other labels, and tell of them.
        dry_run: go through everything, write nothing.
        found: what came up beforehand; it goes into the report.

    Raises:
        InputError: the source has no usable video, the file is there (unless `force`), or labels are no categories.
        SaveError: the disk does not take it.
    """
    check_coco_output(output, force=force)
    source.check()
    folders = flat_names(video.name for video in source.videos)
    report = ExportReport(output, findings=list(found), is_dry_run=dry_run)
    for problem in source.problems:
        report.lose("not-usable", problem)
    fixed = _settle(source.videos, categories, categories_file, report if drop_unknown else None)
    if not dry_run:
        remove_halves(output.parent, output.name)  # what a killed export left
    with _target(output, dry_run) as stream:
        document = _Document(stream, fixed)
        total = sum(len(video.frames) for video in source.videos)
        for number, video in enumerate(source.videos, start=1):
            shown: set[int] = set()
            for position, frame in enumerate(video.frames):
                here = video.read(position)
                for problem in here.problems:
                    report.lose("not-usable", problem, video=video.name)
                if here.is_known:  # what could not be read is no frame without objects
                    shown.update(document.add(here, f"{folders[video.name]}/{frame}.jpg", video, number, position))
                    report.frames += 1
                report.done += 1
                yield ExportProgress(video.name, report.done, total, report)
            report.videos += 1
            report.objects += len(shown)
        document.finish()


def _target(output: Path, dry_run: bool) -> AbstractContextManager[BinaryIO]:
    return Path(os.devnull).open("wb") if dry_run else replacing(output)


def check_coco_output(output: Path, *, force: bool) -> None:
    """Raises InputError where the file cannot be written."""
    if output.is_dir():
        raise InputError(f"{output} is a folder; name a file for COCO, such as {output / 'annotations.json'}.")
    if output.exists() and not force:
        raise InputError(f"{output} is there already", Remedy.WRITE_OVER)
    check_writable([output])


class _Document:
    """A COCO file in the making. Memory holds the images, which are few and small, as JSON already."""

    def __init__(self, stream: BinaryIO, categories: Sequence[Category]) -> None:
        self._stream = stream
        self._ids = {category.name: category.id for category in categories}
        self._images: list[bytes] = []
        self._annotations = 0
        listed = b",\n".join(_ascii(category.to_document()) for category in categories)
        stream.write(b'{"info":{},\n"licenses":[],\n"categories":[' + listed + b'],\n"annotations":[')

    def add(self, found: FrameMasks, file_name: str, video: MaskedVideo, number: int, position: int) -> Iterator[int]:
        """Add one frame of the video of this number. Gives the objects that are in it, one by one."""
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
            if video.labels[object_id] not in self._ids:
                continue
            left, top, right, bottom = bounding_box(mask) or (0, 0, 0, 0)
            self._annotations += 1
            annotation = {
                "id": self._annotations,
                "image_id": image["id"],
                "category_id": self._ids[video.labels[object_id]],
                "track_id": object_id,
                "iscrowd": 0,
                "area": int(np.count_nonzero(mask)),
                "bbox": [left, top, right - left, bottom - top],
                "segmentation": encode_rle(mask),
            }
            self._stream.write((b",\n" if self._annotations > 1 else b"") + orjson.dumps(annotation))
            yield object_id

    def finish(self) -> None:
        """Write what stands behind the annotations."""
        self._stream.write(b'],\n"images":[' + b",\n".join(self._images) + b"]}\n")


def _settle(
    videos: Sequence[MaskedVideo], categories: Sequence[Category] | None, file: Path | None, losses: ExportReport | None
) -> Sequence[Category]:
    """The categories of the file; every label has to be among them, unless others may be lost, which `losses` is told.

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
    if losses is None and unknown:
        what = describe_unknown_labels(unknown, categories, file or Path("categories"))
        raise InputError(what, Remedy.MEND_LABELS)
    for label, count in sorted(unknown.items()):
        assert losses is not None
        losses.lose("unknown-label", f"{count} objects labelled {label!r}: {file} has no such name.", count=count)
    return categories


def _ascii(document: Mapping[str, Any]) -> bytes:
    """JSON with other letters escaped: readers open the file in whatever encoding their machine prefers."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")
