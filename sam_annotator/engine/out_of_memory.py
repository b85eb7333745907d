"""Telling a lack of memory from other failures, on every device; and how much there is."""

from pathlib import Path

import cv2
import torch

_SIGNS = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # torch's allocator on processors
    "not enough memory",  # the same on Windows
    "alloc_failed",  # cuBLAS and cuDNN
    "insufficient memory",  # OpenCV
    "failed to allocate",
    "could not create a primitive",  # oneDNN, where its code or scraps find no room
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch, NumPy or OpenCV says that there was not enough memory."""
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)):
        return True
    return isinstance(error, (RuntimeError, cv2.error)) and any(sign in str(error).lower() for sign in _SIGNS)


def share_memory(processes: int) -> None:
    """So many processes like this one begin at once: from now on each counts on its part of what is free."""
    _sharing["processes"] = max(1, processes)


_sharing = {"processes": 1}


def free_memory(device: torch.device) -> int | None:
    """Bytes that this process can have on a device now; None where it does not say."""
    free = _free(device)
    return None if free is None else free // _sharing["processes"]


def _free(device: torch.device) -> int | None:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    return _free_on_linux() if device.type == "cpu" else None


def _free_on_linux() -> int | None:
    """What programs can have without swapping, in /proc/meminfo; None on other systems."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    amounts = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    return next((1024 * int(kilobytes) for kilobytes in amounts), None)
