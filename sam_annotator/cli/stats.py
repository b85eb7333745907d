"""`sam-annotator stats`: what annotations or a dataset hold."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.bars import read_with_bar
from sam_annotator.cli.dataset_options import add_null_group_argument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sam_annotator.core.categories import Category
    from sam_annotator.core.datasets.statistics import Statistics, VideoFacts

DESCRIPTION = "Count objects, masks and frames by category, tracks, gaps and areas of annotations or of a dataset."

EPILOG = """\
A gap is a time that an object is away and comes back, counted in frames that are annotated. Base and novel are known
where the category file, or the dataset itself, has LV-VIS' partitions.

Annotations are judged as `convert` judges them; of a dataset it is looked whether its masks are of the size of the
frames, if --videos names them.

ends with 0, 1 if something was found that cannot be read, does not fit, or is not in the category file (it is listed;
--json FILE has all of it), 2 if nothing could be done.

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
    add_null_group_argument(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw them: .png, .svg, .pdf, .jpg")


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.datasets.report_file import check_report, encode_report
    from sam_annotator.core.datasets.statistics import sum_up
    from sam_annotator.core.datasets.statistics_plot import check_plot, write_plot
    from sam_annotator.core.files import write_atomically

    read = [path for path in (options.annotations, options.videos, options.categories) if path is not None]
    if options.json is not None:
        check_report(options.json, read, "--json FILE")
    if options.plot is not None:
        check_plot(options.plot, [*read, *([] if options.json is None else [options.json])])
    categories = _categories(options)
    is_dataset = options.format != "auto" or options.annotations.is_file()
    problems, facts = _measure_dataset(options) if is_dataset else _measure_tree(options)
    statistics = sum_up(problems, facts, categories, file=options.categories)
    if options.json is not None:
        write_atomically(options.json, encode_report(statistics.to_document()))
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


Measured = tuple[list[str], "list[VideoFacts]"]
"""What came up apart from the videos, and what is known of each."""


def _measure_dataset(options: argparse.Namespace) -> Measured:
    from sam_annotator.core.datasets.mask_sources import reading_dataset
    from sam_annotator.core.datasets.masked_video import VideoFinder
    from sam_annotator.core.datasets.statistics import measure
    from sam_annotator.core.videos import find_videos

    finder = None if options.videos is None else VideoFinder(find_videos(options.videos))
    source = read_with_bar(reading_dataset(options.annotations, options.format))
    images = {video.name: finder.find(video.name) for video in source.videos} if finder is not None else {}
    problems = list(source.problems)
    problems += [
        f"Video {name} has no folder of frames in {options.videos}." for name in images if images[name] is None
    ]
    steps = (step for video in source.videos for step in measure(video, images.get(video.name)))
    return problems, _count(steps, sum(len(video.frames) for video in source.videos))


def _measure_tree(options: argparse.Namespace) -> Measured:
    from sam_annotator.core.datasets.mask_sources import open_tree
    from sam_annotator.core.datasets.tree_statistics import look_at_tree, measure_annotations

    tree = look_at_tree(open_tree(options.annotations, options.videos))
    steps = (step for video in tree.videos for step in measure_annotations(video, tree.store, options.null_group))
    return list(tree.problems), _count(steps, tree.frames)


def _count(steps: "Iterable[VideoFacts | None]", total: int) -> "list[VideoFacts]":
    from tqdm import tqdm

    with tqdm(desc="counting", unit=" frames", total=total, file=sys.stderr, disable=None) as bar:
        return list(_found(steps, bar.update))


def _found(steps: "Iterable[VideoFacts | None]", on_frame: "Callable[[], object]") -> "Iterator[VideoFacts]":
    for step in steps:
        if step is None:
            on_frame()
        else:
            yield step


def _print_problems(statistics: "Statistics") -> None:
    if statistics.problems:
        print(f"Found ({len(statistics.problems)}):")
    for problem in statistics.problems[:_SHOWN]:
        print(f"  {problem}")
    if len(statistics.problems) > _SHOWN:
        print(f"  ... and {len(statistics.problems) - _SHOWN} more; --json FILE has all")
