"""Indexed PNG masks in and out: pixels, names, ids that do not fit, files that are something else."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.datasets.davis_export import export_davis
from sam_annotator.core.datasets.davis_masks import davis_palette, read_davis
from sam_annotator.core.datasets.mask_export import ExportReport
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideos, flat_names
from sam_annotator.core.errors import InputError
from tests.small_dataset import HEIGHT, WIDTH, blob, ring, write_json


class InMemory:
    """A video whose masks the test has at hand."""

    def __init__(self, name: str, labels: dict[int, str], *frames: dict[int, np.ndarray]) -> None:
        self.name, self.labels, self._masks = name, labels, frames
        self.frames = tuple(f"{index:05d}" for index in range(len(frames)))

    def read(self, position: int) -> FrameMasks:
        return FrameMasks(WIDTH, HEIGHT, self._masks[position])


def export(output: Path, *videos: InMemory, **options: bool) -> ExportReport:
    return list(export_davis(MaskedVideos(videos), output, **options))[-1].report


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_pixels_ids_and_names_come_back(tmp_path: Path) -> None:
    lake = InMemory("lake", {1: "dog", 254: "duck", 7: "swan"}, {1: blob(0, 0), 254: ring() & ~blob(0, 0)}, {7: ring()})
    assert export(tmp_path, lake).is_clean
    (video,) = read_davis(tmp_path).videos
    assert (video.name, video.frames, video.labels) == ("lake", lake.frames, {1: "dog", 7: "swan", 254: "duck"})
    for position in range(2):
        found, truth = video.read(position).masks, lake.read(position).masks
        assert found.keys() == truth.keys()
        for object_id, mask in truth.items():
            np.testing.assert_array_equal(found[object_id], mask)


def test_ids_that_fit_in_no_byte_are_kept_in_the_file_of_names(tmp_path: Path) -> None:
    report = export(tmp_path, InMemory("lake", {0: "dog", 300: "duck"}, {0: blob(0, 0), 300: blob(8, 8)}))
    assert report.renumbered == ["lake"]
    with Image.open(tmp_path / "Annotations/lake/00000.png") as image:
        assert set(np.unique(np.asarray(image))) == {0, 1, 2}
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    (video,) = read_davis(tmp_path).videos
    assert video.labels == {0: "dog", 300: "duck"}
    np.testing.assert_array_equal(video.read(0).masks[300], blob(8, 8))


def test_frames_without_objects_are_written_and_overlaps_are_told(tmp_path: Path) -> None:
    report = export(tmp_path, InMemory("lake", {1: "dog", 2: "cat"}, {}, {1: blob(1, 1), 2: blob(2, 2)}))
    assert (report.frames, report.overlapping, report.is_clean) == (2, 1, False)
    names = json.loads((tmp_path / "meta.json").read_text())["videos"]["lake"]["objects"]
    assert names["2"] == {"category": "cat", "frames": ["00001"], "object_id": 2}
    with Image.open(tmp_path / "Annotations/lake/00000.png") as image:
        assert not np.asarray(image).any()


def test_the_same_masks_give_the_same_bytes_and_nothing_is_written_over(tmp_path: Path) -> None:
    lake = InMemory("lake", {1: "dog"}, {1: ring()})
    for name in ("a", "b"):
        export(tmp_path / name, lake)
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("a", "b")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    with pytest.raises(InputError, match="has masks already"):
        export(tmp_path / "a", lake)
    assert export(tmp_path / "a", lake, force=True).frames == 1


def test_more_objects_than_a_byte_holds_are_told(tmp_path: Path) -> None:
    report = export(tmp_path, InMemory("lake", {i: "bee" for i in range(1, 257)}, {1: blob(0, 0), 256: ring()}))
    assert report.problems == ["lake has 256 objects, but indexed PNGs hold 254; objects from 255 on are left out."]


def test_masks_of_nobody_are_none_but_a_picture_of_0_and_255_has_one_object(tmp_path: Path) -> None:
    save(tmp_path / "two/0.png", (blob(1, 1) * 3 + blob(9, 5) * 255).astype(np.uint8))
    save(tmp_path / "one/0.png", (ring() * 255).astype(np.uint8))
    one, two = read_davis(tmp_path).videos
    assert (one.labels, two.labels) == ({1: "object"}, {3: "object"})
    np.testing.assert_array_equal(one.read(0).masks[1], ring())


def test_ids_of_two_bytes_are_read_and_255_is_one_of_them(tmp_path: Path) -> None:
    save(tmp_path / "lake/0.png", (blob(1, 1) * 255 + blob(9, 5) * 1000).astype(np.uint16))
    (video,) = read_davis(tmp_path).videos
    assert video.labels == {255: "object", 1000: "object"}


def test_files_that_are_no_indexed_png_are_told(tmp_path: Path) -> None:
    save(tmp_path / "lake/0.png", ring().astype(np.uint8))
    save(tmp_path / "lake/1.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (tmp_path / "lake/2.png").write_bytes((tmp_path / "lake/0.png").read_bytes()[:60])
    (video,) = read_davis(tmp_path).videos
    found = [video.read(position) for position in range(3)]
    assert [len(frame.masks) for frame in found] == [1, 0, 0]
    assert "1.png is a coloured image (RGB)" in found[1].problems[0]
    assert "2.png cannot be read as an image" in found[2].problems[0]
    assert found[2].unknown_ids == {1}


def test_names_come_from_a_simple_file_too(tmp_path: Path) -> None:
    save(tmp_path / "masks/480p/lake/0.png", (blob(1, 1) * 1 + blob(9, 5) * 2).astype(np.uint8))
    names = write_json(tmp_path / "names.json", {"lake": {"1": " dog "}})
    (video,) = read_davis(tmp_path / "masks", names).videos
    assert (video.name, video.labels) == ("480p/lake", {1: "dog", 2: "object"})


@pytest.mark.parametrize("content", [[], {"lake": 3}, {"lake": {"one": "dog"}}, {"lake": {"1": {}}}, {"a": {"1": ""}}])
def test_a_file_of_names_that_is_none_is_one_sentence(tmp_path: Path, content: object) -> None:
    save(tmp_path / "lake/0.png", ring().astype(np.uint8))
    with pytest.raises(InputError, match=r"names\.json names no objects"):
        read_davis(tmp_path, write_json(tmp_path / "names.json", content))


def test_palette_is_that_of_pascal_voc() -> None:
    palette = np.reshape(davis_palette(), (256, 3))
    assert len({tuple(colour) for colour in palette.tolist()}) == 256
    assert palette[[15, 255]].tolist() == [[192, 128, 128], [224, 224, 192]]


def test_names_of_folders_are_one_folder_deep_and_never_lead_out() -> None:
    assert flat_names(["train/a", "val/a", "val/b"]) == {"train/a": "train_a", "val/a": "val_a", "val/b": "b"}
    for names in (["x/.."], [""], ["a_b", "x/b", "a/b"]):
        with pytest.raises(InputError, match="rename"):
            flat_names(names)
