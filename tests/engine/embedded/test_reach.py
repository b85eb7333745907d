"""How far a click reaches into a mask that does not answer it."""

import numpy as np

from sam_annotator.engine.embedded.reach import LITTLE, SAME, Reach
from sam_annotator.engine.embedded.regions import find_regions
from sam_annotator.engine.embedded.trust import History
from tests.engine.embedded.drawn import HEIGHT, WIDTH, disc, painted


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
