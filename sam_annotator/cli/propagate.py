"""`sam-annotator propagate VIDEOS`: fill the frames after each key frame, without a window."""

import argparse
import os
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from pathlib import Path
from typing import TYPE_CHECKING

from sam_annotator.cli.window import add_propagator_arguments, engine_options

if TYPE_CHECKING:
    from tqdm import tqdm

    from sam_annotator.core.videos import Video
    from sam_annotator.engine.batch import Doubt, VideoResult, VideoTask
    from sam_annotator.engine.runs import FillOptions

DESCRIPTION = "Carry the masks of all key frames through the videos of a folder, without a window."

EPILOG = """\
What a human made or approved is never changed. Frames that a propagation has answered for are left as they
are, so the same command goes on where it was interrupted (Ctrl+C keeps what is done) and ends with the same files as
if it had not been: of the video it was at, it first computes again what the propagator has to remember.

With --jobs or --scheduler, an interruption ends the other processes; where the command itself is killed (kill -9), they
finish the video that they are at, and nothing is lost or damaged.

What was done to a video can be taken back in the window (Ctrl+Shift+Z), one step per command.

examples:
  sam-annotator propagate /data/videos
  sam-annotator propagate /data/videos --annotations /data/ann --direction both
  sam-annotator propagate /data/videos --repair          after correcting masks here and there
  sam-annotator propagate /data/videos/dog --force       all anew, from the key frames
  sam-annotator propagate /data/videos --jobs 4          four videos at a time
  sam-annotator propagate /data/videos --scheduler tcp://head:8786      on a Dask cluster that sees the same files

exit code: 0 all is filled; 1 some frames had to be skipped; 2 not possible; 130 interrupted.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("videos", type=Path, metavar="VIDEOS", help="a folder of videos, or one video")
    parser.add_argument(
        "--annotations",
        "--output",
        type=Path,
        metavar="DIR",
        help="where the annotations are, and go: DIR/<video>/<frame>.json (default: beside the frames)",
    )
    _add_frames(parser)
    _add_repair(parser)
    parser.add_argument("--force", action="store_true", help="compute anew what an earlier propagation wrote")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes, a video each; -1: one per core (default: 1)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="let the workers of a Dask cluster do it, a video each (tcp://host:8786; pip install "
        '"sam-annotator[cluster]"); they have to see the same files',
    )
    add_propagator_arguments(parser)


def _add_frames(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--direction",
        choices=("forward", "backward", "both", "between"),
        default="forward",
        help="for each object fill the frames after its first key frame (default), those before its last one, all "
        "frames, or those between its first and its last key frame",
    )
    parser.add_argument("--first", type=int, metavar="N", help="fill no frame before this one, counted from 1")
    parser.add_argument("--last", type=int, metavar="N", help="fill no frame after this one, counted from 1")


def _add_repair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repair",
        action="store_true",
        help="where a propagated mask was corrected by hand, first carry the correction on, both ways, until the new "
        "masks agree with the old ones, at most halfway to the object's other key frames (embedded: up to them)",
    )
    parser.add_argument(
        "--agreement",
        type=float,
        default=0.95,
        metavar="IOU",
        help="from which overlap on masks agree, 0 to 1 (default: 0.95)",
    )
    parser.add_argument(
        "--agreeing", type=int, default=5, metavar="N", help="frames in a row that have to agree (default: 5)"
    )


def run(options: argparse.Namespace) -> int:
    tasks = _tasks(options)  # refuses what cannot be done before anything is read
    report = Report()
    try:
        work = list(_survey(tasks, options, report))
        _fill(work, options, report)
    finally:  # what an interruption or a full disk leaves is worth knowing, too
        report.print()
    return 1 if report.skipped else 0


@dataclass
class Report:
    """What a run came to, video by video in their order."""

    results: "dict[str, VideoResult]" = field(default_factory=dict)
    is_worth_printing: bool = False

    def add(self, result: "VideoResult") -> None:
        """Take note of what came of one video, in the place of what was known of it before."""
        self.results[result.video] = result

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(video, why something of it could not be filled)."""
        return [(result.video, reason) for result in self.results.values() for _, reason in result.skipped]

    @property
    def not_unpacked(self) -> list[Path]:
        """Video files without frames."""
        return [result.not_unpacked for result in self.results.values() if result.not_unpacked]

    @property
    def objects(self) -> int:
        return sum(result.objects for result in self.results.values())

    def print(self) -> None:
        """The summary, on stdout."""
        if not self.is_worth_printing:
            return
        results = list(self.results.values())
        videos, frames = sum(bool(r.objects) for r in results), sum(len(r.written) for r in results)
        counts = ((videos, "video"), (self.objects, "object"), (frames, "frame"))
        print(", ".join(_count(number, what) for number, what in counts), "computed.")
        if self.not_unpacked:
            print(self.left_out)
        for result in results:
            for sentence in result.said:
                print(f"  {result.video}: {sentence}")
        if self.skipped:
            print(f"Skipped ({len(self.skipped)}):")
            for video, reason in self.skipped:
                print(f"  {video}: {reason}")
        self._print_doubts(results)

    def _print_doubts(self, results: "Iterable[VideoResult]") -> None:
        from sam_annotator.core.tracks import DOUBTFUL_SCORE
        from sam_annotator.engine.batch import MOST_DOUBTFUL

        number = sum(result.doubts for result in results)
        worst: list[Doubt] = nsmallest(MOST_DOUBTFUL, (doubt for result in results for doubt in result.doubtful))
        if worst:
            named = "" if number == len(worst) else f", the first {len(worst)} of {number}"
            print(f"Doubtful, score below {DOUBTFUL_SCORE}{named} (score, video, frame, object):")
            for doubt in worst:
                print(f"  {doubt.score:.2f}  {doubt.video}  {doubt.frame}  {doubt.who}")

    @property
    def left_out(self) -> str:
        """A sentence on the video files that have no frames."""
        names = ", ".join(path.name for path in self.not_unpacked)
        return f"Left out, as they were never unpacked; open them in the window first: {names}."


def _tasks(options: argparse.Namespace) -> "list[VideoTask]":
    """A task for each video. Raises InputError or EngineError for what is wrong with the options."""
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.videos import find_videos
    from sam_annotator.engine.batch import VideoTask
    from sam_annotator.engine.engines import EngineOptions, check_propagator

    if options.annotations is not None and not options.annotations.is_dir():
        raise InputError(
            f"The folder {options.annotations} given with --annotations does not exist. Name the folder that the "
            "annotations were saved to, or leave --annotations out if they lie beside the frames."
        )
    if options.jobs != -1 and options.jobs < 1:
        raise InputError(f"--jobs {options.jobs} is no number of processes; give 1 or more, or -1 for one per core.")
    engines = EngineOptions(**engine_options(options))
    if options.scheduler is None:  # else the workers' machines count
        check_propagator(engines)
    fill, videos = _fill_options(options), find_videos(options.videos)
    output = None if options.annotations is None else options.annotations.absolute()
    return [VideoTask(video, output, _within(fill, video, options), engines, _threads(options)) for video in videos]


def _fill_options(options: argparse.Namespace) -> "FillOptions":
    from sam_annotator.core.errors import InputError
    from sam_annotator.engine.repair import Agreement
    from sam_annotator.engine.runs import FillOptions

    if not 0 < options.agreement <= 1 or options.agreeing < 1:
        raise InputError("--agreement is an overlap above 0 and up to 1, --agreeing a number of frames from 1 on.")
    first, last = 1 if options.first is None else options.first, options.last
    if first < 1 or (last is not None and last < first):
        raise InputError("--first and --last are frame numbers, counted from 1, and --last is not before --first.")
    agreement = Agreement(options.agreement, options.agreeing)
    return FillOptions(options.direction, options.force, None, options.repair, agreement)


def _within(fill: "FillOptions", video: "Video", options: argparse.Namespace) -> "FillOptions":
    """The options for one video: to the frame numbers that were given, or its end."""
    from sam_annotator.core.errors import InputError

    if options.first is None and options.last is None:
        return fill
    try:
        end = len(video) - 1
    except InputError:  # said when the video is looked at
        return fill
    return replace(fill, within=((options.first or 1) - 1, end if options.last is None else min(options.last - 1, end)))


def _threads(options: argparse.Namespace) -> int | None:
    """Threads for each process, where there are several on this machine."""
    if options.jobs == 1 or options.scheduler is not None:
        return None
    cores = os.cpu_count() or 1
    return max(1, cores // (cores if options.jobs == -1 else options.jobs))


def _survey(tasks: "list[VideoTask]", options: argparse.Namespace, report: Report) -> "Iterable[VideoTask]":
    """Look through the annotations of all videos; the tasks for those with something to do."""
    from sam_annotator.core.errors import InputError
    from sam_annotator.engine.batch import survey

    with _progress("reading annotations", len(tasks), "video") as bar:
        for task in tasks:
            report.add(survey(task))
            bar.update()
    if not report.objects:
        raise InputError(_no_key_frames(options, report))
    report.is_worth_printing = True
    return [task for task in tasks if report.results[task.video.name].needs_work]


def _fill(tasks: "list[VideoTask]", options: argparse.Namespace, report: Report) -> None:
    if not tasks:
        return
    from sam_annotator.engine.batch import load_propagator

    alone = options.jobs == 1 and options.scheduler is None
    if alone:
        for line in load_propagator(tasks[0].engines):
            _say(line)
    total = sum(report.results[task.video.name].planned for task in tasks)
    with _progress("", total, "frame") as bar:
        if alone:
            for task in tasks:
                _fill_here(task, report, bar)
        else:
            _fill_elsewhere(tasks, options, report, bar)


def _fill_here(task: "VideoTask", report: Report, bar: "tqdm[None]") -> None:
    from sam_annotator.engine.batch import VideoResult, fill_steps

    before = report.results[task.video.name]
    result = VideoResult(task.video.name, objects=before.objects)
    report.add(result)
    bar.set_description(task.video.name)
    seen = 0
    with closing(fill_steps(task, result)) as steps:
        for step in steps:
            if isinstance(step, str):
                bar.set_postfix_str(step, refresh=sys.stderr.isatty())
            elif step.scores:
                bar.set_postfix_str("", refresh=False)
                bar.update()
                seen += 1
            else:  # people have the say there, or nothing is to be written
                bar.set_postfix_str(f"coming by frame {step.index + 1}", refresh=sys.stderr.isatty())
    bar.total += seen - before.planned  # how long a repair takes nobody knows before
    bar.refresh()


def _fill_elsewhere(tasks: "list[VideoTask]", options: argparse.Namespace, report: Report, bar: "tqdm[None]") -> None:
    from sam_annotator.core.parallel import in_order
    from sam_annotator.engine.batch import fill, look_after_interruption

    if options.scheduler is None:
        most = (os.cpu_count() or 1) if options.jobs == -1 else options.jobs
        tasks = [replace(task, processes=min(most, len(tasks))) for task in tasks]
    waiting = {task.video.name: task for task in tasks}
    told: set[str] = set()
    try:
        with closing(in_order(fill, tasks, options.jobs, options.scheduler)) as results:
            for result in results:
                bar.set_description(result.video)
                bar.update(report.results[result.video].planned)
                report.add(result)
                del waiting[result.video]
                for line in dict.fromkeys(result.told):
                    if line not in told:  # each process has its own propagator
                        told.add(line)
                        bar.write(line, file=sys.stderr)
    finally:  # of an interruption: what was written of videos whose result did not come any more
        for name, task in waiting.items():
            report.add(look_after_interruption(task, report.results[name]))


def _progress(what: str, total: int, unit: str) -> "tqdm[None]":
    """A bar on stderr; in a log file it moves every ten seconds."""
    from tqdm import tqdm

    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(desc=what, total=total, unit=unit, mininterval=interval, file=sys.stderr)


def _no_key_frames(options: argparse.Namespace, report: Report) -> str:
    where = options.annotations or options.videos
    if report.skipped:
        reasons = [reason for _, reason in report.skipped]
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
