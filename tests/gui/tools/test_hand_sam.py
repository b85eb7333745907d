"""An object in hand with a SAM that means something: a half mask is completed, the object found again further on."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PyQt5.QtCore import Qt

from sam_annotator.core.annotation import PROPAGATED
from sam_annotator.core.masks import Mask, iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.gui.driver import Driver
from tests.gui.steps import facts, take
from tests.gui.tools.test_sam_meaning import COLORS, ENOUGH, HEIGHT, WIDTH, outline, scene
from tests.small_sam.pictures import deepest
from tests.small_sam.train import WEIGHTS

Window = Callable[..., Driver]
SHIFT = 12  # pixels to the right, from frame to frame


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three frames of the scene, which moves to the right."""
    (tmp_path / "video").mkdir()
    pixels = np.ascontiguousarray(scene().image[:, :, ::-1])
    for index in range(3):
        cv2.imwrite(str(tmp_path / "video" / f"{index}.png"), np.roll(pixels, index * SHIFT, axis=1))
    return tmp_path / "video"


@pytest.fixture
def open_with_sam(make_annotation_window: Window, video: Path) -> Callable[[], Driver]:
    return lambda: make_annotation_window(
        video, engines={"segmenter": str(WEIGHTS), "propagator": "embedded", "device": "cpu"}
    )


def saved(driver: Driver, object_id: int, index: int) -> Mask:
    session = driver.window.session
    annotation = session.store.read(session.video, index)
    return object_mask(annotation.shapes_of(object_id), HEIGHT, WIDTH)


def test_clicks_on_what_is_missing_complete_a_mask_that_was_taken_up(
    open_with_sam: Callable[[], Driver], video: Path, tmp_path: Path
) -> None:
    whole = outline("egg")
    half = whole.copy()
    half[:, 120:] = False
    store, (target,) = AnnotationStore(tmp_path / "annotations"), find_videos(video)
    parts = mask_to_shapes(half, label="egg", object_id=7, source=PROPAGATED, score=0.6)
    store.update(target, 0, lambda annotation: annotation.with_object(7, parts), WIDTH, HEIGHT)
    driver = open_with_sam()
    take(driver, 7)
    shown, clicks = half, 0
    while iou(shown, whole) < ENOUGH:
        clicks += 1
        assert clicks <= 3
        driver.click(*deepest(whole & ~shown))
        driver.proposals()
        assert iou(driver.window.sam_tool.proposal.mask, whole) > iou(shown, whole)
        shown = driver.window.sam_tool.proposal.mask
    driver.press(Qt.Key_Return)
    assert facts(driver, 0) == {(7, "egg", "sam")}
    assert iou(saved(driver, 7, 0), whole) >= ENOUGH


def test_an_object_is_annotated_through_a_video_with_a_click_and_a_key_a_frame(
    open_with_sam: Callable[[], Driver],
) -> None:
    driver, mask = open_with_sam(), outline("disc")
    assert "disc" in COLORS
    for index in range(3):
        moved = np.roll(mask, index * SHIFT, axis=1)
        driver.click(*deepest(moved))
        driver.proposals()
        driver.press(Qt.Key_C)
        if index == 0:
            driver.name("disc")
        assert facts(driver, index) == {(1, "disc", "sam")}
        assert iou(saved(driver, 1, index), moved) >= ENOUGH
