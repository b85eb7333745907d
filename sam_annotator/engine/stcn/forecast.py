"""About what memory a run takes at most, reckoned before it: from the size and the objects, not the length."""

from sam_annotator.engine.stcn.memory import CHUNK, MemoryPlan
from sam_annotator.engine.stcn.network import STRIDE, WIDTH, StcnNetwork
from sam_annotator.engine.stcn.tracker import OBJECTS_TOGETHER
from sam_annotator.engine.stcn.working import WorkingSize

FRAME_ACTIVATIONS = 60
"""Numbers that the network holds at once for each pixel of a frame, at most; of the published width (measured)."""

OBJECT_ACTIVATIONS = 85
"""The same for each object that goes through it at the same time."""

LIBRARIES = 90 * 10**6
"""Bytes that the libraries take for themselves: compiled kernels, weights in another order, scraps."""

SHARE_BYTES = 20
"""For each pixel and object: shares of the frame, and what they are made from."""

VIDEO_BYTES = 40
"""For each pixel of the video's own size: images that are read ahead, and who has the pixel."""


def forecast_bytes(network: StcnNetwork, size: WorkingSize, objects: int, key_frames: int, plan: MemoryPlan) -> int:
    """Bytes that a run takes on the network's device, with the weights: about the most of it.

    Counted are the weights; the bank with all that the plan lets it hold, and the copy of one object's that is read;
    the affinities; activations of a step; shares; and the video's own frames. Not counted is what the program takes
    before a model is loaded (a quarter of a gigabyte), and on CUDA the driver's own part. Measured on a CPU, runs took
    0.7 to 1.02 times as much (benchmarks/RESULTS.md).

    Args:
        size: of the frames.
        objects: that are followed.
        key_frames: that are learned before the run, and met during it.
    """
    height, width = size.inner
    pixels = (height + sum(size.pads[2:])) * (width + sum(size.pads[:2]))
    frames = key_frames + min(key_frames, plan.given) + (plan.working if plan.every else 0) + 1
    together = min(objects, OBJECTS_TOGETHER)
    numbers = pixels * (FRAME_ACTIVATIONS + OBJECT_ACTIVATIONS * together) * _relative_width(network)
    return (
        weight_bytes(network)
        + bank_bytes(network, pixels, objects, frames)
        + affinity_bytes(pixels, frames)
        + round(numbers * network.dtype.itemsize)
        + LIBRARIES
        + SHARE_BYTES * pixels * (objects + 1)
        + VIDEO_BYTES * size.full[0] * size.full[1]
    )


def weight_bytes(network: StcnNetwork) -> int:
    """Bytes of the network's weights."""
    return sum(tensor.nbytes for tensor in network.state_dict().values())


def bank_bytes(network: StcnNetwork, pixels: int, objects: int, frames: int) -> int:
    """Bytes of a memory of so many frames, and of one object's values once more, as they are read."""
    places = pixels // STRIDE**2
    key = 4 * network.key_channels
    value = network.dtype.itemsize * network.value_channels
    return frames * places * (key + value * (objects + 1))


def affinity_bytes(pixels: int, frames: int) -> int:
    """Bytes of the affinities that are held at once, and of what is sorted out of them."""
    places = pixels // STRIDE**2
    return 4 * 2 * min(frames * places**2, max(CHUNK, places**2))


def _relative_width(network: StcnNetwork) -> float:
    return network.value_channels / (8 * WIDTH)
