"""The measurements of bench_window.py, each beside its peer. Times in seconds."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from inputs import Size, annotate, link_all, make_frames, make_tree
from machine import quartiles
from PyQt5 import QtCore, QtWidgets

_TINY = Size(160, 90)
START_BUDGET, STEP_BUDGET = 1.5, 1.2  # times plain labelme
CLICK_BUDGET = 15  # milliseconds beyond the segmenter
HEADER = f"{'':46} {'ours':>10} {'peer':>10} {'ratio':>6} {'quartiles':>13} {'budget':>7}"
Turn = Callable[[], float]

_kept: list[Any] = []  # Qt's application goes with the last name for it, and all windows with it


# --- comparing ---------------------------------------------------------------------------------------------------


def take_turns(ours: Turn, theirs: Turn, repetitions: int) -> tuple[list[float], list[float]]:
    """Seconds of each, one after the other; a first turn of both is not counted."""
    ours()
    theirs()
    pairs = [(ours(), theirs()) for _ in range(repetitions)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def print_ratio(what: str, ours: Sequence[float], theirs: Sequence[float], budget: float | None) -> None:
    """One row of the table."""
    low, middle, high = quartiles(a / b for a, b in zip(ours, theirs, strict=True))
    verdict = "" if budget is None else f"{budget:5.2f}{' ok' if middle <= budget else ' OVER'}"
    print(
        f"{what:46} {_time(quartiles(ours)[1])} {_time(quartiles(theirs)[1])} {middle:6.2f} "
        f"{low:6.2f}-{high:<6.2f} {verdict}",
        flush=True,
    )


def _time(seconds: float) -> str:
    return f"{seconds:8.2f} s" if seconds >= 1 else f"{seconds * 1000:7.1f} ms"


# --- starting ----------------------------------------------------------------------------------------------------


def measure_start(options: argparse.Namespace, folder: Path) -> None:
    """From the start of the process to the first frame, beside labelme on one folder."""
    frames = make_frames(folder / "plain", options.frames, _TINY)
    make_tree(folder / "videos", frames, options.videos)
    both: dict[str, list[dict[str, float]]] = {"ours": [], "labelme": []}

    def turn(which: str, path: Path) -> float:
        both[which].append(start(which, path))
        return both[which][-1]["wall"]

    ours, theirs = take_turns(
        lambda: turn("ours", folder / "videos"), lambda: turn("labelme", folder / "plain"), options.repetitions
    )
    assert not any(facts["torch"] for facts in both["ours"]), "torch was imported before the window was up"
    print_ratio(f"window up, {options.videos} videos", ours, theirs, START_BUDGET)
    cpu = [[facts["cpu"] for facts in both[which][1:]] for which in both]
    print_ratio("  processor time of it", cpu[0], cpu[1], None)


def start(which: str, path: Path) -> dict[str, float]:
    """Start a program in a process of its own; what it told, and `wall`, the seconds until the first frame."""
    command = [sys.executable, str(Path(__file__).with_name("window_start.py")), which, str(path)]
    began = time.monotonic()
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if not answer.stdout.strip():
        raise RuntimeError(f"{which} did not start:\n{answer.stderr}")
    facts: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return {**facts, "wall": facts["painted"] - began}


# --- windows in this process -------------------------------------------------------------------------------------


class Painted(QtCore.QObject):
    """Counts how often a widget was painted."""

    def __init__(self, widget: QtWidgets.QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _widget: QtCore.QObject, event: QtCore.QEvent) -> bool:
        self.count += event.type() == QtCore.QEvent.Paint
        return False


def settle(seconds: float = 0.2) -> None:
    """Let both windows do what they have put off."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.AllEvents, 20)
        QtCore.QThread.msleep(1)


def seconds_of(act: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def until_painted(act: Callable[[], object], painted: Painted) -> float:
    """Seconds from an action until the canvas, and what else it changed, is painted."""
    before, began = painted.count, time.perf_counter()
    act()
    while painted.count == before:
        QtWidgets.QApplication.processEvents()
        assert time.perf_counter() - began < 60, "nothing was painted for a minute"
    return time.perf_counter() - began


def make_ours(profile: Path) -> Any:
    """Our window, shown, nothing open."""
    from sam_annotator.gui.app import make_window

    window, application = make_window(profile=profile, engines={"segmenter": "embedded", "propagator": "embedded"})
    _kept.append(application)
    window.resize(1280, 800)
    window.show()
    settle()
    return window


def make_labelme(path: Path | None = None) -> Any:
    """Plain labelme's window as its command shows it, without its log."""
    from labelme.app import MainWindow
    from loguru import logger

    logger.remove()
    window = MainWindow(file_or_dir=None if path is None else str(path))
    window.resize(1280, 800)
    window.show()
    settle()
    return window


# --- the next frame ----------------------------------------------------------------------------------------------


def measure_step(options: argparse.Namespace, folder: Path) -> None:
    """Frame after frame with objects, beside labelme on the same frames without and with them."""
    size = Size.parse(options.size)
    plain = make_frames(folder / "plain", options.frames, size)
    for kind in ("polygons", "masks"):
        link_all(plain, folder / kind)
        copies = sorted((folder / kind).glob("*.jpg"))
        annotate(copies, size, objects=options.objects, points=options.points, as_masks=kind == "masks")
    for kind in ("plain", "polygons", "masks"):
        ours, theirs = _step_turns(folder / kind, folder / "plain", folder / f"profile_{kind}", options)
        drawn = "nothing" if kind == "plain" else f"{options.objects} {kind}"
        print_ratio(f"next frame, {size}, {drawn} drawn", ours, theirs, STEP_BUDGET)
    ours, theirs = _step_turns(folder / "polygons", folder / "polygons", folder / "profile", options)
    print_ratio("  labelme with the same polygons", ours, theirs, None)


def _step_turns(mine: Path, its: Path, profile: Path, options: argparse.Namespace) -> tuple[list[float], list[float]]:
    """Middle seconds a step, turn by turn; in a turn a window steps through the whole video."""
    window = make_ours(profile)
    window.open_path(mine)
    window.edit_mode()  # no segmenter at work beside either
    peer = make_labelme(its)
    settle()
    painted, peer_painted = Painted(window.canvas), Painted(peer._canvas_widgets.canvas)
    objects = sorted({shape.group_id for shape in window.listed_shapes()})
    assert objects == ([] if mine.name == "plain" else list(range(1, options.objects + 1))), "other objects than made"

    def turn(step: Callable[[], object], back: Callable[[], object], seen: Painted) -> float:
        back()
        settle()
        return float(np.median([until_painted(step, seen) for _ in range(options.frames - 1)]))

    file_list = peer._docks.file_list
    turns = take_turns(
        lambda: turn(lambda: window.step_frame(1), lambda: window.step_frame(-options.frames), painted),
        lambda: turn(peer._open_next_image, lambda: file_list.setCurrentRow(0), peer_painted),
        options.repetitions,
    )
    for each in (window, peer):
        each.close()
    return turns


# --- a big folder ------------------------------------------------------------------------------------------------


def measure_open(options: argparse.Namespace, folder: Path) -> None:
    """A folder of thousands of videos in a window that is up, beside finding its videos alone."""
    from sam_annotator.core.videos import find_videos

    make_tree(folder / "videos", make_frames(folder / "frames", options.frames, _TINY), options.many)
    window = make_ours(folder / "profile")
    painted = Painted(window.canvas)

    def open_again() -> float:
        seconds = until_painted(lambda: window.open_path(folder / "videos"), painted)
        settle()
        return seconds

    find = partial(seconds_of, lambda: find_videos(folder / "videos"))
    ours, alone = take_turns(open_again, find, options.repetitions)
    window.close()
    print_ratio(f"open {options.many} videos; peer: finding them", ours, alone, None)


# --- stalls ------------------------------------------------------------------------------------------------------


class Gaps:
    """Milliseconds between the ticks of a timer of 5 ms: how long the window's thread was away, and 5 ms."""

    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self._last = time.perf_counter()
        self._timer = QtCore.QTimer(timerType=QtCore.Qt.PreciseTimer, interval=5)
        self._timer.timeout.connect(self._tick)

    def measure(self, run: Callable[[], object]) -> "Gaps":
        """Tick while something runs the event loop."""
        self._last = time.perf_counter()
        self._timer.start()
        run()
        self._timer.stop()
        return self

    def _tick(self) -> None:
        now = time.perf_counter()
        self.milliseconds.append((now - self._last) * 1000)
        self._last = now

    def __str__(self) -> str:
        middle, late, worst = np.percentile(self.milliseconds, (50, 99, 100))
        return f"p50 {middle:6.1f} ms   p99 {late:6.1f} ms   largest {worst:6.1f} ms   of {len(self.milliseconds)}"


def measure_stall(options: argparse.Namespace, folder: Path) -> None:
    """A propagation over each sample video, with the view taken along and without."""
    from sam_annotator.samples import make_samples

    videos = make_samples(folder / "samples", frames=options.run)
    window = make_ours(folder / "profile")
    print(f"{'window at rest':37} {Gaps().measure(lambda: _spin(2.0))}")
    for video in videos[: options.samples]:
        for following in (True, False):
            _annotate_first(window, video, folder / "samples" / "truth" / video.name)
            window.timeline.follow.setChecked(following)
            gaps = Gaps().measure(lambda: _propagate(window))
            how = "following" if following else "not following"
            print(f"{f'propagating {video.name}, {how}':37} {gaps}", flush=True)
    window.close()


def _annotate_first(window: Any, video: Path, truth: Path) -> None:
    """Open a video with the true masks of its first frame, and nothing else."""
    from PIL import Image

    from sam_annotator.core.annotation import FrameAnnotation, write_annotation
    from sam_annotator.core.masks import mask_to_shapes

    for file in video.glob("*.json"):
        file.unlink()
    labels = np.asarray(Image.open(truth / "00000.png"))
    shapes = [
        shape
        for number in np.unique(labels[labels > 0])
        for shape in mask_to_shapes(labels == number, label="thing", object_id=int(number), source="sam")
    ]
    height, width = labels.shape
    annotation = FrameAnnotation("00000.jpg", width=width, height=height, shapes=tuple(shapes))
    write_annotation(video / "00000.json", annotation)
    window.open_path(video)
    _spin_until(lambda: window.session.tracks is not None)
    settle()


def _propagate(window: Any) -> None:
    window.toggle_propagation()
    assert window.propagation.is_running, "the propagation did not begin"
    _spin_until(lambda: not window.propagation.is_running)


def _spin(seconds: float) -> None:
    """Run the event loop as the program does, asleep where nothing happens."""
    loop = QtCore.QEventLoop()
    QtCore.QTimer.singleShot(int(seconds * 1000), loop.quit)
    loop.exec_()


def _spin_until(condition: Callable[[], bool]) -> None:
    loop = QtCore.QEventLoop()
    timer = QtCore.QTimer(interval=10)
    timer.timeout.connect(lambda: loop.quit() if condition() else None)
    timer.start()
    loop.exec_()


# --- clicks ------------------------------------------------------------------------------------------------------


def measure_click(options: argparse.Namespace, folder: Path) -> None:
    """Click to painted proposals in the window, beside the segmenter asked the same with nothing around it."""
    from sam_annotator.core.images import read_image
    from sam_annotator.core.prompt import Prompt
    from sam_annotator.gui.driver import Driver

    size = Size.parse(options.size)
    [frame] = make_frames(folder / "video", 1, size)
    segmenter = _timed_segmenter()
    segmenter.set_image(read_image(frame))
    window = make_ours(folder / "profile")
    driver = Driver(window)
    driver.open(folder / "video")
    driver.click(size.width / 2, size.height / 2)
    driver.proposals()  # prepared now
    numbers = np.random.default_rng(1)
    ours, inside, alone = [], [], []
    for turn in range(6 * options.repetitions):
        x, y = (numbers.uniform(0.1, 0.9, 2) * (size.width, size.height)).round().tolist()
        for side in ("window", "alone") if turn % 2 else ("alone", "window"):
            window.sam_tool.forget()
            settle()
            if side == "window":
                ours.append(_click(window, driver, x, y))
                inside.append(segmenter.seconds[-1])
            else:
                segmenter.predict(Prompt(((x, y),), (True,)))
                alone.append(segmenter.seconds[-1])
    driver.close()
    print_ratio(f"click to proposals, {size}; peer: segmenter", ours, alone, None)
    print_ratio("  the segmenter in the window's thread for it", inside, alone, None)
    low, middle, high = quartiles((a - b) * 1000 for a, b in zip(ours, inside, strict=True))
    verdict = "ok" if middle <= CLICK_BUDGET else "OVER"
    print(f"  beyond the segmenter: {middle:.1f} ms ({low:.1f}-{high:.1f}), budget {CLICK_BUDGET} ms {verdict}")


def click_in_window(segmenter: Any, video: Path, size: Size, turns: int) -> tuple[list[float], list[float]]:
    """Seconds from clicks in the window to painted proposals, and the segmenter's own part of each."""
    from sam_annotator.engine import engines
    from sam_annotator.gui.driver import Driver

    predict, inside = segmenter.predict, list[float]()
    segmenter.predict = lambda *arguments: _timed(predict, arguments, inside)
    engines.make_segmenter = lambda *_options, **_more: segmenter
    window = make_ours(video.parent / "profile")
    driver = Driver(window)
    driver.open(video)
    driver.click(size.width / 2, size.height / 2)
    driver.proposals()  # loaded and prepared now
    inside.clear()
    places = np.random.default_rng(1).uniform(0.1, 0.9, (turns, 2)) * (size.width, size.height)
    seconds = []
    for x, y in places.round().tolist():
        window.sam_tool.forget()
        settle()
        seconds.append(_click(window, driver, x, y))
    driver.close()
    return seconds, inside


def _timed(act: Callable[..., Any], arguments: tuple[Any, ...], seconds: list[float]) -> Any:
    began = time.perf_counter()
    try:
        return act(*arguments)
    finally:
        seconds.append(time.perf_counter() - began)


def _timed_segmenter() -> Any:
    """An embedded segmenter; from now on all of them note how long each answer took, in one list `seconds`."""
    from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter

    predict = EmbeddedSegmenter.predict
    EmbeddedSegmenter.seconds = []

    def timed(self: Any, *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return predict(self, *arguments)
        finally:
            self.seconds.append(time.perf_counter() - began)

    EmbeddedSegmenter.predict = timed
    return EmbeddedSegmenter()


def _click(window: Any, driver: Any, x: float, y: float) -> float:
    began = time.perf_counter()
    driver.click(x, y)
    _wait(lambda: window.sam_tool.proposals)
    QtWidgets.QApplication.processEvents()  # paints what the answer changed
    return time.perf_counter() - began


def _wait(condition: Callable[[], object]) -> None:
    while not condition():
        QtWidgets.QApplication.processEvents(QtCore.QEventLoop.WaitForMoreEvents)
