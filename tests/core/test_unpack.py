"""A video file becomes the frames it has: each under its index, once, and at the cost of nobody's files."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from sam_annotator.core import unpack as unpack_module
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.images import read_image
from sam_annotator.core.unpack import UnpackProgress, read_fps, unpack
from sam_annotator.core.unpacked import MARKER_NAME, read_marker
from sam_annotator.core.videos import Video, find_videos

CELL = 16
BITS = 8
FRAMES = 40


def stamped(index: int) -> np.ndarray:
    """An image that carries its number in black and white cells."""
    cells = [(index >> bit) & 1 for bit in range(BITS)]
    row = np.repeat(np.array(cells, np.uint8) * 255, CELL)
    return np.repeat(np.tile(row, (4 * CELL, 1))[..., None], 3, axis=2)


def stamp_of(image: np.ndarray) -> int:
    """The number that an image carries."""
    middle = image[2 * CELL, CELL // 2 :: CELL, 0] > 127
    return int(sum(1 << bit for bit in range(BITS) if middle[bit]))


def write_stamped(path: Path, frames: int = FRAMES, fps: float = 12.5) -> Path:
    code = {".mp4": "mp4v", ".mov": "mp4v", ".avi": "MJPG", ".mkv": "MJPG", ".webm": "VP80"}[path.suffix.lower()]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, (BITS * CELL, 4 * CELL))
    assert writer.isOpened()
    for index in range(frames):
        writer.write(stamped(index))
    writer.release()
    return path


@pytest.fixture(scope="module")
def stamped_mp4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stamped(tmp_path_factory.mktemp("stamped") / "stamped.mp4")


@pytest.fixture
def video(tmp_path: Path, stamped_mp4: Path) -> Video:
    shutil.copy(stamped_mp4, tmp_path / "swan.mp4")
    return find_videos(tmp_path)[0]


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def take(steps: Iterator[UnpackProgress], count: int) -> None:
    for _ in range(count):
        next(steps)
    steps.close()


def spoil(source: Path) -> None:
    """Change a byte of the frames, not the size."""
    data = bytearray(source.read_bytes())
    data[100] ^= 0xFF
    source.write_bytes(data)
    os.utime(source, ns=(1, 1))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".avi", ".mkv", ".webm", ".MP4"])
def test_every_frame_is_there_under_its_own_index(tmp_path: Path, suffix: str) -> None:
    write_stamped(tmp_path / f"swan{suffix.lower()}").rename(tmp_path / f"swan{suffix}")
    (video,) = find_videos(tmp_path)
    progress = list(unpack(video))
    assert [step.done for step in progress] == list(range(1, FRAMES + 1))
    assert [path.name for path in video.frame_paths] == [f"{i:05d}.jpg" for i in range(FRAMES)]
    assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(FRAMES))
    assert not video.needs_unpacking
    assert read_fps(video) == pytest.approx(12.5)


def test_the_biker_has_239_frames_each_the_right_one(shared: Path, tmp_path: Path) -> None:
    shutil.copyfile(shared / "videos" / "biker.mp4", tmp_path / "biker.mp4")
    (video,) = find_videos(tmp_path)
    assert list(unpack(video))[-1] == UnpackProgress(239, 239)
    assert len(video) == 239
    assert read_fps(video) == 25.0
    before = None
    for path, expected in zip(video.frame_paths, independently_decoded(tmp_path / "biker.mp4"), strict=True):
        small = read_image(path)[::4, ::4].astype(np.int16)
        error = np.abs(small - expected[::4, ::4]).mean()
        assert error < 1.5, f"{path.name} differs by {error:.2f}"
        assert before is None or error < np.abs(small - before).mean()
        before = expected[::4, ::4]


def independently_decoded(path: Path) -> Iterator[np.ndarray]:
    """RGB frames by the program ffmpeg where there is one, else by seeking to each frame from the start."""
    if shutil.which("ffmpeg") is None:
        capture = cv2.VideoCapture(str(path))
        while (read := capture.read())[0]:
            yield read[1][..., ::-1]
        return
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while data := process.stdout.read(1280 * 720 * 3):
            yield np.frombuffer(data, np.uint8).reshape(720, 1280, 3)


def test_opening_again_finds_one_video_that_needs_nothing(video: Video, tmp_path: Path) -> None:
    list(unpack(video))
    before = content(tmp_path)
    (again,) = find_videos(tmp_path)
    assert again == video
    assert not again.needs_unpacking
    assert list(unpack(again)) == []
    assert content(tmp_path) == before
    assert find_videos(tmp_path / "swan.mp4") == [video]


def test_without_its_video_file_the_folder_is_a_plain_video(video: Video, tmp_path: Path) -> None:
    list(unpack(video))
    (tmp_path / "swan.mp4").unlink()
    (plain,) = find_videos(tmp_path)
    assert (plain.name, plain.source, len(plain)) == ("swan", None, FRAMES)
    assert read_fps(plain) == pytest.approx(12.5)


def test_frames_per_second_are_unknown_for_a_plain_folder(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    assert read_fps(Video("v", tmp_path / "v")) is None


def test_stopped_anywhere_and_gone_on_with_it_ends_the_same(tmp_path: Path, video: Video, stamped_mp4: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    shutil.copy2(stamped_mp4, whole / "swan.mp4")
    os.utime(video.source, ns=(5, 5))
    os.utime(whole / "swan.mp4", ns=(5, 5))
    list(unpack(find_videos(whole)[0]))
    dice = random.Random(3)
    while video.needs_unpacking:
        assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(len(video)))
        take_at_most(unpack(video), len(video) + dice.randint(0, 6))
        (video,) = [found for found in find_videos(tmp_path) if found.source == video.source]
    assert content(video.folder) == content(whole / "swan")


def take_at_most(steps: Iterator[UnpackProgress], count: int) -> None:
    for _, _ in zip(range(count), steps, strict=False):
        pass
    steps.close()


def test_what_is_there_is_not_written_again(video: Video) -> None:
    take(unpack(video), 10)
    os.utime(video.folder / "00003.jpg", ns=(7, 7))
    list(unpack(video))
    assert (video.folder / "00003.jpg").stat().st_mtime_ns == 7


def test_a_frame_that_was_lost_on_the_way_is_filled_in(video: Video) -> None:
    take(unpack(video), 10)
    (video.folder / "00004.jpg").unlink()
    list(unpack(video))
    assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(FRAMES))


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_killed_at_any_moment_it_leaves_whole_frames_and_goes_on(
    tmp_path: Path, video: Video, stamped_mp4: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; from sam_annotator.core.videos import find_videos\n"
        "from sam_annotator.core.unpack import unpack\n"
        "for step in unpack(find_videos(Path(sys.argv[1]))[0]): print(step.done, flush=True)"
    )
    for frames in (1, 4, 17):
        with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE) as process:
            for _ in range(frames):
                process.stdout.readline()
            process.send_signal(signal.SIGKILL)
        video.refresh()
        assert len(video) >= frames
        assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(len(video)))
    list(unpack(video))
    assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(FRAMES))
    assert len(find_videos(tmp_path)) == 1


def test_killed_before_its_first_file_it_still_takes_the_same_folder(video: Video, tmp_path: Path) -> None:
    video.folder.mkdir()
    (video.folder / f".{MARKER_NAME}.abc.part").write_text('{"sou')
    assert [(found.name, found.needs_unpacking) for found in find_videos(tmp_path)] == [("swan", True)]
    assert list(unpack(video))[-1].done == FRAMES


def test_somebody_elses_folder_is_not_touched(tmp_path: Path, stamped_mp4: Path) -> None:
    shutil.copy(stamped_mp4, tmp_path / "swan.mp4")
    for name in ("swan", "swan_mp4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00000.jpg").write_bytes(b"theirs")
        before = content(tmp_path / name)
        video = next(found for found in find_videos(tmp_path) if found.source)
        list(unpack(video))
        assert content(tmp_path / name) == before
        assert next(found for found in find_videos(tmp_path) if found.source) == video
        shutil.rmtree(video.folder)  # so that the next round has to look further


def test_a_folder_that_somebody_filled_meanwhile_is_not_touched(video: Video) -> None:
    video.folder.mkdir()
    (video.folder / "notes.txt").write_text("theirs")
    with pytest.raises(InputError, match=r"swan holds other files, so swan\.mp4 was not unpacked into it"):
        list(unpack(video))
    assert content(video.folder) == {"notes.txt": b"theirs"}


def test_annotations_beside_the_frames_stay(video: Video) -> None:
    take(unpack(video), 3)
    (video.folder / "00001.json").write_text("{}")
    list(unpack(video))
    assert (video.folder / "00001.json").read_text() == "{}"


def test_a_changed_video_file_is_a_new_video_and_the_old_frames_stay(video: Video, tmp_path: Path) -> None:
    list(unpack(video))
    before = content(video.folder)
    spoil(video.source)
    old, new = find_videos(tmp_path)
    assert (old.name, old.source) == ("swan", None)
    assert (new.name, new.source, new.needs_unpacking) == ("swan_mp4", tmp_path / "swan.mp4", True)
    list(unpack(new))
    assert content(video.folder) == before
    assert find_videos(tmp_path) == [old, new]


def test_a_video_file_that_was_only_copied_is_the_same(video: Video, tmp_path: Path) -> None:
    list(unpack(video))
    os.utime(video.source, ns=(9, 9))
    assert find_videos(tmp_path) == [video]
    assert not find_videos(tmp_path)[0].needs_unpacking


@pytest.mark.parametrize("marker", ["", "[]", "{}", '{"source": 3}', "\xff", '{"source":"swan.mp4","size":"big"}'])
def test_a_marker_that_cannot_be_understood_makes_the_folder_somebody_elses(
    tmp_path: Path, stamped_mp4: Path, marker: str
) -> None:
    shutil.copy(stamped_mp4, tmp_path / "swan.mp4")
    (tmp_path / "swan").mkdir()
    (tmp_path / "swan" / MARKER_NAME).write_text(marker, encoding="latin-1")
    assert [video.name for video in find_videos(tmp_path)] == ["swan_mp4"]


@pytest.mark.parametrize("data", [b"", b"this is not a video\n" * 400, b"\x00\x00\x00\x18ftypmp42" + b"\0" * 5000])
def test_a_file_that_is_no_video_is_an_error_that_names_it(
    tmp_path: Path, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "swan 1.mp4").write_bytes(data)
    (video,) = find_videos(tmp_path)
    with pytest.raises(InputError, match=r"swan 1\.mp4 is not a video that can be decoded"):
        list(unpack(video))
    assert content(tmp_path) == {"swan 1.mp4": data}
    assert not video.folder.exists()
    assert capfd.readouterr().err == ""


def test_pictures_with_numbers_are_not_taken_for_a_video(tmp_path: Path) -> None:
    for index in range(3):
        (tmp_path / f"x{index:05d}.mp4").write_text("no video")
    with pytest.raises(InputError):
        list(unpack(find_videos(tmp_path)[0]))


def test_a_video_file_that_ends_early_gives_the_frames_it_has(tmp_path: Path) -> None:
    source = write_stamped(tmp_path / "swan.avi")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    (video,) = find_videos(tmp_path)
    list(unpack(video))
    marker = read_marker(video.folder)
    assert 0 < len(video) < FRAMES
    assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(len(video)))
    assert (marker.complete, marker.frames) == (True, len(video))


def test_a_video_file_that_has_gone_is_an_error_that_names_it(video: Video) -> None:
    video.source.unlink()
    with pytest.raises(InputError, match=r"swan\.mp4 cannot be read \(No such file or directory\)"):
        list(unpack(video))


def test_names_may_have_spaces_and_any_letters(tmp_path: Path, stamped_mp4: Path) -> None:
    folder = tmp_path / "Видео ü 一 50%d"
    folder.mkdir()
    shutil.copy(stamped_mp4, folder / "Schwänin %03d é.mp4")
    (video,) = find_videos(folder)
    assert list(unpack(video))[-1].done == FRAMES
    assert [stamp_of(read_image(path)) for path in video.frame_paths] == list(range(FRAMES))


def test_a_place_that_cannot_be_written_is_an_error_in_one_sentence(
    video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:  # tests may run as root, whom chmod does not stop
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(SaveError, match=r"swan\.mp4 cannot be saved in .*swan \(Read-only file system\)"):
        list(unpack(video))


def test_a_full_disk_keeps_the_frames_that_are_there(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    take(unpack(video), 5)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(SaveError, match=r"No space left on device\); those that are there are kept"):
        list(unpack(video))
    monkeypatch.undo()
    assert sorted(content(video.folder)) == [MARKER_NAME, *(f"{i:05d}.jpg" for i in range(5))]
    list(unpack(video))
    assert len(video) == FRAMES


def test_the_video_file_is_let_go_when_unpacking_is_closed(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    captures = []
    opened = cv2.VideoCapture

    def remembering(*arguments: object) -> cv2.VideoCapture:
        captures.append(opened(*arguments))
        return captures[-1]

    monkeypatch.setattr(unpack_module.cv2, "VideoCapture", remembering)
    take(unpack(video), 2)
    assert [capture.isOpened() for capture in captures] == [False]


def test_progress_never_says_more_than_all(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {step.total for step in unpack(video)} == {FRAMES}
    shutil.rmtree(video.folder)
    monkeypatch.setattr(unpack_module, "_positive", lambda _: 7.0)  # a file that claims too few
    assert [step.total for step in unpack(video)] == [max(7, done) for done in range(1, FRAMES + 1)]
