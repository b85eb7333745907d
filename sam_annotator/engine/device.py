"""Which device computes."""

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
