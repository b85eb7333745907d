"""How fast annotations become a dataset, beside labelme's rasteriser with pycocotools, and how much memory it takes.

    python benchmarks/bench_convert.py                       60 videos, a minute or two
    python benchmarks/bench_convert.py --videos 3000         the size of LV-VIS' training part

Makes a tree of 720p videos: 9 objects a video on average, polygons of 43 points, as in LV-VIS. Both sides read the same
files, draw every shape, and write run lengths, boxes and areas as JSON; ours examines all images as well (they are not
copied), and reads its JSON back. Each side runs in a process of its own, on one core. CPU time is what counts where
others use the machine, too.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import orjson
from machine import describe
from PIL import Image

WIDTH, HEIGHT = 1280, 720
FRAMES, OBJECTS, POINTS = 24, 9, 43
PRESENCE = 0.86
"""How often an object is in a frame, so that 3,000 videos have some 560,000 masks."""


def main() -> None:
    options = _parse()
    if options.side:
        _run_side(options)
        return
    print(describe("numpy", "pycocotools", "opencv-python-headless", "labelme", "pillow"))
    with tempfile.TemporaryDirectory(prefix="bench_convert.", dir=options.folder) as folder:
        masks = make_tree(Path(folder), options.videos)
        frames = options.videos * FRAMES
        print(f"{options.videos} videos, {frames} frames, {masks} masks of {POINTS} points\n")
        print("side                     masks   wall s    CPU s  masks/s CPU  peak MB")
        for side in ("ours", "ours, not verified", "labelme + pycocotools"):
            _measure(side, Path(folder), options)


def make_tree(folder: Path, videos: int) -> int:
    """A tree of videos and annotations; returns how many masks it has."""
    rng = np.random.default_rng(0)
    picture = folder / "picture.jpg"
    Image.fromarray(rng.integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)).resize((WIDTH, HEIGHT)).save(picture)
    masks = 0
    for number in range(videos):
        frames, notes = folder / "videos" / f"{number:05d}", folder / "annotations" / f"{number:05d}"
        frames.mkdir(parents=True)
        notes.mkdir(parents=True)
        outlines = [_outline(rng) for _ in range(OBJECTS)]
        for index in range(FRAMES):
            _link(picture, frames / f"{index:05d}.jpg", first=number % 1000 == 0 and index == 0)
            shapes = [
                _shape(label, outline + rng.uniform(-3, 3, 2))
                for label, outline in enumerate(outlines)
                if rng.random() < PRESENCE
            ]
            masks += len(shapes)
            document = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": f"{index:05d}.jpg"}
            document |= {"imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
            (notes / f"{index:05d}.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    return masks


def _link(picture: Path, target: Path, *, first: bool) -> None:
    """A hard link; a new picture now and then, for a file has a limit of links."""
    if first:
        target.write_bytes(picture.read_bytes())
        picture.unlink()
        os.link(target, picture)
    else:
        os.link(picture, target)


def _outline(rng: np.random.Generator) -> np.ndarray:
    """float64 (POINTS, 2): a blob of some 18,600 pixels."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, POINTS))
    radii = 78 * rng.uniform(0.85, 1.15, POINTS)
    centre = rng.uniform((100, 100), (WIDTH - 100, HEIGHT - 100))
    return centre + np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _shape(label: int, points: np.ndarray) -> dict[str, object]:
    return {
        "label": f"category {label}",
        "points": points.tolist(),
        "group_id": label,
        "description": "",
        "shape_type": "polygon",
        "flags": {},
        "mask": None,
    }


def _measure(side: str, folder: Path, options: argparse.Namespace) -> None:
    command = [
        sys.executable,
        __file__,
        "--side",
        side,
        "--folder",
        str(folder),
        "--peer-videos",
        str(options.peer_videos),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    facts = json.loads(done.stdout)
    rate = facts["masks"] / facts["cpu"]
    print(
        f"{side:22}{facts['masks']:8}{facts['wall']:9.1f}{facts['cpu']:9.1f}{rate:13.0f}{facts['peak']:9.0f}",
        flush=True,
    )


def _run_side(options: argparse.Namespace) -> None:
    import cv2

    cv2.setNumThreads(1)
    side = _labelme if options.side.startswith("labelme") else _ours
    wall, cpu = time.perf_counter(), time.process_time()
    masks = side(options)
    facts = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "masks": masks}
    print(json.dumps(facts | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def _ours(options: argparse.Namespace) -> int:
    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.videos import find_videos
    from sam_annotator.core.youtube_vis import ConvertOptions, convert

    convert_options = ConvertOptions(images="none", force=True, verify=options.side == "ours")
    videos = find_videos(options.folder / "videos")
    store = AnnotationStore(options.folder / "annotations")
    *_steps, last = _last_two(convert(videos, store, options.folder / "dataset", convert_options))
    return last.report.masks


def _last_two(steps):  # type: ignore[no-untyped-def]
    """The end of an iterator, without keeping the rest."""
    from collections import deque

    return deque(steps, maxlen=2)


def _labelme(options: argparse.Namespace) -> int:
    """What a careful script does: labelme's own rasteriser, pycocotools for run lengths, boxes and areas."""
    from labelme.utils import shape_to_mask
    from pycocotools import mask as coco

    annotations = []
    masks = 0
    for folder in sorted((options.folder / "annotations").iterdir())[: options.peer_videos]:
        objects: dict[int, dict[str, list[object]]] = {}
        for index, path in enumerate(sorted(folder.iterdir())):
            document = json.loads(path.read_text())
            for shape in document["shapes"]:
                mask = shape_to_mask((HEIGHT, WIDTH), shape["points"], shape["shape_type"])
                rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
                lists = objects.setdefault(
                    shape["group_id"], {key: [None] * FRAMES for key in ("segmentations", "bboxes", "areas")}
                )
                lists["bboxes"][index] = coco.toBbox(rle).tolist()
                lists["areas"][index] = int(coco.area(rle))
                lists["segmentations"][index] = {"size": rle["size"], "counts": rle["counts"].decode()}
                masks += 1
        annotations.extend(objects.values())
    (options.folder / "labelme.json").write_text(json.dumps({"annotations": annotations}))
    return masks


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--peer-videos", type=int, default=60, help="videos that the slow side does (default: 60)")
    parser.add_argument("--folder", type=Path, help="where to make the tree (default: the folder for temporary files)")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
