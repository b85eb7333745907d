"""What labels mean: renames, and categories fixed by a file or by what the dataset has of other splits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.categories import Category, categories_from_names, categories_of, read_categories
from sam_annotator.core.datasets.convert_report import Finding, Kind
from sam_annotator.core.datasets.label_renames import read_renames
from sam_annotator.core.datasets.records import ReadObject
from sam_annotator.core.datasets.youtube_vis.layout import other_splits
from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.errors import InputError
from sam_annotator.core.json_members import JsonMembers, NotJsonError
from sam_annotator.core.remedies import Remedy

NOT_GIVEN: Final = "categories-not-given"
"""The reason of a finding: nothing fixes the categories."""

_LISTED: Final = 3

_LONGEST_LINE: Final = 2**22
"""Bytes; we write a video a line."""


@dataclass(frozen=True)
class Vocabulary:
    """What labels mean: read from files before anything else is, so that a slip in them shows at once.

    Attributes:
        renames: new labels by old ones.
        fixed: the categories; None: the labels that occur, or nobody has said.
        source: the file that fixes them, or what to call the list that does.
        siblings: the categories of the dataset's other splits, by their files.
        is_present: the labels that occur were asked for.
    """

    renames: Mapping[str, str]
    fixed: tuple[Category, ...] | None
    source: Path | str | None
    siblings: Mapping[Path, tuple[Category, ...]] = field(default_factory=dict)
    is_present: bool = False

    @classmethod
    def read(cls, output: Path, options: ConvertOptions) -> "Vocabulary":
        """Raises InputError for a file that cannot be used."""
        renames = {} if options.renames is None else read_renames(options.renames)
        siblings = {}
        for path in other_splits(output, options.splits, options.layout):
            if categories := _categories_of_split(path):
                siblings[path] = categories
        source = options.categories
        if source is None and not options.present:
            source = next(iter(siblings), None)
        listed = None if options.present or source is not None else options.listed
        if options.drop_unknown and source is None and listed is None:
            raise InputError("Without a list of categories all labels count", Remedy.NO_DROPPING)
        if listed is not None:
            return cls(renames, categories_from_names(listed.names), listed.source, siblings)
        fixed = None if source is None else siblings.get(source) or read_categories(source)
        return cls(renames, fixed, source, siblings, options.present)

    @property
    def is_given(self) -> bool:
        """True if it is said what the categories are; else there is nothing to write, only what labels there are."""
        return self.fixed is not None or self.is_present

    @property
    def is_adopted(self) -> bool:
        """True if another split of the dataset fixes the categories."""
        return self.source in self.siblings

    def label_of(self, found: ReadObject) -> str:
        """The label of an object, renamed."""
        label = found.labels[0].label
        return self.renames.get(label, label)

    def findings(self, categories: Sequence[Category]) -> Iterator[Finding]:
        """Where `categories` come from if nobody said so; whom they contradict; that nobody has said what they are."""
        if self.is_adopted:
            text = f"Categories and ids are those of {self.source}, a split of the same dataset."
            yield Finding("note", "categories-of-split", text, file=str(self.source), count=len(categories))
        elif self.fixed is None and not self.is_present:
            text = _describe_not_given(categories)
            yield Finding("error", NOT_GIVEN, text, count=len(categories), remedy=Remedy.GIVE_CATEGORIES)
        for path, others in self.siblings.items():
            differing = _differing(categories, others)
            if differing:
                listed = ", ".join(differing[:_LISTED]) + (", ..." if len(differing) > _LISTED else "")
                text = f"{path}, a split of the same dataset, has other ids for its categories: {listed}"
                is_wanted = self.fixed is not None and not self.is_adopted
                kind: Kind = "note" if is_wanted else "error"
                yield Finding(kind, "categories-differ", text, "", str(path), len(differing), Remedy.SAME_CATEGORIES)


def _describe_not_given(occurring: Sequence[Category]) -> str:
    """What to tell people where nothing fixes the categories."""
    names = ", ".join(repr(category.name) for category in occurring[:_LISTED])
    more = f" and {len(occurring) - _LISTED} more" if len(occurring) > _LISTED else ""
    labels = "1 label occurs" if len(occurring) == 1 else f"{len(occurring)} labels occur"
    occurs = f" ({labels}: {names}{more})" if occurring else ""
    return f"Nothing fixes the names and ids of the categories{occurs}"


def _differing(ours: Sequence[Category], theirs: Sequence[Category]) -> list[str]:
    """One id for two names, or two ids for one name, in words."""
    ids = {category.name: category.id for category in theirs}
    names = {category.id: category.name for category in theirs}
    return [
        f"{other.name!r} has {other.id} here and {ids[other.name]} there"
        if other.name in ids
        else f"{other.id} is {other.name!r} here and {names[other.id]!r} there"
        for other in ours
        if ids.get(other.name, other.id) != other.id or names.get(other.id, other.name) != other.name
    ]


def _categories_of_split(path: Path) -> tuple[Category, ...]:
    """The categories of a dataset's JSON; none if it is not one, or has none. The rest of it may be gigabytes."""
    try:
        document = _head_of_ours(path)
        if document is None:
            members = JsonMembers.read(path)
            if members is None or not members.is_list("videos"):
                return ()
            document = {"categories": members.value("categories")}
    except OSError as error:
        raise InputError(f"{path}, a split of the same dataset, cannot be read ({error.strerror}).") from error
    except NotJsonError as error:
        raise InputError(f"{path}, a split of the same dataset, is not valid JSON ({error}); remove it.") from error
    return categories_of(path, document) if document.get("categories") else ()


def _head_of_ours(path: Path) -> Any:
    """What a JSON that we wrote says before its annotations, which begin a line; None: others wrote it."""
    lines: list[bytes] = []
    with path.open("rb") as stream:
        while line := stream.readline(_LONGEST_LINE):
            if line.startswith(b'"annotations":['):
                try:
                    head = orjson.loads(b"".join(lines).rstrip().removesuffix(b",") + b"}")
                except orjson.JSONDecodeError:
                    return None
                return head if "categories" in head else None
            lines.append(line)
            if not lines[0].startswith(b'{"info":{') or not line.endswith(b"\n"):
                return None
    return None
