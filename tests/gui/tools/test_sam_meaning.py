"""The whole way with a SAM that means something: from a click in the real window to the mask in the file.

The small SAM of the package's real classes (tests/small_sam) was trained to find the shapes that a picture shows. The
pictures here are larger than it ever saw, and none of those it was trained on.
"""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PyQt5 import QtWidgets

from sam_annotator.core.masks import iou, object_mask
from sam_annotator.engine.sam.encoder import FastEncoder
from sam_annotator.engine.sam.ladder import Rung
from sam_annotator.gui.driver import Driver
from tests.gui.steps import accept, shapes
from tests.small_sam.pictures import Mask, Picture, box_of, deepest
from tests.small_sam.train import WEIGHTS

Window = Callable[..., Driver]

WIDTH, HEIGHT = 480, 360
ENOUGH = 0.85


def outline(kind: str) -> Mask:
    """Where a shape of the scene is, bool (HEIGHT, WIDTH)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if kind == "disc":
        cv2.circle(mask, (110, 100), 58, 1, -1)
    elif kind == "brick":
        cv2.fillPoly(mask, [np.array([[300, 60], [420, 90], [400, 170], [280, 140]])], 1)
    elif kind == "egg":
        cv2.ellipse(mask, (120, 265), (70, 45), 20, 0, 360, 1, -1)
    else:  # the triangle touches the border
        cv2.fillPoly(mask, [np.array([[479, 200], [479, 359], [330, 340]])], 1)
    return mask.astype(bool)


COLORS = {"disc": (215, 60, 50), "brick": (60, 80, 210), "egg": (235, 215, 70), "triangle": (40, 190, 205)}


def scene() -> Picture:
    """Four shapes on a rough ground, with noise."""
    rng = np.random.default_rng(3)
    ground = cv2.resize(rng.normal(0, 9, (9, 12, 3)).astype(np.float32), (WIDTH, HEIGHT))
    ground += np.array((92, 128, 84), np.float32)
    masks = {kind: outline(kind) for kind in COLORS}
    for kind, mask in masks.items():
        ground[mask] = COLORS[kind]
    noisy = ground + rng.normal(0, 6, ground.shape)
    return Picture(np.clip(noisy, 0, 255).astype(np.uint8), tuple(masks.values()))


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two times that SAM encodes, the device has too little memory; below it is another rung."""
    attempts, forward = count(1), FastEncoder.forward

    def compute(encoder: FastEncoder, pixels: torch.Tensor) -> torch.Tensor:
        if next(attempts) <= 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(encoder, pixels)

    monkeypatch.setattr(FastEncoder, "forward", compute)
    monkeypatch.setattr(
        "sam_annotator.engine.sam.segmenter.rungs_below", lambda rung: (Rung(rung.device, torch.float32),)
    )


@pytest.fixture
def driver(make_annotation_window: Window, tmp_path: Path) -> Driver:
    """The window on a video of the scene, with the small SAM for a segmenter."""
    (tmp_path / "video").mkdir()
    pixels = np.ascontiguousarray(scene().image[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "video" / "0.png"), pixels)
    engines = {"segmenter": str(WEIGHTS), "propagator": "embedded", "device": "cpu"}
    return make_annotation_window(tmp_path / "video", engines=engines)


def look_at(driver: Driver, percent: int, mask: Mask) -> None:
    """Zoom, and scroll until the shape is in the middle as far as that can be."""
    window, canvas = driver.window, driver.window.canvas
    window.zoom_widget.setValue(percent)
    QtWidgets.QApplication.processEvents()
    area, origin = window.centralWidget(), canvas.image_origin()
    left, top, right, bottom = box_of(mask)
    middle = (left + right) / 2 * canvas.scale + origin.x(), (top + bottom) / 2 * canvas.scale + origin.y()
    area.horizontalScrollBar().setValue(int(middle[0] - area.viewport().width() / 2))
    area.verticalScrollBar().setValue(int(middle[1] - area.viewport().height() / 2))
    QtWidgets.QApplication.processEvents()


def saved(driver: Driver, label: str) -> Mask:
    """The mask of the object of that name in the file of the frame."""
    session = driver.window.session
    annotation = session.store.read(session.video, 0)
    [object_id] = {shape["group_id"] for shape in shapes(driver) if shape["label"] == label}
    return object_mask(annotation.shapes_of(object_id), HEIGHT, WIDTH)


@pytest.mark.parametrize("percent", [60, 140, 500])
def test_a_click_on_a_shape_saves_that_shape_at_every_zoom_and_scroll(driver: Driver, percent: int) -> None:
    for kind in COLORS:
        mask = outline(kind)
        look_at(driver, percent, mask)
        driver.click(*deepest(mask))
        driver.proposals()
        accept(driver, kind)
        assert iou(saved(driver, kind), mask) >= ENOUGH, kind
    assert len({shape["group_id"] for shape in shapes(driver)}) == len(COLORS)
    assert driver.window.jobs.segmenter_name.startswith("SAM of 4 blocks, cpu ")


@pytest.mark.parametrize("percent", [80, 300])
def test_a_box_around_a_shape_saves_that_shape(driver: Driver, percent: int) -> None:
    for kind in COLORS:
        mask = outline(kind)
        look_at(driver, percent, mask)
        driver.drag(*box_of(mask))
        driver.proposals()
        accept(driver, kind)
        assert iou(saved(driver, kind), mask) >= ENOUGH, kind


def test_an_exclude_click_takes_a_shape_away_that_was_taken_by_mistake(driver: Driver) -> None:
    both = outline("disc") | outline("egg")
    driver.drag(*box_of(both))
    driver.proposals()
    before = iou(driver.window.sam_tool.proposal.mask, outline("disc"))
    driver.click(*deepest(outline("egg")), include=False)
    driver.wait(lambda: len(driver.window.sam_tool.proposals) == 1, "the correction")
    after = iou(driver.window.sam_tool.proposal.mask, outline("disc"))
    assert after > before


def test_where_memory_runs_out_the_click_is_answered_and_the_status_line_says_what_happened(
    scarce: None, driver: Driver
) -> None:
    mask = outline("brick")
    driver.click(*deepest(mask))
    driver.proposals()
    assert iou(driver.window.sam_tool.proposal.mask, mask) >= ENOUGH
    said = driver.window.status.engine.text()
    assert said.startswith("SAM of 4 blocks, cpu float32")
    assert "ran out of memory)" in said
    assert not driver.dialog_text()
