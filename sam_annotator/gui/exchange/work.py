"""What the dialogs have done on the thread for files: core's conversions as steps with an outcome. No Qt."""

import shutil
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from sam_annotator.core.datasets import tree_export
from sam_annotator.core.datasets.convert_report import Report
from sam_annotator.core.datasets.importing import ImportOptions, import_masks
from sam_annotator.core.datasets.mask_export import MaskOptions
from sam_annotator.core.datasets.mask_sources import SourceKind, open_tree, reading_dataset
from sam_annotator.core.datasets.masked_video import ReadProgress
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, Tree, check_apart, convert, merge_trees
from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.remedies import Words
from sam_annotator.core.steps import translated
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_STAGES: Final = {
    "videos": "looking for annotations",
    "masks": "reading frames",
    "compare": "comparing images",
    "images": "placing images",
    "check": "checking what was written",
    "write": "writing masks",
}


@dataclass(frozen=True)
class Step:
    """How far it is.

    Attributes:
        doing: for people.
        total: 0: not known.
    """

    doing: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        result: what was written (would be, after a check), and what was left out; or what has to be mended first.
    """

    result: Report | InputError

    @property
    def is_possible(self) -> bool:
        """False: nothing was written, and nothing can be before something is mended."""
        return not isinstance(self.result, InputError)

    @property
    def is_clean(self) -> bool:
        """True if nothing was left out or changed on the way."""
        return not isinstance(self.result, InputError) and self.result.is_clean


Work = Generator[Step, None, Outcome]


@dataclass(frozen=True)
class TreeFolders:
    """A folder of videos, and that of their annotations; the same one where they lie beside the frames."""

    videos: Path
    annotations: Path


def export_dataset(tree: Tree, more: Sequence[TreeFolders], output: Path, options: ConvertOptions) -> Work:
    """Make a YouTube-VIS dataset of the tree that is open, and of others, which are looked for first.

    Raises:
        SaveError: the dataset cannot be written.
    """
    yield Step("looking for videos")
    try:
        trees = [tree, *(open_tree(one.annotations, one.videos) for one in more)]
        for one in trees:
            check_apart(output, one.root)
        merged = merge_trees(trees)
        steps = convert(merged.videos, merged.store, output, options, merged.findings)
        with closing(steps):  # type: ignore[type-var]
            for step in steps:
                if step.report is not None:
                    return Outcome(step.report)
                yield Step(_STAGES[step.stage], step.done, step.total)
    except InputError as error:
        return Outcome(error)
    raise AssertionError("a conversion ends with its report")


def export_masks(tree: Tree, output: Path, options: MaskOptions) -> Work:
    """Make indexed PNG masks in the folder `output`, or COCO per frame if it ends in `.json`.

    Raises:
        SaveError: they cannot be written.
    """
    yield Step("looking for annotations")
    report = None
    try:
        with closing(tree_export.export_masks(tree, output, options)) as steps:  # type: ignore[type-var]
            for step in steps:
                report = step.report
                is_look = step.stage == "write" and options.dry_run
                doing = "looking at masks" if is_look else _STAGES[step.stage]
                yield Step(doing, step.done, step.total)
    except InputError as error:
        return Outcome(error)
    assert report is not None
    return Outcome(report)


def worded(work: Work, words: Words) -> Work:
    """The same work; an error that ends it says in these words what to do."""
    try:
        return (yield from work)
    except AnnotatorError as error:
        raise AnnotatorError(error.told(words)) from error


def and_remove(work: Work, cache: Path) -> Work:
    """The same work, then remove the cache it has filled; where it is stopped or fails, the next one finds it."""
    outcome = yield from work
    if outcome.is_possible:
        shutil.rmtree(cache, ignore_errors=True)
    return outcome


def import_dataset(
    dataset: Path,
    videos: Sequence[Video],
    store: AnnotationStore,
    options: ImportOptions,
    *,
    kind: SourceKind = "auto",
    names: Path | None = None,
) -> Work:
    """Make annotations of the videos from a dataset.

    Raises:
        SaveError: the disk does not take them; the frames before are written.
    """
    yield Step(f"reading {dataset.name}")
    report = None
    try:
        source = yield from translated(reading_dataset(dataset, kind, names), partial(_in_megabytes, dataset.name))
        with closing(import_masks(source, videos, store, options)) as steps:  # type: ignore[type-var]
            for step in steps:
                report = step.report
                yield Step("reading masks" if options.dry_run else "writing annotations", step.done, step.total)
    except InputError as error:
        return Outcome(error)
    if report is None:
        return Outcome(InputError(f"{dataset} has no frame for any of these videos."))
    return Outcome(report)


def _in_megabytes(name: str, at: ReadProgress) -> Step:
    """How far a dataset's file is read; the numbers of a bar have their limits."""
    return Step(f"reading {name} (MB)", at.done // 2**20, max(at.total // 2**20, 1))
