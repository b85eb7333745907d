"""SAM's encoder computed our way: the same features as the package's, in float32 and in smaller numbers."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sam_annotator.engine.device import fastest_precision, has_fast_bfloat16
from sam_annotator.engine.sam import encoder as sam_encoder
from sam_annotator.engine.sam.encoder import FastEncoder
from sam_annotator.engine.segmenter import EncodingStopped, never
from tests.engine.small_sam import small_sam


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def an_encoder(**options: Any) -> Any:
    """The package's encoder, whose relative and absolute positions say something (they are made as zeros)."""
    encoder = small_sam(**options).image_encoder
    random = torch.Generator().manual_seed(1)
    for name, parameter in encoder.named_parameters():
        if "pos" in name:
            parameter.data = 0.5 * torch.randn(parameter.shape, generator=random)
    return encoder


def some_pixels(side: int, count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(2))


@torch.inference_mode()
def apart(encoder: Any, other: Any, pixels: torch.Tensor) -> float:
    """The largest difference of two encoders' features."""
    expected, features = encoder(pixels), other(pixels)
    assert features.shape == expected.shape
    assert features.dtype == torch.float32
    return float((features - expected).abs().max())


@pytest.mark.parametrize(
    "options",
    [
        {"window": 4},  # fits the grid of 8 tokens
        {"window": 3},  # does not: windows are padded
        {"window": 8},
        {"window": 0},
        {"window": 14},  # larger than the grid
        {"depth": 3, "patch": 8, "heads": 2},
        {"side": 80, "window": 3, "width": 48, "heads": 3},
    ],
)
@pytest.mark.parametrize("scores", [1 << 20, 100])
def test_features_in_float32_are_those_of_the_package(
    options: dict[str, int], scores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sam_encoder, "_SCORES", scores)  # so few that attention is computed in many parts
    encoder = an_encoder(**options)
    assert apart(encoder, FastEncoder(encoder, torch.float32), some_pixels(encoder.img_size)) < 1e-5


def test_many_images_at_a_time_are_what_each_is_by_itself() -> None:
    encoder = an_encoder(window=3)
    assert apart(encoder, FastEncoder(encoder, torch.float32), some_pixels(128, count=3)) < 1e-5


def test_tables_of_relative_positions_of_another_size_are_scaled_as_the_package_does_it() -> None:
    encoder = an_encoder(window=3)
    attention = encoder.blocks[-1].attn
    attention.rel_pos_h = torch.nn.Parameter(torch.randn(9, attention.rel_pos_h.shape[1]))
    assert apart(encoder, FastEncoder(encoder, torch.float32), some_pixels(128)) < 1e-5


def test_an_encoder_without_positions_is_computed_too() -> None:
    encoder = an_encoder(window=3)
    encoder.pos_embed = None
    for block in encoder.blocks:
        block.attn.use_rel_pos = False
    assert apart(encoder, FastEncoder(encoder, torch.float32), some_pixels(128)) < 1e-5


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_in_smaller_numbers_features_are_as_close_as_with_plain_autocast(precision: torch.dtype) -> None:
    encoder = an_encoder(depth=4, width=96, window=3)
    pixels = some_pixels(128)
    with torch.inference_mode():
        exact = encoder(pixels)
        with torch.autocast("cpu", dtype=precision):
            plain = (encoder(pixels).float() - exact).abs()
        ours = (FastEncoder(encoder, precision)(pixels) - exact).abs()
    assert 0 < ours.mean() <= plain.mean()
    assert ours.max() <= 1.5 * plain.max()


def test_the_fused_attention_of_other_devices_is_the_same_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = an_encoder(window=3)
    monkeypatch.setattr(sam_encoder, "_attend", sam_encoder.attend_fused)
    assert apart(encoder, FastEncoder(encoder, torch.float32), some_pixels(128)) < 1e-5


def test_an_image_can_be_given_up_between_two_blocks() -> None:
    encoder, asked = FastEncoder(an_encoder(), torch.float32), iter([False, True])
    pixels = some_pixels(encoder.img_size)
    whole = encoder(pixels)
    encoder.should_stop = lambda: next(asked)
    with pytest.raises(EncodingStopped):
        encoder(pixels)
    encoder.should_stop = never
    assert torch.equal(encoder(pixels), whole)


def test_the_packages_encoder_stays_as_it_was() -> None:
    encoder = an_encoder(window=3)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    fast = FastEncoder(encoder, torch.float32)
    fast.set_precision(torch.bfloat16)
    fast.half()
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())


def test_precision_can_be_changed_and_only_matrices_take_part() -> None:
    encoder = an_encoder(window=3)
    changed = FastEncoder(encoder, torch.float32)
    changed.set_precision(torch.bfloat16)
    assert changed.precision == torch.bfloat16
    assert apart(FastEncoder(encoder, torch.bfloat16), changed, some_pixels(128)) == 0
    assert changed.norms[0].weight.dtype == torch.float32


def test_a_processor_computes_in_bfloat16_only_where_that_is_faster() -> None:
    expected = torch.bfloat16 if has_fast_bfloat16() else torch.float32
    assert fastest_precision(torch.device("cpu")) == expected


@pytest.mark.parametrize(
    ("capability", "precision"),
    [((9, 0), torch.bfloat16), ((8, 0), torch.bfloat16), ((7, 5), torch.float16), ((6, 1), torch.float32)],
)
def test_a_gpu_computes_in_the_numbers_that_it_multiplies_itself(
    capability: tuple[int, int], precision: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert fastest_precision(torch.device("cuda")) == precision
