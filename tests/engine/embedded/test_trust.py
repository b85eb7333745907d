"""What makes a change that a click asks for worth believing."""

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.regions import Regions, find_regions
from sam_annotator.engine.embedded.trust import Change

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


def change(before: Mask, after: Mask, x: int, y: int, *, include: bool, thickness: float = 1.0) -> Change:
    was, now = (REGIONS.mean(mask) > 0.5 for mask in (before, after))
    return Change(REGIONS, was, now, ((x, y), include), thickness)


def test_a_leg_that_the_body_lacks_is_believed_and_so_is_a_wall_that_is_taken_away_from_it() -> None:
    assert change(BODY, BODY | LEG, 70, 115, include=True).trust > 0.95
    assert change(BODY | WALL, BODY, 190, 80, include=False).trust > 0.9


def test_half_of_a_plain_thing_and_what_is_much_thicker_than_the_click_is_deep_are_not_believed() -> None:
    assert change(BODY, BODY & ~box_mask(90, 0, 240, 160), 115, 60, include=False).trust < 0.5
    ground = box_mask(40, 90, 140, 150)
    assert change(BODY, BODY | ground | LEG, 70, 115, include=True, thickness=3.0).trust < 0.5


def test_a_change_stands_out_if_its_outline_is_in_the_picture_or_it_needs_none() -> None:
    assert change(BODY, BODY | WALL, 190, 80, include=True).stands_out
    assert change(BODY | LEG, BODY & ~BODY, 70, 60, include=False).stands_out
    assert not change(BODY, BODY & ~box_mask(90, 0, 240, 160), 115, 60, include=False).stands_out


def test_nothing_that_changes_and_an_empty_mask_are_judged_without_a_stumble() -> None:
    for before, after in ((BODY, BODY), (BODY & ~BODY, LEG), (LEG, BODY & ~BODY)):
        assert 0 <= change(before, after, 70, 115, include=True).trust <= 1
