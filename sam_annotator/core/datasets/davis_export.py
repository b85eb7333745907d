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
from PIL import Image

from sam_annotator.core.datasets.davis_masks import MASK_FOLDER, META, VOID, davis_palette
from sam_annotator.core.datasets.mask_export import ExportProgress, ExportReport
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos, flat_names
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.masks import label_map

MOST_OBJECTS: Final = VOID - 1
"""Ids are one byte, and the last is taken: 255 means undecided."""


def export_davis(source: MaskedVideos, output: Path, *, force: bool = False) -> Iterator[ExportProgress]:
    """Write indexed PNGs of all frames that have an answer; those without objects are all 0.

    A generator: each frame is written before it is yielded; meta.json comes last.

    Raises:
        InputError: the source has no usable video, the output has masks already (unless `force`), or two videos would
            have one folder.
        SaveError: the disk does not take it.
    """
    if not force and ((output / META).exists() or (output / MASK_FOLDER).exists()):
        raise InputError(f"{output} has masks already; write over them with --force, or choose another output.")
    source.check()
    folders = flat_names(video.name for video in source.videos)
    report = ExportReport(output, problems=list(source.problems))
    total = sum(len(video.frames) for video in source.videos)
    meta: dict[str, Any] = {}
    for video in source.videos:
        folder = folders[video.name]
        values = _values(video, report)
        seen: dict[int, list[str]] = {object_id: [] for object_id in values}
        for position, frame in enumerate(video.frames):
            found = video.read(position)
            report.problems += found.problems
            _write_frame(output / MASK_FOLDER / folder / f"{frame}.png", found, values, report)
            for object_id in found.masks.keys() & values.keys():
                seen[object_id].append(frame)
            report.done += 1
            yield ExportProgress(video.name, report.done, total, report)
        report.videos += 1
        report.objects += sum(bool(frames) for frames in seen.values())
        meta[folder] = {"objects": _describe(video, values, seen)}
    write_atomically(output / META, orjson.dumps({"videos": meta}, option=orjson.OPT_INDENT_2))


def _values(video: MaskedVideo, report: ExportReport) -> Mapping[int, int]:
    """The pixel value of each object: its id where all ids fit in a byte, else its number by id."""
    ids = sorted(video.labels)
    if len(ids) > MOST_OBJECTS:
        report.problems.append(
            f"{video.name} has {len(ids)} objects, but indexed PNGs hold {MOST_OBJECTS}; objects from "
            f"{ids[MOST_OBJECTS]} on are left out."
        )
        ids = ids[:MOST_OBJECTS]
    if all(0 < object_id <= MOST_OBJECTS for object_id in ids):
        return {object_id: object_id for object_id in ids}
    report.renumbered.append(video.name)
    return {object_id: number for number, object_id in enumerate(ids, start=1)}


def _write_frame(path: Path, found: FrameMasks, values: Mapping[int, int], report: ExportReport) -> None:
    if not (found.width and found.height):  # its file could not be read: to write zeros would be to say 'nothing'
        return
    masks = {values[object_id]: found.masks[object_id] for object_id in sorted(found.masks) if object_id in values}
    pixels = label_map(masks, found.height, found.width).astype(np.uint8)
    report.overlapping += int(np.count_nonzero(pixels)) < sum(int(np.count_nonzero(mask)) for mask in masks.values())
    image = Image.fromarray(pixels)
    image.putpalette(davis_palette())
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    write_atomically(path, stream.getvalue())
    report.frames += 1


def _describe(video: MaskedVideo, values: Mapping[int, int], seen: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    return {
        str(value): {"category": video.labels[object_id], "frames": seen[object_id], "object_id": object_id}
        for object_id, value in values.items()
        if seen[object_id]
    }
