"""The command line as a person meets it: commands, folders, errors, pipes."""

import subprocess
import sys
from pathlib import Path

import pytest

from sam_annotator import __version__
from sam_annotator.cli import main, window
from sam_annotator.cli.parser import COMMANDS, parse

PROGRAM = [sys.executable, "-m", "sam_annotator"]


def test_without_arguments_the_window_opens_on_nothing() -> None:
    options = parse([])
    assert options.run is window.run
    assert options.videos is None


def test_a_first_word_that_is_no_command_is_a_folder_for_the_window() -> None:
    options = parse(["/data/videos", "--output", "/data/annotations"])
    assert options.run is window.run
    assert (options.videos, options.output) == (Path("/data/videos"), Path("/data/annotations"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_named_like_a_command_is_opened_when_written_as_a_path(name: str) -> None:
    assert parse([f"./{name}"]).run is window.run
    assert parse([f"./{name}"]).videos == Path(name)
    with pytest.raises(SystemExit):  # the word alone is the command
        parse([name, "--help"])


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sam-annotator {__version__}\n"


def test_help_lists_every_command_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    output = capsys.readouterr().out
    assert end.value.code == 0
    assert all(f"\n  {name} " in output for name in COMMANDS)
    assert "examples:" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0
    assert COMMANDS[name].DESCRIPTION.splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--unknown"], ["convert", "--unknown"], ["propgate", "/data/videos"]])
def test_what_is_not_understood_ends_with_2_and_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("usage: sam-annotator")


@pytest.mark.parametrize("command", [[], ["convert", "--output", "dataset"], ["propagate"]])
def test_a_folder_that_is_not_there_is_one_sentence_and_2(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    missing = tmp_path / "nowhere"
    assert main([*command, str(missing)]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("sam-annotator: ")
    assert str(missing) in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["models"], ["--help"]])
def test_a_reader_that_goes_away_is_no_traceback(
    arguments: list[str], unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()  # long before the first line is written
    assert process.communicate()[1] == b""
    assert process.returncode in (0, 141)


def test_interrupting_is_said_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["models"], "run", interrupted)
    assert main(["models"]) == 130
    assert "interrupted" in capsys.readouterr().err
