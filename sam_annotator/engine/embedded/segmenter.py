"""A segmenter without weights: superpixels, geodesic distances, colour models and a minimum cut.

It makes the program whole on a machine that has no checkpoint and no network. It knows nothing of what objects look
like; it follows edges and colours from where the person clicked, and so it needs more clicks than SAM does.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.embedded.cut import Chosen, Question, RegionGraph
from sam_annotator.engine.embedded.masks import (
    Mask,
    at_working_size,
    bounds,
    box_within,
    filled,
    obeyed,
    pixel_of,
    shrunk,
    smoothed,
)
from sam_annotator.engine.embedded.merit import (
    GUESSED,
    in_order,
    merit_in_box,
    merit_of_click,
    score_in_box,
    score_of_click,
    score_of_refined,
)
from sam_annotator.engine.embedded.reach import DARING, FARTHEST, GOOD, LITTLE, MOST_FADE, SHARES, Reach
from sam_annotator.engine.embedded.regions import Floats, Regions, find_regions
from sam_annotator.engine.segmenter import Embedding, never

CLICK_BIASES = (0.8, 0.4, -0.2, -0.7)
BOX_BIASES = (0.4, 0.0, -0.4)
BOX_COLOURS = 3  # that stand out in a box, each of them tried as the object's
BOX_MARGIN = 0.02  # of the box's sides
BOX_PRIOR = 0.4  # how much objects are taken to fill the middle of their box
CONTEXT = 1.0  # of the box's longer side: how far from it the background is still like the one inside
HOLE = 0.01  # of the mask's area: holes smaller than this are filled


@dataclass(frozen=True, eq=False)
class Memory:
    """What a proposal carries to its refinement.

    Attributes:
        prompt: what it answered.
        base: bool (height, width), the saved mask the refinement began with; its parts need no click. Or None.
    """

    prompt: Prompt
    base: Mask | None = None


class EmbeddedSegmenter:
    """The `Segmenter` that needs no weights. Deterministic; one thread at a time."""

    name = "embedded, cpu"
    key = ""  # a file would be as large as SAM's, and save a fraction of a second

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None  # height, width of the image
        self._graph: RegionGraph | None = None

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """`use(encode(image))`. Where that fails, no image is in use."""
        self._graph = self._size = None
        self.use(self.encode(image))

    def encode(self, image: NDArray[np.uint8], should_stop: Callable[[], bool] = never) -> Embedding:
        """Find the regions of an image: uint8 (height, width, 3), RGB; too quick to be stopped.

        The embedding's arrays are those of `Regions`.

        Raises:
            EngineError: not such an array.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise EngineError(
                f"The segmenter was given an array of shape {image.shape} and type {image.dtype}; "
                "it needs an RGB image, uint8 (height, width, 3)."
            )
        return Embedding((image.shape[0], image.shape[1]), dict(vars(find_regions(at_working_size(image)))))

    def use(self, embedding: Embedding) -> None:
        """Answer prompts on the image of this embedding. Raises EngineError for one of another segmenter."""
        self._graph = self._size = None
        try:
            regions = Regions(**embedding.arrays)  # type: ignore[arg-type]
        except TypeError as error:
            raise EngineError("What is kept of this frame is of another segmenter; go to the frame again.") from error
        self._graph, self._size = RegionGraph(regions), embedding.image_size

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        """Masks for a prompt: three without `previous`, best first, or one refinement of it.

        Raises:
            EngineError: no image was set, the prompt is empty and there is no `previous`, or its mask has another size.
        """
        if self._graph is None or self._size is None:
            raise EngineError("No image was given to the segmenter yet; open a frame first.")
        if prompt.is_empty and previous is None:
            raise EngineError("There is nothing to segment yet: click on the object, or draw a box around it.")
        if previous is not None and previous.mask.shape != self._size:
            raise EngineError(
                f"The mask to refine is {previous.mask.shape[1]} x {previous.mask.shape[0]} pixels, "
                f"the image {self._size[1]} x {self._size[0]}; open the frame again."
            )
        session = _Session(self._graph, self._size, prompt, previous)
        return session.refine(previous) if previous is not None else session.begin()


class _Session:
    """One call of `predict`."""

    def __init__(self, graph: RegionGraph, size: tuple[int, int], prompt: Prompt, previous: Proposal | None) -> None:
        self._graph, self._regions, self._size, self._prompt = graph, graph.regions, size, prompt
        self._clicks = {pixel_of(point, size): flag for point, flag in zip(prompt.points, prompt.includes, strict=True)}
        self._include = [pixel for pixel, flag in self._clicks.items() if flag]
        self._box = box_within(prompt.box, size, self._include) if prompt.box is not None else None
        self._memory = previous.state if previous is not None and isinstance(previous.state, Memory) else None

    def begin(self) -> tuple[Proposal, ...]:
        """Three proposals, the one that is most likely meant first."""
        found = self._found_by_clicks() if self._box is None else self._found_in_box()
        masks = [self._cleaned(self._upscaled(chosen)) for chosen in found]
        regions = [self._regions_of(mask) for mask in masks]
        alike = np.array([[self._graph.agreement(one, other) for other in regions] for one in regions])
        others = [np.delete(row, i) for i, row in enumerate(alike)]
        order = self._by_click(masks, regions, alike) if self._box is None else self._by_merit(masks, regions)
        return tuple(self._proposal(masks[i], regions[i], float(np.median(others[i])), None) for i in order[:3])

    def _found_by_clicks(self) -> list[Chosen]:
        """What may be meant by clicks: smaller and larger, and what has their colours alone."""
        question = self._question(self._box_prior(), self._context())
        biases: Sequence[float | Floats] = (*CLICK_BIASES, self._graph.likeness(question.include))
        return self._graph.solve(question, biases)

    def _found_in_box(self) -> list[Chosen]:
        """What may be meant by a box: smaller and larger, and what has a colour that stands out in it."""
        question = self._question(self._box_prior(), self._context())
        found = self._graph.solve(question, BOX_BIASES)
        for regions in self._graph.standing_out(question, BOX_COLOURS):
            include = np.setdiff1d(np.concatenate([question.include, regions]), question.exclude)
            found += self._graph.solve(replace(question, include=include), (self._graph.likeness(include),))
        return found

    def _by_click(self, masks: list[Mask], regions: list[Chosen], alike: NDArray[np.float64]) -> list[int]:
        """The order of masks for clicks: the best first, then others that give a choice."""
        lasting = (alike.sum(axis=1) - 1) / (len(masks) - 1)
        merits = [
            merit_of_click(self._graph, mask, own, self._include, float(value))
            for mask, own, value in zip(masks, regions, lasting, strict=True)
        ]
        return in_order(merits, alike, 3)

    def _by_merit(self, masks: list[Mask], regions: list[Chosen]) -> list[int]:
        """The order of masks for a box, the best first."""
        assert self._box is not None
        context = self._context()
        merits = [
            merit_in_box(self._graph, mask, own, self._box, context) for mask, own in zip(masks, regions, strict=True)
        ]
        merits = [merit - GUESSED * (i >= len(BOX_BIASES)) for i, merit in enumerate(merits)]
        return sorted(range(len(masks)), key=lambda i: -merits[i])

    def refine(self, previous: Proposal) -> tuple[Proposal, ...]:
        """The previous mask, changed where the new clicks ask for it."""
        base = self._memory.base if self._memory is not None else previous.mask
        share = self._share(previous.mask)
        was = share > 0.5
        asked = self._asked_for(share, was, previous)
        merged = self._as_asked(self._merged(previous.mask, was, asked), previous.mask)
        mask = self._cleaned(merged, previous.mask, base)
        now = self._regions_of(mask)
        return (self._proposal(mask, now, self._graph.agreement(now, was), base),)

    def _asked_for(self, share: Floats, was: Chosen, previous: Proposal) -> Chosen:
        """The mask before with the changes that the new clicks ask for, (n,)."""
        clicks = [(self._working_point(point), flag) for point, flag in self._fresh()]
        reach = Reach(self._regions, was, clicks, self._risk(previous), previous.score < GOOD)
        context = self._context() * reach.context()

        def answer(part: float) -> Chosen:
            question = self._question((2 * share - 1) * reach.firmness(part), context)
            return self._touched(was, self._graph.solve(question, (0.0,))[0], reach.near(part))

        return self._touched(was, reach.surest(answer(part) for part in SHARES), reach.near(1.0))

    def _risk(self, previous: Proposal) -> float:
        """What a click may change without being sure, in shares of the mask: more where there is less to lose."""
        if self._memory is None or self._memory.base is not None or self._box is not None:
            return LITTLE
        return LITTLE + DARING * max(GOOD - previous.score, 0.0)

    def _touched(self, was: Chosen, chosen: Chosen, near: Chosen) -> Chosen:
        """Of the changes to the mask those that a new click touches: include clicks add, exclude clicks take away."""
        result = was.copy()
        for include in (True, False):
            changed = (chosen != was) & (chosen == include) & near
            clicked = [
                self._region_at(*pixel_of(point, self._size)) for point, flag in self._fresh() if flag == include
            ]
            result[self._graph.connected(changed, clicked)] = include
        return result

    def _fresh(self) -> list[tuple[tuple[float, float], bool]]:
        """The clicks that the mask before does not answer yet."""
        seen = set(self._memory.prompt.points) if self._memory is not None else set()
        clicks = zip(self._prompt.points, self._prompt.includes, strict=True)
        return [(point, flag) for point, flag in clicks if point not in seen]

    def _question(self, prior: Floats, context: Floats) -> Question:
        include: list[int] = []
        exclude: list[int] = []
        for (x, y), flag in self._clicks.items():
            region = self._region_at(x, y)
            (include if flag else exclude).append(region)
        return Question(
            np.array([one for one in include if one not in exclude[-1:]], np.intp),
            np.array([one for one in exclude if one not in include], np.intp),
            self._outside(),
            prior,
            context,
        )

    def _region_at(self, x: int, y: int) -> int:
        labels = self._regions.labels
        row = min(int((y + 0.5) * labels.shape[0] / self._size[0]), labels.shape[0] - 1)
        column = min(int((x + 0.5) * labels.shape[1] / self._size[1]), labels.shape[1] - 1)
        return int(labels[row, column])

    def _working_box(self, margin: float) -> tuple[float, float, float, float]:
        """The prompt's box in working pixels, each side moved out by a share of the box's size."""
        assert self._box is not None
        x_scale = self._regions.labels.shape[1] / self._size[1]
        y_scale = self._regions.labels.shape[0] / self._size[0]
        left, top, right, bottom = self._box
        x_margin, y_margin = margin * (right - left) + 1, margin * (bottom - top) + 1
        return (
            (left - x_margin) * x_scale,
            (top - y_margin) * y_scale,
            (right + x_margin) * x_scale,
            (bottom + y_margin) * y_scale,
        )

    def _outside(self) -> Chosen:
        """Regions that the box leaves out, bool (n,)."""
        if self._box is None:
            return np.zeros(len(self._regions), np.bool_)
        left, top, right, bottom = self._working_box(BOX_MARGIN)
        x, y = self._regions.centres.T
        outside: Chosen = (x < left) | (x > right) | (y < top) | (y > bottom)
        middle = pixel_of(((self._box[0] + self._box[2]) / 2, (self._box[1] + self._box[3]) / 2), self._size)
        outside[self._region_at(*middle)] = False
        return outside

    def _context(self) -> Floats:
        """The background near a box counts, not all of the image, (n,)."""
        if self._box is None:
            return np.ones(len(self._regions), np.float32)
        left, top, right, bottom = self._working_box(0.0)
        x, y = self._regions.centres.T
        away = np.hypot(np.maximum(np.maximum(left - x, x - right), 0), np.maximum(np.maximum(top - y, y - bottom), 0))
        return np.asarray(np.exp(-away / (CONTEXT * max(right - left, bottom - top, 1))), np.float32)

    def _box_prior(self) -> Floats:
        """Objects fill the middle of their box rather than its corners, (n,)."""
        if self._box is None:
            return np.zeros(len(self._regions), np.float32)
        left, top, right, bottom = self._working_box(0.0)
        x, y = self._regions.centres.T
        away = np.hypot(
            (x - (left + right) / 2) / max((right - left) / 2, 1), (y - (top + bottom) / 2) / max((bottom - top) / 2, 1)
        )
        return np.asarray(BOX_PRIOR * np.clip(1.0 - away, -1, 1), np.float32)

    def _working_point(self, point: tuple[float, float]) -> tuple[float, float]:
        """The middle of a clicked pixel, in working pixels."""
        height, width = self._regions.labels.shape
        return (point[0] + 0.5) * width / self._size[1], (point[1] + 0.5) * height / self._size[0]

    def _merged(self, before: Mask, was: Chosen, now: Chosen) -> Mask:
        """The mask before, pixel for pixel, but for the regions that changed."""
        changed = self._upscale((was != now)[self._regions.labels].astype(np.float32)) > 0.01
        changed &= self._near_clicks()
        merged: Mask = np.where(changed, self._upscaled(now), before)
        return merged

    def _near_clicks(self) -> Mask:
        """The pixels that the new clicks may change at most, for regions can be long."""
        near = np.zeros(self._size, np.uint8)
        for point, _ in self._fresh():
            cv2.circle(near, pixel_of(point, self._size), int(FARTHEST * MOST_FADE * min(self._size)) + 1, 1, -1)
        return near > 0

    def _upscaled(self, chosen: Chosen) -> Mask:
        """A mask of the image's size from regions, its outline smooth where no edge tells how it goes."""
        return self._upscale(smoothed(chosen[self._regions.labels], self._regions.crispness)) > 0.5

    def _upscale(self, values: Floats) -> Floats:
        return np.asarray(cv2.resize(values, self._size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def _share(self, mask: Mask) -> Floats:
        """How much of each region a mask of the image's size covers, 0..1, (n,)."""
        covered = shrunk(mask, self._regions.labels.shape)
        window = bounds(covered > 0)
        sums = np.bincount(self._regions.labels[window].ravel(), covered[window].ravel(), len(self._regions))
        return np.asarray(sums / self._regions.areas, np.float32)

    def _regions_of(self, mask: Mask) -> Chosen:
        """The regions a mask mostly covers, bool (n,)."""
        chosen: Chosen = self._share(mask) > 0.5
        return chosen

    def _proposal(self, mask: Mask, regions: Chosen, agreement: float, base: Mask | None) -> Proposal:
        """A mask with a guess of its IoU; agreement is with the masks of other biases, or with the one before."""
        if self._memory is not None or base is not None:
            score = score_of_refined(self._graph, mask, regions, self._include, agreement)
        elif self._box is not None:
            score = score_in_box(self._graph, mask, regions, self._box)
        else:
            score = score_of_click(self._graph, mask, regions, self._include, agreement)
        return Proposal(mask, float(np.clip(score, 0.05, 0.98)), Memory(self._prompt, base))

    def _cleaned(self, mask: Mask, before: Mask | None = None, base: Mask | None = None) -> Mask:
        """The mask within its box, with the parts that were asked for, without holes, and true to every click."""
        if self._box is not None:
            mask = self._within_box(mask)
        mask = self._kept(mask, before, base)
        keep_out = [pixel for pixel, flag in self._clicks.items() if not flag]
        whole = filled(mask, HOLE, keep_out=keep_out, beside=None if before is None else mask != before)
        adds = any(flag for _, flag in self._fresh())
        mask = whole if before is None or adds else mask | (whole & before)
        obeyed(mask, self._clicks, self._size)
        return mask

    def _as_asked(self, mask: Mask, before: Mask) -> Mask:
        """The mask with what new include clicks added to the one before and new exclude clicks took away, no more."""
        asked = {flag for _, flag in self._fresh()}
        if asked == {True}:
            return mask | before
        return mask & before if asked == {False} else mask

    def _within_box(self, mask: Mask) -> Mask:
        """The mask cut off at the box and a small margin; all of the box if nothing in it was found."""
        assert self._box is not None
        left, top, right, bottom = self._box
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

    def _kept(self, mask: Mask, before: Mask | None, base: Mask | None) -> Mask:
        """The parts that were clicked; of a box the main ones; of a saved mask those that overlap it.

        A part that an exclude click cut off is kept if it is larger than what the click took away, or reaches far.
        """
        window = bounds(mask, margin=1)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask[window].astype(np.uint8), connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        keep = np.zeros(count, np.bool_)
        clicked = np.zeros_like(mask)
        for x, y in self._include:
            clicked[y, x] = True
        keep[labels[clicked[window]]] = True
        if self._box is not None and count > 1:
            keep |= areas >= 0.1 * areas[1:].max()
        if base is not None:
            keep |= np.bincount(labels[base[window]], minlength=count) > 0.5 * areas
        if before is not None:
            cut_off = np.bincount(labels[before[window]], minlength=count) > 0.5 * areas
            reaches_far = np.bincount(labels[~self._near_clicks()[window]], minlength=count) > 0
            keep |= cut_off & (reaches_far | (areas > np.count_nonzero(before & ~mask)))
        keep[0] = False
        kept = np.zeros_like(mask)
        kept[window] = keep[labels]
        return kept
