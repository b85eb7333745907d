"""A file that renames labels on their way into a dataset; the annotations stay as they are."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.categories import normal_label
from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.errors import InputError

_ARROW: Final = "->"
_LISTED: Final = 3


def read_renames(path: Path) -> dict[str, str]:
    """Read which label becomes which.

    Two kinds are taken: JSON {"old": "new", ...}, and a text with `old -> new` a line. A label is renamed once: what
    another line makes of the new name does not matter. Case matters, white space around a label does not.

    Raises:
        InputError: cannot be read, a label twice, an empty name.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"The map of labels {path} cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The map of labels {path} is not UTF-8 text; save it as UTF-8.") from error
    is_json = path.suffix.lower() == ".json" or text.lstrip()[:1] == "{"
    renames: dict[str, str] = {}
    for old, new in _from_json(path, text) if is_json else _from_lines(path, text):
        source, target = normal_label(old), normal_label(new)
        if not source or not target:
            raise InputError(f"The map of labels {path} renames {old!r} to {new!r}; both need a name.")
        if renames.get(source, target) != target:
            raise InputError(f"The map of labels {path} renames {source!r} to {renames[source]!r} and to {target!r}.")
        renames[source] = target
    if not renames:
        raise InputError(f"The map of labels {path} renames nothing.")
    return renames


def unused_renames(renames: Mapping[str, str], labels: Iterable[str]) -> list[str]:
    """The labels that the map names and that occur nowhere: often a slip of the pen."""
    occurring = set(labels)
    return sorted(label for label in renames if label not in occurring)


def note_unused(renames: Mapping[str, str], labels: Iterable[str], path: Path | None) -> Iterator[Finding]:
    """What to tell people of them, if there are any; `path`: the map."""
    unused = unused_renames(renames, labels)
    if unused:
        verb = "occurs" if len(unused) == 1 else "occur"
        listed = ", ".join(map(repr, unused[:_LISTED]))
        more = f" and {len(unused) - _LISTED} more" if len(unused) > _LISTED else ""
        text = f"{len(unused)} of the renamed labels {verb} nowhere: {listed}{more}."
        yield Finding("note", "rename-unused", text, file=str(path), count=len(unused))


def _from_json(path: Path, text: str) -> list[tuple[str, str]]:
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The map of labels {path} is not valid JSON ({error}).") from error
    if not isinstance(document, dict) or not all(isinstance(new, str) for new in document.values()):
        raise InputError(f'The map of labels {path} is no object of names, like {{"old": "new"}}.')
    return list(document.items())


def _from_lines(path: Path, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        old, arrow, new = line.partition(_ARROW)
        if not arrow:
            raise InputError(f"Line {number} of the map of labels {path} is no 'old -> new'.")
        yield old, new
