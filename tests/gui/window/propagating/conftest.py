"""A window in which a propagation goes on only when it is let."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sam_annotator.gui.driver import Driver
from tests.gui.scene import DiscSegmenter
from tests.gui.steps import draw
from tests.gui.window.propagating.held import FRAMES, HeldPropagator

Window = Callable[..., Driver]
Videos = Callable[..., Path]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldPropagator]:
    propagator = HeldPropagator()
    monkeypatch.setattr("sam_annotator.engine.engines.make_propagator", lambda *_options: propagator)
    yield propagator
    propagator.let_all()  # a test that failed leaves nothing that waits


@pytest.fixture
def driver(
    make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, held: HeldPropagator, output: Path
) -> Driver:
    """A window on a video whose first frame has the ball; segmenter and propagator are fakes."""
    root = make_videos("a", "b", frames=FRAMES)
    draw(root, output)
    return make_annotation_window(root)
