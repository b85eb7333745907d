"""Indexed PNG masks out, as DAVIS and YouTube-VOS have them.

    OUTPUT/Annotations/<video>/<frame>.png   a pixel's value is the object's id, 0 where there is none
    OUTPUT/meta.json                         what the objects are, as in YouTube-VOS, and their own ids

The same masks always give the same bytes.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.davis_masks import MASK_FOLDER, META, VOID, davis_palette
from sam_annotator.core.datasets.mask_export import OVERLAP, ExportProgress, ExportReport
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos, flat_names
from sam_annotator.core.datasets.writable import check_writable
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import remove_halves, write_atomically
from sam_annotator.core.masks import label_map
from sam_annotator.core.raster import Mask
from sam_annotator.core.remedies import Remedy

MOST_OBJECTS: Final = VOID - 1
"""Ids are one byte, and the last is taken: 255 means undecided."""


def export_davis(
    source: MaskedVideos,
    output: Path,
    *,
    force: bool = False,
    dry_run: bool = False,
    found: Sequence[Finding] = (),
) -> Iterator[ExportProgress]:
    """Write indexed PNGs of all frames that have an answer; those without objects are all 0.

    A generator: each frame is written before it is yielded; meta.json comes last.

    Args:
        dry_run: go through everything, write nothing.
        found: what came up beforehand; it goes into the report.

    Raises:
        InputError: the source has no usable video, the output has masks already (unless `force`), or two videos would
            have one folder.
        SaveError: the disk does not take it.
    """
    check_davis_output(output, force=force)
    source.check()
    folders = flat_names(video.name for video in source.videos)
    report = ExportReport(output, findings=list(found), is_dry_run=dry_run)
    for problem in source.problems:
        report.lose("not-usable", problem)
    total = sum(len(video.frames) for video in source.videos)
    meta: dict[str, Any] = {}
    for video in source.videos:
        if not dry_run:  # what a killed export left
            remove_halves(output / MASK_FOLDER / folders[video.name])
        export = _VideoExport(video, folders[video.name], report)
        for position in range(len(video.frames)):
            export.write(position)
            report.done += 1
            yield ExportProgress(video.name, report.done, total, report)
        meta[folders[video.name]] = {"objects": export.finish()}
    if not dry_run:
        remove_halves(output, META)
        write_atomically(output / META, orjson.dumps({"videos": meta}, option=orjson.OPT_INDENT_2))


def check_davis_output(output: Path, *, force: bool) -> None:
    """Raises InputError where the masks cannot be written."""
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; name a folder for the masks, or FILE.json for COCO.")
    if not force and ((output / META).exists() or (output / MASK_FOLDER).exists()):
        raise InputError(f"{output} has masks already", Remedy.WRITE_OVER_MASKS)
    check_writable([output / META], [output / MASK_FOLDER])


class _VideoExport:
    """The PNGs of one video.

    Attributes:
        seen: the frames in which each object has a pixel, by object id.
    """

    def __init__(self, video: MaskedVideo, folder: str, report: ExportReport) -> None:
        self._video, self._folder, self._report = video, folder, report
        self._values = _values(video, report)
        self.seen: dict[int, list[str]] = {object_id: [] for object_id in self._values}

    def write(self, position: int) -> None:
        """Write one frame, and tell of what of it is lost."""
        found = self._video.read(position)
        for problem in found.problems:
            self._report.lose("not-usable", problem, video=self._video.name)
        if not found.is_known:  # to write zeros would be to say 'nothing'
            return
        frame = self._video.frames[position]
        masks = {i: found.masks[i] for i in sorted(found.masks) if i in self._values}
        pixels = self._draw(masks, found, frame)
        if not self._report.is_dry_run:
            path = self._report.output / MASK_FOLDER / self._folder / f"{frame}.png"
            write_atomically(path, _encode(pixels))
        self._report.frames += 1

    def finish(self) -> dict[str, Any]:
        """What meta.json says of the objects."""
        self._report.videos += 1
        self._report.objects += sum(bool(frames) for frames in self.seen.values())
        return {
            str(value): {"category": self._video.labels[i], "frames": self.seen[i], "object_id": i}
            for i, value in self._values.items()
            if self.seen[i]
        }

    def _draw(self, masks: Mapping[int, Mask], found: FrameMasks, frame: str) -> NDArray[np.uint8]:
        values = {self._values[i]: mask for i, mask in masks.items()}
        pixels = label_map(values, found.height, found.width).astype(np.uint8)
        shown = np.bincount(pixels.reshape(-1), minlength=256)
        file, name = f"{self._folder}/{frame}.png", self._video.name
        for object_id, mask in masks.items():
            if shown[self._values[object_id]]:
                self.seen[object_id].append(frame)
            elif mask.any():
                what = f"object {object_id} ({self._video.labels[object_id]})"
                text = f"{file}: {what} lies wholly under others and has no pixel there."
                self._report.lose("covered", text, file, name)
        if shown[1:].sum() < sum(int(np.count_nonzero(mask)) for mask in masks.values()):
            self._report.lose(OVERLAP, f"{file}: objects overlap; the higher id is on top.", file, name)
        return pixels


def _values(video: MaskedVideo, report: ExportReport) -> Mapping[int, int]:
    """The pixel value of each object: its id where all ids fit in a byte, else its number by id."""
    ids = sorted(video.labels)
    if len(ids) > MOST_OBJECTS:
        text = (
            f"{video.name} has {len(ids)} objects, but indexed PNGs hold {MOST_OBJECTS}; objects from "
            f"{ids[MOST_OBJECTS]} on are left out."
        )
        report.lose("too-many-objects", text, video=video.name, count=len(ids) - MOST_OBJECTS)
        ids = ids[:MOST_OBJECTS]
    if all(0 < object_id <= MOST_OBJECTS for object_id in ids):
        return {object_id: object_id for object_id in ids}
    report.renumbered.append(video.name)
    return {object_id: number for number, object_id in enumerate(ids, start=1)}


def _encode(pixels: NDArray[np.uint8]) -> bytes:
    image = Image.fromarray(pixels)
    image.putpalette(davis_palette())
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()
