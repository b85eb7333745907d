"""STCN frame by frame: ours, and the published implementation from a checkout of it; same weights, same memory."""

import importlib
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sam_annotator.engine.stcn.load import load_network, ready_network
from sam_annotator.engine.stcn.memory import MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.resnet import bottlenecks
from sam_annotator.engine.stcn.tracker import Tracker
from sam_annotator.engine.stcn.working import WorkingSize

PLAN = MemoryPlan(every=5, last=True)


class Inputs:
    """Frames that drift, and boxes as objects, in working size."""

    def __init__(self, width: int, height: int, objects: int) -> None:
        self._size = WorkingSize.of(height, width, min(width, height))
        coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 8, width // 8 + 8, 3), dtype=np.uint8)
        self._scene = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
        self._shape = height, width
        self.objects = objects

    def frame(self, index: int) -> Tensor:
        """float32 (1, 3, height, width), normalised and padded."""
        height, width = self._shape
        drift = index % 32
        return self._size.frame(np.ascontiguousarray(self._scene[drift : drift + height, drift : drift + width]))

    def masks(self) -> Tensor:
        """float32 (objects, height, width), padded."""
        height, width = self._shape
        planes = []
        for place in range(self.objects):
            mask = np.zeros((height, width), np.bool_)
            left = place * width // self.objects
            mask[height // 4 : height // 2, left : left + width // (2 * self.objects)] = True
            planes.append(self._size.mask(mask))
        return torch.stack(planes)


class Ours:
    """The tracker of this project."""

    def __init__(self, network: StcnNetwork, inputs: Inputs, device: torch.device, precision: torch.dtype) -> None:
        self._tracker = Tracker(ready_network(network, device, precision), PLAN)
        self._inputs = inputs

    @torch.inference_mode()
    def step(self, index: int) -> Tensor:
        """The shares of a frame: float32 (1 + objects, height, width)."""
        objects = range(1, self._inputs.objects + 1)
        given = dict(zip(objects, self._inputs.masks(), strict=True)) if index == 0 else {}
        return self._tracker.step(index, self._inputs.frame(index), given, frozenset(objects)).planes.float().cpu()


class Reference:
    """The published implementation, driven as its own inference does it; under AMP on CUDA, as its scripts do."""

    def __init__(self, folder: Path, network: StcnNetwork, inputs: Inputs, device: torch.device) -> None:
        network_module, bank_module, self._aggregate = _import_reference(folder)
        self._network = network_module.STCN().eval()
        self._network.load_state_dict(network.state_dict())
        self._network.to(device).requires_grad_(False)
        self._bank = bank_module.MemoryBank(k=inputs.objects, top_k=20)
        self._inputs, self._device = inputs, device

    @torch.inference_mode()
    def step(self, index: int) -> Tensor:
        """The shares of a frame: float32 (1 + objects, height, width)."""
        with torch.autocast(self._device.type, enabled=self._device.type == "cuda"):
            return self._step(index)[:, 0].float().cpu()

    def _step(self, index: int) -> Tensor:
        frame = self._inputs.frame(index).to(self._device)
        key, thin, f16, f8, f4 = self._network.encode_key(frame)
        if index == 0:
            alone = self._inputs.masks()[:, None].to(self._device)
        else:
            alone = self._network.segment_with_query(self._bank, f8, f4, key, thin)
        shares: Tensor = self._aggregate(alone, keep_bg=True)
        value = self._network.encode_value(frame, f16, shares[1:])
        self._bank.add_memory(key.unsqueeze(2), value, is_temp=not PLAN.is_due(index))
        return shares


def make_network(checkpoint: Path | None) -> StcnNetwork:
    """The published weights if there are some, else random ones."""
    if checkpoint is not None:
        return load_network(checkpoint)
    torch.manual_seed(0)
    return StcnNetwork().eval().requires_grad_(False)


def _import_reference(folder: Path) -> tuple[Any, Any, Any]:
    """Its modules, without what they would download: their first weights are thrown away anyway."""
    sys.path.insert(0, str(folder.resolve()))
    vision, models = ModuleType("torchvision"), ModuleType("torchvision.models")
    models.resnet50 = _resnet50  # type: ignore[attr-defined]
    vision.models = models  # type: ignore[attr-defined]
    sys.modules.update({"torchvision": vision, "torchvision.models": models})
    resnet = importlib.import_module("model.mod_resnet")
    resnet.load_weights_sequential = lambda *_: None  # type: ignore[attr-defined]
    resnet.model_zoo = SimpleNamespace(load_url=lambda *_: OrderedDict())  # type: ignore[attr-defined]
    aggregate = importlib.import_module("model.aggregate").aggregate
    return importlib.import_module("model.eval_network"), importlib.import_module("inference_memory_bank"), aggregate


def _resnet50(**_: object) -> SimpleNamespace:
    return SimpleNamespace(
        conv1=nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
        bn1=nn.BatchNorm2d(64),
        relu=nn.ReLU(inplace=True),
        maxpool=nn.MaxPool2d(3, stride=2, padding=1),
        layer1=bottlenecks(64, 64, 3),
        layer2=bottlenecks(256, 128, 4, stride=2),
        layer3=bottlenecks(512, 256, 6, stride=2),
    )
