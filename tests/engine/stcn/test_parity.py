"""What the published implementation computed, from its weights' names and shapes to whole runs."""

import copy
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sam_annotator.engine.propagator import PropagatedMask
from sam_annotator.engine.stcn.aggregate import aggregate
from sam_annotator.engine.stcn.load import has_fast_bfloat16, ready_network
from sam_annotator.engine.stcn.memory import Kind, MemoryBank, MemoryPlan
from sam_annotator.engine.stcn.network import FrameFeatures, StcnNetwork
from sam_annotator.engine.stcn.propagator import StcnPropagator
from sam_annotator.engine.stcn.tracker import Tracker
from sam_annotator.engine.stcn.working import WorkingSize

CPU = torch.device("cpu")
RUNS = {"every3": MemoryPlan(3, last=False), "last": MemoryPlan(None), "every5last": MemoryPlan(5)}
THINNED = 97  # of most recorded stages each so many values
SIZE = WorkingSize.of(150, 266, 480)

Golden = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def golden(shared: Path) -> Golden:
    with np.load(shared / "stcn_parity/golden.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def published(shared: Path) -> StcnNetwork:
    """The whole network with stand-in weights, as loaded."""
    weights = _module(shared / "stcn_parity/weights.py")
    with torch.device("meta"):
        network = StcnNetwork()
    state = {name: torch.as_tensor(values) for name, values in weights.make_state_dict().items()}
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def ready(published: StcnNetwork) -> StcnNetwork:
    """The network as it is used: norms folded, channels last."""
    return ready_network(copy.deepcopy(published), CPU, torch.float32)


@pytest.fixture(scope="module")
def masks(golden: Golden) -> dict[int, torch.Tensor]:
    return {object_id: SIZE.mask(golden["labels0"] == object_id) for object_id in (1, 2)}


@pytest.fixture(params=["as loaded", "ready"])
def network(request: pytest.FixtureRequest, published: StcnNetwork, ready: StcnNetwork) -> StcnNetwork:
    return ready if request.param == "ready" else published


def test_the_parameters_are_named_and_shaped_as_published(shared: Path) -> None:
    expected = json.loads((shared / "stcn_parity/keys.json").read_text())
    with torch.device("meta"):
        state = StcnNetwork().state_dict()
    assert len(state) == 405
    assert {name: list(tensor.shape) for name, tensor in state.items()} == expected


def test_a_frame_is_seen_as_published(network: StcnNetwork, golden: Golden) -> None:
    seen = _see(network, golden, 0)
    assert _away(seen.key, golden["stage_k16"]) < 1e-4
    assert _away(seen.thin, golden["stage_f16_thin"]) < 1e-4
    for name in ("f16", "f8", "f4"):
        assert _away(getattr(seen, name), golden[f"stage_{name}"]) < 1e-4


def test_memory_reading_and_decoding_are_as_published(
    network: StcnNetwork, golden: Golden, masks: dict[int, torch.Tensor]
) -> None:
    with torch.inference_mode():
        first, second = _see(network, golden, 0), _see(network, golden, 1)
        two = aggregate(torch.stack(list(masks.values())))[1:, None]
        one = aggregate(masks[1][None])[1:, None]
        values = network.encode_values(first, two, two.flip(0))
        assert _away(values, golden["stage_value_two"]) < 1e-4
        assert _away(network.encode_values(first, one, torch.zeros_like(one)), golden["stage_value_one"]) < 1e-4
        memory = MemoryBank()
        memory.remember(0, first.key, dict(enumerate(values)), dict.fromkeys(range(len(values)), Kind.KEY))
        readout = memory.read(second.key, [0, 1])
        assert _away(readout, golden["stage_readout"]) < 1e-4
        assert np.abs(network.decode(second, readout).numpy() - golden["stage_sigmoid"]).max() < 1e-4


@pytest.mark.parametrize("name", RUNS)
def test_a_run_gives_the_published_probabilities_and_labels(
    ready: StcnNetwork, golden: Golden, masks: dict[int, torch.Tensor], name: str
) -> None:
    planes = _run(ready, golden, masks, RUNS[name])
    assert np.abs(planes[golden["prob_frames"]] - golden[f"seq_{name}_prob"]).max() < 1e-4
    assert (planes.argmax(1) == golden[f"seq_{name}_label"]).mean() >= 0.9995


@pytest.mark.skipif(not has_fast_bfloat16(), reason="this processor only emulates bfloat16")
def test_half_precision_stays_as_near_as_it_should(
    published: StcnNetwork, golden: Golden, masks: dict[int, torch.Tensor]
) -> None:
    half = ready_network(copy.deepcopy(published), CPU, torch.bfloat16)
    planes, expected = _run(half, golden, masks, RUNS["every5last"]), golden["seq_every5last_prob"]
    away = np.abs(planes[golden["prob_frames"]] - expected)
    assert away.mean() <= 0.003
    assert np.quantile(away, 0.99) <= 0.015
    assert away.max() <= 0.05
    ordered = np.sort(expected, axis=1)
    sure = ordered[:, -1] - ordered[:, -2] > 0.05
    labels = planes[golden["prob_frames"]].argmax(1)
    assert (labels == golden["seq_every5last_label"][golden["prob_frames"]])[sure].all()


def test_the_propagator_answers_with_the_published_labels(ready: StcnNetwork, golden: Golden) -> None:
    propagator = StcnPropagator(ready, name="STCN")
    propagator.begin([])
    given = {object_id: golden["labels0"] == object_id for object_id in (1, 2)}
    propagator.step(0, golden["frames"][0], given, frozenset(given))
    for index in (1, 2):
        answers = propagator.step(index, golden["frames"][index], {}, frozenset(given))
        expected = golden["seq_every5last_label"][index]
        assert (_labels(answers) == expected).mean() >= 0.9995


def _labels(answers: dict[int, PropagatedMask]) -> NDArray[np.int64]:
    return np.asarray(sum(object_id * answer.mask.astype(np.int64) for object_id, answer in answers.items()))


def _run(network: StcnNetwork, golden: Golden, masks: dict[int, torch.Tensor], plan: MemoryPlan) -> NDArray[np.float32]:
    """The shares of all frames: (10, 3, 150, 266)."""
    tracker = Tracker(network, plan)
    planes = []
    with torch.inference_mode():
        for index, image in enumerate(golden["frames"]):
            shares = tracker.step(index, SIZE.frame(image), {} if index else masks, frozenset(masks))
            planes.append(SIZE.without_pads(shares.planes).numpy())
    return np.stack(planes)


def _see(network: StcnNetwork, golden: Golden, index: int) -> FrameFeatures:
    with torch.inference_mode():
        return network.encode_frame(SIZE.frame(golden["frames"][index]))


def _away(ours: torch.Tensor, recorded: NDArray[np.float32]) -> float:
    """The largest difference, as a part of the recorded values' spread."""
    flat = ours.contiguous().numpy().reshape(-1)
    kept = flat if flat.size == recorded.size else flat[::THINNED]
    return float(np.abs(kept - recorded.reshape(-1)).max() / recorded.std())


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
