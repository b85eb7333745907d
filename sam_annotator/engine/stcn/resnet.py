"""The residual networks that encode frames and masks, down to a sixteenth of the image.

Paper: He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385. Strides lie on the 3 x 3 convolutions.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, everybody's name for it
from torch.nn.utils.fusion import fuse_conv_bn_eval


class Bottleneck(nn.Module):
    """Three convolutions, the middle one on a quarter of the channels: (n, inputs, h, w) -> (n, 4 width, h', w')."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class BasicBlock(nn.Module):
    """Two convolutions, with biases: (n, inputs, h, w) -> (n, outputs, h', w')."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def bottlenecks(inputs: int, width: int, count: int, stride: int = 1) -> nn.Sequential:
    """A stage of ResNet-50."""
    return nn.Sequential(Bottleneck(inputs, width, stride), *(Bottleneck(4 * width, width) for _ in range(count - 1)))


def basic_blocks(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A stage of ResNet-18."""
    return nn.Sequential(BasicBlock(inputs, outputs, stride), BasicBlock(outputs, outputs))


def fold_norms(model: nn.Module) -> None:
    """Move every batch norm into the convolution before it; the model then computes the same with less work.

    Its parameters change their names: load weights before.
    """
    for module in list(model.modules()):
        children = dict(module.named_children())
        for name, norm in children.items():
            if isinstance(norm, nn.BatchNorm2d):
                before = name.replace("bn", "conv") if name.startswith("bn") else str(int(name) - 1)
                setattr(module, before, fuse_conv_bn_eval(cast(nn.Conv2d, children[before]), norm))
                setattr(module, name, nn.Identity())


def _shortcut(inputs: int, outputs: int, stride: int, *, bias: bool) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=bias), nn.BatchNorm2d(outputs))
