"""Going places: folders, videos, frames. Nothing unsaved is left behind."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import IMAGE_SUFFIXES, Video, find_videos
from sam_annotator.gui.docks.videos import VideoCounts
from sam_annotator.gui.labelme_seam import LabelmeShape
from sam_annotator.gui.videos.frame_view import Change
from sam_annotator.gui.videos.opener import VideoOpener

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


class Navigator(QtCore.QObject):
    """Opens folders, videos and frames in the window."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window, self._session = window, window.session
        self._told: set[str] = set()  # what is wrong with frames, in this visit of the video
        self._opener = VideoOpener(window.files, self)
        self._opener.unpacking.connect(self._show_unpacking)
        self._opener.unpacked.connect(self._show_video)
        self._opener.unpacking_cancelled.connect(self._on_unpacking_cancelled)
        self._opener.tracks_read.connect(self._on_tracks_read)
        self._opener.failed.connect(self._on_failed)
        videos = window.videos_panel
        self._opener.counted.connect(videos.model.set_counts)
        videos.model.counts_wanted.connect(self._count)
        videos.opened.connect(self.open_video)
        window.timeline.frame_wanted.connect(self.go_to_frame)
        window.timeline.step_wanted.connect(self.step_frame)
        window.timeline.cancel_wanted.connect(self._opener.cancel_unpacking)

    # --- folders and videos --------------------------------------------------------------------------------

    def open_path(self, path: Path) -> None:
        """Open a folder of videos, one video, an image, or an annotation file."""
        is_frame = path.suffix.lower() in (".json", *IMAGE_SUFFIXES) and path.is_file()
        try:
            videos = find_videos(path.parent if is_frame else path)
        except AnnotatorError as error:
            self._window.show_error("Nothing to open", str(error))
            return
        if self.open_videos(videos) and is_frame:
            self._go_to_file(path)

    def open_videos(self, videos: Sequence[Video]) -> bool:
        """Open what was found in a folder; False if the person stays with what is unsaved."""
        if not self.leave_frame():
            return False
        self._leave_video()
        self._session.videos = videos
        self._list_videos()
        self.open_video(0)
        return True

    def open_video(self, row: int) -> None:
        """Open one of the videos; a video file is unpacked first."""
        panel = self._window.videos_panel
        if row == self._session.row or not self.leave_frame():
            panel.select(self._session.row or 0)
            return
        self._leave_video()
        self._session.row = row
        panel.select(row)
        video = self._session.videos[row]
        if video.needs_unpacking:
            self.show_nothing(f"Unpacking {video.source.name} …")
            self._opener.unpack(video)
        else:
            self._show_video(video)

    def step_video(self, by: int) -> None:
        if self._session.row is not None:
            self.open_video(min(max(self._session.row + by, 0), len(self._session.videos) - 1))

    def close_video(self) -> None:
        """Show nothing; the list of videos stays."""
        if self.leave_frame():
            self._leave_video()
            self._window.videos_panel.select(-1)
            self.show_nothing("Choose a video in the list, or open another folder: Ctrl+U")

    def change_output(self, folder: Path) -> None:
        """Read and write annotations somewhere else from now on."""
        if not self.leave_frame():
            return
        try:
            store = AnnotationStore(folder)
        except AnnotatorError as error:
            self._window.show_error("Not a folder for annotations", str(error))
            return
        row = self._session.row
        self._leave_video()
        self._session.store = store
        self._list_videos()
        if row is not None:
            self.open_video(row)

    @property
    def is_reading(self) -> bool:
        """Whether the annotations of the open video are being read, again or for the first time."""
        return self._opener.is_reading

    def reread_video(self) -> None:
        """Show what the files say now, after many of them were changed."""
        self._read_tracks()
        self.reload_frame()

    def reread_videos(self) -> None:
        """Show what the files of all videos say now."""
        self._list_videos()
        if self._session.row is not None:
            self._window.videos_panel.select(self._session.row)
            self.reread_video()

    def count_current(self) -> None:
        """Show how much of the open video is annotated, as far as it is known without reading its folders."""
        row, tracks = self._session.row, self._session.tracks
        if row is not None and tracks is not None:
            counts = VideoCounts(tracks.annotated, self._session.total)
            self._window.videos_panel.model.set_counts(row, counts)

    def _leave_video(self) -> None:
        self._window.propagation.cancel()
        self._opener.cancel_unpacking()
        self._session.close_video()
        self._window.status.drop_result()
        self._told.clear()

    def _show_video(self, video: Video) -> None:
        if video is not self._session.video:
            return
        try:
            total = len(video.frame_paths)
            annotated = self._session.store.annotated_frames(video)
        except AnnotatorError as error:
            self.show_nothing(str(error))
            return
        if not total:
            self.show_nothing(f"{video.folder} holds no frames.")
            return
        window = self._window
        window.set_output_folder(self._session.store.folder(video))
        window.set_file_list([str(path) for path in video.frame_paths], annotated)
        window.timeline.show_video(total)
        self._read_tracks()
        self.show_frame(0)

    def show_nothing(self, notice: str) -> None:
        """No frame; a sentence in its place says why."""
        window = self._window
        window.sam_tool.set_frame(None)
        window.clear_frame()
        window.set_image(None, QtGui.QImage())
        window.set_file_list([], frozenset())
        window.canvas.setEnabled(False)
        window.canvas.show_notice(notice)
        window.timeline.show_video(0)
        window.status.show_saved("")
        window.update_action_states(False)
        window.refresh_panels()
        window.setWindowTitle(window.window_title(dirty=False))

    def _show_unpacking(self, done: int, total: int) -> None:
        video = self._session.video
        if video is not None and video.source is not None:
            self._window.canvas.show_notice(f"Unpacking {video.source.name}: frame {done} of {total or '?'}")
            self._window.timeline.show_unpacking(done, total)

    def _on_unpacking_cancelled(self, video: Video) -> None:
        if video is self._session.video:
            self._session.row = None  # so that choosing it again goes on
            self._window.timeline.show_idle()
            self._window.canvas.show_notice(f"{video.name} is not unpacked to its end; choose it again to go on.")

    def _on_failed(self, message: str) -> None:
        self._window.canvas.show_notice(message)
        self._window.timeline.show_idle()
        self._window.show_error("This video cannot be opened", message)

    def _on_tracks_read(self, video: Video, tracks: VideoTracks) -> None:
        if video is self._session.video:
            self._read_again(tracks)
            tracks.set_frame(self._session.index, self._session.base)
            self._session.tracks = tracks
            self._window.refresh_panels()

    def _read_tracks(self) -> None:
        self._session.saved_frames.clear()
        self._opener.read_tracks(self._session.video, self._session.store)

    def _read_again(self, tracks: VideoTracks) -> None:
        """Frames that were saved while the annotations were being read: their objects must not be missed."""
        for index in self._session.saved_frames:
            try:
                tracks.set_frame(index, self._session.store.read(self._session.video, index))
            except AnnotatorError as error:
                tracks.problems[index] = str(error)

    def _list_videos(self) -> None:
        self._opener.forget_counting()
        self._window.videos_panel.model.set_videos(self._session.videos)

    def _count(self, rows: Sequence[int]) -> None:
        self._opener.count(self._session.videos, rows, self._session.store)

    # --- frames --------------------------------------------------------------------------------------------

    def leave_frame(self) -> bool:
        """True if nothing unsaved is left behind; asks, where there is."""
        return self._session.frame is None or self._window.can_leave_frame()

    def step_frame(self, by: int) -> None:
        """Go frames on (or back), at most to the ends."""
        self.go_to_frame(self._session.index + by)

    def go_to_frame(self, index: int) -> None:
        """The person goes to a frame: a propagation no longer takes the view along."""
        self._window.propagation_panel.stop_following()
        index = min(max(index, 0), self._session.total - 1)
        if self._session.frame is not None and index != self._session.index and self.leave_frame():
            modifiers = QtWidgets.QApplication.keyboardModifiers()
            keep = self._window.config["keep_prev"] or modifiers == (Qt.ControlModifier | Qt.ShiftModifier)
            self.show_frame(index, carry=self._window.listed_shapes() if keep else [])

    def show_frame(self, index: int, carry: Sequence[LabelmeShape] = ()) -> None:
        """Show a frame; shapes to `carry` are put into it if it has none."""
        window = self._window
        frame = self._session.load_frame(index)
        window.sam_tool.set_frame(None if frame.problem else frame.path, self._session.video.frame_paths)
        window.view.show(frame)
        window.set_label_file(window.annotation_path())
        window.mark_clean()
        window.select_file(index)
        window.timeline.show_frame(self._session.total, index)
        window.show_saved()
        if frame.problem and frame.image is not None and frame.problem not in self._told:
            self._told.add(frame.problem)
            window.show_error("This frame cannot be annotated", frame.problem)
        elif not frame.problem and not window.listed_shapes():
            self._carry(shape for shape in carry if shape.group_id not in window.view.absent_ids())
        window.refresh_panels()

    def _carry(self, shapes: Iterable[LabelmeShape]) -> None:
        copies = [shape.copy() for shape in shapes]
        if copies:
            self._window.adopt_shapes(copies)
            self._window.load_shapes(copies)
            self._window.mark_dirty()

    def reload_frame(self, change: Change | None = None) -> None:
        """Show what the current frame's file says now; `change`: how others came to write it, if that is known."""
        window = self._window
        try:
            if not window.view.reload(self._session.reload_annotation(), change):
                window.show_hint("This frame has changed: earlier edits of it cannot be undone any more.")
        except AnnotatorError as error:
            window.show_error("This frame cannot be read", str(error))
            return
        window.mark_clean()
        window.show_saved()
        window.schedule_refresh()

    def open_frame_file(self, path: Path) -> None:
        """Show a frame of the video by its file."""
        if str(path) in self._window.image_list:
            self.go_to_frame(self._window.image_list.index(str(path)))

    def go_to_object(self, object_id: int) -> None:
        """Show the first frame of an object."""
        track = self._session.tracks.get(object_id) if self._session.tracks else None
        if track is not None and track.first is not None:
            self.go_to_frame(track.first)

    def go_to_doubtful(self) -> None:
        """Go to the next frame, after this one, where a mask may have drifted."""
        frames = sorted(self._session.tracks.doubtful_frames()) if self._session.tracks else []
        later = [index for index in frames if index > self._session.index] or frames
        if later:
            self.go_to_frame(later[0])
        else:
            self._window.show_hint("No doubtful frames in this video.")

    def _go_to_file(self, path: Path) -> None:
        stems = [frame.stem for frame in self._session.video.frame_paths] if self._session.total else []
        if path.stem in stems:
            self.go_to_frame(stems.index(path.stem))
