"""Propagation in the window: what starts it, what is shown while it runs, and the frame that is taken along."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5 import QtCore, QtWidgets

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.prompt import Prompt
from sam_annotator.core.run_journal import can_take_back, take_back_last_run
from sam_annotator.core.tracks import Track, key_frames_around, start_of_range
from sam_annotator.core.videos import Video
from sam_annotator.gui.canvas.annotation_canvas import CARRY
from sam_annotator.gui.docks.timeline import BETWEEN_KEYS, TO_NEXT_KEY, WHOLE_VIDEO, FrameMarks
from sam_annotator.gui.settings.preferences import remembered_agreement
from sam_annotator.gui.status import PAUSED

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


_NAMED = 3  # lost objects in one sentence


class PropagationPanel(QtCore.QObject):
    """Connects the timeline's buttons with the propagation, and its frames with what the window shows."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window = window
        self._run = window.propagation
        self._timeline = window.timeline
        self._video: Video | None = None  # of the run
        self._is_following = False
        self._answered: dict[int, set[int]] = {}  # object id -> frames the run had something to say of it in
        self._behind: int | None = None  # the frame whose file says more than the window shows
        self._timeline.start_wanted.connect(self.toggle)
        self._timeline.repair_wanted.connect(self.repair)
        self._timeline.pause_wanted.connect(self.toggle)
        self._timeline.cancel_wanted.connect(self._run.cancel)
        self._run.busy.connect(self._show_busy)
        self._run.frame_done.connect(self._on_frame)
        self._run.noticed.connect(self._show_notice)
        self._run.changed.connect(self._show_run)
        self._run.ended.connect(self._on_ended)
        self._run.failed.connect(partial(window.show_error, "The propagation stopped"))
        window.sam_tool.changed.connect(self.catch_up)
        window.canvas.prompt_changed.connect(self._on_prompt)
        window.canvas.drawing_polygon.connect(lambda _drawing: self.catch_up())

    def toggle(self) -> None:
        """Start; or pause and go on."""
        if self._run.is_running:
            self._run.toggle_pause()
        else:
            self._start()

    def repair(self) -> None:
        """Carry the objects that were corrected in this frame on, as far as that changes something."""
        session = self._window.session
        if self._run.is_running:
            self._window.show_hint("A propagation is running; cancel it or let it end, then repair.")
        elif self._is_ready():
            object_ids = self._to_repair()
            if object_ids:
                agreement = remembered_agreement(self._window.settings)
                place = (session.video, session.store, session.index)
                self._begin(partial(self._window.jobs.repair, *place, object_ids, **agreement), (0, session.total - 1))
                self._is_following = False  # what was corrected is what the person looks at
            else:
                self._window.show_hint("Nothing to repair: correct a propagated mask in this frame first.")

    def take_back(self) -> None:
        """Undo the last propagation of this video as one step."""
        session = self._window.session
        if self._run.is_running:
            self._window.show_hint("A propagation is running; cancel it or let it end, then take it back.")
        elif session.video is None or not can_take_back(session.video, session.store):
            self._window.show_hint("There is no propagation to take back.")
        else:
            self._timeline.show_idle()  # how it ended is not true any more
            self._window.commands.take_back(partial(take_back_last_run, session.video, session.store))

    def _on_prompt(self, prompt: Prompt) -> None:
        self.stop_following()
        if not prompt.is_empty:
            self._window.status.drop_result()

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
        self._timeline.repair.setEnabled(bool(self._to_repair()))
        if tracks is None:
            self._timeline.slider.show_marks(FrameMarks())
            self._say_what_is_next()
            return
        every = tracks.tracks()
        filled = frozenset[int]().union(*(track.frames for track in every))
        keys = frozenset[int]().union(*(track.key_frames for track in every))
        absent = frozenset[int]().union(*(track.absent_frames for track in every))
        doubtful = tracks.doubtful_frames()
        self._timeline.slider.show_marks(FrameMarks(filled, keys, doubtful, absent))
        self._say_what_is_next(len(doubtful))

    def _say_what_is_next(self, doubtful: int = 0) -> None:
        if self._run.is_running:
            text = "Space goes on" if self._run.is_paused else "Space pauses"
        else:
            is_corrected, can_carry = bool(self._corrected()), self._has_something_to_do()
            parts = ["Shift+Space repairs what was corrected here"] * is_corrected
            if doubtful:
                parts.append(f"X: next of {doubtful} doubtful frame{'s' * (doubtful > 1)}")
            if can_carry and not is_corrected:
                parts.append("Space carries on what is checked" if doubtful else CARRY)
            text = "  ·  ".join(parts)
        self._window.canvas.show_next_step(text)

    def _has_something_to_do(self) -> bool:
        """Whether a run from this frame would fill anything."""
        object_ids = self._window.objects_panel.checked_ids()
        if self._window.session.tracks is None or not object_ids:
            return False
        is_whole = self._timeline.direction.currentData() == WHOLE_VIDEO
        return is_whole or not isinstance(self._request(object_ids), str)

    def _is_ready(self) -> bool:
        """Whether a run can begin; what the person corrected is accepted, and saved."""
        window, session = self._window, self._window.session
        if session.video is None:
            window.show_hint("Open a folder of videos first.")
            return False
        if not session.can_annotate:
            window.show_hint("This frame cannot be annotated: go to another one, and propagate from there.")
            return False
        if window.navigator.is_reading:
            window.show_hint("The annotations of this video are being read: try again in a moment.")
            return False
        if session.tracks is None:
            window.show_hint("The annotations of this video could not be read: open it again.")
            return False
        if not (window.hand.settle() and window.navigator.leave_frame()):
            return False
        window.refresh_panels()  # what was accepted just now stands in the list of objects, too
        return True

    def _start(self) -> None:
        window, session = self._window, self._window.session
        if not self._is_ready():
            return
        object_ids = window.objects_panel.checked_ids()
        if not object_ids:
            window.show_hint("Nothing to propagate: accept a mask first, and leave its object checked in the list.")
        elif self._timeline.direction.currentData() == WHOLE_VIDEO:
            work = partial(window.jobs.propagate_whole, session.video, session.store, object_ids)
            self._begin(work, (0, session.total - 1))
        else:
            request = self._request(object_ids)
            if isinstance(request, str):
                window.show_hint(request)
            else:
                work = partial(window.jobs.propagate, session.video, session.store, **request)
                self._begin(work, request.get("within", (request["first"], request["last"])))

    def _request(self, object_ids: tuple[int, ...]) -> dict[str, Any] | str:
        """What the timeline's choices ask for, or why that cannot be done: fields of the engine's request."""
        index, direction = self._window.session.index, self._timeline.direction.currentData()
        tracks = [track for track in map(self._window.session.tracks.get, object_ids) if track is not None]
        if direction in (TO_NEXT_KEY, BETWEEN_KEYS):
            before, after = key_frames_around(tracks, index)
            if after is None:
                return "There is no key frame of the checked objects after this frame."
            if direction == BETWEEN_KEYS and before is None:
                return "There is no key frame of the checked objects in this frame or before it."
            start = before if direction == BETWEEN_KEYS else index
            first, last, way = start, after, "forward"
            within = (first, last)
        else:
            within = self._timeline.frame_range()
            start, way = start_of_range(tracks, index, *within), direction
            if start is None and not self._window.view.object_ids().isdisjoint(object_ids):
                start = index  # another program wrote what is shown here
            if start is None:
                return (
                    f"There is no mask of the checked objects from this frame to the range {within[0] + 1} to "
                    f"{within[1] + 1}: go to a frame that has one, or change the range."
                )
            first, last = min(within[0], start), max(within[1], start)
        request = {"object_ids": object_ids, "start": start, "first": first, "last": last, "direction": way}
        if (first, last) != within:
            request["within"] = within  # the frames from there to the range are only gone through
        if not _fills_something(**request):
            return "There is no frame to fill in this direction; change the range or the direction."
        if request["last"] - request["start"] == 1 and direction in (TO_NEXT_KEY, BETWEEN_KEYS):
            return "There is no frame between these key frames."
        return request

    def _begin(self, work: Callable[[], Iterator[Any]], frames: tuple[int, int]) -> None:
        self._window.sam_tool.forget()
        self._window.status.drop_result()
        self._video = self._window.session.video
        self._answered = {}
        self._is_following = self._timeline.follow.isChecked()
        self._timeline.slider.show_range(frames)
        self._run.start(work)

    def _to_repair(self) -> tuple[int, ...]:
        """The objects to repair from this frame: the selected ones; else the corrected ones; else all key ones here."""
        here = self._repairable()
        selected = {shape.group_id for shape in self._window.canvas.selected_shapes}
        return tuple(object_id for object_id in here if object_id in selected) or self._corrected() or here

    def _corrected(self) -> tuple[int, ...]:
        """The objects that can be repaired from this frame, and that a propagation had written here before."""
        base = self._window.session.base
        if base is None:
            return ()
        by_hand = {shape.object_id for shape in base.shapes if shape.source != PROPAGATED}
        return tuple(object_id for object_id in self._repairable() if object_id in by_hand & base.propagated_ids)

    def _repairable(self) -> tuple[int, ...]:
        session = self._window.session
        if session.tracks is None or session.base is None:
            return ()
        return tuple(track.object_id for track in session.tracks.tracks() if _can_repair(track, session.index))

    def _on_frame(self, step: Any) -> None:
        """A frame was saved by the run."""
        window, session = self._window, self._window.session
        if session.video is not self._video or session.tracks is None:
            return  # another video was opened; the run's last frame comes late
        try:
            annotation = session.store.read(session.video, step.index)
        except AnnotatorError:
            return  # said by the run itself, in step.problem
        session.tracks.set_frame(step.index, annotation)
        for object_id in step.scores:
            self._answered.setdefault(object_id, set()).add(step.index)
        window.mark_file_annotated(step.index, annotation is not None)
        if not self._person_is_busy() and self._is_following and step.index != session.index:
            window.navigator.show_frame(step.index)
        elif step.index == session.index:
            self._behind = step.index
            self.catch_up()
        window.schedule_refresh()

    def _lost(self) -> Iterator[str]:
        """Which objects the run did not find in some of its frames; one part of a sentence, or nothing."""
        tracks, view = self._window.session.tracks, self._window.view
        known = () if tracks is None else tracks.tracks()
        lost = {track.object_id: len(_unseen(track, self._answered)) for track in known}
        parts = [f"{view.name_of(object_id)} in {_frames(count)}" for object_id, count in lost.items() if count]
        if parts:
            more = f" and {len(parts) - _NAMED} more objects" if len(parts) > _NAMED + 1 else ""
            yield f"not found: {', '.join(parts[:_NAMED] if more else parts)}{more}"

    def _person_is_busy(self) -> bool:
        """True while a change of what is shown would take something from under the person's hands."""
        window, canvas = self._window, self._window.canvas
        if QtWidgets.QApplication.activeModalWidget() is not None or window.naming.dialog is not None:
            return True
        return canvas.has_prompt or canvas.is_drawing or canvas.is_dragging_shape or window.is_dirty

    def _show_notice(self, text: str) -> None:
        self._window.statusBar().showMessage(text, 20_000)

    def _show_busy(self, text: str) -> None:
        """What is done before the first frame; a step that was under way may say so after the pause began."""
        if not self._run.is_paused:
            self._window.status.show_doing(text, run=True)

    def _show_run(self) -> None:
        if self._run.is_running:
            self._timeline.show_run(self._run.done, self._run.total, self._run.describe(), self._run.is_paused)
            doing = PAUSED if self._run.is_paused else f"propagating {self._run.describe()}"
            self._window.show_doing(doing, run=True)
            self._say_what_is_next()

    def _on_ended(self, how: str) -> None:
        self._is_following = False
        video = self._video
        if video is self._window.session.video:
            how = "; ".join((how.rstrip("."), *self._lost()))
            self._timeline.show_idle(how)
            self._window.status.show_result(how)
        else:
            self._timeline.show_idle()
            self._window.show_hint(f"The propagation of {video.name} was stopped; what it computed is kept.")
        self._window.show_doing("", run=True)
        self._window.refresh_panels()


def _fills_something(*, start: int, first: int, last: int, direction: str, **_rest: Any) -> bool:
    ahead = direction in ("forward", "both") and last > start
    behind = direction in ("backward", "both") and first < start
    return ahead or behind


def _unseen(track: Track, answered: Mapping[int, set[int]]) -> set[int]:
    """Frames that a run had something to say of the object in, and that do not show it, though no human took it out."""
    return (answered.get(track.object_id, set()) & track.answered_frames) - track.frames - track.absent_frames


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _can_repair(track: Track, index: int) -> bool:
    """Whether a human made the object here, and a propagation came by with it in a frame beside."""
    return index in track.key_frames and not (track.answered_frames - track.key_frames).isdisjoint(
        (index - 1, index + 1)
    )
