"""The window: labelme's, for videos. It composes the parts and turns what they say into what is shown and saved."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import REVIEWED, write_annotation
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.gui import actions as own_actions
from sam_annotator.gui import keymaps
from sam_annotator.gui.canvas import AnnotationCanvas
from sam_annotator.gui.colors import object_color
from sam_annotator.gui.docks.objects import ObjectsPanel
from sam_annotator.gui.docks.proposals import ProposalsPanel
from sam_annotator.gui.docks.timeline import Timeline
from sam_annotator.gui.docks.videos import VideosPanel
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread
from sam_annotator.gui.frame_view import FrameView
from sam_annotator.gui.labelme_seam import SAM_BOX_MODE, SAM_POINTS_MODE, LabelmeShape, LabelmeWindow
from sam_annotator.gui.naming import Naming
from sam_annotator.gui.object_commands import ObjectCommands
from sam_annotator.gui.propagation_panel import PropagationPanel
from sam_annotator.gui.propagation_tool import PropagationTool
from sam_annotator.gui.sam_tool import SamTool
from sam_annotator.gui.session import Session
from sam_annotator.gui.status import Banner, StatusLine
from sam_annotator.gui.video_opener import VideoOpener, count_video

_REFRESH_MS = 80


class AnnotationWindow(LabelmeWindow):
    """The program's window.

    Attributes:
        session: what is open.
        engine: the thread that owns the models; `files`: the one that reads and writes many files.
    """

    canvas_class = AnnotationCanvas

    def __init__(
        self,
        *,
        settings: keymaps.Settings,
        preset: str = "labelme",
        output: Path | None = None,
        categories: Sequence[str] = (),
        engines: Mapping[str, Any] | None = None,
    ) -> None:
        self._preset, self._keys = preset, settings.keys
        self.session = Session(AnnotationStore(output))
        self.engine, self.files = EngineThread("engine"), EngineThread("files")
        self.jobs = EngineJobs(engines or {})
        self.view = FrameView(self)
        self._last_error = ""
        super().__init__(config_overrides=settings.labelme)
        self.naming = Naming(self, categories)
        self.commands = ObjectCommands(self)
        self.opener = VideoOpener(self.files, self)
        self._connect()
        self._restore_layout()
        self.draw_mode(SAM_POINTS_MODE)

    # --- composing -----------------------------------------------------------------------------------------

    def build_toolbars(self) -> None:
        """Build everything around the canvas; called by labelme's constructor once its own actions stand."""
        self.sam_tool = SamTool(self.canvas, self.jobs, self.engine, self)
        self.propagation = PropagationTool(self.engine, self)
        self.proposals_panel, self.objects_panel, self.videos_panel = ProposalsPanel(), ObjectsPanel(), VideosPanel()
        self.timeline = Timeline()
        self.banner = Banner(self)
        self.addToolBar(Qt.TopToolBarArea, self.banner)
        self.addToolBarBreak(Qt.TopToolBarArea)
        self.own_docks = [
            self._dock("Proposals", self.proposals_panel, Qt.RightDockWidgetArea),
            self._dock("Objects", self.objects_panel, Qt.RightDockWidgetArea),
            self._dock("Videos", self.videos_panel, Qt.RightDockWidgetArea),
            self._dock("Timeline", self.timeline, Qt.BottomDockWidgetArea),
        ]
        self.own_actions = own_actions.build_actions(self, self._keys)
        own_actions.build_toolbars(self, self.own_actions)
        own_actions.build_menus(self, self.own_actions)
        own_actions.replace_labelme_ai(self, self.own_actions)

    def _dock(self, title: str, widget: QtWidgets.QWidget, area: Qt.DockWidgetArea) -> QtWidgets.QDockWidget:
        dock = QtWidgets.QDockWidget(title, self)
        dock.setObjectName(f"{title}Dock")
        dock.setWidget(widget)
        if area == Qt.BottomDockWidgetArea:
            dock.setTitleBarWidget(QtWidgets.QWidget())
            self.setCorner(Qt.BottomRightCorner, Qt.RightDockWidgetArea)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        self.status = StatusLine(self.statusBar(), self.position_label)
        self._refresh_timer = QtCore.QTimer(self, singleShot=True, interval=_REFRESH_MS)
        self._refresh_timer.timeout.connect(self.refresh_panels)
        self.sam_tool.changed.connect(self._show_proposals)
        self.sam_tool.busy.connect(self.show_doing)
        self.sam_tool.failed.connect(partial(self.show_error, "The segmenter failed"))
        self.proposals_panel.chosen.connect(self.sam_tool.choose)
        self.proposals_panel.accepted.connect(self.accept_proposal)
        self.proposals_panel.rejected.connect(self.sam_tool.forget)
        self.objects_panel.selected.connect(self.select_object)
        self.objects_panel.opened.connect(self._go_to_object)
        self.objects_panel.rename_wanted.connect(self.naming.rename_object)
        self.objects_panel.renumber_wanted.connect(self.commands.ask_renumber)
        self.objects_panel.delete_wanted.connect(self.commands.delete)
        self.videos_panel.opened.connect(self.open_video)
        self.videos_panel.model.counts_wanted.connect(
            lambda rows: self.opener.count(self.session.videos, rows, self.session.store)
        )
        self.timeline.frame_wanted.connect(self.go_to_frame)
        self.timeline.step_wanted.connect(self.step_frame)
        self.propagation_panel = PropagationPanel(self)
        self.opener.unpacking.connect(self._show_unpacking)
        self.opener.unpacked.connect(self._show_video)
        self.opener.tracks_read.connect(self._on_tracks_read)
        self.opener.counted.connect(self.videos_panel.model.set_counts)
        self.opener.failed.connect(partial(self.show_error, "This video cannot be opened"))
        self._show_proposals()
        self.status.show_engines(self.jobs.segmenter_name, self.jobs.propagator_name)

    def _restore_layout(self) -> None:
        self.resize(self.settings.value("window/size", QtCore.QSize(1280, 800)))
        self.resizeDocks(self.own_docks[:3], [150, 260, 320], Qt.Vertical)
        self.resizeDocks(self.own_docks[:1], [300], Qt.Horizontal)
        self.remember_default_layout()
        self.restoreState(self.settings.value("window/state", QtCore.QByteArray()))
        position = self.settings.value("window/position")
        screens = QtWidgets.QApplication.screens()
        if position is not None and any(screen.availableGeometry().contains(position) for screen in screens):
            self.move(position)
        self.banner.show_text(self.jobs.missing())

    # --- opening -------------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a folder of videos, one video, an image, or an annotation file."""
        if not self.leave_frame():
            return
        target = path if path.suffix.lower() == ".json" or _is_image(path) else None
        try:
            videos = find_videos(path.parent if target else path)
        except AnnotatorError as error:
            self.show_error("Nothing to open", str(error))
            return
        self.propagation.cancel()
        self.session.close_video()
        self.session.videos = videos
        self.settings.setValue("last_folder", str(path))
        self.videos_panel.model.set_videos(videos)
        self.open_video(0)
        if target is not None:
            self._go_to_file(target)

    def open_video(self, row: int) -> None:
        """Open one of the videos; a video file is unpacked first."""
        if row == self.session.row or not self.leave_frame():
            self.videos_panel.select(self.session.row or 0)
            return
        self.propagation.cancel()
        self.opener.cancel_unpacking()
        self.session.close_video()
        self.session.row = row
        self.videos_panel.select(row)
        video = self.session.videos[row]
        if video.needs_unpacking:
            self._show_nothing(f"Unpacking {video.source.name} …")
            self.opener.unpack(video)
        else:
            self._show_video(video)

    def _show_video(self, video: Video) -> None:
        if video is not self.session.video:
            return
        try:
            total = len(video.frame_paths)
        except AnnotatorError as error:
            self._show_nothing(str(error))
            return
        if not total:
            self._show_nothing(f"{video.folder} holds no frames.")
            return
        store = self.session.store
        self.set_output_folder(store.folder(video))
        annotated = store.annotated_frames(video)
        self.set_file_list([str(path) for path in video.frame_paths], annotated)
        self.timeline.show_video(total)
        self.opener.read_tracks(video, store)
        self._count_current()
        self.show_frame(0)

    def _show_nothing(self, notice: str) -> None:
        self.sam_tool.set_frame(None)
        self.clear_frame()
        self.set_image(None, QtGui.QImage())
        self.set_file_list([], frozenset())
        self.canvas.setEnabled(False)
        self.canvas.show_notice(notice)
        self.timeline.show_video(0)
        self.refresh_panels()
        self.setWindowTitle(self.window_title(dirty=False))

    def _show_unpacking(self, done: int, total: int) -> None:
        self.canvas.show_notice(f"Unpacking {self.session.video.source.name}: frame {done} of {total or '?'}")

    def _on_tracks_read(self, video: Video, tracks: Any) -> None:
        if video is self.session.video:
            tracks.set_frame(self.session.index, self.session.base)
            self.session.tracks = tracks
            self.refresh_panels()

    def reread_video(self) -> None:
        """Show what the files say now, after many of them were changed."""
        self.opener.read_tracks(self.session.video, self.session.store)
        self.reload_frame()

    def _count_current(self) -> None:
        row = self.session.row
        self.videos_panel.model.set_counts(row, count_video(self.session.videos[row], self.session.store))

    # --- frames --------------------------------------------------------------------------------------------

    def leave_frame(self) -> bool:
        """True if nothing unsaved is left behind; asks, where there is."""
        return self.session.frame is None or self.can_leave_frame()

    def step_video(self, by: int) -> None:
        if self.session.row is not None:
            self.open_video(min(max(self.session.row + by, 0), len(self.session.videos) - 1))

    def step_frame(self, by: int) -> None:
        """Go frames on (or back), at most to the ends."""
        self.go_to_frame(self.session.index + by)

    def go_to_frame(self, index: int) -> None:
        """The person goes to a frame: a propagation no longer takes the view along."""
        self.propagation_panel.stop_following()
        index = min(max(index, 0), self.session.total - 1)
        if self.session.frame is not None and index != self.session.index and self.leave_frame():
            modifiers = QtWidgets.QApplication.keyboardModifiers()
            keep = self.config["keep_prev"] or modifiers == (Qt.ControlModifier | Qt.ShiftModifier)
            self.show_frame(index, carry=self.listed_shapes() if keep else [])

    def show_frame(self, index: int, carry: Sequence[LabelmeShape] = ()) -> None:
        """Show a frame; shapes to `carry` are put into it if it has none."""
        frame = self.session.load_frame(index)
        self.sam_tool.set_frame(None if frame.problem else frame.path)
        self.view.show(frame)
        self.set_label_file(self.annotation_path())
        self.mark_clean()
        self.select_file(index)
        self.timeline.show_frame(self.session.total, index)
        self._show_saved()
        if frame.problem and frame.image is not None:
            self.show_error("This frame cannot be annotated", frame.problem)
        elif carry and not frame.problem and not self.listed_shapes():
            self.adopt_shapes(list(carry))
            self.load_shapes([shape.copy() for shape in carry])
            self.mark_dirty()
        self.refresh_panels()

    def reload_frame(self) -> None:
        """Show what the current frame's file says now."""
        try:
            self.view.show_annotation(self.session.reload_annotation())
        except AnnotatorError as error:
            self.show_error("This frame cannot be read", str(error))
            return
        self.mark_clean()
        self._show_saved()
        self.schedule_refresh()

    def catch_up(self) -> None:
        """Show what a propagation wrote to this frame while the person was busy with it."""
        self.propagation_panel.catch_up()

    def open_frame_file(self, path: Path) -> None:
        """Show a frame of the video by its file (labelme's file list)."""
        if str(path) in self.image_list:
            self.go_to_frame(self.image_list.index(str(path)))

    def _go_to_file(self, path: Path) -> None:
        stems = [frame.stem for frame in (self.session.video.frame_paths if self.session.total else ())]
        if path.stem in stems:
            self.go_to_frame(stems.index(path.stem))

    def _go_to_object(self, object_id: int) -> None:
        track = self.session.tracks.get(object_id) if self.session.tracks else None
        if track is not None and track.first is not None:
            self.go_to_frame(track.first)

    def go_to_doubtful(self) -> None:
        """Go to the next frame, after this one, where a mask may have drifted."""
        frames = sorted(self.session.tracks.doubtful_frames()) if self.session.tracks else []
        later = [index for index in frames if index > self.session.index] or frames
        if later:
            self.go_to_frame(later[0])
        else:
            self.show_hint("No doubtful frames in this video.")

    # --- saving --------------------------------------------------------------------------------------------

    def save_frame(self) -> bool:
        """Save the frame that is shown; False, and a dialog, if that failed."""
        if not self.session.can_annotate:
            return False
        mine = self.view.collect(self.session.starting_point())
        try:
            stands = self.session.save(mine)
        except AnnotatorError as error:
            self.status.show_saved("NOT SAVED", good=False)
            if str(error) != self._last_error:  # once, not at every stroke
                self._last_error = str(error)
                self.show_error("Not saved", str(error))
            return False
        self._last_error = ""
        if stands.shapes != mine.shapes:
            self.view.show_annotation(stands)
        self.mark_file_annotated(self.session.index, True)
        self._show_saved()
        self.schedule_refresh()
        return True

    def export_frame(self, path: Path) -> bool:
        """Save the frame that is shown to another file."""
        try:
            write_annotation(path, self.view.collect(self.session.starting_point()))
        except AnnotatorError as error:
            self.show_error("Not saved", str(error))
            return False
        return True

    def annotation_path(self) -> Path | None:
        """The annotation file of the frame that is shown, whether it is there or not."""
        video = self.session.video
        return self.session.store.path(video, self.session.index) if video and self.session.frame else None

    def delete_file(self) -> None:
        """Delete the annotation file of this frame, after asking."""
        path = self.annotation_path()
        if path is None or not path.exists():
            return
        box = self._message_box("Delete this frame's annotation?", f"{path} will be deleted for good.")
        box.setStandardButtons(QtWidgets.QMessageBox.Yes | QtWidgets.QMessageBox.No)
        box.buttonClicked.connect(
            lambda button: (
                self._delete_annotation(path) if box.standardButton(button) == QtWidgets.QMessageBox.Yes else None
            )
        )
        box.open()

    def _delete_annotation(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        if self.session.tracks is not None:
            self.session.tracks.set_frame(self.session.index, None)
        self.mark_file_annotated(self.session.index, False)
        self.reload_frame()

    def change_output(self) -> None:
        """Ask where annotations are read and written from now on."""
        folder = QtWidgets.QFileDialog.getExistingDirectory(
            self, "Keep annotations in", str(self.session.store.output or "")
        )
        if folder and self.leave_frame():
            self.propagation.cancel()
            self.session.store = AnnotationStore(Path(folder))
            row, self.session.row = self.session.row, None
            self.videos_panel.model.set_videos(self.session.videos)
            if row is not None:
                self.open_video(row)

    # --- objects -------------------------------------------------------------------------------------------

    def accept_proposal(self) -> None:
        """Name the chosen proposal."""
        if self.sam_tool.proposal is not None:
            self.naming.name_proposal(self.sam_tool.proposal)

    def name_new_shapes(self) -> None:
        self.naming.name_drawn()

    def edit_selected_shapes(self) -> None:
        """Rename what is selected: all parts of the object in this frame, the category in all frames."""
        selected = self.canvas.selected_shapes
        if selected:
            shapes = [s for s in self.listed_shapes() if s is selected[0] or _same_object(s, selected[0])]
            self.naming.rename(shapes)

    def adopt_shapes(self, shapes: list[LabelmeShape]) -> None:
        """Pasted shapes keep their object where it is missing here; duplicates become new objects."""
        tracks = self.session.tracks
        if tracks is None:
            return
        here, new_ids = self.view.object_ids(), {}
        for shape in shapes:
            shape.origin = None  # made by hand now
            track = None if shape.group_id is None else tracks.get(shape.group_id)
            if track is None or track.label != shape.label or shape.group_id in here:
                if shape.group_id not in new_ids:
                    new_ids[shape.group_id] = tracks.next_object_id()
                shape.group_id = new_ids[shape.group_id]

    def select_object(self, object_id: int) -> None:
        """Select an object's shapes in this frame."""
        if self.canvas.isEnabled():
            self.canvas.select_shapes(self.view.shapes_of(object_id))

    def toggle_key_frame(self) -> None:
        """Approve the selected objects of this frame, or all; again: take the approval back."""
        shapes = list(self.canvas.selected_shapes) or self.listed_shapes()
        if not shapes:
            self.show_hint("There is nothing in this frame to approve.")
            return
        approve = not all((shape.flags or {}).get(REVIEWED) for shape in shapes)
        for shape in shapes:
            shape.flags = {**(shape.flags or {}), REVIEWED: True}
            if not approve:
                del shape.flags[REVIEWED]
        self.canvas.backup_shapes()
        self.canvas.update()
        self.mark_dirty()
        self.show_hint("Approved: propagation will not change these." if approve else "Approval taken back.")

    def undo(self) -> None:
        """Take back the last click, or the last change of shapes."""
        if self.canvas.has_prompt:
            self.canvas.undo_prompt()
        elif self.canvas.can_restore_shape:
            super().undo()

    def toggle_propagation(self) -> None:
        """Start a propagation, pause it, go on."""
        self.propagation_panel.toggle()

    # --- showing -------------------------------------------------------------------------------------------

    def color_of(self, shape: LabelmeShape) -> QtGui.QColor:
        return object_color(shape.group_id)

    def window_title(self, dirty: bool) -> str:
        video = self.session.video
        if video is None:
            return "sam_annotator"
        where = f"{video.name}  {self.session.index + 1}/{self.session.total}" if self.session.frame else video.name
        return f"{where}{' *' if dirty else ''} – sam_annotator"

    def mode_changed(self) -> None:
        mode = self.canvas.create_mode if self.canvas.is_creating else ""
        self.own_actions["sam_points"].setChecked(mode == SAM_POINTS_MODE)
        self.own_actions["sam_box"].setChecked(mode == SAM_BOX_MODE)
        if self.canvas.is_prompting:
            self.sam_tool.prepare_soon()
        else:
            self.sam_tool.forget()
        self.canvas.refresh_hint()

    def refresh_panels(self) -> None:
        """Show the objects and what is annotated."""
        tracks = self.session.tracks
        self.objects_panel.show_tracks(tracks.tracks() if tracks else (), self.session.total, self.view.object_ids())
        self.propagation_panel.show_marks()
        if self.session.row is not None and self.session.total:
            self._count_current()

    def show_hint(self, text: str) -> None:
        """A sentence at the left of the status line, for a few seconds."""
        self.statusBar().showMessage(text, 6000)

    def show_error(self, title: str, text: str) -> None:
        """A dialog with one sentence; returns at once."""
        self._message_box(title, text).open()

    def show_error_message(self, title: str, message: str) -> int:
        self.show_error(title, message)
        return 0

    def show_keys(self) -> None:
        self._message_box("Keys", own_actions.describe_keys(self), QtWidgets.QMessageBox.Information).open()

    def open_settings_file(self) -> None:
        path = keymaps.create_settings_file(self._preset)
        QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(path)))

    def _message_box(
        self, title: str, text: str, icon: QtWidgets.QMessageBox.Icon = QtWidgets.QMessageBox.Warning
    ) -> QtWidgets.QMessageBox:
        box = QtWidgets.QMessageBox(icon, title, f"<b>{title}</b><br><br>{text}", QtWidgets.QMessageBox.Ok, self)
        box.setAttribute(Qt.WA_DeleteOnClose)
        return box

    def _show_proposals(self) -> None:
        tool = self.sam_tool
        self.proposals_panel.show_proposals(self._image, tool.proposals, tool.chosen)
        own_actions.show_prompt_state(self.own_actions, self.canvas.has_prompt, bool(tool.proposals))
        self.labelme_actions.undo.setEnabled(self.canvas.has_prompt or self.canvas.can_restore_shape)

    def schedule_refresh(self) -> None:
        """Refresh the panels soon; many times in a row become one."""
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def show_doing(self, text: str) -> None:
        """What the engine is doing, in the status line; empty when it is idle."""
        self.status.show_engines(self.jobs.segmenter_name, self.jobs.propagator_name)
        self.status.show_doing(text)

    def _show_saved(self) -> None:
        path = self.annotation_path()
        self.status.show_saved(f"saved: {path.name}" if path and path.exists() else "not annotated")

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        """Nothing is lost: what runs is stopped after its step, what is unsaved is asked for."""
        if not self.leave_frame():
            event.ignore()
            return
        self.engine.stop()
        self.files.stop()
        self.settings.setValue("window/size", self.size())
        self.settings.setValue("window/position", self.pos())
        self.settings.setValue("window/state", self.saveState())
        event.accept()


def _is_image(path: Path) -> bool:
    from sam_annotator.core.videos import IMAGE_SUFFIXES

    return path.suffix.lower() in IMAGE_SUFFIXES


def _same_object(first: LabelmeShape, second: LabelmeShape) -> bool:
    return first.group_id is not None and first.group_id == second.group_id
