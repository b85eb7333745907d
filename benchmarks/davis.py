"""J and F of any propagator on a folder in the layout of DAVIS: from the first frame's masks, and with corrections.

    python benchmarks/davis.py ../shared/davis_dev --limit 40
    python benchmarks/davis.py DAVIS --propagator stcn --models DIR --device cuda --corrections 0 1 3

The folder holds JPEGImages/<video>/*.jpg and Annotations/<video>/*.png (DAVIS's `480p` level below them is
stepped over); every colour but black is an object. J is the mean overlap, F the mean of boundary precision and
recall within 0.8 % of the diagonal (an own implementation, not the toolkit's), both over all frames but the first.

A correction is what a person would do: the true masks of the worst frame (lowest J, mean of its objects) are given as
another key frame, and the video is propagated anew; then the next. Corrected frames count as corrected, as they do for
whoever keeps the masks.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from machine import describe
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.engine.engines import EngineOptions, make_propagator
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask, Propagator, ReachesBack, notice_of

Mask = NDArray[np.bool_]
TOLERANCE = 0.008

PUBLISHED = """
Published, to be reproduced with stcn.pth: STCN on the 20 videos of DAVIS-2016 val, from the first frame's masks,
J 90.4 and F 93.0 (Cheng, Tai, Tang, arXiv 2106.05210)."""


@dataclass(frozen=True)
class Figures:
    """What one video gave: J and F per frame and object, scores beside them, seconds per frame."""

    name: str
    j: NDArray[np.float64]
    f: NDArray[np.float64]
    scores: NDArray[np.float64]
    seconds: float

    def line(self, corrections: int) -> str:
        """A line of the table."""
        parts = np.array_split(self.j, 4)
        return (
            f"{self.name:20s} {corrections:5d} {self.j.mean():6.3f} {self.f.mean():6.3f} {parts[0].mean():9.3f} "
            f"{parts[-1].mean():8.3f} {self.scores.mean():6.3f} {self.seconds:8.3f}"
        )


def level(folder: Path) -> Path:
    """The folder that holds the videos: DAVIS puts `480p` between."""
    return folder / "480p" if (folder / "480p").is_dir() else folder


def read_masks(path: Path) -> dict[int, Mask]:
    """Object id (the palette's or the grey value) -> bool (height, width)."""
    labels = np.asarray(Image.open(path))
    return {int(value): labels == value for value in np.unique(labels) if value}


def overlap(a: Mask, b: Mask) -> float:
    """J: intersection over union, 1 for two empty masks."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def boundary(mask: Mask) -> NDArray[np.uint8]:
    """Pixels whose right or lower neighbour is on the other side."""
    edge = np.zeros(mask.shape, bool)
    edge[:-1] |= mask[:-1] != mask[1:]
    edge[:, :-1] |= mask[:, :-1] != mask[:, 1:]
    return edge.astype(np.uint8)


def boundary_measure(mask: Mask, truth: Mask) -> float:
    """F: harmonic mean of boundary precision and recall, 1 for two empty masks."""
    radius = int(np.ceil(TOLERANCE * np.hypot(*mask.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    ours, theirs = boundary(mask), boundary(truth)
    if not ours.any() or not theirs.any():
        return float(not ours.any() and not theirs.any())
    precision = ours[cv2.dilate(theirs, disc) > 0].sum() / ours.sum()
    recall = theirs[cv2.dilate(ours, disc) > 0].sum() / theirs.sum()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def run(
    propagator: Propagator, frames: list[Path], given: Mapping[int, Masks]
) -> Iterator[tuple[int, dict[int, PropagatedMask], float]]:
    """(index, answers, seconds) for every frame but the first; the way back to a frame counts with it.

    Args:
        given: frame -> true masks of all objects; of the first one, and of those that were corrected.
    """
    wanted = frozenset(given[0])
    propagator.begin(KeyFrame(index, _image(frames[index]), masks) for index, masks in sorted(given.items()))
    for index, path in enumerate(frames):
        image = _image(path)
        back = lead_back(propagator, frames, given, index) if index - 1 in given else 0.0
        started = time.perf_counter()
        answers = propagator.step(index, image, given.get(index, {}), wanted)
        if index:
            yield index, answers, back + time.perf_counter() - started


def lead_back(propagator: Propagator, frames: list[Path], given: Mapping[int, Masks], index: int) -> float:
    """From the next frame that is given back to this one, where the propagator asks for it; the seconds it takes."""
    later = min((key for key in given if key > index), default=index)
    if later == index or not isinstance(propagator, ReachesBack) or later - index > propagator.farthest_back:
        return 0.0
    seconds = 0.0
    propagator.begin_back()
    for at in range(later, index - 1, -1):
        image = _image(frames[at])
        started = time.perf_counter()
        propagator.step_back(at, image, given.get(at, {}), frozenset(given[0]))
        seconds += time.perf_counter() - started
    return seconds


def measure(propagator: Propagator, frames: list[Path], truths: list[Masks], given: Mapping[int, Masks]) -> Figures:
    """One run through a video. Arguments: see `run`; `truths` are the true masks of each frame."""
    j, f, scores, seconds = [], [], [], []
    for index, answers, took in run(propagator, frames, given):
        seconds.append(took)
        for object_id, answer in sorted(answers.items()):
            j.append(overlap(answer.mask, truths[index][object_id]))
            f.append(boundary_measure(answer.mask, truths[index][object_id]))
            scores.append(answer.score)
    return Figures(frames[0].parent.name, np.array(j), np.array(f), np.array(scores), float(np.mean(seconds)))


def measure_corrected(
    propagator: Propagator, frames: list[Path], truths: list[Masks], corrections: int
) -> Iterator[Figures]:
    """One run after the other, each with one more corrected frame: `corrections` + 1 of them."""
    given = {0: truths[0]}
    for _ in range(corrections + 1):
        figures = measure(propagator, frames, truths, given)
        yield figures
        per_frame = figures.j.reshape(len(frames) - 1, -1).mean(1)
        per_frame[[index - 1 for index in given if index]] = np.inf
        worst = 1 + int(per_frame.argmin())
        given[worst] = truths[worst]


def read_video(images: Path, truths: Path, limit: int | None) -> tuple[list[Path], list[Masks]]:
    """The frames' files, and the true masks in each of the objects that the first one shows."""
    frames = sorted(images.glob("*.jpg"))[:limit]
    read = [read_masks(truths / f"{frame.stem}.png") for frame in frames]
    nothing = np.zeros(next(iter(read[0].values())).shape, np.bool_)
    return frames, [{object_id: masks.get(object_id, nothing) for object_id in read[0]} for masks in read]


def main() -> None:
    """Print a table, one line per video and number of corrections."""
    options = _options()
    engines = EngineOptions(
        propagator=options.propagator, models=options.models, device=options.device, short_side=options.short_side
    )
    try:
        propagator = make_propagator(engines, print)
    except AnnotatorError as error:
        sys.exit(f"davis.py: {error}")
    shown = sorted(set(options.corrections))
    print(f"{describe('torch', 'opencv-python-headless')}\n{propagator.name}\n")
    print(f"{'video':20s} corr.      J      F  J first¼  J last¼  score  s/frame")
    results: dict[int, list[Figures]] = {count: [] for count in shown}
    for images in sorted(level(options.folder / "JPEGImages").iterdir()):
        if images.is_dir() and (not options.videos or images.name in options.videos):
            frames, truths = read_video(images, level(options.folder / "Annotations") / images.name, options.limit)
            for count, figures in enumerate(measure_corrected(propagator, frames, truths, shown[-1])):
                if count in results:
                    results[count].append(figures)
                    print(figures.line(count), flush=True)
            if (notice := notice_of(propagator)) is not None:
                print(f"  {notice}")
    _print_means(results)


def _print_means(results: Mapping[int, list[Figures]]) -> None:
    for count, figures in results.items():
        if figures:
            j, f = (np.mean([getattr(of_video, name).mean() for of_video in figures]) for name in ("j", "f"))
            seconds = np.mean([of_video.seconds for of_video in figures])
            print(f"{'mean':20s} {count:5d} {j:6.3f} {f:6.3f} {'':25s} {seconds:8.3f}")
    print(PUBLISHED)


def _image(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with JPEGImages and Annotations")
    parser.add_argument(
        "--propagator", default="auto", metavar="NAME", help="'auto' (default), 'embedded', 'stcn', or a file"
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="look for checkpoints here first")
    parser.add_argument("--device", default="auto", help="'auto' (default), 'cpu', 'cuda', ...")
    parser.add_argument("--short-side", type=int, metavar="N", help="pixels, for STCN (480)")
    parser.add_argument(
        "--corrections", type=int, nargs="+", default=[0, 1, 3], metavar="N", help="corrected frames to show (0 1 3)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N frames of each video")
    parser.add_argument("--videos", nargs="+", metavar="NAME", help="only these videos")
    return parser.parse_args()


if __name__ == "__main__":
    main()
