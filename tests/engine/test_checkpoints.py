"""Files of weights: the ones that fit are loaded, the others are explained."""

import hashlib
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sam_annotator.core.errors import EngineError, InputError
from sam_annotator.core.prompt import Prompt
from sam_annotator.core.weights import damage, hashing
from sam_annotator.core.weights import published as published_files
from sam_annotator.core.weights.damage import DamagedError
from sam_annotator.core.weights.hashing import FetchProgress, hash_steps
from sam_annotator.core.weights.manifest import Checkpoint, load_manifest
from sam_annotator.core.weights.published import damage_of
from sam_annotator.engine.checkpoints import all_finite, load_sam, read_state
from sam_annotator.engine.device import choose_device, fastest_precision
from sam_annotator.engine.sam.segmenter import make_sam
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from tests.engine.small_sam import small_sam

WIDTHS = {"vit_b": 768, "vit_l": 1024, "vit_h": 1280}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's builders make models of the published widths, and of one block only."""
    registry = import_segment_anything().sam_model_registry
    for model_type, width in WIDTHS.items():
        monkeypatch.setitem(registry, model_type, lambda width=width: small_sam(width=width, depth=1))


@pytest.fixture
def vit_b(tmp_path: Path) -> Path:
    path = tmp_path / "my own vit_b.pth"
    torch.save(small_sam(width=768, depth=1, seed=3).state_dict(), path)
    return path


def test_a_checkpoint_becomes_a_segmenter_with_its_weights(small_registry: None, vit_b: Path) -> None:
    told: list[str] = []
    precision = fastest_precision(torch.device("cpu"))
    segmenter = make_sam(vit_b, device="cpu", report=told.append)
    assert segmenter.name == f"SAM vit_b, cpu {str(precision).removeprefix('torch.')}"
    assert len(told) == 1
    assert vit_b.name in told[0]
    image = np.random.default_rng(0).integers(0, 256, (80, 128, 3), dtype=np.uint8)
    segmenter.set_image(image)
    predictor = import_segment_anything().SamPredictor(small_sam(width=768, depth=1, seed=3))
    predictor.set_image(image)
    _masks, scores, logits = predictor.predict(box=np.array([10, 10, 60, 60]))
    proposals = segmenter.predict(Prompt(box=(10, 10, 60, 60)))
    expected = logits[np.argmax(scores)]
    assert np.abs(proposals[0].state - expected).max() < 0.1 * np.abs(expected).max()


@pytest.mark.parametrize("model_type", WIDTHS)
def test_the_kind_of_sam_is_told_from_its_weights(small_registry: None, tmp_path: Path, model_type: str) -> None:
    torch.save(small_sam(width=WIDTHS[model_type], depth=1).state_dict(), tmp_path / "weights.pth")
    model, found = load_sam(tmp_path / "weights.pth")
    assert found == model_type
    assert not any(tensor.is_meta or tensor.requires_grad for tensor in (*model.parameters(), *model.buffers()))
    assert not model.training


@pytest.mark.parametrize("wrapper", ["model", "state_dict"])
def test_weights_that_training_saved_in_half_precision_beside_other_things_load(
    small_registry: None, tmp_path: Path, wrapper: str
) -> None:
    state = small_sam(width=768, depth=1).half().state_dict()
    torch.save({wrapper: state, "epoch": 7}, tmp_path / "tuned.pth")
    model, _model_type = load_sam(tmp_path / "tuned.pth")
    assert {tensor.dtype for tensor in (*model.parameters(), *model.buffers())} == {torch.float32}


@pytest.mark.parametrize("model_type", WIDTHS)
def test_the_real_models_can_be_built_without_drawing_weights(model_type: str) -> None:
    with torch.device("meta"):
        model = import_segment_anything().sam_model_registry[model_type]()
    loaded = model.state_dict().keys()
    assert model.image_encoder.pos_embed.shape[-1] == WIDTHS[model_type]
    assert not any(tensor.is_meta for name, tensor in model.named_buffers() if name not in loaded)


def test_a_file_that_was_cut_short_anywhere_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(small_sam().state_dict(), path)
    whole = path.read_bytes()
    for part in range(20):
        path.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(EngineError, match=r"weights\.pth cannot be read as a file of weights: it was cut short"):
            read_state(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_with_wrong_bytes_is_read_or_explained_and_nothing_else(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "weights.pth"
    torch.save(torch.nn.Linear(3, 4).state_dict(), path, _use_new_zipfile_serialization=is_zip)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    explained = 0
    for _ in range(200):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_state(path)
        except EngineError:
            explained += 1
    assert explained > 20


@pytest.mark.parametrize(
    "content",
    [b"", b"<!DOCTYPE html><html>Google Drive cannot scan this file</html>", bytes(1000), os.urandom(1000), b"version"],
    ids=["empty", "web page", "zeros", "noise", "text"],
)
def test_a_file_of_something_else_is_explained(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(EngineError, match=r"weights\.pth cannot be read as a file of weights"):
        read_state(tmp_path / "weights.pth")


class _Trap:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_code_in_a_file_is_never_run(tmp_path: Path, save: Any) -> None:
    save({"weights": _Trap(tmp_path / "sprung")}, tmp_path / "weights.pth")
    with pytest.raises(EngineError, match=r"weights\.pth cannot be read"):
        read_state(tmp_path / "weights.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [[1, 2], {}, {"epoch": 3}, torch.zeros(3)])
def test_a_file_without_named_weights_is_explained(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(EngineError, match=r"weights\.pth holds no weights by name"):
        read_state(tmp_path / "weights.pth")


@pytest.mark.parametrize("name", ["no such.pth", "."])
def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(EngineError, match="cannot be opened"):
        make_sam(tmp_path / name, device="cpu")


def test_weights_of_another_network_are_no_sam(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3).state_dict(), tmp_path / "linear.pth")
    with pytest.raises(
        EngineError, match=r"linear\.pth is not a checkpoint of Segment Anything.*there is no image_enc"
    ):
        load_sam(tmp_path / "linear.pth")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"side": 96, "patch": 8, "window": 5, "depth": 4, "channels": 64, "mlp_ratio": 3, "heads": 2},
        {"window": 0},
        {"side": 64, "window": 4, "width": 48, "heads": 6},
    ],
)
def test_a_sam_of_other_sizes_is_told_from_its_weights(tmp_path: Path, options: dict[str, int]) -> None:
    original = small_sam(**options)
    state = {name: tensor.half() for name, tensor in original.state_dict().items()}
    original.load_state_dict(state)
    torch.save(state, tmp_path / "own.pth")
    model, kind = load_sam(tmp_path / "own.pth")
    assert kind == f"of {options.get('depth', 2)} blocks"
    image = np.random.default_rng(0).integers(0, 256, (80, 128, 3), dtype=np.uint8)
    answers = []
    for each in (model, original):
        predictor = import_segment_anything().SamPredictor(each)
        predictor.set_image(image)
        answers.append(predictor.predict(box=np.array([10, 10, 60, 60]), return_logits=True)[0])
    assert np.array_equal(*answers)


def test_weights_of_a_sam_of_other_sizes_that_do_not_go_together_are_explained(tmp_path: Path) -> None:
    state, path = small_sam().state_dict(), tmp_path / "own.pth"
    torch.save({**state, "image_encoder.blocks.0.attn.rel_pos_h": torch.zeros(7, 5)}, path)
    with pytest.raises(EngineError, match=r"own\.pth does not hold the weights of SAM of 2 blocks: .* another shape"):
        load_sam(path)
    torch.save({**state, "prompt_encoder.no_mask_embed.weight": torch.zeros(1, 30)}, path)
    with pytest.raises(EngineError, match=r"\(its encoder is 32 wide\), nor of a SAM .*: their sizes do not go"):
        load_sam(path)
    torch.save({name: tensor for name, tensor in state.items() if "neck.0" not in name}, path)
    with pytest.raises(EngineError, match=r"there is no image_encoder\.neck\.0\.weight in it\. Choose"):
        load_sam(path)


def test_weights_that_do_not_fit_are_counted_and_the_first_is_named(small_registry: None, vit_b: Path) -> None:
    state = torch.load(vit_b, weights_only=True)
    del state["mask_decoder.iou_token.weight"]
    state["surplus"] = torch.zeros(1)
    state["image_encoder.patch_embed.proj.bias"] = torch.zeros(5)
    torch.save(state, vit_b)
    with pytest.raises(EngineError) as caught:
        load_sam(vit_b)
    assert str(caught.value) == (
        f"{vit_b} does not hold the weights of SAM vit_b: 1 are missing (such as mask_decoder.iou_token.weight), "
        "1 are unknown (such as surplus), 1 are of another shape (such as image_encoder.patch_embed.proj.bias). "
        "Choose another file; `sam-annotator models list` shows the published ones."
    )


def test_weights_that_are_no_numbers_are_named(small_registry: None, vit_b: Path) -> None:
    state = torch.load(vit_b, weights_only=True)
    state["mask_decoder.iou_token.weight"][0, 3] = float("nan")
    torch.save(state, vit_b)
    with pytest.raises(DamagedError, match=r"vit_b\.pth is damaged: 1 of .*mask_decoder\.iou_token\.weight"):
        load_sam(vit_b)


@pytest.mark.parametrize("precision", [torch.float16, torch.bfloat16, torch.float32])
def test_large_numbers_are_numbers(precision: torch.dtype) -> None:
    tensor = torch.full((100_000,), torch.finfo(precision).max, dtype=precision)
    assert all_finite(tensor)
    tensor[7], tensor[70] = float("inf"), float("-inf")
    assert not all_finite(tensor)
    assert all_finite(torch.tensor([1, 2]))


def test_a_published_file_of_the_wrong_size_is_not_even_opened(tmp_path: Path) -> None:
    checkpoint = load_manifest()[0]
    path = tmp_path / checkpoint.file
    path.write_bytes(b"short")
    with pytest.raises(EngineError, match="has 5 bytes instead of 375,042,383") as caught:
        make_sam(path, device="cpu", checkpoint=checkpoint)
    assert checkpoint.url in str(caught.value)


def published(path: Path, model_type: str = "vit_b") -> Checkpoint:
    """What a manifest would say of a file."""
    content = path.read_bytes()
    known = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "file": path.name}
    return replace(load_manifest()[0], model_type=model_type, **known)


def test_a_published_file_is_read_and_hashed_once_until_it_changes(
    small_registry: None, vit_b: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def hash_and_tell(path: Path) -> Iterator[FetchProgress]:
        hashed.append(path)
        return hash_steps(path)

    monkeypatch.setattr(published_files, "hash_steps", hash_and_tell)
    checkpoint = published(vit_b)
    for _ in range(3):
        load_sam(vit_b, checkpoint)
    assert hashed == [vit_b]
    os.utime(vit_b, (0, 0))
    load_sam(vit_b, checkpoint)
    assert len(hashed) == 2
    published_files.record_path().write_text("no JSON")
    load_sam(vit_b, checkpoint)
    assert len(hashed) == 3


def test_a_file_as_long_as_the_published_one_but_of_other_bytes_is_refused(small_registry: None, vit_b: Path) -> None:
    checkpoint = published(vit_b)
    load_sam(vit_b, checkpoint)
    content = bytearray(vit_b.read_bytes())
    content[len(content) // 2] ^= 1  # one bit of one weight
    vit_b.write_bytes(content)
    os.utime(vit_b, (1, 1))
    with pytest.raises(EngineError, match=r"is not the published my own vit_b\.pth, though as long \(sha256") as caught:
        load_sam(vit_b, checkpoint)
    assert checkpoint.url in str(caught.value)
    assert "--sam FILE" in str(caught.value)


def test_a_folder_for_notes_that_cannot_be_written_is_no_reason_not_to_work(
    small_registry: None, vit_b: Path, isolated_home: Path
) -> None:
    (isolated_home / ".cache").write_text("a file in the way")
    assert load_sam(vit_b, published(vit_b))[1] == "vit_b"


def test_another_model_under_a_published_name_is_named(small_registry: None, vit_b: Path) -> None:
    with pytest.raises(EngineError, match=r"holds SAM vit_b, and not vit_h as its name says\. Download it again"):
        load_sam(vit_b, published(vit_b, "vit_h"))


def test_auto_is_a_device_that_is_there() -> None:
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(InputError, match=f"'{name}' cannot be used"):
        choose_device(name)


def test_what_is_wrong_with_a_file_is_remembered_until_it_changes(
    small_registry: None, vit_b: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, opened = vit_b.read_bytes(), []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda path, **options: opened.append(path) or load(path, **options))
    vit_b.write_bytes(good[: len(good) // 2])
    for _ in range(3):
        with pytest.raises(DamagedError, match="cannot be read as a file of weights"):
            load_sam(vit_b)
    assert len(opened) == 1
    vit_b.write_bytes(good)
    load_sam(vit_b)
    assert len(opened) == 2


def test_a_wrong_hash_is_known_without_reading_the_file_again(
    small_registry: None, vit_b: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = replace(published(vit_b), sha256="0" * 64)
    assert damage_of(vit_b, checkpoint) is None
    with pytest.raises(DamagedError):
        load_sam(vit_b, checkpoint)
    monkeypatch.setattr(damage, "_noted", {})  # as after a new start
    monkeypatch.setattr(published_files, "hash_steps", None)
    assert "is not the published" in str(damage_of(vit_b, checkpoint))
    with pytest.raises(DamagedError, match="is not the published"):
        load_sam(vit_b, checkpoint)


def test_reading_a_large_file_for_its_hash_can_be_given_up(
    small_registry: None, vit_b: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_STEP_SECONDS", 0.0)

    def stop(text: str) -> None:
        if text.startswith("Checking"):
            raise InputError(text)

    with pytest.raises(InputError, match=r"Checking my own vit_b\.pth: 1 MB of"):
        load_sam(vit_b, published(vit_b), stop)
