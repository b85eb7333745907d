"""The real window, off-screen, with small real videos; nothing it says, logs or leaves running goes unnoticed."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PyQt5 import QtCore, QtWidgets

import sam_annotator.gui.window  # noqa: F401  labelme says how Qt scales when it is imported: before there is an application
from sam_annotator.gui.app import make_window
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.engine_thread import EngineThread
from sam_annotator.samples import make_samples
from tests.gui.scene import DiscSegmenter, make_video

_HERE = Path(__file__).parent
_HARMLESS = (
    "propagateSizeHints",  # what the off-screen platform cannot do
    "XDG_RUNTIME_DIR",
    "This plugin does not support",
)
EMBEDDED = {"segmenter": "embedded", "propagator": "embedded"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A warning of Qt's is a failed test."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            item.add_marker(pytest.mark.qt_log_ignore(*_HARMLESS))


@pytest.fixture(autouse=True)
def nothing_unexpected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What the window logs as an unexpected error fails the test, unless the test clears `caplog`."""
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    errors = [
        record for record in records if record.name.startswith("sam_annotator") and record.levelno > logging.WARNING
    ]
    if errors:
        pytest.fail("unexpected errors were logged:\n" + "\n".join(_describe(record) for record in errors))


def _describe(record: logging.LogRecord) -> str:
    trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
    return f"{record.name}: {record.getMessage()}\n{trace}"


@pytest.fixture(autouse=True)
def no_question_waits_forever(qapp: QtWidgets.QApplication) -> Iterator[None]:
    """A question that blocks the test, and that nobody answers, is called off after a minute, and fails it."""
    unanswered: list[str] = []

    def call_off() -> None:
        box = QtWidgets.QApplication.activeModalWidget()
        if isinstance(box, QtWidgets.QMessageBox) and box is seen[-1]:
            unanswered.append(box.text())
            box.reject()
        seen.append(box)

    seen: list[QtWidgets.QWidget | None] = [None]
    timer = QtCore.QTimer(interval=30_000)
    timer.timeout.connect(call_off)
    timer.start()
    yield
    timer.stop()
    assert not unanswered, f"nobody answered: {unanswered}"


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """A thread that a test leaves behind fails it."""
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not _is_fleeting(thread)]
    for thread in left:
        thread.join(timeout=5)
    left = [thread.name for thread in left if thread.is_alive()]
    assert not left, f"threads were left running: {left}"


def _is_fleeting(thread: threading.Thread) -> bool:
    return thread.daemon  # Python's stand-ins for Qt's threads are daemons and never end; those are asked directly


@pytest.fixture
def engine_thread(qapp: QtWidgets.QApplication) -> Iterator[EngineThread]:
    """A thread for jobs, stopped at the end."""
    thread = EngineThread("test")
    yield thread
    thread.stop()
    assert not thread.isRunning()
    qapp.processEvents()


@pytest.fixture
def make_videos(tmp_path: Path) -> Callable[..., Path]:
    """`make_videos("ball", "more/ball", frames=6)` makes videos (see scene.py) and returns the folder they are in."""

    def make(*names: str, frames: int = 6) -> Path:
        for name in names or ("ball",):
            make_video(tmp_path / "videos" / name, frames)
        return tmp_path / "videos"

    return make


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where `make_annotation_window` has annotations written by default."""
    return tmp_path / "annotations"


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program's own sample videos, six frames of each, with what is true in them. Read only."""
    folder = tmp_path_factory.mktemp("samples") / "samples"
    make_samples(folder, frames=6)
    return folder


@pytest.fixture
def discs(monkeypatch: pytest.MonkeyPatch) -> DiscSegmenter:
    """The window's segmenter is a small fake at the model boundary; use before the first click."""
    segmenter = DiscSegmenter()
    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", lambda *_options: segmenter)
    return segmenter


@dataclass
class Made:
    """A window that a test made."""

    driver: Driver

    def close(self) -> list[str]:
        """Close it as a person who discards what is unsaved; returns what is wrong about the end."""
        window = self.driver.window
        unread = self.driver.dialog_text()
        for dialog in window.findChildren(QtWidgets.QDialog):
            dialog.close()
        window.mark_clean()
        self.driver.close()
        wrong = [f"the thread {thread.objectName()} still runs" for thread in _threads(window) if thread.isRunning()]
        for thread in _threads(window):
            thread.stop()
        return [*wrong, *([f"a dialog that the test did not expect is open: {unread}"] if unread else [])]


def _threads(window: Any) -> tuple[EngineThread, ...]:
    return window.engine, window.files, window.weights.thread


@pytest.fixture
def make_annotation_window(qapp: QtWidgets.QApplication, tmp_path: Path) -> Iterator[Callable[..., Driver]]:
    """`make_annotation_window(root, ...)` shows the real window on a folder of videos (None: on nothing) and returns
    its Driver.

    Annotations go to `output` (default: tmp_path / 'annotations'; None: beside the frames), the window's memory to
    tmp_path. The embedded engines are at work. At the end every window is closed and must leave no thread and no
    message box behind that the test has not read with `take_dialog`.
    """
    made: list[Made] = []

    def make(
        root: Path | None = None,
        *,
        output: Path | None = tmp_path / "annotations",
        engines: Mapping[str, Any] = EMBEDDED,
        size: tuple[int, int] = (1100, 760),
        **options: Any,
    ) -> Driver:
        profile = options.pop("profile", tmp_path / "profile")
        profile.mkdir(exist_ok=True)
        window, _application = make_window(output=output, engines=engines, profile=profile, **options)
        driver = Driver(window)
        made.append(Made(driver))
        window.resize(*size)
        window.show()
        driver.wait(window.isVisible, "the window to be shown")
        if root is not None:
            driver.open(root)
        driver.focus()
        return driver

    yield make
    wrong = [text for item in made for text in item.close()]
    qapp.processEvents()  # what the threads said last, while there is a window to hear it
    for item in made:
        item.driver.window.deleteLater()
    qapp.sendPostedEvents(None, QtCore.QEvent.DeferredDelete)
    qapp.processEvents()
    assert not wrong, wrong


@pytest.fixture
def take_dialog() -> Callable[[Driver], str]:
    """Read the message box that is open, waiting for it, and close it as Enter does."""

    def take(driver: Driver, seconds: float = 20.0) -> str:
        driver.wait(driver.dialog_text, "a message box", seconds)
        text = driver.dialog_text()
        for box in driver.window.findChildren(QtWidgets.QMessageBox):
            box.close()
        driver.wait(lambda: not driver.dialog_text(), "the message box to close", seconds)
        driver.focus()
        return text

    return take
