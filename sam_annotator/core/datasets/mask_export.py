"""What an export of masks is asked for, and what it tells of itself: how far it is, what was written, what was lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from sam_annotator.core.datasets.convert_report import Finding, is_summed_up, summed_up
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.youtube_vis.options import CategoryNames
from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words

OVERLAP: Final = "overlap"
"""The reason of a finding: objects share pixels of a frame that only one can have."""

_SHOWN: Final = 20


@dataclass(frozen=True)
class MaskOptions:
    """How to export masks; what is about drawing counts for trees of annotations, whose masks are drawn.

    Attributes:
        categories: COCO: a file that fixes names and ids; None: `listed`, or else those of the dataset's own JSON;
            where there is neither, it is an error.
        present: COCO: the labels that occur, sorted, ids from 1; `categories` is None then.
        listed: COCO, of trees of annotations: names that are kept elsewhere than in a file, ids from 1 in their order.
        renames: a file of labels to rename; see `read_renames`.
        drop_unknown: leave out objects whose label the file does not name; else they are an error.
        draw: how shapes become masks, and what becomes of shapes without an object id.
        force: write over masks that are there.
        dry_run: go through everything, write nothing but the cache.
        jobs: processes that draw masks; -1: one per core.
        scheduler: the address of a Dask scheduler whose workers draw instead; `cache` is a folder they see, too.
        cache: keeps the masks of each video, for the next run; None: until this one ends.
    """

    categories: Path | None = None
    present: bool = False
    listed: CategoryNames | None = None
    renames: Path | None = None
    drop_unknown: bool = False
    draw: DrawOptions = field(default_factory=DrawOptions)
    force: bool = False
    dry_run: bool = False
    jobs: int = 1
    scheduler: str | None = None
    cache: Path | None = None


@dataclass
class ExportReport:
    """What was written (would be, after a dry run), and what could not be.

    Attributes:
        output: the folder or file.
        videos, frames, objects: how many were written.
        done: frames that were looked at.
        renumbered: videos whose object ids do not fit; meta.json says which is which.
        findings: all that came up, one by one.
    """

    output: Path
    videos: int = 0
    frames: int = 0
    objects: int = 0
    done: int = 0
    renumbered: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    is_dry_run: bool = False

    @property
    def problems(self) -> list[str]:
        """A sentence for whatever was left out or changed; frames where objects overlap are counted instead."""
        return [one.text for one in self.findings if one.kind != "note" and one.reason != OVERLAP]

    @property
    def overlapping(self) -> int:
        """Frames where objects share pixels that only one can have."""
        return sum(one.reason == OVERLAP for one in self.findings)

    @property
    def is_clean(self) -> bool:
        """True if nothing was lost on the way."""
        return all(one.kind == "note" for one in self.findings)

    @property
    def written(self) -> tuple[Path, ...]:
        """The folder or file; nothing after a dry run."""
        return () if self.is_dry_run else (self.output,)

    def counts(self) -> dict[str, Any]:
        """The numbers, for the JSON report."""
        return {name: getattr(self, name) for name in ("videos", "frames", "objects", "overlapping")}

    def lose(self, reason: str, text: str, file: str = "", video: str = "", count: int = 1) -> None:
        """Note that something is not written."""
        self.findings.append(Finding("dropped", reason, text, video, file, count))

    def __str__(self) -> str:
        return self.told()

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The summary in the words of a front end."""
        return "\n".join(self._lines(words))

    def _lines(self, words: Words) -> Iterator[str]:
        yield f"{'Would write' if self.is_dry_run else 'Wrote'} {self.output}"
        for what, count in (("videos", self.videos), ("frames", self.frames), ("objects", self.objects)):
            yield f"  {what:<8} {count}"
        if self.renumbered:
            yield f"Numbered anew, their own ids are in meta.json: {', '.join(self.renumbered)}"
        if self.overlapping:
            yield f"Frames where objects overlap, the higher id on top: {self.overlapping}"
        losses = list(self._losses())
        yield from losses[:_SHOWN]
        if len(losses) > _SHOWN:
            yield f"... and {len(losses) - _SHOWN} more; {words[Remedy.FULL_REPORT]}"

    def _losses(self) -> Iterator[str]:
        """What was left out or repaired, a line each; what a conversion counts is counted here, too."""
        by_reason: dict[tuple[str, str], list[Finding]] = {}
        for one in self.findings:
            if one.kind != "note" and one.reason != OVERLAP:
                by_reason.setdefault((one.kind, one.reason), []).append(one)
        for (kind, reason), found in by_reason.items():
            if len(found) > 1 and is_summed_up(reason):
                yield summed_up(found)
            else:
                yield from (f"{'Repaired' if kind == 'repaired' else 'Left out'}: {one.text}" for one in found)


@dataclass(frozen=True)
class ExportProgress:
    """One step; the report is the same object all along.

    Attributes:
        stage: `videos` (looking for annotations) and `masks` (reading frames) for trees of annotations, then `write`.
        done, total: videos in the stage `videos`, else frames.
    """

    video: str
    done: int
    total: int
    report: ExportReport
    stage: Literal["videos", "masks", "write"] = "write"
