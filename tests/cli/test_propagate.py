"""`sam-annotator propagate`, run as a person runs it, with the propagator that needs no weights."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.annotation import MANUAL, PROPAGATED, read_annotation, write_annotation
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.tracks import delete_object
from sam_annotator.core.videos import find_videos
from sam_annotator.engine import engines
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator

HEIGHT, WIDTH, FRAMES = 60, 90, 5


def disc(index: int) -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (x - 35 - 4 * index) ** 2 + (y - 30) ** 2 < 14**2


def make_video(folder: Path) -> None:
    """A red speckled ball that rolls over a grey meadow."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    meadow = cv2.GaussianBlur(random.integers(60, 200, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2)
    ball = random.integers((150, 0, 0), (240, 90, 90), (HEIGHT, WIDTH, 3))
    for index in range(FRAMES):
        frame = np.where(disc(index)[..., None], np.roll(ball, 4 * index, 1), meadow)
        Image.fromarray(frame.astype(np.uint8)).save(folder / f"{index:05}.png")


def annotate(root: Path, name: str, index: int, output: Path | None = None) -> None:
    video = next(video for video in find_videos(root) if video.name == name)
    shapes = mask_to_shapes(disc(index), label="ball", object_id=1, source=MANUAL)
    AnnotationStore(output).update(video, index, lambda frame: frame.with_object(1, shapes), WIDTH, HEIGHT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos, the first with a key frame at 0, the second at 2."""
    root = tmp_path / "my videos"
    for name, index in (("a", 0), ("b", 2)):
        make_video(root / name)
        annotate(root, name, index)
    return root


def propagate(root: Path, *options: str) -> int:
    return main(["propagate", str(root), "--propagator", "embedded", *options])


def all_files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.json"))}


def written(root: Path) -> list[str]:
    return [name.removesuffix(".json") for name in all_files(root)]


def test_all_videos_are_filled_after_their_key_frames(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert propagate(root) == 0
    assert written(root) == [*(f"a/{i:05}" for i in range(5)), *(f"b/{i:05}" for i in range(2, 5))]
    for index in range(1, FRAMES):
        (shape,) = read_annotation(root / "a" / f"{index:05}.json").shapes
        assert (shape.source, shape.label) == (PROPAGATED, "ball")
        assert iou(object_mask([shape], HEIGHT, WIDTH), disc(index)) > 0.8
    out, err = capsys.readouterr()
    assert "2 videos, 2 objects, 6 frames computed." in out
    assert "Doubtful" not in out, "the masks are good"
    assert "6/6" in err, "a bar over the frames of all videos that are written"
    assert "b: " in err
    assert "Propagator: embedded" in err


def test_an_object_that_is_gone_right_beside_its_key_frame_is_reported_once(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    propagate(root, "--direction", "both")
    video = find_videos(root)[1]
    for index in (0, 1, 3, 4):  # as after a loss: answered for, and not there
        path = root / "b" / f"{index:05}.json"
        annotation = read_annotation(path)
        write_annotation(path, replace(annotation, shapes=()))
    capsys.readouterr()
    assert propagate(root) == 0
    out = capsys.readouterr().out
    assert (
        f"  0.00  b  {video.frame_paths[1].name}  ball 1 vanishes before {video.frame_paths[2].name}; look at it" in out
    )
    assert (
        f"  0.00  b  {video.frame_paths[3].name}  ball 1 vanishes after {video.frame_paths[2].name}; look at it" in out
    )
    assert out.count("vanishes") == 2


def test_an_object_that_a_human_says_is_gone_does_not_vanish(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    propagate(root)
    path = root / "a" / "00001.json"
    annotation = read_annotation(path)
    write_annotation(path, replace(annotation, shapes=(), absent_ids=frozenset({1})))
    assert propagate(root) == 0
    assert "vanishes" not in capsys.readouterr().out


def test_both_fills_the_frames_before_the_first_key_frame_too(root: Path) -> None:
    assert propagate(root, "--direction", "both") == 0
    assert written(root) == [f"{video}/{i:05}" for video in "ab" for i in range(5)]


def test_a_second_run_has_nothing_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    propagate(root)
    before = all_files(root)
    capsys.readouterr()
    assert propagate(root) == 0
    assert all_files(root) == before
    assert "2 videos, 2 objects, 0 frames computed." in capsys.readouterr().out


def test_force_computes_what_was_propagated_anew_and_nothing_else(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    propagate(root)
    good = all_files(root)
    path = root / "a" / "00003.json"
    path.write_bytes(path.read_bytes().replace(b'"propagated",\n', b'"propagated",\n      "spoiled": true,\n'))
    assert path.read_bytes() != good["a/00003.json"]
    propagate(root)
    assert path.read_bytes() != good["a/00003.json"]
    propagate(root, "--force")
    assert all_files(root) == good
    capsys.readouterr()
    propagate(root, "--force")  # no file changes
    assert all_files(root) == good
    assert "2 videos, 2 objects, 6 frames computed." in capsys.readouterr().out


def test_what_a_person_deleted_is_not_computed_again(root: Path) -> None:
    propagate(root)
    (video, _) = find_videos(root)
    list(delete_object(video, AnnotationStore(), 1, [2], is_absent=True))
    kept = all_files(root)["a/00002.json"]
    assert propagate(root, "--force") == 0
    assert all_files(root)["a/00002.json"] == kept
    (shape,) = read_annotation(root / "a" / "00003.json").shapes
    assert iou(object_mask([shape], HEIGHT, WIDTH), disc(3)) > 0.8  # it was found again


def test_annotations_may_lie_apart(root: Path, tmp_path: Path) -> None:
    apart = tmp_path / "annotations"
    annotate(root, "b", 3, apart)
    beside = all_files(root)
    assert propagate(root, "--annotations", str(apart)) == 0
    assert written(apart) == ["b/00003", "b/00004"]
    assert all_files(root) == beside


def test_an_interrupted_run_goes_on_where_it_was(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(EmbeddedPropagator):
        def step(self, index, image, given, wanted):  # type: ignore[no-untyped-def]
            if index == 3:
                raise KeyboardInterrupt
            return super().step(index, image, given, wanted)

    with monkeypatch.context() as patch:
        patch.setattr(engines, "make_propagator", lambda *_: Interrupted())
        assert propagate(root) == 130
    assert written(root) == ["a/00000", "a/00001", "a/00002", "b/00002"]
    out, err = capsys.readouterr()
    assert "2 frames computed" in out
    assert "interrupted; what was done so far is kept" in err

    kept = all_files(root)
    assert propagate(root) == 0
    assert kept.items() <= all_files(root).items()
    assert len(written(root)) == 8


def test_frames_that_cannot_be_read_are_named_and_the_rest_is_done(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = root / "a" / "00002.png"
    picture.write_bytes(picture.read_bytes()[:500])
    (root / "b" / "00003.json").write_text("{")
    for _ in range(2):  # and again: they are still missing
        assert propagate(root) == 1
        out = capsys.readouterr().out
        assert "Skipped (2):" in out
        assert str(picture) in out
        assert str(root / "b" / "00003.json") in out
    assert "a/00004" in written(root)
    assert "b/00004" in written(root)
    assert (root / "b" / "00003.json").read_text() == "{"


def test_a_key_frame_without_its_image_is_named_and_other_videos_are_done(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "a" / "00000.png").write_bytes(b"no image")
    assert propagate(root) == 1
    assert "Nothing was filled from 00000.png to 00004.png" in capsys.readouterr().out
    assert "b/00004" in written(root)


def test_a_video_file_that_was_never_unpacked_is_left_out_and_said(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "holiday.mp4").write_bytes(b"never looked into")
    assert propagate(root) == 0
    assert "never unpacked; open them in the window first: holiday.mp4" in capsys.readouterr().out


def test_a_folder_without_key_frames_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_video(tmp_path / "a")
    assert propagate(tmp_path) == 2
    assert "There are no key frames in" in capsys.readouterr().err
    (tmp_path / "a" / "00001.json").write_text("{")
    assert propagate(tmp_path) == 2
    assert "00001.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--annotations", "nowhere"], "nowhere given with --annotations does not exist"),
        (["--propagator", "magic"], "There is no propagator 'magic'"),
        (["--models", "nowhere"], "nowhere given with --models does not exist"),
    ],
)
def test_options_that_lead_nowhere_are_one_sentence(
    root: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
) -> None:
    assert propagate(root, *options) == 2
    assert sentence in capsys.readouterr().err


def test_a_missing_folder_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert propagate(tmp_path / "nowhere") == 2
    assert "nowhere does not exist" in capsys.readouterr().err


def test_it_works_without_qt_labelme_or_torch(root: Path) -> None:
    program = (
        "import sys; from sam_annotator.cli import main; code = main(sys.argv[1:]); "
        "print([name for name in ('PyQt5', 'labelme', 'torch', 'segment_anything') if name in sys.modules]); "
        "sys.exit(code)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, "propagate", str(root)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["propagate", "--help"])
    assert "sam-annotator propagate /data/videos --annotations" in capsys.readouterr().out
