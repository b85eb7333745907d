"""The conversion from one end to the other.

`convert` prints nothing and knows no progress bar: it is a generator, for the command line and the window alike.
"""

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from sam_annotator.core.datasets.convert_report import ConversionError, ConvertProgress, ConvertReport, Finding
from sam_annotator.core.datasets.images import Placed
from sam_annotator.core.datasets.records import ReadVideo
from sam_annotator.core.datasets.sole_export import sole_export
from sam_annotator.core.datasets.youtube_vis.layout import annotations_path, check_output, dataset_names, images_folder
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions, check_options
from sam_annotator.core.datasets.youtube_vis.placing import (
    folders_of_others,
    images_in_the_way,
    images_to_encode,
    place_images,
)
from sam_annotator.core.datasets.youtube_vis.reading import Laid, read_videos
from sam_annotator.core.datasets.youtube_vis.settling import Settled, settle
from sam_annotator.core.datasets.youtube_vis.spool import spool_folder
from sam_annotator.core.datasets.youtube_vis.survey import Survey, Surveyor, find_strays, nothing_annotated
from sam_annotator.core.datasets.youtube_vis.vocabulary import NOT_GIVEN, Vocabulary
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord, check_split, write_split
from sam_annotator.core.files import remove_halves, replacing
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_FIRST: Final = (NOT_GIVEN, "unknown-label")


def convert(
    videos: Sequence[Video],
    store: AnnotationStore,
    output: Path,
    options: ConvertOptions,
    found: Sequence[Finding] = (),
) -> Iterator[ConvertProgress]:
    """Make a dataset of all videos that have an annotated frame, with all their frames.

    A generator: nothing happens before the first `next`, and closing it stops the conversion. Everything is read and
    checked before anything is written; then images are placed, and the JSON is written last, whole or not at all. So
    what was stopped leaves images at most, and the next run takes them as they are.

    Args:
        videos: as `find_videos` gives them.
        store: where their annotations are.
        output: the dataset's folder, made if missing. What is in it stays, except the JSON of the same split with
            `options.force`.
        found: what came up beforehand (`merge_trees`); it goes into the report, and an error among it counts.

    Yields:
        Progress; the last one has the report.

    Raises:
        ConversionError: annotations or images that cannot be used, all of them at once; nothing was written.
        InputError: an option that cannot be used, no annotation at all, or another export to `output` is at work;
            nothing was written.
        SaveError: the dataset cannot be written.
    """
    with sole_export(output):
        yield from _convert(videos, store, output, options, found)


def _convert(
    videos: Sequence[Video], store: AnnotationStore, output: Path, options: ConvertOptions, found: Sequence[Finding]
) -> Iterator[ConvertProgress]:
    check_options(options)
    targets = {split: annotations_path(output, split, options.layout) for split in options.splits}
    folders = {split: images_folder(output, split, options.layout) for split in options.splits}
    check_output(output, targets.values(), folders.values() if options.images != "none" else (), options.force)
    vocabulary = Vocabulary.read(output, options)
    names = dataset_names(videos)
    survey = yield from look(videos, store, names, options)
    strays = find_strays(videos, store, output)
    if not survey.chosen and not survey.findings and not any(f.kind == "error" for f in found):
        raise nothing_annotated(videos, store, strays)
    with spool_folder(options.cache) as folder:
        chosen = [video for video, _name in survey.chosen]
        laid = yield from read_videos(chosen, store, folder, options, draws=vocabulary.is_given)
        settled = settle(laid, names, vocabulary, options)
        findings = [*found, *all_findings(survey, laid, settled, strays)]
        if not vocabulary.is_given:
            refuse(findings, options)
        by_folder = {folders[split]: records for split, records in settled.records.items()}
        findings += yield from images_in_the_way(by_folder, options)
        for records in by_folder.values() if options.images != "none" else ():
            findings.extend(images_to_encode(records))
        for split, records in settled.records.items():
            findings.extend(folders_of_others(records, folders[split], split))
        refuse(findings, options)
        placed: Counter[Placed] = Counter()
        verified = None
        if not options.dry_run:
            placed = yield from place_images(by_folder, options)
            verified = yield from _write(settled, targets, options)
    report = replace(
        _report(targets, settled, survey, laid, options),
        images=dict(sorted(placed.items())),
        files_without_frame=strays,
        findings=tuple(findings),
        verified=verified,
        is_dry_run=options.dry_run,
    )
    yield ConvertProgress("done", "", report.frames, report.frames, report)


def look(
    videos: Sequence[Video], store: AnnotationStore, names: Mapping[str, str], options: ConvertOptions
) -> Generator[ConvertProgress, None, Survey]:
    """Who goes in. What nobody is to see the annotations of needs none, unless it is drawn by lot."""
    is_drawn = options.plan is not None and bool(options.plan.ratios)
    with_all = not is_drawn and not all(map(options.has_annotations, options.splits))
    surveyor = Surveyor(store, names, with_all)
    for done, video in enumerate(videos, start=1):
        surveyor.look_at(video)
        yield ConvertProgress("videos", video.name, done, len(videos))
    return surveyor.survey()


def all_findings(survey: Survey, laid: Sequence[Laid], settled: Settled, strays: Iterable[Path]) -> Iterator[Finding]:
    """What came up on the way until everything is read and settled, what most has to be mended first."""
    # what a category file does not name comes first: it is what most has to be mended for
    yield from (finding for finding in settled.findings if finding.reason in _FIRST)
    yield from survey.findings
    for read, _path in laid:
        yield from read.findings
    yield from (finding for finding in settled.findings if finding.reason not in _FIRST)
    for path in strays:
        yield Finding("dropped", "file-without-frame", f"{path} belongs to no frame of the videos.", file=str(path))
    for name in (*survey.without_annotation, *settled.without_annotation):
        yield Finding("note", "video-without-annotation", f"The video {name} has no annotation.", name)
    for name in survey.not_unpacked:
        yield Finding("note", "video-not-unpacked", f"The video file {name} is not unpacked.", name)
    by_name = {read.name: read for read, _path in laid}
    for name in settled.in_no_split:
        yield _in_no_split(by_name[name])


def _in_no_split(read: ReadVideo) -> Finding:
    objects = sum(found.masks > 0 for found in read.objects)
    if not objects:
        return Finding("note", "video-in-no-split", f"The video {read.name} is in no split.", read.name)
    text = f"The video {read.name} is in no split; its {objects} annotated objects are not in the dataset."
    if objects == 1:
        text = f"The video {read.name} is in no split; its annotated object is not in the dataset."
    return Finding("dropped", "video-in-no-split", text, read.name, count=objects)


def refuse(findings: Sequence[Finding], options: ConvertOptions) -> None:
    """Raises ConversionError if there is anything that has to be mended."""
    kinds = ("error", "dropped", "repaired") if options.strict else ("error",)
    problems = [finding for finding in findings if finding.kind in kinds]
    if problems:
        raise ConversionError(problems, findings)


def _write(
    settled: Settled, targets: Mapping[str, Path], options: ConvertOptions
) -> Generator[ConvertProgress, None, int | None]:
    """Write and check the JSON files, all or none; returns how many masks were checked."""
    total = sum(record.objects for records in settled.records.values() for record in records)
    done = masks = 0
    with ExitStack() as stack:  # each takes its place at the end, once all are written
        for split, records in settled.records.items():
            with_annotations = options.has_annotations(split)
            remove_halves(targets[split].parent, targets[split].name)
            stream = stack.enter_context(replacing(targets[split]))
            write_split(stream, records, settled.categories, split, with_annotations=with_annotations)
            if not options.verify:
                continue
            for count in check_split(stream, records, settled.categories, with_annotations=with_annotations):
                done, masks = done + 1, masks + count
                yield ConvertProgress("check", "", done, total, masks=masks)
    return masks if options.verify else None


def _report(
    targets: Mapping[str, Path], settled: Settled, survey: Survey, laid: Sequence[Laid], options: ConvertOptions
) -> ConvertReport:
    """The counts; what happened to images and findings is for the caller to add."""
    records = [record for listed in settled.records.values() for record in listed]
    ignored = Counter[str]()
    for read, _path in laid:
        ignored.update(read.ignored_shapes)
    path, *more = targets.values()
    shares = [_share(settled.records[split], options.has_annotations(split)) for split in targets]
    return ConvertReport(
        path=path,
        more_paths=tuple(more),
        shares=tuple(shares) if more else (),
        unannotated=tuple(split for split in targets if not options.has_annotations(split)),
        videos=len(records),
        frames=sum(len(record.images) for record in records),
        objects=sum(objects for _videos, objects, _masks in shares),
        masks=sum(masks for _videos, _objects, masks in shares),
        categories=len(settled.categories),
        videos_without_annotation=(*survey.without_annotation, *settled.without_annotation),
        videos_not_unpacked=survey.not_unpacked,
        videos_in_no_split=settled.in_no_split,
        ignored_shapes=dict(sorted(ignored.items())),
        empty_masks=sum(read.empty_masks for read, _path in laid),
        empty_objects=tuple(name for read, _path in laid for name in read.empty_objects),
    )


def _share(records: Sequence[VideoRecord], with_annotations: bool) -> tuple[int, int, int]:
    counted = records if with_annotations else ()
    return len(records), sum(record.objects for record in counted), sum(record.masks for record in counted)
