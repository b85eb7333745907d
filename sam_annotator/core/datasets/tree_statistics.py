"""What a tree of annotations holds, read and judged as a conversion does that.

What a conversion would not take, or not as it is, is told here, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from sam_annotator.core.datasets.convert_report import Finding, summed_up
from sam_annotator.core.datasets.records import DrawOptions, NullGroup, ReadObject, describe_conflict
from sam_annotator.core.datasets.statistics import ObjectFacts, VideoFacts
from sam_annotator.core.datasets.video import VideoReader
from sam_annotator.core.datasets.youtube_vis.merging import Tree
from sam_annotator.core.datasets.youtube_vis.settling import object_ids
from sam_annotator.core.datasets.youtube_vis.survey import find_strays, nothing_annotated
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video


@dataclass(frozen=True)
class AnnotatedTree:
    """The videos of a tree that have an annotated frame.

    Attributes:
        frames: how many of their frames have an annotation file.
        problems: what belongs to none of them, a sentence each.
    """

    videos: tuple[Video, ...]
    store: AnnotationStore
    frames: int
    problems: tuple[str, ...]


def look_at_tree(tree: Tree) -> AnnotatedTree:
    """Find out what there is to measure.

    Raises:
        InputError: nothing is annotated.
    """
    counts = {video.name: len(tree.store.annotated_frames(video)) for video in tree.videos}
    videos = tuple(video for video in tree.videos if counts[video.name])
    strays = find_strays(tree.videos, tree.store, tree.store.output or tree.root)
    if not videos:
        raise nothing_annotated(tree.videos, tree.store, strays)
    problems = tuple(f"{path} belongs to no frame of the videos." for path in strays)
    return AnnotatedTree(videos, tree.store, sum(counts.values()), problems)


def measure_annotations(
    video: Video, store: AnnotationStore, null_group: NullGroup = "error"
) -> Iterator[VideoFacts | None]:
    """Read one video; None after each frame that has an annotation, its facts at the end.

    What a conversion refuses is left out of the numbers and told; the rest counts.

    Args:
        null_group: what becomes of shapes without an object id; see `DrawOptions`.
    """
    reader = VideoReader(video, store, DrawOptions(null_group=null_group))
    indices = sorted(store.annotated_frames(video))
    annotated = frozenset(indices)
    for index in range(len(video)):
        reader.read_frame(index)
        if index in annotated:
            yield None
    read, bodies = reader.finish()
    numbered = zip(object_ids(read), read.objects, bodies, strict=True)
    facts = (
        _facts(video, number, found, body, indices)
        for number, found, body in numbered
        if found.object_id is not None or null_group == "per-label"
    )
    conflicts = (describe_conflict(video.name, found, {}) for found in read.objects)
    problems = [*_texts(read.findings), *(text for text in conflicts if text is not None)]
    yield VideoFacts(video.name, len(indices), tuple(one for one in facts if one is not None), tuple(problems))


def _facts(video: Video, number: int, found: ReadObject, body: bytes, indices: Sequence[int]) -> ObjectFacts | None:
    """The facts of the object of this number; None: it has no mask."""
    if not found.masks:
        return None
    areas = orjson.loads(b"{" + body)["areas"]
    shown = [(position, areas[index]) for position, index in enumerate(indices) if areas[index] is not None]
    positions, pixels = zip(*shown, strict=True)
    return ObjectFacts(video.name, number, found.labels[0].label, positions, pixels)


def _texts(findings: Sequence[Finding]) -> Iterator[str]:
    """A sentence each; one for all shapes that were joined, since that was asked for."""
    yield from (one.text for one in findings if one.kind != "note" and one.reason != "joined-by-label")
    joined = [one for one in findings if one.reason == "joined-by-label"]
    if joined:
        yield summed_up(joined)
