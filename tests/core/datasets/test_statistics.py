"""Statistics: numbers that were counted by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.categories import Category, read_categories
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.datasets.masked_video import MaskedVideos
from sam_annotator.core.datasets.statistics import Statistics, VideoFacts, measure, sum_up
from sam_annotator.core.datasets.statistics_plot import write_plot
from sam_annotator.core.errors import InputError
from tests.small_dataset import blob, document, ring, write_json


def count(source: MaskedVideos, categories: tuple[Category, ...] | None = None) -> Statistics:
    found = [facts for video in source.videos for facts in measure(video) if facts is not None]
    return sum_up(source.problems, found, categories)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """`hill`: a dog with two gaps, and a dog beside it; `lake`: a red panda, and nothing for a dog."""
    small, none = blob(1, 1), None
    hill = (7, [(3, [small, none, small, none, none, ring(), none]), (3, [none, none, blob(9, 8), *[none] * 4])])
    lake = (2, [(8, [small, small]), (3, [none, none])])
    return write_json(tmp_path / "dataset.json", document({"hill": hill, "lake": lake}))


def test_everything_is_counted(dataset: Path) -> None:
    statistics = count(read_dataset_json(dataset), read_categories(dataset))
    numbers = statistics.to_document()
    assert [numbers[key] for key in ("videos", "frames", "objects", "masks")] == [2, 9, 3, 6]
    assert numbers["groups"] == {
        "base": {"categories": 1, "objects": 2, "masks": 4},
        "novel": {"categories": 1, "objects": 1, "masks": 2},
    }
    assert numbers["gaps"] == {"objects": 1, "count": 2, "min": 1, "median": 1.5, "mean": 1.5, "max": 2}
    assert numbers["frames_per_object"] == {"min": 1, "median": 2, "mean": 2, "max": 3}
    assert numbers["objects_per_video"] == {"min": 1, "median": 1.5, "mean": 1.5, "max": 2}
    area = numbers["area"]
    assert (area["min"], area["max"]) == (12, int(ring().sum()))
    assert [area[key] for key in ("small", "medium", "large")] == [6, 0, 0]
    assert numbers["categories"] == [
        {"name": "dog", "group": "base", "objects": 2, "masks": 4, "frames": 3, "videos": 1},
        {"name": "red_panda", "group": "novel", "objects": 1, "masks": 2, "frames": 2, "videos": 1},
    ]
    assert numbers["unused_categories"] == 0


def test_categories_that_no_object_has_are_counted_and_groups_are_unknown_without_partitions(dataset: Path) -> None:
    statistics = count(read_dataset_json(dataset), (Category(1, "dog"), Category(2, "cat"), Category(3, "cow")))
    assert statistics.unused == 2
    assert {category.group for category in statistics.categories} == {None}
    assert count(read_dataset_json(dataset)).unused == 0


def test_areas_are_sorted_by_the_sizes_of_youtube_vis() -> None:
    masks = {1: np.ones((128, 127), bool), 2: np.ones((128, 128), bool), 3: np.ones((256, 256), bool)}

    class Large:
        name, frames, labels = "lake", ("0",), dict.fromkeys(masks, "dog")

        def read(self, position: int) -> object:
            from sam_annotator.core.datasets.masked_video import FrameMasks

            return FrameMasks(256, 256, masks)

    area = count(MaskedVideos((Large(),))).to_document()["area"]  # type: ignore[arg-type]
    assert [area[key] for key in ("small", "medium", "large")] == [1, 1, 1]


def test_what_cannot_be_read_is_told_and_not_counted(dataset: Path) -> None:
    content = json.loads(dataset.read_text())
    content["annotations"][0]["segmentations"][0] = {"size": [12, 17], "counts": [1]}
    content["annotations"][2]["category_id"] = 77
    statistics = count(read_dataset_json(write_json(dataset, content)))
    assert len(statistics.problems) == 2
    assert (len(statistics.objects), len(statistics.areas)) == (2, 3)


def test_nothing_at_all_can_be_summed_up_and_drawn(tmp_path: Path) -> None:
    statistics = sum_up((), [VideoFacts("lake", 3, ())], None)
    assert "objects            0" in str(statistics)
    write_plot(tmp_path / "plot.png", statistics)
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_the_plot_is_a_picture(dataset: Path, tmp_path: Path) -> None:
    write_plot(tmp_path / "plot.PNG", count(read_dataset_json(dataset), read_categories(dataset)))
    with Image.open(tmp_path / "plot.PNG") as image:
        assert image.width > 1000
        assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_the_same_numbers_give_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.svg" for name in "ab"]
    for path in paths:
        write_plot(path, count(read_dataset_json(dataset)))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_suffix_of_no_picture_is_one_sentence(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"plot\.doc has no suffix of a picture"):
        write_plot(tmp_path / "plot.doc", count(read_dataset_json(dataset)))
