"""`sam-annotator preview`: the masks over their frames, to look at."""

import argparse
import os
from pathlib import Path

from sam_annotator.cli.bars import follow, read_with_bar

DESCRIPTION = "Draw the masks of annotations, or of a dataset, over their frames: a video, or a sheet of frames."

EPILOG = """\
An .mp4 shows all frames of all videos, one after the other; a .jpg or .png shows some annotated frames of each video.
Every object has the colour that it has in the window.

ends with 0, 1 if something could not be shown (it is listed), 2 if nothing could be done.

examples:
  sam-annotator preview /data/ann --videos /data/videos --output sheet.jpg
  sam-annotator preview /data/ann --videos /data/videos --output lake.mp4 --video lake --fps 25
  sam-annotator preview train_instances.json --videos /data/videos --output sheet.jpg --tiles 12
"""

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "annotations",
        type=Path,
        metavar="ANNOTATIONS",
        help="the folder that --output named in the window, or the folder of videos, or the JSON of a dataset",
    )
    parser.add_argument("--videos", type=Path, metavar="VIDEOS", help="the folder of videos (default: ANNOTATIONS)")
    parser.add_argument("--output", type=Path, metavar="FILE", required=True, help="FILE.mp4, FILE.jpg or FILE.png")
    parser.add_argument(
        "--format",
        choices=("auto", "json", "davis"),
        default="auto",
        help="auto: a folder holds annotations, a file is json (default); davis: a folder of PNG masks",
    )
    parser.add_argument("--video", action="append", metavar="NAME", help="show this video; may be repeated")
    parser.add_argument("--fps", type=_at_least(0.1, float), default=10.0, help="frames a second (default: 10)")
    parser.add_argument(
        "--width",
        type=_at_least(64, int),
        metavar="PIXELS",
        help="of the video at most (default: 960), or of each frame of a sheet (default: 320)",
    )
    parser.add_argument("--tiles", type=_at_least(1, int), default=6, help="frames of each video (default: 6)")
    parser.add_argument("--columns", type=_at_least(1, int), default=6, help="frames side by side (default: 6)")
    parser.add_argument("--force", action="store_true", help="write over the file")


def _at_least(least: float, kind: type[int] | type[float]):  # type: ignore[no-untyped-def]
    def parse(text: str) -> float:
        value = kind(text)
        if not least <= value <= 10_000:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and 10000")
        return value

    parse.__name__ = "number"
    return parse


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.datasets.mask_sources import reading_masks
    from sam_annotator.core.datasets.preview import FILM_SUFFIXES, PreviewOptions, check_preview, preview
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.videos import find_videos

    check_preview(options.output)
    if os.path.lexists(options.output) and not options.force:
        raise InputError(f"{options.output} is there already; write over it with --force, or choose another name.")
    source = read_with_bar(reading_masks(options.annotations, options.videos, options.format))
    if options.videos is None and (options.annotations.is_file() or options.format == "davis"):
        raise InputError(f"{options.annotations} holds no frames; add --videos DIR.")
    videos = find_videos(options.annotations if options.videos is None else options.videos)
    is_film = options.output.suffix.lower() in FILM_SUFFIXES
    width = options.width or (960 if is_film else 320)
    chosen = PreviewOptions(tuple(options.video or ()), width, options.fps, options.tiles, options.columns)
    last = follow(preview(source, videos, options.output, chosen), "drawing", " frames")
    report = None if last is None else last.report
    problems = [] if report is None else report.problems
    if report is not None:
        print(f"Wrote {options.output}: {report}.")
    for problem in problems[:_SHOWN]:
        print(f"Not shown: {problem}")
    if len(problems) > _SHOWN:
        print(f"... and {len(problems) - _SHOWN} more")
    return 1 if problems else 0
