"""An STCN of the real classes, narrow enough to compute in milliseconds, and frames to show it."""

import numpy as np
import torch
from numpy.typing import NDArray

from sam_annotator.engine.propagator import Masks
from sam_annotator.engine.stcn.memory import DEFAULT_PLAN, MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.propagator import StcnPropagator

WIDTH, KEY_CHANNELS = 4, 8
SIZE = 40, 56  # padded to 48 x 64


def small_network(seed: int = 0) -> StcnNetwork:
    """Random weights, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return StcnNetwork(WIDTH, KEY_CHANNELS).eval().requires_grad_(False)


def small_propagator(plan: MemoryPlan = DEFAULT_PLAN, short_side: int = 480) -> StcnPropagator:
    return StcnPropagator(small_network(), name="STCN, small", plan=plan, short_side=short_side)


def frame(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Noise, another one in each frame."""
    return np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)


def box(top: int, left: int, bottom: int, right: int, size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    mask = np.zeros(size, np.bool_)
    mask[top:bottom, left:right] = True
    return mask


LEFT, RIGHT = box(5, 5, 30, 25), box(10, 30, 35, 50)
TWO: Masks = {1: LEFT, 2: RIGHT}
