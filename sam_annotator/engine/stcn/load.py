"""From a file of weights to a propagator."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

from sam_annotator.core.weights.damage import damage_noted
from sam_annotator.core.weights.manifest import Checkpoint, describe_bytes
from sam_annotator.core.weights.record import notice_change
from sam_annotator.engine.checkpoints import State, check_state, read_state
from sam_annotator.engine.device import choose_device, has_fast_bfloat16
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.propagator import SHORT_SIDE, StcnPropagator, failures_explained
from sam_annotator.engine.stcn.resnet import fold_norms

_VALUE_INPUT = "value_encoder.conv1.weight"
_ADVICE = "Choose another file; `sam-annotator models list` says where to get stcn.pth."


def make_stcn(
    path: Path,
    *,
    device: str = "auto",
    short_side: int | None = None,
    report: Callable[[str], None] = lambda _text: None,
    checkpoint: Checkpoint | None = None,
) -> StcnPropagator:
    """Load STCN from its file of weights.

    The file is recorded at its first use (its authors published no hash); that it is another one later is the
    propagator's first notice. On CUDA, a run that finds no more memory there goes on on the CPU.

    Args:
        path: the file.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        short_side: pixels of a frame's shorter side as the network sees it; None: as published.
        report: is told what is being loaded.
        checkpoint: what the manifest knows of the file, if it is the published one.

    Raises:
        InputError: no such device.
        EngineError: the file is damaged or not STCN's, or the model does not fit into the device's memory.
    """
    chosen = choose_device(device)
    size = f" ({describe_bytes(path.stat().st_size)})" if path.is_file() else ""
    report(f"Loading STCN from {path.name}{size} ...")
    network = load_network(path, checkpoint)
    name = f"STCN, {chosen} {str(choose_precision(chosen)).removeprefix('torch.')}"
    with failures_explained(name):
        return StcnPropagator(
            _ready_on(network, chosen),
            name=name,
            short_side=short_side or SHORT_SIDE,
            fallback=partial(_load_on_cpu, path, checkpoint) if chosen.type != "cpu" else None,
            notice=notice_change(path),
        )


def _ready_on(network: StcnNetwork, device: torch.device) -> StcnNetwork:
    return ready_network(network, device, choose_precision(device))


def _load_on_cpu(path: Path, checkpoint: Checkpoint | None) -> StcnNetwork:
    return _ready_on(load_network(path, checkpoint), torch.device("cpu"))


def load_network(path: Path, checkpoint: Checkpoint | None = None) -> StcnNetwork:
    """The network with the weights of a file; CPU, float32.

    Weights trained for one object at a time, without the plane of the others, are taken as well: that plane then
    counts for nothing.

    Raises:
        DamagedError: the file is damaged, or its weights are not those of STCN; that is remembered until it changes.
        EngineError: there is no memory for it.
    """
    with damage_noted(path, checkpoint):
        state = with_plane_of_others(read_state(path, checkpoint))
        with torch.device("meta"):  # initial weights would be drawn and then thrown away
            network = StcnNetwork()
        check_state(state, network, path, what="STCN", advice=_ADVICE)
    network.load_state_dict(state, strict=True, assign=True)
    return network.float().eval().requires_grad_(False)


def with_plane_of_others(state: State) -> State:
    """The weights with a fifth input plane of zeros where the value encoder takes four."""
    weight = state.get(_VALUE_INPUT)
    if weight is None or weight.ndim != 4 or weight.shape[1] != 4:
        return state
    return {**state, _VALUE_INPUT: torch.cat([weight, torch.zeros_like(weight[:, :1])], 1)}


def ready_network(network: StcnNetwork, device: torch.device, precision: torch.dtype) -> StcnNetwork:
    """The network as it computes fastest, with the same answers: norms folded (in float32), then moved and cast."""
    fold_norms(network)
    moved: StcnNetwork = network.to(device, precision).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def choose_precision(device: torch.device) -> torch.dtype:
    """float16 on CUDA devices and bfloat16 on processors that compute faster with it, else float32.

    Keys, affinities and shares are float32 in any case.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (7, 0):
        return torch.float16
    return torch.bfloat16 if device.type == "cpu" and has_fast_bfloat16() else torch.float32
