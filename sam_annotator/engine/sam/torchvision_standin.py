"""Import `segment_anything` whether torchvision works or not.

PyPI's torchvision does not import beside a CPU-only torch, and `segment_anything` needs four small functions of
it. Where torchvision is missing or broken, they are put in its place for the import of `segment_anything` alone,
and taken away again, so that no other package takes the stand-in for torchvision.
"""

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.errors import EngineError

_NEEDED = {
    "torchvision.transforms.functional": ("resize", "to_pil_image"),
    "torchvision.ops.boxes": ("batched_nms", "box_area"),
}
_PACKAGES = ("torchvision", "torchvision.transforms", "torchvision.ops")
_import_lock = threading.Lock()


def import_segment_anything() -> Any:
    """The package `segment_anything`; `sys.modules` holds no stand-in afterwards.

    Raises:
        EngineError: the package is not installed, or cannot be imported for another reason than torchvision.
    """
    with _import_lock:
        try:
            if "segment_anything" in sys.modules or _torchvision_works():
                return importlib.import_module("segment_anything")
            with _standin_in_place():
                return importlib.import_module("segment_anything")
        except ImportError as error:
            raise EngineError(
                f"The package segment-anything cannot be imported ({error}); run `pip install segment-anything`, "
                "or choose --sam embedded."
            ) from error


def _torchvision_works() -> bool:
    """Try it; what a failed import leaves behind in `sys.modules` is removed."""
    before = _torchvision_modules()
    try:
        return all(
            hasattr(importlib.import_module(module), name) for module, names in _NEEDED.items() for name in names
        )
    except (ImportError, RuntimeError, OSError, AttributeError):  # missing operator, library or half-built module
        _replace_torchvision(before)
        return False


@contextmanager
def _standin_in_place() -> Iterator[None]:
    before = _torchvision_modules()
    _replace_torchvision(_standin_modules())
    try:
        yield
    finally:
        _replace_torchvision(before)


def _torchvision_modules() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "torchvision"}


def _replace_torchvision(modules: dict[str, ModuleType]) -> None:
    for name in _torchvision_modules():
        del sys.modules[name]
    sys.modules.update(modules)


def _standin_modules() -> dict[str, ModuleType]:
    modules = {name: ModuleType(name) for name in (*_PACKAGES, *_NEEDED)}
    for module, names in _NEEDED.items():
        for name in names:
            setattr(modules[module], name, _FUNCTIONS[name])
    return modules


def _to_pil_image(image: NDArray[np.uint8]) -> Image.Image:
    """uint8 (height, width, 3) to a PIL image."""
    return Image.fromarray(image)


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """To size (height, width), as torchvision does it for PIL images."""
    height, width = size
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _box_area(boxes: Any) -> Any:
    """Areas (N,) of boxes (N, 4): left, top, right, bottom."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _batched_nms(*_arguments: Any) -> Any:
    raise NotImplementedError("segment_anything's automatic mask generator needs a torchvision that works.")


_FUNCTIONS = {"resize": _resize, "to_pil_image": _to_pil_image, "box_area": _box_area, "batched_nms": _batched_nms}
