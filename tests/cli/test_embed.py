"""`sam-annotator embed VIDEOS`: what it says, what it keeps, and that it goes on where it was stopped."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.cli.embed import parse_bytes
from sam_annotator.core.errors import EngineError
from sam_annotator.core.images import read_image
from sam_annotator.engine.embedding_files import EmbeddingFiles, default_folder, digest_of, read_budget
from sam_annotator.engine.embeddings import Embeddings
from sam_annotator.engine.engines import EngineOptions
from sam_annotator.engine.sam.segmenter import SamSegmenter, encoder_key
from sam_annotator.engine.segmenter import Embedding
from sam_annotator.gui.engine_jobs import EngineJobs
from tests.engine.small_sam import small_sam


class CountingSam(SamSegmenter):
    """A small SAM that counts the frames it encodes, and may do something before the nth."""

    def __init__(self) -> None:
        model = small_sam()
        super().__init__(model, name="a small SAM, cpu", key=encoder_key(model))
        self.frames = 0
        self.before: Callable[[int], None] = lambda _frame: None

    def encode(self, image: NDArray[np.uint8], should_stop: object = None) -> Embedding:
        if image.any():  # not the black one that tells the size of an embedding
            self.before(self.frames)
            self.frames += 1
        return super().encode(image)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def sam(monkeypatch: pytest.MonkeyPatch) -> CountingSam:
    segmenter = CountingSam()
    asked: list[EngineOptions] = []

    def make(options: EngineOptions, *_report: Any) -> CountingSam:
        asked.append(options)
        return segmenter

    monkeypatch.setattr("sam_annotator.engine.engines.make_segmenter", make)
    return segmenter


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, frames in (("cat", 4), ("dog", 3)):
        (tmp_path / "videos" / name).mkdir(parents=True)
        for index in range(frames):
            image = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            image.save(tmp_path / "videos" / name / f"{index:03}.png")
    return tmp_path / "videos"


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.embedding"))


def test_the_frames_of_all_videos_are_kept_in_the_users_cache_and_found_by_the_window(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["embed", str(videos)]) == 0
    said = capsys.readouterr()
    assert said.out == "7 frames encoded, 0 encoded before.\n"
    assert "a small SAM, cpu" in said.err
    assert "7/7" in said.err
    assert len(kept(default_folder())) == 7
    jobs = EngineJobs({})
    for path in sorted(videos.rglob("*.png")):
        assert list(jobs.prepare(path)) in ([], ["loading the segmenter"])
    assert sam.frames == 7


def test_a_kept_frame_answers_as_one_that_is_encoded_now(sam: CountingSam, videos: Path) -> None:
    main(["embed", str(videos)])
    path = videos / "cat" / "002.png"
    found = Embeddings(sam, EmbeddingFiles(default_folder(), sam.key)).find(path)
    assert found is not None
    fresh = sam.encode(read_image(path))
    assert np.allclose(found.arrays["features"], fresh.arrays["features"], rtol=1e-3, atol=1e-3)
    assert found.image_size == fresh.image_size


def test_a_second_run_encodes_only_what_is_new_changed_or_damaged(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["embed", str(videos)])
    Image.new("RGB", (40, 30), "red").save(videos / "cat" / "001.png")
    damaged = kept(default_folder())
    digest = digest_of((videos / "dog" / "000.png").read_bytes())
    (path,) = (one for one in damaged if one.stem == digest)
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert main(["embed", str(videos)]) == 0
    assert capsys.readouterr().out == "2 frames encoded, 5 encoded before.\n"
    assert sam.frames == 9


def test_interrupted_it_keeps_what_is_done_and_goes_on_from_there(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(frame: int) -> None:
        if frame == 3:
            raise KeyboardInterrupt

    threads = threading.active_count()
    sam.before = interrupt
    assert main(["embed", str(videos)]) == 130
    assert capsys.readouterr().out == "3 frames encoded, 0 encoded before.\n"
    assert len(kept(default_folder())) == 3
    assert threading.active_count() == threads
    sam.before = lambda _frame: None
    assert main(["embed", str(videos)]) == 0
    assert capsys.readouterr().out == "4 frames encoded, 3 encoded before.\n"


def test_every_nth_frame_of_each_video(sam: CountingSam, videos: Path, tmp_path: Path) -> None:
    assert main(["embed", str(videos), "--every", "2", "--embeddings", str(tmp_path / "kept")]) == 0
    expected = {
        digest_of((videos / name).read_bytes()) for name in ("cat/000.png", "cat/002.png", "dog/000.png", "dog/002.png")
    }
    assert {path.stem for path in kept(tmp_path / "kept")} == expected
    assert not default_folder().exists()


def test_several_videos_may_be_named(sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", str(videos / "dog"), str(videos / "cat")]) == 0
    assert capsys.readouterr().out.startswith("7 frames encoded")


def test_it_says_before_it_begins_how_many_frames_fit_and_encodes_no_more(
    sam: CountingSam, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept"
    main(["embed", str(videos / "cat"), "--embeddings", str(folder)])
    size = kept(folder)[0].stat().st_size
    capsys.readouterr()
    arguments = ["embed", str(videos), "--embeddings", str(folder), "--budget", str(5 * size + 200)]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert "7 frames of" in said.err
    assert "room for 5, so the last 2 are left out" in said.err
    assert said.err.index("room for 5") < said.err.index("5/5")
    assert said.out == (
        "1 frame encoded, 4 encoded before.\n2 frames left out; choose a larger --budget, or fewer frames: --every N.\n"
    )
    assert len(kept(folder)) == 5
    assert read_budget(folder) == 5 * size + 200


def test_older_embeddings_make_room_for_these(sam: CountingSam, videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    main(["embed", str(videos / "cat"), "--embeddings", str(folder)])
    size = kept(folder)[0].stat().st_size
    assert main(["embed", str(videos / "dog"), "--embeddings", str(folder), "--budget", str(3 * size + 200)]) == 0
    assert {path.stem for path in kept(folder)} == {digest_of(path.read_bytes()) for path in (videos / "dog").iterdir()}


def test_a_smaller_budget_is_kept_at_once_and_what_was_wanted_stays(
    sam: CountingSam, videos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    main(["embed", str(videos), "--embeddings", str(folder)])
    size = kept(folder)[0].stat().st_size
    assert main(["embed", str(videos / "cat"), "--embeddings", str(folder), "--budget", str(4 * size + 200)]) == 0
    assert {path.stem for path in kept(folder)} == {digest_of(path.read_bytes()) for path in (videos / "cat").iterdir()}
    assert sam.frames == 7


def test_the_window_keeps_to_the_budget_that_was_chosen_here(sam: CountingSam, videos: Path) -> None:
    main(["embed", str(videos), "--budget", "40GB"])
    assert EmbeddingFiles(default_folder(), sam.key).budget == 40 * 10**9


def test_a_frame_that_cannot_be_read_is_named_and_the_others_are_encoded(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "cat" / "001.png").write_bytes(b"no image")
    assert main(["embed", str(videos)]) == 1
    output = capsys.readouterr().out
    assert output.startswith("6 frames encoded")
    assert str(videos / "cat" / "001.png") in output


def test_a_video_file_that_was_never_unpacked_is_named(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (videos / "film.mp4").write_bytes(b"a film")
    assert main(["embed", str(videos)]) == 1
    assert "open them in the window first: film.mp4." in capsys.readouterr().out


@pytest.mark.parametrize("budget", [(), ("--budget", "1GB")])
def test_a_file_in_place_of_the_folder_is_refused_with_what_to_do_before_anything_is_loaded(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], budget: tuple[str, ...]
) -> None:
    (tmp_path / "hostname").write_text("a file")
    assert main(["embed", str(videos), "--embeddings", str(tmp_path / "hostname"), *budget]) == 2
    said = capsys.readouterr()
    assert f"{tmp_path / 'hostname'} is no folder" in said.err
    assert "--embeddings DIR" in said.err
    assert "--output" not in said.err
    assert not said.out


def test_a_folder_that_cannot_be_written_is_said_with_this_commands_own_option(
    sam: CountingSam, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / sam.key).write_text("where a folder should be made")
    assert main(["embed", str(videos), "--embeddings", str(folder)]) == 2
    said = capsys.readouterr().err
    assert f"Embeddings cannot be kept in {folder}" in said
    assert "--embeddings DIR" in said
    assert "--output" not in said


def test_a_full_disk_is_not_blamed_on_the_budget(
    sam: CountingSam, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    assert main(["embed", str(videos), "--embeddings", str(tmp_path / "kept")]) == 1
    said = capsys.readouterr().out
    assert f"7 frames left out; make room on the disk of {tmp_path / 'kept'}" in said
    assert "--budget" not in said


def test_the_embedded_segmenter_has_nothing_worth_storing(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", str(videos), "--sam", "embedded"]) == 2
    captured = capsys.readouterr()
    said = captured.err
    assert not captured.out  # no summary of what never began
    assert "nothing worth storing" in said
    assert "--sam" in said
    assert not default_folder().exists()


def test_a_segmenter_that_fails_is_one_sentence_and_what_was_done_is_kept(
    sam: CountingSam, videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(frame: int) -> None:
        if frame == 2:
            raise EngineError("The model ran out of memory.")

    sam.before = fail
    assert main(["embed", str(videos)]) == 2
    said = capsys.readouterr()
    assert said.out == "2 frames encoded, 0 encoded before.\n"
    assert said.err.endswith("sam-annotator: The model ran out of memory.\n")
    assert len(kept(default_folder())) == 2


def test_a_folder_that_cannot_be_written_is_named(
    sam: CountingSam, videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("a file")
    assert main(["embed", str(videos), "--embeddings", str(tmp_path / "taken" / "kept")]) == 2
    assert "taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], {"embeddings": None}),
        (["--embeddings", "kept"], {"embeddings": Path("kept")}),
        (["--no-embedding-cache", "--frames-ahead", "0"], {"keep_embeddings": False, "frames_ahead": 0}),
        (["--frames-ahead", "12"], {"frames_ahead": 12}),
    ],
)
def test_the_window_is_told_what_to_keep_and_how_far_to_encode_ahead(
    arguments: list[str], expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, object]] = []
    monkeypatch.setattr("sam_annotator.gui.app.run_window", lambda **options: opened.append(options["engines"]) or 0)
    assert main(arguments) == 0
    (engines,) = opened
    assert engines.items() >= expected.items()
    EngineJobs(engines)


@pytest.mark.parametrize(
    ("text", "size"),
    [("200GB", 200 * 10**9), ("1.5 tb", 1500 * 10**9), ("500M", 500 * 10**6), ("10k", 10**4), ("7", 7), ("3 B", 3)],
)
def test_sizes_are_written_as_people_write_them(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("option", [["--budget", "much"], ["--budget", "5 horses"], ["--every", "0"], ["--every", "x"]])
def test_what_is_no_size_or_number_is_refused(
    option: list[str], videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["embed", str(videos), *option])
    assert option[1] in capsys.readouterr().err
