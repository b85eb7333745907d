"""What a prompt says of an image's regions: which are clicked, which lie outside its box, which clicks are new."""

import math

import cv2
import numpy as np

from sam_annotator.core.prompt import Prompt
from sam_annotator.engine.embedded.cut import Chosen, Question
from sam_annotator.engine.embedded.masks import Box, Mask, Pixel, box_within, pixel_of
from sam_annotator.engine.embedded.reach import FARTHEST, MOST_FADE
from sam_annotator.engine.embedded.regions import Floats, Regions
from sam_annotator.engine.embedded.trust import Click

BOX_MARGIN = 0.02  # of the box's sides
BOX_PRIOR = 0.4  # how much objects are taken to fill the middle of their box
CONTEXT = 1.0  # of the box's longer side: how far from it the background is still like the one inside


class Asked:
    """A prompt on the regions of an image.

    Attributes:
        clicks: the pixels that were clicked, and whether they belong to the object; of two on one the later counts.
        include: those that do.
        box: within the image, holding the include clicks; None without one.
        has_new_box: the mask before answers no box, or another one.
        fresh: (x, y) in working pixels and whether it includes: the clicks that the mask before does not answer yet.
    """

    def __init__(self, regions: Regions, size: tuple[int, int], prompt: Prompt, answered: Prompt) -> None:
        """Of an image of this size, height and width, whose mask before answered another prompt."""
        self._regions, self._size = regions, size
        clicks = list(zip(prompt.points, prompt.includes, strict=True))
        seen = set(zip(answered.points, answered.includes, strict=True))
        self.clicks = {pixel_of(point, size): flag for point, flag in clicks}
        self.include = [pixel for pixel, flag in self.clicks.items() if flag]
        self.box = box_within(prompt.box, size, self.include) if prompt.box is not None else None
        self.has_new_box = prompt.box is not None and prompt.box != answered.box
        counting = [(point, flag) for point, flag in clicks if self.clicks[pixel_of(point, size)] == flag]
        self._fresh = [click for click in counting if click not in seen]
        self.fresh: list[Click] = [(self._working_point(point), flag) for point, flag in self._fresh]

    @property
    def newly(self) -> set[bool]:
        """Whether the fresh clicks include: {True}, {False}, both or none."""
        return {flag for _, flag in self._fresh}

    @property
    def newly_excluded(self) -> list[Pixel]:
        """The pixels of the fresh exclude clicks."""
        return [pixel_of(point, self._size) for point, flag in self._fresh if not flag]

    def question(self, prior: Floats, context: Floats) -> Question:
        """What the clicks and the box ask for, after what is known before them and where colours count, each (n,)."""
        include = [self.region_at(pixel) for pixel, flag in self.clicks.items() if flag]
        exclude = [self.region_at(pixel) for pixel, flag in self.clicks.items() if not flag]
        return Question(
            np.array([one for one in include if one not in exclude[-1:]], np.intp),
            np.array([one for one in exclude if one not in include], np.intp),
            self._outside(),
            prior,
            context,
        )

    def region_at(self, pixel: Pixel) -> int:
        """The region of a pixel of the image."""
        x, y = self._working_point(pixel)
        height, width = self._regions.labels.shape
        return int(self._regions.labels[min(int(y), height - 1), min(int(x), width - 1)])

    def fresh_regions(self, *, include: bool) -> list[int]:
        """The regions of the fresh clicks of one kind."""
        return [self.region_at(pixel_of(point, self._size)) for point, flag in self._fresh if flag == include]

    def near(self) -> Mask:
        """The pixels that the fresh clicks may change at most, for regions can be long; bool, of the image's size."""
        near = np.zeros(self._size, np.uint8)
        for point, _ in self._fresh:
            cv2.circle(near, pixel_of(point, self._size), int(FARTHEST * MOST_FADE * min(self._size)) + 1, 1, -1)
        return near > 0

    def context(self) -> Floats:
        """The background near a box counts, not all of the image, (n,)."""
        if self.box is None:
            return np.ones(len(self._regions), np.float32)
        left, top, right, bottom = self._working_box(0.0)
        x, y = self._regions.centres.T
        away = np.hypot(np.maximum(np.maximum(left - x, x - right), 0), np.maximum(np.maximum(top - y, y - bottom), 0))
        return np.asarray(np.exp(-away / (CONTEXT * max(right - left, bottom - top, 1))), np.float32)

    def prior(self) -> Floats:
        """Objects fill the middle of their box rather than its corners, (n,)."""
        if self.box is None:
            return np.zeros(len(self._regions), np.float32)
        left, top, right, bottom = self._working_box(0.0)
        x, y = self._regions.centres.T
        away = np.hypot(
            (x - (left + right) / 2) / max((right - left) / 2, 1), (y - (top + bottom) / 2) / max((bottom - top) / 2, 1)
        )
        return np.asarray(BOX_PRIOR * np.clip(1.0 - away, -1, 1), np.float32)

    def within_box(self, mask: Mask) -> Mask:
        """The mask cut off at the box and a small margin; all of the box if nothing in it was found."""
        if self.box is None:
            return mask
        left, top, right, bottom = self.box
        x_margin, y_margin = BOX_MARGIN * (right - left) + 1, BOX_MARGIN * (bottom - top) + 1
        window = np.s_[
            max(int(top - y_margin), 0) : math.ceil(bottom + y_margin),
            max(int(left - x_margin), 0) : math.ceil(right + x_margin),
        ]
        within = np.zeros_like(mask)
        within[window] = mask[window]
        if not within.any():
            within[int(top) : math.ceil(bottom), int(left) : math.ceil(right)] = True
        return within

    def _outside(self) -> Chosen:
        """Regions that the box leaves out, bool (n,)."""
        if self.box is None:
            return np.zeros(len(self._regions), np.bool_)
        left, top, right, bottom = self._working_box(BOX_MARGIN)
        x, y = self._regions.centres.T
        outside: Chosen = (x < left) | (x > right) | (y < top) | (y > bottom)
        middle = pixel_of(((self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2), self._size)
        outside[self.region_at(middle)] = False
        return outside

    def _working_box(self, margin: float) -> Box:
        """The box in working pixels, each side moved out by a share of the box's size."""
        assert self.box is not None
        x_scale = self._regions.labels.shape[1] / self._size[1]
        y_scale = self._regions.labels.shape[0] / self._size[0]
        left, top, right, bottom = self.box
        x_margin, y_margin = margin * (right - left) + 1, margin * (bottom - top) + 1
        return (
            (left - x_margin) * x_scale,
            (top - y_margin) * y_scale,
            (right + x_margin) * x_scale,
            (bottom + y_margin) * y_scale,
        )

    def _working_point(self, point: tuple[float, float]) -> tuple[float, float]:
        """The middle of a clicked pixel, in working pixels."""
        height, width = self._regions.labels.shape
        return (point[0] + 0.5) * width / self._size[1], (point[1] + 0.5) * height / self._size[0]
