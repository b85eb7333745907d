"""What memory a run takes is known beforehand, about."""

import json
import subprocess
import sys

import pytest
import torch

from sam_annotator.engine.propagator import Forecast, forecast_of
from sam_annotator.engine.stcn.forecast import bank_bytes, forecast_bytes, weight_bytes
from sam_annotator.engine.stcn.memory import MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.working import WorkingSize
from tests.conftest import REPOSITORY
from tests.engine.stcn.small import LEFT, SIZE, TWO, frame, small_network, small_propagator

MEASURE = """
import json, sys
import torch
from pathlib import Path
from tests.engine.stcn.small import box, frame
from sam_annotator.engine.stcn.load import ready_network
from sam_annotator.engine.stcn.memory import MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.propagator import StcnPropagator

def memory(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(what)).split()[1])

torch.set_num_threads(1)
torch.nn.Conv2d(3, 3, 3)(torch.zeros(1, 3, 8, 8))
before, size = memory("VmRSS"), (96, 160)
with torch.device("meta"):
    network = StcnNetwork()
network = network.to_empty(device="cpu").eval().requires_grad_(False)
for tensor in network.state_dict().values():
    tensor.zero_()
network = ready_network(network, torch.device("cpu"), torch.float32)
Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
given = {place: box(place * 10, 5, place * 10 + 10, 100, size) for place in range(1, 4)}
propagator = StcnPropagator(network, name="STCN", plan=MemoryPlan(every=1))
propagator.begin([])
propagator.step(0, frame(0, size), given, frozenset(given))
for index in (1, 2):
    propagator.step(index, frame(index, size), {}, frozenset(given))
forecast = propagator.forecast(*size, len(given), 1)
print(json.dumps([memory("VmHWM") - before, forecast.bytes]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc")
def test_a_run_of_the_published_size_takes_about_what_was_forecast() -> None:
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    taken, forecast = json.loads(answer.stdout)
    assert 0.5 * forecast < taken < 1.2 * forecast


def test_the_bank_is_forecast_to_the_byte() -> None:
    plan = MemoryPlan(every=1, working=3)
    propagator = small_propagator(plan)
    propagator.begin([])
    propagator.step(0, frame(0), TWO, frozenset(TWO))
    for index in range(1, 9):
        propagator.step(index, frame(index), {}, frozenset(TWO))
    memory = propagator._tracker.memory
    values = sum(memory.value(i, index).nbytes for i in TWO for index in memory.frames(i))
    keys = sum(key.nbytes for key in memory._keys.values())
    one_copy = bank_bytes(small_network(), 48 * 64, 0, 4) - keys
    assert bank_bytes(small_network(), 48 * 64, 2, 4) == keys + values + one_copy


def test_more_objects_and_larger_frames_take_more_but_not_beyond_the_short_side() -> None:
    network = small_network()

    def forecast(height: int, width: int, objects: int, key_frames: int = 1) -> int:
        return forecast_bytes(network, WorkingSize.of(height, width, 480), objects, key_frames, MemoryPlan())

    assert forecast(480, 854, 1) < forecast(480, 854, 3) < forecast(480, 854, 30)
    assert forecast(480, 854, 3) < forecast(480, 854, 3, key_frames=8)
    assert forecast(240, 427, 3) < forecast(480, 854, 3)
    larger = forecast(2160, 3840, 3) - forecast(480, 854, 3)
    assert 0 < larger < 60 * 2160 * 3840


def test_half_precision_takes_half_the_weights() -> None:
    assert weight_bytes(small_network().to(torch.bfloat16)) < 0.55 * weight_bytes(small_network())


def test_the_forecast_is_a_line_for_people() -> None:
    propagator = small_propagator()
    forecast = forecast_of(propagator, *SIZE, objects=1)
    assert forecast is not None
    assert str(forecast).startswith("Memory for 1 object at 56 x 40: about ")
    assert forecast.where == "cpu"
    text = "Memory for 3 objects at 1920 x 1080: about 1.5 GB on cuda:0, 800 MB free; a smaller --short-side or fewer"
    assert str(Forecast("3 objects at 1920 x 1080", 1_500_000_000, 800_000_000, "cuda:0")).startswith(text)
    assert str(Forecast("1 object at 8 x 8", 10**9, 2 * 10**9, "cpu")) == (
        "Memory for 1 object at 8 x 8: about 1.0 GB on cpu, 2.0 GB free."
    )
    assert not Forecast("", 5, None, "cpu").is_short


def test_asking_for_a_forecast_in_a_run_leaves_it_alone() -> None:
    propagator = small_propagator()
    propagator.begin([])
    propagator.step(0, frame(0), {1: LEFT}, frozenset({1}))
    propagator.forecast(1080, 1920, 9, 3)
    assert propagator.step(1, frame(1), {}, frozenset({1})).keys() == {1}


def test_the_published_network_is_forecast_by_its_own_width() -> None:
    with torch.device("meta"):
        network = StcnNetwork()
    assert weight_bytes(network) == pytest.approx(218e6, rel=0.01)
    at_480p = forecast_bytes(network, WorkingSize.of(480, 854, 480), 3, 1, MemoryPlan())
    assert 8e8 < at_480p < 1.6e9
