"""`sam-annotator export-masks`: annotations become indexed PNG masks, or COCO per frame."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sam_annotator.core.datasets.mask_export import ExportProgress, ExportReport

DESCRIPTION = "Make indexed PNG masks (DAVIS, YouTube-VOS), or COCO per frame, from annotations or a dataset."

EPILOG = """\
makes:
  OUTPUT/Annotations/<video>/<frame>.png   the value of a pixel is the id of the object there, 0 is none
  OUTPUT/meta.json                         the category of each object, as in YouTube-VOS
or, where OUTPUT ends in .json:
  OUTPUT                                   COCO: one image <video>/<frame>.jpg per frame, track_id tells objects

Frames without an annotation are left out. Where ids do not fit in a byte (1 to 254), the objects of that video are
numbered anew in PNGs, and meta.json tells their own ids; a pixel of two objects goes to the higher id.

ends with 0 if all was written, 1 if something was lost (it is listed), 2 if nothing could be done.

examples:
  sam-annotator export-masks /data/ann --videos /data/videos --output /data/davis
  sam-annotator export-masks /data/ann --videos /data/videos --output coco.json --categories lvvis.json
  sam-annotator export-masks train_instances.json --output /data/davis
"""

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        metavar="ANNOTATIONS",
        help="the folder that --output named in the window, or the folder of videos, or the JSON of a dataset",
    )
    parser.add_argument(
        "--videos", type=Path, metavar="VIDEOS", help="the folder of videos that was annotated (default: ANNOTATIONS)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="OUTPUT", required=True, help="a folder for PNGs, or FILE.json for COCO"
    )
    parser.add_argument(
        "--categories", type=Path, metavar="FILE", help="COCO: fix names and ids, as `convert` does (default: labels)"
    )
    parser.add_argument("--force", action="store_true", help="write over masks that are there")


def run(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    steps = _export(options)
    report = None
    with tqdm(desc="masks", unit=" frames", file=sys.stderr, disable=None) as bar:
        for step in steps:
            report = step.report
            bar.total = step.total
            bar.update(step.done - bar.n)
    if report is None:
        print("Nothing to write.")
        return 1
    _print(report)
    return 0 if report.is_clean else 1


def _export(options: argparse.Namespace) -> "Iterator[ExportProgress]":
    from sam_annotator.core.categories import read_categories
    from sam_annotator.core.datasets.coco_export import export_coco
    from sam_annotator.core.datasets.davis_export import export_davis
    from sam_annotator.core.datasets.mask_sources import read_masks
    from sam_annotator.core.errors import InputError

    source = read_masks(options.annotations, options.videos)
    file = options.categories
    if options.output.suffix.lower() == ".json":
        categories = None if file is None else read_categories(file)
        return export_coco(source, options.output, categories=categories, categories_file=file, force=options.force)
    if file is not None:
        raise InputError("--categories is for COCO (--output FILE.json); PNG masks have no category ids.")
    return export_davis(source, options.output, force=options.force)


def _print(report: "ExportReport") -> None:
    print(f"Wrote {report.output}")
    for what, count in (("videos", report.videos), ("frames", report.frames), ("objects", report.objects)):
        print(f"  {what:<8} {count}")
    if report.renumbered:
        print(f"Numbered anew, their own ids are in meta.json: {', '.join(report.renumbered)}")
    if report.overlapping:
        print(f"Frames where objects overlap, the higher id on top: {report.overlapping}")
    for problem in report.problems[:_SHOWN]:
        print(f"Not used: {problem}")
    if len(report.problems) > _SHOWN:
        print(f"... and {len(report.problems) - _SHOWN} more")
