"""Options become engines in one place."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sam_annotator.core.errors import EngineError, InputError
from sam_annotator.core.prompt import Prompt
from sam_annotator.core.weights import manifest
from sam_annotator.core.weights.damage import DamagedError, damage_noted
from sam_annotator.core.weights.manifest import load_manifest
from sam_annotator.core.weights.published import whole_copies
from sam_annotator.engine.engines import EngineOptions, describe_missing, make_propagator, make_segmenter, tell_kind
from sam_annotator.engine.sam import segmenter as sam
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from sam_annotator.engine.stcn import load
from tests.conftest import REPOSITORY
from tests.engine.small_sam import small_sam
from tests.engine.stcn.small import small_network

FILES = {checkpoint.name: checkpoint for checkpoint in load_manifest()}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models/ of a checkout without weights, whatever lies in the one that is tested."""
    (tmp_path / "checkout/models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "models/checkpoints.json", tmp_path / "checkout/models")
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "checkout/sam_annotator")
    return tmp_path / "checkout/models"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of weights that were asked for; none of them is opened."""
    asked: list[str] = []

    def make(path: Path, **_options: Any) -> Any:
        asked.append(path.name)
        return object()

    monkeypatch.setattr(sam, "make_sam", make)
    return asked


def put(folder: Path, name: str, size: int | None = None) -> Path:
    path = folder / FILES[name].file
    with open(path, "wb") as stream:
        stream.truncate(FILES[name].bytes if size is None else size)  # sparse: takes no space on the disk
    return path


@pytest.mark.parametrize("choice", ["auto", "embedded"])
def test_without_weights_the_embedded_segmenter_works(choice: str) -> None:
    told: list[str] = []
    segmenter = make_segmenter(EngineOptions(segmenter=choice), told.append)
    assert segmenter.name.startswith("embedded")
    assert len(told) == (choice == "auto")
    segmenter.set_image(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    assert segmenter.predict(Prompt(box=(10, 10, 30, 30)))[0].mask.shape == (40, 60)


@pytest.mark.parametrize("choice", ["auto", "embedded"])
def test_the_embedded_propagator_works_without_weights(choice: str) -> None:
    assert make_propagator(EngineOptions(propagator=choice)).name.startswith("embedded")


@pytest.mark.parametrize(
    ("there", "has_cuda", "expected"),
    [
        (("sam_vit_b", "sam_vit_l", "sam_vit_h"), False, "sam_vit_b"),
        (("sam_vit_b", "sam_vit_l", "sam_vit_h"), True, "sam_vit_h"),
        (("sam_vit_l", "sam_vit_h"), False, "sam_vit_l"),
        (("sam_vit_b", "sam_vit_l"), True, "sam_vit_l"),
        (("sam_vit_h",), False, "sam_vit_h"),
    ],
)
def test_auto_takes_the_fastest_sam_on_a_cpu_and_the_most_exact_on_a_gpu(
    models: Path,
    loaded: list[str],
    monkeypatch: pytest.MonkeyPatch,
    there: tuple[str, ...],
    has_cuda: bool,
    expected: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    for name in there:
        put(models, name)
    make_segmenter(EngineOptions())
    assert loaded == [FILES[expected].file]
    assert describe_missing(EngineOptions(propagator="embedded")) is None


def told(options: EngineOptions) -> str:
    """What the banner says."""
    missing = describe_missing(options)
    return "" if missing is None else missing.text


def test_auto_leaves_out_a_file_of_the_wrong_size_and_says_so(models: Path, loaded: list[str]) -> None:
    short = put(models, "sam_vit_b", size=100)
    put(models, "sam_vit_l")
    told: list[str] = []
    make_segmenter(EngineOptions(device="cpu"), told.append)
    assert loaded == [FILES["sam_vit_l"].file]
    assert len(told) == 1
    assert told[0].startswith(f"{short} has the wrong size")


def test_auto_goes_on_with_the_next_best_where_a_file_is_not_what_its_name_says(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = put(models, "sam_vit_b")
    other = put(models, "sam_vit_l")
    asked: list[Path] = []

    def make(path: Path, **_options: Any) -> Any:
        asked.append(path)
        if path == bad:
            with damage_noted(path, FILES["sam_vit_b"]):
                raise DamagedError(f"{path} is another file.")
        return object()

    monkeypatch.setattr(sam, "make_sam", make)
    told_lines: list[str] = []
    make_segmenter(EngineOptions(device="cpu"), told_lines.append)
    assert asked == [bad, other]
    assert told_lines == [f"{bad} is another file."]
    missing = describe_missing(EngineOptions(propagator="embedded"))
    assert missing is not None
    assert (missing.text.startswith(f"{bad} is another file. Another Seg"), missing.damaged) == (True, (bad,))
    assert [checkpoint.name for checkpoint in missing.wanted] == ["sam_vit_b"]
    make_segmenter(EngineOptions(device="cpu"))
    assert asked == [bad, other, other]  # it is not tried again
    other.unlink()
    assert make_segmenter(EngineOptions(device="cpu")).name.startswith("embedded")
    assert "The embedded segmenter is at work" in told(EngineOptions(propagator="embedded"))


def test_a_whole_copy_in_another_folder_is_taken_in_place_of_a_damaged_one(
    models: Path, tmp_path: Path, loaded: list[str]
) -> None:
    bad, checkpoint = put(tmp_path, "sam_vit_b"), FILES["sam_vit_b"]
    put(models, "sam_vit_b")
    with pytest.raises(DamagedError), damage_noted(bad, checkpoint):
        raise DamagedError("It is another file.")
    assert whole_copies(checkpoint, tmp_path) == [models / checkpoint.file]
    assert describe_missing(EngineOptions(models=tmp_path, propagator="embedded")) is None


def test_a_file_that_was_asked_for_and_is_damaged_stays_asked_for(models: Path) -> None:
    bad = put(models, "sam_vit_b")
    with pytest.raises(DamagedError), damage_noted(bad, FILES["sam_vit_b"]):
        raise DamagedError("It is another file.")
    options = EngineOptions(segmenter="sam_vit_b", propagator="embedded", device="cpu")
    with pytest.raises(DamagedError, match="It is another file"):
        make_segmenter(options)
    missing = describe_missing(options)
    assert missing is not None
    assert (missing.text, missing.damaged) == ("It is another file.", (bad,))


def test_a_name_takes_that_checkpoint(models: Path, loaded: list[str]) -> None:
    put(models, "sam_vit_b")
    put(models, "sam_vit_h")
    make_segmenter(EngineOptions(segmenter="sam_vit_h", device="cpu"))
    assert loaded == [FILES["sam_vit_h"].file]


def test_the_models_folder_that_was_given_comes_first(models: Path, tmp_path: Path, loaded: list[str]) -> None:
    (tmp_path / "other").mkdir()
    put(tmp_path / "other", "sam_vit_l")
    make_segmenter(EngineOptions(models=tmp_path / "other"))
    assert loaded == [FILES["sam_vit_l"].file]


def test_a_file_of_ones_own_becomes_a_sam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        import_segment_anything().sam_model_registry, "vit_b", lambda: small_sam(width=768, depth=1, seed=0)
    )
    torch.save(small_sam(width=768, depth=1, seed=1).state_dict(), tmp_path / "tuned.pth")
    segmenter = make_segmenter(EngineOptions(segmenter=str(tmp_path / "tuned.pth"), device="cpu"))
    assert segmenter.name.startswith("SAM vit_b, cpu ")
    segmenter.set_image(np.zeros((40, 60, 3), np.uint8))
    assert len(segmenter.predict(Prompt(box=(10, 10, 30, 30)))) == 3


def test_a_named_checkpoint_that_is_missing_says_where_to_get_it_and_where_to_put_it(models: Path) -> None:
    options = EngineOptions(segmenter="sam_vit_l")
    with pytest.raises(EngineError) as caught:
        make_segmenter(options)
    for fact in (FILES["sam_vit_l"].url, str(models), "1.2 GB", "--sam embedded"):
        assert fact in str(caught.value)
    missing = describe_missing(replace(options, propagator="embedded"))
    assert missing is not None
    assert missing.text == str(caught.value)
    assert [checkpoint.name for checkpoint in missing.wanted] == ["sam_vit_l"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (EngineOptions(segmenter="sam_vit_x"), "sam_vit_b, sam_vit_l, sam_vit_h"),
        (EngineOptions(segmenter="stcn"), "no segmenter 'stcn'"),
        (EngineOptions(segmenter=""), "no segmenter ''"),
        (EngineOptions(segmenter="weights.pth.part"), "unfinished download"),
        (EngineOptions(models=Path("no such folder")), "no such folder given with --models does not exist"),
    ],
)
def test_a_choice_that_does_not_exist_says_what_does(options: EngineOptions, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_segmenter(options)
    assert words in told(options)


def test_a_device_that_is_not_there_is_an_error(models: Path) -> None:
    put(models, "sam_vit_b")
    with pytest.raises(InputError, match="--device cpu"):
        make_segmenter(EngineOptions(device="cuda:99"))


@pytest.fixture
def narrow_stcn(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """STCN is a narrow one here; its weights."""
    monkeypatch.setattr(load, "StcnNetwork", small_network)
    return small_network().state_dict()


@pytest.mark.parametrize("choice", ["auto", "stcn"])
def test_stcn_carries_the_masks_where_its_weights_are_found(
    models: Path, narrow_stcn: dict[str, torch.Tensor], choice: str
) -> None:
    torch.save(narrow_stcn, models / "stcn.pth")
    told: list[str] = []
    options = EngineOptions(propagator=choice, device="cpu", segmenter="embedded")
    assert describe_missing(options) is None
    assert make_propagator(options, told.append).name.startswith("STCN, cpu")
    assert len(told) == 1
    assert make_propagator(EngineOptions(propagator="embedded")).name.startswith("embedded")


def test_weights_of_ones_own_are_named_by_their_file(tmp_path: Path, narrow_stcn: dict[str, torch.Tensor]) -> None:
    torch.save(narrow_stcn, tmp_path / "tuned.pth")
    options = EngineOptions(propagator=str(tmp_path / "tuned.pth"), device="cpu")
    assert make_propagator(options).name.startswith("STCN, cpu")


def test_stcn_that_is_missing_says_where_to_get_it_and_where_to_put_it(models: Path) -> None:
    options = EngineOptions(propagator="stcn", segmenter="embedded")
    with pytest.raises(EngineError) as caught:
        make_propagator(options)
    for fact in ("stcn.pth was not found", FILES["stcn"].url, str(models), "--propagator embedded"):
        assert fact in str(caught.value)
    missing = describe_missing(options)
    assert missing is not None
    assert missing.text == str(caught.value)
    assert [checkpoint.name for checkpoint in missing.wanted] == ["stcn"]


def test_a_page_saved_in_place_of_stcn_is_left_out_and_named_and_an_error_where_it_was_asked_for(
    models: Path,
) -> None:
    bad = models / "stcn.pth"
    bad.write_text("<!DOCTYPE html>")
    told_lines: list[str] = []
    options = EngineOptions(segmenter="embedded", device="cpu")
    assert make_propagator(options, told_lines.append).name.startswith("embedded")
    (line,) = (line for line in told_lines if not line.endswith("..."))
    assert line.startswith(f"{bad} cannot be read as a file of weights")
    assert f"Download it again from {FILES['stcn'].url}. The embedded propagator is at work" in line
    missing = describe_missing(options)
    assert missing is not None
    assert (missing.text, missing.wanted, missing.damaged) == (line, (FILES["stcn"],), (bad,))
    again: list[str] = []
    make_propagator(options, again.append)
    assert again == [line]  # it is not read again
    for choice in ("stcn", str(bad)):
        asked = replace(options, propagator=choice)
        with pytest.raises(DamagedError, match=r"stcn\.pth cannot be read as a file of weights.*web page"):
            make_propagator(asked)
        assert told(asked).startswith(f"{bad} cannot be read")
        assert "embedded" not in told(asked)


def test_a_whole_stcn_in_another_folder_is_taken_in_place_of_a_damaged_one(
    models: Path, tmp_path: Path, narrow_stcn: dict[str, torch.Tensor]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "stcn.pth").write_text("<!DOCTYPE html>")
    torch.save(narrow_stcn, models / "stcn.pth")
    options = EngineOptions(models=tmp_path / "mine", segmenter="embedded", device="cpu")
    assert make_propagator(options).name.startswith("STCN, cpu")
    assert describe_missing(options) is None


def test_stcn_on_a_device_that_is_not_there_is_an_error(models: Path) -> None:
    put(models, "stcn", size=10)
    with pytest.raises(InputError, match="--device cpu"):
        make_propagator(EngineOptions(device="cuda:99"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (EngineOptions(propagator="xmem"), "choose auto, embedded, stcn, or the file"),
        (EngineOptions(propagator="sam_vit_b"), "no propagator 'sam_vit_b'"),
        (EngineOptions(propagator="stcn.pth.part"), "unfinished download"),
        (EngineOptions(propagator="stcn", models=Path("no such folder")), "given with --models does not exist"),
    ],
)
def test_an_unknown_propagator_says_which_there_are(options: EngineOptions, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_propagator(options)
    assert words in told(replace(options, segmenter="embedded"))


@pytest.mark.parametrize(
    ("there", "words", "wanted"),
    [
        ((), "The embedded segmenter and propagator are at work, which need no weights", ["sam_vit_b", "stcn"]),
        (("stcn",), "The embedded segmenter is at work, which needs no weights", ["sam_vit_b"]),
        (("sam_vit_h",), "The embedded propagator is at work, which needs no weights", ["stcn"]),
    ],
)
def test_the_banner_says_what_works_and_which_weights_would_help(
    models: Path, there: tuple[str, ...], words: str, wanted: list[str]
) -> None:
    for name in there:
        put(models, name, **({"size": 10} if name == "stcn" else {}))
    missing = describe_missing(EngineOptions())
    assert missing is not None
    assert missing.text.startswith(words)
    assert [checkpoint.name for checkpoint in missing.wanted] == wanted


def test_the_banner_tells_of_a_file_that_was_cut_short(models: Path) -> None:
    path = put(models, "sam_vit_h", size=7)
    assert told(EngineOptions()).startswith(f"{path} has the wrong size. The embedded segmenter is at work")


def test_who_asks_for_both_embedded_engines_is_told_nothing() -> None:
    assert describe_missing(EngineOptions(segmenter="embedded", propagator="embedded")) is None


def test_a_file_of_weights_tells_what_it_is_for(tmp_path: Path, narrow_stcn: dict[str, torch.Tensor]) -> None:
    torch.save(small_sam().state_dict(), tmp_path / "sam.pth")
    torch.save(narrow_stcn, tmp_path / "stcn.pth")
    (tmp_path / "page.pth").write_text("<html>")
    assert tell_kind(tmp_path / "sam.pth") == "segmenter"
    assert tell_kind(tmp_path / "stcn.pth") == "propagator"
    with pytest.raises(EngineError, match=r"page\.pth cannot be read"):
        tell_kind(tmp_path / "page.pth")


@pytest.mark.parametrize("segmenter", ["auto", "embedded", "sam_vit_b"])
def test_asking_what_is_missing_loads_no_model_code(segmenter: str) -> None:
    script = (
        "import sys; from sam_annotator.engine.engines import EngineOptions, describe_missing; "
        f"describe_missing(EngineOptions(segmenter='{segmenter}')); "
        "print(sorted({'torch', 'cv2', 'scipy', 'PyQt5', 'labelme', 'segment_anything'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "[]"


def test_the_embedded_engines_need_no_torch(models: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from sam_annotator.core.weights import manifest; "
        f"manifest._PACKAGE = Path({str(models.parent / 'sam_annotator')!r}); "
        "from sam_annotator.engine.engines import EngineOptions, make_propagator, make_segmenter; "
        "make_segmenter(EngineOptions(segmenter='embedded')); make_propagator(EngineOptions()); "
        "print('torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert result.stdout.strip() == "False"
