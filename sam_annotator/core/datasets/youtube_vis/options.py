"""How to convert, and what of it can be refused before anything is read."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from sam_annotator.core.datasets.images import ImageMode
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.youtube_vis.layout import LAYOUTS, Layout
from sam_annotator.core.datasets.youtube_vis.splits import SplitPlan
from sam_annotator.core.errors import InputError
from sam_annotator.core.parallel import check_jobs

_SPLIT: Final = re.compile(r"[\w-][\w.-]*")

_CHOICES: Final = {
    "images": ("link", "symlink", "copy", "none"),
    "layout": LAYOUTS,
    "annotated": ("auto", "yes", "no"),
}


@dataclass(frozen=True)
class CategoryNames:
    """A list of categories, and what to call it in sentences."""

    names: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        split: name of the part of the dataset that is made: `train`, `val`, ...
        categories: a category file that fixes names and ids; None: as the dataset's other splits have them, else
            `listed`, else it is an error.
        present: the labels that occur, whatever other splits have; `categories` is None then.
        listed: names that are kept elsewhere than in a file, as the window keeps its list; ids from 1 in their order.
        images: `link` (hard links, copies between file systems), `symlink` (symbolic links), `copy`, or `none`.
        force: write over the JSON of the same split.
        layout: where JSON and images stand in the dataset.
        draw: how shapes become masks, and what becomes of shapes without an object id.
        annotated: `no` leaves the annotations out of the JSON, and takes videos without any, too; `auto`: no for the
            split `test`, yes for all others.
        renames: a file of labels to rename; see `read_renames`.
        drop_unknown: leave out objects whose label the category file does not name; else they are an error.
        strict: whatever would be left out or repaired is an error.
        dry_run: all is read and checked, nothing is written but the cache.
        verify: read the JSON back and compare run lengths, boxes and areas.
        jobs: processes that draw masks and place images; -1: one per core.
        scheduler: the address of a Dask scheduler whose workers do that instead; `cache` has to be a folder that they
            see, too.
        cache: a folder that keeps the masks of each video, so that an interrupted conversion goes on where it
            stopped; None: they are kept in a temporary folder until the end.
        plan: how videos are shared out among several splits; `split` does not count then.
    """

    split: str = "train"
    categories: Path | None = None
    present: bool = False
    listed: CategoryNames | None = None
    images: ImageMode = "link"
    force: bool = False
    layout: Layout = "lvvis"
    draw: DrawOptions = field(default_factory=DrawOptions)
    annotated: Literal["auto", "yes", "no"] = "auto"
    renames: Path | None = None
    drop_unknown: bool = False
    strict: bool = False
    dry_run: bool = False
    verify: bool = True
    jobs: int = 1
    scheduler: str | None = None
    cache: Path | None = None
    plan: SplitPlan | None = None

    @property
    def works_alone(self) -> bool:
        """True if this process does all the work."""
        return self.jobs == 1 and self.scheduler is None

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of all splits that are made."""
        return (self.split,) if self.plan is None else self.plan.splits

    def has_annotations(self, split: str) -> bool:
        """True if the JSON of this split has the list `annotations`."""
        return split != "test" if self.annotated == "auto" else self.annotated == "yes"


def check_options(options: ConvertOptions) -> None:
    """Raises InputError for what cannot be done."""
    for split in options.splits:
        if not _SPLIT.fullmatch(split):
            raise InputError(f"{split!r} cannot name a split; use letters and digits, such as train or val.")
    if options.images not in _CHOICES["images"]:
        raise InputError(f"{options.images!r} is no way to place images; use link, symlink, copy or none.")
    for name in ("layout", "annotated"):
        if getattr(options, name) not in _CHOICES[name]:
            raise InputError(f"{getattr(options, name)!r} is no {name}; use {', '.join(_CHOICES[name])}.")
    check_jobs(options.jobs)
    if options.present and options.categories is not None:
        raise InputError("Categories are those of a file or those that occur, not both; choose one.")
