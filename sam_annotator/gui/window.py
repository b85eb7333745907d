"""The window: labelme's, for videos. It composes the parts and turns what they say into what is shown and saved."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import write_annotation
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.store import AnnotationStore, relative_path
from sam_annotator.core.videos import Video
from sam_annotator.gui import actions as own_actions
from sam_annotator.gui.canvas import editing
from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
from sam_annotator.gui.canvas.colors import object_color
from sam_annotator.gui.docks.objects import ObjectsPanel
from sam_annotator.gui.docks.proposals import ProposalsPanel
from sam_annotator.gui.docks.timeline import Timeline
from sam_annotator.gui.docks.videos import VideosPanel
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread
from sam_annotator.gui.labelme_seam import BRUSH_MODE, SAM_BOX_MODE, SAM_POINTS_MODE, LabelmeShape, LabelmeWindow
from sam_annotator.gui.objects.category_list import CategoryList
from sam_annotator.gui.objects.commands import ObjectCommands
from sam_annotator.gui.objects.naming import Naming
from sam_annotator.gui.settings import keymaps
from sam_annotator.gui.settings.keys_dialog import show_keys
from sam_annotator.gui.settings.preferences import open_preferences, remembered_encoding, remembered_least_part
from sam_annotator.gui.status import StatusLine
from sam_annotator.gui.tools.brush import Brush
from sam_annotator.gui.tools.hand import Hand
from sam_annotator.gui.tools.propagation import PropagationTool
from sam_annotator.gui.tools.propagation_panel import PropagationPanel
from sam_annotator.gui.tools.sam import SamTool
from sam_annotator.gui.videos.deleting import ask_to_delete
from sam_annotator.gui.videos.frame_view import FrameView
from sam_annotator.gui.videos.navigator import Navigator
from sam_annotator.gui.videos.session import Session
from sam_annotator.gui.weights.banner import Banner
from sam_annotator.gui.weights.fetching import Weights, with_remembered
from sam_annotator.gui.words import WINDOW, said

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
        memory: QtCore.QSettings,
        preset: str = "labelme",
        output: Path | None = None,
        categories: Sequence[str] = (),
        labels: Path | None = None,
        engines: Mapping[str, Any] | None = None,
    ) -> None:
        self.preset, self._keys = preset, settings.keys
        self.settings = memory
        self.session = Session(AnnotationStore(output))
        self.engine, self.files = EngineThread("engine"), EngineThread("files")
        self.jobs = EngineJobs({**remembered_encoding(memory), **with_remembered(engines or {}, memory)})
        self.view = FrameView(self)
        self._last_error = ""
        super().__init__(config_overrides=settings.labelme)
        self.naming = Naming(self, CategoryList(memory, categories, labels))
        self.commands = ObjectCommands(self)
        self.navigator = Navigator(self)
        self._connect()
        self.weights = Weights(self)
        self._restore_layout()
        self.draw_mode(SAM_POINTS_MODE)
        self.navigator.show_nothing("Open a folder of videos: Ctrl+U, or drop one here")

    # --- composing -----------------------------------------------------------------------------------------

    def build_toolbars(self) -> None:
        """Build everything around the canvas; called by labelme's constructor once its own actions stand."""
        self.sam_tool = SamTool(self.canvas, self.jobs, self.engine, self)
        self.sam_tool.least_part = remembered_least_part(self.settings)
        self.propagation = PropagationTool(self.engine, self)
        self.proposals_panel, self.objects_panel, self.videos_panel = ProposalsPanel(), ObjectsPanel(), VideosPanel()
        self.hand, self.brush = Hand(self), Brush(self)
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
        self.status = StatusLine(self.statusBar())
        self._refresh_timer = QtCore.QTimer(self, singleShot=True, interval=_REFRESH_MS)
        self._refresh_timer.timeout.connect(self.refresh_panels)
        self.sam_tool.changed.connect(self._show_proposals)
        self.sam_tool.changed.connect(self.status.drop_hint)
        self.sam_tool.busy.connect(self.show_doing)
        self.sam_tool.prefetch.changed.connect(self.status.show_encoded)
        self.sam_tool.prefetch.changed.connect(self.timeline.slider.show_encoded)
        self.proposals_panel.chosen.connect(self.sam_tool.choose)
        self.proposals_panel.accepted.connect(self.accept_proposal)
        self.proposals_panel.rejected.connect(self.hand.reject)
        self.objects_panel.selected.connect(self.select_object)
        self.objects_panel.opened.connect(self.navigator.go_to_object)
        self.objects_panel.rename_wanted.connect(self.naming.rename_object)
        self.objects_panel.renumber_wanted.connect(self.commands.ask_renumber)
        self.objects_panel.delete_wanted.connect(self.commands.delete)
        self.propagation_panel = PropagationPanel(self)
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
        self.weights.offer()

    # --- going places --------------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a folder of videos, one video, an image, or an annotation file."""
        self.navigator.open_path(path)

    def open_videos(self, videos: Sequence[Video]) -> None:
        """Open videos that were found already."""
        self.navigator.open_videos(videos)

    def open_frame_file(self, path: Path) -> None:
        self.navigator.open_frame_file(path)

    def close_file(self, _value: bool = False) -> None:
        """labelme's 'Close': nothing is shown any more."""
        self.navigator.close_video()

    def step_frame(self, by: int) -> None:
        """Go frames on (or back), at most to the ends."""
        self.navigator.step_frame(by)

    def go_to_doubtful(self) -> None:
        """Go to the next frame where a mask may have drifted."""
        self.navigator.go_to_doubtful()

    # --- saving --------------------------------------------------------------------------------------------

    def mark_dirty(self) -> None:
        """Something in the frame was changed: save it. A frame that cannot be saved has nothing to lose."""
        if self.session.can_annotate:
            super().mark_dirty()

    def save_frame(self) -> bool:
        """Save the frame that is shown; False, and a dialog, if that failed."""
        if not self.session.can_annotate:
            return False
        mine = self.view.collect(self.session.starting_point())
        try:
            stands = self.session.save(mine, is_as_found=not self.canvas.can_restore_shape)
        except AnnotatorError as error:
            self.status.show_saved("NOT SAVED", good=False)
            if said(error) != self._last_error:  # once, not at every stroke
                self._last_error = said(error)
                self.show_error("Not saved", said(error))
            return False
        self._last_error = ""
        self.view.take_over(mine, stands)
        self.mark_file_annotated(self.session.index, self.session.base is not None)
        self.show_saved()
        self.schedule_refresh()
        return True

    def export_frame(self, path: Path) -> bool:
        """Save the frame that is shown to another file."""
        try:
            annotation = self.view.collect(self.session.starting_point())
            image_path = relative_path(self.session.frame.path, path.parent)
            write_annotation(path, replace(annotation, image_path=image_path))
        except AnnotatorError as error:
            self.show_error("Not saved", error.told({**WINDOW, Remedy.MAKE_ROOM: "choose another place for it"}))
            return False
        return True

    def annotation_path(self) -> Path | None:
        """The annotation file of the frame that is shown, whether it is there or not."""
        video = self.session.video
        return self.session.store.path(video, self.session.index) if video and self.session.frame else None

    def delete_file(self) -> None:
        """Delete the annotation file of this frame, after asking."""
        ask_to_delete(self)

    def change_output(self) -> None:
        """Ask where annotations are read and written from now on."""
        current = str(self.session.store.output or "")
        folder = QtWidgets.QFileDialog.getExistingDirectory(self, "Keep annotations in", current)
        if folder:
            self.navigator.change_output(Path(folder))

    # --- objects -------------------------------------------------------------------------------------------

    def accept_proposal(self) -> None:
        """Name the chosen proposal, or put it in the place of what is in hand."""
        self.hand.accept()

    def name_new_shapes(self) -> None:
        self.naming.name_drawn()

    def edit_selected_shapes(self) -> None:
        """Rename what is selected: all parts of the object in this frame, the category in all frames."""
        shapes = editing.shapes_of_selection(self)
        if shapes:
            self.naming.rename(shapes)

    def adopt_shapes(self, shapes: list[LabelmeShape]) -> None:
        editing.adopt_shapes(self, shapes)

    def select_object(self, object_id: int) -> None:
        """Select an object's shapes in this frame; with a SAM tool, take it in hand."""
        if self.canvas.isEnabled():
            self.canvas.select_shapes(self.view.shapes_of(object_id))
            self.hand.select(object_id)

    def nothing_to_delete(self) -> None:
        editing.say_nothing_to_delete(self)

    def undo(self) -> None:
        """Take back the last click, or the last change of shapes."""
        if self.canvas.has_prompt:
            self.canvas.undo_prompt()
        elif self.can_undo():
            before = self.view.object_ids()
            super().undo()
            self.naming.take_ids_back(before - self.view.object_ids())

    def can_undo(self) -> bool:
        return self.canvas.has_prompt or super().can_undo()

    def toggle_propagation(self) -> None:
        """Start a propagation, pause it, go on."""
        self.propagation_panel.toggle()

    def take_propagation_back(self) -> None:
        """Undo the last propagation as one step."""
        self.propagation_panel.take_back()

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
        self.own_actions["brush"].setChecked(mode == BRUSH_MODE)
        if self.canvas.is_prompting:
            self.sam_tool.prefetch.start_soon()
        else:
            self.sam_tool.take_in_hand(None)
        self.hand.show()

    def refresh_panels(self) -> None:
        """Show the objects and what is annotated."""
        tracks = self.session.tracks
        here, absent = self.view.object_ids(), self.view.absent_ids()
        self.objects_panel.show_tracks(tracks.tracks() if tracks else (), self.session.total, here, absent)
        self.propagation_panel.show_marks()
        self.navigator.count_current()
        self.hand.check()

    def show_hint(self, text: str) -> None:
        """A sentence at the left of the status line, for a few seconds."""
        self.status.show_hint(text)

    def show_error(self, title: str, text: str) -> None:
        """A dialog with one sentence; returns at once."""
        self.message_box(title, text).open()

    def show_error_message(self, title: str, message: str) -> int:
        self.show_error(title, message)
        return 0

    def show_keys(self) -> None:
        show_keys(self)

    def open_preferences(self) -> None:
        open_preferences(self)

    def message_box(
        self, title: str, text: str, icon: QtWidgets.QMessageBox.Icon = QtWidgets.QMessageBox.Warning
    ) -> QtWidgets.QMessageBox:
        shown = text if icon == QtWidgets.QMessageBox.Information else html.escape(text)  # a path may look like a tag
        box = QtWidgets.QMessageBox(icon, title, f"<b>{title}</b><br><br>{shown}", QtWidgets.QMessageBox.Ok, self)
        box.setAttribute(Qt.WA_DeleteOnClose)
        return box

    def _show_proposals(self) -> None:
        tool = self.sam_tool
        self.proposals_panel.show_proposals(self.shown_image, tool.proposals, tool.chosen)
        own_actions.show_prompt_state(self.own_actions, self.canvas, tool)
        self.refresh_undo()

    def schedule_refresh(self) -> None:
        """Refresh the panels soon; many times in a row become one."""
        if not self._refresh_timer.isActive():
            self._refresh_timer.start()

    def show_doing(self, text: str, run: bool = False) -> None:
        """What the engine is doing for a click, or for the run, in the status line; empty when it is idle."""
        self.status.show_engines(self.jobs.segmenter_name, self.jobs.propagator_name)
        self.status.show_doing(text, run)

    def show_saved(self) -> None:
        """Whether the frame has a file, in the status line."""
        path, frame = self.annotation_path(), self.session.frame
        if frame is not None and frame.problem:
            self.status.show_saved("cannot be annotated", good=False)
        else:
            self.status.show_saved(f"saved: {path.name}" if path and path.exists() else "not annotated")
        self.canvas.refresh_hint()

    def closeEvent(self, event: QtGui.QCloseEvent) -> None:
        """Nothing is lost: what runs is stopped after its step, what is unsaved is asked for."""
        if self.commands.is_busy:
            self.show_hint("Frames are being changed; close when that is done.")
            event.ignore()
            return
        if not (self.hand.can_close() and self.navigator.leave_frame()):
            event.ignore()
            return
        self.engine.stop()
        self.files.stop()
        self.weights.stop()
        self.session.close()
        self.settings.setValue("window/size", self.size())
        self.settings.setValue("window/position", self.pos())
        self.settings.setValue("window/state", self.saveState())
        event.accept()
