"""STCN's network: what a frame looks like (key), what of it is an object (value), and masks from what memory gives.

Sizes: a frame is (1, 3, height, width) with sides that are multiples of 16; `h, w` are a sixteenth of them, and `k`
counts objects. What depends on the frame alone is computed once for all its objects.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, everybody's name for it

from sam_annotator.engine.stcn.resnet import basic_blocks, bottlenecks

WIDTH = 64
"""Channels of the published network after its first convolution; all others are multiples of it."""

KEY_CHANNELS = 64
"""Channels of the published network's keys."""

STRIDE = 16
"""Pixels of a frame, along each side, to one place of memory."""


@dataclass(frozen=True, eq=False)
class FrameFeatures:
    """What the network sees in a frame, whatever the objects.

    Attributes:
        image: (1, 3, height, width), normalised.
        key: float32 (1, key channels, h, w): places that look alike have keys that lie close together.
        thin: (1, 8 width, h, w), for the decoder.
        f16, f8, f4: the encoder's features at a sixteenth, an eighth and a quarter of the frame's size.
    """

    image: Tensor
    key: Tensor
    thin: Tensor
    f16: Tensor
    f8: Tensor
    f4: Tensor


class StcnNetwork(nn.Module):
    """The whole network; `load_state_dict` takes the published checkpoint strictly.

    Attributes:
        key_channels, value_channels: of what memory keeps of each place.
    """

    def __init__(self, width: int = WIDTH, key_channels: int = KEY_CHANNELS) -> None:
        super().__init__()
        self.key_channels, self.value_channels = key_channels, 8 * width
        self.key_encoder = KeyEncoder(width)
        self.value_encoder = ValueEncoder(width)
        self.key_proj = nn.Sequential(OrderedDict(key_proj=_conv3(16 * width, key_channels)))
        self.key_comp = _conv3(16 * width, 8 * width)
        self.decoder = Decoder(width)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self.key_comp.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.key_comp.weight.device

    def encode_frame(self, image: Tensor) -> FrameFeatures:
        """See a frame: float (1, 3, height, width), RGB, normalised, on any device."""
        image = image.to(self.device, self.dtype)
        f16, f8, f4 = self.key_encoder(image)
        return FrameFeatures(image, self.key_proj(f16).float(), self.key_comp(f16), f16, f8, f4)

    def encode_values(self, frame: FrameFeatures, masks: Tensor, others: Tensor) -> Tensor:
        """What memory keeps of each object.

        Args:
            masks: float (k, 1, height, width), the probability of each object.
            others: of the same shape, for each object the sum of all other objects' probabilities.

        Returns:
            (k, 8 width, h, w).
        """
        values: Tensor = self.value_encoder(frame, torch.cat([masks, others], 1).to(self.dtype))
        return values

    def decode(self, frame: FrameFeatures, readouts: Tensor) -> Tensor:
        """The probability of each object by itself, float32 (k, 1, height, width), from what it has in memory.

        Args:
            readouts: (k, 8 width, h, w), for each place of the frame the object's values at the places that match.
        """
        return torch.sigmoid(self.decoder(frame, readouts.to(self.dtype)))


class KeyEncoder(nn.Module):
    """ResNet-50 without its last stage."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.res2 = bottlenecks(width, width, 3)
        self.layer2 = bottlenecks(4 * width, 2 * width, 4, stride=2)
        self.layer3 = bottlenecks(8 * width, 4 * width, 6, stride=2)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n, 3, height, width) -> features at a sixteenth, an eighth, a quarter of the size."""
        x = F.relu(self.bn1(self.conv1(image)))
        f4 = self.res2(F.max_pool2d(x, 3, stride=2, padding=1))
        f8 = self.layer2(f4)
        return self.layer3(f8), f8, f4


class ValueEncoder(nn.Module):
    """ResNet-18 without its last stage on the frame and two more planes; then joined with the frame's features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3 + 2, width, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = basic_blocks(width, width)
        self.layer2 = basic_blocks(width, 2 * width, stride=2)
        self.layer3 = basic_blocks(2 * width, 4 * width, stride=2)
        self.fuser = Fuser(4 * width + 16 * width, 8 * width)

    def forward(self, frame: FrameFeatures, planes: Tensor) -> Tensor:
        """Planes (k, 2, height, width) of one frame -> (k, 8 width, h, w)."""
        x = F.relu(self.bn1(_convolve_pair(self.conv1, frame.image, planes)))
        x = self.layer1(F.max_pool2d(x, 3, stride=2, padding=1))
        fused: Tensor = self.fuser(self.layer3(self.layer2(x)), frame.f16)
        return fused


class Fuser(nn.Module):
    """Joins what is known of the objects with what is known of the frame."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.block1 = ResidualBlock(inputs, outputs)
        self.attention = Attention(outputs)
        self.block2 = ResidualBlock(outputs, outputs)

    def forward(self, objects: Tensor, frame: Tensor) -> Tensor:
        x = self.block1(objects, frame)
        fused: Tensor = self.block2(x + self.attention(x))
        return fused


class Attention(nn.Module):
    """CBAM: which channels matter, then which places. Paper: Woo et al., arXiv 1807.06521."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.ChannelGate = _ChannelGate(channels, reduction)
        self.SpatialGate = _SpatialGate()

    def forward(self, x: Tensor) -> Tensor:
        gated: Tensor = self.SpatialGate(self.ChannelGate(x))
        return gated


class _ChannelGate(nn.Module):
    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(1, channels // reduction)
        self.mlp = nn.Sequential(nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        return x * torch.sigmoid(gate)[:, :, None, None]


class _SpatialGate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spatial = nn.Sequential(OrderedDict(conv=nn.Conv2d(2, 1, 7, padding=3)))

    def forward(self, x: Tensor) -> Tensor:
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.spatial(pooled))


class ResidualBlock(nn.Module):
    """Two convolutions, each after a ReLU, without norms."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.downsample = None if inputs == outputs else _conv3(inputs, outputs)
        self.conv1 = _conv3(inputs, outputs)
        self.conv2 = _conv3(outputs, outputs)

    def forward(self, x: Tensor, shared: Tensor | None = None) -> Tensor:
        """(k, inputs, h, w) -> (k, outputs, h, w).

        Args:
            shared: the last channels of the input where they are the same for all k: (1, channels, h, w).
        """
        active = None if shared is None else F.relu(shared)
        y: Tensor = self.conv2(F.relu(_convolve_pair(self.conv1, F.relu(x), active)))
        return y + (x if self.downsample is None else _convolve_pair(self.downsample, x, shared))


class Decoder(nn.Module):
    """From what memory gives at a sixteenth of the size back to the frame's, with its features of finer sizes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.compress = ResidualBlock(16 * width, 8 * width)
        self.up_16_8 = Upsampling(8 * width, 8 * width, 4 * width)
        self.up_8_4 = Upsampling(4 * width, 4 * width, 4 * width)
        self.pred = _conv3(4 * width, 1)

    def forward(self, frame: FrameFeatures, readouts: Tensor) -> Tensor:
        """Logits, float32 (k, 1, height, width)."""
        x = self.compress(readouts, frame.thin)
        x = self.up_8_4(frame.f4, self.up_16_8(frame.f8, x))
        return F.interpolate(self.pred(F.relu(x)).float(), scale_factor=4, mode="bilinear", align_corners=False)


class Upsampling(nn.Module):
    """To twice the size, with the frame's features of that size."""

    def __init__(self, frame_channels: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.skip_conv = _conv3(frame_channels, inputs)
        self.out_conv = ResidualBlock(inputs, outputs)

    def forward(self, frame: Tensor, x: Tensor) -> Tensor:
        larger = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        finer: Tensor = self.out_conv(larger + self.skip_conv(frame))
        return finer


def _conv3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _convolve_pair(conv: nn.Conv2d, first: Tensor, second: Tensor | None) -> Tensor:
    """`conv` of both, one's channels after the other's; where one is the same for all, its part is computed once."""
    if second is None or len(first) == len(second):
        joined: Tensor = conv(first if second is None else torch.cat([first, second], 1))
        return joined
    weight, at = conv.weight, first.shape[1]
    of_first = F.conv2d(first, weight[:, :at], conv.bias, conv.stride, conv.padding)
    of_second: Tensor = F.conv2d(second, weight[:, at:], None, conv.stride, conv.padding)
    return of_first + of_second
