"""After a correction: the object is carried on anew from there, both ways, until the masks agree with the old ones.

No farther than halfway to the object's other key frames: beyond, what was carried from those is nearer to the truth.
A propagator that reaches back from them knows that, too, and goes on. And not past a frame of which a person says that
the object is not there.
"""

import hashlib
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Final

from sam_annotator.core.annotation import PROPAGATED, FrameAnnotation, Shape, encode_annotation
from sam_annotator.core.errors import AnnotationError, InputError
from sam_annotator.core.masks import iou, object_mask
from sam_annotator.core.repair_notes import note_repairs, repaired
from sam_annotator.core.run_records import Settled
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import PropagationRequest
from sam_annotator.engine.propagation import FrameDone, Record, Run, Step
from sam_annotator.engine.propagator import Propagator, ReachesBack
from sam_annotator.engine.read_ahead import read_ahead
from sam_annotator.engine.tracks_to_carry import read_tracks


@dataclass(frozen=True)
class Agreement:
    """When a repair may stop: the new masks are the old ones, as good as.

    Attributes:
        iou: from this overlap on the new and the old mask of a frame agree. Two empty ones do.
        frames: so many frames in a row have to agree.
    """

    iou: float = 0.95
    frames: int = 5


AGREEMENT: Final = Agreement()


@dataclass(frozen=True)
class Correction:
    """Objects that were corrected in one frame."""

    frame: int
    object_ids: tuple[int, ...]


@dataclass(frozen=True)
class Repaired:
    """What a repair came to; as text a sentence for people, frames counted from 1.

    Attributes:
        first, last: the frames that were computed anew, with the one that was corrected.
        open_ends: how many of the two ends were reached before the masks agreed again.
        settled: the frames of each object.
    """

    first: int
    last: int
    open_ends: int
    settled: tuple[Settled, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        until = "" if self.open_ends else ", where the masks agree with the old ones again"
        return f"Repaired frames {self.first + 1} to {self.last + 1}{until}"


def find_corrections(video: Video, store: AnnotationStore, tracks: Iterable[Track]) -> list[Correction]:
    """Where a person changed what a propagation had made, in the order of the frames.

    Approving a mask is no correction, and one that was repaired before, and is as it was then, is none any more; nor is
    one beside which nothing is left to repair. Frames that cannot be read are left out.
    """
    known = repaired(video, store)
    found: dict[int, list[int]] = {}
    for track in tracks:
        for index in track.key_frames & track.answered_frames:
            if not _ends(video, track, index):
                continue
            try:
                annotation = store.read(video, index)
            except AnnotationError:
                continue
            shapes = () if annotation is None else annotation.shapes_of(track.object_id)
            is_new = known.get((index, track.object_id)) != _digest(shapes)
            if is_new and any(shape.source != PROPAGATED for shape in shapes):
                found.setdefault(index, []).append(track.object_id)
    return [Correction(index, tuple(sorted(found[index]))) for index in sorted(found)]


def note_repaired(video: Video, store: AnnotationStore, correction: Correction) -> None:
    """Remember that a correction was carried on. Raises SaveError."""
    digests = digests_of_correction(video, store, correction)
    note_repairs(video, store, {(correction.frame, object_id): digest for object_id, digest in digests.items()})


def digests_of_correction(video: Video, store: AnnotationStore, correction: Correction) -> dict[int, str]:
    """Object id -> the digest of the mask that it was given in the frame. Raises AnnotationError."""
    annotation = store.read(video, correction.frame)
    return {i: _digest(annotation.shapes_of(i)) for i in correction.object_ids} if annotation is not None else {}


def digests_of_key_masks(video: Video, store: AnnotationStore, tracks: Iterable[Track]) -> dict[str, str]:
    """Object id -> the digest of what people said: its masks in all key frames, and where it is not.

    Frames that cannot be read are left out.
    """
    frames: dict[int, list[int]] = {}
    for track in tracks:
        for index in track.decided_frames:
            frames.setdefault(index, []).append(track.object_id)
    digests: dict[str, str] = {}
    for index in sorted(frames):
        with suppress(AnnotationError):
            annotation = store.read(video, index)
            for object_id in frames[index]:
                mask = _digest(() if annotation is None else annotation.shapes_of(object_id))
                so_far = f"{digests.get(str(object_id), '')} {index} {mask}"
                digests[str(object_id)] = hashlib.sha256(so_far.encode()).hexdigest()[:16]
    return digests


def _digest(shapes: Iterable[Shape]) -> str:
    text = encode_annotation(FrameAnnotation("", 0, 0, tuple(shapes)))
    return hashlib.sha256(text).hexdigest()[:16]


def repair_steps(
    video: Video,
    store: AnnotationStore,
    propagator: Propagator,
    correction: Correction,
    agreement: Agreement = AGREEMENT,
    *,
    record: Record | None = None,
    unsettled: Mapping[tuple[int, int], FrameAnnotation | None] | None = None,
) -> Generator[str | FrameDone, None, Repaired]:
    """Carry the masks of the frame that was corrected on, forward and then backward, over what was propagated.

    Each object stops by itself where its masks agree, halfway to its next key frame (or there, see the module), and
    where it was never propagated.

    Args:
        record: is told of each frame before it is written.
        unsettled: (frame, object) -> what a frame said before runs that were interrupted, this one or others: with
            that the new masks have to agree, and not before the last such frame on their way.

    Raises:
        InputError: there is nothing to repair, or the frame cannot be read.
        SaveError, EngineError: as `propagate`.
    """
    known = yield from read_tracks(video, store)
    reach = propagator.farthest_back if isinstance(propagator, ReachesBack) else 0
    reaches = _reaches(video, known, correction, reach=reach)
    tracks = {track.object_id: track for track in known.tracks() if track.object_id in {i for _, i in reaches}}
    first, last = min(reaches.values()), max(reaches.values())
    request = PropagationRequest(
        tuple(tracks), correction.frame, min(first, correction.frame), max(last, correction.frame), "both"
    )
    run = Run(video, store, propagator, request, tracks, record)
    yield from run.forecast(request.passes[0])
    ends, open_ends, done, total = [correction.frame], 0, 0, request.total
    seen = {object_id: [correction.frame] for object_id in tracks}
    for frames in request.passes:
        ends_of = {i: end for (way, i), end in reaches.items() if way == frames.step}
        watch = _Watch(run, ends_of, frames.step, agreement, unsettled or {})
        yield from run.begin(frames)
        with closing(read_ahead(video.frame_paths[index] for index in frames)) as images:
            for index, image in zip(frames, images, strict=True):
                wanted = watch.wanted(index, correction.frame)
                if abs(index - correction.frame) > agreement.frames:  # most repairs have settled by then
                    yield from run.reach_back(index, wanted)
                step = run.step(index, image, wanted)
                if done == 0 or index != correction.frame:
                    done += 1
                    yield FrameDone(index, step.scores, done, total, step.problem, run.take_notice())
                ends.append(index)
                for object_id in wanted:
                    seen[object_id].append(index)
                if index != correction.frame and watch.has_settled(index, step):
                    break
        total -= abs(frames[-1] - index)
        open_ends += watch.is_open
    settled = tuple(Settled(i, range(min(frames), max(frames) + 1)) for i, frames in seen.items())
    return Repaired(min(ends), max(ends), open_ends, settled)


class _Watch:
    """Compares the new masks with the old ones in one direction, and knows which objects go on."""

    def __init__(
        self,
        run: Run,
        ends: Mapping[int, int],
        way: int,
        agreement: Agreement,
        unsettled: Mapping[tuple[int, int], FrameAnnotation | None],
    ) -> None:
        self._run, self._ends, self._way = run, ends, way
        self._agreement, self._unsettled = agreement, unsettled
        self._going = set(ends)
        self._agreed: Counter[int] = Counter()
        self.is_open = False

    def wanted(self, index: int, start: int) -> frozenset[int]:
        """The objects to answer for in a frame."""
        away = abs(index - start)
        return frozenset(i for i in self._going if away <= abs(self._ends[i] - start))

    def has_settled(self, index: int, step: Step) -> bool:
        """Take note of a frame; True if no object has to go on."""
        if step.after is not None:
            for object_id in sorted(self._going):
                before = self._unsettled.get((index, object_id), step.before)
                agrees = self._agrees(object_id, before, step.after)
                self._agreed[object_id] = self._agreed[object_id] + 1 if agrees else 0
        self._going -= {i for i in self._going if self._agreed[i] >= self._agreement.frames and self._is_past(i, index)}
        past = {i for i in self._going if self._ends[i] == index}
        self.is_open |= bool(past)
        self._going -= past
        return not self._going

    def _is_past(self, object_id: int, index: int) -> bool:
        """Whether no frame lies ahead that an interrupted run wrote."""
        ahead = range(index, self._ends[object_id], self._way)
        return not any((i + self._way, object_id) in self._unsettled for i in ahead)

    def _agrees(self, object_id: int, before: FrameAnnotation | None, after: FrameAnnotation) -> bool:
        if before is None or not (before.shapes_of(object_id) or object_id in before.propagated_ids):
            return False
        height, width = self._run.height, self._run.width
        old, new = (object_mask(seen.shapes_of(object_id), height, width) for seen in (before, after))
        return not (old.any() or new.any()) or iou(old, new) >= self._agreement.iou


def _reaches(video: Video, known: VideoTracks, correction: Correction, *, reach: int) -> dict[tuple[int, int], int]:
    """(direction, object) -> the last frame that may have to be repaired, see `_ends`."""
    frame = correction.frame
    if frame in known.problems:
        raise AnnotationError(known.problems[frame])
    reaches = {}
    for track in filter(None, map(known.get, correction.object_ids)):
        if frame in track.key_frames:
            ends = _ends(video, track, frame, reach=reach)
            reaches.update({(way, track.object_id): end for way, end in ends.items()})
    if not reaches:
        raise InputError(_nothing_to_repair(video, correction))
    return reaches


def _ends(video: Video, track: Track, frame: int, *, reach: int = 0) -> dict[int, int]:
    """Direction (1, -1) -> the last frame that a key frame may be carried on to; none where nothing is to be done.

    It was propagated, the object may be in all frames on the way, and no other key frame is nearer; it may be where the
    way back from that is at most `reach` frames long.
    """
    answered = (track.answered_frames | track.propagated_frames) - track.decided_frames
    after = min((key for key in track.key_frames if key > frame), default=2 * len(video))
    before = max((key for key in track.key_frames if key < frame), default=-2 * len(video))
    after = after if after - frame <= 2 * reach else (frame + after) // 2
    before = before if frame - before <= 2 * reach else -((-frame - before) // 2)
    near = range(max(before, 0), min(after, len(video) - 1) + 1)
    ends = {}
    for way, beside in ((1, range(frame + 1, near.stop)), (-1, range(frame - 1, near.start - 1, -1))):
        way_there = takewhile(lambda index: index not in track.absent_frames, beside)
        carried = [index for index in way_there if index in answered]
        if carried:
            ends[way] = carried[-1]
    return ends


def _nothing_to_repair(video: Video, correction: Correction) -> str:
    ids = ", ".join(str(object_id) for object_id in correction.object_ids)
    who = f"object {ids}" if len(correction.object_ids) == 1 else f"the objects {ids}"
    return (
        f"Nothing to repair in {video.name} around {video.frame_paths[correction.frame].name}: no propagation has come "
        f"by there with {who}, or nothing was corrected. Correct a mask there, or propagate from it."
    )
