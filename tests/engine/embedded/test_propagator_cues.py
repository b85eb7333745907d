"""What the embedded propagator gathers beside the mask before: how things move, who else is there, what lies ahead."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.engine.embedded.appearance import Evidence, GlobalModel, gather_evidence
from sam_annotator.engine.embedded.flow import Flow, FlowEstimator, pixel_grid, signed_distance
from sam_annotator.engine.embedded.memory import Followed, View
from sam_annotator.engine.embedded.motion import gather_motion, present_motion, weigh_motion
from sam_annotator.engine.embedded.prediction import predict
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import KeyFrame

HEIGHT, WIDTH = 120, 200
Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def grain(seed: int, colour: tuple[int, int, int]) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.array(colour, np.float32) + 20 * soft / soft.std()


def disc(x: float, y: float, radius: float) -> Mask:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def shifted(picture: NDArray[np.float32], x: float) -> NDArray[np.float32]:
    return cv2.warpAffine(picture, np.float32([[1, 0, x], [0, 1, 0]]), (WIDTH, HEIGHT), borderMode=cv2.BORDER_WRAP)


def paint(*layers: tuple[NDArray[np.float32], Mask]) -> Image:
    canvas = grain(0, (90, 120, 90))
    for picture, mask in layers:
        canvas = np.where(mask[..., None], picture, canvas)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def flow_of(moving: Mask, shift: float) -> Flow:
    """Exact flow of a scene that rests but for what moves by `shift` pixels to the right."""
    here = pixel_grid((HEIGHT, WIDTH))
    source = here - np.where(moving[..., None], np.float32([shift, 0]), np.float32(0))
    return Flow(source.astype(np.float32), here, np.ones((HEIGHT, WIDTH), np.float32))


def followed_from(view: View, mask: Mask) -> Followed:
    """An object known from one key frame."""
    followed = Followed()
    followed.restart(view, mask)
    evidence = gather_evidence(view.appearance, signed_distance(mask))
    assert evidence is not None
    followed.model.learn_key_frame(evidence)
    return followed


def test_what_crept_into_a_mask_but_rests_is_told_from_what_moves() -> None:
    moving = disc(80, 60, 25)
    crept = np.zeros_like(moving)
    crept[56:64, 110:150] = True
    distance = signed_distance(moving | crept)
    gathered = None
    for _ in range(4):
        flow = flow_of(moving, 3)
        gathered = gather_motion(gathered, flow, present_motion(flow, distance))
    worth = weigh_motion(gathered, distance)
    assert worth[60, 80] > 0.5
    assert worth[60, 140] < -0.5


def test_motion_says_nothing_where_all_rests() -> None:
    distance = signed_distance(disc(80, 60, 25))
    gathered = present_motion(flow_of(disc(80, 60, 25), 0), distance)
    assert np.abs(weigh_motion(gathered, distance)).max() < 0.3


def test_a_mask_too_small_to_know_how_it_moves_leaves_motion_unsaid() -> None:
    distance = signed_distance(disc(80, 60, 3))
    assert not present_motion(flow_of(disc(80, 60, 3), 5), distance).any()


def test_ground_that_crept_into_a_mask_is_let_go_though_it_was_learned_as_the_object() -> None:
    face, ahead = grain(1, (190, 90, 60)), disc(90, 60, 22)
    trail = (disc(60, 60, 16) | disc(75, 60, 16)) & ~ahead
    views = [View.of(index, paint((shifted(face, 3 * index), disc(60 + 3 * index, 60, 22)))) for index in range(12)]
    followed = followed_from(views[0], disc(60, 60, 22))
    for index in range(1, 11):
        followed.go_on(views[index], disc(60 + 3 * index, 60, 22) | trail, trust=1.0)
    estimator = FlowEstimator()
    flow = estimator.between(views[10].grey, views[11].grey)
    found = predict({1: followed}, views[11], lambda view: flow, np.zeros((HEIGHT, WIDTH), bool))[1]
    assert found.odds[trail].mean() < -2
    assert (found.odds[disc(93, 60, 20)] > 0).mean() > 0.9


def test_where_flow_is_not_to_be_trusted_the_frame_before_hardly_speaks_for_the_object() -> None:
    body, face = disc(100, 60, 40), grain(1, (190, 90, 60))
    views = [View.of(index, paint((face, body))) for index in (0, 1)]
    left, rests = np.arange(WIDTH) < 100, flow_of(body, 0)
    blind = replace(rests, trust=np.broadcast_to(np.where(left, 0, 1), (HEIGHT, WIDTH)).astype(np.float32))
    odds = []
    for flow in (rests, blind):
        followed = followed_from(views[0], body)
        odds.append(predict({1: followed}, views[1], lambda _, flow=flow: flow, np.zeros_like(body))[1].odds)
    doubted = odds[0] - odds[1]
    assert doubted[disc(85, 60, 15)].mean() > 0.9
    assert np.abs(doubted[left & disc(100, 60, 50) & ~disc(100, 60, 44)]).mean() < 0.5, "what it says against it stands"


def test_flow_carries_a_mask_along() -> None:
    face = grain(1, (190, 90, 60))
    before, now = (paint((shifted(face, x), disc(60 + x, 60, 22))) for x in (0, 4))
    flow = FlowEstimator().between(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, now)))
    carried, truth = flow.carry(signed_distance(disc(60, 60, 22))) > 0, disc(64, 60, 22)
    assert (carried & truth).sum() > 0.88 * (carried | truth).sum()


def test_what_another_object_looks_like_speaks_against_this_one() -> None:
    masks = {1: disc(60, 60, 20), 2: disc(140, 60, 20)}
    image = paint((grain(1, (190, 90, 60)), masks[1]), (grain(2, (180, 90, 110)), masks[2]))
    view, followed = View.of(0, image), {1: Followed(), 2: Followed()}
    for object_id, one in followed.items():
        evidence = gather_evidence(view.appearance, signed_distance(masks[object_id]))
        assert evidence is not None
        one.model.learn_key_frame(evidence)
        one.restart(view, masks[object_id])
    still, nothing = flow_of(masks[1], 0), np.zeros((HEIGHT, WIDTH), bool)
    now = View.of(1, image)
    alone = predict({2: followed[2]}, now, lambda _: still, nothing)[2]
    together = predict(followed, now, lambda _: still, nothing)[2]
    assert together.overall[60, 60] < alone.overall[60, 60] - 1
    assert together.overall[60, 140] > alone.overall[60, 140] - 0.1


def test_a_key_frame_ahead_is_known_before_it_is_reached() -> None:
    """The object's lower half, which no mask had so far, is in the next key frame's."""
    faces = grain(1, (190, 90, 60)), grain(2, (150, 140, 60))
    frames = [paint((faces[0], disc(80, 45, 20)), (faces[1], disc(80, 85, 20))) for _ in range(6)]
    first, later = disc(80, 45, 20) & ~disc(80, 85, 20), disc(80, 45, 20) | disc(80, 85, 20)
    propagator, one = EmbeddedPropagator(), frozenset({1})
    areas = []
    for led_back in (False, True):
        propagator.begin([KeyFrame(i, frames[i], {1: m}) for i, m in ((0, first), (5, later))])
        if led_back:
            propagator.begin_back()
            for i in range(5, 0, -1):
                propagator.step_back(i, frames[i], {1: later} if i == 5 else {}, one)
        answers = [propagator.step(i, frames[i], {}, one)[1] for i in range(1, 5)]
        areas.append(np.count_nonzero(answers[-1].mask & later))
    assert areas[1] > 1.5 * areas[0]


def learned(object_colour: int, ground_colour: int) -> Evidence:
    """What a frame teaches in which the object has this colour, and all else that one."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:80, 60:140] = True
    image = np.where(mask, object_colour, ground_colour)[..., None].repeat(3, axis=2).astype(np.uint8)
    evidence = gather_evidence(View.of(0, image).appearance, signed_distance(mask))
    assert evidence is not None
    return evidence


def told_from(model: GlobalModel, colour: int) -> float:
    """The global model's log odds in the middle of a frame of one colour."""
    flat = View.of(0, np.full((HEIGHT, WIDTH, 3), colour, np.uint8))
    return float(model.sampled_log_odds(flat.appearance)[14, 24])


def test_a_key_frame_leaves_what_was_learned_on_the_way_where_that_foretells_its_mask() -> None:
    model = GlobalModel()
    model.learn_key_frame(learned(200, 60))
    for _ in range(30):
        model.follow(learned(200, 130))
    model.restart(learned(200, 60))
    anew = GlobalModel()
    anew.learn_key_frame(learned(200, 60))
    assert told_from(model, 130) < told_from(anew, 130) - 0.5
    assert told_from(model, 130) < -1


def test_a_key_frame_clears_away_what_was_learned_wrong() -> None:
    """On the way the mask had slid onto the ground."""
    model, anew = GlobalModel(), GlobalModel()
    for one in (model, anew):
        one.learn_key_frame(learned(200, 60))
    for _ in range(30):
        model.follow(learned(60, 200))
    assert told_from(model, 200) < 0.5
    model.restart(learned(200, 60))
    assert told_from(model, 200) > told_from(anew, 200) - 0.05
