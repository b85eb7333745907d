"""A report never takes the place of something else."""

import shutil
from pathlib import Path

import pytest

from sam_annotator.cli import main
from tests.small_dataset import blob, document, write_frames, write_json


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`videos` with `lake` and `pond`, their annotations in `ann`, the dataset they come from in `train.json`."""
    for name in ("lake", "pond"):
        write_frames(tmp_path / "videos", name, 2)
    content = document({name: (2, [(3, [blob(1, 1), None])]) for name in ("lake", "pond")})
    write_json(tmp_path / "train.json", content)
    assert main(["import", f"{tmp_path}/train.json", f"--videos={tmp_path}/videos", f"--output={tmp_path}/ann"]) == 0
    (tmp_path / "map.txt").write_text("dog -> hound\n")
    (tmp_path / "names.txt").write_text("hound\ndog\nred_panda\n")
    return tmp_path


def run(folder: Path, command: str, *more: str) -> int:
    return main([command, *(part.format(folder) for part in more)])


CONVERT = ("{}/ann", "--videos={}/videos", "--output={}/new", "--categories={}/names.txt")
RATIO = "--split-ratio=train=0.5,val=0.5"


@pytest.mark.parametrize(
    ("command", "options", "report"),
    [
        ("convert", CONVERT, "names.txt"),
        ("convert", (*CONVERT, "--map={}/map.txt"), "map.txt"),
        ("convert", CONVERT, "ann/lake/00000.json"),
        ("convert", CONVERT, "videos/lake/00000.png"),
        ("convert", (*CONVERT, RATIO), "new/Annotations/val_instances.json"),
        ("import", ("{}/train.json", "--videos={}/videos", "--output={}/other"), "train.json"),
        ("export-masks", ("{}/train.json", "--output={}/coco.json"), "train.json"),
        ("export-masks", ("{}/train.json", "--output={}/coco.json"), "coco.json"),
        ("export-masks", ("{}/train.json", "--output={}/png"), "png/meta.json"),
    ],
)
def test_what_a_command_reads_or_writes_is_no_place_for_its_report(
    folder: Path, command: str, options: tuple[str, ...], report: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / report
    before = path.read_bytes() if path.exists() else None
    assert run(folder, command, *options, f"--report={path}") == 2
    assert "name another file (--report FILE)" in capsys.readouterr().err
    assert (path.read_bytes() if path.exists() else None) == before
    assert not (folder / "new").exists()


def test_what_the_command_itself_has_put_there_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "ann/lake/00000.json"
    path.unlink()
    import_all = ("{}/train.json", "--videos={}/videos", "--output={}/ann")
    assert run(folder, "import", *import_all, f"--report={path}") == 2
    captured = capsys.readouterr()
    assert "Imported:" in captured.out
    assert "is no report" in captured.err
    assert b'"imagePath"' in path.read_bytes()


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_statistics_are_no_different(folder: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    taken = folder / "holiday.png"
    shutil.copy(folder / "videos/lake/00000.png", taken)
    before = taken.read_bytes()
    assert run(folder, "stats", "{}/train.json", f"{option}={taken}") == 2
    assert f"name another file ({option} FILE)" in capsys.readouterr().err
    assert taken.read_bytes() == before
    linked = folder / "same.svg"
    linked.hardlink_to(folder / "train.json")
    assert run(folder, "stats", "{}/train.json", f"{option}={linked}") == 2
    assert "read or written by the same command" in capsys.readouterr().err


def test_numbers_and_picture_are_two_files(folder: Path) -> None:
    assert run(folder, "stats", "{}/train.json", "--json={}/a.png", "--plot={}/a.png") == 2
    assert not (folder / "a.png").exists()


@pytest.mark.parametrize("suffix", ["json", "txt"])
def test_a_report_is_written_over_by_the_next(folder: Path, suffix: str) -> None:
    (folder / f"report.{suffix}").touch()  # an empty file holds nothing that could be lost
    for _ in range(2):
        assert run(folder, "convert", *CONVERT, "--dry-run", f"--report={folder}/report.{suffix}") == 0


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf", "jpg"])
def test_statistics_are_drawn_anew(folder: Path, suffix: str) -> None:
    for _ in range(2):
        options = (f"--plot={folder}/plot.{suffix}", f"--json={folder}/stats.json")
        assert run(folder, "stats", "{}/train.json", *options) == 0
