"""`segment_anything` imports with a torchvision that works, is missing, or is broken."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.errors import EngineError
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from tests.engine.small_sam import small_sam

WORKING = {
    "__init__.py": "",
    "transforms/__init__.py": "",
    "transforms/functional.py": "def resize(image, size): return image\ndef to_pil_image(image): return image",
    "ops/__init__.py": "",
    "ops/boxes.py": "batched_nms = box_area = None",
}


@pytest.fixture(autouse=True)
def nothing_imported_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both packages are imported anew in each test, and what was imported before stands again afterwards."""
    import_segment_anything()
    for name in list(sys.modules):
        if name.partition(".")[0] in ("torchvision", "segment_anything"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(tmp_path))


def write_torchvision(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / "torchvision" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def torchvision_modules() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "torchvision"]


@pytest.mark.parametrize(
    "failure",
    [
        "raise ImportError('No module named torchvision')",
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise OSError('libcudart.so.12: cannot open shared object file')",
        "import torchvision\ntorchvision.extension._has_ops",
        "",  # an empty package: the functions are not there
    ],
)
def test_a_broken_torchvision_is_replaced_for_the_import_alone(failure: str, tmp_path: Path) -> None:
    write_torchvision(tmp_path, {"__init__.py": f"from torchvision import half_built\n{failure}", "half_built.py": ""})
    package = import_segment_anything()
    assert "torchvision.ops.boxes" not in sys.modules
    if failure:
        assert torchvision_modules() == []
        with pytest.raises((ImportError, RuntimeError, OSError, AttributeError)):
            import torchvision  # noqa: F401 - still as broken as its owner left it
    predictor = package.SamPredictor(small_sam())
    predictor.set_image(np.zeros((60, 90, 3), np.uint8))
    assert predictor.input_size == (85, 128)


def test_the_stand_in_resizes_as_pillow_does_with_bilinear() -> None:
    package = import_segment_anything()
    image = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    resized = package.utils.transforms.ResizeLongestSide(128).apply_image(image)
    assert np.array_equal(resized, np.asarray(Image.fromarray(image).resize((128, 85), Image.Resampling.BILINEAR)))


def test_a_torchvision_that_works_is_used_and_stays(tmp_path: Path) -> None:
    write_torchvision(tmp_path, WORKING)
    package = import_segment_anything()
    import torchvision.transforms.functional

    assert package.utils.transforms.resize is torchvision.transforms.functional.resize


def test_a_missing_segment_anything_is_a_sentence_that_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "segment_anything.py").write_text("raise ImportError('not here')")
    with pytest.raises(EngineError, match="pip install segment-anything"):
        import_segment_anything()
    assert torchvision_modules() == []
