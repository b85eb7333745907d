"""A segmenter without weights: superpixels, geodesic distances, colour models and a minimum cut.

It makes the program whole on a machine that has no checkpoint and no network. It knows nothing of what objects look
like; it follows edges and colours from where the person clicked, and so it needs more clicks than SAM does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.embedded.asked import Asked
from sam_annotator.engine.embedded.cut import Chosen, RegionGraph
from sam_annotator.engine.embedded.masks import (
    Mask,
    at_working_size,
    bounds,
    filled,
    obeyed,
    padded,
    shrunk,
    smoothed,
    touched,
)
from sam_annotator.engine.embedded.reach import SHARES, Reach
from sam_annotator.engine.embedded.regions import Floats, Regions, find_regions
from sam_annotator.engine.embedded.scores import in_order, score_in_box, score_of_click, score_of_refined
from sam_annotator.engine.embedded.trust import FROM_ELSEWHERE, UNKNOWN, History
from sam_annotator.engine.fitting import require_image
from sam_annotator.engine.segmenter import Embedding, never

CLICK_BIASES = (0.8, 0.4, -0.2, -0.7)
FEW_CLICK_BIASES = (0.4, -0.2)  # beside a correction, where time is short
BOX_BIASES = (0.4, 0.0, -0.4)
BOX_COLOURS = 3  # that stand out in a box, each of them tried as the object's
LEAST_AROUND = 0.4  # of the image, outside of a box: nothing can stand out against less
DOUBTFUL = 0.7  # score of a corrected mask below which others are offered beside it
ALIKE = 0.9  # IoU with it above which they are none
SMALL_PART = 0.25  # of the mask's area: a part that one click may take away whole
STILL_THERE = 0.67  # of the part's area, though it was clicked: nothing in the image tells what of it was meant
MIDDLE = 0.8  # of how deep the part is: a click that lies as deep means all of it
HOLE = 0.01  # of the mask's area: holes smaller than this are filled


@dataclass(frozen=True, eq=False)
class Memory:
    """What a proposal carries to its refinement.

    Attributes:
        prompt: what it answered.
        base: bool (height, width), the saved mask the refinement began with; its parts need no click. Or None.
        history: how its mask came about.
    """

    prompt: Prompt
    base: Mask | None = None
    history: History = FROM_ELSEWHERE


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
        require_image(image)
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
        """Masks for a prompt: three without `previous`, best first; else its refinement, and others if that is poor.

        Raises:
            EngineError: no image was set, the prompt is empty and there is no `previous`, or its mask has another size.
        """
        if self._graph is None or self._size is None:
            raise EngineError("No image was given to the segmenter yet; open a frame first.")
        if previous is not None and previous.mask.shape != self._size:
            raise EngineError(
                f"The mask to refine is {previous.mask.shape[1]} x {previous.mask.shape[0]} pixels, "
                f"the image {self._size[1]} x {self._size[0]}; open the frame again."
            )
        session = _Session(self._graph, self._size, prompt, previous)
        if previous is None or session.starts_anew(previous):
            return _Session(self._graph, self._size, prompt, None).begin()
        return session.refine(previous)


class _Session:
    """One call of `predict`."""

    def __init__(self, graph: RegionGraph, size: tuple[int, int], prompt: Prompt, previous: Proposal | None) -> None:
        self._graph, self._regions, self._size, self._prompt = graph, graph.regions, size, prompt
        self._memory = previous.state if previous is not None and isinstance(previous.state, Memory) else None
        self._asked = Asked(self._regions, size, prompt, self._memory.prompt if self._memory is not None else Prompt())

    def starts_anew(self, previous: Proposal) -> bool:
        """True if there is a new box, or no mask to refine but something to find one by."""
        return self._asked.has_new_box or (not previous.mask.any() and True in self._asked.newly)

    def begin(self, *, quickly: bool = False) -> tuple[Proposal, ...]:
        """Three proposals, the one that is most likely meant first; in half the time if fewer masks may be tried.

        Raises:
            EngineError: there is nothing to find one by.
        """
        if not self._can_begin:
            raise EngineError("There is nothing to segment yet: click on the object, or draw a box around it.")
        if self._asked.box is None:
            found = self._found_by_clicks(FEW_CLICK_BIASES if quickly else CLICK_BIASES)
        else:
            found = self._found_in_box(0 if quickly else BOX_COLOURS)
        masks = [self._cleaned(self._upscaled(chosen)) for chosen in found]
        regions = [self._regions_of(mask) for mask in masks]
        alike = np.array([[self._graph.agreement(one, other) for other in regions] for one in regions])
        scores = self._scores(masks, regions, (alike.sum(axis=1) - 1) / (len(masks) - 1))
        in_box = self._asked.box is not None
        order = sorted(range(len(masks)), key=lambda i: -scores[i]) if in_box else in_order(scores, alike, 3)
        return tuple(self._found(masks[i], scores[i]) for i in order[:3])

    @property
    def _can_begin(self) -> bool:
        return self._asked.box is not None or bool(self._asked.include)

    def _found_by_clicks(self, sizes: Sequence[float]) -> list[Chosen]:
        """What may be meant by clicks: smaller and larger, and what has their colours alone."""
        question = self._asked.question(self._asked.prior(), self._asked.context())
        if not len(question.include):  # all of them lie beside exclude clicks
            question = replace(question, include=np.array([self._asked.region_at(self._asked.include[-1])], np.intp))
        biases: Sequence[float | Floats] = (*sizes, self._graph.likeness(question.include))
        return self._graph.solve(question, biases)

    def _found_in_box(self, colours: int) -> list[Chosen]:
        """What may be meant by a box: smaller and larger, and what has a colour that stands out in it."""
        question = self._asked.question(self._asked.prior(), self._asked.context())
        found = self._graph.solve(question, BOX_BIASES)
        around = float(self._regions.areas[question.outside].sum()) / float(self._regions.areas.sum())
        for regions in self._graph.standing_out(question, colours if around > LEAST_AROUND else 0):
            include = np.setdiff1d(np.concatenate([question.include, regions]), question.exclude)
            found += self._graph.solve(replace(question, include=include), (self._graph.likeness(include),))
        return found

    def _scores(self, masks: list[Mask], regions: list[Chosen], lasting: NDArray[np.float64]) -> list[float]:
        """Guesses of the IoU of masks; `lasting` is the mean IoU of each with the others."""
        box, include, context = self._asked.box, self._asked.include, self._asked.context()
        found = enumerate(zip(masks, regions, lasting.tolist(), strict=True))
        if box is None:
            return [score_of_click(self._graph, mask, own, include, value) for _, (mask, own, value) in found]
        return [
            score_in_box(self._graph, mask, own, box, context, value, guessed=i >= len(BOX_BIASES))
            for i, (mask, own, value) in found
        ]

    def refine(self, previous: Proposal) -> tuple[Proposal, ...]:
        """The previous mask, changed where the new clicks ask for it; if it is poor still, others beside it."""
        corrected = self._corrected(previous)
        if corrected.score >= DOUBTFUL or not self._can_begin:
            return (corrected,)
        regions = self._regions_of(corrected.mask)
        others = self.begin(quickly=True)
        unlike = [one for one in others if self._graph.agreement(regions, self._regions_of(one.mask)) < ALIKE]
        return (corrected, *sorted(unlike, key=lambda one: -one.score)[:2])

    def _corrected(self, previous: Proposal) -> Proposal:
        """The previous mask with the changes that the new clicks ask for."""
        base = self._memory.base if self._memory is not None else previous.mask
        share = self._share(previous.mask)
        was = share > 0.5
        history = self._memory.history if self._memory is not None else FROM_ELSEWHERE
        reach = Reach(self._regions, was, self._asked.fresh, history)
        asked = self._asked_for(share, was, reach)
        merged = self._as_asked(self._merged(previous.mask, was, asked), previous.mask)
        merged &= ~self._meant_whole(previous.mask, merged)
        mask = self._cleaned(merged, previous.mask, base)
        changed = int(np.count_nonzero(mask != previous.mask)) / max(int(np.count_nonzero(previous.mask)), 1)
        if not changed and not reach.contested:  # the clicks agree with the mask: that makes it no better
            score = UNKNOWN if self._memory is None else previous.score
            return Proposal(mask, score, Memory(self._prompt, base, history))
        history = history.after(reach.contested, changed)
        score = score_of_refined(self._graph, mask, self._regions_of(mask), history)
        return Proposal(mask, _bounded(score), Memory(self._prompt, base, history))

    def _asked_for(self, share: Floats, was: Chosen, reach: Reach) -> Chosen:
        """The mask before with the changes that the new clicks ask for, (n,)."""
        context = self._asked.context() * reach.context()

        def answer(part: float) -> Chosen:
            question = self._asked.question((2 * share - 1) * reach.firmness(part), context)
            return self._touched(was, self._graph.solve(question, (0.0,))[0], reach.near(part))

        return self._touched(was, reach.surest(answer(part) for part in SHARES), reach.near(1.0))

    def _touched(self, was: Chosen, chosen: Chosen, near: Chosen) -> Chosen:
        """Of the changes to the mask those that a new click touches: include clicks add, exclude clicks take away."""
        result = was.copy()
        for include in (True, False):
            changed = (chosen != was) & (chosen == include) & near
            clicked = self._asked.fresh_regions(include=include)
            result[self._graph.connected(changed, clicked)] = include
        return result

    def _merged(self, before: Mask, was: Chosen, now: Chosen) -> Mask:
        """The mask before, pixel for pixel, but for the regions that changed."""
        changed = self._upscale((was != now)[self._regions.labels].astype(np.float32)) > 0.01
        changed &= self._asked.near()
        merged: Mask = np.where(changed, self._upscaled(now), before)
        return merged

    def _upscaled(self, chosen: Chosen) -> Mask:
        """A mask of the image's size from regions, its outline smooth where no edge tells how it goes."""
        return self._upscale(smoothed(chosen[self._regions.labels], self._regions.crispness)) > 0.5

    def _upscale(self, values: Floats) -> Floats:
        return np.asarray(cv2.resize(values, self._size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)

    def _share(self, mask: Mask) -> Floats:
        """How much of each region a mask of the image's size covers, 0..1, (n,)."""
        return self._regions.mean(shrunk(mask, self._regions.labels.shape))

    def _regions_of(self, mask: Mask) -> Chosen:
        """The regions a mask mostly covers, bool (n,)."""
        chosen: Chosen = self._share(mask) > 0.5
        return chosen

    def _found(self, mask: Mask, score: float) -> Proposal:
        score = _bounded(score)
        return Proposal(mask, score, Memory(self._prompt, history=History(score)))

    def _cleaned(self, mask: Mask, before: Mask | None = None, base: Mask | None = None) -> Mask:
        """The mask within its box, with the parts that were asked for, without holes, and true to every click."""
        mask = self._kept(self._asked.within_box(mask), before, base)
        keep_out = [pixel for pixel, flag in self._asked.clicks.items() if not flag]
        whole = filled(mask, HOLE, keep_out=keep_out, beside=None if before is None else mask != before)
        adds = True in self._asked.newly
        mask = whole if before is None or adds else mask | (whole & before)
        obeyed(mask, self._asked.clicks, self._size)
        return mask

    def _as_asked(self, mask: Mask, before: Mask) -> Mask:
        """The mask with what new include clicks added to the one before and new exclude clicks took away, no more."""
        if self._asked.newly == {True}:
            return mask | before
        return mask & before if self._asked.newly == {False} else mask

    def _meant_whole(self, before: Mask, now: Mask) -> Mask:
        """The small parts of the mask before that a new exclude click hits in their middle, and that are there still.

        No part with an include click is meant, and none that reaches far.
        """
        meant = np.zeros_like(before)
        hit = [(x, y) for x, y in self._asked.newly_excluded if before[y, x]]
        if not hit:
            return meant
        window = bounds(before)
        top, left = window[0].start, window[1].start
        parts = cv2.connectedComponents(before[window].astype(np.uint8), connectivity=8)[1]
        asked_for = {parts[y - top, x - left] for x, y in self._asked.include if before[y, x]}
        for x, y in hit:
            label = parts[y - top, x - left]
            part = np.zeros_like(before)
            part[window] = (parts == label) & (label not in asked_for)
            area = np.count_nonzero(part)
            if np.count_nonzero(part & now) <= STILL_THERE * area or area > SMALL_PART * np.count_nonzero(before):
                continue
            depth = cv2.distanceTransform(padded(part), cv2.DIST_L2, 3)[1:-1, 1:-1]
            if depth[y, x] >= MIDDLE * depth.max() and not (part & ~self._asked.near()).any():
                meant |= part
        return meant

    def _kept(self, mask: Mask, before: Mask | None, base: Mask | None) -> Mask:
        """The parts that were clicked; of a box the main ones; of a saved mask those that overlap it.

        A part that an exclude click cut is kept if it is larger than what the click took away, or reaches far.
        """
        window = bounds(mask, margin=1)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask[window].astype(np.uint8), connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        keep = np.zeros(count, np.bool_)
        clicked = np.zeros_like(mask)
        for x, y in self._asked.include:
            clicked[y, x] = True
        keep[labels[clicked[window]]] = True
        if self._asked.box is not None and count > 1:
            keep |= areas >= 0.1 * areas[1:].max()
        if before is not None:
            taken = before & ~mask
            if base is not None:
                untouched = ~touched(labels, count, taken[window])
                keep |= untouched & (np.bincount(labels[base[window]], minlength=count) > 0.5 * areas)
            cut_off = np.bincount(labels[before[window]], minlength=count) > 0.5 * areas
            reaches_far = np.bincount(labels[~self._asked.near()[window]], minlength=count) > 0
            keep |= cut_off & (reaches_far | (areas > np.count_nonzero(taken)))
        keep[0] = False
        kept = np.zeros_like(mask)
        kept[window] = keep[labels]
        return kept


def _bounded(score: float) -> float:
    """A score that is neither sure of everything nor of nothing."""
    return float(np.clip(score, 0.05, 0.98))
