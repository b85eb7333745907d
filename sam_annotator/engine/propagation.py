"""A run of propagation: masks carried from frame to frame, each frame saved before the next is begun.

    for frame in propagate(video, store, propagator, request):
        print(frame.index, frame.scores)

The caller owns the loop: progress, pausing and cancelling (`close()`) come free. A propagator knows
nothing of files, the store nothing of models; this module stands between them and keeps one promise:
what a human made or approved is never changed, and neither are objects that were not asked for.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np

from sam_annotator.core.annotation import PROPAGATED, FrameAnnotation, Shape
from sam_annotator.core.errors import AnnotationError, ImageError, InputError
from sam_annotator.core.images import image_size, read_image
from sam_annotator.core.masks import Mask, object_mask
from sam_annotator.core.store import AnnotationStore, check_size, set_propagated
from sam_annotator.core.tracks import Track, VideoTracks
from sam_annotator.core.videos import Video
from sam_annotator.engine.disjoint import shapes_beside, without_overlap
from sam_annotator.engine.propagator import KeyFrame, PropagatedMask, Propagator
from sam_annotator.engine.read_ahead import Image, read_ahead

Direction = Literal["forward", "backward", "both"]

MAX_KEY_FRAMES = 8
"""Key frames that a propagator is told of before a run, unless the objects need more to have one each."""


@dataclass(frozen=True)
class PropagationRequest:
    """What to propagate, from where, and how far.

    Attributes:
        object_ids: the objects to answer for.
        start: the frame whose saved masks are carried on.
        first, last: the range to fill, inclusive; `start` lies in it.
        direction: `forward` fills start..last, `backward` start..first, `both` one after the other.
    """

    object_ids: tuple[int, ...]
    start: int
    first: int
    last: int
    direction: Direction = "forward"

    @property
    def passes(self) -> tuple[range, ...]:
        """The frames of each pass in the order they are stepped through; each pass begins at `start`."""
        forward = range(self.start, self.last + 1)
        backward = range(self.start, self.first - 1, -1)
        if self.direction == "both":
            return tuple(frames for frames in (forward, backward) if len(frames) > 1) or (forward,)
        return (forward,) if self.direction == "forward" else (backward,)

    @property
    def total(self) -> int:
        """How many frames the run reports."""
        return len(set().union(*self.passes))


@dataclass(frozen=True)
class FrameDone:
    """One frame of a run is saved, or had to be skipped.

    Attributes:
        index: the frame.
        scores: object id -> 0..1 for each object that the propagator answered for here, also with 'not
            here'; empty in a frame whose masks were all there before.
        done, total: frames of the run so far, and in all.
        problem: why the frame was skipped, a sentence that names the file; None: it was not.
        before: what the frame's file said before; None: there was none. For taking the run back.
    """

    index: int
    scores: Mapping[int, float]
    done: int
    total: int
    problem: str | None = None
    before: FrameAnnotation | None = field(default=None, compare=False)


def propagate(
    video: Video, store: AnnotationStore, propagator: Propagator, request: PropagationRequest
) -> Generator[FrameDone, None, None]:
    """Carry the saved masks of frame `request.start` through the range; a generator.

    Each frame is written through the store before it is yielded. Closing the generator at any point
    keeps what is done and leaves no thread behind. A frame whose image or annotation cannot be read is
    reported and skipped, its files untouched.

    Raises:
        InputError: the request does not fit the video, there is no mask to carry on, or the start frame
            itself cannot be read.
        SaveError: a frame could not be written; the frames before it are.
        EngineError: the model failed.
    """
    run = _Run(video, store, propagator, request)
    done = 0
    for number, frames in enumerate(request.passes):
        propagator.begin(run.key_frames(frames))
        with closing(read_ahead(video.frame_paths[index] for index in frames)) as images:
            for index, image in zip(frames, images, strict=True):
                scores, problem, before = run.step(index, image)
                if number > 0 and index == request.start:  # the first pass has reported it
                    continue
                done += 1
                yield FrameDone(index, scores, done, request.total, problem, before)


def plan_unfilled(
    video: Video, tracks: Iterable[Track], *, direction: Literal["forward", "both"] = "forward", again: bool = False
) -> list[PropagationRequest]:
    """The runs, in order, after which every object is answered for in every frame from its first key frame on.

    A frame is answered for if a human made or approved the object there, or a propagation wrote it or
    said 'not here'; so after an interruption the runs begin where the last one stopped. Objects that
    lack an answer in the same frames run together, because they compete for pixels.

    Args:
        direction: `both` fills the frames before the first key frame too.
        again: what an earlier propagation wrote counts as not answered.
    """
    known = [track for track in tracks if track.key_frames]
    requests = _plan_pass(known, range(len(video)), again)
    if direction == "both":
        requests += _plan_pass(known, range(len(video) - 1, -1, -1), again)
    return requests


class _Run:
    """What stays the same during a run, and the step from one frame to the next."""

    def __init__(
        self, video: Video, store: AnnotationStore, propagator: Propagator, request: PropagationRequest
    ) -> None:
        self.tracks = _tracks_to_carry(video, store, request)
        self.video = video
        self.store = store
        self.propagator = propagator
        self.start = request.start
        self.wanted = frozenset(self.tracks)
        self.width, self.height = image_size(video.frame_paths[request.start])
        before = store.read(video, request.start)
        shapes = () if before is None else before.shapes
        at_start = {shape.object_id: shape.label for shape in shapes}
        self.labels = {object_id: at_start.get(object_id, track.label) for object_id, track in self.tracks.items()}

    def key_frames(self, frames: range) -> Iterator[KeyFrame]:
        """The key frames to learn before a pass, read one at a time. One that cannot be read is left out."""
        for index in choose_key_frames([track.key_frames for track in self.tracks.values()], frames):
            try:
                image = read_image(self.video.frame_paths[index])
                given = self._given(self._read(index, image))
            except InputError:  # `step` reports it where the run comes by
                continue
            masks = {object_id: given[object_id] for object_id in given.keys() & self.wanted}
            if masks:
                yield KeyFrame(index, image, masks)

    def step(
        self, index: int, image: Image | ImageError
    ) -> tuple[dict[int, float], str | None, FrameAnnotation | None]:
        """Answer for one frame and save it; the scores, why it was skipped if it was, and what the file said before."""
        try:
            if isinstance(image, ImageError):
                raise image
            scores, before = self._answer(index, image)
            return scores, None, before
        except InputError as error:
            if index == self.start:
                raise
            return {}, str(error), None

    def _answer(self, index: int, image: Image) -> tuple[dict[int, float], FrameAnnotation | None]:
        seen = self._read(index, image)
        given = self._given(seen, seed=index == self.start)
        answers = self.propagator.step(index, image, given, self.wanted)
        new = {object_id: answers[object_id] for object_id in sorted((self.wanted - given.keys()) & answers.keys())}
        shapes = self._shapes(new, seen)

        before: FrameAnnotation | None = None

        def change(current: FrameAnnotation) -> FrameAnnotation:
            nonlocal before
            before = current if self.store.path(self.video, index).exists() else None
            # A person may have saved this frame while the model was at it: what they drew keeps its pixels.
            fresh = shapes if current == seen else self._shapes(new, current)
            for object_id, parts in fresh.items():
                current = set_propagated(current, object_id, parts)
            return current

        self.store.update(self.video, index, change, self.width, self.height)
        return {object_id: round(answer.score, 4) for object_id, answer in new.items()}, before

    def _read(self, index: int, image: Image) -> FrameAnnotation:
        """The annotation of a frame as it stands now. Raises InputError if it, or the image, does not fit the run."""
        height, width = image.shape[:2]
        if (width, height) != (self.width, self.height):
            raise ImageError(
                f"{self.video.frame_paths[index]} has {width} x {height} pixels, but the run began with "
                f"{self.width} x {self.height}: masks can be carried only between frames of one size."
            )
        annotation = self.store.read(self.video, index)
        if annotation is None:
            return self.store.blank(self.video, index, width, height)
        check_size(annotation, width, height, self.store.path(self.video, index))
        return annotation

    def _given(self, annotation: FrameAnnotation, *, seed: bool = False) -> dict[int, Mask]:
        """What is true in a frame: protected masks of the wanted objects, all masks of the others.

        Of the `seed`, the frame that the run begins with, all masks are, and 'not here' is too.
        """
        masks = {
            object_id: object_mask(annotation.shapes_of(object_id), self.height, self.width)
            for object_id in annotation.object_ids()
            if seed or object_id not in self.wanted or annotation.is_key_frame_of(object_id)
        }
        masks = without_overlap({object_id: mask for object_id, mask in masks.items() if mask.any()})
        for absent in annotation.propagated_ids & self.wanted - masks.keys() if seed else ():
            masks[absent] = np.zeros((self.height, self.width), np.bool_)
        return masks

    def _shapes(
        self, answers: Mapping[int, PropagatedMask], annotation: FrameAnnotation
    ) -> dict[int, tuple[Shape, ...]]:
        """What to save: no pixel belongs to two objects, and what stays in the frame keeps its own."""
        taken = np.zeros((self.height, self.width), np.bool_)
        for object_id in annotation.object_ids():
            if object_id not in answers or annotation.is_key_frame_of(object_id):
                taken |= object_mask(annotation.shapes_of(object_id), self.height, self.width)
        shapes = {}
        for object_id, answer in answers.items():
            shapes[object_id] = shapes_beside(
                taken,
                answer.mask,
                label=self.labels[object_id],
                object_id=object_id,
                source=PROPAGATED,
                score=round(answer.score, 4),
            )
            taken |= object_mask(shapes[object_id], self.height, self.width)
        return shapes


def choose_key_frames(key_frames: Iterable[Iterable[int]], frames: range) -> list[int]:
    """The key frames to learn before a pass through `frames`, ascending.

    Of each object the one nearest to the pass's start; then others, evenly spread over the pass, or the
    nearest to it, up to MAX_KEY_FRAMES.

    Args:
        key_frames: those of each object.
    """
    per_object = [sorted(indices) for indices in key_frames]
    chosen = {min(indices, key=lambda index: abs(index - frames[0])) for indices in per_object if indices}
    others = sorted(set().union(*per_object) - chosen)
    inside = [index for index in others if index in frames]
    outside = sorted(set(others).difference(inside), key=lambda index: min(abs(index - frames[i]) for i in (0, -1)))
    room = max(MAX_KEY_FRAMES - len(chosen), 0)
    if len(inside) > room:
        chosen.update(inside[place] for place in np.linspace(0, len(inside) - 1, room).astype(int))
    else:
        chosen.update((inside + outside)[:room])
    return sorted(chosen)


def _tracks_to_carry(video: Video, store: AnnotationStore, request: PropagationRequest) -> dict[int, Track]:
    """The tracks of the objects asked for. Raises InputError if the request cannot be carried out."""
    if not 0 <= request.first <= request.start <= request.last < len(video):
        raise InputError(
            f"{video.name} has the frames 0 to {len(video) - 1}: a run from frame {request.start} cannot fill "
            f"frames {request.first} to {request.last}. Choose a range of the video that holds the frame to start at."
        )
    known = VideoTracks()
    for _ in known.scan(video, store):
        pass
    tracks = {track.object_id: track for track in known.tracks() if track.object_id in request.object_ids}
    frames = set().union(*request.passes)
    if request.start in known.problems:
        raise AnnotationError(known.problems[request.start])
    if not any(
        request.start in track.frames | track.answered_frames or track.key_frames & frames for track in tracks.values()
    ):
        raise InputError(_nothing_to_carry(video, request, frames))
    return tracks


def _nothing_to_carry(video: Video, request: PropagationRequest, frames: set[int]) -> str:
    ids = ", ".join(str(object_id) for object_id in request.object_ids)
    who = f"object {ids} has no mask" if len(request.object_ids) == 1 else f"none of the objects {ids} has a mask"
    start, first, last = (video.frame_paths[i].name for i in (request.start, min(frames), max(frames)))
    return (
        f"Nothing to propagate in {video.name}: {who} in {start}, and no key frame from {first} to {last}. "
        "Draw or accept a mask in the frame to start from."
    )


def _plan_pass(tracks: Iterable[Track], frames: range, again: bool) -> list[PropagationRequest]:
    """The runs through `frames`, in their order, that fill what lies beyond each object's first key frame."""
    missing = {track.object_id: _missing(track, frames, again) for track in tracks}

    def lacking(index: int) -> tuple[int, ...]:
        return tuple(object_id for object_id, indices in missing.items() if index in indices)

    requests = []
    for object_ids, group in groupby(frames, key=lacking):
        indices = list(group)
        if object_ids:
            ends = (indices[0] - frames.step, indices[-1])  # carried on from the frame before
            direction: Direction = "forward" if frames.step > 0 else "backward"
            requests.append(PropagationRequest(object_ids, ends[0], min(ends), max(ends), direction))
    return requests


def _missing(track: Track, frames: range, again: bool) -> set[int]:
    """The frames beyond the first key frame that have no answer, and key frames between two of them: a run goes on."""
    begin = min(track.key_frames)
    beyond = [index for index in frames if (index - begin) * frames.step > 0]
    answered = frozenset() if again else track.frames | track.answered_frames
    missing: set[int] = set()
    for done, group in groupby(beyond, key=lambda index: index in answered - track.key_frames):
        stretch = list(group)
        without = [place for place, index in enumerate(stretch) if index not in track.key_frames]
        if without and not done:
            missing.update(stretch[without[0] : without[-1] + 1])
    return missing
