"""Files of weights without a published hash are known again by the one they had at first."""

import hashlib
import json
from pathlib import Path

import pytest

from sam_annotator.core.errors import InputError
from sam_annotator.core.weights.record import notice_change, record, record_path, recorded


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "stcn.pth"
    path.write_bytes(b"weights" * 400_000)  # more than is read at once
    return path


def test_nothing_is_known_of_a_file_before_its_first_use(weights: Path) -> None:
    assert recorded(weights) is None


def test_the_hash_is_recorded_with_name_and_size(weights: Path) -> None:
    expected = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert record(weights) == expected
    assert recorded(weights) == expected
    (entry,) = json.loads(record_path().read_text()).values()
    assert entry == {"name": "stcn.pth", "size": weights.stat().st_size, "sha256": expected}


def test_the_same_file_is_known_by_every_way_to_it(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(weights)
    monkeypatch.chdir(weights.parent)
    assert recorded(Path("stcn.pth")) == recorded(weights)


def test_first_use_is_silent_and_a_changed_file_is_said_once(weights: Path) -> None:
    assert notice_change(weights) is None
    assert notice_change(weights) is None
    before = recorded(weights)
    weights.write_bytes(b"other weights")
    told = notice_change(weights)
    assert told is not None
    assert "stcn.pth is another file than the last time" in told
    assert before is not None
    assert before[:12] in told
    assert notice_change(weights) is None


def test_several_files_are_recorded_side_by_side(weights: Path) -> None:
    other = weights.with_name("mine.pth")
    other.write_bytes(b"mine")
    first, second = record(weights), record(other)
    assert (recorded(weights), recorded(other)) == (first, second)


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b'{"x": 3}'])
def test_a_damaged_record_is_made_anew(weights: Path, damage: bytes) -> None:
    record_path().parent.mkdir(parents=True)
    record_path().write_bytes(damage)
    assert recorded(weights) is None
    assert notice_change(weights) is None
    assert recorded(weights) is not None


def test_a_record_that_cannot_be_kept_is_a_sentence_and_no_error(weights: Path) -> None:
    record_path().parent.parent.mkdir(parents=True, exist_ok=True)
    record_path().parent.write_bytes(b"a file where the folder should be")
    told = notice_change(weights)
    assert told is not None
    assert "could not be noted" in told


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.pth cannot be read"):
        record(tmp_path / "gone.pth")
