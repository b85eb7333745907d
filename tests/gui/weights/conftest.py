"""A checkout without weights, a server that has small ones, and the window on them."""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from sam_annotator.core.weights import download, manifest
from sam_annotator.core.weights.http_pieces import Patience
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from sam_annotator.engine.stcn import load
from sam_annotator.gui.driver import Driver
from tests.conftest import REPOSITORY
from tests.engine.small_sam import small_sam
from tests.engine.stcn.small import small_network
from tests.file_server import FileServer, serve
from tests.gui.weights.banner_steps import AUTO

Make = Callable[..., Driver]


def _small_vit_b() -> Any:
    return small_sam(width=768, depth=1, heads=4)


@pytest.fixture(scope="module")
def weights() -> bytes:
    """The file of a vit_b that is small enough for a test."""
    stream = io.BytesIO()
    torch.save(_small_vit_b().state_dict(), stream)
    return stream.getvalue()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `models` folder of a checkout without weights; vit_b and STCN are small ones."""
    (tmp_path / "checkout/models").mkdir(parents=True)
    shutil.copy(REPOSITORY / "models/checkpoints.json", tmp_path / "checkout/models")
    monkeypatch.setattr(manifest, "_PACKAGE", tmp_path / "checkout/sam_annotator")
    monkeypatch.setitem(import_segment_anything().sam_model_registry, "vit_b", _small_vit_b)
    monkeypatch.setattr(load, "StcnNetwork", small_network)
    return tmp_path / "checkout/models"


@pytest.fixture
def server(checkout: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serves the small vit_b in place of all that the manifest names."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "Patience", lambda: Patience(connect=5, read=5, pauses=(0.01,)))
    with serve(weights) as files:
        entries = json.loads((checkout / "checkpoints.json").read_text())
        for name, entry in entries.items():
            entry["url"] = f"{files.url}/{name}"
            if name == "sam_vit_b":
                entry |= {"bytes": len(weights), "sha256": hashlib.sha256(weights).hexdigest()}
        (checkout / "checkpoints.json").write_text(json.dumps(entries))
        yield files


@pytest.fixture
def open_window(make_annotation_window: Make, make_videos: Callable[..., Path]) -> Make:
    """The window on one video, with whatever weights there are."""
    videos = make_videos()

    def make(**options: Any) -> Driver:
        return make_annotation_window(videos, engines=options.pop("engines", AUTO), **options)

    return make
