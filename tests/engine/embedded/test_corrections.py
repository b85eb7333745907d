"""What clicks on a mask that is there change, and what they leave, on drawn pictures where the right mask is known."""

import cv2
import numpy as np
import pytest

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.embedded.masks import obeyed
from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter, Memory
from sam_annotator.engine.embedded.trust import History
from tests.engine.embedded.drawn import BALL, HEIGHT, SPOT, WIDTH, Mask, bounds, disc, iou, next_click, painted, scene


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


def _beside(truth: Mask, radius: int) -> tuple[int, int]:
    """The middle of a disc that lies in the picture as far from the object as can be."""
    inner = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rim = radius + 2
    y, x = np.unravel_index(int(inner[rim:-rim, rim:-rim].argmax()), (HEIGHT - 2 * rim, WIDTH - 2 * rim))
    return int(x) + rim, int(y) + rim


@pytest.mark.parametrize("seed", range(12))
def test_a_wrong_part_beside_the_object_goes_whole_by_a_click_in_its_middle(seed: int) -> None:
    picture, truth = scene(seed)
    x, y = _beside(truth, 14)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    saved = Proposal(truth | disc(x, y, 14), 1.0)
    refined, *_ = segmenter.predict(Prompt(((x, y),), (False,)), saved)
    assert np.array_equal(refined.mask, truth)


@pytest.mark.parametrize(("include", "beside"), [(True, 0), (False, 10)])
def test_a_part_that_was_asked_for_or_is_clicked_at_its_rim_stays(include: bool, beside: int) -> None:
    picture, truth = scene(2)
    x, y = _beside(truth, 14)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(picture)
    points, flags = ((x - 9, y), (x + beside, y)), (True, False)
    prompt = Prompt(points, flags) if include else Prompt(points[1:], flags[1:])
    refined, *_ = segmenter.predict(prompt, Proposal(truth | disc(x, y, 14), 1.0))
    assert np.count_nonzero(refined.mask & disc(x, y, 14)) > 0.6 * np.count_nonzero(disc(x, y, 14))


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
