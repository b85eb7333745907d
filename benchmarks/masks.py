"""How masks are stored, and which proposal is chosen for an object that is taken along to another frame.

    python benchmarks/masks.py FOLDER [--every 5]

FOLDER is laid out as DAVIS is: `JPEGImages/<video>/*.jpg` and `Annotations/<video>/*.png` (not 0: object).
Stored: as polygons, at the size of the masks and at twice that. Taken along: the first proposal for a click on the
deepest point of the object, the one nearest in size to its mask some frames before, and the best of the three.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.annotation import SAM, FrameAnnotation, Shape, encode_annotation
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask, object_patch, remove_specks
from sam_annotator.core.prompt import Prompt
from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter
from sam_annotator.gui.tools.sam import nearest_in_size

Mask = NDArray[np.bool_]
SPECK = 64
STARTS = (5, 15, 25, 33)
STEPS = (1, 5)


def main() -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with JPEGImages and Annotations")
    parser.add_argument("--every", type=int, default=5, help="take every n-th mask for storing")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted((args.folder / "Annotations").rglob("*.png"))[:: args.every]
    masks = [remove_specks(read(path), SPECK) for path in paths]
    print("stored           shapes with holes  points: median p90 most  IoU: least median  JSON bytes  make   draw")
    print_stored("as they are", masks)
    print_stored("twice the size", [enlarged(mask) for mask in masks])
    print("taken along      first   nearest in size   best of three   (mean IoU)")
    for step in STEPS:
        print_taken_along(args.folder, step)


def read(path: Path) -> Mask:
    """The object of a mask image, bool (height, width)."""
    mask: Mask = np.asarray(Image.open(path)) > 0
    return mask


def enlarged(mask: Mask) -> Mask:
    """A mask of twice the size, with an edge as smooth as that of a mask that was drawn at that size."""
    soft = cv2.resize(mask.astype(np.float32), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    result: Mask = cv2.GaussianBlur(soft, (0, 0), 2) > 0.5
    return result


def print_stored(name: str, masks: list[Mask]) -> None:
    """One row: what the shapes of these masks are like."""
    stored: list[tuple[Shape, ...]] = []
    making = timed(lambda mask: stored.append(mask_to_shapes(mask, label="a", object_id=1, source=SAM)), masks)
    polygons = [shapes for shapes in stored if all(shape.shape_type == "polygon" for shape in shapes)]
    points = [sum(len(shape.points) for shape in shapes) for shapes in polygons]
    ious = [iou(object_mask(shapes, *mask.shape), mask) for shapes, mask in zip(stored, masks, strict=True)]
    height, width = masks[0].shape
    sizes = [len(encode_annotation(FrameAnnotation("a.jpg", width, height, shapes))) for shapes in polygons]
    drawing = timed(lambda shapes: object_patch(shapes, height, width), polygons)
    print(
        f"{name:16} {len(stored):6} {len(stored) - len(polygons):10}  {statistics.median(points):14.0f}"
        f" {np.percentile(points, 90):3.0f} {max(points):4}  {min(ious):10.4f} {statistics.median(ious):6.4f}"
        f"  {statistics.mean(sizes):10.0f}  {making:.1f} ms {drawing:.2f} ms"
    )


def timed(work: Callable[[object], object], items: list) -> float:
    """Median milliseconds of the processor for one item."""
    seconds = []
    for item in items:
        begun = time.process_time()
        work(item)
        seconds.append(time.process_time() - begun)
    return 1000 * statistics.median(seconds)


def print_taken_along(folder: Path, step: int) -> None:
    """One row: means over all videos."""
    rows = []
    for video in sorted(path for path in (folder / "Annotations").iterdir() if path.is_dir()):
        paths = sorted(video.glob("*.png"))
        for start in STARTS:
            if start + step < len(paths):
                image = folder / "JPEGImages" / video.name / f"{paths[start + step].stem}.jpg"
                rows.append(taken_along(image, read(paths[start + step]), read(paths[start])))
    means = np.mean(rows, axis=0)
    print(f"{step} frame{'s' if step > 1 else ' '} on       {means[0]:.3f}   {means[1]:.3f}             {means[2]:.3f}")


def taken_along(image: Path, truth: Mask, before: Mask) -> tuple[float, float, float]:
    """IoU of the first proposal, of the one nearest in size to `before`, of the best."""
    depth = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(np.asarray(Image.open(image).convert("RGB")))
    proposals = segmenter.predict(Prompt(((float(x) + 0.5, float(y) + 0.5),), (True,)))
    ious = [iou(proposal.mask, truth) for proposal in proposals]
    return ious[0], ious[nearest_in_size(proposals, int(before.sum()))], max(ious)


if __name__ == "__main__":
    main()
