"""The laws of jobs: one end each, the urgent first, nothing escapes, nothing is left."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PyQt5 import QtCore, QtWidgets
from pytestqt.qtbot import QtBot

from sam_annotator.core.errors import EngineError
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority

WAIT_MS = 20_000


class Heard:
    """What a job has said, in order."""

    def __init__(self, job: Job) -> None:
        self.said: list[Any] = []
        job.progressed.connect(self.said.append)
        job.succeeded.connect(lambda result: self.said.append(("succeeded", result)))
        job.cancelled.connect(lambda: self.said.append(("cancelled",)))
        job.failed.connect(lambda message: self.said.append(("failed", message)))

    @property
    def ends(self) -> list[tuple[Any, ...]]:
        return [item for item in self.said if isinstance(item, tuple)]

    @property
    def steps(self) -> list[Any]:
        return [item for item in self.said if not isinstance(item, tuple)]


def count_to(number: int, result: object = None) -> Iterator[int]:
    yield from range(1, number + 1)
    return result


def settle(qapp: QtWidgets.QApplication) -> None:
    """Let every signal that is under way arrive."""
    for _ in range(3):
        qapp.sendPostedEvents()
        qapp.processEvents()


def test_a_job_says_its_steps_in_order_and_then_its_result_once(engine_thread: EngineThread, qtbot: QtBot) -> None:
    heard = Heard(engine_thread.submit(lambda: count_to(3, "result"), Priority.RUN))
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [1, 2, 3, ("succeeded", "result")]


def test_a_job_works_in_the_other_thread_and_is_heard_in_this_one(engine_thread: EngineThread, qtbot: QtBot) -> None:
    where: dict[str, int] = {}

    def work() -> Iterator[None]:
        where["work"] = threading.get_ident()
        yield

    job = engine_thread.submit(work, Priority.RUN)
    job.succeeded.connect(lambda _result: where.update(heard=threading.get_ident()))
    qtbot.waitUntil(lambda: "heard" in where, timeout=WAIT_MS)
    assert where["heard"] == threading.get_ident() != where["work"]


def test_a_job_without_any_step_still_tells_its_result(engine_thread: EngineThread, qtbot: QtBot) -> None:
    every = [
        Heard(engine_thread.submit(lambda number=number: count_to(0, number), Priority.CLICK)) for number in range(50)
    ]
    qtbot.waitUntil(lambda: all(heard.ends for heard in every), timeout=WAIT_MS)
    assert [heard.said for heard in every] == [[("succeeded", number)] for number in range(50)]


def test_work_that_is_no_generator_but_an_iterator_will_do(engine_thread: EngineThread, qtbot: QtBot) -> None:
    heard = Heard(engine_thread.submit(lambda: iter((1, 2)), Priority.RUN))
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [1, 2, ("succeeded", None)]


def test_an_error_of_ours_is_told_as_its_own_sentence(engine_thread: EngineThread, qtbot: QtBot) -> None:
    def work() -> Iterator[int]:
        yield 1
        raise EngineError("The model wants more memory than there is.")

    heard = Heard(engine_thread.submit(work, Priority.RUN))
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [1, ("failed", "The model wants more memory than there is.")]


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), MemoryError(), SystemExit(3), KeyboardInterrupt()])
def test_no_error_at_all_escapes_and_the_thread_works_on(
    engine_thread: EngineThread, qtbot: QtBot, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def work() -> Iterator[int]:
        yield 1
        raise error

    broken = Heard(engine_thread.submit(work, Priority.RUN))
    whole = Heard(engine_thread.submit(lambda: count_to(2), Priority.RUN))
    qtbot.waitUntil(lambda: bool(broken.ends and whole.ends), timeout=WAIT_MS)
    assert [end[0] for end in broken.ends] == ["failed"]
    assert type(error).__name__ in broken.ends[0][1]
    assert whole.said == [1, 2, ("succeeded", None)]
    assert "a job failed" in caplog.text
    caplog.clear()


def test_work_that_fails_before_its_first_step_fails(
    engine_thread: EngineThread, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    def work() -> Iterator[int]:
        raise RuntimeError("not even begun")

    heard = Heard(engine_thread.submit(work, Priority.RUN))
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert [end[0] for end in heard.said] == ["failed"]
    caplog.clear()


def test_a_click_overtakes_a_run_between_two_steps_and_a_run_overtakes_idle_work(
    engine_thread: EngineThread, qtbot: QtBot, qapp: QtWidgets.QApplication
) -> None:
    order: list[str] = []
    may_go_on, has_begun = threading.Event(), threading.Event()

    def work(name: str, steps: int) -> Iterator[None]:
        for step in range(steps):
            order.append(f"{name} {step}")
            if name == "idle":
                has_begun.set()
                may_go_on.wait(10)
            yield

    idle = Heard(engine_thread.submit(lambda: work("idle", 2), Priority.IDLE))
    qtbot.waitUntil(has_begun.is_set, timeout=WAIT_MS)
    run = Heard(engine_thread.submit(lambda: work("run", 2), Priority.RUN))
    click = Heard(engine_thread.submit(lambda: work("click", 2), Priority.CLICK))
    second = Heard(engine_thread.submit(lambda: work("second click", 1), Priority.CLICK))
    qapp.processEvents()  # queues them, while the idle step is under way
    may_go_on.set()
    qtbot.waitUntil(lambda: all(heard.ends for heard in (idle, run, click, second)), timeout=WAIT_MS)
    assert order == ["idle 0", "click 0", "click 1", "second click 0", "run 0", "run 1", "idle 1"]


def test_a_paused_job_does_no_step_lets_others_work_and_goes_on_where_it_was(
    engine_thread: EngineThread, qtbot: QtBot
) -> None:
    steps: list[int] = []

    def work() -> Iterator[int]:
        for step in range(5):
            steps.append(step)
            if step == 1:
                job.pause()  # between two steps, wherever the window's thread is
            yield step

    job = engine_thread.submit(work, Priority.RUN)
    heard = Heard(job)
    qtbot.waitUntil(lambda: heard.steps == [0, 1], timeout=WAIT_MS)
    other = Heard(engine_thread.submit(lambda: count_to(3), Priority.IDLE))
    qtbot.waitUntil(lambda: bool(other.ends), timeout=WAIT_MS)
    assert steps == [0, 1]
    assert not heard.ends
    job.resume()
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [0, 1, 2, 3, 4, ("succeeded", None)]


def test_a_paused_job_can_be_cancelled(engine_thread: EngineThread, qtbot: QtBot) -> None:
    job = engine_thread.submit(lambda: count_to(5), Priority.RUN)
    job.pause()
    heard = Heard(job)
    qtbot.waitUntil(engine_thread.isRunning, timeout=WAIT_MS)
    job.cancel()
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [("cancelled",)]


@pytest.mark.parametrize("at", range(5))
def test_cancelling_at_any_step_keeps_what_is_done_and_cleans_up(
    engine_thread: EngineThread, qtbot: QtBot, at: int
) -> None:
    cleaned: list[str] = []

    def work() -> Iterator[int]:
        try:
            if at == 0:
                job.cancel()
            for step in range(1, 6):
                yield step
                if step == at:
                    job.cancel()
        finally:
            cleaned.append(threading.current_thread().name)

    job = engine_thread.submit(work, Priority.RUN)
    heard = Heard(job)
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [*range(1, at + 2), ("cancelled",)]
    assert len(cleaned) == 1
    assert cleaned[0] != threading.main_thread().name


def test_a_job_that_is_cancelled_before_it_began_does_nothing(engine_thread: EngineThread, qtbot: QtBot) -> None:
    begun: list[bool] = []
    job = engine_thread.submit(lambda: iter(begun.append(True) or ()), Priority.RUN)
    heard = Heard(job)
    job.cancel()
    job.cancel()
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [("cancelled",)]
    assert not begun


def test_cancelling_what_has_ended_changes_nothing(
    engine_thread: EngineThread, qtbot: QtBot, qapp: QtWidgets.QApplication
) -> None:
    job = engine_thread.submit(lambda: count_to(1), Priority.RUN)
    heard = Heard(job)
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    job.cancel()
    after = Heard(engine_thread.submit(lambda: count_to(1), Priority.IDLE))
    qtbot.waitUntil(lambda: bool(after.ends), timeout=WAIT_MS)
    settle(qapp)
    assert heard.said == [1, ("succeeded", None)]


@pytest.mark.parametrize("error", [OSError("the disk is gone"), SystemExit(1)])
def test_a_job_that_fails_while_it_is_cancelled_counts_as_cancelled(
    engine_thread: EngineThread, qtbot: QtBot, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    def work() -> Iterator[int]:
        try:
            yield 1
            job.cancel()
            yield 2
        finally:
            raise error

    job = engine_thread.submit(work, Priority.RUN)
    heard = Heard(job)
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    assert heard.said == [1, 2, ("cancelled",)]
    assert "while it was cancelled" in caplog.text
    caplog.clear()


def test_stopping_waits_for_the_step_under_way_and_cancels_the_rest(qapp: QtWidgets.QApplication, qtbot: QtBot) -> None:
    thread = EngineThread("test")
    events: list[str] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def work() -> Iterator[int]:
        try:
            has_begun.set()
            may_end.wait(10)
            events.append("step done")
            yield 1
            events.append("never")
        finally:
            events.append("cleaned up")

    first, waiting = thread.submit(work, Priority.RUN), thread.submit(lambda: count_to(3), Priority.IDLE)
    paused = thread.submit(lambda: count_to(3), Priority.RUN)
    paused.pause()
    every = [Heard(job) for job in (first, waiting, paused)]
    qtbot.waitUntil(has_begun.is_set, timeout=WAIT_MS)
    timer = threading.Timer(0.05, may_end.set)
    timer.start()
    thread.stop()
    assert events == ["step done", "cleaned up"]
    assert not thread.isRunning()
    settle(qapp)
    assert [heard.said for heard in every] == [[1, ("cancelled",)], [("cancelled",)], [("cancelled",)]]


def test_stopping_twice_and_one_that_never_worked_is_harmless(qapp: QtWidgets.QApplication) -> None:
    thread = EngineThread("test")
    thread.stop()
    thread.stop()
    assert not thread.isRunning()


def test_work_that_comes_after_the_stop_is_cancelled_and_starts_nothing(qapp: QtWidgets.QApplication) -> None:
    thread = EngineThread("test")
    before = Heard(thread.submit(lambda: count_to(3), Priority.RUN))
    thread.stop()
    after = Heard(thread.submit(lambda: count_to(3), Priority.RUN))
    settle(qapp)
    assert before.said == after.said == [("cancelled",)]
    assert not thread.isRunning()


def test_a_slot_may_submit_the_next_job(engine_thread: EngineThread, qtbot: QtBot) -> None:
    results: list[int] = []

    def go_on(result: int) -> None:
        results.append(result)
        if result < 20:
            engine_thread.submit(lambda: count_to(0, result + 1), Priority.RUN).succeeded.connect(go_on)

    engine_thread.submit(lambda: count_to(0, 1), Priority.RUN).succeeded.connect(go_on)
    qtbot.waitUntil(lambda: results == list(range(1, 21)), timeout=WAIT_MS)


class _Big:
    """Stands for pixels or a model."""


@pytest.mark.parametrize("ending", ["succeeded", "cancelled", "failed"])
def test_an_ended_job_holds_on_to_nothing(
    engine_thread: EngineThread,
    qtbot: QtBot,
    qapp: QtWidgets.QApplication,
    ending: str,
) -> None:
    def make_work(big: _Big) -> Callable[[], Iterator[int]]:
        def work() -> Iterator[int]:
            yield 1
            if ending == "failed":
                raise EngineError(f"with {big} in its frames")
            yield 2

        return work

    big = _Big()
    held = weakref.ref(big)
    job = engine_thread.submit(make_work(big), Priority.RUN)
    heard = Heard(job)
    if ending == "cancelled":
        job.progressed.connect(job.cancel)
    del big
    qtbot.waitUntil(lambda: bool(heard.ends), timeout=WAIT_MS)
    settle(qapp)
    gc.collect()
    assert held() is None
    assert not engine_thread._alive


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(list(Priority)),
            st.integers(0, 4),
            st.sampled_from(["leave", "cancel", "cancel later", "pause", "raise"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_is_done_to_jobs_each_ends_once_and_says_nothing_after(
    qapp: QtWidgets.QApplication,
    engine_thread: EngineThread,
    caplog: pytest.LogCaptureFixture,
    plan: list[tuple[Priority, int, str]],
) -> None:
    def work(steps: int, fate: str) -> Iterator[int]:
        yield from range(steps)
        if fate == "raise":
            raise EngineError("as planned")

    jobs = [engine_thread.submit(lambda steps=steps, fate=fate: work(steps, fate), p) for p, steps, fate in plan]
    every = [Heard(job) for job in jobs]
    for job, (_priority, _steps, fate) in zip(jobs, plan, strict=True):
        if fate == "cancel":
            job.cancel()
        elif fate == "cancel later":
            QtCore.QTimer.singleShot(0, job.cancel)
        elif fate == "pause":
            job.pause()
            QtCore.QTimer.singleShot(1, job.resume)
    deadline = QtCore.QDeadlineTimer(WAIT_MS)
    while not all(heard.ends for heard in every) and not deadline.hasExpired():
        qapp.processEvents(QtCore.QEventLoop.AllEvents | QtCore.QEventLoop.WaitForMoreEvents, 50)
    settle(qapp)
    for heard, (_priority, steps, fate) in zip(every, plan, strict=True):
        assert len(heard.ends) == 1
        assert heard.said[-1] == heard.ends[0]
        assert heard.steps == list(range(len(heard.steps)))
        expected = {"leave": {"succeeded"}, "pause": {"succeeded"}, "raise": {"failed"}, "cancel": {"cancelled"}}
        assert heard.ends[0][0] in expected.get(fate, {"succeeded", "cancelled"})
        assert heard.ends[0][0] == "cancelled" or len(heard.steps) == steps
