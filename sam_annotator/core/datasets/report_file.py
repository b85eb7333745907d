"""The report of work on datasets as a file: all that came up, as JSON or as text."""

import errno
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from sam_annotator.core.datasets.convert_report import KINDS, ConversionError, Finding, Report
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import sayable, write_atomically
from sam_annotator.core.remedies import COMMAND_LINE, Words

_TEXT_MARK: Final = b"sam_annotator report\n"
_JSON_MARK: Final = b'{\n  "made_by": "sam_annotator"'
"""How what is written here begins, by which it is known when it is written anew."""


def is_report(path: Path) -> bool:
    """True for a report that was written here, and for a file that is empty.

    Raises OSError if it cannot be read.
    """
    with path.open("rb") as stream:
        head = stream.read(64)
    return not head or head.startswith((_TEXT_MARK, _JSON_MARK))


def check_report(
    path: Path,
    taken: Iterable[Path] = (),
    option: str = "--report FILE",
    is_ours: Callable[[Path], bool] = is_report,
) -> None:
    """Make sure, before any work, that a report can be written to `path`; what stands there is not touched.

    Args:
        taken: what the same command reads or writes.
        option: how the command line names the report.
        is_ours: whether a file is such a report, that may be written over.

    Raises:
        InputError: it cannot, or something would be lost.
    """
    target = Path(os.path.realpath(path))
    standing = next(folder for folder in target.parents if os.path.lexists(folder))
    if target.is_dir() or not standing.is_dir():
        place = f"{path} is a folder" if target.is_dir() else f"{standing} is a file"
        raise InputError(f"{place}; name a file for the report ({option}).")
    if any(_is_same(target, other) for other in taken):
        raise InputError(f"{path} is read or written by the same command; name another file ({option}).")
    try:
        if target.exists() and not is_ours(target):
            raise InputError(
                f"{path} is there already, and is no report that could be written over; name another file ({option})."
            )
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "the file is read-only")
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        raise InputError(
            f"The report {path} cannot be written ({error.strerror}); name another file ({option})."
        ) from error


def _is_same(target: Path, other: Path) -> bool:
    with suppress(OSError):  # also under another name, as a hard link
        return os.path.samefile(target, other)
    return os.path.realpath(other) == str(target)


def write_report(path: Path, outcome: Report | InputError, words: Words = COMMAND_LINE) -> None:
    """Write all that a conversion (an import, an export) found to `path`: as JSON if it ends in `.json`, else as text.

    The same conversion gives the same bytes.

    Raises:
        SaveError: it cannot be written.
    """
    document = report_document(outcome, words)
    if path.suffix.lower() == ".json":
        data = encode_report(document)
    else:
        text = "\n".join(_report_lines(outcome, document["findings"], words))
        data = _TEXT_MARK + sayable(text).encode() + b"\n"
    write_atomically(path, data)


def encode_report(document: Mapping[str, Any]) -> bytes:
    """A report as JSON, known as ours by its first key; names of files that are not UTF-8 are escaped."""
    return orjson.dumps(_sayable({"made_by": "sam_annotator", **document}), option=orjson.OPT_INDENT_2) + b"\n"


def _sayable(value: Any) -> Any:
    """The same with all texts such that JSON can say them."""
    if isinstance(value, str):
        return sayable(value)
    if isinstance(value, Mapping):
        return {_sayable(key): _sayable(one) for key, one in value.items()}
    return [_sayable(one) for one in value] if isinstance(value, list | tuple) else value


def report_document(outcome: Report | InputError, words: Words = COMMAND_LINE) -> dict[str, Any]:
    """The validation report as JSON says it: `result` is `clean`, `findings` or `impossible`."""
    findings: Sequence[Finding]
    if isinstance(outcome, InputError):
        result, paths, counts = "impossible", [], {}
        findings = outcome.findings if isinstance(outcome, ConversionError) else ()
        findings = findings or (Finding("error", "cannot-run", outcome.told(words)),)
    else:
        result = "clean" if outcome.is_clean else "findings"
        paths = [str(path) for path in outcome.written]
        findings, counts = outcome.findings, outcome.counts()
    by_reason = Counter[str]()
    for finding in findings:
        by_reason[f"{finding.kind}: {finding.reason}"] += finding.count
    return {
        "result": result,
        "written": paths,
        "counts": counts,
        "reasons": dict(sorted(by_reason.items())),
        "findings": [finding.to_document(words) for finding in findings],
    }


def _report_lines(outcome: Report | InputError, findings: Sequence[Mapping[str, Any]], words: Words) -> Iterator[str]:
    yield "Nothing was written." if isinstance(outcome, InputError) else outcome.told(words)
    for kind, heading in KINDS.items():
        found = [finding for finding in findings if finding["kind"] == kind]
        if found:
            yield f"\n{heading}: {len(found)}"
            yield from (f"  [{finding['reason']}] {finding['text']}" for finding in found)
    if not findings:
        yield "\nNothing was found."
