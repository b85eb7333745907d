"""A run of propagation: masks carried from frame to frame, each frame saved before the next is begun.

    for frame in propagate(video, store, propagator, request):
        print(frame.index, frame.scores)

The caller owns the loop: progress, pausing and cancelling (`close()`) come free. A propagator knows
nothing of files, the store nothing of models; this module stands between them and keeps one promise:
what a human made or approved is never changed, and neither are objects that were not asked for.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sam_annotator.core.annotation import PROPAGATED, FrameAnnotation, Shape
from sam_annotator.core.errors import AnnotationError, ImageError, InputError
from sam_annotator.core.images import image_size, read_image
from sam_annotator.core.masks import Mask, object_mask
from sam_annotator.core.remarks import Remark
from sam_annotator.core.store import AnnotationStore, check_size, set_propagated
from sam_annotator.core.tracks import Track
from sam_annotator.core.videos import Video
from sam_annotator.engine.disjoint import shapes_beside, without_overlap
from sam_annotator.engine.planning import PropagationRequest, choose_key_frames
from sam_annotator.engine.propagator import (
    KeyFrame,
    LearnsOneByOne,
    PropagatedMask,
    Propagator,
    ReachesBack,
    forecast_of,
    notice_of,
)
from sam_annotator.engine.read_ahead import Image, read_ahead
from sam_annotator.engine.tracks_to_carry import tracks_to_carry
from sam_annotator.engine.ways_back import WaysBack


class Record(Protocol):
    """Is told of a frame that is about to be written."""

    def __call__(self, index: int, before: FrameAnnotation | None, object_ids: Iterable[int]) -> None:
        """What its file says (None: there is none), and the objects answered for."""


Pending = Callable[[int], frozenset[int]]
"""The objects whose propagated masks in a frame count for nothing any more: a later request computes them anew.

They stay in the file until it does: where it never comes to that, they are all there is.
"""


def nothing_pending(_index: int) -> frozenset[int]:
    """All that stands in a frame counts."""
    return frozenset()


@dataclass(frozen=True)
class FrameDone:
    """One frame of a run is saved, or had to be skipped.

    Attributes:
        index: the frame.
        scores: object id -> 0..1 for each object that the propagator answered for here, also with 'not
            here'; empty in a frame whose masks were all there before.
        done, total: frames of the run so far, and in all.
        problem: why the frame was skipped, a sentence that names the file; None: it was not.
        notice: what changed in how the run goes on, a sentence, such as a smaller working size where memory is short.
    """

    index: int
    scores: Mapping[int, float]
    done: int
    total: int
    problem: str | None = None
    notice: str | None = None


def propagate(
    video: Video,
    store: AnnotationStore,
    propagator: Propagator,
    request: PropagationRequest,
    *,
    record: Record | None = None,
    written: frozenset[int] = frozenset(),
    pending: Pending = nothing_pending,
) -> Generator[FrameDone, None, None]:
    """Carry the saved masks of frame `request.start` through the range; a generator.

    Each frame is written through the store before it is yielded. Closing the generator at any point
    keeps what is done and leaves no thread behind. A frame whose image or annotation cannot be read is
    reported and skipped, its files untouched.

    Args:
        record: is told of each frame before it is written.
        written: frames that this very run wrote before it was interrupted. They are computed, not written: so the
            propagator remembers what it did then, and the frames after them come out the same.
        pending: objects whose old masks do not count, frame by frame: new ones are made as if they were not there.

    Raises:
        InputError: the request does not fit the video, there is no mask to carry on, or the start frame
            itself cannot be read.
        SaveError: a frame could not be written; the frames before it are.
        EngineError: the model failed.
    """
    steps = propagation_steps(video, store, propagator, request, record=record, written=written, pending=pending)
    with closing(steps):
        for step in steps:
            if isinstance(step, FrameDone):
                yield step


def propagation_steps(
    video: Video,
    store: AnnotationStore,
    propagator: Propagator,
    request: PropagationRequest,
    *,
    record: Record | None = None,
    written: frozenset[int] = frozenset(),
    pending: Pending = nothing_pending,
) -> Generator[str | FrameDone, None, None]:
    """As `propagate`; yields what is done before the first frame, too: it can be overtaken and cancelled there."""
    tracks = yield from tracks_to_carry(video, store, request)
    run = Run(video, store, propagator, request, tracks, record, pending)
    yield from run.forecast(request.passes[0])
    done = 0
    for number, frames in enumerate(request.passes):
        yield from run.begin(frames)
        with closing(read_ahead(video.frame_paths[index] for index in frames)) as images:
            for index, image in zip(frames, images, strict=True):
                write = index not in written and request.writes(index)
                yield from run.reach_back(index)
                step = run.step(index, image, write=write)
                if number > 0 and index == request.start:  # the first pass has reported it
                    continue
                done += 1
                yield FrameDone(
                    index, step.scores if write else {}, done, request.total, step.problem, run.take_notice()
                )


@dataclass(frozen=True)
class Step:
    """What came of one frame.

    Attributes:
        scores, problem: as in FrameDone.
        before, after: what the file said and says; None where it was skipped, and `before` where there was no file.
    """

    scores: Mapping[int, float]
    problem: str | None = None
    before: FrameAnnotation | None = None
    after: FrameAnnotation | None = None


class Run:
    """What stays the same during a run, and the step from one frame to the next.

    Attributes:
        tracks: of the objects to answer for, by id.
        height, width: of the frames, in pixels.
    """

    def __init__(
        self,
        video: Video,
        store: AnnotationStore,
        propagator: Propagator,
        request: PropagationRequest,
        tracks: Mapping[int, Track],
        record: Record | None,
        pending: Pending = nothing_pending,
    ) -> None:
        self.tracks = tracks
        self._pending = pending
        self._video, self._store, self._propagator = video, store, propagator
        self._record = record
        self._notices: list[str] = []
        self._ways: WaysBack | None = None
        self._start = request.start
        self._wanted = frozenset(tracks)
        self.width, self.height = image_size(video.frame_paths[request.start])
        self._labels = {object_id: self._label(object_id) for object_id in tracks}

    def forecast(self, frames: range) -> Iterator[str]:
        """Yields what memory the run will take, where the propagator knows; where it is short, that is a notice too."""
        objects, learned = len(self.tracks), len(self.key_frames(frames))
        forecast = forecast_of(self._propagator, self.height, self.width, objects, learned)
        if forecast is not None:
            self._notices += [str(forecast)] if forecast.is_short else []
            yield Remark(forecast)

    def begin(self, frames: range) -> Iterator[str]:
        """Teach the propagator what is known before a pass; yields what is being done."""
        indices = self.key_frames(frames)
        if isinstance(self._propagator, LearnsOneByOne):
            self._propagator.begin(())
            for number, index in enumerate(indices, start=1):
                yield f"learning key frame {number}/{len(indices)}"
                for key_frame in self._read_key_frames([index]):
                    self._propagator.learn(key_frame)
        else:
            yield f"learning {len(indices)} key frames"
            self._propagator.begin(self._read_key_frames(indices))
        if isinstance(self._propagator, ReachesBack):
            self._ways = WaysBack(self.tracks, frames, self._propagator.farthest_back, self._pending)

    def reach_back(self, index: int, wanted: frozenset[int] | None = None) -> Iterator[str]:
        """Before the step to a frame: lead the propagator back to it from key frames ahead, if it has yet to be.

        Yields what is being done, before each frame on the way. Arguments: as in `step`.
        """
        propagator, known = self._propagator, index == self._start
        way = None if known or self._ways is None else self._ways.due(index, self._wanted if wanted is None else wanted)
        if way is None or not isinstance(propagator, ReachesBack):
            return
        propagator.begin_back()
        with closing(read_ahead(self._video.frame_paths[at] for at in way.frames)) as images:
            for number, (at, image) in enumerate(zip(way.frames, images, strict=True), start=1):
                yield f"reaching back from frame {way.frames[0] + 1}: {number}/{len(way.frames)}"
                with suppress(InputError):  # `step` reports it where the run comes by
                    if isinstance(image, ImageError):
                        raise image
                    given = self._given(at, self._read(at, image), self._wanted)
                    propagator.step_back(at, image, given, way.objects(at))

    def key_frames(self, frames: range) -> list[int]:
        """The key frames that are learned before a pass."""
        return choose_key_frames([track.key_frames for track in self.tracks.values()], frames)

    def step(
        self, index: int, image: Image | ImageError, wanted: frozenset[int] | None = None, *, write: bool = True
    ) -> Step:
        """Answer for one frame and save it.

        Args:
            image: of the frame, or why it cannot be read.
            wanted: the objects to answer for; None: all.
            write: False: nothing is saved.

        Raises:
            InputError: the frame the run begins with cannot be read; any other is skipped.
        """
        try:
            if isinstance(image, ImageError):
                raise image
            return self._answer(index, image, self._wanted if wanted is None else wanted, write)
        except InputError as error:
            if index == self._start:
                raise
            return Step({}, str(error))

    def take_notice(self) -> str | None:
        """What is to be told to people since the last call, if anything."""
        new = notice_of(self._propagator)
        notices, self._notices = [*self._notices, *([new] if new else [])], []
        return " ".join(notices) or None

    def _read_key_frames(self, indices: Iterable[int]) -> Iterator[KeyFrame]:
        """Key frames, read one at a time. One that cannot be read is left out."""
        for index in indices:
            try:
                image = read_image(self._video.frame_paths[index])
                given = self._given(index, self._read(index, image), self._wanted)
            except InputError:  # `step` reports it where the run comes by
                continue
            masks = {object_id: given[object_id] for object_id in given.keys() & self._wanted if given[object_id].any()}
            if masks:
                yield KeyFrame(index, image, masks)

    def _answer(self, index: int, image: Image, wanted: frozenset[int], write: bool) -> Step:
        seen = self._read(index, image)
        given = self._given(index, seen, wanted, seed=index == self._start)
        answers = self._propagator.step(index, image, given, wanted)
        new = {object_id: answers[object_id] for object_id in sorted((wanted - given.keys()) & answers.keys())}
        scores = {object_id: round(answer.score, 4) for object_id, answer in new.items()}
        return self._save(index, seen, new, scores) if write else Step(scores)

    def _save(
        self, index: int, seen: FrameAnnotation, new: Mapping[int, PropagatedMask], scores: Mapping[int, float]
    ) -> Step:
        pending = self._pending(index)
        shapes = self._shapes(new, _without(seen, pending))
        before: FrameAnnotation | None = None

        def change(current: FrameAnnotation) -> FrameAnnotation:
            nonlocal before
            before = current if self._store.path(self._video, index).exists() else None
            changed = current
            # A person may have saved this frame while the model was at it: what they drew keeps its pixels.
            answers = shapes if current == seen else self._shapes(new, _without(current, pending))
            for object_id, parts in answers.items():
                changed = set_propagated(changed, object_id, parts)
            if self._record is not None and changed != current:
                self._record(index, before, new)
            return changed

        after = self._store.update(self._video, index, change, self.width, self.height)
        return Step(scores, None, before, after)

    def _read(self, index: int, image: Image) -> FrameAnnotation:
        """The annotation of a frame as it stands now. Raises InputError if it, or the image, does not fit the run."""
        height, width = image.shape[:2]
        if (width, height) != (self.width, self.height):
            raise ImageError(
                f"{self._video.frame_paths[index]} has {width} x {height} pixels, but the run began with "
                f"{self.width} x {self.height}: masks can be carried only between frames of one size."
            )
        annotation = self._store.read(self._video, index)
        if annotation is None:
            return self._store.blank(self._video, index, width, height)
        check_size(annotation, width, height, self._store.path(self._video, index))
        return annotation

    def _given(
        self, index: int, annotation: FrameAnnotation, wanted: frozenset[int], *, seed: bool = False
    ) -> dict[int, Mask]:
        """What is true in a frame: protected masks of the wanted objects, all masks of the others.

        'Not here' is true where a person said so. Of the `seed`, the frame that the run begins with, all masks are
        true, and so is 'not here' of a propagation.
        """
        annotation = _without(annotation, self._pending(index))
        masks = {
            object_id: object_mask(annotation.shapes_of(object_id), self.height, self.width)
            for object_id in annotation.object_ids()
            if seed or object_id not in wanted or annotation.is_key_frame_of(object_id)
        }
        masks = without_overlap({object_id: mask for object_id, mask in masks.items() if mask.any()})
        answered = annotation.propagated_ids if seed else frozenset[int]()
        for absent in (annotation.absent_ids | answered) & wanted - masks.keys():
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
                label=self._labels[object_id],
                object_id=object_id,
                source=PROPAGATED,
                score=round(answer.score, 4),
            )
            taken |= object_mask(shapes[object_id], self.height, self.width)
        return shapes

    def _label(self, object_id: int) -> str:
        """What the object is called at the start, or in the key frame nearest to it: the same as long as a run goes."""
        track = self.tracks[object_id]
        nearest = sorted(track.key_frames, key=lambda index: (abs(index - self._start), index))[:1]
        for index in (self._start, *nearest):
            try:
                annotation = self._store.read(self._video, index)
            except AnnotationError:
                continue
            for shape in () if annotation is None else annotation.shapes_of(object_id):
                return shape.label
        return track.label


def _without(annotation: FrameAnnotation, object_ids: frozenset[int]) -> FrameAnnotation:
    """The frame without what was propagated of these objects, answers and all."""
    for object_id in object_ids & (annotation.propagated_ids | set(annotation.object_ids())):
        if not annotation.is_key_frame_of(object_id):
            answered = annotation.propagated_ids - {object_id}
            annotation = replace(annotation.with_object(object_id, ()), propagated_ids=answered)
    return annotation
