"""Whole runs: one at a time on a video, and written down, so that each can be taken back, and gone on with exactly.

What a run that was killed knew is more than what it left in the files: a propagator remembers the frames it came
through. So who goes on with it computes again what it had computed of the request it was at, writes none of it, and is
then where it was: the files come out as if nothing had happened.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import partial
from typing import Any

from sam_annotator.core.errors import InputError
from sam_annotator.core.repair_notes import Befores, forget_repairs, unsettled
from sam_annotator.core.run_journal import RunJournal, last_run, sole_run
from sam_annotator.core.run_records import Entry, RecordedRun
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import Direction, PropagationRequest, Reach, plan_unfilled
from sam_annotator.engine.propagation import FrameDone, propagation_steps
from sam_annotator.engine.propagator import Propagator, identity_of
from sam_annotator.engine.repair import (
    AGREEMENT,
    Agreement,
    Correction,
    Repaired,
    digests_of_correction,
    digests_of_key_masks,
    find_corrections,
    note_repaired,
    repair_steps,
)
from sam_annotator.engine.tracks_to_carry import read_tracks

Steps = Generator[str | FrameDone, None, str]
"""What is being done, then each frame; returns what came of it, a sentence, where there is more to say than frames."""


@dataclass(frozen=True)
class FillOptions:
    """What is to be filled in a video, see `plan_unfilled`; `repair`: corrections are carried out first."""

    direction: Reach = "forward"
    again: bool = False
    within: tuple[int, int] | None = None
    repair: bool = False
    agreement: Agreement = AGREEMENT


@dataclass(frozen=True)
class Plan:
    """All that is to be done in a video, in this order.

    Attributes:
        repairs, requests: as they are carried out.
        facts: what the plan was made from; where it is the same, an interrupted run can be gone on with.
        interrupted: the run to go on with; None: a new one.
    """

    repairs: tuple[Correction, ...] = ()
    requests: tuple[PropagationRequest, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    interrupted: RecordedRun | None = None

    @property
    def total(self) -> int:
        """Frames that the requests come by; of repairs nobody knows."""
        return sum(request.total for request in self.requests)

    @property
    def to_fill(self) -> int:
        """Those of them that are to be written, as far as is known: where people have the say, nothing is."""
        return sum(request.fills(index) for request in self.requests for index in set().union(*request.passes))

    def document(self) -> dict[str, Any]:
        """The plan as JSON, for `_plan_from`."""
        return {
            "repairs": [[repair.frame, list(repair.object_ids)] for repair in self.repairs],
            "requests": [list(astuple(request)) for request in self.requests],
            "facts": dict(self.facts),
        }


def run_request(video: Video, store: AnnotationStore, propagator: Propagator, request: PropagationRequest) -> Steps:
    """Carry out one request. Raises what `propagate` does, and InputError while another run is at work on the video."""
    with sole_run(video, store), RunJournal(video, store) as journal:
        store.sweep(video)
        yield from propagation_steps(video, store, propagator, request, record=journal.add)
    return ""


def run_whole_video(video: Video, store: AnnotationStore, propagator: Propagator, object_ids: tuple[int, ...]) -> Steps:
    """Carry these objects from their key frames through the whole video, both ways, over what was propagated before."""
    with sole_run(video, store):
        store.sweep(video)
        known = yield from read_tracks(video, store)
        tracks = [track for track in known.tracks() if track.object_id in object_ids]
        requests = plan_unfilled(video, tracks, direction="both", again=True)
        if not requests:
            raise InputError(f"Nothing to propagate in {video.name}: no frame of these objects is without a key frame.")
        plan = Plan(requests=tuple(requests))
        with _journal(video, store, plan) as journal:
            yield from _carry_out(video, store, propagator, plan, AGREEMENT, journal)
    return ""


def run_repair(
    video: Video,
    store: AnnotationStore,
    propagator: Propagator,
    correction: Correction,
    agreement: Agreement = AGREEMENT,
) -> Steps:
    """Carry out one repair; one of the very same masks that was interrupted is gone on with."""
    with sole_run(video, store):
        store.sweep(video)
        corrected = {str(i): digest for i, digest in digests_of_correction(video, store, correction).items()}
        plan = Plan(repairs=(correction,), facts={"corrected": corrected})
        run = last_run(video, store)
        if run is not None and not run.has_ended and run.plan == plan.document():
            plan = replace(plan, interrupted=run)
        with _journal(video, store, plan) as journal:
            return (yield from _carry_out(video, store, propagator, plan, agreement, journal))


def fill_video(video: Video, store: AnnotationStore, propagator: Propagator, options: FillOptions) -> Steps:
    """Fill what is not filled, as `options` say; a run that was interrupted is gone on with exactly."""
    with sole_run(video, store):
        store.sweep(video)
        known = yield from read_tracks(video, store)
        plan = plan_video(video, store, known, options, propagator)
        with _journal(video, store, plan) as journal:
            said = yield from _carry_out(video, store, propagator, plan, options.agreement, journal)
            if plan.interrupted is not None and not options.again:  # what else was missing; the same step to take back
                known = yield from read_tracks(video, store)
                rest = Plan(requests=tuple(_plan_requests(video, known.tracks(), options)))
                first = len(plan.repairs) + len(plan.requests)
                yield from _carry_out(video, store, propagator, rest, options.agreement, journal, first)
    return said


def plan_video(
    video: Video, store: AnnotationStore, known: VideoTracks, options: FillOptions, propagator: Propagator | None = None
) -> Plan:
    """What there is to do in a video; what is left of a run that was interrupted, where it would come out the same.

    Args:
        propagator: that will do it; None: not known yet, so that of the interrupted run.
    """
    tracks = [track for track in known.tracks() if track.key_frames]
    repairs = find_corrections(video, store, tracks) if options.repair else []
    facts = {
        "options": {**asdict(options), "within": list(options.within) if options.within else None},
        **_facts(video, store, tracks, propagator),
    }
    run = last_run(video, store)
    if run is not None and not run.has_ended and _are_same(run.plan.get("facts"), facts):
        return _plan_from(run)
    return Plan(tuple(repairs), tuple(_plan_requests(video, tracks, options)), facts)


def _plan_requests(video: Video, tracks: Iterable[Track], options: FillOptions) -> list[PropagationRequest]:
    return plan_unfilled(video, tracks, direction=options.direction, again=options.again, within=options.within)


def _facts(
    video: Video, store: AnnotationStore, tracks: Iterable[Track], propagator: Propagator | None
) -> dict[str, Any]:
    """What the answers of a run depend on, as JSON."""
    return {
        "frames": len(video),
        "key_masks": digests_of_key_masks(video, store, tracks),
        "propagator": None if propagator is None else identity_of(propagator),
    }


def _are_same(recorded: Mapping[str, Any] | None, facts: Mapping[str, Any]) -> bool:
    """Whether a run was begun from the same facts; a propagator that is not known yet is no other."""
    if recorded is None or facts["propagator"] is not None:
        return recorded == facts
    return {**recorded, "propagator": None} == facts


def _plan_from(run: RecordedRun) -> Plan:
    return Plan(
        tuple(Correction(frame, tuple(object_ids)) for frame, object_ids in run.plan["repairs"]),
        tuple(_request_from(*fields) for fields in run.plan["requests"]),
        run.plan["facts"],
        run,
    )


def _request_from(
    object_ids: Sequence[int], start: int, first: int, last: int, direction: Direction, within: Sequence[int] | None
) -> PropagationRequest:
    written = None if within is None else (within[0], within[1])
    return PropagationRequest(tuple(object_ids), start, first, last, direction, written)


def _carry_out(
    video: Video,
    store: AnnotationStore,
    propagator: Propagator,
    plan: Plan,
    agreement: Agreement,
    journal: RunJournal,
    first: int = 0,
) -> Steps:
    """All parts of a plan, in order; where one cannot be carried out, that is said, and the next one is.

    Args:
        journal: that it is written down in, open.
        first: the number of the first part there.
    """
    run = plan.interrupted
    at = 0 if run is None else run.part
    before = [] if run is None else [entry for entry in run.entries if entry.part == at]
    left = unsettled(video, store) if plan.repairs else {}
    said = []
    for part, correction in enumerate(plan.repairs):
        if part < at:
            note_repaired(video, store, correction)
            continue
        journal.part = first + part
        forget_repairs(video, store, ((correction.frame, object_id) for object_id in correction.object_ids))
        try:
            repaired = yield from repair_steps(
                video, store, propagator, correction, agreement, record=journal.add, unsettled=left
            )
            left = _settle(journal, repaired, left)
            note_repaired(video, store, correction)
            said.append(str(repaired))
        except InputError as error:  # of the frame that was corrected; others may do
            if len(plan.repairs) + len(plan.requests) == 1:
                raise
            problem = f"{error} What was corrected there was not carried on."
            yield FrameDone(correction.frame, {}, 0, plan.total, problem)
    done = 0
    for part, request in enumerate(plan.requests, start=len(plan.repairs)):
        if part >= at:
            journal.part = first + part
            written = _written(before) if part == at else frozenset[int]()
            steps = propagation_steps(
                video,
                store,
                propagator,
                request,
                record=journal.add,
                written=written,
                pending=partial(_pending, plan.requests, part - len(plan.repairs)),
            )
            if written:
                yield f"going on where the last run was interrupted, after {len(written)} frames"
            yield from _as_part(steps, video, request, done, plan.total)
        done += request.total
    return "; ".join(said)


def _settle(journal: RunJournal, repaired: Repaired, left: Befores) -> Befores:
    """A repair is done: write that down, where it matters. Returns what is left of interrupted runs."""
    still = {place: b for place, b in left.items() if not any(one.covers(*place) for one in repaired.settled)}
    if journal.has_begun or len(still) < len(left):
        journal.settle(repaired.settled)
    return still


def _as_part(
    steps: Generator[str | FrameDone, None, None], video: Video, request: PropagationRequest, done: int, total: int
) -> Generator[str | FrameDone, None, None]:
    """The steps of one request as those of a longer run, of which so many frames are done."""
    try:
        with closing(steps):
            for step in steps:
                yield replace(step, done=done + step.done, total=total) if isinstance(step, FrameDone) else step
    except InputError as error:  # of the frame to start from; other requests may do
        first, last = (video.frame_paths[index].name for index in request.within or (request.first, request.last))
        problem = f"{error} Nothing was filled from {first} to {last}."
        yield FrameDone(request.start, {}, done + request.total, total, problem)


def _pending(requests: Sequence[PropagationRequest], at: int, index: int) -> frozenset[int]:
    """The objects whose masks in a frame are computed by a request that comes after the one we are at.

    What stands there of them is of an earlier run, and so does not count: a run that begins anew, with what it had
    written before it was interrupted or without, comes out the same.
    """
    later = frozenset(i for request in requests[at + 1 :] if request.fills(index) for i in request.object_ids)
    known = frozenset(i for request in requests[: at + 1] if request.fills(index) for i in request.object_ids)
    return later - known


def _journal(video: Video, store: AnnotationStore, plan: Plan) -> RunJournal:
    if plan.interrupted is not None:
        return RunJournal.resumed(video, store, plan.interrupted)
    return RunJournal(video, store, plan.document())


def _written(entries: list[Entry]) -> frozenset[int]:
    """The frames that a part of a run wrote for sure: it may have been killed before it wrote the last one."""
    last = {entry.index for entry in entries[-1:]}
    return frozenset(entry.index for entry in entries) - last
