"""What an import tells of itself: what came into the tree, what did not, and why."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words

_LISTED: Final = 3
_PROBLEMS_SHOWN: Final = 20
_NOTES_SHOWN: Final = 6


@dataclass
class ImportReport:
    """What came of an import.

    Attributes:
        videos: with at least one frame in the tree.
        frames: frames by what was done: `written`, `replaced`, `there already` (and equal).
        objects, masks: in those frames.
        kept: annotation files that say something else and were left as they are.
        problems: what could not be used, a sentence each.
        without_mask: objects that the dataset lists but never shows, named.
        notes: what is worth knowing, though nothing is lost by it.
    """

    videos: int = 0
    frames: dict[str, int] = field(default_factory=dict)
    objects: int = 0
    masks: int = 0
    kept: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    without_mask: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dry_run: bool = False

    @property
    def is_clean(self) -> bool:
        """True if all of the dataset is in the tree now."""
        return not (self.kept or self.problems or self.without_mask)

    @property
    def findings(self) -> list[Finding]:
        """All that is not in the tree, one by one, and what is worth knowing, for a report."""
        return [
            *(Finding("dropped", "not-usable", problem) for problem in self.problems),
            *(
                Finding("dropped", "kept", f"{path} has other annotations and was left.", "", str(path))
                for path in self.kept
            ),
            *(Finding("dropped", "without-mask", f"{name} has no mask in any frame.") for name in self.without_mask),
            *(Finding("note", "dataset", note) for note in self.notes),
        ]

    @property
    def written(self) -> tuple[Path, ...]:
        """Each frame is a file of its own: counted, not listed."""
        return ()

    def counts(self) -> dict[str, Any]:
        """The numbers, for the JSON report."""
        return {"videos": self.videos, "frames": dict(self.frames), "objects": self.objects, "masks": self.masks}

    def add(self, other: "ImportReport") -> None:
        """Count what another report counts."""
        self.videos += other.videos
        for what, number in other.frames.items():
            self.frames[what] = self.frames.get(what, 0) + number
        self.objects += other.objects
        self.masks += other.masks
        self.kept += other.kept
        self.problems += other.problems
        self.without_mask += other.without_mask
        self.notes += other.notes

    def __str__(self) -> str:
        return self.told()

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The summary in the words of a front end."""
        return "\n".join(self._lines(words))

    def _lines(self, words: Words) -> Iterator[str]:
        yield "Nothing was written; it would be:" if self.dry_run else "Imported:"
        frames = ", ".join(f"{count} {what}" for what, count in self.frames.items()) or "0"
        for what, count in (("videos", self.videos), ("frames", frames), ("objects", self.objects)):
            yield f"  {what:<8} {count}"
        yield f"  {'masks':<8} {self.masks}"
        if self.kept:
            yield (
                f"Kept: {counted(len(self.kept), 'frame')} with other annotations ({some(list(map(str, self.kept)))}); "
                f"{words[Remedy.WRITE_OVER_FRAMES]}."
            )
        if self.without_mask:
            yield f"Left out: {counted(len(self.without_mask), 'object')} without a mask ({some(self.without_mask)})"
        yield from (f"Note: {note}" for note in self.notes[:_NOTES_SHOWN])
        if len(self.notes) > _NOTES_SHOWN:
            yield f"Note: {len(self.notes) - _NOTES_SHOWN} more; {words[Remedy.FULL_REPORT]}"
        if self.problems:
            yield f"Not used ({len(self.problems)}):"
            yield from (f"  {problem}" for problem in self.problems[:_PROBLEMS_SHOWN])
        if len(self.problems) > _PROBLEMS_SHOWN:
            yield f"  ... and {len(self.problems) - _PROBLEMS_SHOWN} more; {words[Remedy.FULL_REPORT]}"


def counted(number: int, word: str) -> str:
    """A number of things, in words."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def some(names: Sequence[str]) -> str:
    """The first of many names."""
    listed = ", ".join(names[:_LISTED])
    return listed if len(names) <= _LISTED else f"{listed}, ..."
