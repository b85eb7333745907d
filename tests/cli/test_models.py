"""`sam-annotator models list`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sam_annotator.cli import main
from sam_annotator.core import manifest
from sam_annotator.core.manifest import load_manifest
from tests.conftest import REPOSITORY

VIT_B = "sam_vit_b_01ec64.pth"


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without weights, whatever lies in the models/ of the one that is tested."""
    (tmp_path / "checkout/models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "models/checkpoints.json", tmp_path / "checkout/models")
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "checkout/sam_annotator")
    return tmp_path / "checkout"


def _make_file(path: Path, size: int) -> None:
    with open(path, "wb") as stream:
        stream.truncate(size)  # sparse: takes no space on the disk


def test_every_checkpoint_is_listed_with_where_to_get_it(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    output = capsys.readouterr().out
    for checkpoint in load_manifest():
        row = next(line for line in output.splitlines() if line.startswith(f"{checkpoint.name} "))
        assert row.endswith("not found")
        assert checkpoint.licence in row
        assert checkpoint.size in row
        assert f"{checkpoint.file} from {checkpoint.url}" in output
    assert f"\n  {checkout / 'models'}\n" in output


def test_models_alone_lists(capsys: pytest.CaptureFixture[str]) -> None:
    main(["models", "list"])
    listed = capsys.readouterr().out
    assert main(["models"]) == 0
    assert capsys.readouterr().out == listed


@pytest.mark.parametrize("before", [True, False])
def test_a_found_checkpoint_is_shown_with_its_path(
    before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_file(tmp_path / VIT_B, 375042383)
    option = ["--models", str(tmp_path)]
    assert main(["models", *option, "list"] if before else ["models", "list", *option]) == 0
    output = capsys.readouterr().out
    assert next(line for line in output.splitlines() if line.startswith("sam_vit_b ")).endswith(str(tmp_path / VIT_B))
    assert f"{VIT_B} from" not in output


def test_a_file_that_was_cut_short_is_shown_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / VIT_B).write_bytes(b"short")
    assert main(["models", "list", "--models", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert f"wrong size: {tmp_path / VIT_B} has 5 bytes instead of 375,042,383" in output
    assert f"{VIT_B} from" in output


def test_an_unfinished_download_is_not_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _make_file(tmp_path / f"{VIT_B}.part", 375042383)
    main(["models", "list", "--models", str(tmp_path)])
    assert f"{VIT_B}.part" not in capsys.readouterr().out


def test_a_folder_that_does_not_exist_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--models", str(tmp_path / "no such")]) == 2
    assert str(tmp_path / "no such") in capsys.readouterr().err


def test_listing_loads_no_model_code_and_no_window() -> None:
    script = (
        "import sys; from sam_annotator.cli import main; main(['models', 'list']); "
        "print(sorted({'torch', 'cv2', 'numpy', 'PyQt5', 'labelme'} & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert result.stderr.strip() == "[]"
