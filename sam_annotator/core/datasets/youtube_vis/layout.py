"""Where things stand in a dataset: its JSON, its images, and the names of videos."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from sam_annotator.core.datasets.writable import check_writable
from sam_annotator.core.errors import InputError
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.videos import Video

Layout = Literal["lvvis", "split-first", "ytvis2019", "ytvis2021"]

_PLACES: Final[dict[str, tuple[str, str]]] = {
    # the README of LV-VIS
    "lvvis": ("Annotations/{}_instances.json", "JPEGImages/{}"),
    # what the loaders of LV-VIS, OVFormer, GLEE look for
    "split-first": ("{0}/{0}_instances.json", "{}/JPEGImages"),
    "ytvis2019": ("{}.json", "{}/JPEGImages"),
    "ytvis2021": ("{}/instances.json", "{}/JPEGImages"),
}
LAYOUTS: Final = tuple(_PLACES)


def annotations_path(output: Path, split: str, layout: Layout = "lvvis") -> Path:
    """Where the JSON of a split stands in the dataset `output`."""
    return output / _PLACES[layout][0].format(split)


def images_folder(output: Path, split: str, layout: Layout = "lvvis") -> Path:
    """The image root of a split in the dataset `output`; `file_names` are relative to it."""
    return output / _PLACES[layout][1].format(split)


def other_splits(output: Path, splits: Iterable[str], layout: Layout = "lvvis") -> list[Path]:
    """The JSON files of splits that the dataset `output` has besides `splits`, sorted; some may be of another kind."""
    own = {annotations_path(output, split, layout) for split in splits}
    pattern = _PLACES[layout][0].format("*")
    return [path for path in sorted(output.glob(pattern)) if path not in own and path.is_file()]


def dataset_names(videos: Iterable[Video]) -> dict[str, str]:
    """The name of each video in the dataset, by its name in the tree.

    Readers take what stands before the first '/' of a file name for the video, so a name is one folder deep: the last
    part of a nested name (`train/00000` becomes `00000`) where no other video ends in the same, else all parts joined
    with '_'. All videos of the tree count, annotated or not, so that a name does not change as work goes on.

    Raises:
        InputError: two videos would still have one name.
    """
    names = [video.name for video in videos]
    endings = Counter(_last_part(name).casefold() for name in names)
    result: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in names:
        short = _last_part(name)
        new = short if endings[short.casefold()] == 1 else name.replace("/", "_")
        new = new.replace("\\", "_")  # some readers split at it
        if new.casefold() in taken:
            raise InputError(
                f"The videos {taken[new.casefold()]} and {name} would both be called {new} in the dataset; rename one."
            )
        taken[new.casefold()] = name
        result[name] = new
    return result


def _last_part(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def check_apart(output: Path, videos_root: Path) -> None:
    """Make sure that a dataset is not made among the videos, where its images would be found as videos next time.

    Raises:
        InputError: `output` is the folder of videos, or lies in it.
    """
    real, root = Path(os.path.realpath(output)), Path(os.path.realpath(videos_root))
    if real == root or root in real.parents:
        raise InputError(f"The dataset {output} would lie among the videos in {videos_root}; choose an output outside.")


def check_output(output: Path, targets: Iterable[Path], folders: Iterable[Path], force: bool) -> None:
    """Make sure, as far as can be told beforehand, that the JSON files `targets` and the images can be written.

    Args:
        folders: the image roots; none where no image is put there.

    Raises:
        InputError: a target is there already and `force` is not given, a file is in the way, or a folder cannot be
            written.
    """
    if os.path.isfile(output):  # unlike that of a Path, it bears names that are too long
        raise InputError(f"{output} is a file; choose a folder for the dataset.")
    chosen = list(targets)
    check_writable(chosen, folders)
    for target in chosen:
        if target.exists() and not force:
            raise InputError(f"{target} is there already", Remedy.WRITE_OVER_SPLIT)
