"""Several trees of annotations as one: each video once, names that tell them apart, and what had to be decided."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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


def merge_trees(trees: Sequence[Tree]) -> Merged:
    """Join trees.

    A folder of frames that several trees have counts once, with the annotations of the tree that has some; where
    several have, that is an error. Different videos of one name get the name of their tree before it, and a note.

    Raises:
        InputError: a folder cannot be listed.
    """
    if len(trees) == 1:
        return Merged(tuple(trees[0].videos), trees[0].store)
    findings: list[Finding] = []
    chosen = [_choose(found, findings) for found in _by_folder(trees).values()]
    counts = Counter(video.name.casefold() for _tree, video in chosen)
    labels = dict(zip(map(id, trees), _tell_apart([tree.root for tree in trees]), strict=True))
    taken: set[str] = set()
    videos, folders = [], {}
    for tree, video in chosen:
        name = video.name
        if counts[name.casefold()] > 1:
            name = f"{labels[id(tree)]}/{name}"
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        if name != video.name:
            text = f"Several trees have a video {video.name}; that of {tree.root} is called {name} here."
            findings.append(Finding("note", "video-renamed", text, name, str(video.folder)))
        folders[name] = tree.store.folder(video)
        videos.append(replace(video, name=name))
    return Merged(tuple(videos), PlacedStore(folders, trees), tuple(findings))


def _by_folder(trees: Sequence[Tree]) -> Mapping[str, list[tuple[Tree, Video]]]:
    """Who has each folder of frames."""
    found: dict[str, list[tuple[Tree, Video]]] = {}
    for tree in trees:
        for video in tree.videos:
            found.setdefault(os.path.realpath(video.folder), []).append((tree, video))
    return found


def _choose(found: Sequence[tuple[Tree, Video]], findings: list[Finding]) -> tuple[Tree, Video]:
    """The tree whose annotations of a video count."""
    if len(found) == 1:
        return found[0]
    places = {
        os.path.realpath(tree.store.folder(video)): (tree, video)
        for tree, video in found
        if tree.store.annotated_frames(video)
    }
    if len(places) > 1:
        first, second, *_more = (str(tree.store.folder(video)) for tree, video in places.values())
        text = (
            f"The video {found[0][1].folder} is annotated in {first} and in {second}. Move the files of one of them "
            "away, or join them; which of them count is not for a converter to guess."
        )
        findings.append(Finding("error", "video-annotated-twice", text, found[0][1].name, first))
    return next(iter(places.values()), found[0])


def _tell_apart(roots: Sequence[Path]) -> Iterator[str]:
    """A short name for each tree: the last part of its path in which they all differ, else its place."""
    parts = [Path(os.path.realpath(root)).parts[::-1] for root in roots]
    for level in zip(*parts, strict=False):
        if len({part.casefold() for part in level}) == len(roots):
            return iter(level)
    return (f"tree{number}" for number in range(1, len(roots) + 1))
