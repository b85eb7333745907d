"""The demonstration, on the first frames of the sample videos."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from PyQt5 import QtWidgets

from sam_annotator.core.annotation import read_annotation
from sam_annotator.core.errors import InputError
from sam_annotator.gui.demo import MARKER, run_demo
from tests.gui.conftest import EMBEDDED

PICTURES = (
    "1-opened.png",
    "2-proposals.png",
    "3-corrected.png",
    "4-name.png",
    "5-propagating.png",
    "6-propagated.png",
    "7-edited.png",
    "8-dataset.png",
)


@dataclass(frozen=True)
class Demonstration:
    """What one run left behind; its folder held what an earlier one had made, and a note of the person's own."""

    folder: Path
    quality: float
    said: tuple[str, ...]


@pytest.fixture(scope="module")
def demonstration(
    qapp: QtWidgets.QApplication, samples: Path, tmp_path_factory: pytest.TempPathFactory
) -> Demonstration:
    folder = tmp_path_factory.mktemp("demo") / "output"
    for name in ("annotations/coffee/00000.json", "dataset/Annotations/old.json", "pictures/old.png", MARKER, "note"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("from an earlier run", encoding="utf-8")
    said: list[str] = []
    font = qapp.font()
    quality = run_demo(folder, samples, said.append, EMBEDDED)
    qapp.setFont(font)
    return Demonstration(folder, quality, tuple(said))


@pytest.fixture(scope="module")
def known(samples: Path) -> dict[str, dict[str, object]]:
    """Video -> object id -> what is true of it."""
    content: dict[str, dict[str, object]] = json.loads((samples / "truth" / "objects.json").read_text(encoding="utf-8"))
    return content


def test_the_propagated_masks_are_good_and_that_is_said(
    demonstration: Demonstration, known: dict[str, dict[str, object]]
) -> None:
    assert demonstration.quality > 0.8
    summary = (demonstration.folder / "summary.txt").read_text(encoding="utf-8")
    count = sum(len(objects) for objects in known.values())
    assert f"Mean IoU of propagated masks, over {count} objects: {demonstration.quality:.3f}" in summary
    assert summary.strip() == demonstration.said[-1]


def test_every_object_of_every_frame_is_annotated_and_none_of_an_earlier_run(
    demonstration: Demonstration, known: dict[str, dict[str, object]]
) -> None:
    for name, objects in known.items():
        for index in range(6):
            annotation = read_annotation(demonstration.folder / "annotations" / name / f"{index:05d}.json")
            assert annotation.object_ids() == tuple(sorted(int(number) for number in objects))


def test_the_dataset_has_a_track_for_each_object(
    demonstration: Demonstration, known: dict[str, dict[str, object]]
) -> None:
    dataset = demonstration.folder / "dataset"
    content = json.loads((dataset / "Annotations" / "train_instances.json").read_text(encoding="utf-8"))
    assert len(content["videos"]) == 3
    assert len(content["annotations"]) == sum(len(objects) for objects in known.values())
    assert "tabby cat" in {category["name"] for category in content["categories"]}
    assert not (dataset / "Annotations" / "old.json").exists()
    for video in content["videos"]:
        assert all((dataset / "JPEGImages" / "train" / name).exists() for name in video["file_names"])


def test_each_stage_has_a_picture_and_nothing_is_left_of_old_ones(demonstration: Demonstration) -> None:
    pictures = sorted((demonstration.folder / "pictures").iterdir())
    assert tuple(path.name for path in pictures) == PICTURES
    for path in pictures:
        with Image.open(path) as image:
            assert image.width > 600
            colors = image.convert("RGB").resize((200, 150), Image.Resampling.NEAREST).getcolors(1 << 16)
            assert len(colors) > 500  # more than an empty window


def test_what_is_the_persons_own_stays(demonstration: Demonstration) -> None:
    assert (demonstration.folder / "note").read_text(encoding="utf-8") == "from an earlier run"


def test_a_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work", encoding="utf-8")
    with pytest.raises(InputError, match="holds something else; name a new or empty folder"):
        run_demo(tmp_path, None, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        run_demo(tmp_path / "thesis.txt", None, lambda _: None)
