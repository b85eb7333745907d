"""How many clicks a segmenter needs: a simulated annotator against masks made by hand.

    python benchmarks/clicks.py FOLDER [--segmenter NAME] [--every 10] [--user careful | hasty | choosing]

FOLDER is laid out as DAVIS is: `JPEGImages/<video>/*.jpg` and `Annotations/<video>/*.png` (not 0: object).
The annotator clicks the deepest point of the object, chooses the best of the proposals, and then clicks the deepest
point of the largest error until 20 clicks are spent. NoC@85 is the mean number of clicks until IoU 0.85 (20 where it
never comes). The hasty annotator's first click lies anywhere in the object; the first proposal is kept, however bad.
The choosing one clicks like that, too, but takes the best of what is offered after every click.
Of the clicks after the first, drops are those that cost more than 0.03 IoU; far is the farthest pixel that a click
changed, from it, in shares of the image's shorter side. Of a box the first proposal counts; a loose one has a margin
of 0.15 of the object's size on each side. Any segmenter is measured through the contract; times are of the clock,
seconds.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.segmenter import Segmenter

MOST_CLICKS = 20
DROP = 0.03  # of IoU: what a click may cost
LOOSE = 0.15  # of the object's size: the margin of a box that is drawn loosely
USERS = ("careful", "hasty", "choosing")
Mask = NDArray[np.bool_]


@dataclass
class Outcome:
    """What one frame, or the mean of several, came to."""

    ious: list[float]
    set_image: float
    box: float = 0.0
    loose: float = 0.0
    first: list[float] = field(default_factory=list)
    later: list[float] = field(default_factory=list)
    farthest: float = 0.0  # in shares of the image's shorter side
    disobeyed: int = 0
    pairs: list[tuple[float, float]] = field(default_factory=list)

    @property
    def clicks(self) -> int:
        """Clicks until IoU 0.85; 20 if it was not reached."""
        return next((i + 1 for i, iou in enumerate(self.ious) if iou >= 0.85), MOST_CLICKS)

    @property
    def drops(self) -> int:
        """Clicks that cost more than DROP."""
        return sum(before - after > DROP for before, after in itertools.pairwise(self.ious))


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with JPEGImages and Annotations")
    parser.add_argument("--segmenter", default="embedded", help="embedded (default), or a name the program knows")
    parser.add_argument("--models", type=Path, help="where the weights are")
    parser.add_argument("--every", type=int, default=10, help="take every n-th frame")
    parser.add_argument("--clicks", type=int, default=MOST_CLICKS, help="clicks at most")
    parser.add_argument("--user", choices=USERS, default="careful", help="how masks are chosen")
    args = parser.parse_args()
    segmenter = load(args.segmenter, args.models)
    print(f"{segmenter.name}; every {args.every}th frame of {args.folder.name}; a {args.user} annotator")
    print_table(measure(segmenter, args.folder, args.every, args.clicks, args.user))


def load(name: str, models: Path | None) -> Segmenter:
    """The segmenter of that name."""
    if name == "embedded":
        from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter

        return EmbeddedSegmenter()
    from sam_annotator.engine.engines import EngineOptions, make_segmenter

    return make_segmenter(EngineOptions(segmenter=name, models=models))


def measure(
    segmenter: Segmenter, folder: Path, every: int, clicks: int, user: str = "careful"
) -> dict[str, list[Outcome]]:
    """One outcome a frame, by video; clicks that lie anywhere are the same in every run."""
    outcomes: dict[str, list[Outcome]] = {}
    for seed, (video, image, truth) in enumerate(frames(folder, every)):
        outcomes.setdefault(video, []).append(annotate(segmenter, image, truth, clicks, user, seed))
    return outcomes


def frames(folder: Path, every: int) -> Iterator[tuple[str, NDArray[np.uint8], Mask]]:
    """Video name, RGB image and mask of every n-th frame."""
    for video in sorted(path for path in (folder / "Annotations").iterdir() if path.is_dir()):
        for annotation in sorted(video.glob("*.png"))[::every]:
            truth = cv2.imread(str(annotation), cv2.IMREAD_GRAYSCALE) > 0
            image = cv2.imread(str(folder / "JPEGImages" / video.name / f"{annotation.stem}.jpg"))
            if truth.any():
                yield video.name, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), truth


def annotate(
    segmenter: Segmenter, image: NDArray[np.uint8], truth: Mask, clicks: int, user: str = "careful", seed: int = 0
) -> Outcome:
    """One frame, first by clicks and then by boxes."""
    started = time.perf_counter()
    segmenter.set_image(image)
    outcome = Outcome([], time.perf_counter() - started)
    prompt, previous = Prompt((deepest(truth) if user == "careful" else anywhere(truth, seed),), (True,)), None
    while True:
        started = time.perf_counter()
        proposals = segmenter.predict(prompt, previous)
        (outcome.later if previous else outcome.first).append(time.perf_counter() - started)
        chooses = user == "choosing" or (user == "careful" and previous is None)
        before, previous = previous, best_of(proposals, truth) if chooses else proposals[0]
        record(outcome, prompt, previous, truth)
        if before is not None:
            outcome.farthest = max(outcome.farthest, farthest(before.mask, previous.mask, prompt.points[-1]))
        if len(prompt.points) == clicks or outcome.ious[-1] == 1.0:
            break
        point, include = next_click(previous.mask, truth)
        prompt = Prompt((*prompt.points, point), (*prompt.includes, include))
    outcome.box, outcome.loose = (
        iou(segmenter.predict(Prompt(box=box_of(truth, margin)))[0].mask, truth) for margin in (0.0, LOOSE)
    )
    return outcome


def best_of(proposals: tuple[Proposal, ...], truth: Mask) -> Proposal:
    """What a person would choose."""
    return max(proposals, key=lambda proposal: iou(proposal.mask, truth))


def record(outcome: Outcome, prompt: Prompt, proposal: Proposal, truth: Mask) -> None:
    """Note one answer: its IoU, and the clicks it does not obey."""
    outcome.ious.append(iou(proposal.mask, truth))
    outcome.pairs.append((proposal.score, outcome.ious[-1]))
    for (x, y), include in zip(prompt.points, prompt.includes, strict=True):
        outcome.disobeyed += bool(proposal.mask[int(y), int(x)] != include)


def farthest(before: Mask, after: Mask, click: tuple[float, float]) -> float:
    """The distance from a click to the farthest pixel it changed, in shares of the image's shorter side; 0 for none."""
    ys, xs = np.nonzero(before != after)
    return float(np.hypot(xs - click[0], ys - click[1]).max(initial=0.0)) / min(before.shape)


def next_click(mask: Mask, truth: Mask) -> tuple[tuple[float, float], bool]:
    """The deepest point of the largest error region, and whether the object is there."""
    regions = []
    for error, include in ((truth & ~mask, True), (mask & ~truth, False)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats(error.astype(np.uint8), connectivity=8)
        if count > 1:
            largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
            regions.append((stats[largest, cv2.CC_STAT_AREA], labels == largest, include))
    _, region, include = max(regions, key=lambda found: found[0])
    return deepest(region), include


def deepest(region: Mask) -> tuple[float, float]:
    """(x, y) of the pixel farthest from the outside; what lies beyond the image counts as outside."""
    padded = np.pad(region.astype(np.uint8), 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return float(x), float(y)


def anywhere(region: Mask, seed: int) -> tuple[float, float]:
    """(x, y) of a pixel of it, drawn by chance."""
    ys, xs = np.nonzero(region)
    chosen = np.random.default_rng(seed).integers(len(ys))
    return float(xs[chosen]), float(ys[chosen])


def box_of(truth: Mask, margin: float = 0.0) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) around the object and a margin, in shares of its size, within the image."""
    x, y, width, height = cv2.boundingRect(truth.astype(np.uint8))
    right, bottom = x + width * (1 + margin), y + height * (1 + margin)
    left, top = x - width * margin, y - height * margin
    return max(left, 0.0), max(top, 0.0), min(right, float(truth.shape[1])), min(bottom, float(truth.shape[0]))


def iou(mask: Mask, truth: Mask) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth))


def print_table(outcomes: dict[str, list[Outcome]]) -> None:
    """One row a video and one for all frames."""
    print(
        f"{'video':20} frames  IoU@1    @3    @5   @10  NoC@85   box loose   drops of clicks   far  disobeyed"
        "  set_image  first  later  score"
    )
    everything = [outcome for video in outcomes.values() for outcome in video]
    for name, rows in [*outcomes.items(), ("all", everything)]:
        reached = [np.mean([row.ious[min(n, len(row.ious)) - 1] for row in rows]) for n in (1, 3, 5, 10)]
        print(
            f"{name:20} {len(rows):6} " + " ".join(f"{value:5.3f}" for value in reached),
            f"{np.mean([row.clicks for row in rows]):7.2f} {np.mean([row.box for row in rows]):5.3f}"
            f" {np.mean([row.loose for row in rows]):5.3f}"
            f" {sum(row.drops for row in rows):7} {sum(len(row.ious) - 1 for row in rows):9}"
            f" {max(row.farthest for row in rows):5.2f} {sum(row.disobeyed for row in rows):10}"
            f" {mean(rows, lambda row: [row.set_image]):8.3f} s {mean(rows, lambda row: row.first):6.3f}"
            f" {mean(rows, lambda row: row.later):6.3f} {correlation(rows):6.2f}",
        )
    print(f"drops: clicks that cost more than {DROP} IoU; far: the farthest change, in shares of the shorter side;")
    print("score: how well the segmenter's own scores follow the true IoU (correlation)")


def mean(rows, values) -> float:
    """Mean over all values of all rows."""
    return float(np.mean([value for row in rows for value in values(row)] or [0.0]))


def correlation(rows: list[Outcome]) -> float:
    """How well the segmenter's own scores follow the true IoU."""
    pairs = np.array([pair for row in rows for pair in row.pairs])
    return float(np.corrcoef(pairs.T)[0, 1]) if len(pairs) > 1 and pairs.std(axis=0).min() > 1e-6 else float("nan")


if __name__ == "__main__":
    main()
