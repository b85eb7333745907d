"""What makes a change that a click asks for worth believing."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sam_annotator.engine.embedded.regions import Regions, find_regions
from sam_annotator.engine.embedded.trust import FROM_ELSEWHERE, Change, History

Mask = NDArray[np.bool_]
HEIGHT, WIDTH = 160, 240


def box_mask(left: int, top: int, right: int, bottom: int) -> Mask:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[top:bottom, left:right] = True
    return mask


BODY, LEG, WALL = box_mask(40, 30, 140, 90), box_mask(60, 90, 80, 140), box_mask(140, 20, 240, 140)


def regions_of_a_picture() -> Regions:
    """A body and a leg of one colour, and a wall of another, on a noisy ground."""
    picture = np.full((HEIGHT, WIDTH, 3), (96, 112, 92), np.float32)
    picture[BODY | LEG], picture[WALL] = (200, 60, 40), (150, 150, 190)
    picture += np.random.default_rng(0).normal(0, 8, picture.shape)
    return find_regions(cv2.GaussianBlur(np.clip(picture, 0, 255), (0, 0), 0.8).astype(np.uint8))


REGIONS = regions_of_a_picture()


def change(before: Mask, after: Mask, x: int, y: int, *, include: bool) -> Change:
    was, now = (REGIONS.mean(mask) > 0.5 for mask in (before, after))
    return Change(REGIONS, was, now, ((x, y), include))


def test_a_leg_that_the_body_lacks_is_safer_to_add_than_a_wall_and_a_wall_to_take_away_than_half_a_body() -> None:
    leg = change(BODY, BODY | LEG, 70, 115, include=True).risk(0.8, lasts=True)
    wall = change(BODY, BODY | WALL, 190, 80, include=True).risk(0.8, lasts=True)
    assert leg < 0.5 * wall
    no_wall = change(BODY | WALL, BODY, 190, 80, include=False).risk(0.6, lasts=True)
    half = change(BODY, BODY & ~box_mask(90, 0, 240, 160), 115, 60, include=False).risk(0.6, lasts=True)
    assert no_wall < half


def test_there_is_less_to_lose_where_the_mask_before_is_poor_and_more_where_the_reach_decides_what_changes() -> None:
    wall = change(BODY, BODY | WALL, 190, 80, include=True)
    assert wall.risk(0.3, lasts=True) < 0.2 * wall.risk(0.9, lasts=True)
    assert wall.risk(0.6, lasts=True) < wall.risk(0.6, lasts=False)


def test_a_deep_click_that_asks_for_much_tells_that_the_mask_was_poor_and_so_does_what_clicks_are_owed() -> None:
    much, little = change(BODY, BODY | WALL, 190, 80, include=True), change(BODY, BODY | LEG, 70, 115, include=True)
    began = History(first=0.8)
    assert much.belief(began, contested=0.8) < little.belief(began, contested=0.05) - 0.1
    assert little.belief(History(first=0.4), 0.05) < little.belief(began, 0.05)
    assert little.belief(History(0.8, owed=0.5), 0.05) < little.belief(began, 0.05)
    assert 0.05 <= much.belief(FROM_ELSEWHERE, contested=1e9) <= 0.97


def test_what_a_click_contested_and_a_correction_left_is_owed_until_it_is_changed() -> None:
    refused = History(0.5).after(contested=0.3, changed=0.001)
    assert refused.followed == 0
    assert refused.owed == pytest.approx(0.299)
    followed = refused.after(contested=0.1, changed=0.35)
    assert followed.followed == 1
    assert followed.owed == pytest.approx(0.049)
    assert followed.after(contested=0.0, changed=2.0).owed == 0


def test_nothing_that_changes_and_an_empty_mask_are_judged_without_a_stumble() -> None:
    for before, after in ((BODY, BODY), (BODY & ~BODY, LEG), (LEG, BODY & ~BODY)):
        judged = change(before, after, 70, 115, include=True)
        assert 0 <= judged.risk(judged.belief(FROM_ELSEWHERE, 0.0), lasts=False) <= 1
