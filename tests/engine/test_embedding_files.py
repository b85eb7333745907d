"""Embeddings as files: whole or not there, within a budget, and as good as what was computed."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.core.errors import SaveError
from sam_annotator.engine import embedding_files
from sam_annotator.engine.embedding_files import (
    DEFAULT_BUDGET,
    EmbeddingFiles,
    default_folder,
    digest_of,
    read_budget,
    write_budget,
)
from sam_annotator.engine.segmenter import Embedding

DIGESTS = [digest_of(bytes([number])) for number in range(20)]


def embedding(number: int = 0, size: int = 1000) -> Embedding:
    rng = np.random.default_rng(number)
    arrays = {"features": rng.normal(0, 3, (2, size // 2)).astype(np.float32), "labels": rng.integers(0, 9, (3, 4))}
    return Embedding((48 + number, 64), arrays)


def all_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def set_age(files: EmbeddingFiles, digest: str, seconds: int) -> None:
    path = files._path(digest)
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


@pytest.fixture
def files(tmp_path: Path) -> EmbeddingFiles:
    return EmbeddingFiles(tmp_path / "embeddings", "sam-1-abc")


def test_an_embedding_comes_back_with_floats_to_three_digits_and_integers_exactly(files: EmbeddingFiles) -> None:
    kept = embedding()
    assert files.write(DIGESTS[0], kept)
    found = files.read(DIGESTS[0])
    assert found is not None
    assert found.image_size == kept.image_size
    assert list(found.arrays) == ["features", "labels"]
    assert found.arrays["features"].dtype == np.float32
    assert np.allclose(found.arrays["features"], kept.arrays["features"], rtol=1e-3, atol=1e-6)
    assert np.array_equal(found.arrays["labels"], kept.arrays["labels"])


def test_a_float_takes_two_bytes(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], Embedding((4, 5), {"features": np.zeros((256, 64, 64), np.float32)}))
    (path,) = all_files(files.folder)
    assert path.stat().st_size == pytest.approx(256 * 64 * 64 * 2, abs=200)
    assert files.size_of_one() == path.stat().st_size
    assert EmbeddingFiles(files.folder, "sam-1-other").size_of_one() is None


def test_images_and_segmenters_are_kept_apart(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding(0))
    assert files.read(DIGESTS[1]) is None
    assert EmbeddingFiles(files.folder, "sam-1-other").read(DIGESTS[0]) is None


def test_reading_makes_no_folder(files: EmbeddingFiles) -> None:
    assert files.read(DIGESTS[0]) is None
    assert not files.folder.exists()


def test_another_process_finds_what_was_written(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding())
    assert EmbeddingFiles(files.folder, "sam-1-abc").read(DIGESTS[0]) is not None


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), cut=st.booleans())
def test_a_file_damaged_anywhere_is_not_read_and_is_replaced(
    tmp_path_factory: pytest.TempPathFactory, place: float, bit: int, cut: bool
) -> None:
    files = EmbeddingFiles(tmp_path_factory.mktemp("kept"), "sam-1-abc")
    files.write(DIGESTS[0], embedding(size=40))
    (path,) = all_files(files.folder)
    data = bytearray(path.read_bytes())
    at = int(place * len(data))
    if cut:
        data = data[:at]
    else:
        data[at] ^= 1 << bit
    path.write_bytes(data)
    assert files.read(DIGESTS[0]) is None
    assert files.write(DIGESTS[0], embedding(size=40))
    assert files.read(DIGESTS[0]) is not None


def test_what_is_no_file_is_not_read(files: EmbeddingFiles) -> None:
    files._path(DIGESTS[0]).mkdir(parents=True)
    assert files.read(DIGESTS[0]) is None


def test_numbers_too_large_for_half_precision_are_not_kept_rather_than_lost(files: EmbeddingFiles) -> None:
    assert not files.write(DIGESTS[0], Embedding((4, 5), {"features": np.full((2, 2), 1e6, np.float32)}))
    assert files.read(DIGESTS[0]) is None


def test_a_write_that_is_killed_leaves_no_file_that_is_read(
    files: EmbeddingFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sam_annotator.core.files.os.replace", fail)
        with pytest.raises(KeyboardInterrupt):
            files.write(DIGESTS[0], embedding())
    assert files.read(DIGESTS[0]) is None
    assert all_files(files.folder) == []


def test_what_a_killed_process_left_is_swept_away_after_an_hour(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding())
    own = files._path(DIGESTS[0]).parent
    old, young = own / ".x.old.part", own / ".x.young.part"
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (1, 1))
    EmbeddingFiles(files.folder, "sam-1-abc").write(DIGESTS[1], embedding())
    assert not old.exists()
    assert young.exists()


def test_what_was_not_used_for_the_longest_time_goes_first(files: EmbeddingFiles) -> None:
    for number in range(4):
        files.write(DIGESTS[number], embedding(number))
        set_age(files, DIGESTS[number], 100 - number)
    assert files.read(DIGESTS[0]) is not None  # used now: the oldest but one is the oldest
    one = files._path(DIGESTS[0]).stat().st_size
    again = EmbeddingFiles(files.folder, "sam-1-other")
    again.budget = 4 * one
    assert again.write(DIGESTS[5], embedding(5))
    assert [files._path(DIGESTS[number]).exists() for number in range(4)] == [True, False, True, True]
    assert again.read(DIGESTS[5]) is not None


def test_the_budget_holds_however_many_are_written(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding())
    one = files._path(DIGESTS[0]).stat().st_size
    files.budget = 3 * one + 1
    for number in range(1, 20):
        assert files.write(DIGESTS[number], embedding(number))
        assert sum(path.stat().st_size for path in all_files(files.folder)) <= files.budget
    assert files.read(DIGESTS[19]) is not None


def test_writing_the_same_again_counts_once(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding())
    one = files._path(DIGESTS[0]).stat().st_size
    files.budget = 2 * one + 1
    files.write(DIGESTS[1], embedding())
    for _ in range(5):
        files.write(DIGESTS[1], embedding())
    assert files.read(DIGESTS[0]) is not None


def test_what_can_never_fit_is_not_written_and_drives_nothing_out(files: EmbeddingFiles) -> None:
    files.write(DIGESTS[0], embedding())
    files.budget = 3000
    assert not files.write(DIGESTS[1], embedding(size=10_000))
    assert files.read(DIGESTS[0]) is not None


def test_a_nearly_full_disk_is_not_filled_further(files: EmbeddingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write(DIGESTS[0], embedding())
    assert files.room() == DEFAULT_BUDGET
    monkeypatch.setattr(embedding_files, "LEAST_FREE", 2**62)
    assert files.room() == 0
    assert not files.write(DIGESTS[1], embedding())


def test_the_budget_belongs_to_the_folder(files: EmbeddingFiles) -> None:
    assert files.budget == DEFAULT_BUDGET
    write_budget(files.folder, 50 * 10**9)
    assert EmbeddingFiles(files.folder, "sam-1-abc").budget == 50 * 10**9


@pytest.mark.parametrize(("text", "expected"), [("", DEFAULT_BUDGET), ("many", DEFAULT_BUDGET), ("-5", 0), ("7", 7)])
def test_a_budget_that_cannot_be_read_is_the_default(tmp_path: Path, text: str, expected: int) -> None:
    (tmp_path / "budget.txt").write_text(text)
    assert read_budget(tmp_path) == expected


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(SaveError, match="taken"):
        EmbeddingFiles(tmp_path / "taken", "sam-1-abc").write(DIGESTS[0], embedding())


def test_a_drive_that_is_gone_is_said(files: EmbeddingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("sam_annotator.engine.embedding_files.shutil.disk_usage", fail)
    with pytest.raises(SaveError, match="Input/output error"):
        files.write(DIGESTS[0], embedding())


def test_embeddings_lie_in_the_users_cache(isolated_home: Path) -> None:
    assert isolated_home in default_folder().parents


def test_two_who_write_the_same_at_once_leave_one_whole_file(files: EmbeddingFiles) -> None:
    others = [EmbeddingFiles(files.folder, "sam-1-abc") for _ in range(4)]
    threads = [threading.Thread(target=other.write, args=(DIGESTS[0], embedding())) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files.read(DIGESTS[0]) is not None
    assert len(all_files(files.folder)) == 1
