"""`sam-annotator propagate VIDEOS`: fill the frames after each key frame, without a window."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.window import add_engine_arguments

if TYPE_CHECKING:
    from tqdm import tqdm

    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.tracks import Track
    from sam_annotator.core.videos import Video
    from sam_annotator.engine.propagation import FrameDone, PropagationRequest
    from sam_annotator.engine.propagator import Propagator

DESCRIPTION = "Carry the masks of all key frames through the videos of a folder, without a window."

EPILOG = """\
What a human made or approved is never changed. Frames that a propagation has answered for are left as they
are, so the same command goes on where it was interrupted (Ctrl+C keeps what is done).

examples:
  sam-annotator propagate /data/videos
  sam-annotator propagate /data/videos --annotations /data/ann --direction both
  sam-annotator propagate /data/videos/dog --force       after correcting key frames

exit code: 0 all is filled; 1 some frames had to be skipped; 2 not possible; 130 interrupted.
"""

DOUBTFUL = 10
"""How many of the least certain answers the summary names."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", type=Path, metavar="VIDEOS", help="a folder of videos, or one video")
    parser.add_argument(
        "--annotations",
        "--output",
        type=Path,
        metavar="DIR",
        help="where the annotations are, and go: DIR/<video>/<frame>.json (default: beside the frames)",
    )
    parser.add_argument(
        "--direction",
        choices=("forward", "both"),
        default="forward",
        help="fill the frames after an object's first key frame (default), or those before it too",
    )
    parser.add_argument("--force", action="store_true", help="compute anew what an earlier propagation wrote")
    add_engine_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.videos import find_videos

    if options.annotations is not None and not options.annotations.is_dir():
        raise InputError(
            f"The folder {options.annotations} given with --annotations does not exist. Name the folder that the "
            "annotations were saved to, or leave --annotations out if they lie beside the frames."
        )
    store = AnnotationStore(options.annotations)
    report = Report()
    jobs = list(_plan(find_videos(options.videos), store, options, report))
    if not report.objects:
        raise InputError(_no_key_frames(options, report))
    try:
        _fill([job for job in jobs if job.requests], store, options, report)
    finally:  # what an interruption or a full disk leaves is worth knowing, too
        report.print()
    return 1 if report.skipped else 0


@dataclass(frozen=True)
class Job:
    """What is to be done for one video."""

    video: "Video"
    tracks: "tuple[Track, ...]"
    requests: "list[PropagationRequest]"


@dataclass
class Report:
    """What a run came to.

    Attributes:
        videos, objects: with key frames.
        written: (video, frame) for which an answer was computed.
        skipped: (video, frame) -> why it could not be filled; the frame is None for the video as a whole.
        not_unpacked: video files without frames.
        doubtful: (score, video, file of the frame, object), the lowest first.
    """

    videos: int = 0
    objects: int = 0
    written: set[tuple[str, int]] = field(default_factory=set)
    skipped: dict[tuple[str, int | None], str] = field(default_factory=dict)
    not_unpacked: list[Path] = field(default_factory=list)
    doubtful: list[tuple[float, str, str, str]] = field(default_factory=list)

    def add(self, job: Job, frame: "FrameDone") -> None:
        """Take note of one frame."""
        if frame.problem:
            self.skipped[job.video.name, frame.index] = frame.problem
        if frame.scores:
            self.written.add((job.video.name, frame.index))
        file = job.video.frame_paths[frame.index].name
        labels = {track.object_id: track.label for track in job.tracks}
        new = [(score, job.video.name, file, f"{labels[i]} {i}") for i, score in frame.scores.items()]
        self.doubtful = nsmallest(DOUBTFUL, [*self.doubtful, *new])

    def print(self) -> None:
        """The summary, on stdout."""
        counts = ((self.videos, "video"), (self.objects, "object"), (len(self.written), "frame"))
        print(", ".join(_count(number, what) for number, what in counts), "written.")
        if self.not_unpacked:
            print(self.left_out)
        if self.skipped:
            print(f"Skipped ({len(self.skipped)}):")
            for (video, _), reason in self.skipped.items():
                print(f"  {video}: {reason}")
        if self.doubtful:
            print("Most doubtful (score, video, frame, object):")
            for score, video, file, who in self.doubtful:
                print(f"  {score:.2f}  {video}  {file}  {who}")

    @property
    def left_out(self) -> str:
        """A sentence on the video files that have no frames."""
        names = ", ".join(path.name for path in self.not_unpacked)
        return f"Left out, as they were never unpacked; open them in the window first: {names}."


def _plan(
    videos: "list[Video]", store: "AnnotationStore", options: argparse.Namespace, report: Report
) -> "Iterator[Job]":
    """Look through the annotations of all videos; the jobs for those with key frames."""
    from sam_annotator.core.errors import InputError

    with _progress("reading annotations", len(videos), "video") as bar:
        for video in videos:
            try:
                job = _plan_video(video, store, options, report)
            except InputError as error:
                report.skipped[video.name, None] = str(error)
                job = None
            bar.update()
            if job is not None:
                yield job


def _plan_video(video: "Video", store: "AnnotationStore", options: argparse.Namespace, report: Report) -> Job | None:
    from sam_annotator.core.tracks import VideoTracks
    from sam_annotator.engine.propagation import plan_unfilled

    known = VideoTracks()
    for _ in known.scan(video, store):
        pass
    report.skipped.update({(video.name, index): reason for index, reason in known.problems.items()})
    tracks = tuple(track for track in known.tracks() if track.key_frames)
    if not tracks:
        if video.source is not None and video.needs_unpacking:
            report.not_unpacked.append(video.source)
        return None
    report.videos += 1
    report.objects += len(tracks)
    return Job(video, tracks, plan_unfilled(video, tracks, direction=options.direction, again=options.force))


def _fill(jobs: list[Job], store: "AnnotationStore", options: argparse.Namespace, report: Report) -> None:
    if not jobs:
        return
    from sam_annotator.engine.engines import EngineOptions, make_propagator

    engines = EngineOptions(options.sam, options.propagator, options.models, options.device)
    propagator = make_propagator(engines, _say)
    _say(f"Propagator: {propagator.name}")
    total = sum(request.total for job in jobs for request in job.requests)
    with _progress("", total, "frame") as bar:
        for job in jobs:
            bar.set_description(job.video.name)
            for request in job.requests:
                _fill_range(job, request, store, propagator, report, bar)


def _fill_range(
    job: Job,
    request: "PropagationRequest",
    store: "AnnotationStore",
    propagator: "Propagator",
    report: Report,
    bar: "tqdm[None]",
) -> None:
    from sam_annotator.core.errors import InputError
    from sam_annotator.engine.propagation import propagate

    left = request.total
    try:
        with closing(propagate(job.video, store, propagator, request)) as frames:
            for frame in frames:
                report.add(job, frame)
                bar.update()
                left -= 1
    except InputError as error:  # the frame to start from; other ranges and videos may do
        first, last = (job.video.frame_paths[index].name for index in (request.first, request.last))
        report.skipped[job.video.name, request.start] = f"{error} Nothing was filled from {first} to {last}."
        bar.update(left)


def _progress(what: str, total: int, unit: str) -> "tqdm[None]":
    """A bar on stderr; in a log file it moves every ten seconds."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(desc=what, total=total, unit=unit, mininterval=interval, file=sys.stderr)


def _no_key_frames(options: argparse.Namespace, report: Report) -> str:
    where = options.annotations or options.videos
    if report.skipped:
        reasons = list(report.skipped.values())
        more = f" {len(reasons) - 3} more could not be read." if len(reasons) > 3 else ""
        return f"There are no key frames in {where} that can be read. {' '.join(reasons[:3])}{more}"
    if report.not_unpacked:
        return f"There are no key frames in {where}. {report.left_out}"
    return (
        f"There are no key frames in {where}: no annotation there has an object with an id (labelme's group_id) that "
        "a human made. Annotate each object in one frame first, or name the right folder with --annotations."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
