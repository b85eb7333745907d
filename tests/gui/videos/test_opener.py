"""Opening videos off the window's thread: unpacking, reading annotations, counting."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from PyQt5 import QtWidgets
from PyQt5.QtCore import Qt
from pytestqt.qtbot import QtBot

from sam_annotator.core.annotation import MANUAL, Shape
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import VideoTracks
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.gui.docks.videos import VideoCounts
from sam_annotator.gui.engine_thread import EngineThread, Priority
from sam_annotator.gui.videos.opener import VideoOpener, count_video
from tests.gui.scene import HEIGHT, WIDTH, ball_centre, frame, make_video

WAIT_MS = 20_000
SQUARE = ((10.0, 10.0), (30.0, 10.0), (30.0, 30.0), (10.0, 30.0))


class Heard:
    """What a VideoOpener has said, in order."""

    def __init__(self, opener: VideoOpener) -> None:
        self.said: list[tuple[Any, ...]] = []
        for name in ("unpacking", "unpacked", "unpacking_cancelled", "tracks_read", "counted", "failed"):
            getattr(opener, name).connect(lambda *facts, name=name: self.said.append((name, *facts)))

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [facts for said, *facts in self.said if said == name]


@pytest.fixture
def opener(engine_thread: EngineThread) -> VideoOpener:
    return VideoOpener(engine_thread)


@pytest.fixture
def video(tmp_path: Path) -> Video:
    make_video(tmp_path / "videos" / "ball", frames=4)
    return find_videos(tmp_path / "videos")[0]


@pytest.fixture
def movie(tmp_path: Path) -> Video:
    """A video file of 12 frames that is still to be unpacked."""
    path = tmp_path / "movies" / "ball.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for index in range(12):
        writer.write(frame(index)[:, :, ::-1])
    writer.release()
    return find_videos(path.parent)[0]


@pytest.fixture
def held_back(engine_thread: EngineThread) -> Iterator[threading.Event]:
    """The thread does nothing else until the event is set; ask for it before anything else."""
    let_go = threading.Event()

    def wait() -> Iterator[None]:
        let_go.wait(20)
        return iter(())

    engine_thread.submit(wait, Priority.CLICK)
    yield let_go
    let_go.set()


def annotate(store: AnnotationStore, video: Video, index: int, object_id: int = 1, label: str = "ball") -> None:
    shape = Shape(label, SQUARE, object_id=object_id, source=MANUAL)
    blank = store.blank(video, index, WIDTH, HEIGHT)
    store.save(video, index, blank.with_object(object_id, [shape]), None)


def test_a_video_file_is_unpacked_frame_by_frame_and_then_told(opener: VideoOpener, movie: Video, qtbot: QtBot) -> None:
    heard = Heard(opener)
    opener.unpack(movie)
    qtbot.waitUntil(lambda: bool(heard.named("unpacked")), timeout=WAIT_MS)
    assert [done for done, _total in heard.named("unpacking")] == list(range(1, 13))
    assert heard.said[-1] == ("unpacked", movie)
    assert not movie.needs_unpacking
    movie.refresh()
    assert len(movie) == 12


def test_unpacking_that_is_cancelled_is_told_and_goes_on_the_next_time(
    opener: VideoOpener, movie: Video, qtbot: QtBot
) -> None:
    heard = Heard(opener)
    opener.unpack(movie)
    job = opener._unpack_job
    job.progressed.connect(lambda step: job.cancel() if step.done == 3 else None, Qt.DirectConnection)
    qtbot.waitUntil(lambda: bool(heard.named("unpacking_cancelled")), timeout=WAIT_MS)
    assert [done for done, _total in heard.named("unpacking")] == [1, 2, 3]
    assert movie.needs_unpacking
    opener.unpack(movie)
    qtbot.waitUntil(lambda: heard.said[-1:] == [("unpacked", movie)], timeout=WAIT_MS)
    movie.refresh()
    assert len(movie) == 12
    assert heard.named("unpacking_cancelled") == [[movie]]


def test_a_file_that_is_no_video_fails_with_a_sentence(opener: VideoOpener, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "letter.mp4").write_text("Dear reader, this is not a video.")
    heard = Heard(opener)
    opener.unpack(find_videos(tmp_path / "letter.mp4")[0])
    qtbot.waitUntil(lambda: bool(heard.said), timeout=WAIT_MS)
    ((message,),) = heard.named("failed")
    assert "letter.mp4" in message


def test_the_annotations_of_a_video_become_its_tracks(
    opener: VideoOpener, video: Video, tmp_path: Path, qtbot: QtBot
) -> None:
    store = AnnotationStore(tmp_path / "annotations")
    for index in (0, 2):
        annotate(store, video, index)
    heard = Heard(opener)
    opener.read_tracks(video, store)
    qtbot.waitUntil(lambda: bool(heard.said), timeout=WAIT_MS)
    ((told, tracks),) = heard.named("tracks_read")
    assert told is video
    assert [(track.object_id, track.label, track.frames) for track in tracks.tracks()] == [(1, "ball", {0, 2})]


def test_of_two_readings_only_the_later_is_told(
    held_back: threading.Event, opener: VideoOpener, video: Video, tmp_path: Path, qtbot: QtBot
) -> None:
    first, second = AnnotationStore(tmp_path / "first"), AnnotationStore(tmp_path / "second")
    annotate(first, video, 0, label="old")
    annotate(second, video, 0, label="new")
    heard = Heard(opener)
    opener.read_tracks(video, first)
    opener.read_tracks(video, second)
    held_back.set()
    qtbot.waitUntil(lambda: bool(heard.named("tracks_read")), timeout=WAIT_MS)
    assert [tracks.get(1).label for _video, tracks in heard.named("tracks_read")] == ["new"]


def test_a_reading_that_ended_unheard_is_not_told_once_another_began(
    opener: VideoOpener, video: Video, tmp_path: Path, qtbot: QtBot, qapp: QtWidgets.QApplication
) -> None:
    first, second = AnnotationStore(tmp_path / "first"), AnnotationStore(tmp_path / "second")
    annotate(first, video, 0, label="old")
    annotate(second, video, 0, label="new")
    heard, has_ended = Heard(opener), threading.Event()
    opener.read_tracks(video, first)
    opener._scan_job.succeeded.connect(lambda _tracks: has_ended.set(), Qt.DirectConnection)
    qapp.processEvents()  # lets it begin
    assert has_ended.wait(10)
    opener.read_tracks(video, second)
    qtbot.waitUntil(lambda: bool(heard.named("tracks_read")), timeout=WAIT_MS)
    assert [tracks.get(1).label for _video, tracks in heard.named("tracks_read")] == ["new"]


def test_videos_are_counted_row_by_row(opener: VideoOpener, tmp_path: Path, qtbot: QtBot) -> None:
    for name, frames in (("a", 2), ("b", 3), ("c", 1)):
        make_video(tmp_path / "videos" / name, frames)
    videos = find_videos(tmp_path / "videos")
    store = AnnotationStore()
    annotate(store, videos[1], 2)
    heard = Heard(opener)
    opener.count(videos, [1, 2], store)
    qtbot.waitUntil(lambda: len(heard.said) == 2, timeout=WAIT_MS)
    assert heard.named("counted") == [[1, VideoCounts(1, 3)], [2, VideoCounts(0, 1)]]


def test_counts_of_videos_that_are_listed_no_more_are_not_told(
    held_back: threading.Event, opener: VideoOpener, video: Video, tmp_path: Path, qtbot: QtBot
) -> None:
    make_video(tmp_path / "other" / "long", 6)
    heard = Heard(opener)
    opener.count([video], [0], AnnotationStore())
    opener.forget_counting()
    opener.count(find_videos(tmp_path / "other"), [0], AnnotationStore())
    held_back.set()
    qtbot.waitUntil(lambda: bool(heard.said), timeout=WAIT_MS)
    assert heard.named("counted") == [[0, VideoCounts(0, 6)]]


def test_counting_says_what_is_wrong_with_a_video_instead_of_raising(tmp_path: Path, movie: Video) -> None:
    gone = count_video(Video("gone", tmp_path / "gone"), AnnotationStore())
    assert "gone" in gone.problem
    assert count_video(movie, AnnotationStore()) == VideoCounts(0, 0)


# --- in the window -----------------------------------------------------------------------------------------------


def test_the_list_shows_the_counts_of_the_folder_that_is_open_now(
    make_annotation_window: Any, make_videos: Any, tmp_path: Path
) -> None:
    driver = make_annotation_window(make_videos("a", "b", "c", frames=5))
    make_video(tmp_path / "other" / "x", 2)
    make_video(tmp_path / "other" / "y", 3)
    driver.open(tmp_path / "other")
    model = driver.window.videos_panel.model
    driver.wait(lambda: model.index(1, 1).data() == "0/3", "the second row to be counted")
    assert [model.index(row, 1).data() for row in range(model.rowCount())] == ["0/2", "0/3"]


def test_an_object_that_is_accepted_while_annotations_are_read_again_is_not_missed(
    make_annotation_window: Any, make_videos: Any, discs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = make_annotation_window(make_videos("ball"))
    window = driver.window
    begun, may_end = threading.Event(), threading.Event()

    class SlowTracks(VideoTracks):
        def scan(self, video: Video, store: AnnotationStore) -> Iterator[int]:
            yield from super().scan(video, store)
            begun.set()
            yield 0
            may_end.wait(20)

    monkeypatch.setattr("sam_annotator.gui.videos.opener.VideoTracks", SlowTracks)
    before = window.session.tracks
    window.navigator.reread_video()
    driver.wait(begun.is_set, "the reading to begin")
    driver.click(*ball_centre(0))
    driver.proposals()
    driver.press(Qt.Key_Return)
    driver.name("ball")
    driver.press(Qt.Key_D)
    may_end.set()
    driver.wait(lambda: window.session.tracks is not before, "the reading to end")
    assert [track.frames for track in window.session.tracks.tracks()] == [{0}]
    assert window.session.tracks.next_object_id() == 2
