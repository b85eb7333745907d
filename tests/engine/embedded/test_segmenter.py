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
from sam_annotator.engine.embedded.masks import obeyed, smoothed
from sam_annotator.engine.embedded.reach import LITTLE, SAME, Reach
from sam_annotator.engine.embedded.regions import find_regions
from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter, Memory
from sam_annotator.engine.embedded.trust import History

Mask = NDArray[np.bool_]
HEIGHT, WIDTH = 180, 240


def disc(x: int, y: int, radius: int, height: int = HEIGHT, width: int = WIDTH) -> Mask:
    return cv2.circle(np.zeros((height, width), np.uint8), (x, y), radius, 1, -1) > 0


def painted(*parts: tuple[Mask, tuple[int, int, int]], noise: int = 12, blur: float = 0.8) -> NDArray[np.uint8]:
    """A grey-green picture with coloured parts, noisy and a little out of focus, as photographs are."""
    picture = np.full((*parts[0][0].shape, 3), (96, 112, 92), np.float32)
    for mask, colour in parts:
        picture[mask] = colour
    picture += np.random.default_rng(0).normal(0, noise, picture.shape)
    return cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), blur).astype(np.uint8)


def iou(mask: Mask, truth: Mask) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def bounds(mask: Mask) -> tuple[float, float, float, float]:
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return float(x), float(y), float(x + width), float(y + height)


BALL = disc(90, 80, 40)
SPOT = disc(170, 120, 28)
PICTURE = painted((BALL, (200, 60, 40)), (SPOT, (40, 70, 190)))


@pytest.fixture(scope="module")
def segmenter() -> EmbeddedSegmenter:
    """One that has looked at PICTURE; predicting leaves no trace in it."""
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(PICTURE)
    return segmenter


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


def test_a_click_that_agrees_with_the_mask_changes_neither_it_nor_its_score(segmenter: EmbeddedSegmenter) -> None:
    first = segmenter.predict(Prompt(((90, 80),), (True,)))[0]
    row, column = (int(place.mean()) for place in np.nonzero(first.mask))
    for point, include in (((float(column), float(row)), True), ((3.0, 3.0), False)):
        assert first.mask[int(point[1]), int(point[0])] == include
        (again, *_) = segmenter.predict(Prompt(((90, 80), point), (True, include)), first)
        assert np.array_equal(again.mask, first.mask)
        assert again.score == first.score


def test_of_two_clicks_on_one_pixel_the_later_counts(segmenter: EmbeddedSegmenter) -> None:
    place = (90.0, 80.0)
    with pytest.raises(EngineError, match="click on the object"):
        segmenter.predict(Prompt((place, place), (True, False)))
    assert segmenter.predict(Prompt((place, place), (False, True)))[0].mask[80, 90]
    nothing = Proposal(np.zeros((HEIGHT, WIDTH), np.bool_), 0.5)
    assert not segmenter.predict(Prompt((place, place), (True, False)), nothing)[0].mask.any()


def test_beside_a_correction_that_leaves_a_poor_mask_others_are_offered(segmenter: EmbeddedSegmenter) -> None:
    poor = Proposal(disc(60, 45, 12), 0.2, Memory(Prompt(((60.0, 45.0),), (True,)), history=History(0.2)))
    prompt = Prompt(((60.0, 45.0), (90.0, 80.0)), (False, True))
    corrected, *others = segmenter.predict(prompt, poor)
    assert corrected.score < 0.7
    assert iou(corrected.mask, BALL) < 0.5
    assert max(iou(other.mask, BALL) for other in others) > 0.85
    assert len(others) <= 2
    assert others[0].score == max(other.score for other in others)
    for mask in (corrected.mask, *(other.mask for other in others)):
        assert mask[80, 90]
        assert not mask[45, 60]
    again, *_ = segmenter.predict(Prompt((*prompt.points, (95.0, 85.0)), (*prompt.includes, True)), others[0])
    assert iou(again.mask, others[0].mask) > 0.95
    good = segmenter.predict(Prompt(((90.0, 80.0),), (True,)))[0]
    assert len(segmenter.predict(Prompt(((90.0, 80.0), (100.0, 90.0)), (True, True)), good)) == 1


def test_an_exclude_click_takes_a_part_away_and_leaves_the_rest() -> None:
    left, right = disc(90, 80, 34), disc(150, 80, 34)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((left, (200, 60, 40)), (right & ~left, (200, 110, 50))))
    start = Proposal(left | right, 1.0)
    refined, *_ = segmenter.predict(Prompt(((80, 80), (160, 80)), (True, False)), start)
    assert iou(refined.mask, left) > 0.85


def test_a_click_on_something_thin_does_not_take_the_wall_behind_it() -> None:
    bird = disc(70, 90, 34)
    beak, wall = np.zeros((2, HEIGHT, WIDTH), np.bool_)
    wall[60:125, 104:] = True
    beak[86:94, 100:130] = True
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(
        painted((wall, (180, 178, 172)), (bird, (30, 30, 34)), (beak & ~bird, (200, 160, 130)), noise=8)
    )
    refined, *_ = segmenter.predict(Prompt(((118, 90),), (True,)), Proposal(bird, 1.0))
    assert iou(refined.mask, bird | beak) > 0.95


def test_an_include_click_adds_a_second_part_and_leaves_the_first(segmenter: EmbeddedSegmenter) -> None:
    first = segmenter.predict(Prompt(((90, 80),), (True,)))[0]
    second = segmenter.predict(Prompt(((90, 80), (170, 120)), (True, True)), first)[0]
    assert iou(second.mask, BALL | SPOT) > 0.9
    assert np.array_equal(second.mask & ~disc(170, 120, 45), first.mask & ~disc(170, 120, 45))


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


def test_a_saved_mask_is_taken_up_again_and_keeps_its_parts(segmenter: EmbeddedSegmenter) -> None:
    saved = Proposal(BALL | disc(20, 150, 10), 1.0)
    refined, *_ = segmenter.predict(Prompt(((170, 120),), (True,)), saved)
    assert iou(refined.mask, saved.mask | SPOT) > 0.9
    again, *_ = segmenter.predict(Prompt(((170, 120), (20, 150)), (True, False)), refined)
    assert not again.mask[150, 20]
    assert iou(again.mask, BALL | SPOT) > 0.85


def test_only_exclude_clicks_can_correct_a_saved_mask(segmenter: EmbeddedSegmenter) -> None:
    refined, *_ = segmenter.predict(Prompt(((170, 120),), (False,)), Proposal(BALL | SPOT, 1.0))
    assert iou(refined.mask, BALL) > 0.9


def test_a_clicked_part_leaves_parts_nobody_clicked(segmenter: EmbeddedSegmenter) -> None:
    for proposal in segmenter.predict(Prompt(((90, 80),), (True,))):
        assert cv2.connectedComponents(proposal.mask.astype(np.uint8))[0] == 2


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


def scene(seed: int) -> tuple[NDArray[np.uint8], Mask]:
    """Discs, a box and thin lines on a striped ground, and the mask of one disc and one line."""
    random = np.random.default_rng(seed)
    picture = np.full((HEIGHT, WIDTH, 3), random.integers(60, 180, 3), np.uint8)
    picture[:, :: random.integers(7, 40)] //= 2
    truth = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(6):
        colour = tuple(map(int, random.integers(0, 255, 3)))
        one, other = random.integers((0, 0), (WIDTH, HEIGHT), (2, 2)).tolist()
        for canvas, value in ((picture, colour), *([(truth, 1)] if number > 3 else [])):
            if number % 2:
                cv2.line(canvas, one, other, value, 5)
            elif number == 2:
                cv2.rectangle(canvas, one, other, value, -1)
            else:
                cv2.circle(canvas, one, 15 + 6 * number, value, -1)
    noise = random.normal(0, 6, picture.shape)
    return cv2.GaussianBlur(np.clip(picture + noise, 0, 255), (0, 0), 0.7).astype(np.uint8), truth > 0


@pytest.mark.parametrize("seed", range(8))
def test_clicks_only_add_or_take_away_what_hangs_together_with_them_and_nothing_far(seed: int) -> None:
    picture, truth = scene(seed)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    random = np.random.default_rng(seed)
    points: list[tuple[float, float]] = []
    includes: list[bool] = []
    previous = Proposal(truth, 1.0)
    for _ in range(8):
        points.append((float(random.integers(WIDTH)), float(random.integers(HEIGHT))))
        includes.append(bool(random.integers(2)))
        refined, *_ = segmenter.predict(Prompt(tuple(points), tuple(includes)), previous)
        for (x, y), include in zip(points, includes, strict=True):
            assert refined.mask[int(y), int(x)] == include
        changed = refined.mask != previous.mask
        assert (refined.mask[changed] == includes[-1]).all()
        ys, xs = np.nonzero(changed)
        assert np.hypot(xs - points[-1][0], ys - points[-1][1]).max(initial=0) < HEIGHT * 0.52
        previous = refined


def test_a_saved_mask_s_holes_are_not_filled_by_a_click_elsewhere(segmenter: EmbeddedSegmenter) -> None:
    saved = Proposal(BALL & ~disc(75, 70, 3), 1.0)
    refined, *_ = segmenter.predict(Prompt(((170, 120),), (True,)), saved)
    assert not refined.mask[70, 75]
    assert refined.mask[120, 170]


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


def test_a_click_changes_nothing_far_away() -> None:
    """Not even where everything far away has the colour that was clicked."""
    left = np.zeros((HEIGHT, 640), np.bool_)
    left[60:120, 20:80] = True
    band = np.zeros_like(left)
    band[60:120, 84:] = True
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((left | band, (200, 60, 40))))
    refined, *_ = segmenter.predict(Prompt(((50, 90), (86, 90)), (True, True)), Proposal(left, 1.0))
    assert refined.mask[90, 86]
    assert not refined.mask[:, 300:].any()


def test_a_ring_is_found_without_what_it_encloses() -> None:
    ring = disc(110, 90, 60) & ~disc(110, 90, 50)
    inside = disc(110, 90, 50)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(painted((inside, (150, 120, 60)), (ring, (200, 60, 40)), noise=6))
    proposals = segmenter.predict(Prompt(((110, 35),), (True,)))
    assert max(iou(proposal.mask, ring) for proposal in proposals) > 0.9


def test_a_click_on_a_speck_may_not_add_what_is_much_thicker_however_far_the_mask_is() -> None:
    mask, wall, speck = disc(40, 90, 25), np.zeros((HEIGHT, WIDTH), np.bool_), disc(150, 90, 7)
    wall[40:150, 165:] = True
    regions = find_regions(painted((mask, (200, 60, 40)), (wall, (190, 90, 60)), (speck, (210, 200, 60)), noise=6))
    was, walled, specked = (regions.mean(part) > 0.5 for part in (mask, mask | wall, mask | speck))
    reach = Reach(regions, was, [((150, 90), True)])
    assert reach.is_too_thick(walled)
    assert not reach.is_too_thick(specked)


def test_of_answers_to_a_click_the_first_is_taken_that_changes_little_or_is_safe() -> None:
    mask, spot = disc(90, 90, 60), disc(90, 90, 42)
    regions = find_regions(painted((mask, (200, 60, 40)), (spot, (40, 70, 190)), noise=6))
    was = regions.mean(mask) > 0.5
    area = regions.areas[was].sum()
    reach = Reach(regions, was, [((90, 90), False)])
    whole, part, speck = (was & (regions.mean(disc(90, 90, radius)) <= 0.5) for radius in (42, 24, 8))
    assert np.array_equal(reach.surest([whole, whole, part, speck]), whole)  # found from nearby, too, and stands out
    for answers in ([whole, part, speck, speck], [part, part, part]):  # comes and goes; its outline is nowhere
        little = reach.surest(answers)
        assert 0 < regions.areas[was & ~little].sum() <= LITTLE * area
        assert not little[regions.labels[90, 90]]
    assert regions.areas[was & ~part].sum() > max(LITTLE * area, SAME * regions.areas[was & ~speck].sum())


def test_an_include_click_whose_reach_decides_adds_half_a_mask_at_most_or_half_of_what_it_contests() -> None:
    mask, more = disc(70, 90, 20), disc(150, 90, 60)
    regions = find_regions(painted((mask | more, (200, 60, 40)), noise=6))
    was, now, less = (regions.mean(part) > 0.5 for part in (mask, mask | disc(130, 90, 40), mask | disc(130, 90, 20)))
    poor = History(first=0.1, owed=0.5)
    shallow, deep = (Reach(regions, was, [((x, 90), True)], poor) for x in (100, 170))
    assert shallow.contested < 1 < deep.contested
    assert not np.array_equal(shallow.surest([now, less, was]), now)
    assert np.array_equal(deep.surest([now, less, was]), now)


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


def next_click(mask: Mask, truth: Mask) -> tuple[tuple[float, float], bool]:
    """The deepest point of the largest error, as a person would click it, and whether the object is there."""
    found = []
    for error, include in ((truth & ~mask, True), (mask & ~truth, False)):
        _, labels, stats, _ = cv2.connectedComponentsWithStats(np.pad(error, 1).astype(np.uint8))
        for label in range(1, len(stats)):
            found.append((stats[label, cv2.CC_STAT_AREA], labels == label, include))
    _, region, include = max(found, key=lambda one: one[0])
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (float(x), float(y)), include


@pytest.mark.parametrize("start", ["click", "box", "saved"])
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5, 14, 64])
def test_no_click_of_a_person_who_corrects_the_largest_error_costs_more_than_3_hundredths(
    seed: int, start: str
) -> None:
    picture, truth = scene(seed)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    box = bounds(truth) if start == "box" else None
    points, includes, previous = (), (), None
    if start == "saved":
        previous = Proposal(truth ^ disc(60 + 20 * seed, 90, 16), 1.0)
    elif box is not None:
        previous = segmenter.predict(Prompt(box=box))[0]
    for _ in range(7):
        if previous is not None and iou(previous.mask, truth) > 0.97:
            break
        point, include = next_click(previous.mask if previous is not None else np.zeros_like(truth), truth)
        points, includes = (*points, point), (*includes, include)
        refined = segmenter.predict(Prompt(points, includes, box), previous)[0]
        if previous is not None:
            assert iou(refined.mask, truth) > iou(previous.mask, truth) - 0.03
            assert ((refined.mask != previous.mask) <= (refined.mask == include)).all()
        if box is not None:
            left, top, right, bottom = bounds(refined.mask)
            assert left >= box[0] - 8
            assert top >= box[1] - 8
            assert right <= box[2] + 8
            assert bottom <= box[3] + 8
        previous = refined


def test_clicks_deep_in_what_a_wrong_mask_lacks_are_followed_however_good_it_was_said_to_be() -> None:
    truth = disc(120, 90, 70)
    halves = painted((truth, (200, 60, 40)), (truth & (np.arange(WIDTH) < 120), (180, 90, 60)), noise=25)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(halves)
    prompt = Prompt(((70, 90),), (True,))
    first = segmenter.predict(prompt)[0]
    wrong = Proposal(disc(70, 90, 20), 0.9, Memory(prompt, None, History(0.9)))
    start, refined = iou(wrong.mask, truth), wrong
    for _ in range(5):
        point, include = next_click(refined.mask, truth)
        prompt = Prompt((*prompt.points, point), (*prompt.includes, include))
        refined = segmenter.predict(prompt, refined)[0]
    assert iou(refined.mask, truth) > max(start + 0.4, 0.7)
    assert first.mask.any()


def test_the_same_point_clicked_with_the_other_button_is_a_new_click(segmenter: EmbeddedSegmenter) -> None:
    point = (90.0, 80.0)
    found = segmenter.predict(Prompt((point,), (True,)))[0]
    taken = segmenter.predict(Prompt((point, point), (True, False)), found)[0]
    assert not taken.mask[80, 90]
    assert isinstance(found.state, Memory)
    assert isinstance(taken.state, Memory)
    assert taken.state.history.contested > found.state.history.contested


def test_an_include_click_after_the_mask_became_empty_searches_anew(segmenter: EmbeddedSegmenter) -> None:
    nothing = Proposal(np.zeros((HEIGHT, WIDTH), np.bool_), 0.2, Memory(Prompt(((20.0, 20.0),), (False,))))
    prompt = Prompt(((20.0, 20.0), (90.0, 80.0)), (False, True))
    found, *_ = segmenter.predict(prompt, nothing)
    assert iou(found.mask, BALL) > 0.85


def test_the_dot_of_a_click_on_a_tiny_mask_is_one_pixel() -> None:
    mask = disc(50, 50, 4)
    before = mask.copy()
    obeyed(mask, {(80, 80): True, (52, 50): False}, (480, 854))
    assert np.count_nonzero(mask != before) == 2
    assert mask[80, 80]
    assert not mask[50, 52]
