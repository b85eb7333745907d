"""The ids of videos and annotations in a split: those of the dataset that they were imported from, or 1, 2, 3, ..."""

from collections.abc import Sequence
from dataclasses import replace

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord


def number_records(split: str, records: Sequence[VideoRecord]) -> tuple[tuple[VideoRecord, ...], list[Finding]]:
    """The records of a split with their ids.

    Ids that came along with an import are kept, and what is new gets the numbers after the highest one; videos stand in
    the order of their ids. Where two are alike all are numbered from 1. A note tells either.
    """
    findings: list[Finding] = []
    videos = _settled(split, "videos", [record.number for record in records], findings)
    numbered = [replace(record, number=number) for record, number in zip(records, videos, strict=True)]
    numbered.sort(key=lambda record: record.number or 0)
    carried = [number for record in numbered for number in record.numbers_that_go_in()]
    fresh = iter(_settled(split, "annotations", carried, findings))
    return tuple(
        replace(record, numbers=tuple(None if category is None else next(fresh) for category in record.category_ids))
        for record in numbered
    ), findings


def _settled(split: str, what: str, carried: Sequence[int | None], findings: list[Finding]) -> Sequence[int]:
    own = [number for number in carried if number is not None]
    if len(set(own)) < len(own):
        text = (
            f"The {what} of the split {split} are numbered from 1: {len(own)} of {len(carried)} have an id from the "
            "dataset that they were imported from, but two are alike."
        )
        findings.append(Finding("note", "ids-not-kept", text, count=len(own)))
        return range(1, len(carried) + 1)
    first = max(own, default=0) + 1
    fresh = iter(range(first, first + len(carried)))
    if 0 < len(own) < len(carried):
        text = (
            f"{len(carried) - len(own)} of {len(carried)} {what} of the split {split} are new to the dataset that the "
            f"others were imported from: their ids begin with {first}."
        )
        findings.append(Finding("note", "ids-added", text, count=len(carried) - len(own)))
    return [next(fresh) if number is None else number for number in carried]
