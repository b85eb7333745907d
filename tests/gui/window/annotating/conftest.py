"""Windows to annotate a frame in."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sam_annotator.gui.driver import Driver
from tests.gui.scene import DiscSegmenter
from tests.gui.steps import draw

Window = Callable[..., Driver]
Videos = Callable[..., Path]


@pytest.fixture
def driver(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter) -> Driver:
    """A window on a video without annotations; the segmenter answers with discs."""
    return make_annotation_window(make_videos(frames=4))


@pytest.fixture
def with_ball(make_annotation_window: Window, make_videos: Videos, discs: DiscSegmenter, output: Path) -> Driver:
    """A window on a video where an earlier session has drawn the ball in all frames: object 1."""
    root = make_videos(frames=4)
    draw(root, output, range(4))
    return make_annotation_window(root)
