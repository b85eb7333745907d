"""What tells a good mask from others, and the masks' small tools."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.cut import RegionGraph
from sam_annotator.engine.embedded.masks import bounds, filled
from sam_annotator.engine.embedded.regions import find_regions
from sam_annotator.engine.embedded.scores import clicked_deep, fit, in_order, score_in_box, score_of_refined, wholeness
from sam_annotator.engine.embedded.trust import History

Mask = NDArray[np.bool_]


def box_mask(left: int, top: int, right: int, bottom: int) -> Mask:
    mask = np.zeros((120, 160), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


def test_of_masks_for_a_box_the_whole_thing_is_better_than_its_pieces_and_than_all_of_the_box() -> None:
    car = box_mask(40, 50, 120, 70) | box_mask(60, 30, 100, 50)
    picture = np.full((120, 160, 3), (96, 112, 92), np.uint8)
    picture[car] = (200, 60, 40)
    picture[box_mask(40, 60, 52, 70) | box_mask(108, 60, 120, 70) | box_mask(70, 30, 90, 45)] = (30, 30, 30)
    graph = RegionGraph(find_regions(cv2.GaussianBlur(picture, (0, 0), 0.8)))
    pieces = box_mask(40, 60, 52, 70) | box_mask(108, 60, 120, 70) | box_mask(70, 30, 90, 45)
    scores = [
        score_in_box(
            graph, mask, graph.regions.mean(mask) > 0.5, (40, 30, 120, 70), np.ones(len(graph.regions), np.float32), 0.5
        )
        for mask in (car, pieces, box_mask(40, 30, 120, 70), car & ~box_mask(0, 0, 160, 50))
    ]
    assert np.argmax(scores) == 0


def test_an_empty_mask_is_not_whole_and_fits_nothing() -> None:
    nothing = np.zeros((120, 160), np.bool_)
    assert wholeness(nothing) == 0
    assert fit(nothing, (10, 10, 20, 20)) == 0
    assert not filled(nothing, 0.5, keep_out=[]).any()
    assert bounds(nothing)[0].stop == 0


def test_holes_are_filled_but_not_what_a_mask_across_the_image_leaves_on_either_side() -> None:
    band = box_mask(0, 2, 160, 100)
    holed = band & ~box_mask(50, 50, 54, 54)
    assert np.array_equal(filled(holed, 0.05, keep_out=[]), band)
    assert np.array_equal(filled(holed, 0.05, keep_out=[(51, 51)]), holed)
    tilted = np.fliplr(np.tri(120, 160, 20, dtype=np.bool_))
    assert np.array_equal(filled(tilted, 0.1, keep_out=[]), tilted)


def test_a_mask_that_is_thickest_at_the_click_is_clicked_deep_and_one_that_bulges_elsewhere_is_not() -> None:
    neck, body = box_mask(20, 10, 30, 70), box_mask(20, 60, 100, 110)
    assert clicked_deep(neck, [(25, 40)]) > 0.9
    assert clicked_deep(neck | body, [(25, 40)]) < 0.3
    assert clicked_deep(neck | body, [(25, 40), (60, 85)]) > 0.9
    assert clicked_deep(neck, []) == clicked_deep(neck, [(90, 90)]) == clicked_deep(neck & body, [(25, 64)]) - 1 == 0


def test_the_score_of_a_corrected_mask_falls_with_what_its_clicks_contest_and_are_owed() -> None:
    ball = box_mask(40, 30, 120, 90)
    picture = np.full((120, 160, 3), (96, 112, 92), np.uint8)
    picture[ball] = (200, 60, 40)
    graph = RegionGraph(find_regions(cv2.GaussianBlur(picture, (0, 0), 0.8)))
    own = graph.regions.mean(ball) > 0.5
    fine, contested, owed, poor = (
        score_of_refined(graph, ball, own, history)
        for history in (
            History(0.8, followed=1),
            History(0.8, followed=1, contested=0.5),
            History(0.8, followed=1, contested=0.5, owed=0.5),
            History(0.2, followed=1, contested=0.5, owed=0.5),
        )
    )
    assert fine > contested > owed > poor
    assert fine > poor + 0.4


def test_proposals_begin_with_the_best_and_offer_what_is_different() -> None:
    alike = np.array([[1, 0.99, 0.4], [0.99, 1, 0.4], [0.4, 0.4, 1]])
    assert in_order([0.8, 0.81, 0.7], alike, 3) == [1, 2, 0]
    assert in_order([0.8], alike[:1, :1], 3) == [0]
