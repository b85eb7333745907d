"""Images that are read while another is looked at."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.errors import ImageError
from sam_annotator.core.images import read_image
from sam_annotator.gui.videos.frame_reader import FrameReader


@pytest.fixture
def reader() -> Iterator[FrameReader]:
    reader = FrameReader()
    yield reader
    reader.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("frame-reader")]


def write(path: Path, grey: int, size: tuple[int, int] = (40, 30)) -> Path:
    Image.new("RGB", size, (grey, grey, grey)).save(path)
    return path


def test_an_image_that_was_expected_is_the_one_that_is_read(reader: FrameReader, tmp_path: Path) -> None:
    path = write(tmp_path / "0.png", 100)
    reader.expect(path)
    assert np.array_equal(reader.read(path), read_image(path))
    assert np.array_equal(reader.read(path), read_image(path))


def test_another_image_than_the_expected_one_is_read_too(reader: FrameReader, tmp_path: Path) -> None:
    expected, wanted = write(tmp_path / "0.png", 100), write(tmp_path / "1.png", 50)
    reader.expect(expected)
    assert reader.read(wanted)[0, 0, 0] == 50


def test_an_image_that_was_replaced_meanwhile_is_read_anew(reader: FrameReader, tmp_path: Path) -> None:
    path = write(tmp_path / "0.png", 100)
    reader.expect(path)
    write(path, 50, size=(80, 60))
    assert reader.read(path).shape == (60, 80, 3)


def test_what_cannot_be_read_fails_when_it_is_asked_for(reader: FrameReader, tmp_path: Path) -> None:
    broken, missing = tmp_path / "0.jpg", tmp_path / "1.jpg"
    broken.write_bytes(b"no image")
    for path in (broken, missing):
        reader.expect(path)
        with pytest.raises(ImageError, match=path.name):
            reader.read(path)
