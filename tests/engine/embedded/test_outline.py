"""The outline of the embedded propagator's answers, drawn at twice the working size."""

import numpy as np
import pytest

from sam_annotator.engine.embedded.appearance import to_lab
from sam_annotator.engine.embedded.flow import (
    WORK_AREA,
    Floats,
    Mask,
    bounded_size,
    enlarge_mask,
    resize,
    shrink_mask,
    signed_distance,
)
from sam_annotator.engine.embedded.memory import Image
from sam_annotator.engine.embedded.outline import redraw
from tests.engine.embedded.painted import iou


def ellipse(size: tuple[int, int], x: float, y: float, wide: float, high: float) -> Mask:
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.asarray(((columns - x) / wide) ** 2 + ((rows - y) / high) ** 2 < 1)


def paint(size: tuple[int, int], masks: dict[int, Mask]) -> Image:
    """A noisy greenish frame, each object of its own colour."""
    random = np.random.default_rng(0)
    colours = {1: (170, 90, 80), 2: (80, 90, 180)}
    image = np.full((*size, 3), (90, 120, 80), float)
    for key, mask in masks.items():
        image[mask] = colours[key]
    return np.clip(image + random.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def redrawn(image: Image, rough: dict[int, Mask]) -> dict[int, Mask]:
    """From masks at working size, which all the models are a little sure of."""
    size = bounded_size(*image.shape[:2], WORK_AREA)
    small = np.asarray(resize(image, size), np.uint8)
    odds: dict[int, Floats] = {key: np.clip(signed_distance(mask) / 2, -2, 2) for key, mask in rough.items()}
    return redraw(image, to_lab(small), rough, odds)


def small_shifted(mask: Mask, by: int) -> Mask:
    """At working size, some pixels too far to the right."""
    return np.roll(shrink_mask(mask, bounded_size(*mask.shape, WORK_AREA)), by, axis=1)


@pytest.mark.parametrize("size", [(480, 854), (240, 426), (1080, 1920)])
def test_an_outline_that_is_a_little_off_moves_to_where_the_colours_change(size: tuple[int, int]) -> None:
    truth = ellipse(size, 0.5 * size[1], 0.5 * size[0], 0.1 * size[1], 0.25 * size[0])
    rough = small_shifted(truth, 2)
    answer = redrawn(paint(size, {1: truth}), {1: rough})[1]
    before, after = (iou(mask, truth) for mask in (enlarge_mask(rough, size), answer))
    assert answer.shape == size
    assert before < 0.95
    assert after > 0.975


def test_the_mask_that_is_followed_stays_as_it_was() -> None:
    size = (240, 426)
    rough = small_shifted(ellipse(size, 213, 120, 40, 60), 2)
    before = rough.copy()
    redrawn(paint(size, {1: ellipse(size, 213, 120, 40, 60)}), {1: rough})
    assert np.array_equal(rough, before)


def test_it_moves_no_farther_than_its_band() -> None:
    size = (480, 854)
    truth = ellipse(size, 427, 240, 80, 100)
    rough = small_shifted(truth, 20)
    answer = redrawn(paint(size, {1: truth}), {1: rough})[1]
    moved = answer ^ enlarge_mask(rough, size)
    assert moved.any()
    assert np.abs(signed_distance(enlarge_mask(rough, size)))[moved].max() < 8


def test_answers_of_neighbours_do_not_overlap() -> None:
    size = (480, 854)
    truth = {1: ellipse(size, 370, 240, 60, 90), 2: ellipse(size, 480, 240, 60, 90)}
    truth[2] &= ~truth[1]
    rough = {1: small_shifted(truth[1], 2), 2: small_shifted(truth[2], -2)}
    answers = redrawn(paint(size, truth), rough)
    assert not (answers[1] & answers[2]).any()
    assert all(iou(answers[key], truth[key]) > 0.97 for key in truth)


def test_nothing_stays_nothing_and_a_speck_is_not_lost() -> None:
    nothing = np.zeros((240, 427), bool)
    speck = nothing.copy()
    speck[100:102, 200:202] = True
    image = paint((480, 854), {})
    assert not redrawn(image, {1: nothing})[1].any()
    answer = redrawn(image, {1: speck})[1]
    assert answer[200:204, 400:404].any()


def test_an_object_at_the_frame_s_edge_is_drawn_to_the_edge() -> None:
    size = (480, 854)
    truth = ellipse(size, 0, 479, 150, 120)
    answer = redrawn(paint(size, {1: truth}), {1: shrink_mask(truth, (240, 427))})[1]
    assert iou(answer, truth) > 0.98
