"""What is known of the checkpoints that are here."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sam_annotator.core.weights import hashing
from sam_annotator.core.weights.hashing import FetchProgress
from sam_annotator.core.weights.record import record_path
from sam_annotator.core.weights.verification import Verdict, copies, verify
from tests.core.weights.test_manifest import SMALL, checkout

__all__ = ["checkout"]

CONTENT = b"12345"
PUBLISHED = replace(SMALL, sha256=hashlib.sha256(CONTENT).hexdigest())
UNPUBLISHED = replace(SMALL, sha256=None, bytes=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "small.pth").write_bytes(CONTENT)
    return tmp_path / "small.pth"


def result(steps: Iterator[FetchProgress]) -> Verdict:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_the_published_file_is_ok(path: Path) -> None:
    assert result(verify(PUBLISHED, path)) == Verdict(True, "ok: size and sha256 as published")
    assert not record_path().exists()


@pytest.mark.parametrize(("content", "words"), [(b"123", "3 bytes instead of 5"), (b"12346", "wrong: sha256 ")])
def test_another_file_is_wrong_and_says_what_to_do(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    verdict = result(verify(PUBLISHED, path))
    assert not verdict.is_good
    assert words in verdict.text
    assert f"`sam-annotator models fetch small --force --models {path.parent}`" in verdict.text


def test_without_a_published_hash_the_first_one_counts(path: Path) -> None:
    first, again = result(verify(UNPUBLISHED, path)), result(verify(UNPUBLISHED, path))
    assert first.is_good
    assert f"no hash is published; sha256 {hashlib.sha256(CONTENT).hexdigest()}, noted" in first.text
    assert again == Verdict(True, "no hash is published; unchanged since its first use")
    path.write_bytes(b"other")
    for _ in range(2):  # asking does not make it right
        changed = result(verify(UNPUBLISHED, path))
        assert not changed.is_good
        assert changed.text.startswith("changed: sha256 ")


def test_a_first_hash_that_cannot_be_noted_is_said(path: Path) -> None:
    record_path().parent.parent.mkdir(parents=True, exist_ok=True)
    record_path().parent.write_bytes(b"a file where the folder should be")
    verdict = result(verify(UNPUBLISHED, path))
    assert verdict.is_good
    assert "could not be noted" in verdict.text


def test_hashing_tells_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_STEP_SECONDS", 0.0)
    path.write_bytes(bytes(3 * 2**20))
    assert [step.done for step in verify(UNPUBLISHED, path)] == [2**20, 2 * 2**20, 3 * 2**20]


def test_every_copy_is_found_and_an_unfinished_one_is_none(checkout: Path, path: Path) -> None:
    (checkout / "models/small.pth.part").write_bytes(CONTENT)
    assert copies(SMALL) == []
    (checkout / "models/small.pth").write_bytes(CONTENT)
    assert copies(SMALL, path.parent) == [path, checkout / "models/small.pth"]
