"""Where an object is in the present frame: what flow, motion, the local and the global model say, fused, and drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import CEILING, GLOBAL_START, GLOBAL_STEP, local_log_odds, spread_global
from sam_annotator.engine.embedded.contour import NEVER, Contours, compete, without_overlap
from sam_annotator.engine.embedded.flow import FAR, Floats, Flow, Mask
from sam_annotator.engine.embedded.memory import Followed, View
from sam_annotator.engine.embedded.motion import FRAME_CEILING, gather_motion, present_motion, weigh_motion
from sam_annotator.engine.embedded.small import CLOSE, MOST_SEARCHED, SEARCHED, close_log_odds, places_near
from sam_annotator.engine.embedded.strangers import Strangers

WARP_WEIGHT: Final = 0.2
LOCAL_WEIGHT: Final = 0.7
GLOBAL_WEIGHT: Final = 0.9
MOTION_WEIGHT: Final = 0.5

UNSEEN_WEIGHT: Final = 0.5
"""What the local model's word for the object still counts where flow is not to be trusted: what has come into sight
there was not to be seen in the frame before, and is like the object as easily as like the rest."""

REFUTATION: Final = 3.0
"""Log odds that are taken from a pixel which moves with the rest and, by the key frames alone, looks like it.

Each voice is wrong now and then; that both are, of a pixel of the object, was seen in one of a hundred.
"""

STILL: Final = (0.35 * FRAME_CEILING, 0.75 * FRAME_CEILING)
UNLIKE: Final = (0.5 * CEILING, 0.85 * CEILING)
"""Log odds against the object from which a voice begins to refute, and at which it does so fully."""

ALONG: Final = (0.5 * FRAME_CEILING, 0.9 * FRAME_CEILING)
"""Log odds from which a pixel may be said to move with the object, and at which that is sure."""

REACH: Final = 36.0
"""Working pixels outside the predicted mask beyond which the object cannot have got in one frame."""

FARTHEST_CLAIM: Final = REACH + 12
"""Working pixels from where an object was beyond which it has no say against others, however alike they are."""

FARTHEST_FLOW: Final = 4
"""Frames apart beyond which flow is not trusted and the object is looked for instead."""

LEAST_TRUST: Final = 0.05
"""Mean trust in the flow below which another scene has begun: cuts are at 0 to 0.07, the wildest shots above 0.2."""


Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Prediction:
    """One object in the present frame before its contour is drawn. All float32 (height, width).

    Attributes:
        distance: signed distance of the mask as flow, or the search for a lost object, predicts it.
        nearby: log odds by the local model.
        overall: log odds by the global model, against the strongest of the other objects.
        odds: all of them fused.
        found_again: the object was lost, and this is where it may be.
        reach: how far outside the predicted mask the models are heard when the answer is judged.
        lasting: log odds by what the key frames alone taught; None where that need not be asked.
    """

    distance: Floats
    nearby: Floats
    overall: Floats
    odds: Floats
    found_again: bool = False
    reach: float = REACH
    lasting: Floats | None = None

    @property
    def possible(self) -> Mask:
        """Where the contour may run."""
        return (self.odds > -6) | ((self.distance > -10) & (self.odds > NEVER))

    def score(self, mask: Mask) -> float:
        """0..1: how far the models agree with the mask that was drawn; 0 for an empty one.

        The global model's word weighs most: flow and the local model drift together with the mask. Where it may have
        learned another object, it counts as far as the key frames agree.
        """
        if not mask.any():
            return 0.0
        near = self.distance > -self.reach
        flow, nearby, overall = (
            overlap(mask, (voice > 0) & near) for voice in (self.distance, self.nearby, self.overall)
        )
        if self.lasting is not None:
            overall = min(overall, overlap(mask, (self.lasting > 0) & near))
        return overall * (1 + min(flow, nearby)) / 2


@dataclass(frozen=True, eq=False)
class _Carried:
    """What one frame says about another: signed distance, local log odds, and how far the flow is to be trusted."""

    distance: Floats
    nearby: Floats
    trust: Floats


def predict(
    followed: Mapping[int, Followed],
    view: View,
    flow_from: Callable[[View], Flow],
    blocked: Mask,
) -> dict[int, Prediction]:
    """What is to be expected of each object in the present frame.

    Args:
        followed: the objects; each one's global model speaks against the others.
        view: the present frame.
        flow_from: gives the flow from another frame to the present one.
        blocked: bool (height, width), pixels that belong to others for sure.
    """
    odds = {key: one.model.sampled_log_odds(view.appearance) for key, one in followed.items()}  # flow is not ready yet
    for one in followed.values():
        if one.view is not None and _is_apart(one.view, view, flow_from):
            one.lose()
    grid = np.s_[GLOBAL_START::GLOBAL_STEP, GLOBAL_START::GLOBAL_STEP]
    samples = compete(odds, {key: _claim(one, odds[key], grid) for key, one in followed.items()})
    predictions = {}
    for key, one in followed.items():
        if one.view is None or not one.model.knows:
            predictions[key] = _nowhere(view)
        else:
            look_closely = partial(_look_closely, followed, key, view)
            predictions[key] = _predict_one(one, view, flow_from, samples[key], look_closely)
        predictions[key].odds[blocked] = NEVER
        if one.may_be_another and not one.is_small:
            predictions[key] = replace(predictions[key], lasting=_lasting(one, view))
    return predictions


def _is_apart(before: View, view: View, flow_from: Callable[[View], Flow]) -> bool:
    """Whether nothing can be carried from one frame to the other: too many lie between them, or a cut."""
    return abs(before.index - view.index) > FARTHEST_FLOW or float(flow_from(before).trust.mean()) < LEAST_TRUST


def _predict_one(
    followed: Followed,
    view: View,
    flow_from: Callable[[View], Flow],
    samples: Floats,
    look_closely: Callable[[Places], Floats],
) -> Prediction:
    """Of an object that was answered before; `samples` are its global log odds (rows, columns)."""
    if followed.view is None or followed.distance is None:
        return _nowhere(view)
    flow = flow_from(followed.view)
    carried = _carry(followed, followed.view, followed.distance, view, flow)
    overall = spread_global(samples, view.size)
    seen = followed.last_seen if followed.is_lost else None
    if followed.is_small:
        places = places_near(seen.distance, SEARCHED, MOST_SEARCHED) if seen else places_near(carried.distance)
        overall.reshape(-1)[places] = look_closely(places)
    step = 1 if followed.is_small else GLOBAL_STEP
    found = seen.find(overall if step == 1 else samples, step, followed.frames_lost) if seen else None
    if found is not None:
        return _place_again(followed, np.maximum(carried.distance, found), overall)
    moves = present_motion(flow, carried.distance)
    followed.motion = gather_motion(followed.motion, flow, moves)
    odds = _fuse(carried, overall, weigh_motion(followed.motion, carried.distance))
    if not followed.is_small:
        odds -= np.float32(REFUTATION) * _sureness(-moves, STILL) * _sureness(-_lasting(followed, view), UNLIKE)
    followed.strangers = (followed.strangers or Strangers.none(view.size)).carried(flow)
    odds += followed.strangers.log_odds(followed.motion, carried.distance > 0)
    followed.shape = followed.shape and followed.shape.carried(flow, carried.distance)
    if followed.shape is not None:
        followed.shape = followed.shape.compared(odds > 0)
        near = odds > NEVER
        along = _sureness(moves, ALONG) * flow.trust
        odds[near] += followed.shape.log_odds(view.appearance.lab, along)[near]
    return Prediction(carried.distance, carried.nearby, overall, odds, reach=_reach(followed))


def _lasting(followed: Followed, view: View) -> Floats:
    """Log odds of an object at each pixel by what the key frames alone taught: float32 (height, width)."""
    return spread_global(followed.model.lasting_log_odds(view.appearance), view.size)


def _sureness(odds: Floats, bounds: tuple[float, float]) -> Floats:
    """0..1 at each pixel: 0 up to log odds of the first bound, 1 from the second on."""
    return np.asarray(np.interp(odds, bounds, (0, 1)), np.float32)


def _look_closely(followed: Mapping[int, Followed], object_id: int, view: View, places: Places) -> Floats:
    """Global log odds of an object against the others at these pixels, numbered row by row: float32 (n,)."""
    wide = view.appearance.wide_at(places)
    odds = {key: one.model.log_odds(wide) for key, one in followed.items()}
    grid = np.unravel_index(places, view.size)
    return compete(odds, {key: _claim(one, odds[key], grid) for key, one in followed.items()})[object_id]


def _claim(followed: Followed, odds: Floats, grid: Any) -> Floats:
    """What an object says against others: nothing far from where it was; `grid` chooses the pixels of its log odds."""
    where = followed.last_seen.distance if followed.is_lost and followed.last_seen else followed.distance
    return odds if where is None else np.where(where[grid] > -FARTHEST_CLAIM, odds, np.float32(-CEILING))


def _reach(followed: Followed) -> float:
    """How far around it the models are heard when an answer is judged."""
    return CLOSE if followed.is_small else REACH


def _place_again(followed: Followed, distance: Floats, overall: Floats) -> Prediction:
    """Of a lost object: the frame before knows nothing of it, the global model speaks in the local one's place."""
    followed.motion, followed.strangers, followed.shape, followed.is_doubtful = None, None, None, True
    followed.longest_away = max(followed.longest_away, followed.frames_away)
    carried = _Carried(distance, overall, np.zeros_like(distance))
    odds = _fuse(carried, overall, np.zeros_like(distance))
    return Prediction(distance, overall, overall, odds, found_again=True, reach=_reach(followed))


def draw(
    contours: Contours, predictions: Mapping[int, Prediction], followed: Mapping[int, Followed]
) -> dict[int, Mask]:
    """The masks of the objects that were predicted, bool (height, width), which do not overlap.

    Where a piece was refused on the way, the predictions say so, too.
    """
    odds = compete({object_id: prediction.odds for object_id, prediction in predictions.items()})
    masks = {object_id: contours.cut(odds[object_id], predictions[object_id].possible) for object_id in odds}
    drawn = {}
    for object_id, mask in without_overlap(masks, odds).items():
        drawn[object_id] = followed[object_id].sort_out(mask)
        predictions[object_id].odds[mask & ~drawn[object_id]] = NEVER
    return drawn


def _nowhere(view: View) -> Prediction:
    nowhere = np.full(view.size, -FAR, np.float32)
    return Prediction(nowhere, nowhere, nowhere, np.full_like(nowhere, NEVER))


def _carry(followed: Followed, other: View, distance: Floats, view: View, flow: Flow) -> _Carried:
    """What another frame, in which the object's mask has this signed distance, says about the present one."""
    moved = flow.carry(distance)
    look = close_log_odds if followed.is_small else local_log_odds
    return _Carried(moved, look(other.appearance, distance, view.appearance, moved, flow), flow.trust)


def _fuse(carried: _Carried, overall: Floats, motion: Floats) -> Floats:
    """Log odds of the object at each pixel, NEVER where it cannot have got."""
    softness = 4 * (1 + 2 * (1 - carried.trust))
    warp = 1.5 * np.clip(carried.distance / softness, -CEILING, CEILING)
    seen = np.where(carried.nearby > 0, UNSEEN_WEIGHT + (1 - UNSEEN_WEIGHT) * carried.trust, 1)
    nearby = LOCAL_WEIGHT * seen * carried.nearby
    odds = WARP_WEIGHT * warp + nearby + GLOBAL_WEIGHT * overall + MOTION_WEIGHT * motion
    odds[carried.distance < -REACH] = NEVER
    return np.asarray(odds, np.float32)


def overlap(a: Mask, b: Mask) -> float:
    """Intersection over union of two bool (height, width); 0 for two empty ones."""
    return float((a & b).sum()) / max(1.0, float((a | b).sum()))
