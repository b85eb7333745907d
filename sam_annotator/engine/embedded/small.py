"""Objects that fall between the samples of the models' grids: around them both models are asked about every pixel.

The few pixels inside would be outvoted by the many outside, so both sides weigh the same. Lengths are working pixels.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import CEILING, Appearance, density_ratio, placed
from sam_annotator.engine.embedded.flow import Floats, Flow, pixel_grid

SMALL_AREA: Final = 64
"""An object of fewer pixels than this has but four of the global model's samples, and may have none."""

CLOSE: Final = 16.0
"""How far around a small object it is looked at closely."""

MARGIN: Final = 4.0
"""How much farther around it the frame before is remembered."""

MOST_CLOSE: Final = 3000
"""Pixels that are looked at closely, at most; those around a dot are 1,400."""

SEARCHED: Final = 40.0
MOST_SEARCHED: Final = 7000
"""How far around the place where a small object was lost it is looked for, and the most pixels that this may be."""


def places_near(distance: Floats, reach: float = CLOSE, most: int = MOST_CLOSE) -> NDArray[np.intp]:
    """The pixels around a mask of this signed distance, numbered row by row: the nearest, where there are too many."""
    flat = distance.reshape(-1)
    places = np.flatnonzero(flat > -reach)
    if places.size > most:
        places = np.sort(places[np.argsort(-flat[places], kind="stable")[:most]])
    return places


def close_log_odds(
    before: Appearance, distance_before: Floats, now: Appearance, distance_now: Floats, flow: Flow
) -> Floats:
    """What the frame before says about each pixel close to the object; see `appearance.local_log_odds`."""
    odds = np.full(now.size, np.float32(-CEILING))
    asked, known = places_near(distance_now), places_near(distance_before, CLOSE + MARGIN)
    inside = distance_before.reshape(-1)[known] > 0
    if asked.size and inside.any() and not inside.all():
        queries = placed(now.near_at(asked), pixel_grid(now.size).reshape(-1, 2)[asked])
        memories = placed(before.near_at(known), flow.target.reshape(-1, 2)[known])
        sides = np.stack([inside / inside.sum(), ~inside / (~inside).sum()], axis=1)
        odds.reshape(-1)[asked] = density_ratio(queries, memories, sides.astype(np.float32))
    return odds
