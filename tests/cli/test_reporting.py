"""What is printed, what is written, which status follows: the same for all commands on datasets."""

import json
from pathlib import Path

import pytest

from sam_annotator.cli.reporting import run_reported
from sam_annotator.core.datasets.mask_export import ExportReport
from sam_annotator.core.errors import InputError


def report(problem: str = "") -> ExportReport:
    result = ExportReport(Path("masks"))
    if problem:
        result.lose("not-usable", problem)
    return result


@pytest.mark.parametrize(("problem", "status", "result"), [("", 0, "clean"), ("It rains.", 1, "findings")])
def test_a_report_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], problem: str, status: int, result: str
) -> None:
    assert run_reported(lambda: report(problem), tmp_path / "report.json") == status
    assert json.loads((tmp_path / "report.json").read_text())["result"] == result
    assert run_reported(lambda: report(problem), None) == status
    once = f"{report(problem)}\n"
    assert capsys.readouterr().out == once + once


def test_what_is_refused_is_written_and_raised(tmp_path: Path) -> None:
    def refuse() -> ExportReport:
        raise InputError("It rains.")

    with pytest.raises(InputError, match="It rains"):
        run_reported(refuse, tmp_path / "report.json")
    assert json.loads((tmp_path / "report.json").read_text())["result"] == "impossible"


def test_nothing_is_done_for_a_report_that_cannot_be_written(tmp_path: Path) -> None:
    done: list[ExportReport] = []
    with pytest.raises(InputError, match="is a folder"):
        run_reported(lambda: done.append(report()) or done[0], tmp_path)
    assert not done
