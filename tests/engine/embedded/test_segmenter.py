"""The segmenter without weights, on drawn pictures where the right mask is known, and on a few real ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.embedded.masks import smoothed
from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter
from tests.engine.embedded.drawn import (
    BALL,
    HEIGHT,
    PICTURE,
    SPOT,
    WIDTH,
    Mask,
    bounds,
    disc,
    iou,
    next_click,
    painted,
    scene,
)


@pytest.mark.parametrize(("point", "truth"), [((90, 80), BALL), ((66, 70), BALL), ((170, 120), SPOT)])
def test_one_click_finds_an_object_that_stands_out(
    segmenter: EmbeddedSegmenter, point: tuple[int, int], truth: Mask
) -> None:
    proposals = segmenter.predict(Prompt((point,), (True,)))
    assert len(proposals) == 3
    assert iou(proposals[0].mask, truth) > 0.9


def test_texture_alone_tells_an_object_from_its_surroundings() -> None:
    picture = painted((BALL, (96, 112, 92)), noise=4)
    stripes = ((np.arange(WIDTH) // 3) % 2 * 60).astype(np.uint8)
    picture[BALL] = np.clip(picture[BALL].astype(int) + np.broadcast_to(stripes, BALL.shape)[BALL][:, None], 0, 255)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    proposals = segmenter.predict(Prompt(box=bounds(BALL)))
    assert iou(proposals[0].mask, BALL) > 0.65


def test_proposals_have_the_image_s_size_and_a_score_between_0_and_1(segmenter: EmbeddedSegmenter) -> None:
    for proposal in segmenter.predict(Prompt(((90, 80),), (True,))):
        assert proposal.mask.shape == (HEIGHT, WIDTH)
        assert proposal.mask.dtype == np.bool_
        assert 0 <= proposal.score <= 1


@pytest.mark.parametrize("seed", range(6))
def test_what_is_shown_first_has_the_highest_score(seed: int) -> None:
    picture, truth = scene(seed)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    rows, columns = np.nonzero(truth)
    place = (float(columns[len(columns) // 3]), float(rows[len(rows) // 3]))
    for prompt in (Prompt((place,), (True,)), Prompt(box=bounds(truth))):
        scores = [proposal.score for proposal in segmenter.predict(prompt)]
        assert scores[0] == max(scores)


def test_a_box_drawn_after_another_or_after_clicks_is_answered_anew(segmenter: EmbeddedSegmenter) -> None:
    left, _, right, bottom = whole = bounds(BALL)
    proposals = segmenter.predict(Prompt(box=(left, whole[1], (left + right) / 2, bottom)))
    clicked = segmenter.predict(Prompt(((20, 20),), (True,)))
    for before, clicks in ((proposals[0], ()), (clicked[0], ())):
        again = segmenter.predict(Prompt(clicks, (True,) * len(clicks), whole), before)
        assert len(again) == 3
        assert iou(again[0].mask, BALL) > 0.85
    refined = segmenter.predict(Prompt(((92, 80),), (True,), whole), again[0])
    assert iou(refined[0].mask, BALL) > 0.85


def test_a_box_finds_what_is_in_it_and_stays_in_it(segmenter: EmbeddedSegmenter) -> None:
    left, top, right, bottom = bounds(SPOT)
    for box in ((left, top, right, bottom), (right, bottom, left, top)):
        proposals = segmenter.predict(Prompt(box=box))
        assert iou(proposals[0].mask, SPOT) > 0.9
        for proposal in proposals:
            found = bounds(proposal.mask)
            assert found[0] >= left - 6
            assert found[1] >= top - 6
            assert found[2] <= right + 6
            assert found[3] <= bottom + 6


clicks = st.lists(
    st.tuples(st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda click: click[:2],
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(clicks=clicks)
def test_every_click_is_obeyed_at_once_and_one_after_the_other(
    segmenter: EmbeddedSegmenter, clicks: list[tuple[int, int, bool]]
) -> None:
    clicks = [(*clicks[0][:2], True), *clicks[1:]]
    previous = None
    for count in range(1, len(clicks) + 1):
        prompt = Prompt(tuple((x, y) for x, y, _ in clicks[:count]), tuple(flag for _, _, flag in clicks[:count]))
        for proposal in (*segmenter.predict(prompt), *segmenter.predict(prompt, previous)):
            assert [bool(proposal.mask[y, x]) for x, y, _ in clicks[:count]] == list(prompt.includes)
        previous = segmenter.predict(prompt, previous)[0]


def test_the_same_prompt_gives_the_same_masks() -> None:
    answers = []
    for _ in range(2):
        segmenter = EmbeddedSegmenter()
        segmenter.set_image(PICTURE)
        answers.append(segmenter.predict(Prompt(((90, 80), (10, 10)), (True, False))))
    for one, other in zip(*answers, strict=True):
        assert np.array_equal(one.mask, other.mask)
        assert one.score == other.score


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (20, 30), (5, 300), (400, 8)])
@pytest.mark.parametrize("plain", [True, False])
def test_tiny_and_plain_images_are_segmented_somehow(size: tuple[int, int], plain: bool) -> None:
    height, width = size
    random = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(np.full((height, width, 3), 128, np.uint8) if plain else random)
    prompts = [
        Prompt(((0, 0),), (True,)),
        Prompt(((width + 50, -7.5),), (True,)),
        Prompt(((width - 1, height - 1),), (True,), (0, 0, width, height)),
        Prompt(box=(width / 2, height / 2, width / 2 + 1, height / 2 + 1)),
        Prompt(box=(width + 10, height + 10, width + 20, height + 20)),
        Prompt(box=(-20, -20, width + 20, height + 20)),
    ]
    for prompt in prompts:
        for proposal in segmenter.predict(prompt):
            assert proposal.mask.shape == size
            assert proposal.mask.any()
            refined = segmenter.predict(prompt, proposal)
            assert refined[0].mask.shape == size


def test_a_large_image_is_answered_at_its_own_size() -> None:
    ball = disc(900, 700, 400, 1500, 2200)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((ball, (200, 60, 40)), blur=2.0))
    proposal = segmenter.predict(Prompt(((900, 700),), (True,)))[0]
    assert proposal.mask.shape == (1500, 2200)
    assert iou(proposal.mask, ball) > 0.97


def test_a_4k_image_is_refined_at_its_own_size() -> None:
    ball, spot = disc(1500, 1100, 600, 2160, 3840), disc(2900, 900, 300, 2160, 3840)
    segmenter = EmbeddedSegmenter()
    picture = np.full((2160, 3840, 3), (96, 112, 92), np.uint8)
    picture[ball], picture[spot] = (200, 60, 40), (40, 70, 190)
    segmenter.set_image(picture)
    first = segmenter.predict(Prompt(((1500, 1100),), (True,)))[0]
    second, *_ = segmenter.predict(Prompt(((1500, 1100), (2900, 900)), (True, True)), first)
    assert second.mask.shape == (2160, 3840)
    assert iou(second.mask, ball | spot) > 0.97
    assert segmenter.predict(Prompt(box=bounds(spot)))[0].mask.shape == (2160, 3840)


def test_misuse_is_answered_with_a_sentence(segmenter: EmbeddedSegmenter) -> None:
    with pytest.raises(EngineError, match="open a frame first"):
        EmbeddedSegmenter().predict(Prompt(((1, 1),), (True,)))
    with pytest.raises(EngineError, match="click on the object"):
        segmenter.predict(Prompt(((1, 1),), (False,)))
    with pytest.raises(EngineError, match="10 x 20 pixels"):
        segmenter.predict(Prompt(((1, 1),), (True,)), Proposal(np.ones((20, 10), np.bool_), 1.0))
    with pytest.raises(EngineError, match="must be an array uint8"):
        EmbeddedSegmenter().set_image(np.zeros((20, 30), np.uint8))


@pytest.mark.parametrize(("video", "bar"), [("blackswan", 0.8), ("dog", 0.7)])
def test_a_click_on_a_photograph_gives_a_mask_worth_correcting(shared: Path, video: str, bar: float) -> None:
    folder = shared / "davis_dev"
    image = cv2.imread(str(folder / "JPEGImages" / video / "00010.jpg"))
    truth = cv2.imread(str(folder / "Annotations" / video / "00010.png"), cv2.IMREAD_GRAYSCALE) > 0
    depth = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    assert max(iou(one.mask, truth) for one in segmenter.predict(Prompt(((x, y),), (True,)))) > bar
    assert iou(segmenter.predict(Prompt(box=bounds(truth)))[0].mask, truth) > bar


def test_a_ring_is_found_without_what_it_encloses() -> None:
    ring = disc(110, 90, 60) & ~disc(110, 90, 50)
    inside = disc(110, 90, 50)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((inside, (150, 120, 60)), (ring, (200, 60, 40)), noise=6))
    proposals = segmenter.predict(Prompt(((110, 35),), (True,)))
    assert max(iou(proposal.mask, ring) for proposal in proposals) > 0.9


THIN = {
    "antenna": [
        ((120, 10), (120, 170), 6),
        ((70, 30), (170, 30), 4),
        ((80, 60), (160, 60), 4),
        ((85, 90), (155, 90), 4),
    ],
    "ladder": [
        ((90, 8), (80, 172), 6),
        ((140, 8), (150, 172), 6),
        *(((84, y), (146, y), 4) for y in range(30, 170, 30)),
    ],
    "kite": [((170, 30), (190, 60), 24), ((178, 66), (30, 165), 4)],
    "beast": [((70, 70), (160, 70), 34), *(((x, 80), (x - 6, 160), 6) for x in (68, 84, 146, 162))],
}


def drawing(name: str) -> tuple[NDArray[np.uint8], Mask]:
    """Something thin before a ground of two colours, and its mask."""
    canvas = np.zeros((HEIGHT, WIDTH), np.uint8)
    for one, other, width in THIN[name]:
        cv2.line(canvas, one, other, 1, width)
    ground = disc(170, 200, 110)
    return painted((ground, (150, 160, 190)), (canvas > 0, (190, 70, 40)), noise=8), canvas > 0


@pytest.mark.parametrize("name", THIN)
def test_thin_things_are_found_by_a_box_and_by_one_click(name: str) -> None:
    picture, truth = drawing(name)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    assert iou(segmenter.predict(Prompt(box=bounds(truth)))[0].mask, truth) > 0.8
    (x, y), _ = next_click(np.zeros_like(truth), truth)
    assert max(iou(proposal.mask, truth) for proposal in segmenter.predict(Prompt(((x, y),), (True,)))) > 0.8


def test_a_wheel_in_a_box_is_found_without_the_things_between_its_spokes() -> None:
    wheel = disc(120, 90, 70) & ~disc(120, 90, 60)
    spokes = np.zeros((HEIGHT, WIDTH), np.uint8)
    for angle in np.arange(0, np.pi, np.pi / 5):
        along = 65 * np.array((np.cos(angle), np.sin(angle)))
        cv2.line(spokes, *(tuple(map(int, (120, 90) + way * along)) for way in (-1, 1)), 1, 5)
    wheel |= spokes > 0
    things = [disc(100, 60, 22), disc(150, 110, 26), disc(90, 118, 18)]
    colours = [(60, 90, 200), (220, 200, 90), (40, 140, 70)]
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted(*zip(things, colours, strict=True), (wheel, (190, 60, 50)), noise=8))
    assert iou(segmenter.predict(Prompt(box=bounds(wheel)))[0].mask, wheel) > 0.85


def test_where_little_is_around_a_box_no_colour_is_said_to_stand_out_and_one_of_the_proposals_is_the_object() -> None:
    ball = disc(120, 90, 25)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((ball, (200, 60, 40)), noise=8))
    for margin in (0, 12):
        proposals = segmenter.predict(Prompt(box=(margin, margin, WIDTH - margin, HEIGHT - margin)))
        assert len(proposals) == 3
        assert max(iou(one.mask, ball) for one in proposals) > 0.9


def test_outlines_have_no_corners_where_the_picture_has_no_edge_and_keep_to_edges_elsewhere() -> None:
    corner = np.zeros((120, 160), np.bool_)
    corner[30:80, 40:100] = True
    corner[20:30, 60:65] = True  # such teeth come from the regions' own shapes
    plain, crisp = np.zeros((120, 160), np.uint8), np.full((120, 160), 255, np.uint8)
    rounded = smoothed(corner, plain) > 0.5
    assert not rounded[:26].any()
    assert not rounded[30, 40]
    assert rounded[33:77, 45:95].all()
    assert (smoothed(corner, crisp) > 0.5)[21:, 41:].sum() > corner[21:, 41:].sum() - 12
    assert not smoothed(corner & ~corner, plain).any()
