"""Masks out of a tree of annotations: read and judged as a conversion reads and judges it, then written frame by frame.

What a conversion refuses is refused here, what it leaves out or repairs is told with the same words.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.categories import Category, categories_from_labels, read_categories
from sam_annotator.core.datasets.coco_export import check_coco_output, export_coco
from sam_annotator.core.datasets.convert_report import ConvertProgress, Finding
from sam_annotator.core.datasets.davis_export import check_davis_output, export_davis
from sam_annotator.core.datasets.label_renames import note_unused, read_renames
from sam_annotator.core.datasets.mask_export import ExportProgress, ExportReport, MaskOptions
from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideos
from sam_annotator.core.datasets.renamed_video import renamed
from sam_annotator.core.datasets.sole_export import sole_export
from sam_annotator.core.datasets.youtube_vis import spool
from sam_annotator.core.datasets.youtube_vis.layout import check_apart, dataset_names
from sam_annotator.core.datasets.youtube_vis.merging import Tree
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions, check_options
from sam_annotator.core.datasets.youtube_vis.pipeline import all_findings, look, refuse
from sam_annotator.core.datasets.youtube_vis.reading import read_videos
from sam_annotator.core.datasets.youtube_vis.settling import settle
from sam_annotator.core.datasets.youtube_vis.survey import find_strays, nothing_annotated
from sam_annotator.core.datasets.youtube_vis.vocabulary import Vocabulary
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord
from sam_annotator.core.errors import InputError
from sam_annotator.core.masks import decode_rle
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.steps import translated
from sam_annotator.core.videos import Video

_ELSEWHERE: Final = frozenset({"frame-not-annotated", "one-frame", "many-of-a-category"})
"""Notes that hold for YouTube-VIS alone: here a frame without an annotation is left out, and frames stand alone."""


def export_masks(source: Tree | MaskedVideos, output: Path, options: MaskOptions) -> Iterator[ExportProgress]:
    """Write indexed PNG masks into the folder `output`, or COCO per frame if it ends in `.json`.

    A generator, safe to close at any step.

    Raises:
        ConversionError: annotations or images that cannot be used, all of them at once; nothing was written.
        InputError: the output is there, labels are no categories, an option cannot be used, or another export to
            `output` is at work; nothing was written.
        SaveError: the disk does not take it.
    """
    with sole_export(output):
        yield from _export(source, output, options)


def _export(source: Tree | MaskedVideos, output: Path, options: MaskOptions) -> Iterator[ExportProgress]:
    is_coco = output.suffix.lower() == ".json"
    if (options.categories is not None or options.present) and not is_coco:
        raise InputError("--categories is for COCO (--output FILE.json); PNG masks have no category ids.")
    if options.drop_unknown and options.categories is None and options.listed is None:
        raise InputError("Without a list of categories all labels count", Remedy.NO_DROPPING)
    (check_coco_output if is_coco else check_davis_output)(output, force=options.force)
    if isinstance(source, MaskedVideos):
        source, notes = _rename(source, options.renames)
        fixed = _categories_of(source, options) if is_coco else None
        yield from _write(source, output, options, fixed, notes)
        return
    if not is_coco:
        check_apart(output, source.root)
    with spool.spool_folder(options.cache) as folder:
        masks, categories, findings = yield from _read(source, output, options, folder, is_coco=is_coco)
        yield from _write(masks, output, options, categories, findings)


def _rename(source: MaskedVideos, path: Path | None) -> tuple[MaskedVideos, list[Finding]]:
    """The videos with the labels that a map makes of theirs, and what to know of it."""
    if path is None:
        return source, []
    renames = read_renames(path)
    occurring = (label for video in source.videos for label in video.labels.values())
    return renamed(source, renames), list(note_unused(renames, occurring, path))


def _categories_of(source: MaskedVideos, options: MaskOptions) -> Sequence[Category] | None:
    """Those of a file, of the dataset itself if none is named; None: the labels that occur.

    Raises:
        ConversionError: nothing fixes them.
        InputError: they cannot be read, or kept.
    """
    chosen = _as_conversion(options, is_coco=True)
    check_options(chosen)
    if options.categories is not None:
        return read_categories(options.categories)
    if source.file is None and not options.present:
        occurring = categories_from_labels(label for video in source.videos for label in video.labels.values())
        refuse(list(Vocabulary({}, None, None).findings(occurring)), chosen)
    if source.file is None or options.present:
        return None
    try:
        return read_categories(source.file)
    except InputError as error:
        raise InputError(
            f"{error} So its ids cannot be kept: give --categories FILE, or --categories present, which numbers the "
            "labels that occur anew."
        ) from error


def _write(
    source: MaskedVideos,
    output: Path,
    options: MaskOptions,
    categories: Sequence[Category] | None,
    found: Sequence[Finding],
) -> Iterator[ExportProgress]:
    if output.suffix.lower() != ".json":
        return export_davis(source, output, force=options.force, dry_run=options.dry_run, found=found)
    return export_coco(
        source,
        output,
        categories=categories,
        categories_file=options.categories or source.file,
        drop_unknown=options.drop_unknown,
        force=options.force,
        dry_run=options.dry_run,
        found=found,
    )


def _read(
    tree: Tree, output: Path, options: MaskOptions, folder: Path, *, is_coco: bool
) -> Generator[ExportProgress, None, tuple[MaskedVideos, Sequence[Category], list[Finding]]]:
    """Read the whole tree; its masks lie in `folder` then."""
    chosen = _as_conversion(options, is_coco=is_coco)
    check_options(chosen)
    vocabulary = Vocabulary.read(output, chosen)
    names = dataset_names(tree.videos)
    as_export = partial(_as_export, ExportReport(output))
    survey = yield from translated(look(tree.videos, tree.store, names, chosen), as_export)
    strays = [path for path in find_strays(tree.videos, tree.store, output) if path != output]
    if not survey.chosen and not survey.findings:
        raise nothing_annotated(tree.videos, tree.store, strays)
    videos = {video.name: video for video, _name in survey.chosen}
    read_all = read_videos(list(videos.values()), tree.store, folder, chosen, draws=vocabulary.is_given)
    laid = yield from translated(read_all, as_export)
    settled = settle(laid, names, vocabulary, chosen)
    findings = [one for one in all_findings(survey, laid, settled, strays) if one.reason not in _ELSEWHERE]
    refuse(findings, chosen)
    labels = {category.id: category.name for category in settled.categories}
    records = settled.records[chosen.split]
    masked = tuple(
        _LaidVideo(
            record, videos[record.tree_name], labels, sorted(tree.store.annotated_frames(videos[record.tree_name]))
        )
        for record in records
    )
    return MaskedVideos(masked), settled.categories, findings


def _as_export(report: ExportReport, step: ConvertProgress) -> ExportProgress:
    assert step.stage in ("videos", "masks")
    return ExportProgress(step.video, step.done, step.total, report, step.stage)


def _as_conversion(options: MaskOptions, *, is_coco: bool) -> ConvertOptions:
    """How to read the tree; any label will do for PNGs."""
    return ConvertOptions(
        categories=options.categories,
        present=options.present or not is_coco,
        listed=options.listed,
        renames=options.renames,
        drop_unknown=options.drop_unknown,
        draw=options.draw,
        dry_run=options.dry_run,
        jobs=options.jobs,
        scheduler=options.scheduler,
        cache=options.cache,
    )


@dataclass(frozen=True)
class _LaidVideo:
    """A video whose masks lie in a spool file; a `MaskedVideo`. Its frames are those that have an annotation file."""

    record: VideoRecord
    video: Video
    names: Mapping[int, str]
    indices: Sequence[int]
    _loaded: dict[int, list[Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.video.name

    @cached_property
    def frames(self) -> tuple[str, ...]:
        return tuple(self.video.frame_paths[index].stem for index in self.indices)

    @cached_property
    def labels(self) -> Mapping[int, str]:
        pairs = zip(self.record.object_ids, self.record.category_ids, strict=True)
        return {number: self.names[category] for number, category in sorted(pairs) if category is not None}

    @property
    def width(self) -> int:
        return self.record.images[0].width

    @property
    def height(self) -> int:
        return self.record.images[0].height

    def read(self, position: int) -> FrameMasks:
        """The masks of a frame. One video's run lengths are in memory from its first frame to its last."""
        if not self._loaded and self.record.spool is not None:
            bodies = zip(self.record.object_ids, spool.bodies(self.record.spool), strict=True)
            self._loaded.update(
                (number, orjson.loads(b"{" + body)["segmentations"]) for number, body in bodies if number in self.labels
            )
        index = self.indices[position]
        width, height = self.record.images[index].size
        masks = {number: decode_rle(every[index]) for number, every in sorted(self._loaded.items()) if every[index]}
        if position == len(self.indices) - 1:
            self._loaded.clear()
        return FrameMasks(width, height, masks)
