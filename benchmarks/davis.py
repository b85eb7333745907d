"""J and F of a propagator on a folder in the layout of DAVIS-2016, given only the first frame's masks.

    python benchmarks/davis.py ../shared/davis_dev --limit 40

The folder holds JPEGImages/<video>/*.jpg and Annotations/<video>/*.png (DAVIS's `480p` level below them is
stepped over); every colour but black is an object. J is the mean overlap, F the mean of boundary precision and
recall within 0.8 % of the diagonal (an own implementation, not the toolkit's), both over all frames but the first.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask, Propagator

Mask = NDArray[np.bool_]
TOLERANCE = 0.008


@dataclass(frozen=True)
class Figures:
    """What one video gave: J and F per frame and object, scores beside them, seconds per frame."""

    name: str
    j: NDArray[np.float64]
    f: NDArray[np.float64]
    scores: NDArray[np.float64]
    seconds: float

    def __str__(self) -> str:
        parts = np.array_split(self.j, 4)
        return (
            f"{self.name:20s} {self.j.mean():6.3f} {self.f.mean():6.3f} {parts[0].mean():9.3f} {parts[-1].mean():8.3f}"
            f" {self.scores.mean():6.3f} {self.seconds:8.3f}"
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
    propagator: Propagator, frames: list[Path], first: Masks
) -> Iterator[tuple[int, dict[int, PropagatedMask], float]]:
    """(index, answers, seconds) for every frame but the first."""
    image = np.asarray(Image.open(frames[0]).convert("RGB"))
    propagator.begin([KeyFrame(0, image, first)])
    propagator.step(0, image, first, frozenset(first))
    for index, path in enumerate(frames[1:], start=1):
        image = np.asarray(Image.open(path).convert("RGB"))
        started = time.perf_counter()
        answers = propagator.step(index, image, {}, frozenset(first))
        yield index, answers, time.perf_counter() - started


def measure(propagator: Propagator, images: Path, truths: Path, limit: int | None) -> Figures:
    """One video, from its first frame's masks."""
    frames = sorted(images.glob("*.jpg"))[:limit]
    first = read_masks(truths / f"{frames[0].stem}.png")
    j, f, scores, seconds = [], [], [], []
    for index, answers, took in run(propagator, frames, first):
        truth = read_masks(truths / f"{frames[index].stem}.png")
        seconds.append(took)
        for object_id, answer in answers.items():
            true = truth.get(object_id, np.zeros(answer.mask.shape, bool))
            j.append(overlap(answer.mask, true))
            f.append(boundary_measure(answer.mask, true))
            scores.append(answer.score)
    return Figures(images.name, np.array(j), np.array(f), np.array(scores), float(np.mean(seconds)))


def main() -> None:
    """Print a table, one line per video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with JPEGImages and Annotations")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N frames of each video")
    parser.add_argument("--videos", nargs="+", metavar="NAME", help="only these videos")
    options = parser.parse_args()
    from sam_annotator.engine.embedded_propagator import EmbeddedPropagator

    propagator = EmbeddedPropagator()
    print(propagator.name)
    print(f"{'video':20s} {'J':>6s} {'F':>6s} {'J first¼':>9s} {'J last¼':>8s} {'score':>6s} {'s/frame':>8s}")
    results = []
    for images in sorted(level(options.folder / "JPEGImages").iterdir()):
        if images.is_dir() and (not options.videos or images.name in options.videos):
            truths = level(options.folder / "Annotations") / images.name
            results.append(measure(propagator, images, truths, options.limit))
            print(results[-1], flush=True)
    if results:
        means = [np.mean([getattr(result, name).mean() for result in results]) for name in ("j", "f")]
        seconds = np.mean([result.seconds for result in results])
        print(f"{'mean':20s} {means[0]:6.3f} {means[1]:6.3f} {'':25s} {seconds:8.3f}")


if __name__ == "__main__":
    main()
