"""`sam-annotator models list | fetch | verify`."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sam_annotator.cli import main
from sam_annotator.core.weights import manifest
from sam_annotator.core.weights.manifest import load_manifest
from sam_annotator.engine import engines
from sam_annotator.engine.stcn import load
from tests.conftest import REPOSITORY
from tests.engine.stcn.small import small_network
from tests.file_server import FileServer, serve

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


CONTENT = b"PK\3\4" + bytes(range(256)) * 4096
FOR_FETCHING = {"sam_vit_b": hashlib.sha256(CONTENT).hexdigest(), "stcn": None}


@pytest.fixture
def server(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server for what the manifest names: a small file with a published hash, and one without."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(CONTENT) as files:
        manifest_file = checkout / "models/checkpoints.json"
        facts: dict[str, dict[str, Any]] = json.loads(manifest_file.read_text())
        for name, digest in FOR_FETCHING.items():
            size = len(CONTENT) if digest else None
            facts[name] |= {"url": f"{files.url}/{facts[name]['file']}", "sha256": digest, "bytes": size}
        manifest_file.write_text(json.dumps(facts))
        yield files


@pytest.mark.parametrize("name", FOR_FETCHING)
def test_fetching_puts_the_file_where_it_is_found(
    server: FileServer, checkout: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["models", "fetch", name]) == 0
    (path,) = (checkout / "models").glob("*.pth")
    assert path.read_bytes() == CONTENT
    assert f"  {path} is there: " in capsys.readouterr().out
    assert main(["models", "list"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(f"{name} "))
    assert row.endswith(str(path))
    server.asked.clear()
    assert main(["models", "fetch", name]) == 0
    assert not server.asked


def test_several_are_fetched_into_the_folder_that_was_named(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert main(["models", "fetch", "sam_vit_b", "stcn", "--models", str(tmp_path / "mine")]) == 0
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [VIT_B, "stcn.pth"]


def test_a_file_that_lies_in_another_folder_is_not_fetched_again(
    server: FileServer, isolated_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = manifest.search_folders()[-1]
    folder.mkdir(parents=True)
    (folder / VIT_B).write_bytes(CONTENT)
    assert main(["models", "fetch", "sam_vit_b"]) == 0
    assert f"  {folder / VIT_B} is there: " in capsys.readouterr().out
    assert not server.asked


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (CONTENT[:-1] + b"?", 200, f"is not the published {VIT_B}"),
        (b"<html>Log in</html>", 200, "bytes instead of"),
        (CONTENT, 404, "answers 404"),
    ],
)
def test_what_cannot_be_fetched_is_a_sentence_and_leaves_no_file(
    server: FileServer, checkout: Path, capsys: pytest.CaptureFixture[str], content: bytes, status: int, words: str
) -> None:
    server.content, server.status = content, status
    assert main(["models", "fetch", "sam_vit_b"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("sam-annotator: ")
    assert words in error
    assert error.count("\n") == 1
    assert not list((checkout / "models").glob("*.pth*"))


def test_a_file_of_the_users_own_is_replaced_with_force_only(server: FileServer, checkout: Path) -> None:
    (checkout / "models" / VIT_B).write_bytes(b"mine")
    assert main(["models", "fetch", "sam_vit_b"]) == 2
    assert (checkout / "models" / VIT_B).read_bytes() == b"mine"
    assert main(["models", "fetch", "sam_vit_b", "--force"]) == 0
    assert (checkout / "models" / VIT_B).read_bytes() == CONTENT


@pytest.mark.parametrize("action", ["fetch", "verify"])
def test_a_name_that_is_not_known_says_which_are(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", action, "sam_vit_x"]) == 2
    assert "no checkpoint 'sam_vit_x'; choose among sam_vit_b, sam_vit_l, sam_vit_h, stcn" in capsys.readouterr().err


# A shell without job control starts what it puts into the background with interruptions ignored, and so its children.
_FETCH = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from pathlib import Path
from sam_annotator.core.weights import manifest
manifest._PACKAGE = Path(sys.argv[1]) / "sam_annotator"
from sam_annotator.cli import main
sys.exit(main(["models", "fetch", "sam_vit_b"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_fetch_that_is_interrupted_goes_on_the_next_time(server: FileServer, checkout: Path, how: int) -> None:
    server.holds_after = 300_000
    command = [sys.executable, "-c", _FETCH, str(checkout)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    part = checkout / "models" / f"{VIT_B}.part"
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        while not part.exists() or part.stat().st_size < 100_000:
            assert run.poll() is None
        run.send_signal(how)
        try:
            _out, error = run.communicate(timeout=10)
        except subprocess.TimeoutExpired:  # Python drops an interruption that comes while it clears up an object
            run.send_signal(how)
            _out, error = run.communicate(timeout=20)
    if how == signal.SIGINT:
        assert run.returncode == 130
        assert error == "sam-annotator: interrupted; what was done so far is kept.\n"
    assert not (checkout / "models" / VIT_B).exists()
    server.holds_after = None
    server.go_on.set()
    server.asked.clear()
    assert main(["models", "fetch", "sam_vit_b"]) == 0
    assert str(server.ranges[0]).startswith("bytes=")
    assert (checkout / "models" / VIT_B).read_bytes() == CONTENT
    assert not part.exists()


def test_verifying_tells_right_from_wrong_and_first_from_later(
    server: FileServer, checkout: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "check_stcn_weights", lambda *_: None)
    right, other = checkout / "models" / VIT_B, checkout / "models/stcn.pth"
    right.write_bytes(CONTENT)
    other.write_bytes(CONTENT)
    for expected in ("fits STCN; no hash is published; sha256 ", "fits STCN; no hash is published; unchanged "):
        assert main(["models", "verify"]) == 0
        output = capsys.readouterr().out
        assert f"sam_vit_b  {right}\n  ok: size and sha256 as published" in output
        assert f"stcn  {other}\n  {expected}" in output
    right.write_bytes(CONTENT[:-1] + b"?")
    other.write_bytes(b"another")
    assert main(["models", "verify"]) == 1
    output = capsys.readouterr().out
    assert f"{right}\n  wrong: sha256 " in output
    assert f"{other}\n  changed: sha256 " in output


def test_verifying_reads_a_file_of_which_no_hash_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stcn.pth"
    path.write_text("<!DOCTYPE html>")
    assert main(["models", "verify", "stcn", "--models", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert f"stcn  {path}\n  wrong: {path} cannot be read as a file of weights" in output
    monkeypatch.setattr(load, "StcnNetwork", small_network)
    torch.save(small_network().state_dict(), path)
    assert main(["models", "verify", "stcn", "--models", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert f"{path}\n  fits STCN; no hash is published; sha256 " in output  # what was wrong is not compared with
    broken = small_network().state_dict()
    broken["decoder.pred.bias"][:] = float("nan")
    torch.save(broken, path)
    assert main(["models", "verify", "stcn", "--models", str(tmp_path)]) == 1
    assert "is damaged: 1 of its weights are no numbers (such as decoder.pred.bias)" in capsys.readouterr().out


def test_verifying_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "verify"]) == 0
    assert "No checkpoint is there" in capsys.readouterr().out
    assert main(["models", "verify", "stcn"]) == 1
    assert "stcn  not found: `sam-annotator models fetch stcn`" in capsys.readouterr().out


def test_an_interrupted_download_is_listed_with_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _make_file(tmp_path / f"{VIT_B}.part", 10_000_000)
    assert main(["models", "list", "--models", str(tmp_path)]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sam_vit_b "))
    assert row.endswith(f"10 MB of 375 MB fetched; `sam-annotator models fetch sam_vit_b --models {tmp_path}` goes on")


def test_a_bad_copy_is_fetched_again_where_it_lies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "my models").mkdir()
    _make_file(tmp_path / "my models" / VIT_B, 5)
    assert main(["models", "verify", "--models", str(tmp_path / "my models")]) == 1
    assert f"models fetch sam_vit_b --force --models '{tmp_path}/my models'`" in capsys.readouterr().out
