"""`sam-annotator demo`: its arguments, its exit status. What it does in the window: tests/gui/test_demo.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sam_annotator.cli import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], list[tuple[object, ...]]]:
    """`asked(quality)` puts a demonstration of that quality in the place of the real one; returns how it is called."""

    def replace(quality: float) -> list[tuple[object, ...]]:
        calls: list[tuple[object, ...]] = []

        def run_demo(*arguments: object) -> float:
            calls.append(arguments)
            return quality

        monkeypatch.setattr("sam_annotator.gui.demo.run_demo", run_demo)
        return calls

    return replace


def test_a_folder_that_holds_something_else_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work", encoding="utf-8")
    assert main(["demo", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert (
        said == f"sam-annotator: {tmp_path} holds something else; name a new or empty folder for the demonstration.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_folder_samples_and_engines_are_passed_on_and_the_results_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: Callable[[float], list[tuple[object, ...]]]
) -> None:
    calls = asked(0.95)
    assert main(["demo", str(tmp_path / "out"), "--samples", str(tmp_path / "s"), "--sam", "embedded"]) == 0
    folder, samples, _report, engines = calls[0]
    assert (folder, samples) == (tmp_path / "out", tmp_path / "s")
    assert engines["segmenter"] == "embedded"
    said = capsys.readouterr().out
    for part in ("pictures", "annotations", "dataset", "summary.txt"):
        assert str(tmp_path / "out" / part) in said


def test_masks_that_are_not_good_enough_are_a_finding(asked: Callable[[float], list[tuple[object, ...]]]) -> None:
    asked(0.5)
    assert main(["demo", "out"]) == 1


def test_help_says_that_no_display_weights_or_network_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--help"])
    assert stopped.value.code == 0
    assert "Needs no display, no weights and no network" in capsys.readouterr().out
