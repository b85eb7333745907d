"""The outline of the key frame, which the weight-free propagator carries along with the body."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sam_annotator.engine.embedded import shape as shapes
from sam_annotator.engine.embedded.flow import Floats, Flow, pixel_grid, signed_distance
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.embedded.shape import CEILING, LEAST_OUTSIDE, MOVED_ALONG, Shape, body_flow
from sam_annotator.engine.propagator import KeyFrame
from tests.engine.embedded.painted import GROUND, HEIGHT, WIDTH, Mask, ellipse, iou, moved, texture

BODY = ellipse(90, 80, 34, 24)
LAB = np.random.default_rng(1).uniform(0, 60, (HEIGHT, WIDTH, 3)).astype(np.float32)
AT_REST = np.zeros((HEIGHT, WIDTH), np.float32)


def flow_of(moving: Mask, shift: tuple[float, float], wobble: float = 0.0) -> Flow:
    """All rests but what moves; with a wobble, each part of it in a way of its own besides."""
    here = pixel_grid((HEIGHT, WIDTH))
    ways = np.random.default_rng(2).standard_normal((HEIGHT // 8, WIDTH // 8, 2)).astype(np.float32)
    own = np.float32(shift) + wobble * cv2.resize(ways, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    source = here - np.where(moving[..., None], own, np.float32(0))
    return Flow(source.astype(np.float32), here, np.ones((HEIGHT, WIDTH), np.float32))


def carried(frames: int, *, wobble: float = 0.0) -> Shape:
    """The body's outline after so many frames in which it moves by 2 pixels to the right."""
    outline, place = Shape.of(LAB, signed_distance(BODY)), BODY
    for _ in range(frames):
        place = shifted(place, 2)
        there = outline.carried(flow_of(place, (2, 0), wobble), signed_distance(place))
        assert there is not None
        outline = there
    return outline


def shifted(plane: NDArray[np.generic], x: int) -> NDArray[np.generic]:
    return np.roll(plane, x, axis=1)


def strength(outline: Shape, lab: Floats = LAB) -> float:
    """The mean size of what it says near it."""
    odds = outline.log_odds(lab, AT_REST)
    near = cv2.dilate((odds > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return float(np.abs(odds[near]).mean())


def test_just_outside_its_outline_a_body_s_motion_is_known_though_the_ground_there_rests() -> None:
    source = body_flow(flow_of(BODY, (4, -3)), signed_distance(BODY))
    assert source is not None
    around = ~BODY & (signed_distance(BODY) > -6)
    assert np.abs(source - pixel_grid((HEIGHT, WIDTH)) - [-4, 3])[around].max() < 0.3


def test_where_a_part_moves_by_itself_the_outline_there_goes_with_it() -> None:
    """The right half of the body is bent down."""
    flow = flow_of(BODY, (0, 0))
    flow.source[:, 90:, 1] -= 3 * BODY[:, 90:]
    source = body_flow(flow, signed_distance(BODY))
    assert source is not None
    down = (pixel_grid((HEIGHT, WIDTH)) - source)[..., 1]
    assert down[80, 118] > 2.4
    assert abs(down[80, 62]) < 0.6


def test_a_body_too_small_to_know_how_it_moves_has_no_outline_to_carry() -> None:
    dot = ellipse(90, 80, 3, 3)
    assert Shape.of(LAB, signed_distance(dot)).carried(flow_of(dot, (1, 0)), signed_distance(dot)) is None


def test_the_outline_of_a_rigid_body_is_where_the_body_is_many_frames_on() -> None:
    odds = carried(20).log_odds(shifted(LAB, 40), AT_REST)
    assert iou(odds > 0, shifted(BODY, 40)) > 0.95
    assert odds.max() > 0.8 * CEILING


def test_the_outline_of_what_changes_its_form_soon_says_little() -> None:
    later = shifted(LAB, 8)
    assert strength(carried(4, wobble=2.0), later) < 0.5 * strength(carried(4), later)


def test_an_outline_that_the_other_voices_do_not_share_says_little() -> None:
    outline = carried(2)
    same, other = (outline.compared(shifted(BODY, x)) for x in (4, 14))
    assert strength(other) < 0.5 * strength(same)


def test_specks_and_what_crept_into_a_mask_do_not_speak_against_the_outline() -> None:
    crept = BODY | ellipse(90, 105, 20, 6)
    crept[5:150:9, 5:230:9] = True
    outline = Shape.of(LAB, signed_distance(BODY))
    assert strength(outline.compared(crept)) > 0.95 * strength(outline.compared(BODY))


def test_where_the_key_frame_did_not_look_or_saw_another_object_the_outline_says_nothing() -> None:
    """The camera has turned: what it sees on the left by now was out of sight."""
    odds = carried(20).log_odds(shifted(LAB, 40), AT_REST)
    assert not odds[:, :30].any()
    assert (odds[:, 60:] != 0).all()
    other = ellipse(125, 80, 10, 10)
    odds = Shape.of(LAB, signed_distance(BODY & ~other), other).log_odds(LAB, AT_REST)
    assert np.array_equal(odds == 0, other)


def test_what_is_before_the_body_is_not_taken_for_it() -> None:
    pole = LAB.copy()
    pole[:, 85:95] += 60
    odds = Shape.of(LAB, signed_distance(BODY)).log_odds(pole, AT_REST)
    assert odds[80, 90] < 0.3
    assert odds[80, 70] > 0.8 * CEILING


def test_what_moves_with_the_body_in_its_outline_is_body_in_whatever_light() -> None:
    lit = LAB.copy()
    lit[:, 85:] += 60
    along = (np.arange(WIDTH) >= 85) * np.ones((HEIGHT, 1), np.float32)
    outline = Shape.of(LAB, signed_distance(BODY))
    odds = outline.log_odds(lit, along)
    assert odds[80, 95] > 0.8 * MOVED_ALONG
    assert not (odds[~BODY] > 0).any(), "what moves with it outside may be its shadow"
    unsure = replace(outline, measured=50.0).log_odds(lit, along)
    assert unsure[80, 95] > 0.8 * MOVED_ALONG
    assert unsure[80, 121] < 0.3 * MOVED_ALONG, "too near the outline for its error"


def test_outside_the_outline_its_word_counts_less_where_something_else_has_come() -> None:
    changed = LAB.copy()
    changed[:, 140:] += 60
    odds = Shape.of(LAB, signed_distance(BODY)).log_odds(changed, AT_REST)
    assert odds[80, 200] == pytest.approx(LEAST_OUTSIDE * odds[80, 10], rel=0.05)


def test_a_body_does_not_take_its_shadow_in_which_is_as_dark_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half dark body: its shadow goes with it, in the dark half's colour."""
    body, shadow = ellipse(60, 70, 30, 22), ellipse(60, 84, 28, 16) & ~ellipse(60, 70, 30, 22)
    rows = np.mgrid[:HEIGHT, :WIDTH][0]
    face = np.where(rows[..., None] > 70, np.float32([45, 45, 52]), np.float32([200, 80, 60]))
    frames, truth = [], []
    for index in range(16):
        here = shifted(body, 4 * index)
        picture = np.where(shifted(shadow, 4 * index)[..., None], np.float32([45, 45, 52]), moved(GROUND, index, 0))
        picture = np.where(here[..., None], face + moved(GROUND - 110, 4 * index, 0) / 9, picture)
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        truth.append(here)

    def overlap_at_last() -> float:
        propagator = EmbeddedPropagator()
        propagator.begin([KeyFrame(0, frames[0], {1: truth[0]})])
        for index in range(1, 16):
            answer = propagator.step(index, frames[index], {}, frozenset({1}))
        return iou(answer[1].mask, truth[-1])

    assert overlap_at_last() > 0.93
    monkeypatch.setattr(shapes, "CEILING", 0.0)
    assert overlap_at_last() < 0.9


def test_a_body_that_comes_into_the_light_keeps_more_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a line it shines in the colours of the ground there."""
    body, shine = ellipse(60, 80, 34, 22), np.clip(np.mgrid[:HEIGHT, :WIDTH][1][..., None] / 40 - 2.5, 0, 1)
    skin, sunny = texture(1, (80, 78, 84), 8), texture(5, (195, 195, 200), 8)
    frames, truth = [], []
    for index in range(24):
        here = shifted(body, 4 * index)
        face = moved(skin, 4 * index, 0) * (0.9 + 1.4 * shine)
        picture = np.where(here[..., None], face, 0.6 * GROUND * (1 - shine) + shine * sunny)
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        truth.append(here)

    def overlap_at_last() -> float:
        propagator = EmbeddedPropagator()
        propagator.begin([KeyFrame(0, frames[0], {1: truth[0]})])
        for index in range(1, 24):
            answer = propagator.step(index, frames[index], {}, frozenset({1}))
        return iou(answer[1].mask, truth[-1])

    as_it_is = overlap_at_last()
    monkeypatch.setattr(shapes, "MOVED_ALONG", 0.0)
    assert as_it_is > overlap_at_last() + 0.05
