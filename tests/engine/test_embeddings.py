"""Where embeddings come from: what is known is never computed again, what was changed is never taken for known."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.errors import EngineError, ImageError
from sam_annotator.core.masks import iou
from sam_annotator.core.prompt import Prompt
from sam_annotator.engine import embedding_files
from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter
from sam_annotator.engine.embedding_files import EmbeddingFiles
from sam_annotator.engine.embeddings import Embeddings
from sam_annotator.engine.sam.segmenter import SamSegmenter, encoder_key
from sam_annotator.engine.segmenter import Embedding, Segmenter
from tests.engine.small_sam import small_sam

SIZE = 400  # bytes of one of CountingSegmenter's embeddings
CLICK = Prompt(points=((60.0, 45.0),), includes=(True,))


class CountingSegmenter:
    """Embeddings of SIZE bytes that hold the image's first value."""

    name, key = "counting, cpu", "counting-1"

    def __init__(self) -> None:
        self.encoded: list[int] = []

    def encode(self, image: NDArray[np.uint8], should_stop: object = None) -> Embedding:
        self.encoded.append(int(image[0, 0, 0]))
        return Embedding(image.shape[:2], {"value": np.full(SIZE // 4, image[0, 0, 0], np.float32)})


def paint(path: Path, value: int) -> Path:
    Image.fromarray(np.full((6, 8, 3), value, np.uint8)).save(path)
    return path


def value_of(embedding: Embedding | None) -> float | None:
    return None if embedding is None else float(embedding.arrays["value"][0])


@pytest.fixture
def frames(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "video"
    folder.mkdir()
    return [paint(folder / f"{index}.png", 10 * index) for index in range(10)]


@pytest.fixture
def segmenter() -> CountingSegmenter:
    return CountingSegmenter()


@pytest.fixture
def files(tmp_path: Path) -> EmbeddingFiles:
    return EmbeddingFiles(tmp_path / "kept", "counting-1")


def test_what_is_known_is_not_encoded_again(frames: list[Path], segmenter: CountingSegmenter) -> None:
    embeddings = Embeddings(segmenter)
    assert embeddings.find(frames[2]) is None
    made = embeddings.make(frames[2])
    assert embeddings.find(frames[2]) is made
    assert embeddings.make(frames[2]) is made
    assert segmenter.encoded == [20]
    assert embeddings.encoded == {frames[2]}


def test_a_changed_file_is_forgotten_even_with_its_old_size_and_time(
    frames: list[Path], segmenter: CountingSegmenter
) -> None:
    embeddings = Embeddings(segmenter)
    embeddings.make(frames[1])
    before = frames[1].stat()
    paint(frames[1], 11)
    os.utime(frames[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert frames[1].stat().st_size == before.st_size
    assert embeddings.find(frames[1]) is None
    assert embeddings.encoded == frozenset()
    assert value_of(embeddings.make(frames[1])) == 11


def test_a_file_that_was_only_touched_or_linked_to_is_still_known(
    frames: list[Path], segmenter: CountingSegmenter, tmp_path: Path
) -> None:
    embeddings = Embeddings(segmenter)
    made = embeddings.make(frames[1])
    os.utime(frames[1], (1, 1))
    assert embeddings.find(frames[1]) is made
    os.link(frames[1], tmp_path / "link.png")
    assert embeddings.find(frames[1]) is made


def test_a_file_that_is_gone_is_an_error_that_names_it(frames: list[Path], segmenter: CountingSegmenter) -> None:
    embeddings = Embeddings(segmenter)
    embeddings.make(frames[1])
    frames[1].unlink()
    assert embeddings.find(frames[1]) is None
    with pytest.raises(ImageError, match=r"1\.png"):
        embeddings.make(frames[1])


def test_a_file_that_changes_while_it_is_encoded_is_not_remembered_as_either(
    frames: list[Path], segmenter: CountingSegmenter, files: EmbeddingFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode(image: NDArray[np.uint8], _should_stop: object) -> Embedding:
        paint(frames[1], 99)
        return CountingSegmenter.encode(segmenter, image)

    embeddings = Embeddings(segmenter, files)
    with monkeypatch.context() as patch:
        patch.setattr(segmenter, "encode", encode)
        assert value_of(embeddings.make(frames[1])) == 10
    assert embeddings.find(frames[1]) is None
    assert value_of(embeddings.make(frames[1])) == 99


def test_a_segmenter_that_fails_leaves_nothing_behind(
    frames: list[Path], segmenter: CountingSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_image: NDArray[np.uint8], _should_stop: object) -> Embedding:
        raise EngineError("out of memory")

    embeddings = Embeddings(segmenter)
    with monkeypatch.context() as patch:
        patch.setattr(segmenter, "encode", fail)
        with pytest.raises(EngineError):
            embeddings.make(frames[0])
    assert embeddings.encoded == frozenset()
    assert value_of(embeddings.make(frames[0])) == 0


def test_the_frame_farthest_from_the_person_goes_first(frames: list[Path], segmenter: CountingSegmenter) -> None:
    embeddings = Embeddings(segmenter, budget=3 * SIZE)
    places = {path: index for index, path in enumerate(frames)}
    embeddings.look_from(places, 2)
    for index in (0, 2, 3):
        embeddings.make(frames[index])
    embeddings.look_from(places, 4)
    embeddings.make(frames[4])
    assert embeddings.encoded == {frames[2], frames[3], frames[4]}


def test_frames_of_another_video_go_before_those_of_this_one_the_oldest_first(
    frames: list[Path], segmenter: CountingSegmenter, tmp_path: Path
) -> None:
    embeddings = Embeddings(segmenter, budget=3 * SIZE)
    others = [paint(tmp_path / f"other{index}.png", index) for index in range(2)]
    embeddings.make(others[0])
    embeddings.make(others[1])
    embeddings.find(others[0])
    embeddings.look_from({path: index for index, path in enumerate(frames)}, 0)
    embeddings.make(frames[9])
    embeddings.make(frames[0])
    assert embeddings.encoded == {others[0], frames[9], frames[0]}


def test_one_embedding_is_kept_however_small_the_budget(frames: list[Path], segmenter: CountingSegmenter) -> None:
    embeddings = Embeddings(segmenter, budget=1)
    for index in (0, 1, 1, 0):
        embeddings.make(frames[index])
        assert len(embeddings.encoded) == 1


@settings(max_examples=40, deadline=None)
@given(
    visits=st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=25),
    room=st.integers(1, 6),
    with_files=st.booleans(),
)
def test_in_whatever_order_frames_are_visited_and_changed_each_has_its_own_embedding(
    tmp_path_factory: pytest.TempPathFactory, visits: list[tuple[int, bool]], room: int, with_files: bool
) -> None:
    folder = tmp_path_factory.mktemp("video")
    paths = [paint(folder / f"{index}.png", index) for index in range(10)]
    places = {path: index for index, path in enumerate(paths)}
    values = list(range(10))
    files = EmbeddingFiles(folder / "kept", "counting-1") if with_files else None
    embeddings = Embeddings(CountingSegmenter(), files, budget=room * SIZE)
    for index, is_changed in visits:
        if is_changed:
            values[index] = (values[index] + 50) % 256
            paint(paths[index], values[index])
        embeddings.look_from(places, index)
        assert value_of(embeddings.make(paths[index])) == values[index]
        assert value_of(embeddings.find(paths[index])) == values[index]
        assert len(embeddings.encoded) <= room


def test_another_session_finds_what_was_encoded_in_files(
    frames: list[Path], segmenter: CountingSegmenter, files: EmbeddingFiles
) -> None:
    Embeddings(segmenter, files).make(frames[3])
    again = Embeddings(segmenter, files)
    assert value_of(again.find(frames[3])) == 30
    assert again.encoded == {frames[3]}
    assert segmenter.encoded == [30]


def test_a_copy_of_a_video_needs_no_encoding(
    frames: list[Path], segmenter: CountingSegmenter, files: EmbeddingFiles, tmp_path: Path
) -> None:
    Embeddings(segmenter, files).make(frames[3])
    (tmp_path / "copy.png").write_bytes(frames[3].read_bytes())
    assert Embeddings(segmenter, files).find(tmp_path / "copy.png") is not None


def test_a_damaged_file_is_computed_anew_and_replaced(
    frames: list[Path], segmenter: CountingSegmenter, files: EmbeddingFiles
) -> None:
    Embeddings(segmenter, files).make(frames[3])
    (kept,) = files.folder.rglob("*.embedding")
    kept.write_bytes(kept.read_bytes()[:-5])
    embeddings = Embeddings(segmenter, files)
    assert embeddings.find(frames[3]) is None
    embeddings.make(frames[3])
    assert segmenter.encoded == [30, 30]
    assert Embeddings(segmenter, files).find(frames[3]) is not None


def test_files_that_cannot_be_written_stop_nobody_and_are_still_read(
    frames: list[Path], segmenter: CountingSegmenter, files: EmbeddingFiles, caplog: pytest.LogCaptureFixture
) -> None:
    Embeddings(segmenter, files).make(frames[0])
    (kept,) = files.folder.rglob("*.embedding")
    for digits in range(256):  # files where folders would be
        (kept.parent.parent / f"{digits:02x}").touch() if f"{digits:02x}" != kept.parent.name else None
    embeddings = Embeddings(segmenter, files)
    for frame in frames[1:4]:
        assert embeddings.make(frame) is not None
    assert caplog.text.count("in memory only") == 1
    assert embeddings.find(frames[0]) is not None


# --- with real segmenters -------------------------------------------------------------------------------------------


def picture(path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    image = np.full((90, 130, 3), (60, 110, 70), np.uint8)
    image[25:70, 40:95] = (200, 60, 50)
    noise = rng.integers(-12, 12, image.shape)
    Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def make_small_sam() -> SamSegmenter:
    model = small_sam()
    return SamSegmenter(model, name="a small SAM", key=encoder_key(model))


@pytest.mark.parametrize("make", [make_small_sam, EmbeddedSegmenter])
def test_an_embedding_answers_as_the_image_itself_whatever_was_used_before(
    make: type[Segmenter], tmp_path: Path
) -> None:
    first, second = picture(tmp_path / "1.png", 1), picture(tmp_path / "2.png", 2)
    segmenter = make()
    segmenter.set_image(np.asarray(Image.open(second)))
    expected = segmenter.predict(CLICK)
    kept = [segmenter.encode(np.asarray(Image.open(path))) for path in (first, second)]
    assert np.array_equal(segmenter.predict(CLICK)[0].mask, expected[0].mask)  # encoding leaves the one in use
    segmenter.use(kept[0])
    segmenter.predict(CLICK)
    segmenter.use(kept[1])
    for answer, wanted in zip(segmenter.predict(CLICK), expected, strict=True):
        assert np.array_equal(answer.mask, wanted.mask)
        assert answer.score == wanted.score
    assert kept[1].image_size == (90, 130)
    assert kept[1].nbytes == sum(array.nbytes for array in kept[1].arrays.values()) > 0


def test_the_embedding_of_another_segmenter_is_refused_and_no_image_is_in_use(tmp_path: Path) -> None:
    path = picture(tmp_path / "1.png")
    image = np.asarray(Image.open(path))
    sam, embedded = make_small_sam(), EmbeddedSegmenter()
    for segmenter, strange in ((sam, embedded.encode(image)), (embedded, sam.encode(image))):
        segmenter.set_image(image)
        with pytest.raises(EngineError, match="another segmenter"):
            segmenter.use(strange)
        with pytest.raises(EngineError):
            segmenter.predict(CLICK)
        segmenter.set_image(image)
        assert segmenter.predict(CLICK)


def test_a_mask_from_a_file_is_the_mask_without_one(tmp_path: Path) -> None:
    sam, path = make_small_sam(), picture(tmp_path / "1.png")
    files = EmbeddingFiles(tmp_path / "kept", sam.key)
    sam.use(Embeddings(sam, files).make(path))
    expected = sam.predict(CLICK)
    found = Embeddings(sam, files).find(path)
    assert found is not None
    sam.use(found)
    for answer, wanted in zip(sam.predict(CLICK), expected, strict=True):
        assert iou(answer.mask, wanted.mask) >= 0.98
        assert answer.score == pytest.approx(wanted.score, abs=0.01)


def test_the_key_tells_encoders_apart_and_nothing_else() -> None:
    model = small_sam()
    key = encoder_key(model)
    assert key == encoder_key(small_sam())
    with torch.no_grad():
        next(model.mask_decoder.parameters()).add_(1)
    assert encoder_key(model) == key
    with torch.no_grad():
        list(model.image_encoder.parameters())[-1][0] += 1e-3
    assert encoder_key(model) != key
    assert key.replace("-", "").isalnum()


def test_the_embedded_segmenter_is_not_worth_a_file() -> None:
    assert EmbeddedSegmenter.key == ""


def test_a_frame_revisited_from_memory_or_file_is_ready_within_the_budget(tmp_path: Path) -> None:
    sam, path = make_small_sam(), picture(tmp_path / "1.png")
    embedding = Embedding((90, 130), {"features": sam.encode(np.asarray(Image.open(path))).arrays["features"]})
    large = Embedding((1080, 1920), {"features": np.zeros((256, 64, 64), np.float32)})
    files = EmbeddingFiles(tmp_path / "kept", sam.key)
    files.write(embedding_files.digest_of(path.read_bytes()), large)

    def median_ms(embeddings: Embeddings) -> float:
        times = []
        for _ in range(7):
            started = time.thread_time()  # the processor's, whatever else the machine does
            assert embeddings.find(path) is not None
            sam.use(embedding)
            times.append((time.thread_time() - started) * 1000)
            embeddings = embeddings if embeddings is memory else Embeddings(sam, files)
        return sorted(times)[3]

    memory = Embeddings(sam, files)
    memory.find(path)
    assert median_ms(memory) < 20
    assert median_ms(Embeddings(sam, files)) < 20
