"""The objects of one video over time, and changes to a whole track."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

from sam_annotator.core.annotation import FrameAnnotation, Shape
from sam_annotator.core.errors import AnnotationError, InputError
from sam_annotator.core.renamed import Renamed, with_id_changed
from sam_annotator.core.run_journal import noting_renamed, sole_run
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video


@dataclass(frozen=True)
class Track:
    """One object through one video.

    Attributes:
        object_id: unique in the video.
        label: the category; the most frequent one where frames disagree.
        key_frames: indices of the frames where a human made or approved the object's mask.
        propagated_frames: indices of the frames that show it as a propagation left it.
        answered_frames: indices of the frames that a propagation has answered for, also with 'not here'.
        absent_frames: indices of the frames of which a human says that it is not there.
    """

    object_id: int
    label: str
    key_frames: frozenset[int]
    propagated_frames: frozenset[int]
    answered_frames: frozenset[int]
    absent_frames: frozenset[int] = frozenset()

    @cached_property
    def known_frames(self) -> frozenset[int]:
        """Indices of all frames that say where it is, or that it is not there."""
        return self.frames | self.answered_frames | self.absent_frames

    @cached_property
    def decided_frames(self) -> frozenset[int]:
        """Indices of the frames where a human has the say: no propagation answers for it there."""
        return self.key_frames | self.absent_frames

    @cached_property
    def frames(self) -> frozenset[int]:
        """Indices of all frames that show the object."""
        return self.key_frames | self.propagated_frames

    @property
    def first(self) -> int | None:
        """The first frame that shows it; None if none does."""
        return min(self.frames, default=None)

    @property
    def last(self) -> int | None:
        """The last frame that shows it; None if none does."""
        return max(self.frames, default=None)


DOUBTFUL_SCORE: Final = 0.7
"""A propagated mask with a lower score should be looked at."""


@dataclass(frozen=True, order=True)
class DoubtfulAnswer:
    """A propagated mask that may have drifted, or one that is missing right beside a key frame of its object.

    Attributes:
        score: of the mask; 0 where it is missing.
        beside: index of the key frame beside which it is missing; None: the mask is there.
    """

    score: float
    frame: int
    object_id: int
    beside: int | None = None


@dataclass(frozen=True)
class _Sight:
    """One object in one frame."""

    labels: tuple[str, ...]
    is_key: bool
    score: float  # of the least sure part; 1 for what a human made or approved


class VideoTracks:
    """What is known of the objects of one video; kept up to date frame by frame. Reads no files but in `scan`.

    Not thread-safe: whoever shows it owns it.

    Attributes:
        problems: frames whose annotation cannot be read, with the sentence that says why.
    """

    def __init__(self) -> None:
        self.problems: dict[int, str] = {}
        self._sights: dict[int, dict[int, _Sight]] = {}  # object id -> frame index -> what is there
        self._answered: dict[int, set[int]] = {}
        self._absent: dict[int, set[int]] = {}
        self._ids_in: dict[int, frozenset[int]] = {}  # frame index -> ids it says something about
        self._highest = 0
        self._made: dict[int, Track] = {}

    def scan(self, video: Video, store: AnnotationStore) -> Iterator[int]:
        """Read all annotations of a video; yields the number of frames done so far. May be stopped at any point."""
        annotated = store.annotated_frames(video)
        for gone in self._ids_in.keys() - annotated:
            self.set_frame(gone, None)
        for done, index in enumerate(sorted(annotated), start=1):
            try:
                self.set_frame(index, store.read(video, index))
            except AnnotationError as error:
                self.set_frame(index, None)
                self.problems[index] = str(error)
            yield done

    def set_frame(self, index: int, annotation: FrameAnnotation | None) -> None:
        """Take over what a frame says now; None: it has no annotation."""
        self.problems.pop(index, None)
        for object_id in self._ids_in.pop(index, frozenset()):
            self._made.pop(object_id, None)
            self._answered.get(object_id, set()).discard(index)
            self._absent.get(object_id, set()).discard(index)
            self._sights.get(object_id, {}).pop(index, None)
        if annotation is None:
            return
        for object_id, shapes in _by_object(annotation).items():
            self._sights.setdefault(object_id, {})[index] = _sight(shapes)
        for object_id in annotation.propagated_ids:
            self._answered.setdefault(object_id, set()).add(index)
        for object_id in annotation.absent_ids:
            self._absent.setdefault(object_id, set()).add(index)
        mentioned = annotation.mentioned_ids()
        self._ids_in[index] = mentioned
        self._highest = max(self._highest, *mentioned, 0)
        for object_id in mentioned:
            self._made.pop(object_id, None)

    def tracks(self) -> tuple[Track, ...]:
        """The objects that some frame shows, by id."""
        return tuple(self._track(object_id) for object_id in sorted(self._sights) if self._sights[object_id])

    def get(self, object_id: int) -> Track | None:
        """One object; None if no frame shows it."""
        return self._track(object_id) if self._sights.get(object_id) else None

    def mentions(self, object_id: int) -> bool:
        """True if a frame shows this object, or says that it is not there, or that a propagation answered for it."""
        return any(object_id in ids for ids in self._ids_in.values())

    @property
    def annotated_frames(self) -> frozenset[int]:
        """Indices of the frames that have an annotation, with or without objects, that can be read."""
        return frozenset(self._ids_in)

    @property
    def annotated(self) -> int:
        """Number of frames that have an annotation, with or without objects, that can be read."""
        return len(self._ids_in)

    @property
    def label_conflicts(self) -> Mapping[int, Mapping[str, int]]:
        """Objects whose frames disagree on the category: object id -> category -> number of shapes."""
        counted = {object_id: self._labels_of(object_id) for object_id in sorted(self._sights)}
        return MappingProxyType({object_id: labels for object_id, labels in counted.items() if len(labels) > 1})

    def doubtful_frames(self, below: float = DOUBTFUL_SCORE) -> frozenset[int]:
        """Indices of the frames of `doubtful_answers`."""
        return frozenset(answer.frame for answer in self.doubtful_answers(below))

    def doubtful_answers(self, below: float = DOUBTFUL_SCORE) -> list["DoubtfulAnswer"]:
        """The propagated masks whose score is `below` this, and those missing beside a key frame; the lowest first."""
        found = [
            DoubtfulAnswer(sight.score, index, object_id)
            for object_id, frames in self._sights.items()
            for index, sight in frames.items()
            if sight.score < below
        ]
        return sorted([*found, *(missing for track in self.tracks() for missing in _vanishings(track))])

    def next_object_id(self) -> int:
        """An id that no frame has, and that was not handed out before, even if its object was deleted since."""
        self._highest += 1
        return self._highest

    def _labels_of(self, object_id: int) -> Counter[str]:
        return Counter(label for sight in self._sights[object_id].values() for label in sight.labels)

    def _track(self, object_id: int) -> Track:
        track = self._made.get(object_id)
        if track is None:
            sights = self._sights[object_id]
            labels = self._labels_of(object_id)
            keys = frozenset(index for index, sight in sights.items() if sight.is_key)
            track = Track(
                object_id=object_id,
                label=min(labels, key=lambda label: (-labels[label], label)),
                key_frames=keys,
                propagated_frames=frozenset(sights) - keys,
                answered_frames=frozenset(self._answered.get(object_id, ())),
                absent_frames=frozenset(self._absent.get(object_id, ())),
            )
            self._made[object_id] = track
        return track


def _vanishings(track: Track) -> Iterator[DoubtfulAnswer]:
    """Frames for which a propagation answered 'not here' right beside a key frame; each once."""
    unseen = track.answered_frames - track.frames - track.absent_frames
    for gone in unseen:
        keys = [key for key in (gone - 1, gone + 1) if key in track.key_frames]
        if keys:
            yield DoubtfulAnswer(0.0, gone, track.object_id, beside=keys[0])


def _sight(shapes: Iterable[Shape]) -> _Sight:
    parts = tuple(shapes)
    is_key = any(shape.is_protected for shape in parts)
    scores = [shape.score for shape in parts if shape.score is not None and not is_key]
    return _Sight(tuple(shape.label for shape in parts), is_key, min(scores, default=1.0))


def key_frames_around(tracks: Iterable[Track], index: int) -> tuple[int | None, int | None]:
    """The nearest key frames of any of these objects: at `index` or before it, and after it; None: there is none."""
    keys = frozenset[int]().union(*(track.key_frames for track in tracks))
    before = max((key for key in keys if key <= index), default=None)
    return before, min((key for key in keys if key > index), default=None)


def start_of_range(tracks: Iterable[Track], index: int, first: int, last: int) -> int | None:
    """Where to carry masks on from, for a person at frame `index`, so that the frames `first`..`last` are filled.

    Returns:
        `index`, where it lies in the range. Else a frame from there to the range, as near to it as every object that is
        known on that way allows; else the range's own end, if it shows one of the objects. None: nobody knows any.
    """
    if first <= index <= last:
        return index
    end, step = (first, 1) if index < first else (last, -1)
    way, known = range(index, end, step), list(tracks)
    on_it = [[i for i in track.known_frames if i in way] for track in known]
    nearest = [max(frames, key=lambda i: i * step) for frames in on_it if frames]
    if nearest:
        return min(nearest, key=lambda i: i * step)
    return end if any(end in track.frames for track in known) else None


def relabel_object(
    video: Video, store: AnnotationStore, object_id: int, label: str, frames: Iterable[int]
) -> Iterator[int]:
    """Give an object another category in these frames; yields each frame that was changed, once it is written.

    May be stopped at any point. Frames without the object are left alone. A frame that cannot be read does
    not keep the others from being changed.

    Raises:
        InputError: there is no text in `label`, or a propagation is at work on the video.
        AnnotationError: after the last frame, for the first one that could not be read.
        SaveError: a frame could not be written; those before it are.
    """
    if not label.strip():
        raise InputError("A category needs a name.")

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        return replace(annotation, shapes=_mapped(annotation, object_id, label=label))

    chosen = list(frames)
    with noting_renamed(video, store, Renamed(object_id, object_id, label, frozenset(chosen))):
        yield from _change_frames(video, store, chosen, change)


def delete_object(
    video: Video, store: AnnotationStore, object_id: int, frames: Iterable[int], *, is_absent: bool = False
) -> Iterator[int]:
    """Take an object out of these frames, and what was noted of it there: as if nobody had ever looked.

    Yields and raises as `relabel_object` does. A frame that holds nothing else keeps its file.

    Args:
        is_absent: it is noted that the object is not there: no propagation brings it back.
    """
    gone = frozenset((object_id,))

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        answered = annotation.propagated_ids - gone
        absent = annotation.absent_ids | gone if is_absent else annotation.absent_ids - gone
        return replace(annotation.with_object(object_id, ()), propagated_ids=answered, absent_ids=absent)

    with sole_run(video, store):
        yield from _change_frames(video, store, frames, change)


def admit_object(video: Video, store: AnnotationStore, object_id: int, frames: Iterable[int]) -> Iterator[int]:
    """Take it back that an object is not in these frames: a propagation may fill them. Yields as `relabel_object`."""

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        if object_id not in annotation.absent_ids:
            return annotation
        ids = frozenset((object_id,))
        answered, absent = annotation.propagated_ids - ids, annotation.absent_ids - ids
        return replace(annotation, propagated_ids=answered, absent_ids=absent)

    with sole_run(video, store):
        yield from _change_frames(video, store, frames, change)


def change_object_id(video: Video, store: AnnotationStore, old: int, new: int, frames: Iterable[int]) -> Iterator[int]:
    """Make one object's shapes in these frames those of another: for two ids that are one thing, or swapped ones.

    What was noted of the one counts for the other; where a frame shows `new` already, but not `old`, it is dropped.
    Nothing is changed before all frames have been looked at. Yields as `relabel_object` does.

    Raises:
        InputError: a frame shows both, or a propagation is at work on the video.
        AnnotationError: a frame cannot be read; nothing was changed.
        SaveError: a frame could not be written; those before it are.
    """
    chosen = list(frames)

    def change(annotation: FrameAnnotation) -> FrameAnnotation:
        return _with_id_changed(annotation, old, new)

    for index in chosen:
        annotation = store.read(video, index)
        if old != new and annotation is not None and annotation.shapes_of(old) and annotation.shapes_of(new):
            raise InputError(
                f"{store.path(video, index)} shows object {new} already, so object {old} cannot become {new} there. "
                f"Delete one of them in that frame, or choose other frames."
            )
    with noting_renamed(video, store, Renamed(old, new, None, frozenset(chosen))):
        yield from _change_frames(video, store, chosen, change)


def _with_id_changed(annotation: FrameAnnotation, old: int, new: int) -> FrameAnnotation:
    if annotation.shapes_of(new) and annotation.shapes_of(old):  # somebody drew it since all frames were looked at
        return annotation
    return with_id_changed(annotation, old, new)


def _mapped(annotation: FrameAnnotation, of: int, **facts: Any) -> tuple[Shape, ...]:
    """All shapes of the frame, those of one object with other facts; drawing order kept."""
    return tuple(replace(shape, **facts) if shape.object_id == of else shape for shape in annotation.shapes)


def _change_frames(
    video: Video,
    store: AnnotationStore,
    frames: Iterable[int],
    change: Callable[[FrameAnnotation], FrameAnnotation],
) -> Iterator[int]:
    unreadable: AnnotationError | None = None
    for index in frames:
        try:
            annotation = store.read(video, index)
            if annotation is None or change(annotation) == annotation:
                continue
            store.update(video, index, change, annotation.width, annotation.height)
        except AnnotationError as error:
            unreadable = unreadable or error
            continue
        yield index
    if unreadable is not None:
        raise unreadable


def _by_object(annotation: FrameAnnotation) -> dict[int, list[Shape]]:
    groups: dict[int, list[Shape]] = {}
    for shape in annotation.shapes:
        if shape.object_id is not None:
            groups.setdefault(shape.object_id, []).append(shape)
    return groups
