"""A tree of videos and annotations of the size of LV-VIS' training part, to measure the dataset maker with.

    python benchmarks/lvvis_tree.py FOLDER                  3,000 videos, 27,000 objects, some 557,000 masks; 2.5 GB
    python benchmarks/lvvis_tree.py FOLDER --videos 100

Makes FOLDER/videos and FOLDER/annotations: videos of 24 frames at 720p, 9 objects each, polygons of 43 points. Frames
are links to a few pictures. The same call gives the same tree.
"""

import argparse
import os
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

WIDTH, HEIGHT = 1280, 720
FRAMES, OBJECTS, POINTS = 24, 9, 43
PRESENCE = 0.86
"""How often an object is in a frame, so that 3,000 videos have some 560,000 masks, as LV-VIS has."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--videos", type=int, default=3000)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    print(f"{make_tree(options.folder, options.videos)} masks")


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


if __name__ == "__main__":
    main()
