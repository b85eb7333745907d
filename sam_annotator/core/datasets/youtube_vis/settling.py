"""Decisions that need all videos at once: categories, splits, and what becomes of labels nobody planned for."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from sam_annotator.core.categories import Category, categories_from_labels, describe_unknown_labels
from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.label_renames import note_unused
from sam_annotator.core.datasets.records import LARGEST_ID, ReadObject, ReadVideo, describe_conflict
from sam_annotator.core.datasets.youtube_vis.numbering import number_records
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.datasets.youtube_vis.reading import Laid
from sam_annotator.core.datasets.youtube_vis.vocabulary import Vocabulary
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord
from sam_annotator.core.remedies import Remedy

_LISTED = 3


@dataclass(frozen=True)
class Settled:
    """What is to be written.

    Attributes:
        records: the videos of each split in natural order, or that of the ids that they came with.
        categories: of all splits.
        in_no_split: names of videos that the list of splits does not name.
        without_annotation: names of videos that have none, and were read in vain.
        findings: what came up here.
    """

    records: Mapping[str, tuple[VideoRecord, ...]]
    categories: tuple[Category, ...]
    in_no_split: tuple[str, ...]
    without_annotation: tuple[str, ...]
    findings: tuple[Finding, ...]


def settle(laid: Sequence[Laid], names: Mapping[str, str], vocabulary: Vocabulary, options: ConvertOptions) -> Settled:
    """Share out videos and give objects their categories. `names`: in the dataset, by those in the tree."""
    counted = _kept if vocabulary.is_given else attrgetter("objects")  # of those, none has a mask: none was drawn
    counts = Counter(vocabulary.label_of(found) for read, _path in laid for found in counted(read))
    categories = categories_from_labels(counts) if vocabulary.fixed is None else vocabulary.fixed
    findings = [*_labels_findings(laid, counts, vocabulary, options), *vocabulary.findings(categories)]
    ids = {category.name: category.id for category in categories}
    splits = _assign(laid, names, vocabulary, options)
    records: dict[str, list[VideoRecord]] = {split: [] for split in options.splits}
    without_annotation = []
    for read, path in laid:
        split = splits.get(read.name)
        if split is None:
            continue
        if not read.is_annotated and options.has_annotations(split):
            without_annotation.append(read.name)
        elif read.images:
            records[split].append(_record(read, path, names[read.name], ids, vocabulary))
    findings.extend(_split_findings(records, names, options))
    in_no_split = tuple(read.name for read, _path in laid if read.name not in splits)
    numbered = {}
    for split, videos in records.items():
        numbered[split], notes = number_records(split, videos)
        findings.extend(notes)
    return Settled(numbered, categories, in_no_split, tuple(without_annotation), tuple(findings))


def _kept(read: ReadVideo) -> Iterator[ReadObject]:
    return (found for found in read.objects if found.masks)


def _record(read: ReadVideo, path: Path, name: str, ids: Mapping[str, int], vocabulary: Vocabulary) -> VideoRecord:
    categories = tuple(ids.get(vocabulary.label_of(found)) if found.masks else None for found in read.objects)
    masks = sum(found.masks for found, category in zip(read.objects, categories, strict=True) if category is not None)
    numbers = tuple(found.annotation_id for found in read.objects)
    return VideoRecord(read.name, name, read.images, categories, object_ids(read), masks, path, read.video_id, numbers)


def object_ids(read: ReadVideo) -> tuple[int, ...]:
    """Their own ids; new ones for those without."""
    own = [found.object_id for found in read.objects]
    fresh = itertools.count(1)
    taken = set(own)
    return tuple(number if number is not None else next(i for i in fresh if i not in taken) for number in own)


def _assign(
    laid: Sequence[Laid], names: Mapping[str, str], vocabulary: Vocabulary, options: ConvertOptions
) -> Mapping[str, str]:
    if options.plan is None:
        return {read.name: options.split for read, _path in laid}
    labels = [
        (read.name, names[read.name], Counter(vocabulary.label_of(found) for found in _kept(read)))
        for read, _path in laid
    ]
    return options.plan.assign(labels)


def _labels_findings(
    laid: Sequence[Laid], counts: Mapping[str, int], vocabulary: Vocabulary, options: ConvertOptions
) -> Iterator[Finding]:
    if vocabulary.fixed is not None and vocabulary.source is not None:
        yield from _unknown(laid, counts, vocabulary.fixed, vocabulary, options)
        yield from _category_notes(vocabulary.fixed, counts, vocabulary.source)
    else:
        yield from _case_notes(counts)
    for read, _path in laid:
        for found in read.objects:
            conflict = describe_conflict(read.name, found, vocabulary.renames)
            if conflict is not None:
                yield Finding("error", "labels-conflict", conflict, read.name)
    yield from _large_ids(laid)
    occurring = {use.label for read, _path in laid for found in read.objects for use in found.labels}
    yield from note_unused(vocabulary.renames, occurring, options.renames)


def _large_ids(laid: Sequence[Laid]) -> Iterator[Finding]:
    """An id that readers of JSON round would become that of another object, here or in the window."""
    for read, _path in laid:
        for found in read.objects:
            if found.object_id is not None and abs(found.object_id) > LARGEST_ID:
                text = (
                    f"The id {found.object_id} of {found.labels[0].label} in video {read.name} is beyond {LARGEST_ID}, "
                    "where programs that read JSON round; give the object a smaller id (group_id) in all its frames."
                )
                yield Finding("error", "object-id-too-large", text, read.name)


def _unknown(
    laid: Sequence[Laid],
    counts: Mapping[str, int],
    fixed: Sequence[Category],
    vocabulary: Vocabulary,
    options: ConvertOptions,
) -> Iterator[Finding]:
    known = {category.name for category in fixed}
    unknown = {label: count for label, count in counts.items() if label not in known}
    source = vocabulary.source
    if not unknown or source is None:
        return
    if not options.drop_unknown:
        text = describe_unknown_labels(unknown, fixed, source)
        remedy = Remedy.MEND_LABELS_OF_SPLIT if vocabulary.is_adopted else Remedy.MEND_LABELS
        yield Finding("error", "unknown-label", text, "", str(source), sum(unknown.values()), remedy)
        return
    for read, _path in laid:
        gone = Counter(label for label in map(vocabulary.label_of, _kept(read)) if label in unknown)
        for label, count in sorted(gone.items()):
            text = f"{_objects(count)} labelled {label!r} in video {read.name}: {source} has no such name."
            yield Finding("dropped", "unknown-label", text, read.name, count=count)


def _category_notes(fixed: Sequence[Category], counts: Mapping[str, int], source: Path | str) -> Iterator[Finding]:
    idle = [category.name for category in fixed if category.name not in counts]
    if idle:
        text = (
            f"{len(idle)} of {len(fixed)} categories have no object here: {_some(idle)}. Some converters "
            "(youtubevis2coco) fail on such a category."
        )
        yield Finding("note", "category-unused", text, file=str(source), count=len(idle))
    without = [category.name for category in fixed if "partition" not in category.extra]
    if without and len(without) < len(fixed):
        have = "1 category has" if len(without) == 1 else f"{len(without)} categories have"
        text = f"{have} no 'partition', others have; LV-VIS' evaluation needs it on every one."
        yield Finding("note", "partition-missing", text, file=str(source), count=len(without))


def _case_notes(counts: Iterable[str]) -> Iterator[Finding]:
    alike = defaultdict(list)
    for label in sorted(counts):
        alike[label.casefold()].append(label)
    for labels in alike.values():
        if len(labels) > 1:
            text = f"The labels {_some(labels)} differ in case alone and became different categories"
            yield Finding("note", "labels-alike", text, count=len(labels), remedy=Remedy.RENAME)


def _split_findings(
    records: Mapping[str, Sequence[VideoRecord]], names: Mapping[str, str], options: ConvertOptions
) -> Iterator[Finding]:
    plan = options.plan
    if plan is None:
        return
    unknown = plan.unknown_names(names)
    if unknown:
        text = f"The list of splits {plan.source} names {_some(unknown)}, which {'is' if len(unknown) == 1 else 'are'} "
        text += "no video of the folder; mend the list."
        yield Finding("error", "split-unknown-video", text, file=str(plan.source), count=len(unknown))
    for split, videos in records.items():
        if not videos:
            yield Finding("note", "split-empty", f"The split {split} has no video.")


def _objects(count: int) -> str:
    return "1 object" if count == 1 else f"{count} objects"


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(map(repr, names[:_LISTED]))
    return listed if len(names) <= _LISTED else f"{listed} and {len(names) - _LISTED} more"
