"""What a repair does for J on a folder in the layout of DAVIS-2016, with the embedded propagator.

    python benchmarks/repair.py DAVIS_DEV [--limit 40]

Each video is propagated from its first mask; then the worst frame (after the fifth) gets its true mask, as a person
would correct it, and is repaired. Beside it: the whole video propagated anew from both key frames.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from machine import describe
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.planning import PropagationRequest
from sam_annotator.engine.propagation import FrameDone, propagate
from sam_annotator.engine.repair import Correction
from sam_annotator.engine.runs import run_repair, run_whole_video

Mask = NDArray[np.bool_]

HEAD = "| video | frames | J | corrected (J there) | repaired | J then | J, all anew |\n|---|---|---|---|---|---|---|"


def put(video: Video, store: AnnotationStore, index: int, mask: Mask) -> None:
    shapes = mask_to_shapes(mask, label="it", object_id=1, source="manual")
    store.update(video, index, lambda frame: frame.with_object(1, shapes), mask.shape[1], mask.shape[0])


def overlaps(video: Video, store: AnnotationStore, truth: list[Mask]) -> list[float]:
    """J of each frame."""
    masks = (object_mask(store.read(video, i).shapes_of(1), *mask.shape) for i, mask in enumerate(truth))
    return [iou(mask, true) for mask, true in zip(masks, truth, strict=True)]


def measure(video: Video, truth: list[Mask], folder: Path) -> str:
    store, anew = AnnotationStore(folder / "repaired"), AnnotationStore(folder / "anew")
    propagator = EmbeddedPropagator()
    put(video, store, 0, truth[0])
    list(propagate(video, store, propagator, PropagationRequest((1,), 0, 0, len(truth) - 1)))
    before = overlaps(video, store, truth)
    worst = 5 + int(np.argmin(before[5:]))
    put(video, store, worst, truth[worst])
    steps = run_repair(video, store, propagator, Correction(worst, (1,)))
    seen = [step.index for step in steps if isinstance(step, FrameDone)]
    for index in (0, worst):
        put(video, anew, index, truth[index])
    list(run_whole_video(video, anew, propagator, (1,)))
    after, whole = overlaps(video, store, truth), overlaps(video, anew, truth)
    return (
        f"| {video.name} | {len(truth)} | {np.mean(before):.3f} | {worst} ({before[worst]:.3f}) "
        f"| {min(seen)} to {max(seen)} | {np.mean(after):.3f} | {np.mean(whole):.3f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DAVIS_DEV", help="with JPEGImages/ and Annotations/")
    parser.add_argument("--limit", type=int, default=40, help="frames of each video (40)")
    options = parser.parse_args()
    print(describe("numpy", "opencv-python-headless"))
    print(HEAD)
    for source in find_videos(options.folder / "JPEGImages"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "frames").mkdir()
            truth = []
            for path in source.frame_paths[: options.limit]:
                (folder / "frames" / path.name).symlink_to(path)
                mask = np.asarray(Image.open(options.folder / "Annotations" / source.name / f"{path.stem}.png")) > 0
                truth.append(mask if mask.ndim == 2 else mask.any(2))
            video = Video(source.name, folder / "frames")
            print(measure(video, truth, folder), flush=True)


if __name__ == "__main__":
    main()
