"""Segment Anything behind the segmenter contract, checked against the package's own predictor."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.sam.encoder import FastEncoder
from sam_annotator.engine.sam.ladder import Rung
from sam_annotator.engine.sam.segmenter import SamSegmenter, mask_to_logits
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from tests.engine.small_sam import small_sam

CLICK = Prompt(points=((30.0, 40.0),), includes=(True,))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def segmenter() -> SamSegmenter:
    made = SamSegmenter(small_sam(), name="a small SAM")
    made.set_image(random_image(np.random.default_rng(0), 90, 130))
    return made


def random_image(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def random_prompt(rng: np.random.Generator, height: int, width: int) -> Prompt:
    """One to four points, the first an include; in half of the cases a box, sometimes alone."""
    count = int(rng.integers(0, 5))
    points = tuple((float(x), float(y)) for x, y in rng.uniform(0, (width, height), (count, 2)))
    includes = tuple(index == 0 or bool(rng.integers(2)) for index in range(count))
    left, top = rng.uniform(0, (width / 2, height / 2))
    has_box = count == 0 or rng.integers(2)
    return Prompt(points, includes, (left, top, left + width / 3, top + height / 3) if has_box else None)


def published(predictor: Any, prompt: Prompt, mask_input: Any, many: bool) -> list[tuple[Any, float, Any]]:
    """What the package's predictor answers, best first."""
    masks, scores, logits = predictor.predict(
        point_coords=np.array(prompt.points) if prompt.points else None,
        point_labels=np.array(prompt.includes).astype(int) if prompt.points else None,
        box=None if prompt.box is None else np.array(prompt.box),
        mask_input=mask_input,
        multimask_output=many,
    )
    return sorted(zip(masks, scores, logits, strict=True), key=lambda answer: -answer[1])


def assert_equal(proposals: tuple[Proposal, ...], expected: list[tuple[Any, float, Any]]) -> None:
    assert len(proposals) == len(expected)
    for proposal, (mask, score, logits) in zip(proposals, expected, strict=True):
        assert proposal.mask.dtype == np.bool_
        assert np.array_equal(proposal.mask, mask)
        assert proposal.score == pytest.approx(min(max(score, 0), 1), abs=1e-4)
        assert proposal.state.dtype == np.float32
        assert np.allclose(proposal.state, logits, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_answers_are_those_of_the_packages_predictor(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 300, 2))
    image, model = random_image(rng, height, width), small_sam(seed=seed)
    predictor = import_segment_anything().SamPredictor(model)
    predictor.set_image(image)
    segmenter = SamSegmenter(model, name="a small SAM")
    segmenter.set_image(image)
    for _ in range(4):
        prompt, refined = random_prompt(rng, height, width), random_prompt(rng, height, width)
        proposals = segmenter.predict(prompt)
        assert_equal(proposals, published(predictor, prompt, None, many=True))
        chosen = proposals[rng.integers(3)]
        assert_equal(segmenter.predict(refined, chosen), published(predictor, refined, chosen.state[None], many=False))


def test_a_click_gives_three_proposals_best_first(segmenter: SamSegmenter) -> None:
    proposals = segmenter.predict(CLICK)
    assert len(proposals) == 3
    assert [proposal.mask.shape for proposal in proposals] == [(90, 130)] * 3
    scores = [proposal.score for proposal in proposals]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_refining_gives_one_proposal_that_depends_on_the_one_before(segmenter: SamSegmenter) -> None:
    first, second, _third = segmenter.predict(CLICK)
    more = Prompt(points=(*CLICK.points, (5.0, 6.0)), includes=(True, False))
    (refined,) = segmenter.predict(more, first)
    (other,) = segmenter.predict(more, second)
    assert not np.array_equal(refined.state, other.state)


def test_a_proposal_can_be_refined_without_a_prompt(segmenter: SamSegmenter) -> None:
    assert len(segmenter.predict(Prompt(), segmenter.predict(CLICK)[0])) == 1


def test_a_saved_mask_is_taken_up_by_its_pixels(segmenter: SamSegmenter) -> None:
    mask = np.zeros((90, 130), bool)
    mask[20:60, 30:80] = True
    (taken_up,) = segmenter.predict(CLICK, Proposal(mask, score=1.0))
    logits = mask_to_logits(mask, (89, 128), (32, 32))
    (expected,) = segmenter.predict(CLICK, Proposal(mask, score=1.0, state=logits))
    assert np.array_equal(taken_up.state, expected.state)


def test_the_state_of_another_segmenter_is_not_taken_for_ones_own(segmenter: SamSegmenter) -> None:
    mask = np.zeros((90, 130), bool)
    mask[20:60, 30:80] = True
    (expected,) = segmenter.predict(CLICK, Proposal(mask, score=1.0))
    for state in ("a text", np.zeros((256, 7), np.float32), {"mask": mask}):
        (answer,) = segmenter.predict(CLICK, Proposal(mask, score=1.0, state=state))
        assert np.array_equal(answer.state, expected.state)


def test_an_empty_saved_mask_says_nothing(segmenter: SamSegmenter) -> None:
    empty = Proposal(np.zeros((90, 130), bool), score=1.0)
    assert len(segmenter.predict(CLICK, empty)) == 3
    with pytest.raises(EngineError, match="nothing to segment by"):
        segmenter.predict(Prompt(), empty)


@pytest.mark.parametrize("size", [(480, 854), (854, 480), (1080, 1920), (333, 333), (577, 1023), (60, 70)])
def test_a_mask_survives_the_way_to_logits_and_back(size: tuple[int, int]) -> None:
    height, width = size
    model = small_sam(side=1024, depth=1)
    scale = 1024 / max(size)
    input_size = (int(height * scale + 0.5), int(width * scale + 0.5))
    rows, columns = np.mgrid[:height, :width]
    mask = ((rows - 0.4 * height) / (0.3 * height)) ** 2 + ((columns - 0.7 * width) / (0.2 * width)) ** 2 < 1
    logits = mask_to_logits(mask, input_size, (256, 256))
    assert logits.dtype == np.float32
    assert logits.shape == (256, 256)
    assert logits.min() == -10
    assert logits.max() == 10
    back = model.postprocess_masks(torch.from_numpy(logits)[None, None], input_size, size)[0, 0].numpy() > 0
    assert (mask & back).sum() / (mask | back).sum() > 0.97


def test_an_image_that_is_no_contiguous_array_is_the_same_image(segmenter: SamSegmenter) -> None:
    image = random_image(np.random.default_rng(1), 90, 130)
    segmenter.set_image(image)
    expected = segmenter.predict(CLICK)
    segmenter.set_image(np.asfortranarray(image))
    assert np.array_equal(segmenter.predict(CLICK)[0].state, expected[0].state)


def test_the_encoder_may_compute_in_half_precision_and_the_answer_stays_close() -> None:
    image = random_image(np.random.default_rng(1), 90, 130)
    exact, half = (
        SamSegmenter(small_sam(), name="a small SAM", rung=Rung(torch.device("cpu"), precision))
        for precision in (torch.float32, torch.bfloat16)
    )
    for segmenter in (exact, half):
        segmenter.set_image(image)
    expected, answer = (segmenter.predict(CLICK)[0].state for segmenter in (exact, half))
    assert not np.array_equal(answer, expected)
    assert np.abs(answer - expected).max() < 0.1 * np.abs(expected).max()


def test_a_prompt_before_an_image_is_an_error() -> None:
    with pytest.raises(EngineError, match="set an image"):
        SamSegmenter(small_sam(), name="a small SAM").predict(CLICK)


@pytest.mark.parametrize("prompt", [Prompt(), Prompt(points=((1.0, 2.0),), includes=(False,))])
def test_a_prompt_without_an_object_is_an_error_that_says_what_to_do(segmenter: SamSegmenter, prompt: Prompt) -> None:
    with pytest.raises(EngineError, match="click on the object"):
        segmenter.predict(prompt)


def test_a_mask_of_another_image_size_is_an_error(segmenter: SamSegmenter) -> None:
    with pytest.raises(EngineError, match="another size"):
        segmenter.predict(CLICK, Proposal(np.ones((91, 130), bool), score=1.0))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 3), np.float32),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_an_array_that_is_no_image_is_an_error_and_leaves_no_image_set(
    segmenter: SamSegmenter, image: NDArray[Any]
) -> None:
    with pytest.raises(EngineError, match="uint8"):
        segmenter.set_image(image)
    with pytest.raises(EngineError, match="set an image"):
        segmenter.predict(CLICK)


def test_a_failure_of_the_model_is_a_sentence_and_the_segmenter_works_again(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = small_sam(), random_image(np.random.default_rng(1), 90, 130)
    segmenter = SamSegmenter(model, name="a small SAM")
    segmenter.set_image(image)

    def fail(_encoder: FastEncoder, _image: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.\nMany numbers")

    with monkeypatch.context() as patch:
        patch.setattr(FastEncoder, "forward", fail)
        with pytest.raises(EngineError, match=r"^a small SAM, cpu float32 failed: CUDA out of memory\. If mem"):
            segmenter.set_image(image)
    with pytest.raises(EngineError, match="set an image"):
        segmenter.predict(CLICK)
    segmenter.set_image(image)
    assert len(segmenter.predict(CLICK)) == 3


def test_an_image_of_one_pixels_width_does_not_break_the_segmenter(segmenter: SamSegmenter) -> None:
    segmenter.set_image(np.zeros((100, 1, 3), np.uint8))
    assert segmenter.predict(Prompt(((0.0, 5.0),), (True,)))[0].mask.shape == (100, 1)
