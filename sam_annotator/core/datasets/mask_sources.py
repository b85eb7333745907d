"""Masks from wherever a person points: a dataset's JSON, a folder of indexed PNGs, a tree of annotations."""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from sam_annotator.core.datasets.annotated_video import read_annotated
from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.davis_masks import read_davis
from sam_annotator.core.datasets.json_source import reading_dataset_json
from sam_annotator.core.datasets.masked_video import MaskedVideo, MaskedVideos, ReadProgress, VideoFinder
from sam_annotator.core.datasets.youtube_vis.merging import Tree
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.datasets.youtube_vis.pipeline import refuse
from sam_annotator.core.errors import ImageError, InputError
from sam_annotator.core.images import image_size
from sam_annotator.core.steps import finished
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos

SourceKind = Literal["auto", "json", "davis"]
KINDS: Final = ("auto", "json", "davis")


def read_dataset(path: Path, kind: SourceKind = "auto", names: Path | None = None) -> MaskedVideos:
    """As `reading_dataset`, at once."""
    return finished(reading_dataset(path, kind, names))


def reading_dataset(
    path: Path, kind: SourceKind = "auto", names: Path | None = None
) -> Generator[ReadProgress, None, MaskedVideos]:
    """The videos of a published dataset. Yields how far it is, where that takes time.

    Args:
        path: the JSON of YouTube-VIS or COCO; or a folder of indexed PNGs as DAVIS and YouTube-VOS have them.
        kind: `auto`: a folder is `davis`, a file is `json`.
        names: what the objects of PNGs are; see `read_davis`.

    Raises:
        InputError: there is no such dataset.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; name the JSON of a dataset, or a folder of PNG masks.")
    if kind == "davis" or (kind == "auto" and path.is_dir()):
        if not path.is_dir():
            raise InputError(f"{path} is a file; name the folder that has a folder of PNG masks for each video.")
        return read_davis(path, names)
    if names is not None:
        raise InputError(f"{path} names its objects itself; --names is for PNG masks.")
    return replace((yield from reading_dataset_json(path)), file=path)


def reading_masks(
    path: Path, videos_root: Path | None, kind: SourceKind = "auto"
) -> Generator[ReadProgress, None, MaskedVideos]:
    """The same, and trees of annotations: a folder that is not said to be `davis` is one.

    Args:
        videos_root: the folder of videos that the annotations are of; None: they lie beside the frames.

    Raises:
        InputError: there is no such thing, or nothing is annotated.
    """
    if kind != "auto" or path.is_file():
        return (yield from reading_dataset(path, kind))
    tree = open_tree(path, videos_root)
    source = read_annotated(tree.videos, tree.store)
    if not source.videos:
        raise InputError(f"No frame of the videos has an annotation in {path}.")
    return source


def check_sizes(source: MaskedVideos, videos: Sequence[Video]) -> None:
    """Make sure that the masks of a dataset belong to frames of these videos, as far as the frames are there.

    Raises:
        ConversionError: a video is not among them, a frame has another size or cannot be read; all of them are named.
    """
    finder = VideoFinder(videos)
    findings = (finding for masked in source.videos for finding in _misfits(masked, finder.find(masked.name)))
    refuse(list(findings), ConvertOptions())


def _misfits(masked: MaskedVideo, found: Video | None) -> Iterator[Finding]:
    """What of a video does not fit the frames that were found for it; those of another size count as one thing."""
    name = masked.name
    if found is None:
        yield Finding("error", "video-not-found", f"Video {name} has no folder of frames.", name)
        return
    paths = {path.stem: path for path in found.frame_paths}
    others: list[tuple[Path, tuple[int, int]]] = []
    for path in (paths[frame] for frame in masked.frames if frame in paths):
        try:
            if (size := image_size(path)) != (masked.width, masked.height):
                others.append((path, size))
        except ImageError as error:
            yield Finding("error", "image-unreadable", str(error), name, str(path))
    if others:
        path, (width, height) = others[0]
        text = (
            f"{path} is {width} x {height} pixels, but the masks of video {name} are {masked.width} x {masked.height}."
            f"{f' Frames that do not fit: {len(others)}.' if len(others) > 1 else ''}"
        )
        yield Finding("error", "sizes-differ", text, name, str(path), len(others))


def open_tree(path: Path, videos_root: Path | None) -> Tree:
    """A tree of annotations, unread.

    Args:
        videos_root: as `reading_masks` has it.

    Raises:
        InputError: there is no such folder, or no videos.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; name the folder that holds the annotations.")
    root = path if videos_root is None else videos_root
    try:
        return Tree(root, find_videos(root), open_store(path, root))
    except InputError as error:
        if videos_root is not None:
            raise
        raise InputError(f"{error} If the annotations are kept apart from the frames, add --videos DIR.") from error


def open_store(annotations: Path, videos_root: Path) -> AnnotationStore:
    """The store of a tree of annotations; where the tree is the folder of videos, they lie beside the frames."""
    beside = os.path.realpath(annotations) == os.path.realpath(videos_root)
    return AnnotationStore(None if beside else annotations)
