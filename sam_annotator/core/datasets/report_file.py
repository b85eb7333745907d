"""The report of work on datasets as a file: all that came up, as JSON or as text."""

import errno
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from sam_annotator.core.datasets.convert_report import KINDS, ConversionError, Finding, Report
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.remedies import COMMAND_LINE, Words


def check_report(path: Path) -> None:
    """Make sure, before any work, that a report can be written to `path`; what stands there is not touched.

    Raises:
        InputError: it cannot.
    """
    target = Path(os.path.realpath(path))
    standing = next(folder for folder in target.parents if os.path.lexists(folder))
    if target.is_dir() or not standing.is_dir():
        place = f"{path} is a folder" if target.is_dir() else f"{standing} is a file"
        raise InputError(f"{place}; name a file for the report (--report FILE).")
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "the file is read-only")
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        raise InputError(
            f"The report {path} cannot be written ({error.strerror}); name another file (--report FILE)."
        ) from error


def write_report(path: Path, outcome: Report | InputError, words: Words = COMMAND_LINE) -> None:
    """Write all that a conversion (an import, an export) found to `path`: as JSON if it ends in `.json`, else as text.

    The same conversion gives the same bytes.

    Raises:
        SaveError: it cannot be written.
    """
    document = report_document(outcome, words)
    if path.suffix.lower() == ".json":
        data = orjson.dumps(document, option=orjson.OPT_INDENT_2)
    else:
        data = "\n".join(_report_lines(outcome, document["findings"], words)).encode("utf-8", "surrogateescape")
    write_atomically(path, data + b"\n")


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
