"""What the dialogs have done on the thread for files: core's conversions as steps with an outcome. No Qt."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sam_annotator.core.categories import read_categories
from sam_annotator.core.datasets.annotated_video import read_annotated
from sam_annotator.core.datasets.coco_export import export_coco
from sam_annotator.core.datasets.convert_report import ConvertReport
from sam_annotator.core.datasets.davis_export import export_davis
from sam_annotator.core.datasets.importing import ImportOptions, import_masks
from sam_annotator.core.datasets.mask_export import ExportReport
from sam_annotator.core.datasets.mask_sources import SourceKind, read_dataset
from sam_annotator.core.datasets.masked_video import MaskedVideos
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, check_apart, convert
from sam_annotator.core.errors import InputError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_STAGES: Final = {
    "videos": "looking for annotations",
    "masks": "reading frames",
    "compare": "comparing images",
    "images": "placing images",
    "check": "checking what was written",
}
_PROBLEMS_SHOWN: Final = 20


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
        text: what was written (would be, after a check), and what was left out; or what has to be mended first.
        is_possible: False: nothing was written, and nothing can be before something is mended.
        is_clean: nothing was left out or changed on the way.
        findings: all of it one by one, for `write_report`; None: `text` has all.
    """

    text: str
    is_possible: bool = True
    is_clean: bool = True
    findings: ConvertReport | InputError | None = None


Work = Generator[Step, None, Outcome]


def export_dataset(
    videos: Sequence[Video], store: AnnotationStore, root: Path | None, output: Path, options: ConvertOptions
) -> Work:
    """Make a YouTube-VIS dataset; `root` is the folder of the videos, where that is known.

    Raises:
        SaveError: the dataset cannot be written.
    """
    try:
        if root is not None:
            check_apart(output, root)
        with closing(convert(videos, store, output, options)) as steps:  # type: ignore[type-var]
            for step in steps:
                if step.report is not None:
                    return Outcome(str(step.report), True, step.report.is_clean, step.report)
                yield Step(_STAGES[step.stage], step.done, step.total)
    except InputError as error:
        return Outcome(str(error), False, False, error)
    raise AssertionError("a conversion ends with its report")


def export_masks(
    videos: Sequence[Video],
    store: AnnotationStore,
    output: Path,
    *,
    categories: Path | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> Work:
    """Make indexed PNG masks in the folder `output`, or COCO per frame if it ends in `.json`.

    Raises:
        SaveError: they cannot be written.
    """
    yield Step("looking for annotations")
    try:
        source = read_annotated(videos, store)
        if not source.videos:
            return Outcome("No frame of these videos has an annotation.", False, False)
        if dry_run:
            return _what_there_is(source, output)
        if output.suffix.lower() == ".json":
            fixed = None if categories is None else read_categories(categories)
            steps = export_coco(source, output, categories=fixed, categories_file=categories, force=force)
        else:
            steps = export_davis(source, output, force=force)
        report = None
        with closing(steps):  # type: ignore[type-var]
            for step in steps:
                report = step.report
                yield Step("writing masks", step.done, step.total)
    except InputError as error:
        return Outcome(str(error), False, False)
    assert report is not None
    return Outcome(_describe_masks(report), True, report.is_clean)


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
        source = read_dataset(dataset, kind, names)
        with closing(import_masks(source, videos, store, options)) as steps:  # type: ignore[type-var]
            for step in steps:
                report = step.report
                yield Step("reading masks" if options.dry_run else "writing annotations", step.done, step.total)
    except InputError as error:
        return Outcome(str(error), False, False)
    if report is None:
        return Outcome(f"{dataset} has no frame for any of these videos.", False, False)
    return Outcome(str(report), True, report.is_clean)


def _what_there_is(source: MaskedVideos, output: Path) -> Outcome:
    frames = sum(len(video.frames) for video in source.videos)
    objects = sum(len(video.labels) for video in source.videos)
    lines = [
        f"Would write {output}",
        f"  videos   {len(source.videos)}",
        f"  frames   {frames}",
        f"  objects  {objects}",
        *_problems(source.problems),
    ]
    return Outcome("\n".join(lines), True, not source.problems)


def _describe_masks(report: ExportReport) -> str:
    lines = [
        f"Wrote {report.output}",
        f"  videos   {report.videos}",
        f"  frames   {report.frames}",
        f"  objects  {report.objects}",
    ]
    if report.renumbered:
        lines.append(f"Numbered anew, their own ids are in meta.json: {', '.join(report.renumbered)}")
    if report.overlapping:
        lines.append(f"Frames where objects overlap, the higher id on top: {report.overlapping}")
    return "\n".join([*lines, *_problems(report.problems)])


def _problems(problems: Sequence[str]) -> list[str]:
    more = len(problems) - _PROBLEMS_SHOWN
    lines = [f"Not used: {problem}" for problem in problems[:_PROBLEMS_SHOWN]]
    return [*lines, f"... and {more} more"] if more > 0 else lines
