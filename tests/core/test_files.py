"""Whatever happens while a file is saved, the old file or the new one stands there, and nothing else."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sam_annotator.core import files
from sam_annotator.core.errors import SaveError
from sam_annotator.core.files import write_atomically

OLD, NEW = b"the old file", b"the new file, which is longer"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "00000.json"
    path.write_bytes(OLD)
    return path


def fail(number: int) -> object:
    def failing(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return failing


class FullDisk:
    """A file that takes a few bytes and then no more."""

    def __init__(self, handle: int, *_: object) -> None:
        self.handle = handle

    def __enter__(self) -> "FullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    def write(self, data: bytes) -> None:
        os.write(self.handle, data[:5])
        fail(errno.ENOSPC)()


def test_a_file_is_replaced_whole(path: Path) -> None:
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW
    assert list(path.parent.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "train" / "a b ü" / "0.json", NEW)
    assert (tmp_path / "train" / "a b ü" / "0.json").read_bytes() == NEW


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_full_or_failing_disk_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, reason: int
) -> None:
    monkeypatch.setattr(files.os, step, fail(reason))
    with pytest.raises(
        SaveError, match=rf"00000\.json could not be saved \({os.strerror(reason)}\); the file that was"
    ):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "fdopen", FullDisk)
    with pytest.raises(SaveError, match="No space left on device"):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_an_interruption_leaves_the_old_file_and_nothing_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_an_error_in_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.tempfile, "mkstemp", fail(errno.EACCES))
    with pytest.raises(SaveError, match=r"\(Permission denied\).*choose a folder that can be written"):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_folder_that_is_really_read_only_is_an_error(path: Path) -> None:
    path.parent.chmod(0o555)
    try:
        with pytest.raises(SaveError, match="Permission denied"):
            write_atomically(path, NEW)
    finally:
        path.parent.chmod(0o755)
    assert path.read_bytes() == OLD


def test_a_file_that_somebody_made_read_only_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "access", lambda *_: False)  # to root everything can be written
    with pytest.raises(SaveError, match="the file is read-only"):
        write_atomically(path, NEW)
    assert path.read_bytes() == OLD


def test_a_file_in_the_place_of_the_folder_is_an_error(path: Path) -> None:
    with pytest.raises(SaveError):
        write_atomically(path / "0.json", NEW)
    assert path.read_bytes() == OLD


def test_where_no_file_was_none_is_said_to_be_unchanged(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaveError, match=r"could not be saved \(.+\); nothing was (written|changed)\."):
        write_atomically(tmp_path / "file" / "new.json", b"x")


def test_a_folder_in_the_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0.json").mkdir()
    with pytest.raises(SaveError):
        write_atomically(tmp_path / "0.json", NEW)
    assert [item.name for item in tmp_path.iterdir()] == ["0.json"]


def test_a_link_is_written_through(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "links" / "0.json"
    link.parent.mkdir()
    link.symlink_to(path)
    write_atomically(link, NEW)
    assert link.is_symlink()
    assert path.read_bytes() == NEW


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_are_kept_and_new_files_get_the_usual_ones(tmp_path: Path, path: Path) -> None:
    path.chmod(0o640)
    write_atomically(path, NEW)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    (tmp_path / "usual").touch()
    write_atomically(tmp_path / "new.json", NEW)
    assert (tmp_path / "new.json").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_drive_without_permissions_can_still_be_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "chmod", fail(errno.EPERM))
    write_atomically(path, NEW)
    assert path.read_bytes() == NEW


@pytest.mark.parametrize("name", ["x" * 250 + ".json", "ü" * 120 + ".json", "a b.json", "動画 🦢.json"])
def test_any_name_that_the_disk_takes_can_be_saved(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, NEW)
    assert [(item.name, item.read_bytes()) for item in tmp_path.iterdir()] == [(name, NEW)]


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from sam_annotator.core import files

def killed_at(wanted):
    names = ["fsync", "chmod", "replace"]
    for name in names:
        real = getattr(os, name)
        def watched(*arguments, name=name, real=real):
            if wanted == f"before {name}": os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments)
            if wanted == f"after {name}": os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(os, name, watched)
    class Killing:
        def __init__(self, handle, mode): self.stream = open(handle, mode, buffering=0)
        def __enter__(self): return self
        def __exit__(self, *_): self.stream.close()
        def write(self, data):
            if wanted.isdigit():
                self.stream.write(data[: int(wanted)])
                os.kill(os.getpid(), signal.SIGKILL)
            self.stream.write(data)
        def flush(self): pass
        def fileno(self): return self.stream.fileno()
    files.os.fdopen = Killing

for wanted in sys.argv[2].split(","):
    if os.fork() == 0:
        killed_at(wanted)
        files.write_atomically(Path(sys.argv[1]), sys.argv[3].encode())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == -signal.SIGKILL, wanted
    print(Path(sys.argv[1]).read_text(), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_killed_at_any_byte_it_leaves_the_old_file_or_the_new_one(path: Path) -> None:
    moments = [*map(str, range(len(NEW) + 1)), "before fsync", "after fsync", "after chmod", "before replace"]
    command = [sys.executable, "-c", KILLED_AT, str(path), ",".join([*moments, "after replace"]), NEW.decode()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [*[OLD.decode()] * len(moments), NEW.decode()]
    left = [item.name for item in path.parent.iterdir() if item != path]
    assert all(name.startswith(".00000.json.") and name.endswith(".part") for name in left)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_at_random_a_reader_never_sees_a_part(tmp_path: Path) -> None:
    path = tmp_path / "0.json"
    write_atomically(path, b"0" * 300_000)
    script = (
        "import sys; from pathlib import Path; from sam_annotator.core.files import write_atomically\n"
        "for i in range(10**6):\n"
        "    write_atomically(Path(sys.argv[1]), bytes([48 + i % 10]) * 300_000)\n"
        "    print(i, flush=True)"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as process:
        for _ in range(20):
            process.stdout.readline()
            data = path.read_bytes()
            assert (len(data), len(set(data))) == (300_000, 1)
        process.send_signal(signal.SIGKILL)
    data = path.read_bytes()
    assert (len(data), len(set(data))) == (300_000, 1)


def test_two_threads_that_save_one_file_do_not_mix(path: Path) -> None:
    def save(letter: bytes) -> None:
        for _ in range(25):
            write_atomically(path, letter * 10_000)

    threads = [threading.Thread(target=save, args=(letter,)) for letter in (b"a", b"b")]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert path.read_bytes() in (OLD, b"a" * 10_000, b"b" * 10_000)
    for thread in threads:
        thread.join()
    assert list(path.parent.iterdir()) == [path]
