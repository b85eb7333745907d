"""`sam-annotator propagate` with several processes, on a cluster, over parts of videos, after corrections."""

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sam_annotator.cli import main
from sam_annotator.core import parallel
from sam_annotator.core.annotation import PROPAGATED, read_annotation, write_annotation
from sam_annotator.core.run_journal import sole_run, take_back_last_run
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.engine import engines
from sam_annotator.engine.batch import VideoResult, VideoTask, fill_steps
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagation import FrameDone
from tests.cli.test_propagate import FRAMES, all_files, annotate, make_video, propagate, written
from tests.core.conftest import cluster  # noqa: F401  a fixture


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three videos with key frames, one without."""
    root = tmp_path / "videos"
    for name, index in (("a", 0), ("b", 2), ("c", 1)):
        make_video(root / name)
        annotate(root, name, index)
    make_video(root / "d")
    return root


def doubt(root: Path, name: str, index: int, score: float) -> None:
    """A mask of an earlier propagation, with a score of our choice."""
    path = root / name / f"{index:05}.json"
    document = json.loads(path.read_bytes())
    document["shapes"][0]["score"] = score
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_files_and_report_are_the_same_for_any_number_of_processes(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest, where: str
) -> None:
    for name in "abc":
        propagate(root / name)
        doubt(root, name, 3, 0.1 * ord(name) - 9.5)
        (root / name / "00004.json").unlink()
    (root / "b" / "00004.json").write_text("{")
    other = Path(shutil.copytree(root, tmp_path / "other"))
    capsys.readouterr()
    assert propagate(root) == 1
    alone = capsys.readouterr().out
    if where == "cluster":
        scheduler: Any = request.getfixturevalue("cluster")
        assert propagate(other, "--scheduler", scheduler.scheduler_address) == 1
    else:
        assert propagate(other, "--jobs", "2") == 1
    assert capsys.readouterr().out == alone.replace(str(root), str(other))
    assert all_files(other) == all_files(root)
    assert "Doubtful, score below 0.7 (score, video, frame, object):\n  0.20  a  00003.png  ball 1\n" in alone
    assert alone.count("ball 1") == 3
    assert "00004.json is not valid JSON" in alone


def test_a_video_that_another_process_is_at_is_left_out_and_said(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = find_videos(root)[1]
    with sole_run(video, AnnotationStore()):
        assert propagate(root) == 1
    assert "b: Another propagation or import is at work on b" in capsys.readouterr().out
    assert [name for name in written(root) if name.startswith("b")] == ["b/00002"]
    assert propagate(root) == 0
    assert "b/00004" in written(root)


def test_two_commands_at_once_on_one_tree_leave_the_files_of_one(root: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(root, tmp_path / "other"))
    command = [sys.executable, "-m", "sam_annotator", "propagate", str(other), "--propagator", "embedded"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) for _ in "12"
    ]
    assert {process.wait(120) for process in both} <= {0, 1}
    assert propagate(other) == 0
    assert propagate(root) == 0
    assert all_files(other) == all_files(root)


def refuse_the_journal(root: Path) -> str:
    """A file where the hidden folder would be made."""
    (root / "a" / ".sam_annotator").write_text("in the way")
    return "could not be made"


def refuse_a_frame(root: Path) -> str:
    """A folder where a frame's file would be written."""
    (root / "a" / "00003.json").mkdir()
    return "00003.json"


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("refuse", [refuse_the_journal, refuse_a_frame])
def test_a_video_that_cannot_be_written_is_said_and_the_others_are_done(
    root: Path, capsys: pytest.CaptureFixture[str], refuse: Callable[[Path], str], jobs: str
) -> None:
    sentence = refuse(root)
    assert propagate(root, "--jobs", jobs) == 1
    out = capsys.readouterr().out
    assert "  a: " in out
    assert sentence in out
    assert all((root / name / "00004.json").is_file() for name in "bc")


def test_a_video_that_takes_too_much_memory_is_said_and_the_others_are_done(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Greedy(EmbeddedPropagator):
        def step(self, index, image, given, wanted):  # type: ignore[no-untyped-def]
            if index == 1 and self.greedy:
                self.greedy = False
                raise MemoryError
            return super().step(index, image, given, wanted)

        greedy = True

    monkeypatch.setattr(engines, "make_propagator", lambda *_: Greedy())
    assert propagate(root) == 1
    assert "a: There was not enough memory" in capsys.readouterr().out
    assert {"b/00004", "c/00004"} <= set(written(root))


def test_an_interruption_counts_what_other_processes_had_written(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(function: Callable[[VideoTask], Any], tasks: list[VideoTask], *_where: Any) -> Iterator[Any]:
        yield function(tasks[0])
        with closing(fill_steps(tasks[1], VideoResult("b"))) as steps:
            next(step for step in steps if isinstance(step, FrameDone) and step.index == 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "in_order", interrupted)
    assert propagate(root, "--jobs", "2") == 130
    assert "5 frames computed" in capsys.readouterr().out  # all four of a, one of b
    assert {"a/00004", "b/00003"} <= set(written(root))
    assert "c/00002" not in written(root)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_damaged_stcn_is_named_once_and_the_embedded_propagator_does_it(
    root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: bool,
) -> None:
    bad = tmp_path / "models" / "stcn.pth"
    bad.parent.mkdir()
    bad.write_bytes(b"<!DOCTYPE html>")
    options = [str(root), "--models", str(bad.parent), "--device", "cpu"]
    if elsewhere:  # each process says so
        monkeypatch.setattr(parallel, "in_order", lambda work, tasks, *_: (work(task) for task in tasks))
        options += ["--jobs", "2"]
    assert main(["propagate", *options]) == 0
    captured = capsys.readouterr()
    assert "3 videos, 3 objects, 9 frames computed." in captured.out
    (line,) = (line for line in captured.err.splitlines() if "stcn.pth" in line)
    assert line.startswith(f"{bad} cannot be read as a file of weights")
    assert line.endswith("The embedded propagator is at work, which needs no weights; STCN is more exact.")
    assert main(["propagate", *options, "--force", "--propagator", "stcn"]) == 2
    assert f"sam-annotator: {bad} cannot be read" in capsys.readouterr().err


def test_a_full_disk_ends_it_all(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert propagate(root) == 2
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "frames"),
    [
        (["--direction", "backward"], [0, 1, 2, 3]),
        (["--direction", "between"], [1, 2, 3]),
        (["--direction", "both", "--last", "4"], [0, 1, 2, 3]),
        (["--first", "3", "--last", "4"], [1, 2, 3]),
        (["--last", "99"], [1, 2, 3, 4]),
        (["--first", "5"], [1, 3, 4]),
        (["--direction", "backward", "--last", "1"], [0, 1, 3]),
    ],
)
def test_parts_of_a_video_are_filled_and_only_what_is_written_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], frames: list[int]
) -> None:
    make_video(tmp_path / "a")
    annotate(tmp_path, "a", 1)
    annotate(tmp_path, "a", 3)
    assert propagate(tmp_path, *options) == 0
    assert written(tmp_path) == [f"a/{index:05}" for index in frames]
    number = len(frames) - 2
    captured = capsys.readouterr()
    assert f"1 video, 1 object, {number} frame{'s' * (number != 1)} computed." in captured.out
    assert f"{number}/{number}" in captured.err or number == 0


def test_corrections_are_carried_on_once_and_the_command_is_one_step_to_take_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video(tmp_path / "a")
    annotate(tmp_path, "a", 0)
    propagate(tmp_path)
    annotate(tmp_path, "a", 3)
    path = tmp_path / "a" / "00002.json"
    spoil = replace(annotation := read_annotation(path), shapes=[replace(annotation.shapes[0], extra={"spoiled": 1})])
    write_annotation(path, spoil)
    (tmp_path / "a" / "00004.json").unlink()
    before = all_files(tmp_path)
    capsys.readouterr()
    assert propagate(tmp_path, "--repair", "--agreeing", "2") == 0
    out = capsys.readouterr().out
    assert "a: Repaired frames 2 to 4" in out
    assert b"spoiled" not in path.read_bytes()
    assert all_files(tmp_path)["a/00003.json"] == before["a/00003.json"]
    assert (tmp_path / "a" / "00004.json").exists(), "what is missing is filled, too"
    assert [shape.source for shape in read_annotation(path).shapes] == [PROPAGATED]
    assert propagate(tmp_path, "--repair") == 0
    assert "Repaired" not in capsys.readouterr().out
    video = find_videos(tmp_path / "a")[0]
    list(take_back_last_run(video, AnnotationStore()))
    assert all_files(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--device", "gpu"], "There is no device 'gpu'"),
        (["--jobs", "0"], "--jobs 0 is no number of processes"),
        (["--first", "0"], "counted from 1"),
        (["--first", "5", "--last", "4"], "--last is not before --first"),
        (["--agreement", "1.5"], "--agreement is an overlap"),
        (["--scheduler", "nonsense"], "No Dask scheduler answers at 'nonsense'"),
    ],
)
def test_options_that_make_no_sense_are_one_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert propagate(root, *options) == 2
    captured = capsys.readouterr()
    assert sentence in captured.err
    assert len(written(root)) == 3


def test_options_are_looked_at_before_any_annotation(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["propagate", str(root), "--propagator", "magic"]) == 2
    assert "reading" not in capsys.readouterr().err


def test_a_propagation_needs_no_segmenter(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        propagate(root, "--sam", "embedded")
    assert "unrecognized arguments: --sam" in capsys.readouterr().err
    assert FRAMES
