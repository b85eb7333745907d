"""`sam-annotator convert`: annotations become a YouTube-VIS dataset."""

import argparse
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.bars import follow_stages
from sam_annotator.cli.dataset_options import (
    add_drawing_arguments,
    add_map_argument,
    add_null_group_argument,
    add_report_argument,
    chosen_categories,
)
from sam_annotator.cli.reporting import run_reported

if TYPE_CHECKING:
    from sam_annotator.core.datasets.convert_report import ConvertReport
    from sam_annotator.core.datasets.youtube_vis import ConvertOptions
    from sam_annotator.core.datasets.youtube_vis.splits import SplitPlan

DESCRIPTION = (
    "Make a YouTube-VIS dataset, in the layout of LV-VIS by default, from the annotations of a folder of videos."
)

EPILOG = """\
makes, by --layout:
  lvvis        DATASET/Annotations/SPLIT_instances.json   DATASET/JPEGImages/SPLIT/<video>/<frame>.jpg
  split-first  DATASET/SPLIT/SPLIT_instances.json         DATASET/SPLIT/JPEGImages/<video>/<frame>.jpg
  ytvis2019    DATASET/SPLIT.json                         DATASET/SPLIT/JPEGImages/<video>/<frame>.jpg
  ytvis2021    DATASET/SPLIT/instances.json               DATASET/SPLIT/JPEGImages/<video>/<frame>.jpg

Every video with an annotated frame goes in, with all its frames. A nested video (train/00000) is called 00000 in the
dataset, or train_00000 where another video ends in 00000 too. Frames that are no JPEG, or that EXIF turns, are encoded
as JPEG; the others stay as they are, bit for bit. Points and lines are left out. If anything cannot be used, all of it
is listed and nothing is written.

Ends with 0 if all annotations are in the dataset as they are, with 1 if something was left out or repaired (it says
what; --report FILE says all of it, with file and reason), with 2 if nothing could be written.

Categories have to be fixed, or ids would change with what happens to be annotated: by --categories FILE, or by the
other splits that DATASET has already; `--categories present` says that the labels that occur are all there are.

What was interrupted goes on where it stopped when it is run again: the masks are kept in the user's cache folder
(~/.cache/sam_annotator/convert), 30 days at most, or in --cache DIR.

Several trees become one dataset, ids numbered anew. Videos keep their names; where trees have different videos of one
name, each of these gets the name of its tree before it (site1_ball), and a note says so. A folder of frames that two
trees have counts once, by the name that it has in the first; if both have annotated it, that is an error.

examples:
  sam-annotator convert /data/ann --videos /data/videos --output /data/dataset --categories lvvis.json
  sam-annotator convert /data/videos --output /data/dataset --categories present      annotations beside the frames
  sam-annotator convert /data/val --videos /data/videos --output /data/dataset --split val     categories as in train
  sam-annotator convert /data/ann --videos /data/videos --output DIR --categories FILE --images none --force
  sam-annotator convert /data/ann --videos /data/videos --output DIR --categories FILE --split-ratio train=0.8,val=0.2
  sam-annotator convert /data/ann --videos /data/videos --output DIR --categories FILE --dry-run --report all.json
  sam-annotator convert ann1 ann2 --videos site1 --videos site2 --output DIR --categories FILE   two trees, one dataset
"""

_STAGES = {
    "videos": ("looking for annotations", " videos"),
    "masks": ("reading", " frames"),
    "compare": ("comparing images", " frames"),
    "images": ("images", " frames"),
    "check": ("checking", " objects"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        nargs="+",
        metavar="ANNOTATIONS",
        help="the folder that --output named in the window, or the folder of videos (annotations beside the frames); "
        "several are merged",
    )
    parser.add_argument(
        "--videos",
        type=Path,
        action="append",
        default=[],
        metavar="VIDEOS",
        help="the folder of videos that was annotated (default: ANNOTATIONS); give it again for each further "
        "ANNOTATIONS, in the same order, or once for all",
    )
    parser.add_argument("--output", type=Path, metavar="DATASET", required=True, help="the folder of the dataset")
    _add_categories(parser)
    _add_dataset(parser)
    _add_shapes(parser)
    _add_run(parser)


def _add_categories(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("categories")
    group.add_argument(
        "--categories",
        metavar="FILE",
        help="fix names and ids: a text file, one a line, or a JSON with 'categories' such as LV-VIS', whose ids and "
        "other keys are kept; `present`: the labels that occur, sorted (default: as the dataset's other splits have "
        "them; needed where there are none)",
    )
    add_map_argument(group)
    group.add_argument(
        "--drop-unknown",
        action="store_true",
        help="leave out objects whose label the categories do not name, and say how many (default: an error)",
    )


def _add_dataset(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("dataset")
    group.add_argument("--split", default="train", metavar="NAME", help="part of the dataset to make (default: train)")
    several = group.add_mutually_exclusive_group()
    several.add_argument(
        "--split-list",
        type=Path,
        metavar="FILE",
        help="make several splits: `train 00000` a line, or JSON {split: [videos]}",
    )
    several.add_argument(
        "--split-ratio",
        metavar="RATIOS",
        help="make several splits, such as train=0.8,val=0.2: whole videos, drawn so that categories are shared alike",
    )
    group.add_argument("--seed", type=int, default=0, metavar="N", help="another draw for --split-ratio (default: 0)")
    group.add_argument(
        "--layout", choices=("lvvis", "split-first", "ytvis2019", "ytvis2021"), default="lvvis", help="(default: lvvis)"
    )
    group.add_argument(
        "--images",
        choices=("link", "symlink", "copy", "none"),
        default="link",
        help="link: hard links, which take no space, or copies on another disk (default); symlink: symbolic links, "
        "which lead nowhere once the videos are moved; copy; none",
    )
    group.add_argument(
        "--annotated",
        choices=("auto", "yes", "no"),
        default="auto",
        help="no: leave the annotations out of the JSON; auto: no for the split `test` (default)",
    )
    group.add_argument("--force", action="store_true", help="write over the JSON of the same split")


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("masks")
    add_drawing_arguments(group)
    add_null_group_argument(group)
    group.add_argument(
        "--rle",
        choices=("compressed", "uncompressed"),
        default="compressed",
        help="run lengths as text (default), or as numbers, which TrackEval needs",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("run")
    add_report_argument(group)
    group.add_argument("--strict", action="store_true", help="write nothing if anything was left out or repaired")
    group.add_argument("--dry-run", action="store_true", help="read and check everything, write nothing")
    group.add_argument("--no-verify", action="store_true", help="do not read the dataset back to check each mask")
    group.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="processes; -1: one per core (default: 1); the result is the same",
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="have the workers of a Dask cluster do it (tcp://host:8786); they see the same files, --cache DIR too",
    )
    group.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep the masks of each video here for the next run (default: until the dataset is written)",
    )


def run(options: argparse.Namespace) -> int:
    read = [*options.annotations, *options.videos, chosen_categories(options.categories)["categories"]]
    taken = [*read, options.map, options.split_list, *_outputs(options)]
    return run_reported(partial(_convert, options), options.report, taken)


def _outputs(options: argparse.Namespace) -> list[Path]:
    """The JSON of each split; none where the options that name them cannot be understood, which is told later."""
    from sam_annotator.core.datasets.youtube_vis import annotations_path
    from sam_annotator.core.errors import InputError

    try:
        plan = _plan(options)
    except InputError:
        return []
    splits = (options.split,) if plan is None else plan.splits
    return [annotations_path(options.output, split, options.layout) for split in splits]


def _plan(options: argparse.Namespace) -> "SplitPlan | None":
    """How videos are shared out. Raises InputError."""
    from sam_annotator.core.datasets.youtube_vis.splits import parse_ratios, read_split_list

    if options.split_list is not None:
        return read_split_list(options.split_list)
    return None if options.split_ratio is None else parse_ratios(options.split_ratio, options.seed)


def _convert(options: argparse.Namespace) -> "ConvertReport":
    from sam_annotator.core.datasets.mask_sources import open_tree
    from sam_annotator.core.datasets.youtube_vis import check_apart, convert, merge_trees, own_cache
    from sam_annotator.core.datasets.youtube_vis.caches import KEPT_DAYS

    pairs = _pairs(options.annotations, options.videos)
    for annotations, videos_root in pairs:
        check_apart(options.output, videos_root or annotations)
    merged = merge_trees([open_tree(*pair) for pair in pairs])
    cache = own_cache(options.output, options.annotations) if options.cache is None else options.cache
    was_there = cache.exists()
    chosen = _options(options, cache)
    try:
        last = follow_stages(convert(merged.videos, merged.store, options.output, chosen, merged.findings), _STAGES)
    except KeyboardInterrupt:
        until = f" for {KEPT_DAYS} days" if options.cache is None else ""
        print(f"The masks drawn so far are kept in {cache}{until}; the same command goes on there.", file=sys.stderr)
        raise
    if options.cache is None and not (options.dry_run and was_there):  # what an interrupted run left stays
        shutil.rmtree(cache, ignore_errors=True)
    report = None if last is None else last.report
    assert report is not None, "a conversion ends with its report"
    return report


def _pairs(annotations: list[Path], videos: list[Path]) -> "list[tuple[Path, Path | None]]":
    """Each folder of annotations with its folder of videos; None: the same folder."""
    from sam_annotator.core.errors import InputError

    if not videos:
        return [(folder, None) for folder in annotations]
    if len(videos) == 1:
        return [(folder, videos[0]) for folder in annotations]
    if len(videos) != len(annotations):
        raise InputError(
            f"Folders of annotations: {len(annotations)}, of videos: {len(videos)}; they do not go together. Give "
            "--videos once for each, in the same order, or once for all."
        )
    return list(zip(annotations, videos, strict=True))


def _options(options: argparse.Namespace, cache: Path) -> "ConvertOptions":
    from sam_annotator.core.datasets.records import DrawOptions
    from sam_annotator.core.datasets.youtube_vis import ConvertOptions

    return ConvertOptions(
        split=options.split,
        **chosen_categories(options.categories),
        images=options.images,
        force=options.force,
        layout=options.layout,
        draw=DrawOptions(options.raster, options.holes, options.null_group, options.rle == "compressed"),
        annotated=options.annotated,
        renames=options.map,
        drop_unknown=options.drop_unknown,
        strict=options.strict,
        dry_run=options.dry_run,
        verify=not options.no_verify,
        jobs=options.jobs,
        scheduler=options.scheduler,
        cache=cache,
        plan=_plan(options),
    )
