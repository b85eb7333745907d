"""Indexed PNG masks in, as DAVIS and YouTube-VOS have them: a pixel's value is the id of the object there.

FOLDER/<video>/<frame>.png      also below FOLDER/Annotations, also 480p/<video>
FOLDER/meta.json                what the objects are, as in YouTube-VOS; optional
"""

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from natsort import natsorted
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideos
from sam_annotator.core.errors import InputError

META: Final = "meta.json"
MASK_FOLDER: Final = "Annotations"
UNKNOWN_LABEL: Final = "object"

VOID: Final = 255
"""Pixels nobody decided on; but the object itself where a video has no other value (DAVIS 2016)."""

_INDEXED: Final = ("P", "L", "1", "I", "I;16", "I;16B")
_BROKEN: Final = (OSError, SyntaxError, EOFError, ValueError, LookupError, struct.error, Image.DecompressionBombError)


@dataclass(frozen=True)
class NamedObject:
    """What a file of names says of a pixel value: the category, and our own object id where there is one."""

    label: str
    object_id: int | None = None


Names = Mapping[str, Mapping[int, NamedObject]]
"""By video, then by pixel value."""


@dataclass(frozen=True)
class DavisVideo:
    """One folder of indexed PNGs; a `MaskedVideo`."""

    name: str
    folder: Path
    frames: tuple[str, ...]
    names: Mapping[int, NamedObject] = field(default_factory=dict)

    @cached_property
    def _ids(self) -> Mapping[int, int]:
        """The object id of each pixel value that occurs; all files are read for it."""
        values: set[int] = set()
        for frame in self.frames:
            pixels = self._pixels(frame)
            if not isinstance(pixels, str):
                values.update(np.unique(pixels).tolist())
        if values - {0} == {VOID}:
            return {VOID: 1}
        used = sorted(values - ({0, VOID} if max(values, default=0) <= VOID else {0}))
        own = [self.names[value].object_id if value in self.names else None for value in used]
        kept = [object_id for object_id in own if object_id is not None]
        return dict(zip(used, kept if len(set(kept)) == len(used) else used, strict=True))

    @cached_property
    def _size(self) -> tuple[int, int]:
        found = (pixels for pixels in map(self._pixels, self.frames) if not isinstance(pixels, str))
        return next(((pixels.shape[1], pixels.shape[0]) for pixels in found), (0, 0))

    @cached_property
    def labels(self) -> Mapping[int, str]:
        """The category of each object: `object` where no file of names says more."""
        unknown = NamedObject(UNKNOWN_LABEL)
        return {object_id: self.names.get(value, unknown).label for value, object_id in self._ids.items()}

    @property
    def width(self) -> int:
        """Of the first frame that can be read."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Of the first frame that can be read."""
        return self._size[1]

    def read(self, position: int) -> FrameMasks:
        """The masks of one frame; a file that is no indexed PNG is a problem there."""
        pixels = self._pixels(self.frames[position])
        if isinstance(pixels, str):
            return FrameMasks(0, 0, problems=(pixels,), unknown_ids=frozenset(self._ids.values()))
        present = set(np.unique(pixels).tolist())
        masks = {object_id: pixels == value for value, object_id in self._ids.items() if value in present}
        return FrameMasks(pixels.shape[1], pixels.shape[0], masks)

    def _pixels(self, frame: str) -> NDArray[Any] | str:
        """The ids, (height, width); or a sentence on what is wrong."""
        path = self.folder / f"{frame}.png"
        try:
            with Image.open(path) as image:
                if image.mode not in _INDEXED:
                    return f"{path} is a coloured image ({image.mode}), no indexed PNG; its colours name no objects."
                return np.asarray(image).astype(np.int64)
        except _BROKEN as error:
            return f"{path} cannot be read as an image ({getattr(error, 'strerror', None) or error})."


def read_davis(folder: Path, names_file: Path | None = None) -> MaskedVideos:
    """Find the videos in a folder of indexed PNGs.

    Args:
        names_file: JSON that names the objects: YouTube-VOS' meta.json, or {video: {id: name}}. None: the
            meta.json in or above the folder, if there is one.

    Raises:
        InputError: there is no PNG, or the file of names cannot be used.
    """
    inner = folder / MASK_FOLDER
    root = inner if inner.is_dir() else folder
    if names_file is None:
        names_file = next((place / META for place in (folder, folder.parent) if (place / META).is_file()), None)
    names = {} if names_file is None else read_names(names_file)
    videos = tuple(_find(root, names))
    if not videos:
        raise InputError(f"{folder} holds no PNG masks; name the folder that has a folder of PNGs for each video.")
    return MaskedVideos(videos)


def _find(root: Path, names: Names) -> Iterator[DavisVideo]:
    for place, folders, files in os.walk(root):
        folders[:] = natsorted(name for name in folders if not name.startswith("."))
        stems = [name[:-4] for name in natsorted(files) if name.endswith(".png") and not name.startswith(".")]
        if stems:
            relative = Path(place).relative_to(root).as_posix()
            name = root.name if relative == "." else relative
            known = names.get(name) or names.get(Path(place).name) or {}
            yield DavisVideo(name, Path(place), tuple(stems), known)


def read_names(path: Path) -> Names:
    """Read a file of names: YouTube-VOS' meta.json, or {video: {id: name}}.

    Raises:
        InputError: it cannot be read, or is neither.
    """
    try:
        document = orjson.loads(path.read_bytes())
        videos = document.get("videos", document)
        return {str(name): _objects(video) for name, video in videos.items()}
    except OSError as error:
        raise InputError(f"The file of names {path} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} names no objects ({error}); it has to be YouTube-VOS' meta.json, or JSON as "
            '{"video": {"1": "name"}}.'
        ) from error


def _objects(video: Any) -> dict[int, NamedObject]:
    objects = video.get("objects", video)
    return {int(value): _named(found) for value, found in objects.items()}


def _named(found: Any) -> NamedObject:
    label = normal_label(found if isinstance(found, str) else found["category"])
    if not label:
        raise ValueError("a name is empty")
    own = None if isinstance(found, str) else found.get("object_id")
    return NamedObject(label, own if type(own) is int else None)


def davis_palette() -> Sequence[int]:
    """768 numbers, red, green, blue of each id: the colours that PASCAL VOC and DAVIS give them."""
    values = []
    for index in range(256):
        rest, colour = index, [0, 0, 0]
        for shift in range(7, -1, -1):
            for channel in range(3):
                colour[channel] |= ((rest >> channel) & 1) << shift
            rest >>= 3
        values += colour
    return values
