"""`sam-annotator convert`: annotations become a YouTube-VIS dataset."""

import argparse
import os
import sys
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_annotator.core.convert_report import ConvertProgress, ConvertReport
    from sam_annotator.core.videos import Video

DESCRIPTION = "Make a YouTube-VIS dataset, in the layout of LV-VIS, from the annotations of a folder of videos."

EPILOG = """\
makes:
  DATASET/Annotations/SPLIT_instances.json
  DATASET/JPEGImages/SPLIT/<video>/<frame>.jpg

Every video with an annotated frame goes in, with all its frames. A nested video (train/00000) is called 00000 in the
dataset, or train_00000 where another video ends in 00000 too. Frames that are no JPEG, or that EXIF turns, are encoded
as JPEG; the others stay as they are, bit for bit. Points and lines are left out. If anything cannot be used, all of it
is listed and nothing is written.

examples:
  sam-annotator convert /data/ann --videos /data/videos --output /data/dataset
  sam-annotator convert /data/videos --output /data/dataset        annotations beside the frames
  sam-annotator convert /data/ann --videos /data/videos --output /data/dataset --split val --categories names.txt
  sam-annotator convert /data/ann --videos /data/videos --output /data/dataset --images none --force
"""

_STAGES = {
    "videos": ("looking for annotations", " videos"),
    "masks": ("reading", " frames"),
    "images": ("images", " frames"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        metavar="ANNOTATIONS",
        help="the folder that --output named in the window, or the folder of videos (annotations beside the frames)",
    )
    parser.add_argument(
        "--videos", type=Path, metavar="VIDEOS", help="the folder of videos that was annotated (default: ANNOTATIONS)"
    )
    parser.add_argument("--output", type=Path, metavar="DATASET", required=True, help="the folder of the dataset")
    parser.add_argument("--split", default="train", metavar="NAME", help="part of the dataset to make (default: train)")
    parser.add_argument(
        "--categories",
        type=Path,
        metavar="FILE",
        help="fix names and ids: a text file, one a line, or a JSON with 'categories' such as LV-VIS', whose ids and "
        "other keys are kept (default: the labels that occur, sorted)",
    )
    parser.add_argument(
        "--images",
        choices=("link", "copy", "none"),
        default="link",
        help="link: hard links, which take no space, or copies on another disk (default); copy; none",
    )
    parser.add_argument("--force", action="store_true", help="write over the JSON of the same split")


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.youtube_vis import ConvertOptions, check_apart, convert

    videos_root = options.annotations if options.videos is None else options.videos
    check_apart(options.output, videos_root)
    beside = os.path.realpath(videos_root) == os.path.realpath(options.annotations)
    videos = _find_videos(videos_root, options)
    steps = convert(
        videos,
        AnnotationStore(None if beside else options.annotations),
        options.output,
        ConvertOptions(options.split, options.categories, options.images, options.force),
    )
    print(_show_progress(steps))
    return 0


def _find_videos(root: Path, options: argparse.Namespace) -> "list[Video]":
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.videos import find_videos

    if not options.annotations.exists():
        raise InputError(f"{options.annotations} does not exist; name the folder that holds the annotations.")
    try:
        return find_videos(root)
    except InputError as error:
        if options.videos is not None:
            raise
        raise InputError(f"{error} If the annotations are kept apart from the frames, add --videos DIR.") from error


def _show_progress(steps: "Iterable[ConvertProgress]") -> "ConvertReport | None":
    """Go through a conversion, one bar per stage on stderr (none if that is not a terminal); the report at its end."""
    from tqdm import tqdm

    report = None
    for stage, group in groupby(steps, key=attrgetter("stage")):
        what, unit = _STAGES.get(stage, ("", ""))
        with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None if what else True) as bar:
            for step in group:
                bar.total = step.total
                bar.update(step.done - bar.n)
                report = step.report
    return report
