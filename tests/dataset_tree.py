"""Small trees of videos and annotations for tests of the dataset maker."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.annotation import FrameAnnotation, Shape, write_annotation
from sam_annotator.core.datasets.convert_report import ConversionError, ConvertProgress, ConvertReport
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, annotations_path, convert, images_folder
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.youtube_vis_reader import YoutubeVis, check_consistency

WIDTH, HEIGHT = 64, 48
TRIANGLE = ((10.0, 10.0), (40.0, 12.0), (20.5, 40.2))


class Tree:
    """A folder of videos and their annotations in the making."""

    def __init__(self, folder: Path, beside: bool = False) -> None:
        self.videos = folder / "videos"
        self.annotations = self.videos if beside else folder / "annotations"
        self.dataset = folder / "dataset"
        self.beside = beside

    def image(self, name: str, size: tuple[int, int] = (WIDTH, HEIGHT), **save: Any) -> Path:
        path = self.videos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(len(list(path.parent.iterdir()))).integers(
            0, 256, (size[1], size[0], 3), np.uint8
        )
        Image.fromarray(values).resize(size).save(path, **save)
        return path

    def video(self, name: str, frames: int = 3, suffix: str = ".jpg") -> None:
        for index in range(frames):
            self.image(f"{name}/{index:05d}{suffix}")

    def annotate(self, name: str, *shapes: Shape, **facts: Any) -> Path:
        path = self.annotations / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = FrameAnnotation("frame.jpg", WIDTH, HEIGHT, shapes)
        write_annotation(path, replace(frame, **facts))
        return path

    def convert(self, **options: Any) -> ConvertReport:
        return self.steps(**options)[-1].report

    def steps(self, output: Path | None = None, **options: Any) -> Sequence[ConvertProgress]:
        store = AnnotationStore(None if self.beside else self.annotations)
        videos = find_videos(self.videos)
        # the labels that occur, unless it says otherwise: that nothing fixes them is an error
        options = {"present": "categories" not in options} | options
        return list(convert(videos, store, output or self.dataset, ConvertOptions(**options)))

    def load(self, split: str = "train", layout: Any = "lvvis") -> YoutubeVis:
        reader = YoutubeVis(annotations_path(self.dataset, split, layout))
        check_consistency(reader)
        for video in reader.videos.values():
            for name in video["file_names"]:
                with Image.open(images_folder(self.dataset, split, layout) / name) as image:
                    assert (image.format, image.size) == ("JPEG", (video["width"], video["height"]))
        return reader

    def problems(self, **options: Any) -> tuple[str, ...]:
        with pytest.raises(ConversionError) as caught:
            self.convert(**options)
        assert not self.dataset.exists()
        return caught.value.problems


def polygon(object_id: int | None = 1, label: str = "swan", points: Sequence[tuple[float, float]] = TRIANGLE) -> Shape:
    return Shape(label, tuple(points), "polygon", object_id)


def outside(object_id: int = 1, label: str = "swan") -> Shape:
    return polygon(object_id, label, [(x + 500, y) for x, y in TRIANGLE])
