"""An image that polygons are drawn in, one after the other."""

import threading

import numpy as np
from PIL import Image, ImageDraw


class Board(threading.local):
    """An empty image of the size that was asked for last, to draw in with Pillow and to look at with NumPy.

    A new image for every polygon would take longer than the drawing. One for each thread.

    Attributes:
        pixels: uint8 (height, width); who draws leaves zeros behind.
        is_shared: what is drawn shows in `pixels`. False where a version of Pillow draws into a copy of it.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self.pixels = np.zeros((0, 0), np.uint8)
        self.draw: ImageDraw.ImageDraw
        self.is_shared = False

    def of(self, height: int, width: int) -> "Board":
        """The board, with this size."""
        if self._size != (height, width):
            self.pixels = np.zeros((height, width), np.uint8)
            image = Image.frombuffer("L", (width, height), self.pixels, "raw", "L", 0, 1)
            image.readonly = 0  # Pillow would copy it before drawing; the buffer is ours, and is shared on purpose
            self.draw = ImageDraw.Draw(image)
            self._size = height, width
            self.draw.point((0, 0), fill=1)
            self.is_shared = bool(self.pixels[0, 0])
            self.pixels[0, 0] = 0
        return self
