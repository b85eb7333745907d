"""The window on a real video of DAVIS, driven over it as a person would: click, accept, propagate, all saved.

Twelve frames, to be quick; SAM_ANNOTATOR_FULL=1 takes all fifty.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PyQt5.QtCore import Qt

from sam_annotator.core.masks import iou, object_mask
from sam_annotator.gui.demo import worst_place
from sam_annotator.gui.driver import Driver
from tests.gui.steps import accept, file_of

FRAMES = 50 if os.environ.get("SAM_ANNOTATOR_FULL") else 12
MOST_CLICKS = 8
GOOD_ENOUGH = 0.93
PROPOSAL_KEYS = (Qt.Key_1, Qt.Key_2, Qt.Key_3)

Mask = NDArray[np.bool_]


@pytest.fixture
def davis(shared: Path) -> Path:
    folder = shared / "davis_dev"
    if not folder.is_dir():
        pytest.skip("no DAVIS beside this checkout")
    return folder


def read_truth(davis: Path, index: int) -> Mask:
    with Image.open(davis / "Annotations" / "blackswan" / f"{index:05d}.png") as image:
        return np.asarray(image) > 0


def segment(driver: Driver, truth: Mask) -> int:
    """Click until the mask is good, as the demonstration's person does; returns the clicks that stayed."""
    (x, y), _ = worst_place(np.zeros_like(truth), truth)
    driver.click(x, y)
    choose(driver, truth)
    clicks = 1
    while quality(driver, truth) < GOOD_ENOUGH and clicks < MOST_CLICKS:
        before = quality(driver, truth)
        (x, y), include = worst_place(driver.window.sam_tool.proposal.mask, truth)
        driver.click(x, y, include)
        choose(driver, truth)
        if quality(driver, truth) < before:
            driver.press(Qt.Key_Z)
            break
        clicks += 1
    return clicks


def choose(driver: Driver, truth: Mask) -> None:
    driver.proposals()
    ious = [iou(proposal.mask, truth) for proposal in driver.window.sam_tool.proposals]
    driver.press(PROPOSAL_KEYS[int(np.argmax(ious))])


def quality(driver: Driver, truth: Mask) -> float:
    return float(iou(driver.window.sam_tool.proposal.mask, truth))


def test_blackswan_is_annotated_by_a_few_clicks_and_one_propagation(
    make_annotation_window: Callable[..., Driver], davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "videos" / "blackswan").mkdir(parents=True)
    for index in range(FRAMES):
        shutil.copy(davis / "JPEGImages" / "blackswan" / f"{index:05d}.jpg", tmp_path / "videos" / "blackswan")
    driver = make_annotation_window(tmp_path / "videos", size=(1280, 800))
    clicks = segment(driver, read_truth(davis, 0))
    accept(driver, "swan")
    driver.press(Qt.Key_Space)
    driver.propagation()
    session = driver.window.session
    js = []
    for index in range(FRAMES):
        truth = read_truth(davis, index)
        annotation = session.store.read(session.video, index)
        js.append(iou(object_mask(annotation.shapes_of(1), *truth.shape), truth))
    with capsys.disabled():
        print(  # noqa: T201  the figure is what this test is for
            f" [blackswan, {FRAMES} frames: {clicks} clicks, accepted J {js[0]:.3f}, "
            f"propagated J {np.mean(js[1:]):.3f}, lowest {min(js[1:]):.3f}]",
            end="",
        )
    assert all(file_of(driver, index).exists() for index in range(FRAMES))
    assert np.mean(js[1:]) > 0.85
