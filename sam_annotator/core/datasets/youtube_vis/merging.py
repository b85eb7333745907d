"""Several trees of annotations as one: each video once, names that tell them apart, and what had to be decided."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video


@dataclass(frozen=True)
class Tree:
    """Videos and their annotations.

    Attributes:
        root: the folder of videos; what tells it from other trees goes into names.
    """

    root: Path
    videos: Sequence[Video]
    store: AnnotationStore


class PlacedStore(AnnotationStore):
    """A store that is told for each video where its annotations lie.

    Attributes:
        trees: the trees that it was made of.
    """

    def __init__(self, folders: Mapping[str, Path], trees: Sequence[Tree] = ()) -> None:
        super().__init__(None)
        self.trees = tuple(trees)
        self._folders = folders

    def folder(self, video: Video) -> Path:
        """The folder that has the JSON files of a video."""
        return self._folders[video.name]


@dataclass(frozen=True)
class Merged:
    """What several trees are together.

    Attributes:
        videos: of all trees, in their order; no two names are alike, whatever the case.
        findings: what had to be decided; errors among it.
    """

    videos: tuple[Video, ...]
    store: AnnotationStore
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class _Folder:
    """A folder of frames: the first tree that has it, the video it is there, and where its annotations lie."""

    tree: Tree
    video: Video
    annotations: Path

    @property
    def key(self) -> str:
        """Names are compared without regard to case: some disks keep no other."""
        return self.video.name.casefold()

    @property
    def root(self) -> str:
        return os.path.realpath(self.tree.root)


def merge_trees(trees: Sequence[Tree]) -> Merged:
    """Join trees.

    A folder of frames that several trees have counts once: by the name that the first of them has for it, with the
    annotations of the one that has some; where several have, that is an error. Every video keeps its name, but where
    several trees have different videos of one name, each of these gets the name of its tree before it, and a note.

    Raises:
        InputError: a folder cannot be listed.
    """
    if len(trees) == 1:
        return Merged(tuple(trees[0].videos), trees[0].store)
    findings: list[Finding] = []
    folders = [_choose(found, findings) for found in _by_folder(trees).values()]
    names = _names(folders)
    videos, annotations = [], {}
    for folder, name in zip(folders, names, strict=True):
        video = folder.video
        if name != video.name:
            text = f"Several trees have a video {video.name}; that of {folder.tree.root} is called {name} here."
            findings.append(Finding("note", "video-renamed", text, name, str(video.folder)))
        annotations[name] = folder.annotations
        videos.append(replace(video, name=name))
    return Merged(tuple(videos), PlacedStore(annotations, trees), tuple(findings))


def _names(folders: Sequence[_Folder]) -> list[str]:
    """What each is called; only those that share a name with one of another tree are called otherwise than there."""
    holders: dict[str, set[str]] = {}
    for folder in folders:
        holders.setdefault(folder.key, set()).add(folder.root)
    clashing = [len(holders[folder.key]) > 1 for folder in folders]
    roots = list(dict.fromkeys(folder.root for folder, clashes in zip(folders, clashing, strict=True) if clashes))
    prefixes = dict(zip(roots, tell_apart(roots), strict=True))
    taken = {folder.key for folder, clashes in zip(folders, clashing, strict=True) if not clashes}
    names = []
    for folder, clashes in zip(folders, clashing, strict=True):
        name = f"{prefixes[folder.root]}/{folder.video.name}" if clashes else folder.video.name
        while clashes and name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        names.append(name)
    return names


def _by_folder(trees: Sequence[Tree]) -> Mapping[str, list[tuple[Tree, Video]]]:
    """Who has each folder of frames."""
    found: dict[str, list[tuple[Tree, Video]]] = {}
    for tree in trees:
        for video in tree.videos:
            found.setdefault(os.path.realpath(video.folder), []).append((tree, video))
    return found


def _choose(found: Sequence[tuple[Tree, Video]], findings: list[Finding]) -> _Folder:
    """The annotations of a folder of frames that count."""
    tree, video = found[0]
    places: dict[str, Path] = {}
    for other, same in found if len(found) > 1 else ():
        if other.store.annotated_frames(same):
            place = other.store.folder(same)
            places.setdefault(os.path.realpath(place), place)
    if len(places) > 1:
        first, second, *_more = map(str, places.values())
        text = (
            f"The video {video.folder} is annotated in {first} and in {second}. Move the files of one of them "
            "away, or join them; which of them count is not for a converter to guess."
        )
        findings.append(Finding("error", "video-annotated-twice", text, video.name, first))
    return _Folder(tree, video, next(iter(places.values()), tree.store.folder(video)))


def tell_apart(roots: Sequence[str]) -> list[str]:
    """A short name for each of different folders.

    As many of the last parts of its path as tell all of them apart, without those in which all end: `site1` and `site2`
    of `/data/site1/videos` and `/data/site2/videos`. Where parts do not tell them apart, their places: `tree1`, ...
    """
    parts = [Path(root).parts[1:] for root in roots]
    while all(len(one) > 1 for one in parts) and len({one[-1].casefold() for one in parts}) == 1:
        parts = [one[:-1] for one in parts]
    for count in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-count:]) for one in parts]
        if all(names) and len({name.casefold() for name in names}) == len(names):
            return names
    return [f"tree{number}" for number in range(1, len(roots) + 1)]
