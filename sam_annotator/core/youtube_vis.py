"""A tree of annotations becomes a YouTube-VIS dataset in the layout of LV-VIS.

    DATASET/Annotations/<split>_instances.json
    DATASET/JPEGImages/<split>/<video>/<frame>.jpg

The JSON is what the YouTube-VIS API and LV-VIS' code read: one annotation per object and video, three lists with one
entry per frame (compressed RLE, box [x, y, width, height], area in pixels), null in all three where the object is
absent. The same annotations always give the same bytes.

`convert` prints nothing and knows no progress bar: it is a generator, for the command line and the window alike.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator import __version__
from sam_annotator.core.categories import (
    Category,
    categories_from_labels,
    describe_unknown_labels,
    read_categories,
)
from sam_annotator.core.convert_report import ConversionError, ConvertProgress, ConvertReport
from sam_annotator.core.dataset_images import ImageMode, Placed, place_image, stands_for_another
from sam_annotator.core.dataset_video import Findings, VideoReader, VideoRecord
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_SPLIT: Final = re.compile(r"[\w-][\w.-]*")


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        split: name of the part of the dataset that is made: `train`, `val`, ...
        categories: a category file that fixes names and ids; None: the labels that occur.
        images: `link` (hard links, copies between file systems), `copy`, or `none`.
        force: write over the JSON of the same split.
    """

    split: str = "train"
    categories: Path | None = None
    images: ImageMode = "link"
    force: bool = False


@dataclass(frozen=True)
class _Chosen:
    """What the stage `videos` found: those that go in, each with its name in the dataset."""

    videos: tuple[tuple[Video, str], ...]
    without_annotation: tuple[str, ...]
    not_unpacked: tuple[str, ...]


_Steps = Generator[ConvertProgress, None, Any]


def annotations_path(output: Path, split: str) -> Path:
    """Where the JSON of a split stands in the dataset `output`."""
    return output / "Annotations" / f"{split}_instances.json"


def images_folder(output: Path, split: str) -> Path:
    """The image root of a split in the dataset `output`; `file_names` are relative to it."""
    return output / "JPEGImages" / split


def convert(
    videos: Sequence[Video],
    store: AnnotationStore,
    output: Path,
    options: ConvertOptions,
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

    Yields:
        Progress; the last one has the report.

    Raises:
        ConversionError: annotations or images that cannot be used, all of them at once; nothing was written.
        InputError: an option that cannot be used, or no annotation at all; nothing was written.
        SaveError: the dataset cannot be written.
    """
    target = annotations_path(output, options.split)
    _check_options(options)
    _check_output(output, target, options.force)
    fixed = None if options.categories is None else read_categories(options.categories)
    names = dataset_names(videos)
    findings = Findings()
    chosen: _Chosen = yield from _choose(videos, store, names, findings)
    strays = _find_strays(videos, store, output)
    if not chosen.videos and not findings.problems:
        raise InputError(_describe_nothing(store, strays))
    folder = None if options.images == "none" else images_folder(output, options.split)
    records: list[VideoRecord] = yield from _read_videos(chosen, store, findings, folder)
    categories = _settle_categories(records, fixed, options, findings)
    if findings.problems:
        raise ConversionError(findings.problems)
    placed: Counter[Placed] = yield from _place_images(records, folder, options.images)
    write_atomically(target, encode_dataset(records, categories, options.split))
    report = _make_report(target, records, categories, chosen, findings, strays, placed)
    yield ConvertProgress("done", "", report.frames, report.frames, report)


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


def encode_dataset(records: Sequence[VideoRecord], categories: Sequence[Category], split: str) -> bytes:
    """The bytes of the JSON file: the same records always give the same bytes."""
    ids = {category.name: category.id for category in categories}
    objects = [(video, record) for video in records for record in video.objects]
    annotations = (
        record.to_document(number, video, ids[record.label]) for number, (video, record) in enumerate(objects, start=1)
    )
    parts = {
        "info": _ascii({"description": f"{split} split, made with sam_annotator", "version": __version__}),
        "licenses": b"[]",
        "videos": _list(_ascii(video.to_document()) for video in records),
        "categories": _list(_ascii(category.to_document()) for category in categories),
        "annotations": _list(map(orjson.dumps, annotations)),  # numbers and RLE only: ASCII, and most of the file
    }
    return b"{" + b",\n".join(b'"%s":%s' % (key.encode(), part) for key, part in parts.items()) + b"}\n"


def _ascii(document: dict[str, Any]) -> bytes:
    """JSON with other letters escaped: readers open the file in whatever encoding their machine prefers."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _list(documents: Iterable[bytes]) -> bytes:
    return b"[" + b",\n".join(documents) + b"]"


def _check_options(options: ConvertOptions) -> None:
    if not _SPLIT.fullmatch(options.split):
        raise InputError(f"{options.split!r} cannot name a split; use letters and digits, such as train or val.")
    if options.images not in ("link", "copy", "none"):
        raise InputError(f"{options.images!r} is no way to place images; use link, copy or none.")


def check_apart(output: Path, videos_root: Path) -> None:
    """Make sure that a dataset is not made among the videos, where its images would be found as videos next time.

    Raises:
        InputError: `output` is the folder of videos, or lies in it.
    """
    real, root = Path(os.path.realpath(output)), Path(os.path.realpath(videos_root))
    if real == root or root in real.parents:
        raise InputError(f"The dataset {output} would lie among the videos in {videos_root}; choose an output outside.")


def _check_output(output: Path, target: Path, force: bool) -> None:
    if target.exists() and not force:
        raise InputError(f"{target} is there already; write over it with --force, or choose another output or split.")
    real = Path(os.path.realpath(output))
    standing = next(folder for folder in (real, *real.parents) if folder.exists())
    if not standing.is_dir():
        raise InputError(f"{standing} is a file; choose a folder for the dataset.")
    if not os.access(standing, os.W_OK):
        raise SaveError(f"{output} cannot be written; choose a folder that can (--output DIR). Nothing was written.")


def _choose(videos: Sequence[Video], store: AnnotationStore, names: Mapping[str, str], findings: Findings) -> _Steps:
    chosen: list[tuple[Video, str]] = []
    without_annotation: list[str] = []
    not_unpacked: list[str] = []
    for done, video in enumerate(videos, start=1):
        if not store.annotated_frames(video):
            (not_unpacked if video.needs_unpacking else without_annotation).append(video.name)
        elif video.needs_unpacking:
            findings.problems.append(
                f"{video.source} has annotations but is not wholly unpacked; open it once in the window and wait for "
                "its last frame."
            )
        else:
            chosen.append((video, names[video.name]))
        yield ConvertProgress("videos", video.name, done, len(videos))
    return _Chosen(tuple(chosen), tuple(without_annotation), tuple(not_unpacked))


def _read_videos(chosen: _Chosen, store: AnnotationStore, findings: Findings, folder: Path | None) -> _Steps:
    records: list[VideoRecord] = []
    total = sum(len(video) for video, _name in chosen.videos)
    done = 0
    for number, (video, name) in enumerate(chosen.videos, start=1):
        reader = VideoReader(video, name, store, findings)
        for index in range(len(video)):
            reader.read_frame(index)
            done += 1
            yield ConvertProgress("masks", video.name, done, total)
        record = reader.record(number)
        if folder is not None:
            _check_targets(record, folder, findings)
        records.append(record)
    return records


def _check_targets(record: VideoRecord, folder: Path, findings: Findings) -> None:
    for image, file_name in zip(record.images, record.file_names(), strict=True):
        if stands_for_another(image, folder / file_name):
            findings.problems.append(
                f"{folder / file_name} is there already and is not {image.path}; it is not written over. Remove it, or "
                "choose another output."
            )


def _settle_categories(
    records: Sequence[VideoRecord],
    fixed: tuple[Category, ...] | None,
    options: ConvertOptions,
    findings: Findings,
) -> tuple[Category, ...]:
    counts = Counter(record.label for video in records for record in video.objects)
    if fixed is None or options.categories is None:
        return categories_from_labels(counts)
    known = {category.name for category in fixed}
    unknown = {label: count for label, count in counts.items() if label not in known}
    if unknown:
        findings.problems.insert(0, describe_unknown_labels(unknown, fixed, options.categories))
    return fixed


def _place_images(records: Sequence[VideoRecord], folder: Path | None, mode: ImageMode) -> _Steps:
    placed: Counter[Placed] = Counter()
    if folder is None:
        return placed
    total = sum(len(record.images) for record in records)
    for record in records:
        for image, file_name in zip(record.images, record.file_names(), strict=True):
            placed[place_image(image, folder / file_name, mode)] += 1
            yield ConvertProgress("images", record.name, placed.total(), total)
    return placed


def _find_strays(videos: Sequence[Video], store: AnnotationStore, output: Path) -> tuple[Path, ...]:
    """Annotation files that belong to no frame."""
    expected: dict[str, set[str]] = {}
    for video in videos:
        names = {store.path(video, index).name for index in store.annotated_frames(video)}
        expected.setdefault(os.path.realpath(store.folder(video)), set()).update(names)
    folders = [video.folder for video in videos] if store.output is None else _folders(store.output, output)
    strays: list[Path] = []
    for folder in folders:
        known = expected.get(os.path.realpath(folder), set())
        strays.extend(path for path in _json_files(folder) if path.name not in known)
    return tuple(strays)


def _folders(root: Path, skip: Path) -> Iterator[Path]:
    """`root` and all folders below it; nothing hidden, and not `skip`."""
    skipped = os.path.realpath(skip)
    for folder, names, _files in os.walk(root):
        visible = sorted(name for name in names if not name.startswith("."))
        names[:] = [name for name in visible if os.path.realpath(os.path.join(folder, name)) != skipped]
        yield Path(folder)


def _json_files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a video that has no folder yet has no files either
        return []
    return [folder / name for name in names if name.endswith(".json") and not name.startswith(".")]


def _describe_nothing(store: AnnotationStore, strays: Sequence[Path]) -> str:
    if strays:
        return (
            f"None of the {len(strays)} JSON files found belongs to a frame of the videos: {strays[0]}, for one, has "
            "no frame of its name. Name the videos that were annotated (--videos DIR)."
        )
    where = (
        "No frame of the videos has an annotation beside it"
        if store.output is None
        else f"{store.output} holds no annotation"
    )
    return f"{where}. Annotate a frame first, or name the folder that took the annotations (--output in the window)."


def _make_report(
    path: Path,
    records: Sequence[VideoRecord],
    categories: Sequence[Category],
    chosen: _Chosen,
    findings: Findings,
    strays: tuple[Path, ...],
    placed: Mapping[Placed, int],
) -> ConvertReport:
    objects = [record for video in records for record in video.objects]
    return ConvertReport(
        path=path,
        videos=len(records),
        frames=sum(len(video.images) for video in records),
        objects=len(objects),
        masks=sum(mask is not None for record in objects for mask in record.masks),
        categories=len(categories),
        images=dict(sorted(placed.items())),
        videos_without_annotation=chosen.without_annotation,
        videos_not_unpacked=chosen.not_unpacked,
        files_without_frame=strays,
        ignored_shapes=dict(sorted(findings.ignored_shapes.items())),
        empty_masks=findings.empty_masks,
        empty_objects=tuple(findings.empty_objects),
    )
