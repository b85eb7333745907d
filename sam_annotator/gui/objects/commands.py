"""Changes to an object over many frames: done on the thread for files, then shown."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from PyQt5 import QtCore, QtWidgets

from sam_annotator.core.annotation import FrameAnnotation
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks, admit_object, change_object_id, delete_object, relabel_object
from sam_annotator.core.videos import Video
from sam_annotator.gui.canvas.undo_steps import Step
from sam_annotator.gui.engine_thread import Priority
from sam_annotator.gui.videos.frame_view import Change

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

READING = "The annotations of this video are still being read; try again in a moment."
RUNNING = "A propagation is running; cancel it or let it end, then try again."


class ObjectCommands(QtCore.QObject):
    """Rename, renumber and delete objects of the video that is open.

    Attributes:
        is_busy: frames are being changed; the window is disabled meanwhile, and must not close.
    """

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window = window
        self.is_busy = False
        window.objects_panel.admit_wanted.connect(self.admit)
        window.objects_panel.menu_opening.connect(window.refresh_panels)

    def must_wait(self) -> bool:
        """True, and a sentence, while a propagation would go on writing what is changed, or a new object's proposal is
        open; that of the object in hand is accepted."""
        if self._window.propagation.is_running:
            self._window.show_error("Not now", RUNNING)
            return True
        return not self._window.hand.settle()

    def why_not_now(self) -> str:
        """What keeps frames from being changed, a sentence; empty: nothing. A correction that is open is accepted."""
        window = self._window
        if window.propagation.is_running:
            return RUNNING
        if window.session.tracks is None or window.navigator.is_reading:
            return READING
        if not window.hand.settle():
            return "A proposal is open; accept or reject it, then try again."
        return "" if window.navigator.leave_frame() else "The frame is not saved."

    def rename(self, object_id: int, label: str) -> None:
        """Give an object another category in all frames: a track has one."""
        work = partial(self._change, relabel_object, object_id, label)
        self._start(f"renaming object {object_id}", work, partial(_relabelled, {object_id: label}))

    def rename_categories(self, renamed: Mapping[str, str]) -> None:
        """Give all objects of some categories other ones; `renamed` is old to new."""
        tracks = self._window.session.tracks
        wanted = [(track.object_id, renamed[track.label]) for track in tracks.tracks() if track.label in renamed]

        def change() -> Iterator[int]:
            for object_id, label in wanted:
                yield from self._change(relabel_object, object_id, label)

        self._start("renaming objects", change, partial(_relabelled, dict(wanted)))

    def ask_renumber(self, object_id: int) -> None:
        """Ask for another object id, for all frames."""
        dialog = QtWidgets.QInputDialog(self._window)
        dialog.setInputMode(QtWidgets.QInputDialog.IntInput)
        dialog.setWindowTitle("Change the object id")
        dialog.setLabelText(f"New id of object {object_id}, in the whole video:")
        dialog.setIntRange(0, 10**6)
        dialog.setIntValue(object_id)
        dialog.intValueSelected.connect(lambda new_id: self.renumber(object_id, new_id))
        dialog.open()

    def renumber(self, object_id: int, new_id: int) -> None:
        """Give an object another id in all frames; refused where that id is taken."""
        if new_id != object_id:
            work = partial(self._change, change_object_id, object_id, new_id)
            self._start(f"changing object {object_id} to {new_id}", work, partial(_renumbered, object_id, new_id))

    def delete(self, object_id: int, where: str) -> None:
        """Delete an object: in this `frame`, from it `onward`, or in the whole `video`.

        In frames that it is deleted from while others show it, it counts as not there: no propagation brings it back.
        """
        view = self._window.view
        if where == "frame" and view.shapes_of(object_id):
            view.replace_object(object_id, ())
            self._window.mark_dirty()
        elif where == "frame":
            view.say_absent(object_id)
        elif where == "onward" and self._is_shown_before(object_id):
            self._send_away(object_id)
        else:
            work = partial(self._change, delete_object, object_id, first=self._first(where))
            self._start(f"deleting object {object_id}", work, partial(_deleted, object_id, False))

    def _first(self, where: str) -> int:
        return self._window.session.index if where == "onward" else 0

    def _is_shown_before(self, object_id: int) -> bool:
        """Whether a frame before this one shows it: else who deletes it from here on deletes it altogether."""
        session = self._window.session
        track = session.tracks.get(object_id) if session.tracks else None
        return track is not None and any(index < session.index for index in track.frames)

    def _send_away(self, object_id: int) -> None:
        """It is not there in this frame and in all later ones that have an annotation. The others get none, as it would
        say of all objects that somebody has looked for them."""
        window, session = self._window, self._window.session
        if self.must_wait():
            return
        if session.can_annotate and session.base is None:
            window.view.say_absent(object_id)
        ahead = range(session.index, session.total)
        frames = sorted(session.tracks.annotated_frames.intersection(ahead))
        work = partial(delete_object, session.video, session.store, object_id, frames, is_absent=True)
        said = f"{window.view.name_of(object_id)} is not there {_where(frames, ahead)}"
        self._start(f"deleting object {object_id}", work, partial(_deleted, object_id, True), said)

    def admit(self, object_id: int, where: str) -> None:
        """Take it back that an object is not there: in this `frame`, or in the whole `video`."""
        if where == "frame":
            self._window.view.say_absent(object_id, is_absent=False)
        else:
            work = partial(self._change, admit_object, object_id)
            self._start(f"letting object {object_id} in again", work, partial(_admitted, object_id))

    def take_back(self, steps: Callable[[], Iterator[int]]) -> None:
        """Undo a propagation."""
        self._start("taking the propagation back", steps, said="The last propagation is taken back.")

    def _change(
        self, change: Callable[..., Iterator[int]], object_id: int, *arguments: object, first: int = 0
    ) -> Iterator[int]:
        session = self._window.session
        return change(session.video, session.store, object_id, *arguments, self._frames(object_id, first))

    def _frames(self, object_id: int, first: int) -> Iterable[int]:
        track = self._window.session.tracks.get(object_id)
        known = () if track is None else track.known_frames
        return [index for index in sorted(known) if index >= first]

    def _start(
        self, doing: str, work: Callable[[], Iterator[int]], change: Change | None = None, said: str = ""
    ) -> None:
        """Do it; `change` is what it means to the shapes of one frame, if that can be said; `said` is, afterwards."""
        window = self._window
        if self.must_wait():
            return
        if window.session.tracks is None or window.navigator.is_reading:
            window.show_hint(READING)
            return
        if not window.navigator.leave_frame():
            return
        steps = _with_annotations(work(), window.session.video, window.session.store)
        self.is_busy = True
        window.setEnabled(False)  # for the moment that this takes, so that no edit comes between
        window.status.show_doing(doing)
        job = window.files.submit(lambda: steps, Priority.CLICK)
        job.progressed.connect(partial(self._on_frame, window.session.tracks))
        job.succeeded.connect(lambda _result: self._end(None, change, said))
        job.cancelled.connect(lambda: self._end(None))
        job.failed.connect(self._end)

    def _on_frame(self, tracks: VideoTracks, changed: tuple[int, FrameAnnotation | None]) -> None:
        index, annotation = changed
        tracks.set_frame(index, annotation)
        self._window.mark_file_annotated(index, annotation is not None)

    def _end(self, message: str | None, change: Change | None = None, said: str = "") -> None:
        window = self._window
        self.is_busy = False
        window.setEnabled(True)
        window.status.show_doing("")
        window.canvas.setFocus()
        if said:
            window.view.say(said)
        window.navigator.reload_frame(change)  # which may have something weightier to say
        window.refresh_panels()
        if message:
            window.navigator.reread_video()
            window.show_error("Not everything could be changed", message)


def _where(frames: Sequence[int], ahead: range) -> str:
    """In which of the frames ahead no propagation brings an object back, as the end of a sentence."""
    if len(frames) == len(ahead):
        return "from this frame on: no propagation brings it back."
    annotated = "this frame" if len(frames) == 1 else f"the {len(frames)} annotated frames from here on"
    return f"in {annotated}; the others may still be filled."


def _relabelled(labels: Mapping[int, str], step: Step) -> Step:
    for shape in step:
        shape.label = labels.get(shape.group_id, shape.label)
    return step


def _renumbered(old: int, new: int, step: Step) -> Step | None:
    """None where both were shown then."""
    if {old, new} <= step.object_ids():
        return None
    for shape in step:
        shape.group_id = new if shape.group_id == old else shape.group_id
    step.absent = frozenset(new if object_id == old else object_id for object_id in step.absent) - step.object_ids()
    return step


def _deleted(object_id: int, is_absent: bool, step: Step) -> Step:
    absent = step.absent | {object_id} if is_absent else step.absent - {object_id}
    return Step([shape for shape in step if shape.group_id != object_id], absent)


def _admitted(object_id: int, step: Step) -> Step:
    step.absent -= {object_id}
    return step


def _with_annotations(
    steps: Iterator[int], video: Video, store: AnnotationStore
) -> Iterator[tuple[int, FrameAnnotation | None]]:
    """Each frame that was changed, with what its file says now."""
    for index in steps:
        yield index, store.read(video, index)
