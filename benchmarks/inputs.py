"""What is measured on: frames with the detail of real ones, from scikit-image's photographs; objects; big folders."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.annotation import PROPAGATED, FrameAnnotation, Shape, write_annotation
from sam_annotator.core.masks import mask_to_shapes, object_mask
from sam_annotator.samples.photographs import read_photograph

_PHOTOGRAPHS = ("coffee.png", "astronaut.png", "chelsea.png", "rocket.jpg", "hubble_deep_field.jpg")
_STEP = 6  # pixels that the view moves from frame to frame


@dataclass(frozen=True)
class Size:
    """Of a frame, in pixels."""

    width: int
    height: int

    @classmethod
    def parse(cls, text: str) -> "Size":
        """From `1920x1080`."""
        width, height = text.lower().split("x")
        return cls(int(width), int(height))

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def make_frames(folder: Path, count: int, size: Size) -> list[Path]:
    """A view that moves over a wall of photographs, with a camera's noise, as JPEGs of quality 92."""
    folder.mkdir(parents=True)
    wall = _wall(Size(size.width + count * _STEP, size.height))
    noise = np.random.default_rng(0)
    paths = []
    for index in range(count):
        view = wall[:, index * _STEP : index * _STEP + size.width]
        view = view + noise.normal(0, 3, view.shape).astype(np.float32)
        paths.append(folder / f"{index:05d}.jpg")
        pixels = cv2.cvtColor(np.clip(view, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(paths[-1]), pixels, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return paths


def _wall(size: Size) -> NDArray[np.float32]:
    """Photographs in two rows, mirrored where they repeat."""
    height = -(-size.height // 2)
    rows = []
    for first in (0, 2):
        tiles, width, number = [], 0, first
        while width < size.width:
            photograph = read_photograph(_PHOTOGRAPHS[number % len(_PHOTOGRAPHS)]) * 255
            wide = round(photograph.shape[1] * height / photograph.shape[0])
            tile = cv2.resize(photograph, (wide, height), interpolation=cv2.INTER_LANCZOS4)
            tiles.append(tile if number < len(_PHOTOGRAPHS) else tile[:, ::-1])
            width, number = width + wide, number + 1
        rows.append(np.concatenate(tiles, axis=1)[:, : size.width])
    return np.concatenate(rows)[: size.height]


def annotate(frames: list[Path], size: Size, *, objects: int, points: int, as_masks: bool) -> None:
    """Put objects into every frame: outlines of so many points each, or the same as mask shapes with a hole."""
    for index, frame in enumerate(frames):
        shapes = tuple(_object(number, index, size, points) for number in range(1, objects + 1))
        if as_masks:
            shapes = tuple(part for shape in shapes for part in _as_mask(shape, size))
        path = frame.with_suffix(".json")
        write_annotation(path, FrameAnnotation(frame.name, width=size.width, height=size.height, shapes=shapes))


def _object(number: int, index: int, size: Size, points: int) -> Shape:
    angles = np.linspace(0, 2 * np.pi, points, endpoint=False)
    unit = size.height / 1080
    radius = (70 + 14 * number) * unit * (1 + 0.15 * np.sin(5 * angles + number) + 0.04 * np.sin(17 * angles))
    x = size.width * (0.08 + 0.84 * (number * 0.381966 % 1)) + radius * np.cos(angles) + 4 * unit * index
    y = size.height * (0.15 + 0.70 * (number * 0.618034 % 1)) + radius * np.sin(angles)
    outline = np.stack([x.clip(0, size.width - 1), y.clip(0, size.height - 1)], axis=1).round(1)
    corners = tuple((float(x), float(y)) for x, y in outline)
    return Shape("thing", corners, "polygon", object_id=number, source=PROPAGATED, score=0.9)


def _as_mask(shape: Shape, size: Size) -> tuple[Shape, ...]:
    mask = object_mask([shape], size.height, size.width)
    rows, columns = np.nonzero(mask)
    radius = size.height // 40
    hole = np.zeros(mask.shape, np.uint8)
    cv2.circle(hole, (int(columns.mean()), int(rows.mean())), radius, 1, -1)
    return mask_to_shapes(
        mask & (hole == 0), label=shape.label, object_id=shape.object_id, source=PROPAGATED, score=0.9, style="mask"
    )


def make_tree(root: Path, frames: list[Path], videos: int) -> None:
    """So many videos, each a folder of hard links to the same frames (copies, where the disk has no links)."""
    for number in range(videos):
        link_all(frames, root / f"{number:05d}")


def link_all(files: list[Path], folder: Path) -> None:
    """A folder of hard links to files."""
    folder.mkdir(parents=True)
    for file in files:
        try:
            os.link(file, folder / file.name)
        except OSError:
            shutil.copy(file, folder / file.name)
