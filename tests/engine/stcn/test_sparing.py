"""Where memory runs out, the run goes on at the same frame with less of it, and says what changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from sam_annotator.core.errors import EngineError
from sam_annotator.engine import batch, engines, out_of_memory
from sam_annotator.engine.batch import VideoTask
from sam_annotator.engine.engines import EngineOptions
from sam_annotator.engine.out_of_memory import free_memory, is_out_of_memory
from sam_annotator.engine.propagator import MemoryBound, PropagatedMask, forecast_of, notice_of
from sam_annotator.engine.runs import FillOptions
from sam_annotator.engine.stcn import ladder
from sam_annotator.engine.stcn.ladder import Thrift
from sam_annotator.engine.stcn.memory import Kind, MemoryPlan
from sam_annotator.engine.stcn.network import StcnNetwork
from sam_annotator.engine.stcn.propagator import StcnPropagator
from tests.engine.moving_propagator import MovingPropagator, make_video
from tests.engine.stcn.small import box, frame, small_network

GIVEN = {object_id: box(5 * object_id, 3, 5 * object_id + 5, 50) for object_id in range(1, 5)}
WANTED = frozenset(GIVEN)
PLAN = MemoryPlan(every=1, working=8)
USUAL = Thrift(8, 8, 480, "cpu")
PIXELS = 48 * 64  # of a frame of the tests, padded


class Budget:
    """A network on a device of so many bytes: of what is remembered, and of what goes through it at once."""

    def __init__(self, propagator: StcnPropagator, network: StcnNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes: float = np.inf
        self.failures = 0
        self.propagator = propagator
        for name in ("encode_frame", "encode_values", "decode"):
            monkeypatch.setattr(network, name, self.checked(getattr(network, name)))

    def checked(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*tensors: Any) -> Any:
            of_frame = tensors[0] if isinstance(tensors[0], torch.Tensor) else tensors[0].image
            objects = len(tensors[1]) if len(tensors) > 1 else 0
            if self.remembered + of_frame[0, 0].numel() * (1 + objects) > self.bytes:
                self.failures += 1
                raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nMore.")
            return method(*tensors)

        return call

    @property
    def remembered(self) -> int:
        memory = self.propagator._tracker.memory
        values = (memory.value(object_id, index) for object_id in memory.objects for index in memory.frames(object_id))
        return sum(value.nbytes for value in values)


def start(network: StcnNetwork, **options: Any) -> StcnPropagator:
    """A run of ten frames, each of which is a working frame as long as there is room."""
    propagator = StcnPropagator(network, name="STCN, small", plan=PLAN, **options)
    propagator.begin([])
    propagator.step(0, frame(0), GIVEN, WANTED)
    go(propagator, range(1, 10))
    return propagator


def go(propagator: StcnPropagator, frames: range) -> list[dict[int, PropagatedMask]]:
    return [propagator.step(index, frame(index), {}, WANTED) for index in frames]


@pytest.fixture
def network() -> StcnNetwork:
    return small_network()


@pytest.fixture
def run(network: StcnNetwork, monkeypatch: pytest.MonkeyPatch) -> tuple[StcnPropagator, Budget]:
    monkeypatch.setattr(ladder, "SMALLEST_SIDE", 16)
    propagator = start(network)
    return propagator, Budget(propagator, network, monkeypatch)


def shrink(budget: Budget, working: int, together: int, pixels: int = PIXELS) -> None:
    """As many bytes as it takes with so much in use."""
    of_one_frame = budget.remembered // 9  # eight working frames and the one that was given
    budget.bytes = of_one_frame * (working + 1) + pixels * (1 + together)


@pytest.mark.parametrize(
    ("working", "together", "expected", "told"),
    [
        (8, 4, USUAL, None),
        (4, 4, Thrift(4, 8, 480, "cpu"), "each object keeps 4 working frames in memory instead of 8"),
        (4, 2, Thrift(4, 2, 480, "cpu"), "objects are computed 2 at a time instead of 4"),
        (4, 1, Thrift(4, 1, 480, "cpu"), "objects are computed 1 at a time instead of 4"),
    ],
)
def test_a_run_gives_up_what_it_must_and_no_more(
    run: tuple[StcnPropagator, Budget], working: int, together: int, expected: Thrift, told: str | None
) -> None:
    propagator, budget = run
    shrink(budget, working, together)
    for answers in go(propagator, range(10, 13)):
        assert answers.keys() == WANTED
    assert propagator._sparing.thrift == expected
    notice = notice_of(propagator)
    assert (told in notice) if told and notice else notice is told
    assert notice_of(propagator) is None
    assert all(max(propagator._tracker.memory.frames(i)) == 12 for i in WANTED)


def test_frames_are_seen_smaller_where_groups_of_one_are_too_much(run: tuple[StcnPropagator, Budget]) -> None:
    propagator, budget = run
    shrink(budget, 4, 1, PIXELS * 2 // 3)
    for answers in go(propagator, range(10, 13)):
        assert answers[1].mask.shape == (40, 56)
    assert propagator._sparing.thrift == Thrift(4, 1, 30, "cpu")
    assert "a short side of 30 pixels" in str(propagator.notice())


def test_a_failure_that_passes_with_the_cache_changes_nothing(
    run: tuple[StcnPropagator, Budget], network: StcnNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = go(start(small_network()), range(10, 12))
    propagator, budget = run
    emptied = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: (emptied.append(1), setattr(budget, "bytes", np.inf)))
    for expected, index in zip(undisturbed, (10, 11), strict=True):
        budget.bytes = 0
        answers = propagator.step(index, frame(index), {}, WANTED)
        assert all(np.array_equal(answers[i].mask, expected[i].mask) for i in WANTED)
        assert all(answers[i].score == expected[i].score for i in WANTED)
    assert len(emptied) == 2
    assert propagator.notice() is None


@pytest.mark.parametrize("at", ["encode_values", "decode"])
def test_smaller_groups_change_no_answer(network: StcnNetwork, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    plain, short = start(small_network()), start(network)
    compute = getattr(network, at)

    def only_two(features: Any, *tensors: Any) -> Any:
        if len(tensors[0]) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return compute(features, *tensors)

    monkeypatch.setattr(network, at, only_two)
    monkeypatch.setattr(ladder, "FEWEST_WORKING", 8)
    for one, other in zip(go(plain, range(10, 12)), go(short, range(10, 12)), strict=True):
        assert all(other[i].score == pytest.approx(one[i].score, abs=1e-3) for i in WANTED)
    assert short._sparing.thrift == Thrift(8, 2, 480, "cpu")


def test_the_fallback_takes_over_with_all_that_was_asked_for_and_is_left_again_in_the_next_run(
    network: StcnNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def fallback() -> StcnNetwork:
        made.append(small_network().double())
        return made[-1]

    monkeypatch.setattr(ladder, "SMALLEST_SIDE", 16)
    propagator = start(network, fallback=fallback)
    propagator._sparing._usual = propagator._sparing.thrift = propagator._sparing._told = Thrift(8, 8, 480, "cuda:0")
    budget = Budget(propagator, network, monkeypatch)
    for _ in range(2):
        budget.bytes = 0
        assert all(answers.keys() == WANTED for answers in go(propagator, range(10, 12)))
        assert propagator._sparing.thrift == Thrift(8, 8, 480, "cpu")
        assert propagator.notice() == "Memory is short, so the run goes on with less: cpu computes instead of cuda:0."
        assert {propagator._tracker.memory.value(1, i).dtype for i in propagator._tracker.memory.frames(1)} == {
            torch.float64
        }
        budget.bytes = np.inf
        propagator.begin([])
        assert propagator._tracker.network is network
        propagator.step(0, frame(0), GIVEN, WANTED)
    assert len(made) == 1


def test_where_nothing_is_left_to_give_up_the_sentence_says_what_helps(run: tuple[StcnPropagator, Budget]) -> None:
    propagator, budget = run
    budget.bytes = 0
    with pytest.raises(EngineError, match=r"STCN, small failed: CUDA out of memory.*fewer objects.*--short-side"):
        go(propagator, range(10, 11))
    assert propagator._sparing.thrift == Thrift(4, 1, 16, "cpu")


def test_the_next_run_begins_with_all_that_was_asked_for(run: tuple[StcnPropagator, Budget]) -> None:
    propagator, budget = run
    shrink(budget, 4, 1)
    go(propagator, range(10, 11))
    budget.bytes = np.inf
    propagator.begin([])
    assert propagator._sparing.thrift == USUAL
    assert propagator.notice() is None
    propagator.step(0, frame(0), GIVEN, WANTED)
    go(propagator, range(1, 11))
    assert list(propagator._tracker.memory.frames(1).values()).count(Kind.WORKING) == 8


def test_learning_key_frames_gives_up_what_it_must_too(network: StcnNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    from sam_annotator.engine.propagator import KeyFrame

    propagator = StcnPropagator(network, name="STCN, small")
    Budget(propagator, network, monkeypatch).bytes = PIXELS * 3
    monkeypatch.setattr(Budget, "remembered", 0)
    propagator.begin([KeyFrame(0, frame(0), GIVEN), KeyFrame(9, frame(9), GIVEN)])
    assert propagator._tracker.memory.frames(4) == {0: Kind.KEY, 9: Kind.KEY}
    assert "objects are computed 2 at a time" in str(propagator.notice())


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: torch.empty(2**62, dtype=torch.uint8),
        lambda: np.empty(2**62, np.uint8),
        lambda: cv2.resize(np.zeros((2, 2), np.uint8), (2**30, 2**30)),
    ],
    ids=["torch", "numpy", "opencv"],
)
def test_real_lack_of_memory_is_told_from_other_failures(allocate: Callable[[], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError, cv2.error)) as caught:
        allocate()
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("could not create a primitive"))  # oneDNN, within a limited address space
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_search_for_motion_that_finds_no_memory_is_repeated_and_changes_no_answer(
    network: StcnNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = go(start(small_network()), range(10, 13))
    propagator = start(network)
    search, failures = propagator._watch._search, []

    class Failing:
        def calc(self, *images: Any) -> Any:
            failures.append(1)
            if len(failures) == 2:
                raise cv2.error("OpenCV: Insufficient memory: Failed to allocate 1048576 bytes")
            return search.calc(*images)

    monkeypatch.setattr(propagator._watch, "_search", Failing())
    for expected, answers in zip(undisturbed, go(propagator, range(10, 13)), strict=True):
        assert all(np.array_equal(expected[i].mask, answers[i].mask) for i in WANTED)
        assert [expected[i].score for i in WANTED] == [answers[i].score for i in WANTED]
    assert len(failures) == 4


def test_free_memory_is_known_here() -> None:
    free = free_memory(torch.device("cpu"))
    assert free is None or free > 2**20


def test_processes_at_work_at_once_count_on_their_part_of_what_is_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each process of a headless run is told how many there are, before it forecasts."""
    monkeypatch.setattr(out_of_memory, "_free_on_linux", lambda: 3000)
    monkeypatch.setattr(engines, "make_propagator", lambda *_: MovingPropagator())
    seen = []
    video = make_video(tmp_path)
    batch._propagator.cache_clear()
    for processes in (3, 1):
        task = VideoTask(video, None, FillOptions(), EngineOptions(), processes=processes)
        batch.fill(task)
        seen.append(free_memory(torch.device("cpu")))
    batch._propagator.cache_clear()
    assert seen == [1000, 3000]


def test_other_propagators_have_nothing_to_say() -> None:
    other = MovingPropagator()
    assert not isinstance(other, MemoryBound)
    assert notice_of(other) is None
    assert forecast_of(other, 480, 854, 1) is None
