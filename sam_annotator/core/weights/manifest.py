"""Which checkpoints (files of weights) the program knows, and where it looks for them.

The facts stand in `models/checkpoints.json`; nothing here opens or changes a checkpoint.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.remedies import Remedy

MODELS_VARIABLE = "SAM_ANNOTATOR_MODELS"
"""Environment variable: a folder to look for checkpoints in, after `--models DIR`."""

_PACKAGE = Path(__file__).resolve().parents[2]
_MANIFEST = "checkpoints.json"


@dataclass(frozen=True)
class Checkpoint:
    """One published file of weights.

    Attributes:
        name: what people type, such as `sam_vit_b`.
        about: what it is, in a line.
        kind: `sam` (a segmenter) or `stcn` (a propagator).
        model_type: which SAM it is (`vit_b`, `vit_l`, `vit_h`), None where there is only one.
        file: the file's published name.
        url: where people get it.
        sha256: of the file; None where its authors published none.
        bytes: the file's size; None where its authors published none.
        licence: SPDX identifier of the weights' licence.
        source: the project it comes from.
    """

    name: str
    about: str
    kind: str
    model_type: str | None
    file: str
    url: str
    sha256: str | None
    bytes: int | None
    licence: str
    source: str

    @property
    def download_url(self) -> str:
        """Where the bytes are: for a page of Google Drive, the address behind its 'Download anyway'."""
        page = re.fullmatch(r"https://drive\.google\.com/file/d/([\w-]+)/.*", self.url)
        if page is None:
            return self.url
        return f"https://drive.usercontent.google.com/download?id={page[1]}&export=download&confirm=t"

    @property
    def title(self) -> str:
        """What people call it: `Segment Anything vit_b`, `STCN`."""
        return f"Segment Anything {self.model_type}" if self.kind == "sam" else self.name.upper()

    @property
    def size(self) -> str:
        """The size for people: `375 MB`, or `?`."""
        return "?" if self.bytes is None else describe_bytes(self.bytes)


def load_manifest() -> tuple[Checkpoint, ...]:
    """All checkpoints that the program knows, in the order of the manifest.

    Raises:
        AnnotatorError: the manifest is missing or damaged, that is, the installation is.
    """
    path = _manifest_path()
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(Checkpoint(name=name, **facts) for name, facts in entries.items())
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AnnotatorError(
            f"The list of models {path} cannot be read ({error}); install sam-annotator again."
        ) from error


def search_folders(extra: Path | None = None) -> list[Path]:
    """Folders where checkpoints are looked for, first to last; some may not exist.

    Args:
        extra: the folder given with `--models`, which comes first.
    """
    folders = []
    if extra is not None:
        folders.append(Path(extra))
    if variable := os.environ.get(MODELS_VARIABLE):
        folders.append(Path(variable))
    if checkout := _checkout_models():
        folders.append(checkout)
    folders.append(Path(platformdirs.user_cache_dir("sam_annotator")) / "models")
    return list(dict.fromkeys(folder.expanduser().absolute() for folder in folders))


def choose_fetch_folder(extra: Path | None = None) -> Path:
    """The folder that a checkpoint is fetched into: the first of `search_folders` that can be written.

    A folder that was given with `--models` is the only one that counts.

    Raises:
        AnnotatorError: none can be written.
    """
    folders = search_folders(extra)[: 1 if extra is not None else None]
    for folder in folders:
        if _can_be_written(folder):
            return folder
    raise AnnotatorError(f"{folders[0]} cannot be written", Remedy.OTHER_MODELS)


def find_checkpoint(checkpoint: Checkpoint, extra: Path | None = None) -> Path | None:
    """The checkpoint's file, or None. An unfinished download (`.part`) is not the file.

    Where several folders hold it, the first one of the right size; where none is, the first one.
    """
    found = [path for folder in search_folders(extra) if os.path.isfile(path := folder / checkpoint.file)]
    return next((path for path in found if has_right_size(checkpoint, path)), found[0] if found else None)


def has_right_size(checkpoint: Checkpoint, path: Path) -> bool:
    """False for a file that was cut short, or is another one. True where the size is not known."""
    try:
        return checkpoint.bytes is None or os.path.getsize(path) == checkpoint.bytes
    except OSError:
        return False


def describe_bytes(count: int) -> str:
    """`375 MB`, `2.6 GB`: decimal, as download pages say it."""
    for factor, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}" if factor == 10**9 else f"{count / factor:.0f} {unit}"
    return f"{count} bytes"


def _can_be_written(folder: Path) -> bool:
    """Whether it is there and can be written, or can be made."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _manifest_path() -> Path:
    """In a checkout beside the package, in an installation inside it."""
    checkout = _checkout_models()
    return (checkout or _PACKAGE / "_models") / _MANIFEST


def _checkout_models() -> Path | None:
    """The checkout's `models/`; None for an installed package, whose neighbours belong to others."""
    folder = _PACKAGE.parent / "models"
    return folder if (folder / _MANIFEST).is_file() else None
