"""`sam-annotator export-masks`: annotations become indexed PNG masks, or COCO per frame."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.bars import follow_stages, read_with_bar
from sam_annotator.cli.dataset_options import (
    add_drawing_arguments,
    add_map_argument,
    add_null_group_argument,
    add_report_argument,
    chosen_categories,
)
from sam_annotator.cli.reporting import run_reported

if TYPE_CHECKING:
    from sam_annotator.core.datasets.mask_export import ExportReport, MaskOptions
    from sam_annotator.core.datasets.masked_video import MaskedVideos
    from sam_annotator.core.datasets.youtube_vis import Tree

DESCRIPTION = "Make indexed PNG masks (DAVIS, YouTube-VOS), or COCO per frame, from annotations or a dataset."

EPILOG = """\
makes:
  OUTPUT/Annotations/<video>/<frame>.png   the value of a pixel is the id of the object there, 0 is none
  OUTPUT/meta.json                         the category of each object, as in YouTube-VOS
or, where OUTPUT ends in .json:
  OUTPUT                                   COCO: one image <video>/<frame>.jpg per frame, track_id tells objects

Frames without an annotation are left out. Where ids do not fit in a byte (1 to 254), the objects of that video are
numbered anew in PNGs, and meta.json tells their own ids; a pixel of two objects goes to the higher id. Annotations are
read as `convert` reads them: what it refuses is refused, what it leaves out or repairs is told.

ends with 0 if all was written, 1 if something was lost (it is listed; --report FILE has all of it), 2 if nothing could
be done.

examples:
  sam-annotator export-masks /data/ann --videos /data/videos --output /data/davis
  sam-annotator export-masks /data/ann --videos /data/videos --output coco.json --categories lvvis.json
  sam-annotator export-masks train_instances.json --output /data/davis
  sam-annotator export-masks train_instances.json --output coco.json         categories, ids and partitions as they are
"""

_STAGES = {
    "videos": ("looking for annotations", " videos"),
    "masks": ("reading", " frames"),
    "write": ("masks", " frames"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        metavar="ANNOTATIONS",
        help="the folder that --output named in the window, or the folder of videos, or the JSON of a dataset",
    )
    parser.add_argument(
        "--videos",
        type=Path,
        metavar="VIDEOS",
        help="the folder of videos that was annotated (default: ANNOTATIONS); with the JSON of a dataset: make sure "
        "that its masks are of the size of these frames",
    )
    parser.add_argument(
        "--output", type=Path, metavar="OUTPUT", required=True, help="a folder for PNGs, or FILE.json for COCO"
    )
    parser.add_argument(
        "--categories",
        metavar="FILE",
        help="COCO: fix names and ids, as `convert` takes it; `present`: the labels that occur, sorted (default: as a "
        "dataset's JSON has them; needed for annotations)",
    )
    add_map_argument(parser)
    parser.add_argument(
        "--drop-unknown", action="store_true", help="COCO: leave out objects whose label --categories does not name"
    )
    add_drawing_arguments(parser)
    add_null_group_argument(parser)
    parser.add_argument("--force", action="store_true", help="write over masks that are there")
    parser.add_argument("--dry-run", action="store_true", help="go through everything, write nothing")
    add_report_argument(parser)
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes that draw masks; -1: one per core (default: 1)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of a Dask cluster draw, who see the same files, --cache DIR too",
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep the masks of each video here for the next run")


def run(options: argparse.Namespace) -> int:
    read = (options.annotations, options.videos, options.map, chosen_categories(options.categories)["categories"])
    return run_reported(
        partial(_export, options), options.report, (*read, options.output, options.output / "meta.json")
    )


def _export(options: argparse.Namespace) -> "ExportReport":
    from sam_annotator.core.datasets.mask_export import ExportReport
    from sam_annotator.core.datasets.mask_sources import check_sizes, open_tree, reading_dataset
    from sam_annotator.core.datasets.tree_export import export_masks
    from sam_annotator.core.videos import find_videos

    path = options.annotations
    source: MaskedVideos | Tree
    if path.is_file():
        source = read_with_bar(reading_dataset(path))
        if options.videos is not None:
            check_sizes(source, find_videos(options.videos))
    else:
        source = open_tree(path, options.videos)
    last = follow_stages(export_masks(source, options.output, _options(options)), _STAGES)
    return ExportReport(options.output, is_dry_run=options.dry_run) if last is None else last.report


def _options(options: argparse.Namespace) -> "MaskOptions":
    from sam_annotator.core.datasets.mask_export import MaskOptions
    from sam_annotator.core.datasets.records import DrawOptions

    return MaskOptions(
        **chosen_categories(options.categories),
        renames=options.map,
        drop_unknown=options.drop_unknown,
        draw=DrawOptions(options.raster, options.holes, options.null_group),
        force=options.force,
        dry_run=options.dry_run,
        jobs=options.jobs,
        scheduler=options.scheduler,
        cache=options.cache,
    )
