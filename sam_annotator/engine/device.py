"""Which device computes, and with which numbers it is fastest."""

import torch

from sam_annotator.core.errors import InputError


def choose_device(wanted: str) -> torch.device:
    """The device for `auto` (CUDA if there is one, else the CPU) or for a name such as `cpu` or `cuda:1`.

    Raises:
        InputError: no such device on this machine.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)  # the only question that every kind of device answers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"The device '{wanted}' cannot be used by torch {torch.__version__} on this machine; "
            "choose --device cpu, or auto, which takes CUDA where there is some."
        ) from error
    return device


def fastest_precision(device: torch.device) -> torch.dtype:
    """What a large network computes with: bfloat16 where the device multiplies it itself, else float16, else float32.

    bfloat16: CUDA devices since Ampere, some processors. float16: CUDA devices since Volta.
    """
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if capability >= (8, 0) else torch.float16 if capability >= (7, 0) else torch.float32
    return torch.bfloat16 if device.type == "cpu" and has_fast_bfloat16() else torch.float32


def has_fast_bfloat16() -> bool:
    """Whether this machine's processor multiplies bfloat16 itself; others emulate it, slowly."""
    tests = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(test() for test in tests if test is not None)
