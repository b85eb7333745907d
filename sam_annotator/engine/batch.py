"""One video of many: what a process of a headless propagation does, and what it says of it."""

import errno
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.run_journal import last_run
from sam_annotator.core.steps import finished, translated
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine import engines
from sam_annotator.engine.engines import EngineOptions
from sam_annotator.engine.propagation import FrameDone
from sam_annotator.engine.propagator import Propagator
from sam_annotator.engine.runs import FillOptions, fill_video, plan_video
from sam_annotator.engine.tracks_to_carry import read_tracks

MOST_DOUBTFUL: Final = 10
"""How many of the least certain answers are named."""


@dataclass(frozen=True)
class VideoTask:
    """What a process needs to know of one video. Can be pickled.

    Attributes:
        output: where the annotations are; None: beside the frames.
        fill: what is to be done.
        engines: with which propagator.
        threads: how many threads it may use; None: as many as it likes.
        processes: how many work at once on this machine.
    """

    video: Video
    output: Path | None
    fill: FillOptions
    engines: EngineOptions
    threads: int | None = None
    processes: int = 1


@dataclass(frozen=True, order=True)
class Doubt:
    """A propagated mask that may have drifted, or one that is missing beside a key frame (score 0), for people."""

    score: float
    video: str
    frame: str
    who: str


@dataclass
class VideoResult:
    """What came of one video.

    Attributes:
        objects: with key frames.
        planned: frames that there were to fill, at most; more may be written by repairs.
        written: indices of the frames for which an answer was computed.
        skipped: (frame, why it could not be filled); the frame is None for the video as a whole.
        said: sentences on how it went, such as the range of a repair.
        told: sentences on the propagator, the same for all videos of a process, such as which file is damaged.
        doubtful: the least certain answers of the video as it is now, at most MOST_DOUBTFUL.
        doubts: how many such answers there are in all.
        not_unpacked: the video file, where it has no frames yet.
        needs_work: whether there is something to fill or to repair.
        last_run: name of the last run that was written down of it, and how many frames that has.
    """

    video: str
    objects: int = 0
    planned: int = 0
    written: set[int] = field(default_factory=set)
    skipped: list[tuple[int | None, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    told: tuple[str, ...] = ()
    doubtful: list[Doubt] = field(default_factory=list)
    doubts: int = 0
    not_unpacked: Path | None = None
    needs_work: bool = False
    last_run: tuple[str, int] = ("", 0)


def survey(task: VideoTask) -> VideoResult:
    """Look what there is to do in a video. Raises nothing: what is wrong with it is in `skipped`."""
    result = VideoResult(task.video.name)
    store = AnnotationStore(task.output)
    try:
        known = finished(read_tracks(task.video, store))
        plan = plan_video(task.video, store, known, task.fill)
        _note_tracks(result, task.video, known)
    except InputError as error:
        result.skipped.append((None, str(error)))
        return result
    if not result.objects and task.video.source is not None and task.video.needs_unpacking:
        result.not_unpacked = task.video.source
    result.planned = plan.to_fill
    result.needs_work = bool(plan.requests or plan.repairs)
    if result.needs_work:
        result.last_run, _ = _written_since(task, result)
    return result


def look_after_interruption(task: VideoTask, before: VideoResult) -> VideoResult:
    """What processes whose result nobody waited for had written down of a video since it was looked at."""
    _, written = _written_since(task, before)
    return replace(before, written=written)


def _written_since(task: VideoTask, before: VideoResult) -> tuple[tuple[str, int], set[int]]:
    """The last run of a video and the number of its frames, and which of these are new."""
    run = last_run(task.video, AnnotationStore(task.output))
    if run is None:
        return before.last_run, set()
    name, known = before.last_run
    entries = run.entries[known if run.path.name == name else 0 :]
    return (run.path.name, len(run.entries)), {entry.index for entry in entries}


def fill(task: VideoTask) -> VideoResult:
    """Do what there is to do in a video. What is wrong with it is in `skipped`.

    Raises:
        InputError, EngineError: the propagator cannot be made.
        SaveError: the disk is full; whatever else keeps a video from being written is said of that video.
    """
    result = VideoResult(task.video.name)
    for _ in fill_steps(task, result):
        pass
    return result


def fill_steps(task: VideoTask, result: VideoResult) -> Iterator[str | FrameDone]:
    """As `fill`, frame by frame; `result` says at any time what came of it so far."""
    store = AnnotationStore(task.output)
    with _ONE_AT_A_TIME:  # threads of a Dask worker share the process, and with it the propagator
        propagator, result.told = _propagator(task.engines)
        _limit_threads(task.threads)
        _share_memory(task.processes)
        try:
            steps = fill_video(task.video, store, propagator, task.fill)
            said = yield from translated(steps, partial(_noted, result))
            result.said += [said] if said else []
        except (AnnotatorError, OSError, MemoryError) as error:
            if _is_full_disk(error):
                raise
            result.skipped.append((None, _reason(error, task.video)))
    try:
        known = finished(read_tracks(task.video, store))
        _note_tracks(result, task.video, known)
    except (InputError, OSError, MemoryError) as error:
        result.skipped.append((None, _reason(error, task.video)))


def _is_full_disk(error: BaseException | None) -> bool:
    """Whether an exception, or what it comes from, says so: other videos would fare no better."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error is not None and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _reason(error: Exception, video: Video) -> str:
    """A sentence for people."""
    if isinstance(error, AnnotatorError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"There was not enough memory for {video.name}; what was done of it is kept. Run it again by itself."
    return f"{video.name} could not be finished ({error}); what was done of it is kept."


def load_propagator(options: EngineOptions) -> tuple[str, ...]:
    """Load the propagator for the tasks of this process; returns lines for people: what is wrong, and its name."""
    _propagator.cache_clear()
    propagator, told = _propagator(options)
    return (*told, f"Propagator: {propagator.name}")


def _noted(result: VideoResult, step: str | FrameDone) -> str | FrameDone:
    if isinstance(step, FrameDone):
        if step.scores:
            result.written.add(step.index)
        if step.problem:
            result.skipped.append((step.index, step.problem))
        if step.notice:
            result.said.append(step.notice)
    return step


def _note_tracks(result: VideoResult, video: Video, known: VideoTracks) -> None:
    noted = {reason for _, reason in result.skipped}
    result.skipped += [(i, reason) for i, reason in sorted(known.problems.items()) if reason not in noted]
    result.objects = sum(bool(track.key_frames) for track in known.tracks())
    doubts = list(_doubts(video, known)) if result.objects else []
    result.doubts = len(doubts)
    result.doubtful = sorted(doubts)[:MOST_DOUBTFUL]


def _doubts(video: Video, known: VideoTracks) -> Iterator[Doubt]:
    names = [path.name for path in video.frame_paths]
    labels = {track.object_id: track.label for track in known.tracks()}
    for answer in known.doubtful_answers():
        who = f"{labels[answer.object_id]} {answer.object_id}"
        if answer.beside is not None:
            side = "before" if answer.frame < answer.beside else "after"
            who += f" vanishes {side} {names[answer.beside]}; look at it"
        yield Doubt(answer.score, video.name, names[answer.frame], who)


_ONE_AT_A_TIME = threading.Lock()


@lru_cache(maxsize=1)
def _propagator(options: EngineOptions) -> tuple[Propagator, tuple[str, ...]]:
    """The propagator, and what is to be told of it."""
    told: list[str] = []
    propagator = engines.make_propagator(options, told.append)
    return propagator, tuple(text for text in told if not text.endswith("..."))  # else: how loading goes


def _limit_threads(threads: int | None) -> None:
    """Several processes on one machine share its cores. What the propagator needs is loaded by now."""
    if threads is None:
        return
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def _share_memory(processes: int) -> None:
    """What the propagator forecasts is held against this process's part. One that needs little asks nobody."""
    module = sys.modules.get("sam_annotator.engine.out_of_memory")
    if module is not None:
        module.share_memory(processes)
