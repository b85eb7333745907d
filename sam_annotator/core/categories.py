"""The categories of a dataset: fixed by a file, or taken from the labels that occur."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson

from sam_annotator.core.errors import InputError
from sam_annotator.core.json_members import BOM, JsonMembers, NotJsonError

DEFAULT_SUPERCATEGORY: Final = "object"

NO_CATEGORY: Final = frozenset({"__ignore__", "_background_"})
"""Lines of labelme's own label lists that name no category."""

_FORMATS: Final = (
    "It can be a text with a name a line, a JSON list of names, or a JSON with 'categories', a list of {id, name, ...}."
)

_NEAR_ENOUGH: Final = 75.0
_NEAR_NAMES: Final = 3


def _no_items() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Category:
    """One category of a dataset.

    Attributes:
        id: from 1; never changed once a file has fixed it.
        name: what the labels say.
        supercategory: a group of categories.
        extra: what else a category file says of it, such as LV-VIS' `partition`, kept as it is.
    """

    id: int
    name: str
    supercategory: str = DEFAULT_SUPERCATEGORY
    extra: Mapping[str, Any] = field(default_factory=_no_items, hash=False)

    def to_document(self) -> dict[str, Any]:
        """The category as YouTube-VIS and COCO write it."""
        return {"id": self.id, "name": self.name, "supercategory": self.supercategory, **self.extra}


@lru_cache(maxsize=4096)
def normal_label(label: str) -> str:
    """A label as it is compared: no white space around it, composed Unicode. Case matters."""
    return unicodedata.normalize("NFC", label.strip())


def categories_from_labels(labels: Iterable[str]) -> tuple[Category, ...]:
    """One category per label, sorted without regard to case, ids from 1."""
    names = sorted({normal_label(label) for label in labels}, key=lambda name: (name.casefold(), name))
    return tuple(Category(number, name) for number, name in enumerate(names, start=1))


def read_categories(path: Path) -> tuple[Category, ...]:
    """Read a category file, in the order and with the ids of the file.

    Three kinds are taken: a text with one name per line (ids 1, 2, ... in the order of the lines; empty lines and
    labelme's `__ignore__` and `_background_` are passed over); a JSON list of names, which counts as such lines; and
    JSON with `categories`, a list of {id, name, ...}: a category file of LV-VIS, or any instances file of YouTube-VIS
    or COCO.

    Raises:
        InputError: cannot be read, no category in it, a name or an id twice, an id that is no whole number from 1.
    """
    try:
        categories = _read(path)
    except OSError as error:
        raise InputError(f"The category file {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The category file {path} is not UTF-8 text; save it as UTF-8.") from error
    except (NotJsonError, orjson.JSONDecodeError) as error:
        raise InputError(f"The category file {path} is not valid JSON ({error}).") from error
    _check(path, categories)
    return categories


def _read(path: Path) -> tuple[Category, ...]:
    if path.is_file():
        with path.open("rb") as stream:
            start = stream.read(4096).removeprefix(BOM).lstrip()
        if start.startswith(b"{"):  # it may be a dataset of gigabytes; nothing but its categories is read
            members = JsonMembers.read(path)
            return _from_document(path, {} if members is None else {"categories": members.value("categories")})
    content = path.read_bytes().removeprefix(BOM)  # a pipe gives what it has once
    if path.suffix.lower() == ".json" or content.lstrip()[:1] in (b"[", b"{"):
        return _from_document(path, orjson.loads(content))
    return categories_from_names(content.decode("utf-8").splitlines())


def categories_from_names(names: Iterable[str]) -> tuple[Category, ...]:
    """One category per name, in this order, ids from 1; what names no category is passed over."""
    lines = map(normal_label, names)
    names = [line for line in lines if line and line not in NO_CATEGORY]
    return tuple(Category(number, name) for number, name in enumerate(names, start=1))


def categories_of(path: Path, document: Any) -> tuple[Category, ...]:
    """The categories that a JSON file says, which was read already; as `read_categories`.

    Raises:
        InputError: as `read_categories`.
    """
    categories = _from_document(path, document)
    _check(path, categories)
    return categories


def _from_document(path: Path, document: Any) -> tuple[Category, ...]:
    entries = document.get("categories") if isinstance(document, dict) else document
    if isinstance(document, list) and all(isinstance(entry, str) for entry in document):
        return categories_from_names(document)
    if not isinstance(entries, list):
        raise InputError(f"The category file {path} has no list 'categories'. {_FORMATS}")
    return tuple(_from_entry(path, entry) for entry in entries)


def _from_entry(path: Path, entry: Any) -> Category:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "id" not in entry:
        raise InputError(f"The category file {path} has an entry without 'id' and 'name': {entry!r}. {_FORMATS}")
    extra = {key: value for key, value in entry.items() if key not in ("id", "name", "supercategory")}
    supercategory = entry.get("supercategory") or DEFAULT_SUPERCATEGORY
    if not isinstance(supercategory, str):
        raise InputError(
            f"The category file {path} gives {entry['name']!r} the supercategory {supercategory!r}; it has to be a "
            "text."
        )
    return Category(entry["id"], normal_label(entry["name"]), supercategory, extra)


def _check(path: Path, categories: Sequence[Category]) -> None:
    if not categories:
        raise InputError(f"The category file {path} names no category.")
    ids: set[int] = set()
    names: set[str] = set()
    for category in categories:
        fixed = f"The category file {path} gives {category.name!r} the id {category.id!r}"
        if type(category.id) is not int or category.id < 1:
            raise InputError(f"{fixed}; ids are whole numbers from 1.")
        if not category.name:
            raise InputError(f"{fixed}; a category needs a name.")
        if category.name in names:
            raise InputError(f"The category file {path} names {category.name!r} twice; remove one.")
        if category.id in ids:
            raise InputError(f"{fixed}, which another category has already; each needs its own.")
        names.add(category.name)
        ids.add(category.id)


def near_names(label: str, names: Sequence[str]) -> list[str]:
    """Up to three of `names` that a person may have meant by `label`, nearest first."""
    from rapidfuzz import fuzz, process, utils  # slow to import, and only errors need it

    found = process.extract(
        label,
        names,
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        limit=_NEAR_NAMES,
        score_cutoff=_NEAR_ENOUGH,
    )
    return [name for name, _score, _index in found]


def describe_unknown_labels(counts: Mapping[str, int], categories: Sequence[Category], path: Path | str) -> str:
    """What to tell people of labels that a category file, or a list, does not name; `counts` is objects per label."""
    names = [category.name for category in categories]
    lines = [_unknown_label(label, counts[label], names) for label in sorted(counts, key=lambda a: (a.casefold(), a))]
    labels = "1 label is" if len(lines) == 1 else f"{len(lines)} labels are"
    return f"{labels} not in {path}; rename the objects, or add the names to it:\n" + "\n".join(lines)


def _unknown_label(label: str, count: int, names: Sequence[str]) -> str:
    near = near_names(label, names)
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else ""
    return f"    {label!r} ({count} object{'' if count == 1 else 's'}){hint}"
