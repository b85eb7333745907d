"""Any image a person may have in a video is read as they see it; a broken one is named."""

import io
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from sam_annotator.core.errors import ImageError, InputError
from sam_annotator.core.images import image_size, read_image


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[::4, ::2])


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def seen_by_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"])
def test_every_format_is_read_as_pillow_reads_it(tmp_path: Path, photograph: np.ndarray, suffix: str) -> None:
    path = save(Image.fromarray(photograph), tmp_path / f"frame.{suffix}")
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - seen_by_pillow(path)).max() <= 1
    assert image_size(path) == (256, 128)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_the_rotation_that_a_camera_wrote_is_applied(
    tmp_path: Path, photograph: np.ndarray, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(photograph), tmp_path / f"frame.{suffix}", exif=exif)
    pixels = read_image(path)
    expected = seen_by_pillow(path)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).max() <= 1
    assert pixels.flags.c_contiguous
    assert image_size(path) == (pixels.shape[1], pixels.shape[0])


@pytest.mark.parametrize("orientation", [0, 9, 4711])
def test_a_rotation_that_does_not_exist_is_ignored(tmp_path: Path, photograph: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(photograph), tmp_path / "frame.jpg", exif=exif)
    assert read_image(path).shape == photograph.shape
    assert image_size(path) == (256, 128)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr"])
def test_grey_palette_and_transparent_images_become_rgb(tmp_path: Path, photograph: np.ndarray, mode: str) -> None:
    suffix = {"CMYK": "tif", "YCbCr": "jpg"}.get(mode, "png")
    path = save(Image.fromarray(photograph).convert(mode), tmp_path / f"frame.{suffix}")
    pixels = read_image(path)
    assert pixels.shape == photograph.shape
    assert np.abs(pixels.astype(int) - seen_by_pillow(path)).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    path = save(Image.fromarray(deep), tmp_path / f"frame.{suffix}")
    pixels = read_image(path)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels[..., 0].astype(int) - deep // 256).max() <= 1
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("orientation", [1, 6])
def test_floating_point_images_are_stretched_to_what_can_be_seen(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    values = np.linspace(-3, 7, 200, dtype=np.float32).reshape(10, 20)
    values[0, 1] = np.nan
    path = save(Image.fromarray(values), tmp_path / "frame.tif", exif=exif)
    pixels = read_image(path)
    assert pixels.shape == ((10, 20, 3) if orientation == 1 else (20, 10, 3))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert image_size(path) == (pixels.shape[1], pixels.shape[0])


@pytest.mark.parametrize("part", [0.02, 0.4, 0.99, -2, -1])
@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "webp", "tif"])
def test_an_image_that_was_cut_off_is_an_error_that_names_it(
    tmp_path: Path, photograph: np.ndarray, suffix: str, part: float
) -> None:
    path = save(Image.fromarray(photograph), tmp_path / f"frame.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(part) if part < 0 else int(len(data) * part)])
    if suffix == "png" and part < 0:
        pytest.skip("the last bytes of a PNG are a checksum of nothing")
    with pytest.raises(ImageError, match=r"frame\.\w+ cannot be read as an image"):
        read_image(path)


def test_a_cut_off_jpeg_is_an_error_even_if_opencv_fills_it_with_grey(
    tmp_path: Path, photograph: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(Image.fromarray(photograph), tmp_path / "frame.jpg")
    path.write_bytes(path.read_bytes()[:4000])
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.full((128, 256, 3), 128, np.uint8))
    with pytest.raises(ImageError, match=r"frame\.jpg"):
        read_image(path)


def test_a_jpeg_with_something_after_its_end_is_read(tmp_path: Path, photograph: np.ndarray) -> None:
    path = save(Image.fromarray(photograph), tmp_path / "frame.jpg")
    expected = read_image(path)
    path.write_bytes(path.read_bytes() + b"a maker's notes")
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("read", [read_image, image_size])
@pytest.mark.parametrize("content", [b"", b"this is not an image", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_an_error_that_names_it(tmp_path: Path, read: object, content: bytes) -> None:
    path = tmp_path / "frame.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"frame\.jpg"):
        read(path)


@pytest.mark.parametrize("read", [read_image, image_size])
def test_a_missing_image_and_a_folder_are_errors_in_one_sentence(tmp_path: Path, read: object) -> None:
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(ImageError, match=r"gone\.jpg does not exist\.$"):
        read(tmp_path / "gone.jpg")
    with pytest.raises(InputError, match=r"folder\.jpg cannot be read as an image \(.+\)\.$"):
        read(tmp_path / "folder.jpg")


def test_names_may_have_spaces_and_any_letters(tmp_path: Path, photograph: np.ndarray) -> None:
    folder = tmp_path / "Видео 一 é"
    folder.mkdir()
    path = save(Image.fromarray(photograph), folder / "Bild ü 1.jpg")
    assert read_image(path).shape == (128, 256, 3)
    assert image_size(path) == (256, 128)


def test_the_size_is_read_from_the_header_alone(tmp_path: Path, photograph: np.ndarray) -> None:
    path = save(Image.fromarray(photograph), tmp_path / "frame.jpg")
    path.write_bytes(path.read_bytes()[:4000])
    assert image_size(path) == (256, 128)


def test_an_image_that_would_fill_the_memory_is_an_error(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("1", (8, 8)).save(stream, "PNG")
    data = bytearray(stream.getvalue())
    data[16:24] = (60000).to_bytes(4, "big") * 2  # says 60,000 x 60,000 pixels
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"bomb\.png"):
        read_image(path)
