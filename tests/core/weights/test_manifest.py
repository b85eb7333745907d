"""Which checkpoints are known, and where they are looked for."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.weights import manifest
from sam_annotator.core.weights.manifest import (
    Checkpoint,
    choose_fetch_folder,
    describe_bytes,
    find_checkpoint,
    has_right_size,
    load_manifest,
    search_folders,
)
from tests.conftest import REPOSITORY

SMALL = Checkpoint(
    name="small",
    about="a small one",
    kind="sam",
    model_type="vit_b",
    file="small.pth",
    url="https://example.org/small.pth",
    sha256=None,
    bytes=5,
    licence="MIT",
    source="https://example.org",
)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without weights, whatever lies in the models/ of the one that is tested."""
    (tmp_path / "checkout/models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "models/checkpoints.json", tmp_path / "checkout/models")
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "checkout/sam_annotator")
    return tmp_path / "checkout"


def test_the_manifest_names_the_three_sams_and_stcn() -> None:
    checkpoints = load_manifest()
    assert [checkpoint.name for checkpoint in checkpoints] == ["sam_vit_b", "sam_vit_l", "sam_vit_h", "stcn"]
    assert [checkpoint.kind for checkpoint in checkpoints] == ["sam", "sam", "sam", "stcn"]
    assert [checkpoint.model_type for checkpoint in checkpoints] == ["vit_b", "vit_l", "vit_h", None]


@pytest.mark.parametrize("checkpoint", load_manifest(), ids=lambda checkpoint: checkpoint.name)
def test_the_facts_of_a_checkpoint_are_well_formed(checkpoint: Checkpoint) -> None:
    assert checkpoint.url.startswith("https://")
    assert checkpoint.source.startswith("https://github.com/")
    assert checkpoint.file.endswith(".pth")
    assert checkpoint.licence in {"Apache-2.0", "MIT"}
    if checkpoint.kind == "sam":
        assert checkpoint.url.endswith(f"/{checkpoint.file}")
        assert re.fullmatch(r"[0-9a-f]{64}", checkpoint.sha256 or "")
        assert checkpoint.bytes is not None


def test_the_table_in_the_readme_says_what_the_manifest_says() -> None:
    readme = (REPOSITORY / "models/README.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in readme.splitlines() if line[:1] == "|"]
    expected = [
        [
            checkpoint.name,
            checkpoint.about,
            f"[{checkpoint.file}]({checkpoint.url})",
            str(checkpoint.bytes or "not published"),
            checkpoint.sha256 or "not published",
            checkpoint.licence,
            f"<{checkpoint.source}>",
        ]
        for checkpoint in load_manifest()
    ]
    assert rows[0] == ["name", "what it is", "file", "bytes", "sha256", "licence", "source"]
    assert rows[2:] == expected


def test_git_never_takes_weights_in(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "models/.gitignore", tmp_path / ".gitignore")
    for name in ("a.pth", "b.pt", "c.pth.part", "README.md"):
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    status = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert status.split() == ["??", ".gitignore", "??", "README.md"]


def test_folders_are_searched_from_the_most_to_the_least_special(
    checkout: Path, tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAM_ANNOTATOR_MODELS", str(tmp_path / "variable"))
    folders = search_folders(tmp_path / "option")
    assert folders[:3] == [tmp_path / "option", tmp_path / "variable", checkout / "models"]
    assert len(folders) == 4
    assert folders[3].name == "models"
    if sys.platform == "linux":
        assert folders[3] == isolated_home / ".cache/sam_annotator/models"


def test_a_folder_that_is_named_twice_is_searched_once(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAM_ANNOTATOR_MODELS", str(checkout / "models"))
    assert search_folders(checkout / "models")[0] == checkout / "models"
    assert len(search_folders(checkout / "models")) == 2


def test_a_tilde_is_the_home_folder(checkout: Path, isolated_home: Path) -> None:
    assert search_folders(Path("~/weights"))[0] == isolated_home / "weights"


def test_an_installed_package_reads_its_own_manifest_and_leaves_its_neighbours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages/sam_annotator"
    (package / "_models").mkdir(parents=True)
    (tmp_path / "site-packages/models").mkdir()  # somebody else's
    shutil.copy(REPOSITORY / "models/checkpoints.json", package / "_models")
    monkeypatch.setattr(manifest, "_PACKAGE", package)
    assert len(load_manifest()) == 4
    assert not any("site-packages" in str(folder) for folder in search_folders())


def test_a_damaged_manifest_is_an_error_that_names_the_file(checkout: Path) -> None:
    path = checkout / "models/checkpoints.json"
    for text in ("{", "[]", '{"sam_vit_b": {}}', '{"sam_vit_b": 1}'):
        path.write_text(text)
        with pytest.raises(AnnotatorError, match=re.escape(str(path))):
            load_manifest()


def test_nothing_is_found_where_there_is_nothing(checkout: Path) -> None:
    assert all(find_checkpoint(checkpoint) is None for checkpoint in load_manifest())


def test_an_unfinished_download_and_a_folder_are_not_the_file(checkout: Path) -> None:
    (checkout / "models/small.pth.part").write_bytes(b"12345")
    (checkout / "models/small.pth").mkdir()
    assert find_checkpoint(SMALL) is None


def test_the_first_folder_that_holds_the_file_wins(checkout: Path, tmp_path: Path) -> None:
    for folder in (checkout / "models", tmp_path):
        (folder / "small.pth").write_bytes(b"12345")
    assert find_checkpoint(SMALL) == checkout / "models/small.pth"
    assert find_checkpoint(SMALL, tmp_path) == tmp_path / "small.pth"


def test_a_whole_file_is_preferred_to_one_that_was_cut_short(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "small.pth").write_bytes(b"123")
    assert find_checkpoint(SMALL, tmp_path) == tmp_path / "small.pth"
    assert not has_right_size(SMALL, tmp_path / "small.pth")
    (checkout / "models/small.pth").write_bytes(b"12345")
    assert find_checkpoint(SMALL, tmp_path) == checkout / "models/small.pth"


def test_any_size_is_right_where_none_was_published(tmp_path: Path) -> None:
    (tmp_path / "small.pth").write_bytes(b"123")
    assert has_right_size(Checkpoint(**{**asdict(SMALL), "bytes": None}), tmp_path / "small.pth")


@pytest.mark.parametrize(
    ("count", "text"),
    [(375042383, "375 MB"), (2564550879, "2.6 GB"), (1249524607, "1.2 GB"), (1500, "2 kB"), (12, "12 bytes")],
)
def test_sizes_are_said_as_download_pages_say_them(count: int, text: str) -> None:
    assert describe_bytes(count) == text


def test_an_unknown_size_is_said_to_be_unknown() -> None:
    assert load_manifest()[3].size == "?"


def test_a_page_of_google_drive_leads_to_the_file_itself() -> None:
    stcn = load_manifest()[3]
    assert stcn.download_url == (
        "https://drive.usercontent.google.com/download?id=1mRrE0uCI2ktdWlUgapJI_KmgeIiF2eOm&export=download&confirm=t"
    )
    assert SMALL.download_url == SMALL.url


def test_what_people_call_a_checkpoint() -> None:
    assert [checkpoint.title for checkpoint in load_manifest()] == [
        "Segment Anything vit_b", "Segment Anything vit_l", "Segment Anything vit_h", "STCN",
    ]  # fmt: skip


def test_checkpoints_are_fetched_into_the_first_folder_that_can_be_written(
    checkout: Path, tmp_path: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_fetch_folder() == checkout / "models"
    assert choose_fetch_folder(tmp_path / "mine") == tmp_path / "mine"
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != checkout / "models" and real(path, mode))
    assert choose_fetch_folder().is_relative_to(isolated_home)
    with pytest.raises(AnnotatorError, match="models cannot be written; choose a folder"):
        choose_fetch_folder(checkout / "models")
