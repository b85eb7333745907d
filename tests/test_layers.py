"""Who may import whom: the contracts in pyproject.toml, and what is really loaded in a fresh interpreter."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HEAVY = {"torch", "torchvision", "segment_anything", "PyQt5", "labelme", "onnxruntime"}
IMPORT_ALL_OF_CORE = """
import importlib, pkgutil, sam_annotator.core as package
for module in pkgutil.walk_packages(package.__path__, "sam_annotator.core."):
    importlib.import_module(module.name)
"""
MAKE_WINDOW = """
from pathlib import Path
from sam_annotator.gui.app import make_window
window, application = make_window(profile=Path("profile"))
window.close()
"""


def _loaded_by(code: str, folder: Path) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running this."""
    listing = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    run = [sys.executable, "-c", f"{code}\n{listing}"]
    done = subprocess.run(run, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_the_contracts_between_layers_are_kept() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_core_loads_no_torch_no_qt_and_no_labelme(tmp_path: Path) -> None:
    assert not _loaded_by(IMPORT_ALL_OF_CORE, tmp_path) & HEAVY


def test_choosing_engines_loads_no_qt_no_labelme_and_not_yet_torch(tmp_path: Path) -> None:
    assert not _loaded_by("import sam_annotator.engine.engines", tmp_path) & HEAVY


def test_embedded_engines_load_no_torch_and_no_qt(tmp_path: Path) -> None:
    code = "import sam_annotator.engine.embedded.segmenter, sam_annotator.engine.embedded.propagator"
    assert not _loaded_by(code, tmp_path) & HEAVY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["convert", "--help"], ["propagate", "--help"]])
def test_help_loads_nothing_that_takes_time(tmp_path: Path, arguments: list[str]) -> None:
    code = f"""
from sam_annotator.cli import main
try:
    main({arguments})
except SystemExit as end:
    assert end.code == 0
"""
    slow = HEAVY | {"numpy", "cv2", "scipy", "PIL", "skimage", "orjson", "pycocotools"}
    assert not _loaded_by(code, tmp_path) & slow


@pytest.mark.parametrize("command", ["convert", "propagate", "models"])
def test_commands_that_need_no_window_load_no_qt(tmp_path: Path, command: str) -> None:
    (tmp_path / "videos/one").mkdir(parents=True)
    (tmp_path / "videos/one/0.jpg").touch()
    arguments = {"convert": ["convert", "videos", "--output", "dataset"], "propagate": ["propagate", "videos"]}
    code = f"from sam_annotator.cli import main\nmain({arguments.get(command, [command])})"
    assert not _loaded_by(code, tmp_path) & HEAVY


def test_the_window_is_up_before_torch_is_loaded(tmp_path: Path) -> None:
    loaded = _loaded_by(MAKE_WINDOW, tmp_path)
    assert "labelme" in loaded
    assert not loaded & {"torch", "torchvision", "segment_anything"}


def test_the_entry_to_the_window_can_be_imported_without_qt(tmp_path: Path) -> None:
    assert not _loaded_by("import sam_annotator.gui.app", tmp_path) & HEAVY
