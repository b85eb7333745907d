"""`sam-annotator import`: a published dataset becomes annotations."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.bars import follow, read_with_bar
from sam_annotator.cli.dataset_options import add_report_argument
from sam_annotator.cli.reporting import run_reported

if TYPE_CHECKING:
    from sam_annotator.core.datasets.importing import ImportReport

DESCRIPTION = "Make annotations from a dataset, to look at it in the window, mend it, and convert it again."

EPILOG = """\
reads:
  YouTube-VIS JSON (2019, 2021, OVIS, LV-VIS): RLE, compressed or not, and polygons
  COCO JSON per frame; the folder of a frame is its video, track_id or instance_id tells objects
  DAVIS and YouTube-VOS: FOLDER/<video>/<frame>.png, and meta.json for what the objects are (255 is nobody's)

Videos are found by the names of their folders, frames by their names without suffix. A frame that has other annotations
is left as it is, unless --force; one that has these already is passed over, so an import that was stopped goes on where
it was. Imported masks are never changed by a propagation. Object ids are the dataset's own where it carries them
(object_id), else 1, 2, ... in each video. To get a dataset's category ids back, convert with --categories DATASET.json.

ends with 0 if all is there, 1 if something could not be used or was left (it is listed; --report FILE has all of it), 2
if nothing could be done.

examples:
  sam-annotator import train_instances.json --videos /data/videos --output /data/ann
  sam-annotator import train_instances.json --videos /data/videos --output /data/ann --dry-run
  sam-annotator import DAVIS/Annotations/480p --videos DAVIS/JPEGImages/480p --output /data/ann
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", type=Path, metavar="DATASET", help="a JSON file, or a folder of PNG masks")
    parser.add_argument("--videos", type=Path, metavar="VIDEOS", required=True, help="the folder of videos")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="ANNOTATIONS",
        required=True,
        help="the folder for the annotations; the folder of videos puts them beside the frames",
    )
    parser.add_argument(
        "--format",
        choices=("auto", "json", "davis"),
        default="auto",
        help="auto: a folder is davis, a file is json (default)",
    )
    parser.add_argument(
        "--names",
        type=Path,
        metavar="FILE",
        help="what the objects of PNG masks are: meta.json of YouTube-VOS, or JSON as {video: {id: name}} "
        "(default: meta.json in or above DATASET, else all are 'object')",
    )
    parser.add_argument(
        "--shape",
        choices=("mask", "auto"),
        default="mask",
        help="mask: exact (default); auto: polygons where they come within 99 %% of the mask",
    )
    parser.add_argument("--force", action="store_true", help="write over other annotations")
    parser.add_argument("--dry-run", action="store_true", help="write nothing, tell what would be written")
    add_report_argument(parser)
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes; -1: one per core (default: 1); the result is the same",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="have the workers of a Dask cluster do it, who see the same files"
    )


def run(options: argparse.Namespace) -> int:
    return run_reported(partial(_import, options), options.report, (options.dataset, options.names, options.videos))


def _import(options: argparse.Namespace) -> "ImportReport":
    from sam_annotator.core.datasets.importing import ImportOptions, ImportReport, import_masks
    from sam_annotator.core.datasets.mask_sources import open_store, reading_dataset
    from sam_annotator.core.videos import find_videos

    videos = find_videos(options.videos)
    store = open_store(options.output, options.videos)
    source = read_with_bar(reading_dataset(options.dataset, options.format, options.names))
    chosen = ImportOptions(options.shape, options.force, options.dry_run, options.jobs, options.scheduler)
    last = follow(import_masks(source, videos, store, chosen), "importing", " frames")
    return ImportReport(dry_run=options.dry_run) if last is None else last.report
