"""Propagation in the window: what starts it, what is shown while it runs, and the frame that is taken along."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5 import QtCore, QtWidgets

from sam_annotator.core.annotation import FrameAnnotation, decode_annotation, encode_annotation
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video
from sam_annotator.gui.docks.timeline import FrameMarks

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


@dataclass
class RunRecord:
    """What is needed to take a propagation back: the frames it wrote, and what their files said before, compressed."""

    video: Video
    store: AnnotationStore
    object_ids: tuple[int, ...]
    frames: list[tuple[int, bytes | None]] = field(default_factory=list)

    def add(self, index: int, before: FrameAnnotation | None) -> None:
        """A frame was written."""
        self.frames.append((index, None if before is None else zlib.compress(encode_annotation(before))))

    def take_back(self) -> Iterator[int]:
        """Undo the run frame by frame, the last first; what a person did since stays. A generator over indices."""
        while self.frames:
            index, before = self.frames[-1]
            annotation = None if before is None else decode_annotation(zlib.decompress(before))
            self.store.take_back(self.video, index, annotation, self.object_ids)
            self.frames.pop()
            yield index


class PropagationPanel(QtCore.QObject):
    """Connects the timeline's buttons with the propagation, and its frames with what the window shows."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window = window
        self._run = window.propagation
        self._timeline = window.timeline
        self._record: RunRecord | None = None
        self._is_following = False
        self._behind: int | None = None  # the frame whose file says more than the window shows
        self._timeline.start_wanted.connect(self.toggle)
        self._timeline.pause_wanted.connect(self.toggle)
        self._timeline.cancel_wanted.connect(self._run.cancel)
        self._run.busy.connect(window.status.show_doing)
        self._run.frame_done.connect(self._on_frame)
        self._run.changed.connect(self._show_run)
        self._run.ended.connect(self._on_ended)
        self._run.failed.connect(partial(window.show_error, "The propagation stopped"))
        window.sam_tool.changed.connect(self.catch_up)
        window.canvas.prompt_changed.connect(lambda _prompt: self.stop_following())
        window.canvas.drawing_polygon.connect(lambda _drawing: self.catch_up())

    def toggle(self) -> None:
        """Start; or pause and go on."""
        if self._run.is_running:
            self._run.toggle_pause()
        else:
            self._start()

    def take_back(self) -> None:
        """Undo the last propagation of this video as one step."""
        if self._run.is_running or self._record is None or not self._record.frames:
            self._window.show_hint("There is no propagation to take back.")
        elif self._record.video is not self._window.session.video:
            self._window.show_hint(f"The last propagation was in {self._record.video.name}; open that video first.")
        else:
            self._window.commands.take_back(self._record.take_back)

    def stop_following(self) -> None:
        """The person looks at something else."""
        self._is_following = False

    def catch_up(self) -> None:
        """Show what came for the current frame while the person was busy with it."""
        if self._behind == self._window.session.index and not self._person_is_busy():
            self._behind = None
            self._window.navigator.reload_frame()

    def show_marks(self) -> None:
        """Show on the slider what is annotated."""
        tracks = self._window.session.tracks
        if tracks is None:
            self._timeline.slider.show_marks(FrameMarks())
            return
        every = tracks.tracks()
        filled = frozenset[int]().union(*(track.frames for track in every))
        keys = frozenset[int]().union(*(track.key_frames for track in every))
        self._timeline.slider.show_marks(FrameMarks(filled, keys, tracks.doubtful_frames()))

    def _start(self) -> None:
        window, session = self._window, self._window.session
        if session.tracks is None or not session.can_annotate or not window.navigator.leave_frame():
            return
        object_ids = window.objects_panel.checked_ids()
        if not object_ids:
            window.show_hint("Nothing to propagate: accept a mask first, and leave its object checked in the list.")
            return
        first, last = self._timeline.frame_range()
        request = {
            "object_ids": object_ids,
            "start": session.index,
            "first": min(first, session.index),
            "last": max(last, session.index),
            "direction": self._timeline.direction.currentData(),
        }
        if not _fills_something(**request):
            window.show_hint("There is no frame to fill in this direction; change the range or the direction.")
            return
        window.sam_tool.forget()
        self._record = RunRecord(session.video, session.store, object_ids)
        self._is_following = self._timeline.follow.isChecked()
        self._timeline.slider.show_range((request["first"], request["last"]))
        self._run.start(partial(window.jobs.propagate, session.video, session.store, **request))

    def _on_frame(self, step: Any) -> None:
        """A frame was saved by the run."""
        window, session = self._window, self._window.session
        if not step.problem:
            self._record.add(step.index, step.before)
        if session.video is not self._record.video or session.tracks is None:
            return  # another video was opened; the run's last frame comes late
        try:
            annotation = session.store.read(session.video, step.index)
        except AnnotatorError:
            return  # said by the run itself, in step.problem
        session.tracks.set_frame(step.index, annotation)
        window.mark_file_annotated(step.index, annotation is not None)
        if not self._person_is_busy() and self._is_following and step.index != session.index:
            window.navigator.show_frame(step.index)
        elif step.index == session.index:
            self._behind = step.index
            self.catch_up()
        window.schedule_refresh()

    def _person_is_busy(self) -> bool:
        """True while a change of what is shown would take something from under the person's hands."""
        window, canvas = self._window, self._window.canvas
        if QtWidgets.QApplication.activeModalWidget() is not None or window.naming.dialog is not None:
            return True
        return canvas.has_prompt or canvas.is_drawing or canvas.is_dragging_shape or window.is_dirty

    def _show_run(self) -> None:
        if self._run.is_running:
            self._timeline.show_run(self._run.done, self._run.total, self._run.describe(), self._run.is_paused)
            self._window.show_doing("paused" if self._run.is_paused else f"propagating {self._run.describe()}")

    def _on_ended(self, how: str) -> None:
        self._is_following = False
        video = self._record.video
        if video is self._window.session.video:
            self._timeline.show_idle(how)
        else:
            self._timeline.show_idle()
            self._window.show_hint(f"The propagation of {video.name} was stopped; what it computed is kept.")
        self._window.show_doing("")
        self._window.refresh_panels()


def _fills_something(*, start: int, first: int, last: int, direction: str, object_ids: tuple[int, ...]) -> bool:
    ahead = direction in ("forward", "both") and last > start
    behind = direction in ("backward", "both") and first < start
    return bool(object_ids) and (ahead or behind)
