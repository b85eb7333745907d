"""The one place that knows labelme's private names (6.3.x). The rest of the window uses the names given here.

`LabelmeWindow` and `LabelmeCanvas` turn what we replace in labelme into methods without an underscore;
tests/gui/test_labelme_seam.py says what must be there, so that a labelme update breaks in that test.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import labelme
import labelme.app
from labelme._shape import Shape as LabelmeShape
from labelme._shape import paint as paint_labelme_shape
from labelme.app import MainWindow
from labelme.config import load_config as load_labelme_config
from labelme.utils import new_action, new_icon
from labelme.widgets import Canvas, format_shape_label
from labelme.widgets import ToolBar as LabelmeToolBar
from PyQt5 import QtCore, QtGui, QtWidgets

from sam_annotator.gui.status_bar import CutLabel, StatusBar

__all__ = [
    "BRUSH_MODE",
    "SAM_BOX_MODE",
    "SAM_POINTS_MODE",
    "LabelmeCanvas",
    "LabelmeShape",
    "LabelmeToolBar",
    "LabelmeWindow",
    "load_labelme_config",
    "new_action",
    "new_icon",
    "paint_labelme_shape",
]

LABELME_VERSION = labelme.__version__

SAM_POINTS_MODE = "ai_points_to_shape"
SAM_BOX_MODE = "ai_box_to_shape"
"""labelme's names for its own AI modes, whose place our SAM tools take."""

BRUSH_MODE = "brush"
"""Our own; labelme is told that it is in SAM_POINTS_MODE, in which it does nothing by itself."""

Layer = Callable[[QtGui.QPainter], None]


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


class LabelmeCanvas(Canvas):
    """labelme's canvas, with our tools in the place of its AI tools."""

    # --- for subclasses to replace -------------------------------------------------------------------------

    def paint_image(self, painter: QtGui.QPainter) -> None:
        """Draw the image; the painter is in widget pixels with the image's corner at (0, 0)."""
        super()._draw_pixmap_layer(painter)

    def paint_shapes(self, painter: QtGui.QPainter) -> None:
        """Draw the saved shapes, in the same coordinates."""
        super()._draw_committed_shapes_layer(painter)

    def paint_overlays(self, painter: QtGui.QPainter) -> None:
        """Draw above everything else, in the same coordinates."""

    def hint(self) -> str | None:
        """What to do next with the current tool, or None for labelme's own words."""
        return None

    # --- what subclasses may ask ---------------------------------------------------------------------------

    @property
    def is_creating(self) -> bool:
        """True while a drawing tool is chosen, False in edit mode."""
        return self.mode.name == "CREATE"

    @property
    def create_mode(self) -> str:
        """The drawing tool: BRUSH_MODE, SAM_POINTS_MODE, 'polygon', ..."""
        return BRUSH_MODE if self.has_brush else str(Canvas.create_mode.fget(self))

    @create_mode.setter
    def create_mode(self, value: str) -> None:
        self.has_brush = value == BRUSH_MODE
        Canvas.create_mode.fset(self, SAM_POINTS_MODE if self.has_brush else value)

    @property
    def is_panning(self) -> bool:
        return self._pan_anchor is not None

    @property
    def is_dragging_shape(self) -> bool:
        return self._is_moving_shape

    def to_image(self, point: QtCore.QPointF) -> QtCore.QPointF:
        """From widget pixels to image pixels."""
        return self._transform_point_widget_to_image(point)

    def image_origin(self) -> QtCore.QPointF:
        """Where the image's corner is, in widget pixels."""
        return self._compute_image_origin_offset() * self.scale

    def track_mouse(self, position: QtCore.QPointF) -> None:
        """Tell labelme's lines across the image and its status line where the mouse is, in image pixels."""
        self._prev_move_point = position
        self.mouse_moved.emit(position)

    def show_cursor(self, cursor: QtCore.Qt.CursorShape) -> None:
        self._apply_cursor(cursor)

    def refresh_hint(self) -> None:
        self._update_status()

    def drop_unnamed_shapes(self) -> None:
        """Take shapes that were drawn but never named off the canvas and out of its undo stack."""
        self.undo_last_line()
        if self.shape_backups:
            self.shape_backups.pop()

    def renew_backup(self) -> None:
        """Let the last step of undo hold the shapes as they are now."""
        self.shape_backups.pop()
        self.backup_shapes()

    def unnamed_shapes(self) -> list[LabelmeShape]:
        return [shape for shape in self.shapes if shape.label is None]

    # --- labelme's private names ---------------------------------------------------------------------------

    has_brush = False

    def load_pixmap(self, pixmap: QtGui.QPixmap, clear_shapes: bool = True) -> None:
        # labelme also hashes every pixel here, for its own AI cache; a third of its time for a frame
        self.pixmap = pixmap
        self._pixmap_hash = None
        if clear_shapes:
            self.shapes = []
        self.update()

    def _render_layers(self) -> tuple[Layer, ...]:
        return (*super()._render_layers(), self.paint_overlays)

    def _draw_pixmap_layer(self, painter: QtGui.QPainter) -> None:
        self.paint_image(painter)

    def _draw_committed_shapes_layer(self, painter: QtGui.QPainter) -> None:
        self.paint_shapes(painter)

    def _commit_pending_shape_move(self) -> None:
        # labelme looks at the shape under the mouse alone, which can be another than the one that was moved
        was_moving, self._is_moving_shape = self._is_moving_shape, False
        if was_moving and self.shape_backups:
            before = [shape.points for shape in self.shape_backups[-1]]
            if before != [shape.points for shape in self.shapes]:
                self.backup_shapes()
                self.shape_moved.emit()

    def _update_status(self, extra_messages: list[str] | None = None) -> None:
        hint = self.hint()
        if hint is None:
            super()._update_status(extra_messages)
        else:
            self.status_updated.emit(hint)


class LabelmeWindow(MainWindow):
    """labelme's main window; what we replace in it are the methods of the first part."""

    canvas_class: type[LabelmeCanvas] = LabelmeCanvas
    settings: QtCore.QSettings  # labelme's name; set before labelme's constructor runs

    # --- for subclasses to replace -------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a folder, an image or an annotation file."""
        raise NotImplementedError

    def open_frame_file(self, path: Path) -> None:
        """Show one frame of the open video, by its file."""
        raise NotImplementedError

    def step_frame(self, by: int) -> None:
        """Show another frame."""
        raise NotImplementedError

    def save_frame(self) -> bool:
        """Save the frame that is shown; False if that failed."""
        raise NotImplementedError

    def export_frame(self, path: Path) -> bool:
        """Save the frame that is shown to another file; False if that failed."""
        raise NotImplementedError

    def annotation_path(self) -> Path | None:
        """The annotation file of the frame that is shown."""
        raise NotImplementedError

    def name_new_shapes(self) -> None:
        """Ask what the shapes are that were just drawn by hand."""
        raise NotImplementedError

    def edit_selected_shapes(self) -> None:
        """Ask for new names of the selected shapes."""
        raise NotImplementedError

    def color_of(self, shape: LabelmeShape) -> QtGui.QColor:
        raise NotImplementedError

    def window_title(self, dirty: bool) -> str:
        raise NotImplementedError

    def change_output(self) -> None:
        raise NotImplementedError

    def open_preferences(self) -> None:
        raise NotImplementedError

    def mode_changed(self) -> None:
        """The tool was changed: drawing, editing, SAM."""

    def adopt_shapes(self, shapes: list[LabelmeShape]) -> None:
        """Shapes are about to be pasted or duplicated into this frame: make them fit."""

    def nothing_to_delete(self) -> None:
        """The person wants to delete, and no shape is selected."""

    def undo(self) -> None:
        """Undo the last thing on the canvas."""
        super().undo_shape_edit()
        self.mark_dirty()

    def can_undo(self) -> bool:
        """True if `undo` would take something back."""
        return bool(self.canvas.can_restore_shape)

    def build_toolbars(self) -> None:
        super()._setup_toolbars()

    # --- what subclasses may use ---------------------------------------------------------------------------

    @property
    def canvas(self) -> Any:
        return self._canvas_widgets.canvas

    @property
    def labelme_actions(self) -> Any:
        """labelme's named tuple of QActions."""
        return self._actions

    @property
    def labelme_menus(self) -> Any:
        return self._menus

    @property
    def labelme_docks(self) -> Any:
        return self._docks

    @property
    def config(self) -> dict[str, Any]:
        return self._config

    @property
    def hint_label(self) -> QtWidgets.QLabel:
        """The text at the left of the status line."""
        return self._status_bar.message

    @property
    def position_label(self) -> QtWidgets.QLabel:
        """The text at the right of the status line: where the mouse is."""
        return self._status_bar.stats

    @property
    def zoom_widget(self) -> QtWidgets.QSpinBox:
        return self._canvas_widgets.zoom_widget

    @property
    def is_dirty(self) -> bool:
        return self._is_changed

    @property
    def is_autosaving(self) -> bool:
        return self._actions.save_auto.isChecked()

    @property
    def shown_image(self) -> QtGui.QImage:
        return self._image

    @property
    def image_path(self) -> str | None:
        """labelme's idea of the image that is shown."""
        return self._image_path

    def set_image(self, path: Path | None, image: QtGui.QImage) -> None:
        """Tell labelme's methods which image is shown (None: no image)."""
        self._prev_image_path = self._image_path
        self._image_path = None if path is None else str(path)
        self._image = image
        self._bytes_of_image = None

    def set_label_file(self, path: Path | None) -> None:
        self._label_file_path = None if path is None else str(path)

    def set_output_folder(self, folder: Path | None) -> None:
        self._output_dir = folder

    def clear_frame(self) -> None:
        """No image, no shapes."""
        self.canvas.deselect_shape()  # else labelme's actions for what is selected stay as they are
        self.reset_state()

    def load_shapes(self, shapes: list[LabelmeShape], replace: bool = True) -> None:
        """Put shapes on the canvas and in the list."""
        if replace:
            self.canvas.deselect_shape()  # what is selected must be on the canvas and in the list
            self._docks.label_list.clear()
        self._load_shapes(shapes, replace=replace)

    def listed_shapes(self) -> list[LabelmeShape]:
        """The shapes of the frame in drawing order."""
        return [shape for item in self._docks.label_list if (shape := item.shape()) is not None]

    def remove_shapes(self, shapes: list[LabelmeShape]) -> None:
        """Take shapes off the canvas and out of the list; the caller makes it a step of undo."""
        self.remove_labels(shapes)
        self.canvas.shapes = [shape for shape in self.canvas.shapes if shape not in shapes]

    def refresh_listed_shape(self, shape: LabelmeShape) -> None:
        """Show a changed label or colour of a shape in labelme's list."""
        self._update_shape_color(shape)
        item = self._docks.label_list.find_item_by_shape(shape)
        item.setText(format_shape_label(shape))

    def load_flags(self, flags: dict[str, bool]) -> None:
        known = dict.fromkeys(self._config["flags"] or [], False)
        self._load_flags(flags={**known, **flags}, widget=self._docks.flag_list)

    def checked_flags(self) -> dict[str, bool]:
        items = [self._docks.flag_list.item(row) for row in range(self._docks.flag_list.count())]
        return {item.text(): item.checkState() == QtCore.Qt.Checked for item in items}

    def refresh_undo(self) -> None:
        """Ctrl+Z takes back the last point of what is drawn, else the last change; each is an action of labelme."""
        drawing = self.canvas.is_drawing
        self._actions.undo_last_point.setEnabled(drawing)
        self._actions.undo.setEnabled(not drawing and self.can_undo())

    def draw_mode(self, mode: str) -> None:
        """Choose a drawing tool: 'polygon', SAM_POINTS_MODE, ..."""
        self._switch_canvas_mode(edit=False, create_mode=mode)

    def edit_mode(self) -> None:
        self._switch_canvas_mode(edit=True)

    def fit_image(self) -> None:
        """Zoom so that the whole image is seen."""
        self.set_fit_window_mode()

    def keep_zoom(self, percent: int) -> None:
        """A zoom that was typed is the person's own: it stays when frames or panels change."""
        fits = {"FIT_WINDOW": self._fit_window_scale, "FIT_WIDTH": self._fit_width_scale}
        fit = fits.get(self._zoom_mode.name)
        if fit is None or self._image.isNull():
            return
        fitting = min(max(int(fit() * 100), self.zoom_widget.minimum()), self.zoom_widget.maximum())
        if percent != fitting:
            self._zoom_mode = type(self._zoom_mode).MANUAL_ZOOM
            self._sync_zoom_mode_actions()

    def refresh_zoom(self) -> None:
        """Keep the zoom; where it follows the window, compute it anew."""
        if self._image.isNull():
            return
        if self._zoom_mode.name == "MANUAL_ZOOM":
            self._paint_canvas()
        else:
            self._adjust_scale()

    def restore_brightness(self) -> None:
        """Brightness and contrast as the person set them for this or the previous frame."""
        if self._config["keep_prev_brightness_contrast"] or self._image_path in self._brightness_contrast_values:
            self.open_brightness_contrast_dialog(value=False, is_initial_load=True)

    def set_file_list(self, paths: list[str], annotated: frozenset[int]) -> None:
        """Show the frames of the video in labelme's file list."""
        self._frame_files = paths
        with QtCore.QSignalBlocker(self._docks.file_list):
            self._docks.file_list.clear()
            self._docks.file_list.addItems(paths)
            for row in range(len(paths)):
                item = self._docks.file_list.item(row)
                item.setFlags(QtCore.Qt.ItemIsEnabled | QtCore.Qt.ItemIsSelectable)
                item.setCheckState(QtCore.Qt.Checked if row in annotated else QtCore.Qt.Unchecked)

    def mark_file_annotated(self, row: int, annotated: bool) -> None:
        item = self._docks.file_list.item(row)
        if item is not None:
            item.setCheckState(QtCore.Qt.Checked if annotated else QtCore.Qt.Unchecked)

    def select_file(self, row: int) -> None:
        with QtCore.QSignalBlocker(self._docks.file_list):
            self._docks.file_list.setCurrentRow(row)

    # --- labelme's private names ---------------------------------------------------------------------------

    _frame_files: list[str]
    _save_has_failed = False
    _bytes_of_image: bytes | None = None

    @property
    def _image_data(self) -> bytes | None:
        # labelme holds every image's bytes; they are needed for two menu entries only
        if self._bytes_of_image is None and self._image_path is not None:
            self._bytes_of_image = labelme.app.read_image_file(filename=self._image_path)
        return self._bytes_of_image

    @_image_data.setter
    def _image_data(self, value: bytes | None) -> None:
        self._bytes_of_image = value

    @property
    def image_data(self) -> bytes | None:
        """The image as labelme embeds it."""
        return self._image_data

    @property
    def image_list(self) -> list[str]:
        return self._frame_files

    def _setup_canvas(self) -> Any:
        with _replaced(labelme.app, "Canvas", self.canvas_class):
            widgets = super()._setup_canvas()
        widgets.zoom_widget.valueChanged.connect(self.keep_zoom)
        self.centralWidget().installEventFilter(self)
        return widgets

    def _setup_status_bar(self) -> Any:
        self.setStatusBar(StatusBar(self))
        widgets = super()._setup_status_bar()
        theirs, ours = widgets.message, CutLabel(cut=QtCore.Qt.ElideRight)
        self.statusBar().insertWidget(0, ours, 1)
        self.statusBar().removeWidget(theirs)
        theirs.deleteLater()
        return widgets._replace(message=ours)

    def _setup_toolbars(self) -> None:
        self._ai_annotation.hide()  # labelme's own AI; its widgets have no place in our toolbars
        self._ai_text.hide()
        self.build_toolbars()

    def _setup_app_state(self, *, file_or_dir: str | None, output_dir: str | None) -> None:
        del file_or_dir, output_dir  # opened by our own window, once it is complete
        self._output_dir = None
        self._image = QtGui.QImage()
        self._image_path = self._prev_image_path = self._label_file_path = None
        self._other_data = None
        self._frame_files = []
        self._zoom_values, self._brightness_contrast_values = {}, {}
        self._scroll_values = {QtCore.Qt.Horizontal: {}, QtCore.Qt.Vertical: {}}
        self._default_state = self.saveState()

    def reset_layout(self) -> None:
        self._reset_layout()

    def remember_default_layout(self) -> None:
        self._default_state = self.saveState()

    def _load_from_file_or_dir(self, file_or_dir: str) -> None:
        self.open_path(Path(file_or_dir))

    def _import_images_from_dir(self, root_dir: str | None, pattern: str | None = None) -> None:
        if root_dir is None or pattern is None:  # called by a search in the file list with a pattern
            return
        for row, path in enumerate(self._frame_files):
            item = self._docks.file_list.item(row)
            item.setHidden(pattern.lower() not in path.lower())

    def _on_file_search_changed(self) -> None:
        self._import_images_from_dir(root_dir="", pattern=self._docks.file_search.text())

    def dragEnterEvent(self, event: QtGui.QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():  # labelme takes images only; a folder is what is dropped here
            event.accept()

    def import_dropped_image_files(self, image_files: list[str]) -> None:
        if image_files:
            self.open_path(Path(image_files[0]))

    def _load_file(self, image_or_label_path: str) -> None:
        self.open_frame_file(Path(image_or_label_path))

    def _open_next_image(self, _value: bool = False) -> None:
        self.step_frame(1)

    def _open_prev_image(self, _value: bool = False) -> None:
        self.step_frame(-1)

    def save_labels(self, label_path: str) -> bool:
        return self.export_frame(Path(label_path))

    def _save_label_file(self, *, save_as: bool = False) -> None:
        if save_as:
            path = self.prompt_save_file_path()
            if path:
                self.export_frame(Path(path))
        elif self.save_frame():
            self.mark_clean()
        else:
            self._save_has_failed = True

    def mark_dirty(self) -> None:
        self._is_changed = True
        self.refresh_undo()
        if self.is_autosaving and self.save_frame():
            self.mark_clean()
            return
        self._actions.save.setEnabled(True)
        self.setWindowTitle(self.window_title(dirty=True))

    def mark_clean(self) -> None:
        self._is_changed = False
        self.refresh_undo()
        self._actions.save.setEnabled(False)
        self._actions.delete_file.setEnabled(self.has_label_file())
        self.setWindowTitle(self.window_title(dirty=False))

    def has_label_file(self) -> bool:
        path = self.annotation_path()
        return path is not None and path.exists()

    def current_label_file_path(self) -> str:
        return str(self.annotation_path())

    def _get_window_title(self, *, dirty: bool) -> str:
        return self.window_title(dirty)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        # labelme fits the image when the window is resized; a panel that grows also changes the room for it
        if watched is self.centralWidget() and event.type() == QtCore.QEvent.Resize and self._image_path is not None:
            self.queue_event(self.refresh_zoom)
        return super().eventFilter(watched, event)

    def _update_status_stats(self, mouse_pos: QtCore.QPointF) -> None:
        self.position_label.setText(f"x {mouse_pos.x():.0f}  y {mouse_pos.y():.0f}")

    def _on_new_shape(self) -> None:
        self.name_new_shapes()

    def _edit_label(self, value: object | None = None) -> None:
        del value
        self.edit_selected_shapes()

    def _update_shape_color(self, shape: LabelmeShape) -> None:
        color = self.color_of(shape)
        fill, strong = QtGui.QColor(color), QtGui.QColor(color)
        fill.setAlpha(70)
        strong.setAlpha(120)
        shape.line_color = shape.vertex_fill_color = color
        shape.hvertex_fill_color = shape.select_line_color = QtGui.QColor(255, 255, 255)
        shape.fill_color, shape.select_fill_color = fill, strong

    def _switch_canvas_mode(self, edit: bool = True, create_mode: str | None = None) -> None:
        super()._switch_canvas_mode(edit=edit, create_mode=create_mode)
        self.mode_changed()

    def _submit_ai_prompt(self, _: bool) -> None:
        """labelme's own AI is not reachable from this window."""

    def _on_label_item_changed(self, item: Any) -> None:
        super()._on_label_item_changed(item)
        self.refresh_undo()

    def undo_shape_edit(self) -> None:
        self.undo()

    def _insert_shapes(self, shapes: list[LabelmeShape]) -> None:
        if self.canvas.isEnabled():
            self.adopt_shapes(shapes)
            super()._insert_shapes(shapes)

    def delete_selected_shapes(self) -> None:
        # labelme asks each time, because its deletion cannot be undone; ours can
        if self.canvas.selected_shapes:
            self.remove_labels(self.canvas.delete_selected())
            self.mark_dirty()
        else:
            self.nothing_to_delete()

    def prompt_output_dir(self, _value: bool = False) -> None:
        self.change_output()

    def _open_config_file(self) -> None:
        self.open_preferences()

    def can_leave_frame(self) -> bool:
        """Save, discard or stay, where there is something unsaved."""
        return self._can_continue()

    def _can_continue(self) -> bool:
        # labelme would name the image, speak of closing, and go on where saving was chosen and failed
        if not self._is_changed:
            return True
        box, asked = QtWidgets.QMessageBox, f"Save what was changed in {self.annotation_path()}?"
        chosen = box.question(self, "Save annotations?", asked, box.Save | box.Discard | box.Cancel, box.Save)
        self._save_has_failed = False
        if chosen == box.Save:
            self._save_label_file()
        return chosen == box.Discard or (chosen == box.Save and not self._save_has_failed)
