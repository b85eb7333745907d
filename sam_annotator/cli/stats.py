"""`sam-annotator stats`: what annotations or a dataset hold."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sam_annotator.core.categories import Category
    from sam_annotator.core.datasets.masked_video import MaskedVideos
    from sam_annotator.core.datasets.statistics import Statistics, VideoFacts

DESCRIPTION = "Count objects, masks and frames by category, tracks, gaps and areas of annotations or of a dataset."

EPILOG = """\
A gap is a time that an object is away and comes back, counted in frames that are annotated. Base and novel are known
where the category file, or the dataset itself, has LV-VIS' partitions.

ends with 0, 1 if something could not be read (it is listed and not counted), 2 if nothing could be done.

examples:
  sam-annotator stats /data/ann --videos /data/videos
  sam-annotator stats /data/ann --videos /data/videos --categories lvvis.json --json stats.json --plot stats.png
  sam-annotator stats train_instances.json
  sam-annotator stats DAVIS/Annotations/480p --format davis
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
        "--format",
        choices=("auto", "json", "davis"),
        default="auto",
        help="auto: a folder holds annotations, a file is json (default); davis: a folder of PNG masks",
    )
    parser.add_argument("--categories", type=Path, metavar="FILE", help="a category file, as `convert` takes it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them: .png, .svg, .pdf, .jpg")


def run(options: argparse.Namespace) -> int:
    import orjson

    from sam_annotator.cli.reading_bar import read_with_bar
    from sam_annotator.core.datasets.mask_sources import reading_masks
    from sam_annotator.core.datasets.statistics import sum_up
    from sam_annotator.core.datasets.statistics_plot import check_plot, write_plot
    from sam_annotator.core.files import write_atomically

    if options.plot is not None:
        check_plot(options.plot)
    source = read_with_bar(reading_masks(options.annotations, options.videos, options.format))
    categories = _categories(options)
    statistics = sum_up(source, _measure_all(source), categories)
    if options.json is not None:
        write_atomically(options.json, orjson.dumps(statistics.to_document(), option=orjson.OPT_INDENT_2) + b"\n")
    if options.plot is not None:
        write_plot(options.plot, statistics)
    print(statistics)
    _print_problems(statistics)
    return 1 if statistics.problems else 0


def _categories(options: argparse.Namespace) -> "Sequence[Category] | None":
    """Those of the category file, else those that the dataset itself has."""
    from sam_annotator.core.categories import read_categories
    from sam_annotator.core.errors import InputError

    if options.categories is not None:
        return read_categories(options.categories)
    try:
        return read_categories(options.annotations) if options.annotations.is_file() else None
    except InputError:  # stricter than counting needs: then base and novel are not told
        return None


def _measure_all(source: "MaskedVideos") -> "list[VideoFacts]":
    from tqdm import tqdm

    from sam_annotator.core.datasets.statistics import measure

    found = []
    total = sum(len(video.frames) for video in source.videos)
    with tqdm(desc="counting", unit=" frames", total=total, file=sys.stderr, disable=None) as bar:
        for video in source.videos:
            for facts in measure(video):
                if facts is None:
                    bar.update()
                else:
                    found.append(facts)
    return found


def _print_problems(statistics: "Statistics") -> None:
    if statistics.problems:
        print(f"Not counted ({len(statistics.problems)}):")
    for problem in statistics.problems[:_SHOWN]:
        print(f"  {problem}")
    if len(statistics.problems) > _SHOWN:
        print(f"  ... and {len(statistics.problems) - _SHOWN} more")
