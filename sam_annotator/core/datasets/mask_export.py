"""What an export of masks tells of itself: how far it is, what was written, what was lost."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ExportReport:
    """What was written, and what could not be.

    Attributes:
        output: the folder or file.
        videos, frames, objects: how many were written.
        done: frames that were looked at.
        renumbered: videos whose object ids do not fit; meta.json says which is which.
        overlapping: frames where two objects share pixels that only one can have.
        problems: sentences.
    """

    output: Path
    videos: int = 0
    frames: int = 0
    objects: int = 0
    done: int = 0
    renumbered: list[str] = field(default_factory=list)
    overlapping: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """True if nothing was lost on the way."""
        return not (self.problems or self.overlapping)


@dataclass(frozen=True)
class ExportProgress:
    """One frame done; the report is the same object all along."""

    video: str
    done: int
    total: int
    report: ExportReport
