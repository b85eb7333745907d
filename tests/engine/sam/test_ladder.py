"""Memory runs out while SAM computes: it goes on further down, says so, and the click is answered."""

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt
from sam_annotator.engine.device import fastest_precision
from sam_annotator.engine.sam.encoder import FastEncoder
from sam_annotator.engine.sam.ladder import Rung, rungs_below
from sam_annotator.engine.sam.segmenter import SamSegmenter
from tests.engine.small_sam import small_sam

CLICK = Prompt(points=((30.0, 40.0),), includes=(True,))
CPU = torch.device("cpu")
HIGH, LOW = Rung(CPU, torch.float32), Rung(CPU, torch.bfloat16)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Scarce:
    """Memory that is not enough for some of what the models ask for: stands before the forward of a module's class."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, is_too_much: Any) -> None:
        self.attempts = 0
        forward = kind.forward  # type: ignore[attr-defined]

        def compute(module: Any, *arguments: Any, **options: Any) -> Any:
            self.attempts += 1
            if is_too_much(self.attempts, module):
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMuch more text")
            return forward(module, *arguments, **options)

        monkeypatch.setattr(kind, "forward", compute)


def an_image() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (90, 130, 3), dtype=np.uint8)


def a_segmenter(told: list[str], *lower: Rung) -> SamSegmenter:
    return SamSegmenter(small_sam(), name="a small SAM", rung=HIGH, lower=lower, report=told.append)


def test_what_other_programs_held_for_a_moment_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Scarce(monkeypatch, FastEncoder, lambda attempt, _encoder: attempt == 1)
    told: list[str] = []
    segmenter = a_segmenter(told, LOW)
    segmenter.set_image(an_image())
    assert len(segmenter.predict(CLICK)) == 3
    assert segmenter.name == "a small SAM, cpu float32"
    assert not told


def test_a_frame_is_encoded_in_smaller_numbers_where_the_larger_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = SamSegmenter(small_sam(), name="another", rung=LOW)
    expected.set_image(an_image())
    scarce = Scarce(monkeypatch, FastEncoder, lambda _attempt, encoder: encoder.precision == torch.float32)
    told: list[str] = []
    segmenter = a_segmenter(told, LOW)
    segmenter.set_image(an_image())
    answers, others = segmenter.predict(CLICK), expected.predict(CLICK)
    assert all(np.array_equal(answer.state, other.state) for answer, other in zip(answers, others, strict=True))
    assert told == ["Segment Anything goes on with cpu bfloat16, for cpu float32 is out of memory."]
    assert segmenter.name == "a small SAM, cpu bfloat16 (cpu float32 ran out of memory)"
    assert scarce.attempts == 3  # as it was, with empty caches, in smaller numbers
    segmenter.set_image(an_image())
    assert scarce.attempts == 4  # it stays there


def test_a_click_for_which_memory_is_short_is_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    segmenter = a_segmenter(told, LOW)
    segmenter.set_image(an_image())
    expected = segmenter.predict(CLICK)
    decoder = type(segmenter._predictor.model.mask_decoder)
    Scarce(monkeypatch, decoder, lambda attempt, _decoder: attempt <= 2)
    answers = segmenter.predict(CLICK)
    assert all(np.array_equal(answer.state, other.state) for answer, other in zip(answers, expected, strict=True))
    assert len(told) == 1


def test_a_model_that_does_not_fit_is_loaded_further_down(monkeypatch: pytest.MonkeyPatch) -> None:
    kind, attempts = type(small_sam()), []
    move = kind.to

    def fit(model: Any, device: torch.device) -> Any:
        attempts.append(device)
        if len(attempts) <= 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return move(model, device)

    monkeypatch.setattr(kind, "to", fit)
    told: list[str] = []
    segmenter = a_segmenter(told, LOW)
    segmenter.set_image(an_image())
    assert len(segmenter.predict(CLICK)) == 3
    assert segmenter.name == "a small SAM, cpu bfloat16 (cpu float32 ran out of memory)"
    assert len(told) == 1


def test_where_nothing_is_left_to_try_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    Scarce(monkeypatch, FastEncoder, lambda _attempt, _encoder: True)
    segmenter = a_segmenter([], LOW)
    with pytest.raises(EngineError, match=r"out of memory.*\. If memory is short, choose a smaller checkpoint"):
        segmenter.set_image(an_image())
    with pytest.raises(EngineError, match="set an image"):
        segmenter.predict(CLICK)


def test_another_failure_is_not_taken_for_a_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_encoder: FastEncoder, _pixels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the shapes do not agree")

    monkeypatch.setattr(FastEncoder, "forward", fail)
    told: list[str] = []
    with pytest.raises(EngineError, match="the shapes do not agree"):
        a_segmenter(told, LOW).set_image(an_image())
    assert not told


def test_what_the_failed_attempt_held_is_free_when_the_next_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[Any] = []
    forward = FastEncoder.forward

    class Big:
        alive = 0

        def __init__(self) -> None:
            Big.alive += 1

        def __del__(self) -> None:
            Big.alive -= 1

    def compute(encoder: FastEncoder, pixels: torch.Tensor) -> torch.Tensor:
        held.append(Big.alive)
        _big = Big()
        if len(held) < 3:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return forward(encoder, pixels)

    monkeypatch.setattr(FastEncoder, "forward", compute)
    a_segmenter([], LOW).set_image(an_image())
    assert held == [0, 0, 0]


def test_the_ladder_of_a_gpu_ends_at_the_processor() -> None:
    gpu, ground = torch.device("cuda:1"), Rung(CPU, fastest_precision(CPU))
    assert rungs_below(Rung(gpu, torch.bfloat16)) == (ground,)
    assert rungs_below(Rung(gpu, torch.float32)) == (Rung(gpu, torch.float16), ground)
    assert rungs_below(ground) == ()


def test_a_segmenter_that_is_dropped_frees_its_model_without_a_search_for_garbage() -> None:
    segmenter = a_segmenter([], LOW)
    segmenter.set_image(an_image())
    segmenter.predict(CLICK)
    model, encoder = (
        weakref.ref(part) for part in (segmenter._predictor.model, segmenter._predictor.model.image_encoder)
    )
    gc.freeze()  # as the window does
    gc.disable()
    try:
        del segmenter
        assert model() is None
        assert encoder() is None
    finally:
        gc.enable()
        gc.unfreeze()


def test_weights_that_were_rounded_above_are_said_to_be_below(monkeypatch: pytest.MonkeyPatch) -> None:
    Scarce(monkeypatch, FastEncoder, lambda _attempt, encoder: encoder.precision == torch.bfloat16)
    segmenter = SamSegmenter(small_sam(), name="a small SAM", rung=LOW, lower=(HIGH,))
    segmenter.set_image(an_image())
    assert segmenter.name == ("a small SAM, cpu float32, weights rounded to bfloat16 (cpu bfloat16 ran out of memory)")
