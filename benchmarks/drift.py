"""Where the signs of drift stand: of true masks from frame to frame, and of the same masks degraded at once.

    python benchmarks/drift.py ../shared/davis_dev

The folder is as for `davis.py`. For each frame the frame before has its true mask, and this one the true mask or a
degraded one; shares are made up of it, as sharp as a trained network draws them (`--softness`, pixels within which a
share goes from one side to the other by a factor e). Printed are quantiles of motion agreement and of STCN's score,
the part of the masks that would be doubtful, and milliseconds of the processor at 480p: motion of a frame, signs of an
object.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from davis import Mask, level, overlap, read_masks
from machine import describe
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.tracks import DOUBTFUL_SCORE
from sam_annotator.engine.drift import MotionWatch
from sam_annotator.engine.stcn.score import find_signs

Row = tuple[float, float, float]


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _grown(mask: Mask, pixels: int) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(pixels)) > 0)


def _half(mask: Mask) -> Mask:
    columns = np.flatnonzero(mask.any(0))
    return mask & (np.arange(mask.shape[1]) < columns[len(columns) // 2] if len(columns) else True)


DEGRADED: dict[str, Callable[[Mask], Mask]] = {
    "true": lambda mask: mask,
    "moved by 10 pixels": lambda mask: np.roll(mask, 10, 1),
    "moved by 20 pixels": lambda mask: np.roll(mask, 20, 1),
    "moved by 40 pixels": lambda mask: np.roll(mask, 40, 1),
    "grown by 10 pixels": lambda mask: _grown(mask, 10),
    "grown by 20 pixels": lambda mask: _grown(mask, 20),
    "shrunk by 10 pixels": lambda mask: ~_grown(~mask, 10),
    "half of it": _half,
    "gone": np.zeros_like,
}
SOFT = (1.0, 2.0, 4.0)


def shares_of(mask: Mask, softness: float) -> torch.Tensor:
    """float32 (2, height, width): background and object, changing at the mask's edge."""
    distance = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    distance -= cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    share = torch.sigmoid(torch.from_numpy(distance) / softness)
    return torch.stack([1 - share, share])


def frames_of(folder: Path) -> Iterator[list[tuple[NDArray[np.uint8], Mask]]]:
    """The frames of each video with the mask of everything in them."""
    for images in sorted(level(folder / "JPEGImages").iterdir()):
        frames = []
        for path in sorted(images.glob("*.jpg")):
            image = np.asarray(Image.open(path).convert("RGB"))
            masks = read_masks(level(folder / "Annotations") / images.name / f"{path.stem}.png")
            frames.append((image, np.logical_or.reduce([np.zeros(image.shape[:2], np.bool_), *masks.values()])))
        yield frames


def rows_of(frames: list[tuple[NDArray[np.uint8], Mask]], degrade: Callable[[Mask], Mask], soft: float) -> list[Row]:
    """IoU with the truth, agreement and score of each frame but the first, where there is anything."""
    watch, rows = MotionWatch(), []
    for place, (image, truth) in enumerate(frames):
        watch.look(image)
        if place and frames[place - 1][1].any() and truth.any():
            mask = degrade(truth)
            agreed = watch.agreement(1, mask)
            area = float(np.count_nonzero(frames[place - 1][1]))
            signs = find_signs(shares_of(mask, soft), 1, torch.from_numpy(mask), area, agreed)
            rows.append((overlap(mask, truth), agreed or 0.0, signs.score))
        watch.agreement(1, truth)  # what the next frame is compared with
    return rows


def milliseconds(frames: list[tuple[NDArray[np.uint8], Mask]]) -> tuple[float, float]:
    """Of finding motion in a frame, and of all signs of one object; of the processor, the middle of all frames."""
    watch, motion, signs = MotionWatch(), [], []
    for image, mask in frames:
        shares, plane = shares_of(mask, 1.0), torch.from_numpy(mask)
        started = time.thread_time()
        watch.look(image)
        looked = time.thread_time()
        find_signs(shares, 1, plane, 1000.0, watch.agreement(1, mask))
        motion.append(looked - started)
        signs.append(time.thread_time() - looked)
    return 1000 * float(np.median(motion)), 1000 * float(np.median(signs))


def main() -> None:
    """Print a table, one line per way to degrade."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder with JPEGImages and Annotations")
    parser.add_argument("--softness", type=float, nargs="+", default=SOFT, metavar="PIXELS")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    videos = list(frames_of(options.folder))
    print(describe("torch", "opencv-python-headless"))
    print(f"{'mask':20s} {'soft':>5s} {'IoU':>5s}  {'agreement 5, 50, 95 %':24s} {'score 5, 50, 95 %':24s} doubtful")
    for name, degrade in DEGRADED.items():
        for soft in options.softness if name == "true" else options.softness[:1]:
            rows = np.array([row for frames in videos for row in rows_of(frames, degrade, soft)])
            quantiles = np.quantile(rows[:, 1:], (0.05, 0.5, 0.95), axis=0)
            texts = ["  ".join(f"{value:.2f}" for value in column) for column in quantiles.T]
            doubtful = float(np.mean(rows[:, 2] < DOUBTFUL_SCORE))
            print(f"{name:20s} {soft:5.1f} {rows[:, 0].mean():5.2f}  {texts[0]:24s} {texts[1]:24s} {doubtful:8.0%}")
    motion, signs = np.median([milliseconds(frames) for frames in videos], axis=0)
    print(f"\nmotion {motion:.1f} ms a frame, signs {signs:.1f} ms an object")


if __name__ == "__main__":
    main()
