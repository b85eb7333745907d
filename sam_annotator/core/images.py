"""Reading image files: any common format to 8-bit RGB as a person sees it, and never half an image."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sam_annotator.core.errors import ImageError

# OpenCV would print its own complaints about a broken image beside our one sentence.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_ORIENTATION_TAG: Final = 0x0112
_WIDTH_TAG: Final = 256
_HEIGHT_TAG: Final = 257
_JPEG_END: Final = b"\xff\xd9"

# EXIF orientation: quarter turns against the clock, then whether to mirror left and right.
_TURNS: Final = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image file.

    EXIF rotation is applied. Grey and palette images become RGB, 16 bits become 8, transparency is dropped.

    Returns:
        uint8 (height, width, 3), RGB, C-contiguous.

    Raises:
        ImageError: missing, not an image, or cut off; the sentence names the file.
    """
    data = _read_bytes(path)
    with _reading(path), Image.open(io.BytesIO(data)) as header:
        pixels = None if _is_cut_off(data, header) else _decode_fast(data)
        if pixels is None:
            return _decode_thoroughly(header)
        return pixels if header.format == "TIFF" else _turn(pixels, _orientation(header))


def image_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels as `read_image` would give it, from the header of the file alone.

    Raises:
        ImageError: missing or not an image; the sentence names the file.
    """
    with _reading(path), Image.open(path) as header:
        # Pillow turns the size of a TIFF itself, in some of its versions only once it is decoded.
        tags = getattr(header, "tag_v2", None) if header.format == "TIFF" else None
        width, height = header.size if tags is None else (tags[_WIDTH_TAG], tags[_HEIGHT_TAG])
        return (height, width) if _orientation(header) >= 5 else (width, height)


def _read_bytes(path: Path) -> bytes:
    with _reading(path):
        return path.read_bytes()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ImageError(f"The image {path} does not exist.") from error
    # Pillow's decoders raise whatever a broken file leads them to.
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or _plain(error)
        raise ImageError(f"{path} cannot be read as an image ({reason}).") from error


def _plain(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "it is damaged, or not an image"
    return str(error) or type(error).__name__


def _is_cut_off(data: bytes, header: Image.Image) -> bool:
    """True for a JPEG without its end: OpenCV before version 5 gives it a grey lower half without a word."""
    return header.format in ("JPEG", "MPO") and not data.rstrip(b"\0").endswith(_JPEG_END)


def _decode_fast(data: bytes) -> NDArray[np.uint8] | None:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def _decode_thoroughly(image: Image.Image) -> NDArray[np.uint8]:
    """Decode by Pillow: slower, knows more kinds, and says what is wrong with a broken file."""
    image.load()
    if image.mode in ("F", "I"):
        image = Image.fromarray(_stretch(np.asarray(image)))
    return np.ascontiguousarray(ImageOps.exif_transpose(image).convert("RGB"))


def _stretch(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Numbers without a known range to 0..255, the smallest to the largest, as labelme shows them."""
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(numbers.min()), float(numbers.max())
    return ((numbers - low) / max(high - low, 1e-12) * 255).astype(np.uint8)


def _orientation(header: Image.Image) -> int:
    value = header.getexif().get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turn(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    if orientation == 1:
        return pixels
    turns, mirror = _TURNS[orientation]
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)
