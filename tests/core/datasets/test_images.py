"""Frames as they are looked at before they go into a dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.datasets import images as dataset_images
from sam_annotator.core.datasets.images import examine_image
from sam_annotator.core.errors import ImageError

PIXELS = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)


def jpeg(path: Path, pixels: np.ndarray = PIXELS, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, "JPEG", **options)
    return path


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.fixture
def without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_images, "_whole_jpeg", lambda _path: pytest.fail("Pillow was asked"))


PLAIN = {
    "baseline": {},
    "progressive": {"progressive": True},
    "with a comment": {"comment": b"made by hand"},
    "with a resolution": {"dpi": (72, 72)},
    "with restart markers": {"restart_marker_rows": 1},
    "of low quality": {"quality": 5, "subsampling": 2},
}


@pytest.mark.usefixtures("without_pillow")
@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_jpeg_is_known_by_its_head_alone(name: str, tmp_path: Path) -> None:
    image = examine_image(jpeg(tmp_path / "a.jpg", **PLAIN[name]))
    assert (image.size, image.is_plain_jpeg) == ((53, 37), True)


@pytest.mark.usefixtures("without_pillow")
def test_a_grey_jpeg_is_plain_too(tmp_path: Path) -> None:
    assert examine_image(jpeg(tmp_path / "a.jpg", PIXELS[..., 0])).size == (53, 37)


def test_real_frames_are_what_pillow_says_they_are(shared: Path) -> None:
    frames = sorted((shared / "davis_dev/JPEGImages").rglob("*.jpg"))[::20]
    assert frames
    for frame in frames:
        assert dataset_images._simple_jpeg(frame) == dataset_images._whole_jpeg(frame) is not None


@pytest.mark.parametrize(("orientation", "size"), [(1, (53, 37)), (3, (53, 37)), (6, (37, 53)), (8, (37, 53))])
def test_what_exif_turns_is_seen(orientation: int, size: tuple[int, int], tmp_path: Path) -> None:
    image = examine_image(jpeg(tmp_path / "a.jpg", exif=turned(orientation)))
    assert (image.size, image.is_plain_jpeg) == (size, orientation == 1)


def test_a_jpeg_by_another_name_and_another_format_by_the_name_of_a_jpeg(tmp_path: Path) -> None:
    assert examine_image(jpeg(tmp_path / "a.png")).is_plain_jpeg
    Image.fromarray(PIXELS).save(tmp_path / "b.jpg", "PNG")
    assert not examine_image(tmp_path / "b.jpg").is_plain_jpeg


@pytest.mark.parametrize("keep", [0, 1, 2, 3, 30, 200, -1, -2, -100])
def test_half_a_jpeg_is_an_error_that_names_it(keep: int, tmp_path: Path) -> None:
    path = jpeg(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ImageError, match=r"a\.jpg"):
        examine_image(path)


def test_whatever_stands_in_the_head_nothing_but_a_sentence_comes_of_it(tmp_path: Path) -> None:
    whole = jpeg(tmp_path / "a.jpg").read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, 200, rng.integers(1, 5)):
            content[place] = rng.integers(256)
        (tmp_path / "a.jpg").write_bytes(content)
        try:
            image = examine_image(tmp_path / "a.jpg")
        except ImageError:
            continue
        assert min(image.size) > 0
