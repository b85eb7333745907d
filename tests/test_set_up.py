"""Setting up a checkout: pinned versions, system libraries, what is said where something is missing."""

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY
from tools import set_up

LDD = """\
\tlinux-vdso.so.1 (0x00007ffc6a1f2000)
\tlibxcb-icccm.so.4 => not found
\tlibX11.so.6 => /lib/x86_64-linux-gnu/libX11.so.6 (0x00007f66e056b000)
\tlibxcb-keysyms.so.1 => not found
"""

# Packages that are imported under another name than they are installed under.
OTHER_NAMES = {
    "PIL": "Pillow",
    "cv2": "opencv-python-headless",
    "maxflow": "PyMaxflow",
    "skimage": "scikit-image",
    "yaml": "PyYAML",
}


@pytest.fixture
def pins() -> list[Requirement]:
    lines = (REPOSITORY / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


@pytest.fixture
def packaged(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Any]:
    """What setup.py gives to setuptools."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
    monkeypatch.chdir(REPOSITORY)
    runpy.run_path(str(REPOSITORY / "setup.py"))
    return given


@pytest.mark.parametrize(
    "environment",
    [
        {"python_version": "3.10", "sys_platform": "linux"},
        {"python_version": "3.11", "sys_platform": "linux"},
        {"python_version": "3.13", "sys_platform": "win32"},
    ],
    ids=lambda values: "-".join(values.values()),
)
def test_every_dependency_is_pinned_once_within_its_range(
    pins: list[Requirement], packaged: Mapping[str, Any], environment: Mapping[str, str]
) -> None:
    valid = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(dict(environment))]
    versions = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in valid}
    assert len(versions) == len(valid)
    extras = [text for texts in packaged["extras_require"].values() for text in texts]
    for wanted in map(Requirement, [*packaged["install_requires"], *extras]):
        assert canonicalize_name(wanted.name) in versions, f"{wanted} is not pinned in requirements.txt"
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), f"the pin is outside {wanted}"


def test_pins_are_exact_and_bring_no_torchvision(pins: list[Requirement]) -> None:
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in pins)
    assert "torchvision" not in {pin.name for pin in pins}


def test_everything_that_the_program_imports_is_declared_in_setup_py(packaged: Mapping[str, Any]) -> None:
    declared = {
        canonicalize_name(Requirement(text).name)
        for text in [*packaged["install_requires"], *packaged["extras_require"]["cluster"]]
    }
    undeclared = {
        f"{path.relative_to(REPOSITORY)} imports {name}"
        for path in (REPOSITORY / "sam_annotator").rglob("*.py")
        for name in _foreign_imports(path)
        if canonicalize_name(OTHER_NAMES.get(name, name)) not in declared
    }
    # torchvision is not required: where it is missing or broken, a stand-in takes its place.
    assert {line for line in undeclared if not line.endswith(" torchvision")} == set()


def _foreign_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            if top != "sam_annotator" and top not in sys.stdlib_module_names:
                yield top


def test_libraries_that_the_loader_does_not_find_are_known_by_name() -> None:
    assert set_up.not_found(LDD) == {"libxcb-icccm.so.4", "libxcb-keysyms.so.1"}


def test_a_folder_without_a_font_is_noticed(tmp_path: Path) -> None:
    assert not set_up.has_font([tmp_path / "missing", tmp_path])
    (tmp_path / "truetype").mkdir()
    (tmp_path / "truetype/Sans.ttf").touch()
    assert set_up.has_font([tmp_path])


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Debian where a library and all fonts are missing."""
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(set_up.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(set_up, "missing_libraries", lambda *_: {"libxcb-icccm.so.4"})
    monkeypatch.setattr(set_up, "has_font", lambda _: False)
    monkeypatch.setattr(set_up, "_is_debian", lambda: True)


@pytest.mark.usefixtures("missing")
@pytest.mark.parametrize(("apt", "user"), [(True, 1000), (False, 0)], ids=["not root", "no apt-get"])
def test_who_cannot_install_packages_gets_the_line_that_does(
    apt: bool, user: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up.shutil, "which", lambda name: f"/usr/bin/{name}" if apt or name == "ldd" else None)
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    assert set_up.main(["libraries", ".venv"]) == 1
    assert "    sudo apt-get install -y fonts-dejavu-core libxcb-icccm4\n" in capsys.readouterr().err


@pytest.mark.usefixtures("missing")
def test_other_systems_are_told_what_is_missing_and_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(set_up, "_is_debian", lambda: False)
    assert set_up.main(["libraries", ".venv"]) == 0
    assert "libxcb-icccm4" in capsys.readouterr().err


def test_make_alone_lists_what_can_be_made() -> None:
    done = subprocess.run(["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for target in ("run", "demo", "test", "lint", "bench", "clean"):
        assert f"make {target} " in done.stdout


def test_a_python_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    make = ["make", "run", "PYTHON=python2.9", f"VENV={tmp_path}/environment"]
    done = subprocess.run(make, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "python2.9 is not there, or older than 3.10." in done.stderr
    assert list(tmp_path.iterdir()) == []
