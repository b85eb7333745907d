"""Changing the categories of a file: what else the file says stays, and so do the ids of its JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.categories import DEFAULT_SUPERCATEGORY, NO_CATEGORY, normal_label, read_categories
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.json_members import JsonMembers, NotJsonError

_OF_A_DATASET: Final = ("annotations", "videos", "images")


@dataclass(frozen=True)
class ListedName:
    """One category of a list that was edited.

    Attributes:
        was: its name in the file before; None: it is new.
    """

    name: str
    was: str | None = None


def save_names(path: Path, names: Sequence[ListedName]) -> None:
    """Write a list of categories, whole or not at all.

    A text gets one name a line; labelme's lines that name no category stay on its top. A JSON of categories keeps the
    id and all else it says of each that was in it, and gives new ones the next free ids.

    Raises:
        InputError: an empty list, a name without letters or twice, or a JSON that holds a whole dataset: its masks
            refer to its categories.
        SaveError: the file cannot be written; it is unchanged.
    """
    names = [ListedName(normal_label(item.name), item.was) for item in names]
    check_names(names)
    old = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    if path.suffix.lower() == ".json" or old.lstrip()[:1] in ("{", "["):
        write_atomically(path, _as_json(path, old, names))
    else:
        kept = [line.strip() for line in old.splitlines() if line.strip() in NO_CATEGORY]
        lines = [*kept, *(item.name for item in names)]
        write_atomically(path, ("\n".join(lines) + "\n").encode("utf-8"))


def holds_a_dataset(path: Path) -> bool:
    """True for a JSON with masks or frames besides categories: its list cannot be changed by itself.

    Raises:
        InputError: no category file.
    """
    read_categories(path)
    try:
        members = JsonMembers.read(path)
    except NotJsonError:  # a text with a name a line
        return False
    return members is not None and any(key in members for key in _OF_A_DATASET)


def check_names(names: Sequence[ListedName]) -> None:
    """Make sure that a list of categories can be kept.

    Raises:
        InputError: an empty list, a name without letters or twice.
    """
    if not names:
        raise InputError("A list of categories needs at least one; add a category, or cancel.")
    known: set[str] = set()
    for item in names:
        if not item.name or item.name in NO_CATEGORY or "\n" in item.name:
            raise InputError(f"{item.name!r} names no category; give it another name or remove it.")
        if item.name in known:
            raise InputError(f"{item.name!r} is in the list twice; remove one.")
        known.add(item.name)


def _as_json(path: Path, old: str, names: Sequence[ListedName]) -> bytes:
    document: Any = orjson.loads(old) if old.strip() else {"categories": []}
    if isinstance(document, dict) and any(key in document for key in _OF_A_DATASET):
        raise InputError(
            f"{path} holds a dataset, whose masks refer to its categories; it was not changed. Save the list as a file "
            "of its own."
        )
    entries = document["categories"] if isinstance(document, dict) else document
    known = {normal_label(entry["name"]): entry for entry in entries}
    free = max((entry["id"] for entry in entries), default=0) + 1
    changed = []
    for item in names:
        entry = known.get(item.was) if item.was is not None else None
        if entry is None:
            entry = {"id": free, "name": item.name, "supercategory": DEFAULT_SUPERCATEGORY}
            free += 1
        changed.append({**entry, "name": item.name})
    whole = {**document, "categories": changed} if isinstance(document, dict) else changed
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2) + b"\n"
