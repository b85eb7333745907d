"""The JSON of one split, written piece by piece and read back line by line."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import orjson

from sam_annotator import __version__
from sam_annotator.core.categories import Category
from sam_annotator.core.datasets.images import FrameImage
from sam_annotator.core.datasets.rle_check import measure_rles
from sam_annotator.core.datasets.youtube_vis import spool
from sam_annotator.core.errors import SaveError

_ANNOTATIONS: Final = b'"annotations":['

_HEAD: Final = b'{"id":%d,"video_id":%d,"category_id":%d,"iscrowd":0,"object_id":%d,'
"""How each annotation begins. `object_id` is ours, for the way back; readers of YouTube-VIS pass over it."""


@dataclass(frozen=True)
class VideoRecord:
    """One video of a split.

    Attributes:
        tree_name, name: in the tree of videos; in the dataset.
        images: its frames in order.
        category_ids: of each object of the spool file, in its order; None: the object does not go in.
        object_ids: of each object of the spool file, in its order: the id it has in the annotations.
        masks: how many those have that go in.
        spool: where the objects' lists are; None: there are no objects.
        number: its id in the split; before `number_records`: the one that it came with, if any.
        numbers: likewise of the annotations, for each object of the spool file; None where the object does not go in.
    """

    tree_name: str
    name: str
    images: tuple[FrameImage, ...]
    category_ids: tuple[int | None, ...]
    object_ids: tuple[int, ...]
    masks: int
    spool: Path | None
    number: int | None = None
    numbers: tuple[int | None, ...] = ()

    @property
    def objects(self) -> int:
        """How many go in."""
        return sum(category is not None for category in self.category_ids)

    def file_names(self) -> list[str]:
        """Where the frames lie below the image root: VIDEO/FRAME.jpg."""
        return [f"{self.name}/{image.path.stem}.jpg" for image in self.images]

    def numbers_that_go_in(self) -> list[int | None]:
        """The ids of the annotations that go in, in their order."""
        return [n for n, category in zip(self.numbers, self.category_ids, strict=True) if category is not None]

    def to_document(self) -> dict[str, Any]:
        """The video as YouTube-VIS writes it."""
        width, height = self.images[0].size
        names = self.file_names()
        return {"id": self.number, "width": width, "height": height, "length": len(names), "file_names": names}


def write_split(
    stream: BinaryIO,
    records: Sequence[VideoRecord],
    categories: Sequence[Category],
    split: str,
    *,
    with_annotations: bool,
) -> None:
    """Write the JSON file: the same records always give the same bytes. Memory holds one object at a time."""
    stream.write(b'{"info":')
    stream.write(_ascii({"description": f"{split} split, made with sam_annotator", "version": __version__}))
    stream.write(b',\n"licenses":[],\n"videos":[')
    _write_list(stream, (_ascii(video.to_document()) for video in records))
    stream.write(b'],\n"categories":[')
    _write_list(stream, (_ascii(category.to_document()) for category in categories))
    if with_annotations:
        stream.write(b"],\n" + _ANNOTATIONS)
        _write_list(stream, _annotations(records))
    stream.write(b"]}\n")


def _ascii(document: Mapping[str, Any]) -> bytes:
    """JSON with other letters escaped: readers open the file in whatever encoding their machine prefers."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _write_list(stream: BinaryIO, documents: Iterable[bytes]) -> None:
    for index, document in enumerate(documents):
        if index:
            stream.write(b",\n")
        stream.write(document)


def _annotations(records: Sequence[VideoRecord]) -> Iterator[bytes]:
    for record in records:
        if not record.objects or record.spool is None:
            continue
        bodies = spool.bodies(record.spool)
        facts = zip(record.numbers, record.category_ids, record.object_ids, bodies, strict=True)
        for number, category, object_id, body in facts:
            if category is not None:
                yield _HEAD % (number, record.number, category, object_id) + body


def check_split(
    stream: BinaryIO, records: Sequence[VideoRecord], categories: Sequence[Category], *, with_annotations: bool
) -> Iterator[int]:
    """Read back what `write_split` wrote, and compare each mask with what is said of it. Yields masks an object.

    Ids, lengths and sizes are compared with the records; run lengths have to fill the image, box and area have to be
    those of the runs.

    Raises:
        SaveError: something is not as it was meant; the sentence says what and where.
    """
    expected = [(number, record) for record in records for number in record.numbers_that_go_in()]
    ids = {category.id for category in categories}
    count = 0
    try:
        for count, line in enumerate(_annotation_lines(stream, with_annotations), start=1):
            annotation = orjson.loads(line)
            number, record = expected[count - 1]
            _check((annotation["id"], annotation["video_id"]) == (number, record.number), count, "ids")
            _check(annotation["category_id"] in ids, count, "the category")
            yield _check_annotation(annotation, record, count)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _disagreement(f"annotation {count}: {error}") from error
    if count != (len(expected) if with_annotations else 0):
        raise _disagreement(f"{count} annotations instead of {len(expected)}")


def _annotation_lines(stream: BinaryIO, with_annotations: bool) -> Iterator[bytes]:
    stream.flush()
    stream.seek(0)
    for line in stream:
        if line.startswith(_ANNOTATIONS):
            break
    else:
        _check(not with_annotations, 0, "the list of annotations")
        return
    while line:
        text = line.removeprefix(_ANNOTATIONS).rstrip(b",\n")
        text = text.removesuffix(b"]}") if line.endswith(b"]}\n") else text
        if text:
            yield text
        line = stream.readline()


def _check_annotation(annotation: Mapping[str, Any], record: VideoRecord, number: int) -> int:
    width, height = record.images[0].size
    segmentations, boxes, areas = (annotation[key] for key in ("segmentations", "bboxes", "areas"))
    facts = [annotation[key] for key in ("width", "height", "length")]
    _check(facts == [width, height, len(record.images)], number, "the size")
    _check(len(segmentations) == len(boxes) == len(areas) == len(record.images), number, "the length of the lists")
    present = [index for index, segmentation in enumerate(segmentations) if segmentation is not None]
    for values in (boxes, areas):
        _check([i for i, value in enumerate(values) if value is not None] == present, number, "absent frames")
    _check(bool(present), number, "an object that is nowhere")
    _check(all(segmentations[index]["size"] == [height, width] for index in present), number, "a mask's size")
    measured, around = measure_rles([segmentations[index]["counts"] for index in present], height, width)
    _check(measured.tolist() == [areas[index] for index in present], number, "an area")
    _check(np.array_equal(around, [boxes[index] for index in present]), number, "a box")
    return len(present)


def _check(holds: bool, number: int, what: str) -> None:
    if not holds:
        raise _disagreement(f"annotation {number}: {what}")


def _disagreement(what: str) -> SaveError:
    return SaveError(
        f"The dataset was not written: read back, it was not what was meant ({what}). Try again; if it happens "
        "again, the disk or the memory may be faulty."
    )
