"""Frames on their way into a dataset: looked at before anything is written, then linked, copied or re-encoded.

A dataset holds plain JPEGs: what is written there has the size its pixels have, whoever reads it. A frame that is one
goes in as it is, bit for bit; any other format, and a JPEG that EXIF turns, is encoded anew.
"""

import io
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from PIL import Image

from sam_annotator.core.errors import ImageError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.images import image_size, read_image

ImageMode = Literal["link", "symlink", "copy", "none"]
Placed = Literal["linked", "copied", "encoded", "left"]

JPEG_QUALITY: Final = 95

_ORIENTATION: Final = 0x0112
_UPRIGHT: Final = 1
_TURNED: Final = range(2, 9)
_START_OF_IMAGE: Final = b"\xff\xd8"
_END_OF_IMAGE: Final = b"\xff\xd9"

# Markers of a JPEG: begin of the pixels; baseline, extended and progressive sizes; tables, JFIF and comments, but
# neither EXIF nor XMP nor what makes several images of one file.
_SCAN: Final = 0xDA
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
_PASSED_OVER: Final = frozenset({0xDB, 0xC4, 0xDD, 0xE0, 0xEE, 0xFE})
_HEAD: Final = 4096
_BLOCK: Final = 2**20
_USUAL: Final = 50_000_000
"""With more pixels than that, Pillow is asked what it thinks of them."""


@dataclass(frozen=True, slots=True)
class FrameImage:
    """One frame's image as it was found.

    Attributes:
        path: the file.
        width, height: in pixels, EXIF rotation applied.
        is_plain_jpeg: it can stand in a dataset as it is.
    """

    path: Path
    width: int
    height: int
    is_plain_jpeg: bool

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.width, self.height


def examine_image(path: Path) -> FrameImage:
    """Look at one frame. Pixels are decoded only where the file does not end as a whole JPEG does.

    Raises:
        ImageError: cannot be read, or is not whole; the sentence names the file.
    """
    try:
        facts = _simple_jpeg(path) or _whole_jpeg(path)
    except (OSError, ValueError, SyntaxError) as error:
        image_size(path)  # says better what is wrong with it, as a rule
        raise ImageError(f"{path} cannot be read as an image ({error}).") from error
    if facts is not None:
        return FrameImage(path, *facts, is_plain_jpeg=True)
    width, height = image_size(path)
    read_image(path)  # raises if it cannot be decoded: better now than when half a dataset is written
    return FrameImage(path, width, height, _is_plain_jpeg(path))


def _simple_jpeg(path: Path) -> tuple[int, int] | None:
    """(width, height) of a whole JPEG without anything that could turn it; None: let Pillow see.

    What Pillow does to find out would take longer than drawing the frame's masks.
    """
    with path.open("rb", buffering=0) as stream:
        head = stream.read(_HEAD)
        stream.seek(-len(_END_OF_IMAGE), os.SEEK_END)
        if stream.read() != _END_OF_IMAGE or not head.startswith(_START_OF_IMAGE):
            return None
    size, at = None, len(_START_OF_IMAGE)
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == _SCAN:
            return size
        if marker in _FRAMES and size is None:
            height, width = int.from_bytes(head[at + 5 : at + 7], "big"), int.from_bytes(head[at + 7 : at + 9], "big")
            size = (width, height) if head[at + 4] == 8 and 0 < width * height < _USUAL else None
        elif marker not in _PASSED_OVER:
            return None
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None


def _whole_jpeg(path: Path) -> tuple[int, int] | None:
    """(width, height) of a JPEG that EXIF does not turn and that ends where a JPEG ends; None for all others."""
    with path.open("rb") as stream, Image.open(stream) as image:
        stream.seek(-len(_END_OF_IMAGE), os.SEEK_END)
        ends_well = stream.read() == _END_OF_IMAGE
        return image.size if ends_well and _is_upright_jpeg(image) else None


def _is_plain_jpeg(path: Path) -> bool:
    with Image.open(path) as image:
        return _is_upright_jpeg(image)


def _is_upright_jpeg(image: Image.Image) -> bool:
    if image.format not in ("JPEG", "MPO"):
        return False
    return not {"exif", "xmp"} & image.info.keys() or image.getexif().get(_ORIENTATION, _UPRIGHT) not in _TURNED


def stands_for_another(image: FrameImage, target: Path) -> bool:
    """True if `target` exists and is not, byte for byte, what placing `image` there would give.

    What is linked is known without a look at its bytes.

    Raises:
        ImageError: cannot be decoded, where it has to be encoded anew.
        OSError: one of them cannot be read.
    """
    try:
        if os.path.samefile(image.path, target):
            return False
        if not image.is_plain_jpeg:
            return target.read_bytes() != _encode(image.path)
        return target.stat().st_size != image.path.stat().st_size or not _same_bytes(image.path, target)
    except FileNotFoundError:
        return False


def _same_bytes(first: Path, second: Path) -> bool:
    with first.open("rb") as one, second.open("rb") as other:
        while block := one.read(_BLOCK):
            if block != other.read(_BLOCK):
                return False
        return not other.read(1)


def place_image(image: FrameImage, target: Path, mode: ImageMode) -> Placed:
    """Put `image` at `target`, whole or not at all; what stands there already is left.

    `link` makes a hard link, so that the dataset takes no space and outlives a moved or deleted source; between file
    systems, and where links cannot be made, it copies. Who paints into a linked image paints into both. `symlink` makes
    symbolic links, which work between file systems, and lead nowhere once the source is moved.

    Raises:
        ImageError: cannot be decoded, where it has to be encoded anew.
        SaveError: cannot be written.
    """
    if target.exists():
        return "left"
    if target.is_symlink():  # it leads nowhere
        target.unlink(missing_ok=True)
    if not image.is_plain_jpeg:
        write_atomically(target, _encode(image.path))
        return "encoded"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if mode in ("link", "symlink") and _link(image.path, target, mode == "symlink"):
            return "linked"
        _copy(image.path, target)
    except OSError as error:
        raise SaveError(
            f"{image.path} could not be put into the dataset as {target} ({error.strerror or error}). "
            "Free some space or choose a folder that can be written, then try again: it goes on where it stopped."
        ) from error
    return "copied"


def _encode(path: Path) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(read_image(path)).save(stream, format="JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


def _link(source: Path, target: Path, is_symbolic: bool) -> bool:
    make = os.symlink if is_symbolic else os.link
    try:
        make(os.path.realpath(source), target)  # of what a symbolic link points at, not of the link
    except OSError:
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        os.close(handle)
        shutil.copyfile(source, temporary)
        shutil.copymode(source, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
