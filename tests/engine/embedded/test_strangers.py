"""What comes in over the edge of the frame in the object's colours is none of it unless it moves with it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sam_annotator.engine.embedded.contour import NEVER, Contours
from sam_annotator.engine.embedded.flow import Flow, pixel_grid
from sam_annotator.engine.embedded.memory import Followed, View
from sam_annotator.engine.embedded.prediction import Prediction, draw
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.embedded.strangers import REFUSAL, Strangers
from sam_annotator.engine.propagator import KeyFrame
from tests.engine.embedded.painted import HEIGHT, Mask, ellipse, iou, texture

FIRST, SPEED = 6, 3
SIZE = (40, 60)


def wall_comes_in(frames: int, y: float) -> tuple[list[NDArray[np.uint8]], Mask]:
    """The camera tilts up after a disc: from FIRST on a wall of the disc's colours comes in over the upper edge."""
    colour, rows = (170, 70, 60), 400
    world, wall, skin = texture(1, (90, 120, 90), 20, rows), texture(2, colour, 20, rows), texture(3, colour, 20)
    foot, mask, images = rows - HEIGHT - SPEED * FIRST, ellipse(120, y, 22, 22), []
    world[:foot] = wall[:foot]
    for index in range(frames):
        top = rows - HEIGHT - SPEED * index
        image = np.where(mask[..., None], skin, world[top : top + HEIGHT])
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return images, mask


def square(top: int, left: int, side: int) -> Mask:
    mask = np.zeros(SIZE, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def moves(along: Mask, at: float = 4.0, rest: float = -1.0) -> NDArray[np.float32]:
    return np.where(along, np.float32(at), np.float32(rest))


def entered(mask: Mask) -> Strangers:
    return Strangers(mask.astype(np.float32), np.zeros(SIZE, np.float32))


@pytest.mark.parametrize("y", [30, 45])
def test_a_wall_of_the_objects_colours_that_comes_into_view_is_not_the_object(y: float) -> None:
    images, mask = wall_comes_in(18, y)
    propagator = EmbeddedPropagator()
    propagator.begin([KeyFrame(0, images[0], {1: mask})])
    propagator.step(0, images[0], {1: mask}, frozenset({1}))
    answers = [propagator.step(index, images[index], {}, frozenset({1}))[1].mask for index in range(1, 18)]
    assert min(iou(answer, mask) for answer in answers) > 0.9


def test_a_piece_that_came_in_and_does_not_move_with_the_object_is_refused_and_stays_so() -> None:
    body, piece = square(20, 10, 15), square(2, 40, 8)
    kept, after = entered(piece).sort_out(body | piece, moves(body))
    assert np.array_equal(kept, body)
    assert np.array_equal(after.refused > 0, piece)
    against = after.log_odds(moves(body), body)
    assert against[piece].max() == -REFUSAL
    assert not against[~piece].any()


@pytest.mark.parametrize(("side", "against", "stays"), [(3, -6, False), (3, -4, True), (5, -6, True)])
def test_a_small_piece_that_stays_behind_for_long_is_left_there(side: int, against: float, stays: bool) -> None:
    body, piece = square(20, 10, 15), square(2, 40, side)
    kept, after = Strangers.none(SIZE).sort_out(body | piece, moves(body, rest=against))
    assert np.array_equal(kept, body | piece if stays else body)
    assert np.array_equal(after.refused > 0, piece & ~kept)


def test_what_was_refused_is_heard_again_once_it_moves_with_the_object() -> None:
    body, piece = square(20, 10, 15), square(2, 40, 8)
    _, after = entered(piece).sort_out(body | piece, moves(body))
    assert not after.log_odds(moves(body | piece), body).any()


@pytest.mark.parametrize("what", ["moves with it", "was there before", "is joined to it", "is known"])
def test_a_piece_stays_that(what: str) -> None:
    body = square(20, 10, 15)
    piece = square(12, 24, 9) if what == "is joined to it" else square(2, 40, 8)
    strangers = entered(piece if what != "was there before" else np.zeros(SIZE, bool))
    if what == "is known":
        strangers = strangers.without(piece)
    kept, after = strangers.sort_out(body | piece, moves(body | piece if what == "moves with it" else body))
    assert np.array_equal(kept, body | piece)
    assert not after.refused.any()


@pytest.mark.parametrize("everything_came", [True, False])
def test_nothing_is_refused_where_motion_or_history_cannot_tell(everything_came: bool) -> None:
    body, piece = square(20, 10, 15), square(2, 40, 8)
    strangers = entered(body | piece if everything_came else piece)
    motion = moves(body) if everything_came else moves(body, at=0.9)
    kept, _ = strangers.sort_out(body | piece, motion)
    assert np.array_equal(kept, body | piece)


def test_what_is_left_of_an_object_that_went_out_of_sight_does_not_refuse_the_rest_of_it() -> None:
    speck, back = square(20, 10, 2), square(2, 30, 15)
    followed = Followed()
    view = View.of(0, np.zeros((*SIZE, 3), np.uint8))
    followed.restart(view, square(2, 30, 15))
    followed.strangers, followed.motion = entered(back), moves(speck, rest=0.3)
    assert np.array_equal(followed.sort_out(speck | back), speck | back)
    assert not followed.strangers.refused.any()
    assert np.array_equal(followed.sort_out(speck), speck)


def test_what_is_refused_is_said_to_no_other_side_either() -> None:
    body, piece = square(20, 10, 15), square(2, 40, 8)
    odds = np.where(body | piece, np.float32(5), np.float32(-5))
    followed = Followed(strangers=entered(piece), motion=moves(body))
    prediction = Prediction(odds, odds, odds, odds.copy())
    masks = draw(Contours.of(np.zeros((*SIZE, 3), np.float32)), {1: prediction}, {1: followed})
    assert np.array_equal(masks[1], body)
    assert np.array_equal(prediction.odds == NEVER, piece)


def test_what_comes_in_is_known_by_where_it_was_and_is_carried_on() -> None:
    down = np.float32([0, 3])
    flow = Flow(pixel_grid(SIZE) - down, pixel_grid(SIZE) + down, np.ones(SIZE, np.float32))
    once = Strangers.none(SIZE).carried(flow)
    assert np.array_equal(np.flatnonzero(once.entered.any(axis=1)), [0, 1, 2])
    assert np.array_equal(np.flatnonzero(once.carried(flow).entered.any(axis=1)), range(6))
    assert np.array_equal(np.flatnonzero(once.without(square(0, 0, 1)).entered[:, 0]), [1, 2])
