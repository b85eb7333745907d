"""Videos found by the names that datasets give them: never another's."""

from pathlib import Path

import pytest

from sam_annotator.cli import main
from sam_annotator.core.datasets.mask_sources import read_dataset, reading_masks
from sam_annotator.core.datasets.masked_video import MaskedVideos, VideoFinder, split_frame_name
from sam_annotator.core.errors import InputError
from sam_annotator.core.steps import finished
from sam_annotator.core.videos import Video
from tests.small_dataset import HEIGHT, WIDTH, blob, document, ring, write_frames, write_json


def found(name: str, *videos: str) -> str | None:
    video = VideoFinder([Video(other, Path(other)) for other in videos]).find(name)
    return None if video is None else video.name


@pytest.mark.parametrize(
    ("name", "videos", "expected"),
    [
        ("lake", ["hill", "lake"], "lake"),
        ("lake", ["train/lake", "lake"], "lake"),
        ("lake", ["train/lake", "train/hill"], "train/lake"),
        ("lake", ["train/lake", "val/lake"], None),
        ("train/lake", ["lake"], "lake"),
        ("val/lake", ["train/lake"], None),
        ("train/lake", ["JPEGImages/train/lake", "JPEGImages/val/lake"], "JPEGImages/train/lake"),
        ("val_lake", ["train/lake", "val/lake"], "val/lake"),
        ("lake", ["greatlake"], None),
        ("", ["lake"], "lake"),
        ("", ["lake", "hill"], None),
    ],
)
def test_a_video_is_found_by_its_name_or_by_how_it_ends(name: str, videos: list[str], expected: str | None) -> None:
    assert found(name, *videos) == expected


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("lake/00000.jpg", ("lake", "00000")),
        ("train\\lake\\f.1.png", ("train/lake", "f.1")),
        ("00000.jpg", ("", "00000")),
    ],
)
def test_names_of_frames_are_split_with_either_slash(file_name: str, expected: tuple[str, str]) -> None:
    assert split_frame_name(file_name) == expected


def test_the_size_of_a_video_is_known_without_its_masks(tmp_path: Path) -> None:
    path = write_json(tmp_path / "train.json", document({"lake": (3, [(3, [blob(1, 1), None, ring()])])}))
    write_frames(tmp_path / "videos", "lake", 3)
    main(["import", str(path), f"--videos={tmp_path}/videos", f"--output={tmp_path}/ann"])
    main(["export-masks", f"{tmp_path}/ann", f"--videos={tmp_path}/videos", f"--output={tmp_path}/davis"])
    (tmp_path / "davis/Annotations/lake/00000.png").write_bytes(b"damaged")
    (tmp_path / "ann/lake/00000.json").write_text("damaged")
    sources = [read_dataset(path), read_dataset(tmp_path / "davis")]
    sources.append(finished(reading_masks(tmp_path / "ann", tmp_path / "videos")))
    assert [(video.width, video.height) for source in sources for video in source.videos] == [(WIDTH, HEIGHT)] * 3


def test_no_video_at_all_is_told_with_the_reasons() -> None:
    with pytest.raises(InputError, match="No video of this can be used:\n  it is raining"):
        MaskedVideos((), ("it is raining",)).check()
