"""Prepare a checkout: the virtual environment, and the system libraries that Qt needs. Only the standard library.

    python3 tools/set_up.py environment .venv [--dev]
    python3 tools/set_up.py libraries .venv --for window|off-screen

The Makefile calls it. Doing it again is quick and harmless. What cannot be done ends in a sentence that says what to
run, and exit 1.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Which Debian package holds a library that `ldd` does not find. Ubuntu has them under the same names.
PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
}
FONT_PACKAGE = "fonts-dejavu-core"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")

# What is looked at below the PyQt5 package; each names what it links to.
OFF_SCREEN = (
    "QtCore.abi3.so",
    "QtGui.abi3.so",
    "QtWidgets.abi3.so",
    "Qt5/plugins/platforms/libqoffscreen.so",
    "Qt5/plugins/iconengines/libqsvgicon.so",
)
WINDOW = (*OFF_SCREEN, "Qt5/plugins/platforms/libqxcb.so", "Qt5/plugins/xcbglintegrations/*.so")


class SetUpError(Exception):
    """What is missing, and what to do about it, as a sentence."""


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        if options.action == "environment":
            make_environment(options.venv, dev=options.dev)
        else:
            provide_libraries(options.venv, WINDOW if options.purpose == "window" else OFF_SCREEN)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same again to go on.", file=sys.stderr)
        return 130
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(dest="action", required=True)
    environment = actions.add_parser("environment", help="make the virtual environment and install everything in it")
    environment.add_argument("--dev", action="store_true", help="what tests and checks need, too")
    libraries = actions.add_parser("libraries", help="provide the system libraries of Qt")
    libraries.add_argument("--for", dest="purpose", choices=("window", "off-screen"), default="window")
    for action in (environment, libraries):
        action.add_argument("venv", type=Path)
    return parser.parse_args(arguments)


def make_environment(venv: Path, *, dev: bool) -> None:
    """A virtual environment with the tested versions, and this checkout in it, editable."""
    python = venv / "bin/python"
    if not _runs(python, "-m", "pip", "--version"):
        _require_venv_module()
        print(f"Making a virtual environment with Python {sys.version.split()[0]} in {venv} ...", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False).returncode:
            raise SetUpError(f"The virtual environment {venv} could not be made, see above.")
    print("Installing what the program needs (the first time takes minutes) ...", flush=True)
    # A terminal gets pip's progress, a log does not.
    quiet = [] if sys.stdout.isatty() else ["-qq"]
    what = [*quiet, "--disable-pip-version-check", "-c", str(ROOT / "requirements.txt"), "-e"]
    target = f"{ROOT}[dev]" if dev else str(ROOT)
    if subprocess.run([str(python), "-m", "pip", "install", *what, target], check=False).returncode:
        raise SetUpError("Not everything could be installed, see above. Run the same again to go on from there.")


def _runs(python: Path, *arguments: str) -> bool:
    return (
        python.exists() and not subprocess.run([str(python), *arguments], capture_output=True, check=False).returncode
    )


def _require_venv_module() -> None:
    if importlib.util.find_spec("venv") and importlib.util.find_spec("ensurepip"):
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    print(f"Python's modules for virtual environments are missing (Debian has them in {package}).", flush=True)
    _install_packages([package])


def provide_libraries(venv: Path, files: Iterable[str]) -> None:
    """The system libraries and the font that these parts of PyQt5 need; nothing is done where nothing is missing.

    Raises:
        SetUpError: something is missing on Debian or a relative, and cannot be installed from here.
    """
    if not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        return
    packages, unknown = _missing(venv, files)
    if packages and _is_debian():
        print(f"Qt needs system packages that are not there: {' '.join(packages)}", flush=True)
        _install_packages(packages)
        packages, unknown = _missing(venv, files)
    if packages or unknown:
        # Other systems have other names for packages; the files' names help to find them.
        print(f"Qt may not start; this is missing: {', '.join([*packages, *unknown])}.", file=sys.stderr)


def _missing(venv: Path, files: Iterable[str]) -> tuple[list[str], list[str]]:
    """Debian packages that would help, and libraries that none known to us holds."""
    libraries = missing_libraries(venv, files)
    packages = {PACKAGES[library] for library in libraries if library in PACKAGES}
    if not has_font(Path(folder).expanduser() for folder in FONT_FOLDERS):
        packages.add(FONT_PACKAGE)  # off-screen Qt draws no text at all without one
    return sorted(packages), sorted(library for library in libraries if library not in PACKAGES)


def missing_libraries(venv: Path, files: Iterable[str]) -> set[str]:
    """The libraries that the loader does not find for these files of the environment's PyQt5 (patterns)."""
    missing: set[str] = set()
    for pattern in files:
        for path in venv.glob(f"lib/python3*/site-packages/PyQt5/{pattern}"):
            report = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout
            missing |= not_found(report)
    return missing


def not_found(report: str) -> set[str]:
    """Names of libraries that `ldd` reports as not found."""
    return {line.split()[0] for line in report.splitlines() if line.rstrip().endswith("=> not found")}


def has_font(folders: Iterable[Path]) -> bool:
    return any(next(folder.rglob(f"*{suffix}"), None) for folder in folders for suffix in (".ttf", ".otf", ".ttc"))


def _is_debian() -> bool:
    return Path("/etc/debian_version").exists()


def _install_packages(packages: list[str]) -> None:
    """Install Debian packages, or raise with the line that does it."""
    line = f"sudo apt-get install -y {' '.join(packages)}"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise SetUpError(f"Install what is missing, then run the same again:\n\n    {line}\n")
    print("Installing them ...", flush=True)
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=1"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # One broken list among many fails the update, and need not hinder the installation.
    subprocess.run([*apt, "update"], env=environment, capture_output=True, check=False)
    install = [*apt, "install", "-y", "--no-install-recommends", *packages]
    done = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetUpError(f"{done.stderr.strip()}\nThat did not work. Install by hand, then run again:\n\n    {line}\n")


if __name__ == "__main__":
    sys.exit(main())
