"""The small SAM finds what was drawn; what holds of it, holds of the way from prompts to masks."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from sam_annotator.core.masks import iou
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.checkpoints import load_sam
from sam_annotator.engine.device import fastest_precision
from sam_annotator.engine.engines import EngineOptions, make_segmenter
from sam_annotator.engine.sam.ladder import Rung
from sam_annotator.engine.sam.segmenter import SamSegmenter
from tests.small_sam import train
from tests.small_sam.pictures import Mask, Picture, box_of, deepest, draw_picture
from tests.small_sam.train import WEIGHTS

CPU = torch.device("cpu")
SIZES = ((300, 400), (400, 300), (256, 256), (360, 640))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def pictures() -> Sequence[Picture]:
    """None of them was trained on: another seed, larger, less noise for each pixel that the encoder sees."""
    rng = np.random.default_rng(77)
    return [draw_picture(rng, *SIZES[number % len(SIZES)], shapes=4) for number in range(12)]


@pytest.fixture(scope="module")
def segmenter() -> SamSegmenter:
    return in_precision(torch.float32)


def in_precision(precision: torch.dtype) -> SamSegmenter:
    model, kind = load_sam(WEIGHTS)
    return SamSegmenter(model, name=f"SAM {kind}", rung=Rung(CPU, precision))


def click(*places: tuple[Mask, bool]) -> Prompt:
    """A click on the middle of each mask, which is included or not."""
    return Prompt(tuple(deepest(mask) for mask, _ in places), tuple(include for _, include in places))


def test_the_file_is_small_and_loads_as_a_persons_own_does(segmenter: SamSegmenter) -> None:
    assert WEIGHTS.stat().st_size < 3_000_000
    made = make_segmenter(EngineOptions(segmenter=str(WEIGHTS), device="cpu"))
    assert made.name.startswith("SAM of 4 blocks, cpu ")
    assert made.key


def test_a_click_on_the_middle_of_a_shape_gives_that_shape(
    segmenter: SamSegmenter, pictures: Sequence[Picture]
) -> None:
    found = []
    for picture in pictures:
        segmenter.set_image(picture.image)
        found += [iou(segmenter.predict(click((mask, True)))[0].mask, mask) for mask in picture.masks]
    assert np.mean(found) >= 0.9
    assert np.quantile(found, 0.1) >= 0.75


def test_a_box_around_a_shape_gives_that_shape(segmenter: SamSegmenter, pictures: Sequence[Picture]) -> None:
    found = []
    for picture in pictures:
        segmenter.set_image(picture.image)
        found += [iou(segmenter.predict(Prompt(box=box_of(mask)))[0].mask, mask) for mask in picture.masks]
    assert np.mean(found) >= 0.9


def test_scores_tell_good_proposals_from_bad_ones(segmenter: SamSegmenter, pictures: Sequence[Picture]) -> None:
    pairs = []
    for picture in pictures:
        segmenter.set_image(picture.image)
        for mask in picture.masks:
            pairs += [(answer.score, iou(answer.mask, mask)) for answer in segmenter.predict(click((mask, True)))]
    scores, found = np.array(pairs).T
    assert np.abs(scores - found).mean() < 0.1


def test_clicks_correct_a_mask_that_holds_another_shape_too(
    segmenter: SamSegmenter, pictures: Sequence[Picture]
) -> None:
    before, after = [], []
    for picture in pictures:
        segmenter.set_image(picture.image)
        for mask, other in zip(picture.masks, picture.masks[1:], strict=False):
            both = Proposal(mask | other, score=1.0)
            (corrected,) = segmenter.predict(click((mask, True), (other, False)), both)
            before.append(iou(both.mask, mask))
            after.append(iou(corrected.mask, mask))
    assert np.mean(after) > np.mean(before) + 0.3
    assert np.mean(np.array(after) > before) > 0.95


def test_an_exclude_click_alone_corrects_what_was_proposed_for_a_box(
    segmenter: SamSegmenter, pictures: Sequence[Picture]
) -> None:
    gained = []
    for picture in pictures:
        segmenter.set_image(picture.image)
        for mask, other in zip(picture.masks, picture.masks[1:], strict=False):
            box = box_of(mask | other)
            first = segmenter.predict(Prompt(box=box))[0]
            if (first.mask & other).sum() < 0.5 * other.sum():
                continue
            excluding = Prompt((deepest(other),), (False,), box)
            (second,) = segmenter.predict(excluding, first)
            gained.append((first.mask & other).sum() - (second.mask & other).sum())
    assert gained
    assert np.mean(np.array(gained) > 0) > 0.8


def test_a_saved_mask_is_kept_when_it_is_taken_up(segmenter: SamSegmenter, pictures: Sequence[Picture]) -> None:
    kept = []
    for picture in pictures:
        segmenter.set_image(picture.image)
        for mask in picture.masks:
            kept.append(iou(segmenter.predict(click((mask, True)), Proposal(mask, score=1.0))[0].mask, mask))
    assert np.mean(kept) >= 0.92


@pytest.mark.parametrize("precision", {torch.bfloat16, fastest_precision(CPU)} - {torch.float32})
def test_smaller_numbers_give_the_same_masks(
    segmenter: SamSegmenter, pictures: Sequence[Picture], precision: torch.dtype
) -> None:
    small, same = in_precision(precision), []
    for picture in pictures:
        for each in (segmenter, small):
            each.set_image(picture.image)
        for mask in picture.masks:
            for prompt in (click((mask, True)), Prompt(box=box_of(mask))):
                exact, other = segmenter.predict(prompt)[0], small.predict(prompt)[0]
                same.append(iou(exact.mask, other.mask))
    assert np.mean(same) >= 0.98
    assert np.quantile(same, 0.05) >= 0.95


def test_training_can_be_repeated(tmp_path: Path) -> None:
    first, second = (train.train(steps=3, pictures=4, batch=1).state_dict() for _ in range(2))
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    train.save(train.trained_architecture(), tmp_path / "weights.pth")
    assert {name: tensor.shape for name, tensor in load_sam(tmp_path / "weights.pth")[0].state_dict().items()} == {
        name: tensor.shape for name, tensor in first.items()
    }


def test_batches_are_decoded_as_the_package_decodes_one_image(pictures: Sequence[Picture]) -> None:
    model, _kind = load_sam(WEIGHTS)
    rng = np.random.default_rng(0)
    pool = train.draw_pool(rng, 2)
    examples = [example for _ in range(2) for example in train.choose_examples(rng, pool, train.SHAPES)]
    prompts = train.first_prompts(rng, examples, is_box=False)
    with torch.inference_mode():
        features = train.encode(model, examples)
        logits, scores = train.decode(model, features, prompts, None)
        sparse, dense = model.prompt_encoder(
            (torch.from_numpy(prompts[0][3:4]), torch.from_numpy(prompts[1][3:4])), None, None
        )
        expected, expected_scores = model.mask_decoder.predict_masks(
            features[3:4], model.prompt_encoder.get_dense_pe(), sparse, dense
        )
    assert torch.allclose(logits[3:4], expected, atol=1e-4)
    assert torch.allclose(scores[3:4], expected_scores, atol=1e-4)
