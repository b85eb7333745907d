"""Fetching a checkpoint from a real server that loses connections, lies, and is slow."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sam_annotator.core.weights import download, hashing
from sam_annotator.core.weights.download import DownloadError, fetch, fetched_bytes
from sam_annotator.core.weights.hashing import CHECKING, FETCHING, FetchProgress
from sam_annotator.core.weights.http_pieces import Patience
from sam_annotator.core.weights.manifest import Checkpoint, find_checkpoint
from sam_annotator.core.weights.record import recorded
from tests.file_server import FileServer, serve

CONTENT = b"PK\3\4" + bytes(range(256)) * 4096
HASTE = Patience(connect=5, read=5, pauses=(0.01, 0.01))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(CONTENT) as files:
        yield files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def checkpoint(server: FileServer, **facts: Any) -> Checkpoint:
    """What the manifest says of the file."""
    known = Checkpoint(
        name="small",
        about="a small one",
        kind="sam",
        model_type="vit_b",
        file="small.pth",
        url=f"{server.url}/small.pth",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        bytes=len(CONTENT),
        licence="MIT",
        source=server.url,
    )
    return replace(known, **facts)


def run(steps: Iterator[FetchProgress]) -> tuple[list[FetchProgress], Path]:
    """All steps of a fetch, and its result."""
    told = []
    while True:
        try:
            told.append(next(steps))
        except StopIteration as end:
            return told, end.value


def fetch_all(server: FileServer, folder: Path, *, force: bool = False, **facts: Any) -> list[FetchProgress]:
    told, path = run(fetch(checkpoint(server, **facts), folder, force=force, patience=HASTE))
    assert path == folder / "small.pth"
    assert path.read_bytes() == CONTENT
    assert [item.name for item in folder.iterdir()] == ["small.pth"]
    return told


def fetch_all_unknown(server: FileServer, folder: Path) -> None:
    """The same for a file whose authors published neither size nor hash."""
    _told, path = run(fetch(checkpoint(server, sha256=None, bytes=None), folder, patience=HASTE))
    assert path.read_bytes() == CONTENT


def refused(server: FileServer, folder: Path, **facts: Any) -> str:
    """Why a fetch ended; there is no file afterwards."""
    with pytest.raises(DownloadError) as caught:
        run(fetch(checkpoint(server, **facts), folder, patience=HASTE))
    assert find_checkpoint(checkpoint(server, **facts), folder) is None
    return str(caught.value)


def leave_part(server: FileServer, folder: Path, **facts: Any) -> int:
    """Cancel a fetch in the middle; returns how much is kept."""
    server.holds_after = 300_000
    server.go_on.clear()
    steps = fetch(checkpoint(server, **facts), folder, patience=HASTE)
    while next(steps).done < 200_000:
        pass
    steps.close()
    server.holds_after = None
    server.go_on.set()
    kept = fetched_bytes(checkpoint(server, **facts), folder)
    assert 200_000 <= kept <= 300_000
    server.asked.clear()
    return kept


def test_a_file_is_fetched_with_progress_and_is_whole(server: FileServer, folder: Path) -> None:
    told = fetch_all(server, folder)
    assert {step.total for step in told} <= {None, len(CONTENT)}
    done = [step.done for step in told if step.doing == FETCHING]
    assert done
    assert done == sorted(done)


def test_a_file_that_is_there_and_right_needs_no_network(server: FileServer, folder: Path) -> None:
    fetch_all(server, folder)
    server.asked.clear()
    fetch_all(server, folder)
    assert not server.asked


def test_a_lost_connection_is_taken_up_again_where_it_stopped(server: FileServer, folder: Path) -> None:
    server.drops = [400_000, 400_000]
    fetch_all(server, folder)
    starts = [int(str(text).removeprefix("bytes=").removesuffix("-")) for text in server.ranges[1:]]
    assert server.ranges[0] is None
    assert len(starts) == 2
    assert 0 < starts[0] <= 400_000 < starts[1] <= 800_000
    assert [headers["If-Range"] for headers in server.asked[1:]] == ['"1"', '"1"']


def test_cancelling_leaves_a_part_that_is_gone_on_from(server: FileServer, folder: Path) -> None:
    kept = leave_part(server, folder)
    assert find_checkpoint(checkpoint(server), folder) is None
    fetch_all(server, folder)
    assert server.ranges == [f"bytes={kept}-"]


def test_cancelling_does_not_wait_for_a_server_that_says_nothing(server: FileServer, folder: Path) -> None:
    server.holds_after = 0
    steps = fetch(checkpoint(server), folder, patience=Patience(connect=60, read=60))
    for _ in range(3):
        next(steps)
    steps.close()
    assert not (folder / "small.pth").exists()


def test_a_server_without_ranges_begins_anew(server: FileServer, folder: Path) -> None:
    leave_part(server, folder)
    server.has_ranges = False
    fetch_all(server, folder)
    assert len(server.asked) == 1


def test_a_range_that_is_not_the_one_asked_for_is_not_taken(server: FileServer, folder: Path) -> None:
    leave_part(server, folder)
    server.range_shift = 5
    fetch_all(server, folder)
    assert server.ranges[1] is None


def test_another_version_on_the_server_is_fetched_from_its_beginning(server: FileServer, folder: Path) -> None:
    leave_part(server, folder)
    server.tag = '"2"'
    fetch_all(server, folder)
    assert len(server.asked) == 1


def test_a_part_that_is_whole_is_only_checked(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pth.part").write_bytes(CONTENT)
    fetch_all(server, folder)
    assert not server.asked


def test_a_part_of_another_file_is_found_out_and_fetched_anew(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pth.part").write_bytes(b"x" * 5000)
    told = fetch_all(server, folder)
    assert server.ranges == ["bytes=5000-", None]
    assert any("from the start" in step.note for step in told)


def test_a_part_that_is_too_long_is_fetched_anew(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pth.part").write_bytes(CONTENT + b"x")
    fetch_all(server, folder)
    assert server.ranges == [None]


def test_without_a_published_hash_a_part_counts_only_if_its_version_is_known(server: FileServer, folder: Path) -> None:
    kept = leave_part(server, folder, sha256=None, bytes=None)
    fetch_all_unknown(server, folder)
    assert server.ranges == [f"bytes={kept}-"]
    (folder / "small.pth").rename(folder / "small.pth.part")
    server.asked.clear()
    fetch_all_unknown(server, folder)
    assert server.ranges == [None]


def test_without_hash_and_version_a_part_is_gone_on_from_as_long_as_the_size_is_the_same(
    server: FileServer, folder: Path
) -> None:
    server.tag = ""
    kept = leave_part(server, folder, sha256=None, bytes=None)
    server.drops = [100_000]
    fetch_all_unknown(server, folder)
    assert server.ranges[0] == f"bytes={kept}-"
    assert len(server.ranges) == 2
    (folder / "small.pth").unlink()
    leave_part(server, folder, sha256=None, bytes=None)
    server.content = CONTENT[:-10]
    run(fetch(checkpoint(server, sha256=None, bytes=None), folder, patience=HASTE))
    assert (folder / "small.pth").read_bytes() == CONTENT[:-10]


def test_a_part_without_a_published_size_that_is_whole_is_recognised(server: FileServer, folder: Path) -> None:
    leave_part(server, folder, sha256=None, bytes=None)
    (folder / "small.pth.part").write_bytes(CONTENT)
    fetch_all_unknown(server, folder)
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


def test_the_hash_of_a_file_without_a_published_one_is_noted(server: FileServer, folder: Path) -> None:
    fetch_all_unknown(server, folder)
    assert recorded(folder / "small.pth") == hashlib.sha256(CONTENT).hexdigest()


def test_a_file_in_chunks_without_a_length_is_fetched(server: FileServer, folder: Path) -> None:
    server.has_length = False
    fetch_all(server, folder)


def test_wrong_bytes_are_refused_named_and_thrown_away(server: FileServer, folder: Path) -> None:
    server.content = CONTENT[:-1] + b"?"
    text = refused(server, folder)
    assert "is not the published small.pth" in text
    assert hashlib.sha256(server.content).hexdigest()[:16] in text
    assert not list(folder.iterdir())
    server.content = CONTENT
    fetch_all(server, folder)


def test_wrong_bytes_after_a_part_are_refused_after_one_more_attempt(server: FileServer, folder: Path) -> None:
    leave_part(server, folder)
    server.content = CONTENT[:-1] + b"?"
    assert "is not the published small.pth" in refused(server, folder)
    assert len(server.asked) == 2


def test_a_file_of_another_size_is_refused_before_it_is_fetched(server: FileServer, folder: Path) -> None:
    server.content = CONTENT + b"more"
    assert f"with {len(CONTENT) + 4:,} bytes instead of {len(CONTENT):,}" in refused(server, folder)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
@pytest.mark.parametrize("has_hash", [True, False])
def test_a_page_in_place_of_the_file_is_refused(server: FileServer, folder: Path, kind: str, has_hash: bool) -> None:
    server.content, server.kind = b"\n<!DOCTYPE html><title>Log in</title>", kind
    facts = {"bytes": None} if has_hash else {"bytes": None, "sha256": None}
    text = refused(server, folder, **facts)
    assert "sent a web page in place of small.pth" in text
    assert f"{server.url}/small.pth" in text


def test_a_page_never_ends_a_part(server: FileServer, folder: Path) -> None:
    kept = leave_part(server, folder)
    server.kind = "text/html"
    refused(server, folder)
    assert fetched_bytes(checkpoint(server), folder) == kept


@pytest.mark.parametrize("status", [404, 403])
def test_a_server_that_has_no_such_file_is_named(server: FileServer, folder: Path, status: int) -> None:
    server.status = status
    text = refused(server, folder)
    assert f"{server.url.removeprefix('http://')} answers {status}" in text
    assert f"save {server.url}/small.pth as {folder / 'small.pth'}" in text
    assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again_and_then_named(server: FileServer, folder: Path) -> None:
    server.status = 503
    assert "answers 503" in refused(server, folder)
    assert len(server.asked) == 2


def test_no_network_is_a_sentence(server: FileServer, folder: Path) -> None:
    gone = checkpoint(server, url="http://127.0.0.1:9/small.pth")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9 cannot be reached: the connection was refused\. Check"):
        run(fetch(gone, folder, patience=HASTE))


def test_a_name_that_nobody_knows_is_a_sentence(server: FileServer, folder: Path) -> None:
    gone = checkpoint(server, url="http://weights.invalid/small.pth")
    with pytest.raises(DownloadError, match=r"weights\.invalid cannot be reached: "):
        run(fetch(gone, folder, patience=HASTE))


def test_a_connection_that_is_always_lost_is_given_up_and_what_came_is_kept(server: FileServer, folder: Path) -> None:
    server.drops = [400_000, 0, 0, 0, 0]
    text = refused(server, folder)
    assert "are kept, and fetching again goes on from there" in text
    server.drops = []
    fetch_all(server, folder)


def test_a_server_that_falls_silent_is_asked_again(server: FileServer, folder: Path) -> None:
    server.holds_after = 300_000
    steps = fetch(checkpoint(server), folder, patience=Patience(connect=5, read=0.3, pauses=(0.01,)))
    while "nothing came for 0.3 s" not in next(steps).note:
        pass
    server.holds_after = None
    _told, path = run(steps)
    assert path.read_bytes() == CONTENT
    assert str(server.ranges[1]).startswith("bytes=")


def test_a_file_of_the_user_is_not_replaced_unless_asked(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    for mine in (b"short", b"x" * len(CONTENT)):
        (folder / "small.pth").write_bytes(mine)
        with pytest.raises(DownloadError, match=r"small\.pth is there, but it is not the published file.*--force"):
            run(fetch(checkpoint(server), folder, patience=HASTE))
        assert (folder / "small.pth").read_bytes() == mine
    assert not server.asked
    fetch_all(server, folder, force=True)


def test_a_replacement_that_fails_leaves_the_users_file(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pth").write_bytes(b"mine")
    server.status = 404
    with pytest.raises(DownloadError):
        run(fetch(checkpoint(server), folder, force=True, patience=HASTE))
    assert (folder / "small.pth").read_bytes() == b"mine"


def test_a_page_that_was_saved_as_the_file_is_not_taken_for_it(server: FileServer, folder: Path) -> None:
    folder.mkdir()
    (folder / "small.pth").write_bytes(b"<html>")
    with pytest.raises(DownloadError, match="is not the published file"):
        run(fetch(checkpoint(server, sha256=None, bytes=None), folder, patience=HASTE))


def test_two_fetches_of_one_file_do_not_write_into_each_other(server: FileServer, folder: Path) -> None:
    server.holds_after = 100_000
    first = fetch(checkpoint(server), folder, patience=HASTE)
    next(first)
    with pytest.raises(DownloadError, match=r"small\.pth is being fetched into .* already"):
        run(fetch(checkpoint(server), folder, patience=HASTE))
    first.close()
    server.holds_after = None
    fetch_all(server, folder)


def test_too_little_room_is_said_before_anything_is_fetched(
    server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: type("Usage", (), {"free": 5_000})())
    assert f"needs 1 MB more, and {folder} has 5 kB left" in refused(server, folder)
    assert not fetched_bytes(checkpoint(server), folder)


def test_a_disk_that_fills_up_is_said_and_what_came_is_kept(
    server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def __init__(self, stream: BinaryIO) -> None:
            self._stream = stream

        def write(self, piece: bytes) -> int:
            if self._stream.tell() > 200_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._stream.write(piece)

    real = download._Download._receive
    with monkeypatch.context() as patch:
        patch.setattr(
            download._Download,
            "_receive",
            lambda self, pieces, stream, done: real(self, pieces, FullDisk(stream), done),
        )
        assert f"{folder} is full; 26" in refused(server, folder)
    fetch_all(server, folder)
    assert str(server.ranges[-1]).startswith("bytes=26")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said(server: FileServer, folder: Path) -> None:
    folder.mkdir(mode=0o500)
    assert "cannot be written" in refused(server, folder)


def test_a_file_where_the_folder_should_be_is_said(server: FileServer, folder: Path) -> None:
    folder.write_text("")
    assert "small.pth cannot be written to" in refused(server, folder)


def test_checking_a_large_file_tells_how_far_it_is(
    server: FileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_STEP_SECONDS", 0.0)
    told = fetch_all(server, folder)
    assert [step.done for step in told if step.doing == CHECKING][-1] == len(CONTENT)
