"""The ids of videos and annotations in a split: those of the dataset that they were imported from, or 1, 2, 3, ..."""

from collections.abc import Sequence
from dataclasses import replace

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.youtube_vis.writing import VideoRecord


def number_records(split: str, records: Sequence[VideoRecord]) -> tuple[tuple[VideoRecord, ...], list[Finding]]:
    """The records of a split with their ids.

    Ids that came along with an import are kept where every video, or every object, of the split has one and no two are
    alike; videos then stand in the order of their ids. Else they are numbered from 1, and a note tells that ids which
    some had are not used.
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
    if len(set(own)) == len(carried):
        return own
    if own:
        why = "some have none" if len(own) < len(carried) else "two are alike"
        text = (
            f"The {what} of the split {split} are numbered from 1: {len(own)} of {len(carried)} have an id from the "
            f"dataset that they were imported from, but {why}."
        )
        findings.append(Finding("note", "ids-not-kept", text, count=len(own)))
    return range(1, len(carried) + 1)
