"""Videos on disk: what is a video in a folder of videos, and the frames of one, in order."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from natsort import natsort_keygen

from sam_annotator.core.errors import InputError
from sam_annotator.core.unpacked import choose_folders, read_marker

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
"""What counts as a frame, lower case. The first wins where two files differ only in the suffix."""

VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".avi", ".mkv", ".webm")
"""What counts as a video file, lower case."""

_natural = natsort_keygen()


@dataclass(frozen=True)
class Video:
    """One video: a folder of images, or a video file and the folder that it is unpacked into.

    Attributes:
        name: unique below the folder that was opened: the path below it with '/', as in `train/00000`;
            the name of the folder where that is itself the video.
        folder: where the frames are, or will be once they are unpacked.
        source: the video file; None for a folder of images.
    """

    name: str
    folder: Path
    source: Path | None = None

    @property
    def needs_unpacking(self) -> bool:
        """True until `unpack` has gone through the whole video file."""
        if self.source is None:
            return False
        marker = read_marker(self.folder)
        return marker is None or not marker.complete

    @cached_property
    def frame_paths(self) -> tuple[Path, ...]:
        """The frames in natural order (2 before 10); listed on first use, then kept.

        Hidden files are left out. Two images that differ only in the suffix would share one annotation file: they
        count as one frame, the first by `IMAGE_SUFFIXES` (a JPEG, where its mask lies beside it as PNG).

        Raises:
            InputError: the folder cannot be read. One that is still to be unpacked has no frames.
        """
        return tuple(self.folder / name for name in self._names[0])

    @property
    def passed_over(self) -> tuple[Path, ...]:
        """Images that count for nothing since another frame differs from them only in the suffix.

        Raises:
            InputError: the folder cannot be read.
        """
        return tuple(self.folder / name for name in self._names[1])

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        return _frame_names(self)

    def __len__(self) -> int:
        return len(self.frame_paths)

    def __bool__(self) -> bool:
        return True  # a video without frames is still a video

    def refresh(self) -> None:
        """Forget the frames, so that the folder is listed again on next use."""
        for name in ("frame_paths", "_names"):
            self.__dict__.pop(name, None)


def find_videos(root: Path) -> list[Video]:
    """All videos in a folder of videos, however deep, in natural order.

    A folder that holds images is a video; its subfolders are not looked at, and its listing ends at the first image.
    Only of `root` itself all are taken: its own frames, its video files, its subfolders. Hidden names and folders
    below `root` that may not be read are left out, and each folder is met once, however many links lead to it.

    Args:
        root: a folder of videos, one video as a folder of images, or one video file.

    Raises:
        InputError: it does not exist, cannot be read, or holds no video.
    """
    root = Path(os.path.abspath(root))
    try:
        is_folder = stat.S_ISDIR(root.stat().st_mode)
        videos = list(_walk(root)) if is_folder else [_single_file(root)]
        if not videos:
            raise InputError(_nothing_found(root))
    except FileNotFoundError as error:
        raise InputError(f"{root} does not exist. Give a folder of videos, or one video.") from error
    except OSError as error:
        raise InputError(f"{root} cannot be read ({error.strerror}).") from error
    return sorted(_named_apart(videos, root), key=lambda video: _path_order(video.name))


@dataclass(frozen=True)
class _Listing:
    has_images: bool
    folders: tuple[str, ...]
    sources: tuple[str, ...]
    names: tuple[str, ...]


def _list(folder: Path, to_the_end: bool) -> _Listing:
    """What a folder holds, hidden names left out; up to the first image unless `to_the_end`. Raises OSError."""
    has_images = False
    folders, sources, names = [], [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            names.append(entry.name)
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif (suffix := _suffix(entry.name)) in VIDEO_SUFFIXES:
                sources.append(entry.name)
            elif suffix in IMAGE_SUFFIXES:
                has_images = True
                if not to_the_end:
                    break
    return _Listing(has_images, tuple(folders), tuple(sources), tuple(names))


def _walk(root: Path) -> Iterator[Video]:
    """The videos below `root`, its own frames under the name ''. Raises OSError for `root` alone."""
    met: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            facts = folder.stat()
            if (facts.st_dev, facts.st_ino) in met:
                continue
            met.add((facts.st_dev, facts.st_ino))
            listing = _list(folder, to_the_end=folder == root)
        except OSError:
            if folder == root:
                raise
            continue  # a `lost+found` must not keep people from their videos
        if listing.has_images:
            yield Video(_name_below(root, folder), folder)
            if folder != root:
                continue
        unpacked = choose_folders(folder, listing.sources, listing.names)
        for source, target in unpacked.items():
            yield Video(_name_below(root, target), target, folder / source)
        targets = {target.name for target in unpacked.values()}
        below = sorted((name for name in listing.folders if name not in targets), key=_order, reverse=True)
        waiting.extend(folder / name for name in below)


def _single_file(path: Path) -> Video:
    if _suffix(path.name) not in VIDEO_SUFFIXES:
        kinds = ", ".join(suffix[1:] for suffix in VIDEO_SUFFIXES)
        raise InputError(f"{path} is not a video file ({kinds}). Give a folder of videos, or one video.")
    beside = _list(path.parent, to_the_end=True)
    target = choose_folders(path.parent, {path.name, *beside.sources}, beside.names)[path.name]
    return Video(target.name, target, path)


def _name_below(root: Path, folder: Path) -> str:
    return folder.relative_to(root).as_posix() if folder != root else ""


def _named_apart(videos: list[Video], root: Path) -> list[Video]:
    """The same with a name for the frames of `root` itself that no video below it has."""
    taken = {video.name for video in videos}
    name = root.name or "video"
    while name in taken:
        name += "_"
    return [video if video.name else Video(name, video.folder, video.source) for video in videos]


def _nothing_found(root: Path) -> str:
    if not any(not name.startswith(".") for name in os.listdir(root)):
        return f"{root} is empty. Choose a folder of videos, or one video."
    return (
        f"{root} holds no videos: neither it nor a folder in it has images "
        f"({', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES)}) or video files "
        f"({', '.join(suffix[1:] for suffix in VIDEO_SUFFIXES)}) that can be read."
    )


def _frame_names(video: Video) -> tuple[list[str], list[str]]:
    """The names of frames, and of images that are passed over; in natural order."""
    try:
        with os.scandir(video.folder) as entries:
            names = [entry.name for entry in entries if _is_frame(entry)]
    except FileNotFoundError as error:
        if video.source is not None:
            return [], []
        raise InputError(f"The video {video.folder} is not there any more.") from error
    except OSError as error:
        raise InputError(f"The video {video.folder} cannot be read ({error.strerror}).") from error
    best: dict[str, str] = {}
    for name in sorted(names, key=_preference, reverse=True):
        best[os.path.splitext(name)[0]] = name
    others = [] if len(best) == len(names) else set(names) - set(best.values())
    return sorted(best.values(), key=_order), sorted(others, key=_order)


def _is_frame(entry: "os.DirEntry[str]") -> bool:
    return _suffix(entry.name) in IMAGE_SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()


def _preference(name: str) -> tuple[int, str]:
    return IMAGE_SUFFIXES.index(_suffix(name)), name


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _order(name: str) -> tuple[Any, str]:
    return _natural(name), name  # `1` and `01` are the same number: the text decides


def _path_order(name: str) -> list[tuple[Any, str]]:
    return [_order(part) for part in name.split("/")]
