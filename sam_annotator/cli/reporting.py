"""How commands that make or take datasets end: what is printed, what is written of it, which exit status follows."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_annotator.core.datasets.convert_report import Report


def run_reported(work: "Callable[[], Report]", file: Path | None, taken: Iterable[Path | None] = ()) -> int:
    """Do the work, print its report, and write all of it to `file`, also where the work is refused.

    Args:
        taken: what the work reads or writes, where that is known; `file` must be none of it.

    Returns:
        The exit status: 0, or 1 if something was left out or changed.

    Raises:
        InputError: the work is refused; or `file` could not be written, which is told before the work, unless the work
            itself has put something there.
    """
    from sam_annotator.core.datasets.report_file import check_report, write_report
    from sam_annotator.core.errors import InputError

    known = [path for path in taken if path is not None]
    if file is not None:
        check_report(file, known)
    try:
        report = work()
    except InputError as error:
        if file is not None:
            write_report(file, error)
        raise
    print(report)
    if file is not None:
        check_report(file, known)
        write_report(file, report)
    return 0 if report.is_clean else 1
