"""The size at which the network works, whatever the video's."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sam_annotator.engine.stcn.network import STRIDE

MEAN = (0.485, 0.456, 0.406)
STANDARD_DEVIATION = (0.229, 0.224, 0.225)
"""Of the photographs that the encoders were trained with, in RGB."""


@dataclass(frozen=True)
class WorkingSize:
    """A frame's size, the size it is scaled down to, and the zeros around it up to multiples of 16.

    Attributes:
        full: (height, width) of the video.
        inner: (height, width) of the scaled frame; never larger than `full`.
        pads: left, right, top, bottom; half on each side, the odd pixel at the end.
    """

    full: tuple[int, int]
    inner: tuple[int, int]
    pads: tuple[int, int, int, int]

    @classmethod
    def of(cls, height: int, width: int, short_side: int) -> "WorkingSize":
        """For frames of this size, whose shorter side is to be at most `short_side`."""
        scale = min(1.0, short_side / min(height, width))
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        vertical, horizontal = (-side % STRIDE for side in inner)
        top, left = vertical // 2, horizontal // 2
        return cls((height, width), inner, (left, horizontal - left, top, vertical - top))

    def frame(self, image: NDArray[np.uint8]) -> Tensor:
        """An image uint8 (height, width, 3), RGB -> float32 (1, 3, padded height, padded width), normalised."""
        scaled = torch.from_numpy(np.array(self._shrunk(image), dtype=np.float32)) / 255
        normal = (scaled - torch.tensor(MEAN)) / torch.tensor(STANDARD_DEVIATION)
        return torch.nn.functional.pad(normal.permute(2, 0, 1)[None], self.pads)

    def mask(self, mask: NDArray[np.bool_]) -> Tensor:
        """A mask bool (height, width) -> float32 (padded height, padded width), the part of each pixel it covers."""
        cover = torch.from_numpy(np.array(self._shrunk(mask.astype(np.float32))))
        return torch.nn.functional.pad(cover, self.pads)

    def without_pads(self, plane: Tensor) -> Tensor:
        """(..., padded height, padded width) -> (..., inner height, inner width)."""
        left, _, top, _ = self.pads
        return plane[..., top : top + self.inner[0], left : left + self.inner[1]]

    def enlarged(self, plane: Tensor) -> NDArray[np.float32]:
        """A padded plane of probabilities at the video's size: float32 (height, width)."""
        inner = self.without_pads(plane).float().cpu().numpy()
        if self.inner == self.full:
            return np.ascontiguousarray(inner)
        return np.asarray(cv2.resize(inner, self.full[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def _shrunk(self, array: NDArray[np.generic]) -> NDArray[np.generic]:
        if self.inner == self.full:
            return array
        return np.asarray(cv2.resize(array, self.inner[::-1], interpolation=cv2.INTER_AREA))
