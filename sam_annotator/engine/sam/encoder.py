"""SAM's image encoder with the parameters of the package's own (`ImageEncoderViT`), computed faster.

What differs is the way, not the sum:

* Relative positions enter attention as further components of queries and keys, so that no matrix of all pairs of
  tokens is ever written for them: with one-hot rows and columns in the keys, the product of the longer vectors is
  `q . k + rel_h[row] + rel_w[column]`.
* On a CPU attention runs over a few hundred queries at a time, whose scores stay in the cache; on other devices torch's
  fused attention takes the same queries and keys.
* Windows are padded after the projection to queries, keys and values: what is padded is zero before it, and so the
  projection's bias after it.
* Matrices are in the chosen precision; the residual stream, norms and sums of products are in float32.

Paper: Li et al., Exploring Plain Vision Transformer Backbones for Object Detection, arXiv 2203.16527.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from sam_annotator.engine.segmenter import EncodingStopped, never

_SCORES = 1 << 20
"""Attention scores computed at a time on a CPU: two MB in bfloat16, which a core's cache holds."""


class FastEncoder(nn.Module):
    """Takes the place of an `ImageEncoderViT`.

    Attributes:
        img_size: side of its square input in pixels, which the package's own code asks for.
        should_stop: asked before each block; True: EncodingStopped is raised.
    """

    def __init__(self, encoder: Any, precision: torch.dtype) -> None:
        """
        Args:
            encoder: a `segment_anything.modeling.ImageEncoderViT`; float32 parameters are shared, not copied.
            precision: float32, or bfloat16 or float16 where the device computes with it.
        """
        super().__init__()
        self.should_stop: Callable[[], bool] = never
        self.img_size: int = encoder.img_size
        patch = encoder.patch_embed.proj
        self.patch: int = patch.kernel_size[0]
        self.embed = _Linear(patch.weight.flatten(1), patch.bias, precision)
        self.positions = None if encoder.pos_embed is None else _constant(encoder.pos_embed)
        self.blocks = nn.ModuleList(_Block(block, self.img_size // self.patch, precision) for block in encoder.blocks)
        narrow, first_norm, wide, last_norm = encoder.neck
        self.narrow = _Linear(narrow.weight.flatten(1), narrow.bias, precision)
        self.wide = _constant(wide.weight.to(precision, memory_format=torch.channels_last))
        self.norms = nn.ModuleList(_Norm(norm) for norm in (first_norm, last_norm))

    @property
    def precision(self) -> torch.dtype:
        """Of its matrices."""
        return self.wide.dtype

    def set_precision(self, precision: torch.dtype) -> None:
        """Compute in another precision from now on."""
        for module in self.modules():
            if isinstance(module, (_Linear, _Attention)):
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.to(precision)
        self.wide.data = self.wide.data.to(precision)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Images as `Sam.preprocess` makes them, float32 (N, 3, img_size, img_size); returns float32 (N, C, H, W)."""
        tokens = self.embed(_patches(pixels.to(self.precision), self.patch)).float()
        if self.positions is not None:
            tokens = tokens + self.positions
        for block in self.blocks:
            if self.should_stop():
                raise EncodingStopped
            tokens = block(tokens)
        tokens = self.norms[0](self.narrow(tokens.to(self.precision)))
        features = functional.conv2d(tokens.to(self.precision).permute(0, 3, 1, 2), self.wide, padding=1)
        normed: torch.Tensor = self.norms[1](features.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2).contiguous()


def _patches(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """(N, 3, H * side, W * side) to (N, H, W, 3 * side * side)."""
    count, channels, height, width = pixels.shape
    parts = pixels.view(count, channels, height // side, side, width // side, side)
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(3)


def _constant(values: torch.Tensor) -> nn.Parameter:
    """As a parameter that needs no gradient, so that it moves with its module."""
    return nn.Parameter(values.detach(), requires_grad=False)


class _Linear(nn.Module):
    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, precision: torch.dtype) -> None:
        super().__init__()
        self.weight = _constant(weight.to(precision))
        self.bias = None if bias is None else _constant(bias.to(precision))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return functional.linear(values, self.weight, self.bias)


class _Norm(nn.Module):
    """Over the last axis, in float32; takes the parameters of torch's LayerNorm and of the package's LayerNorm2d."""

    def __init__(self, norm: Any) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = _constant(norm.weight), _constant(norm.bias), norm.eps

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(values.float(), values.shape[-1:], self.weight, self.bias, self.eps)


class _Block(nn.Module):
    """A transformer block; tokens are float32 (N, H, W, C)."""

    def __init__(self, block: Any, grid: int, precision: torch.dtype) -> None:
        super().__init__()
        self.norm1, self.norm2 = _Norm(block.norm1), _Norm(block.norm2)
        self.attention = _Attention(block.attn, block.window_size or grid, precision)
        self.widen = _Linear(block.mlp.lin1.weight, block.mlp.lin1.bias, precision)
        self.narrow = _Linear(block.mlp.lin2.weight, block.mlp.lin2.bias, precision)
        self.activation = block.mlp.act

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        precision = self.widen.weight.dtype
        tokens = tokens + self.attention(self.norm1(tokens).to(precision))
        wide = self.activation(self.widen(self.norm2(tokens).to(precision)))
        added: torch.Tensor = tokens + self.narrow(wide)
        return added


class _Attention(nn.Module):
    """Within windows of `side` x `side` tokens; one window of the grid's size is attention over all."""

    def __init__(self, attention: Any, side: int, precision: torch.dtype) -> None:
        super().__init__()
        self.side, self.heads, self.scale = side, attention.num_heads, attention.scale
        self.qkv = _Linear(attention.qkv.weight, attention.qkv.bias, precision)
        self.project = _Linear(attention.proj.weight, attention.proj.bias, precision)
        self.has_places: bool = attention.use_rel_pos
        if self.has_places:
            self.rows = _constant(_relative(attention.rel_pos_h, side).to(precision))
            self.columns = _constant(_relative(attention.rel_pos_w, side).to(precision))
            places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
            self.places = _constant(functional.one_hot(places, side).flatten(1).to(precision))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        count, height, width, channels = tokens.shape
        windows = self._windows(self.qkv(tokens))
        queries, keys, values = self._split(windows)
        answers = _attend(queries, keys, values)
        answers = answers.view(count, *windows.shape[1:3], self.heads, self.side, self.side, -1)
        answers = answers.permute(0, 1, 4, 2, 5, 3, 6).reshape(
            count, windows.shape[1] * self.side, windows.shape[2] * self.side, channels
        )
        projected: torch.Tensor = self.project(answers[:, :height, :width])
        return projected

    def _windows(self, qkv: torch.Tensor) -> torch.Tensor:
        """(N, H, W, 3C) to (N, rows of windows, columns, side, side, 3C)."""
        count, height, width, channels = qkv.shape
        down, across = -(-height // self.side), -(-width // self.side)
        if (down * self.side, across * self.side) != (height, width):
            padded = qkv.new_zeros(count, down * self.side, across * self.side, channels)
            if self.qkv.bias is not None:
                padded += self.qkv.bias
            padded[:, :height, :width] = qkv
            qkv = padded
        return qkv.view(count, down, self.side, across, self.side, channels).transpose(2, 3)

    def _split(self, windows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys (windows * heads, side * side, head's width + places) and values (..., head's width)."""
        split = windows.view(*windows.shape[:-1], 3, self.heads, -1).permute(5, 0, 1, 2, 6, 3, 4, 7)
        queries, keys, values = split.flatten(1, 4)  # each (windows * heads, side, side, head's width)
        if not self.has_places:
            return (queries * self.scale).flatten(1, 2), keys.flatten(1, 2), values.flatten(1, 2)
        rows = torch.einsum("nhwc,hkc->nhwk", queries, self.rows)
        columns = torch.einsum("nhwc,wkc->nhwk", queries, self.columns)
        queries = torch.cat([queries * self.scale, rows, columns], -1).flatten(1, 2)
        keys = torch.cat([keys.flatten(1, 2), self.places.expand(len(keys), -1, -1)], -1)
        return queries, keys, values.flatten(1, 2)


def _relative(table: torch.Tensor, side: int) -> torch.Tensor:
    """Embeddings of relative positions (2 * size - 1, C) as (side of queries, side of keys, C)."""
    if len(table) != 2 * side - 1:
        scaled = functional.interpolate(table.detach().T[None], size=2 * side - 1, mode="linear")
        table = scaled[0].T
    places = torch.arange(side, device=table.device)
    return table.detach()[places[:, None] - places[None] + side - 1]


def _attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """softmax(queries keys^T) values; (M, N, longer), (M, N, longer), (M, N, C); returns (M, N, C)."""
    return (attend_in_parts if queries.device.type == "cpu" else attend_fused)(queries, keys, values)


def attend_fused(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """By torch's fused kernels, which want one width of all three, divisible by eight."""
    width = -(-keys.shape[-1] // 8) * 8
    asked, offered, held = (functional.pad(each, (0, width - each.shape[-1]))[None] for each in (queries, keys, values))
    answers = functional.scaled_dot_product_attention(asked, offered, held, scale=1.0)
    return answers[0, ..., : values.shape[-1]]


def attend_in_parts(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Some windows and some queries at a time."""
    answers = torch.empty_like(values, memory_format=torch.contiguous_format)
    tokens = queries.shape[1]
    windows, rows = max(1, _SCORES // tokens**2), max(1, min(tokens, _SCORES // tokens))
    for first in range(0, len(queries), windows):
        some = slice(first, first + windows)
        others, theirs = keys[some].transpose(1, 2), values[some]
        for row in range(0, tokens, rows):
            scores = queries[some, row : row + rows] @ others
            answers[some, row : row + rows] = scores.softmax(-1) @ theirs
    return answers
