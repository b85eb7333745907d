"""Folders as people keep them: every video is found once, in natural order, and nothing else is taken for one."""

import os
import time
from pathlib import Path

import pytest

from sam_annotator.core import videos as videos_module
from sam_annotator.core.errors import InputError
from sam_annotator.core.videos import IMAGE_SUFFIXES, VIDEO_SUFFIXES, Video, find_videos


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path) -> list[str]:
    return [video.name for video in find_videos(root)]


def test_each_folder_of_images_is_a_video(tmp_path: Path) -> None:
    make(tmp_path, "swan/0.jpg", "swan/1.jpg", "duck/0.png", "notes/readme.txt", "empty/.keep")
    assert found(tmp_path) == ["duck", "swan"]


def test_videos_and_frames_come_in_natural_order(tmp_path: Path) -> None:
    make(tmp_path, *(f"video{i}/frame{j}.jpg" for i in (10, 9, 1) for j in (2, 10, 1)))
    assert found(tmp_path) == ["video1", "video9", "video10"]
    frames = find_videos(tmp_path)[0].frame_paths
    assert [frame.name for frame in frames] == ["frame1.jpg", "frame2.jpg", "frame10.jpg"]


def test_numbers_with_and_without_leading_zeros_have_one_order(tmp_path: Path) -> None:
    make(tmp_path, "b/1.jpg", "b/01.jpg", "b/001.jpg", "b/2.jpg")
    frames = find_videos(tmp_path)[0].frame_paths
    assert [frame.name for frame in frames] == ["001.jpg", "01.jpg", "1.jpg", "2.jpg"]


def test_splits_are_looked_into_to_any_depth(tmp_path: Path) -> None:
    make(tmp_path, "JPEGImages/train/00000/0.jpg", "JPEGImages/train/00001/0.jpg", "JPEGImages/val/00000/0.jpg")
    deep = "/".join("abcdefghij" * 5)
    make(tmp_path, f"{deep}/0.jpg")
    assert found(tmp_path) == [
        "JPEGImages/train/00000",
        "JPEGImages/train/00001",
        "JPEGImages/val/00000",
        deep,
    ]


def test_order_goes_by_folder_then_by_video(tmp_path: Path) -> None:
    make(tmp_path, "a/10/0.jpg", "a/9/0.jpg", "a b/1/0.jpg", "a2/1/0.jpg")
    assert found(tmp_path) == ["a/9", "a/10", "a2/1", "a b/1"]


def test_a_folder_that_itself_holds_frames_is_one_video(tmp_path: Path) -> None:
    root = make(tmp_path / "swan", "0.jpg", "1.jpg", "0.json")
    (video,) = find_videos(root)
    assert (video.name, video.folder, video.source, len(video)) == ("swan", root, None, 2)
    assert not video.needs_unpacking


def test_a_stray_image_beside_the_videos_does_not_hide_them(tmp_path: Path) -> None:
    make(tmp_path / "davis", "cover.jpg", "swan/0.jpg", "davis/0.jpg", "clip.mp4")
    assert found(tmp_path / "davis") == ["clip", "davis", "davis_", "swan"]


def test_below_the_root_nothing_is_looked_for_in_a_video(tmp_path: Path) -> None:
    make(tmp_path, "swan/0.jpg", "swan/masks/0.png")
    assert found(tmp_path) == ["swan"]


def test_every_kind_of_image_counts_and_nothing_else_does(tmp_path: Path) -> None:
    kinds = [*IMAGE_SUFFIXES, *(suffix.upper() for suffix in IMAGE_SUFFIXES)]
    make(tmp_path, *(f"v/{i}{suffix}" for i, suffix in enumerate(kinds)))
    make(tmp_path, "v/a.txt", "v/a.json", "v/.hidden.jpg", "v/._a.jpg", "v/jpg", "v/Thumbs.db", "v/a.jpg.part")
    (tmp_path / "v" / "folder.jpg").mkdir()
    (video,) = find_videos(tmp_path)
    assert [path.name for path in video.frame_paths] == [f"{i}{suffix}" for i, suffix in enumerate(kinds)]


def test_images_that_would_share_one_annotation_file_are_one_frame(tmp_path: Path) -> None:
    make(tmp_path, "v/0.png", "v/0.jpg", "v/1.png", "v/2.webp", "v/2.bmp")
    (video,) = find_videos(tmp_path)
    assert [path.name for path in video.frame_paths] == ["0.jpg", "1.png", "2.bmp"]


def test_hidden_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, ".cache/0.jpg", "swan/0.jpg", "swan2/.thumbnails/0.jpg")
    assert found(tmp_path) == ["swan"]


@pytest.mark.parametrize("name", ["Ein Schwan", "видео", "動画", "a'b\"c", "emoji 🦢", "50%d", "e\u0301"])
def test_names_may_have_spaces_and_any_letters(tmp_path: Path, name: str) -> None:
    make(tmp_path, f"{name}/Bild {name}.jpg")
    (video,) = find_videos(tmp_path)
    assert video.name == name
    assert video.frame_paths[0].is_file()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_is_not_utf8_is_no_trouble(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    open(folder + b"/0.jpg", "w").close()
    (video,) = find_videos(tmp_path)
    assert len(video) == 1


def test_folders_behind_links_are_found_and_loops_end(tmp_path: Path) -> None:
    make(tmp_path / "disk", "00000/0.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "disk")
    (root / "self").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (root / "broken").symlink_to(tmp_path / "gone")
    assert found(root) == ["linked/00000"]


def test_a_folder_that_can_be_reached_twice_is_one_video(tmp_path: Path) -> None:
    make(tmp_path, "a/0.jpg")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert found(tmp_path) == ["a"]


def test_frames_may_be_links(tmp_path: Path) -> None:
    make(tmp_path / "disk", "x")
    (tmp_path / "root" / "v").mkdir(parents=True)
    (tmp_path / "root" / "v" / "0.jpg").symlink_to(tmp_path / "disk" / "x")
    assert [len(video) for video in find_videos(tmp_path / "root")] == [1]


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, ".MP4"])
def test_a_video_file_is_a_video_that_needs_unpacking(tmp_path: Path, suffix: str) -> None:
    make(tmp_path, f"sub/swan{suffix}")
    (video,) = find_videos(tmp_path)
    assert video.name == "sub/swan"
    assert video.folder == tmp_path / "sub" / "swan"
    assert video.source == tmp_path / "sub" / f"swan{suffix}"
    assert video.needs_unpacking
    assert len(video) == 0
    assert video  # no frames yet, but a video


def test_a_video_file_may_be_opened_itself(tmp_path: Path) -> None:
    make(tmp_path, "swan.mp4", "duck.mp4")
    (video,) = find_videos(tmp_path / "swan.mp4")
    assert (video.name, video.source) == ("swan", tmp_path / "swan.mp4")


def test_video_files_that_differ_only_in_the_suffix_get_folders_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "swan.mp4", "swan.mov", "swan_mp4.mkv")
    videos = {video.source.name: video.folder.name for video in find_videos(tmp_path)}
    assert videos == {"swan.mov": "swan", "swan.mp4": "swan_mp4", "swan_mp4.mkv": "swan_mp4_mkv"}
    assert {source: find_videos(tmp_path / source)[0].folder.name for source in videos} == videos


def test_somebody_elses_folder_is_a_video_of_its_own(tmp_path: Path) -> None:
    make(tmp_path, "swan.mp4", "swan/0.jpg", "swan_mp4/notes.txt")
    videos = {video.name: video.source for video in find_videos(tmp_path)}
    assert videos == {"swan": None, "swan_mp4_2": tmp_path / "swan.mp4"}


def test_an_empty_folder_of_the_right_name_is_used(tmp_path: Path) -> None:
    make(tmp_path, "swan.mp4")
    (tmp_path / "swan").mkdir()
    assert found(tmp_path) == ["swan"]


def test_frames_are_listed_once_until_refreshed(tmp_path: Path) -> None:
    make(tmp_path, "v/0.jpg")
    (video,) = find_videos(tmp_path)
    assert len(video) == 1
    make(tmp_path, "v/1.jpg")
    assert len(video) == 1
    video.refresh()
    assert len(video) == 2


def test_a_video_is_a_value(tmp_path: Path) -> None:
    make(tmp_path, "v/0.jpg")
    (first,), (second,) = find_videos(tmp_path), find_videos(tmp_path)
    assert first.frame_paths
    assert first == second == Video("v", tmp_path / "v")
    assert hash(first) == hash(second)


def test_a_relative_root_gives_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "v/0.jpg")
    monkeypatch.chdir(tmp_path)
    assert find_videos(Path("."))[0].frame_paths == (tmp_path / "v" / "0.jpg",)
    monkeypatch.chdir(tmp_path / "v")
    assert found(Path(".")) == ["v"]


@pytest.mark.parametrize(
    ("names", "root", "sentence"),
    [
        ([], "gone", r"gone does not exist\. Give a folder"),
        (["notes.txt"], "notes.txt", r"notes\.txt is not a video file \(mp4, mov, avi, mkv, webm\)\."),
        (["frame.jpg"], "frame.jpg", r"frame\.jpg is not a video file"),
        (["x/.keep"], "x", r"x is empty\."),
        (["x/y/.keep"], "x", r"x holds no videos"),
        (["x/notes.txt", "x/y/0.json"], "x", r"x holds no videos: .*jpg.*mp4"),
    ],
)
def test_what_holds_no_video_is_an_error_in_one_sentence(
    tmp_path: Path, names: list[str], root: str, sentence: str
) -> None:
    make(tmp_path, *names)
    with pytest.raises(InputError, match=sentence):
        find_videos(tmp_path / root)


def test_a_folder_without_permission_is_an_error_only_if_it_is_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "swan/0.jpg", "lost+found/0.jpg")
    scan = os.scandir

    def forbidding(folder: Path) -> object:  # tests may run as root, whom chmod does not stop
        if Path(folder).name == "lost+found":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(videos_module.os, "scandir", forbidding)
    assert found(tmp_path) == ["swan"]
    with pytest.raises(InputError, match=r"lost\+found cannot be read \(Permission denied\)\."):
        find_videos(tmp_path / "lost+found")
    with pytest.raises(InputError, match=r"lost\+found cannot be read \(Permission denied\)\."):
        len(Video("lost+found", tmp_path / "lost+found"))


def test_a_video_that_has_gone_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone is not there any more"):
        len(Video("gone", tmp_path / "gone"))


def test_five_thousand_videos_are_found_without_listing_their_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(5000):
        folder = tmp_path / "train" / f"{i:05d}"
        folder.mkdir(parents=True)
        for j in range(2):
            (folder / f"{j}.jpg").touch()
    looked_at = 0
    suffix = videos_module._suffix

    def counting(name: str) -> str:
        nonlocal looked_at
        looked_at += 1
        return suffix(name)

    monkeypatch.setattr(videos_module, "_suffix", counting)
    start = time.perf_counter()
    videos = find_videos(tmp_path)
    took = time.perf_counter() - start
    assert len(videos) == 5000
    assert looked_at <= 5001
    assert took < 5, f"{took:.2f} s; a third of a second is usual"


def test_the_shared_videos_are_found(shared: Path) -> None:
    (biker,) = find_videos(shared / "videos")
    assert (biker.name, biker.source) == ("biker", shared / "videos" / "biker.mp4")
    lengths = {video.name: len(video) for video in find_videos(shared / "davis_dev" / "JPEGImages")}
    assert lengths["blackswan"] == 50
