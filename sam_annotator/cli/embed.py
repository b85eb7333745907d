"""`sam-annotator embed VIDEOS`: encode frames ahead, so that first clicks need not wait."""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.window import add_segmenter_arguments

if TYPE_CHECKING:
    from sam_annotator.core.videos import Video
    from sam_annotator.engine.embedding_files import EmbeddingFiles
    from sam_annotator.engine.segmenter import Segmenter

DESCRIPTION = "Encode the frames of videos ahead (overnight, on another machine), so that first clicks need not wait."

EPILOG = """\
Embeddings are kept by the content of image and checkpoint: copies of a video share them, and they may be computed
on one machine and used on another (copy the folder, name it with --embeddings). Frames that are there are left as
they are, so the same command goes on where it was interrupted (Ctrl+C keeps what is done). When the folder's budget
is used up, embeddings that were not used for the longest time go.

examples:
  sam-annotator embed /data/videos
  sam-annotator embed /data/videos --every 5 --sam sam_vit_h --device cuda
  sam-annotator embed /data/videos --embeddings /mnt/embeddings --budget 200GB
  sam-annotator /data/videos --sam sam_vit_h --embeddings /mnt/embeddings      use them in the window

exit code: 0 all frames are encoded; 1 some are not; 2 not possible; 130 interrupted.
"""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEOS", help="folders of videos, or single videos")
    parser.add_argument("--every", type=_positive, default=1, metavar="N", help="only each Nth frame (default: all)")
    parser.add_argument(
        "--embeddings", type=Path, metavar="DIR", help="keep them here (default: in the user's cache folder)"
    )
    parser.add_argument(
        "--budget",
        type=parse_bytes,
        metavar="SIZE",
        help="all embeddings in that folder together take at most this, from now on, such as 200GB (at first: 10GB)",
    )
    add_segmenter_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.videos import find_videos
    from sam_annotator.engine.engines import EngineOptions, make_segmenter

    report = Report()
    frames = _frames([video for path in options.videos for video in find_videos(path)], options.every, report)
    if options.embeddings is not None:
        _check_folder(options.embeddings)
    engines = EngineOptions(segmenter=options.sam, models=options.models, device=options.device)
    segmenter = make_segmenter(engines, _say)
    _say(f"Segmenter: {segmenter.name}")
    files = _files(options, segmenter)
    plan = _plan(frames, segmenter, files, report)
    try:
        _embed(plan, segmenter, files, report)
    finally:  # what an interruption or a full disk leaves is worth knowing, too
        report.print()
    return 1 if report.problems or report.too_many or report.not_unpacked else 0


@dataclass
class Report:
    """What a run came to.

    Attributes:
        encoded, known: frames that were encoded now, and before.
        too_many: frames for which there is no room.
        way_out: what can be done about that.
        problems: sentences on frames and videos that could not be encoded.
        not_unpacked: video files without frames.
    """

    encoded: int = 0
    known: int = 0
    too_many: int = 0
    way_out: str = "choose a larger --budget"
    problems: list[str] = field(default_factory=list)
    not_unpacked: list[Path] = field(default_factory=list)

    def print(self) -> None:
        """The summary, on stdout."""
        print(f"{_count(self.encoded, 'frame')} encoded, {self.known:,} encoded before.")
        if self.too_many:
            print(f"{_count(self.too_many, 'frame')} left out; {self.way_out}, or fewer frames: --every N.")
        if self.not_unpacked:
            names = ", ".join(path.name for path in self.not_unpacked)
            print(f"Left out, as they were never unpacked; open them in the window first: {names}.")
        for problem in self.problems[:10]:
            print(f"  {problem}")
        if len(self.problems) > 10:
            print(f"  and {len(self.problems) - 10:,} more.")


def parse_bytes(text: str) -> int:
    """`200GB`, `1.5 TB`, `500M`, `1000`: decimal, as disks are sold.

    Raises:
        argparse.ArgumentTypeError: it is no such thing.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", text, re.IGNORECASE)
    if match is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no size; write one such as 200GB")
    return round(float(match[1]) * _UNITS[match[2].lower()])


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of frames from 1")
    return int(text)


def _frames(videos: "Sequence[Video]", every: int, report: Report) -> list[tuple[str, Path]]:
    """Name of the video and image of each frame that is wanted."""
    from sam_annotator.core.errors import InputError

    frames: list[tuple[str, Path]] = []
    for video in videos:
        try:
            paths = video.frame_paths
        except InputError as error:
            report.problems.append(str(error))
            continue
        if video.source is not None and video.needs_unpacking:
            report.not_unpacked.append(video.source)
        frames.extend((video.name, path) for path in paths[::every])
    return frames


def _files(options: argparse.Namespace, segmenter: "Segmenter") -> "EmbeddingFiles":
    from sam_annotator.core.errors import InputError
    from sam_annotator.engine.embedding_files import EmbeddingFiles, default_folder, write_budget

    if not segmenter.key:
        raise InputError(
            f"The segmenter at work ({segmenter.name}) encodes a frame in a fraction of a second, so there is nothing "
            "worth storing. Choose a SAM with --sam; `sam-annotator models list` shows which there are."
        )
    folder = options.embeddings or default_folder()
    if options.budget is not None:
        write_budget(folder, options.budget)
    return EmbeddingFiles(folder, segmenter.key)


def _check_folder(folder: Path) -> None:
    """Refuse at once what embeddings cannot be kept in. Raises InputError."""
    from sam_annotator.core.errors import InputError

    folder = folder.expanduser().absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise InputError(f"{there} is no folder, so embeddings cannot be kept in {folder}; name one: --embeddings DIR.")


def _plan(
    frames: list[tuple[str, Path]], segmenter: "Segmenter", files: "EmbeddingFiles", report: Report
) -> list[tuple[str, Path]]:
    """The frames that there is room for."""
    from sam_annotator.engine.embed_ahead import bytes_of_a_frame

    fitting = _fitting(len(frames), bytes_of_a_frame(segmenter, files), files)
    report.too_many = len(frames) - fitting
    if report.too_many and files.is_disk_short:
        report.way_out = f"make room on the disk of {files.folder}, keep them on another one with --embeddings DIR"
    return frames[:fitting]


def _embed(wanted: list[tuple[str, Path]], segmenter: "Segmenter", files: "EmbeddingFiles", report: Report) -> None:
    from tqdm import tqdm

    from sam_annotator.engine.embed_ahead import embed_frames

    interval = 0.1 if sys.stderr.isatty() else 10  # in a log file it moves every ten seconds
    with (
        tqdm(total=len(wanted), unit="frame", mininterval=interval, file=sys.stderr) as bar,
        closing(embed_frames([path for _, path in wanted], segmenter, files)) as done,
    ):
        for (video, _), frame in zip(wanted, done, strict=True):
            bar.set_description(video, refresh=False)
            bar.update()
            if frame.problem:
                report.problems.append(frame.problem)
            elif frame.is_new:
                report.encoded += 1
            else:
                report.known += 1
    files.trim()  # now that what is wanted is what was used last


def _fitting(wanted: int, size: int, files: "EmbeddingFiles") -> int:
    """How many of the frames there is room for; says so."""
    from sam_annotator.core.weights.manifest import describe_bytes

    room = files.room()
    fitting = min(wanted, room // size)
    _say(
        f"{_count(wanted, 'frame')} of {describe_bytes(size)} each; {describe_bytes(room)} in {files.folder} have room "
        f"for {room // size:,}{'.' if fitting == wanted else f', so the last {wanted - fitting:,} are left out.'}"
    )
    return fitting


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)
