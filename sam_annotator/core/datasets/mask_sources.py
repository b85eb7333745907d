"""Masks from wherever a person points: a dataset's JSON, a folder of indexed PNGs, a tree of annotations."""

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from sam_annotator.core.datasets.annotated_video import read_annotated
from sam_annotator.core.datasets.davis_masks import read_davis
from sam_annotator.core.datasets.json_source import reading_dataset_json
from sam_annotator.core.datasets.masked_video import MaskedVideos, ReadProgress, VideoFinder
from sam_annotator.core.datasets.youtube_vis.merging import Tree
from sam_annotator.core.errors import InputError
from sam_annotator.core.images import image_size
from sam_annotator.core.steps import finished
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos

SourceKind = Literal["auto", "json", "davis"]
KINDS: Final = ("auto", "json", "davis")

_SHOWN: Final = 20


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
        InputError: a video is not among them, or a frame has another size; all of them are named.
    """
    finder = VideoFinder(videos)
    problems = []
    for masked in source.videos:
        found, size = finder.find(masked.name), masked.read(0)
        if found is None:
            problems.append(f"Video {masked.name} has no folder of frames.")
            continue
        paths = {path.stem: path for path in found.frame_paths}
        for frame in masked.frames:
            if frame in paths and (real := image_size(paths[frame])) != (size.width, size.height):
                is_of = f"but the masks of video {masked.name} are {size.width} x {size.height}."
                problems.append(f"{paths[frame]} is {real[0]} x {real[1]} pixels, {is_of}")
                break
    if problems:
        more = [f"... and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise InputError("\n  ".join(["The dataset is not of these videos:", *problems[:_SHOWN], *more]))


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
