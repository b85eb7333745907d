"""The second thread beside a step of the weight-free propagator changes nothing but the time and ends with it."""

import threading
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest

from sam_annotator.engine.embedded import propagator as module
from sam_annotator.engine.embedded.flow import Flow, FlowEstimator
from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import PropagatedMask
from tests.engine.embedded.painted import Mask, Painted, ellipse, paint


class AtOnce(Executor):
    """Does in the caller's own thread what it is asked for."""

    def __init__(self, *_args: object) -> None:
        pass

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*args, **kwargs))
        return done


@pytest.fixture(scope="module")
def crossing() -> Painted:
    def places(index: int) -> dict[int, Mask]:
        return {1: ellipse(70 + 4 * index, 80, 30, 22), 2: ellipse(165 - 6 * index, 90, 18, 30)}

    return paint(8, places, {1: (4, 0), 2: (-6, 0)})


def run(video: Painted) -> list[dict[int, PropagatedMask]]:
    """From both ends: back from the last frame, then forward from the first."""
    propagator, wanted = EmbeddedPropagator(), frozenset({1, 2})
    propagator.begin([video.key_frame(0), video.key_frame(7)])
    propagator.begin_back()
    for index in range(7, 0, -1):
        propagator.step_back(index, video.frames[index], video.truth[index] if index == 7 else {}, wanted)
    return [propagator.step(index, video.frames[index], {}, wanted) for index in range(1, 7)]


def test_two_threads_answer_as_one_does(crossing: Painted, monkeypatch: pytest.MonkeyPatch) -> None:
    with_two = run(crossing)
    monkeypatch.setattr(module, "ThreadPoolExecutor", AtOnce)
    for one, two in zip(run(crossing), with_two, strict=True):
        assert one.keys() == two.keys() == {1, 2}
        assert all(np.array_equal(one[key].mask, two[key].mask) and one[key].score == two[key].score for key in one)


def test_flow_is_worked_out_beside_the_step_and_no_thread_stays(
    crossing: Painted, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[threading.Thread] = []
    between = FlowEstimator.between

    def watched(self: FlowEstimator, *args: Any) -> Flow:
        seen.append(threading.current_thread())
        return between(self, *args)

    monkeypatch.setattr(FlowEstimator, "between", watched)
    run(crossing)
    assert seen
    assert threading.current_thread() not in seen
    assert not any(thread.is_alive() for thread in seen)


def test_what_fails_beside_a_step_fails_the_step(crossing: Painted, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise MemoryError

    propagator = EmbeddedPropagator()
    propagator.begin([crossing.key_frame(0)])
    monkeypatch.setattr(module, "redraw", fail)
    with pytest.raises(MemoryError):
        propagator.step(1, crossing.frames[1], {}, frozenset({1, 2}))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("beside")]
