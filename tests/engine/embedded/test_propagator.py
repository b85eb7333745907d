"""The weight-free propagator, on videos painted here (where the truth is known) and on a real one."""

import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator import __version__
from sam_annotator.core.errors import EngineError
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import KeyFrame, PropagatedMask, identity_of
from tests.engine.embedded.painted import HEIGHT, WIDTH, Mask, Painted, ellipse, iou, paint

Answers = list[dict[int, PropagatedMask]]


@pytest.fixture(scope="module")
def crossing() -> Painted:
    """Object 2 passes in front of object 1."""

    def places(index: int) -> dict[int, Mask]:
        return {1: ellipse(70 + 2 * index, 80, 30, 22), 2: ellipse(175 - 3 * index, 90, 18, 30)}

    return paint(24, places, {1: (2, 0), 2: (-3, 0)})


@pytest.fixture(scope="module")
def leaving() -> Painted:
    """Object 1 leaves the frame on the right."""
    return paint(22, lambda index: {1: ellipse(170 + 6 * index, 80, 24, 24)}, {1: (6, 0)})


def run(
    propagator: EmbeddedPropagator,
    video: Painted,
    indices: range,
    wanted: tuple[int, ...] = (1, 2),
    given: Mapping[int, Mapping[int, Mask]] | None = None,
) -> Answers:
    given = given or {}
    return [propagator.step(i, video.frames[i], given.get(i, {}), frozenset(wanted)) for i in indices]


def mean_iou(answers: Answers, video: Painted, indices: range) -> float:
    pairs = zip(answers, indices, strict=True)
    return float(np.mean([iou(answer[key].mask, video.truth[i][key]) for answer, i in pairs for key in answer]))


def test_two_objects_are_followed_while_one_passes_in_front_of_the_other(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0)])
    answers = run(propagator, crossing, range(1, 24))
    assert all(answer.keys() == {1, 2} for answer in answers)
    assert not any((answer[1].mask & answer[2].mask).any() for answer in answers)
    assert all(0 <= one.score <= 1 for answer in answers for one in answer.values())
    assert mean_iou(answers, crossing, range(1, 24)) > 0.85


def test_backward_is_followed_as_well_as_forward(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(23)])
    backward = range(22, -1, -1)
    assert mean_iou(run(propagator, crossing, backward), crossing, backward) > 0.85


def test_a_mask_given_midway_is_taken_as_it_is_and_gone_on_from(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0, 1)])
    run(propagator, crossing, range(1, 4), (1,))
    elsewhere = {1: crossing.truth[4][2]}
    answer = propagator.step(4, crossing.frames[4], elsewhere, frozenset({1}))
    assert np.array_equal(answer[1].mask, elsewhere[1])
    assert answer[1].score == 1.0
    following = run(propagator, crossing, range(5, 8), (1,))
    assert min(iou(a[1].mask, crossing.truth[i][2]) for i, a in enumerate(following, 5)) > 0.7


def test_an_object_that_leaves_the_frame_gives_empty_masks_with_a_low_score(leaving: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([leaving.key_frame(0)])
    answers = run(propagator, leaving, range(1, 22), (1,))
    assert mean_iou(answers[:8], leaving, range(1, 9)) > 0.85
    assert not any(answer[1].mask.any() for answer in answers[-3:])
    assert all(answer[1].score < 0.3 for answer in answers[-3:])


def test_an_object_that_comes_back_is_found_again(leaving: Painted) -> None:
    there_and_back = [*range(1, 22), *range(20, 3, -1)]
    propagator = EmbeddedPropagator()
    propagator.begin([leaving.key_frame(0)])
    wanted = frozenset({1})
    for index, frame in enumerate(there_and_back, start=1):
        answer = propagator.step(index, leaving.frames[frame], {}, wanted)
    assert iou(answer[1].mask, leaving.truth[4][1]) > 0.8


def test_an_object_is_left_out_until_it_is_given(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0, 1)])
    answers = run(propagator, crossing, range(1, 8), given={4: {2: crossing.truth[4][2]}})
    assert [2 in answer for answer in answers] == [False, False, False, True, True, True, True]
    assert iou(answers[-1][2].mask, crossing.truth[7][2]) > 0.85


def test_an_object_that_is_not_wanted_only_keeps_its_pixels(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0)])
    given = {index: {2: crossing.truth[index][2]} for index in range(1, 16)}
    answers = run(propagator, crossing, range(1, 16), (1,), given)
    assert all(answer.keys() == {1} for answer in answers)
    assert not any((answer[1].mask & given[index][2]).any() for index, answer in enumerate(answers, start=1))


def test_a_key_frame_in_the_middle_serves_a_run_that_starts_elsewhere(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(6)])
    answers = run(propagator, crossing, range(10))
    assert mean_iou(answers[6:], crossing, range(6, 10)) > 0.8


def test_the_same_run_gives_the_same_masks(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    runs = []
    for _ in range(2):
        propagator.begin([crossing.key_frame(0)])
        runs.append(run(propagator, crossing, range(1, 6)))
    for one, two in zip(*runs, strict=True):
        assert all(np.array_equal(one[key].mask, two[key].mask) and one[key].score == two[key].score for key in one)


def test_memory_does_not_grow_with_the_steps(crossing: Painted) -> None:
    frames = [np.ascontiguousarray(frame[40:120, 60:220]) for frame in crossing.frames[8:10]]
    masks = {key: mask[40:120, 60:220] for key, mask in crossing.truth[8].items()}
    propagator = EmbeddedPropagator()
    propagator.begin([KeyFrame(0, frames[0], masks)])

    def state_after(steps: range) -> int:
        for index in steps:
            propagator.step(index, frames[index % 2], {}, frozenset({1, 2}))
        return len(pickle.dumps([vars(propagator)[name] for name in ("_image_size", "_objects", "_stored")]))

    few, many = state_after(range(1, 6)), state_after(range(6, 51))
    assert abs(many - few) < 1000


@pytest.mark.parametrize("size", [(1, 1), (9, 300), (40, 30), (700, 1300)])
def test_any_size_of_image_and_object_is_carried(size: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    dot, nothing, everything = np.zeros(size, bool), np.zeros(size, bool), np.ones(size, bool)
    dot[size[0] // 2, size[1] // 2] = True
    for mask in (dot, nothing, everything):
        propagator = EmbeddedPropagator()
        propagator.begin([KeyFrame(0, image, {1: mask})])
        answers = [propagator.step(index, image, {}, frozenset({1})) for index in (1, 2)]
        answers.append(propagator.step(3, image, {1: mask}, frozenset({1})))
        assert all(answer[1].mask.shape == size and answer[1].mask.dtype == bool for answer in answers)
        assert np.array_equal(answers[-1][1].mask, mask)


def test_an_object_said_to_be_nowhere_is_answered_with_nothing(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    nowhere = np.zeros((HEIGHT, WIDTH), bool)
    propagator.begin([KeyFrame(0, crossing.frames[0], {7: nowhere})])
    answer = propagator.step(1, crossing.frames[1], {}, frozenset({7}))
    assert not answer[7].mask.any()


def test_no_key_frames_give_no_answers(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([])
    assert propagator.step(0, crossing.frames[0], {}, frozenset({1})) == {}


def test_frames_and_masks_of_another_size_are_refused_with_a_sentence(crossing: Painted) -> None:
    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0)])
    with pytest.raises(EngineError, match=r"Frame 1 is 120 x 80 pixels.*240 x 160"):
        propagator.step(1, np.ascontiguousarray(crossing.frames[1][::2, ::2]), {}, frozenset({1}))
    with pytest.raises(EngineError, match="object 1 in frame 1"):
        propagator.step(1, crossing.frames[1], {1: np.ones((80, 120), bool)}, frozenset({1}))


def test_arrays_of_another_kind_are_refused_with_a_sentence(crossing: Painted) -> None:
    propagator, image = EmbeddedPropagator(), crossing.frames[0]
    propagator.begin([crossing.key_frame(0)])
    for other in (image[..., 0], np.dstack([image, image[..., :1]]), image.astype(np.float32)):
        with pytest.raises(EngineError, match=r"must be an array uint8 \(height, width, 3\), RGB, not"):
            propagator.step(1, np.ascontiguousarray(other), {}, frozenset({1}))
    for mask in (crossing.truth[0][1].astype(np.uint8), np.dstack([crossing.truth[0][1]] * 3)):
        with pytest.raises(EngineError, match=r"object 1 in frame 0 must be an array bool \(height, width\), not"):
            propagator.begin([KeyFrame(0, image, {1: mask})])


def test_key_frames_may_come_in_any_order(crossing: Painted) -> None:
    key_frames = [crossing.key_frame(index) for index in (0, 3, 6)]
    answers = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        propagator = EmbeddedPropagator()
        propagator.begin(key_frames[place] for place in order)
        answers.append([propagator.step(index, crossing.frames[index], {}, frozenset({1, 2})) for index in (1, 2)])
    for others in answers[1:]:
        for first, other in zip(answers[0], others, strict=True):
            assert all(
                (first[key].mask == other[key].mask).all() and first[key].score == other[key].score for key in first
            )


def test_neither_torch_nor_qt_is_loaded() -> None:
    code = "import sys, sam_annotator.engine.embedded.propagator; print({'torch', 'PyQt5'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_real_swan_is_followed(shared: Path) -> None:
    frames = sorted((shared / "davis_dev/JPEGImages/blackswan").glob("*.jpg"))[:15]
    truths = [np.asarray(Image.open(shared / f"davis_dev/Annotations/blackswan/{f.stem}.png")) > 0 for f in frames]
    images = [np.asarray(Image.open(frame)) for frame in frames]
    propagator = EmbeddedPropagator()
    propagator.begin([KeyFrame(0, images[0], {1: truths[0]})])
    answers = [propagator.step(index, images[index], {}, frozenset({1})) for index in range(1, 15)]
    assert np.mean([iou(answer[1].mask, truth) for answer, truth in zip(answers, truths[1:], strict=True)]) > 0.9


def test_a_run_that_another_version_began_is_not_gone_on_with() -> None:
    assert identity_of(EmbeddedPropagator()) == f"embedded, cpu, {__version__}"
