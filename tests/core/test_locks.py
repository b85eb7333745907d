"""Processes take turns; a lock goes with its process, however that ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sam_annotator.core.datasets.sole_export import sole_export
from sam_annotator.core.errors import SaveError
from sam_annotator.core.locks import alone
from sam_annotator.core.store import AnnotationStore
from tests.engine.moving_propagator import make_video

ADD = """
import sys
from dataclasses import replace
from pathlib import Path
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
video, store = find_videos(Path(sys.argv[1]))[0], AnnotationStore()
for number in range(60):
    store.update(video, 0, lambda frame: replace(frame, flags={**frame.flags, f"{sys.argv[2]}{number}": True}), 64, 40)
"""
HOLD = """
import sys, time
from pathlib import Path
from sam_annotator.core.locks import alone
with alone(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def start(program: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)


def test_processes_that_change_one_file_lose_nothing_of_each_other(tmp_path: Path) -> None:
    video = make_video(tmp_path, 1)
    writers = [start(ADD, video.folder, name) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(AnnotationStore().read(video, 0).flags) == 120


def test_who_has_a_file_alone_has_it_until_its_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    other = start(HOLD, path)
    assert other.stdout.readline() == "True\n"
    with alone(path) as mine:
        assert not mine
    other.send_signal(signal.SIGKILL)
    other.wait(20)
    other.stdout.close()
    with alone(path) as mine:
        assert mine


def test_tests_and_their_processes_leave_no_lock_in_the_temporary_folder_of_the_machine(tmp_path: Path) -> None:
    program = "import tempfile; print(tempfile.gettempdir())"
    with start(program) as other:
        assert other.communicate(timeout=60)[0].strip() == tempfile.gettempdir()
    folder = Path(tempfile.gettempdir())
    before = set(folder.iterdir())
    with sole_export(tmp_path / "dataset"):
        assert [path.suffix for path in set(folder.iterdir()) - before] == [".lock"]
    assert folder.name.startswith("sa-tests-")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that cannot be written")
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SaveError, match="lock could not be made"), alone(tmp_path / "lock"):
        pass


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(SaveError, match="could not be made"), alone(tmp_path / "folder" / "lock"):
        pass
