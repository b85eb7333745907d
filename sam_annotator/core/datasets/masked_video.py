"""Videos with masks, wherever the masks come from: a tree of annotations, a dataset's JSON, a folder of PNGs.

What imports, counts, draws or exports masks takes these, and so works for all of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from sam_annotator.core.errors import InputError
from sam_annotator.core.raster import Mask
from sam_annotator.core.videos import Video

_PROBLEMS_SHOWN: Final = 20


@dataclass(frozen=True)
class ReadProgress:
    """How far the reading of a dataset's file is, in bytes of it; looking it over first counts as a part of that."""

    done: int
    total: int


@dataclass(frozen=True)
class FrameMasks:
    """The masks of one frame.

    Attributes:
        width, height: in pixels.
        masks: bool (height, width) by object id; never an empty one.
        problems: what could not be used, a sentence each.
        unknown_ids: objects whose mask in this frame could not be used.
    """

    width: int
    height: int
    masks: Mapping[int, Mask] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    unknown_ids: frozenset[int] = frozenset()

    @property
    def is_known(self) -> bool:
        """False if nothing could be read, so that 'no object is there' cannot be said."""
        return bool(self.width and self.height and (self.masks or not self.unknown_ids))


class MaskedVideo(Protocol):
    """One video's objects, read frame by frame."""

    @property
    def name(self) -> str:
        """The folder of its frames, with '/'; empty where a dataset names none."""
        ...

    @property
    def frames(self) -> Sequence[str]:
        """The frames that have an answer, in order: file names without suffix, no two alike."""
        ...

    @property
    def labels(self) -> Mapping[int, str]:
        """The category of each object, by object id."""
        ...

    @property
    def width(self) -> int:
        """In pixels; 0 if no frame can be read."""
        ...

    @property
    def height(self) -> int:
        """In pixels; 0 if no frame can be read."""
        ...

    def read(self, position: int) -> FrameMasks:
        """The masks of `frames[position]`; what cannot be used is told there, not raised."""
        ...


@dataclass(frozen=True)
class MaskedVideos:
    """All videos of a source, and what of it could not be used.

    Attributes:
        file: the dataset's JSON, which has the names and ids of its categories; None: it is not of one.
        notes: what is worth knowing, though nothing is lost by it.
    """

    videos: tuple[MaskedVideo, ...]
    problems: tuple[str, ...] = ()
    file: Path | None = None
    notes: tuple[str, ...] = ()

    def check(self) -> None:
        """Make sure that there is a video.

        Raises:
            InputError: there is none; the sentences say why.
        """
        if not self.videos:
            raise InputError("\n  ".join(["No video of this can be used:", *self.problems[:_PROBLEMS_SHOWN]]))


class VideoFinder:
    """Finds the folder of frames that a dataset means by a name."""

    def __init__(self, videos: Sequence[Video]) -> None:
        self._videos = videos
        self._by_name = {video.name: video for video in videos}
        self._by_last: dict[str, list[Video]] = {}
        self._by_joined: dict[str, list[Video]] = {}
        for video in videos:
            self._by_last.setdefault(_last_part(video.name), []).append(video)
            self._by_joined.setdefault(_joined(video.name), []).append(video)

    def find(self, name: str) -> Video | None:
        """The video of this name, else the only one whose name ends as this one, or this one as it.

        So `00000` is `train/00000` where there is no `val/00000`, and `480p/bear` is `bear`, but `val/00000` is
        never `train/00000`. An empty name means the one video there is. None: there is no such video.
        """
        if not name:
            return self._videos[0] if len(self._videos) == 1 else None
        if name in self._by_name:
            return self._by_name[name]
        alike = [video for video in self._by_last.get(_last_part(name), ()) if _end_alike(name, video.name)]
        alike = alike or self._by_joined.get(name, [])
        return alike[0] if len(alike) == 1 else None


def flat_names(names: Iterable[str]) -> dict[str, str]:
    """A folder name for each video, one folder deep: the last part of its name, or all parts joined with '_'.

    Raises:
        InputError: two videos would have one name, or a name is none for a folder.
    """
    names = list(names)
    endings = Counter(_last_part(name).casefold() for name in names)
    result = {name: _last_part(name) if endings[_last_part(name).casefold()] == 1 else _joined(name) for name in names}
    taken: dict[str, str] = {}
    for name, short in result.items():
        if short in ("", ".", ".."):
            raise InputError(f"The video {name!r} has no name that could be a folder's; rename it.")
        other = taken.setdefault(short.casefold(), name)
        if other != name:
            raise InputError(f"The videos {other} and {name} would both be called {short}; rename one.")
    return result


def split_frame_name(file_name: str) -> tuple[str, str]:
    r"""(folder, name without suffix) of a frame as datasets name it; either slash, since some write '\'."""
    path = PurePosixPath(file_name.replace("\\", "/"))
    folder = path.parent.as_posix()
    return "" if folder == "." else folder, path.stem


def _end_alike(first: str, second: str) -> bool:
    """True if the parts of one name are the last parts of the other."""
    return f"/{first}".endswith(f"/{second}") or f"/{second}".endswith(f"/{first}")


def _last_part(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def _joined(name: str) -> str:
    return name.replace("/", "_").replace("\\", "_")
