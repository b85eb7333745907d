"""The same results in the same order, whoever does the work; and a sentence where nobody does."""

import os
import threading
import time
from operator import neg
from typing import Any

import pytest

from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.parallel import in_order


def test_results_come_in_the_order_of_the_tasks_from_one_process_from_two_and_from_a_cluster(cluster: Any) -> None:
    expected = [-number for number in range(12)]
    assert list(in_order(neg, range(12), 1)) == expected
    assert list(in_order(neg, range(12), 2)) == expected
    assert list(in_order(neg, range(12), 1, cluster.scheduler_address)) == expected


def test_a_cluster_does_the_work_in_its_own_processes(cluster: Any) -> None:
    pids = set(in_order(_pid, range(8), 1, cluster.scheduler_address))
    assert pids
    assert os.getpid() not in pids


def _pid(_task: int) -> int:
    return os.getpid()


def test_what_fails_on_a_cluster_fails_here(cluster: Any) -> None:
    with pytest.raises(TypeError):
        list(in_order(len, [[], 3], 1, cluster.scheduler_address))  # type: ignore[list-item]


def test_work_on_a_cluster_can_be_stopped_and_leaves_no_thread(cluster: Any) -> None:
    threads = set(threading.enumerate())
    results = in_order(time.sleep, [0.05] * 1000, 1, cluster.scheduler_address)
    next(results)
    results.close()  # type: ignore[attr-defined]
    left = [thread for thread in set(threading.enumerate()) - threads if "Offload" not in thread.name]  # Dask keeps it
    assert left == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_work_in_processes_can_be_stopped_without_a_word_and_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a task is dropped at the very moment at which it should have been handed out."""
    from joblib.externals.loky.process_executor import _ExecutorManagerThread  # type: ignore[import-untyped]

    drop = _ExecutorManagerThread.flag_executor_shutting_down
    dropped: list[bool] = []

    def drop_one_more(manager: Any) -> None:
        drop(manager)
        manager.work_ids_queue.put(-1)
        dropped.append(True)

    with monkeypatch.context() as patch:
        patch.setattr(_ExecutorManagerThread, "flag_executor_shutting_down", drop_one_more)
        results = in_order(time.sleep, [0.02] * 100, 2)
        next(results)
        results.close()  # type: ignore[attr-defined]
    assert dropped
    assert list(in_order(neg, range(5), 2)) == [-number for number in range(5)]


@pytest.mark.parametrize("where", ["cluster", "processes"])
def test_a_process_that_dies_amid_its_work_is_a_sentence_and_not_for_ever(where: str, cluster: Any) -> None:
    scheduler = cluster.scheduler_address if where == "cluster" else None
    with pytest.raises(AnnotatorError, match="died amid"):
        list(in_order(os._exit, [1], 2, scheduler))


@pytest.mark.parametrize("address", ["nonsense", "foo://here:1"])
def test_an_address_that_is_none_is_a_sentence(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "Client", None)  # one that is made for it leaves a traceback at its end
    with pytest.raises(InputError, match=f"No Dask scheduler answers at '{address}'"):
        list(in_order(neg, [1], 1, address))


def test_a_scheduler_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sam_annotator.core.parallel._PATIENCE", "0.2s")
    with pytest.raises(InputError, match="start one"):
        list(in_order(neg, [1], 1, "tcp://127.0.0.1:1"))


def test_a_scheduler_without_workers_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("sam_annotator.core.parallel._PATIENCE", "0.5s")
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        pytest.raises(InputError, match="has no workers"),
    ):
        list(in_order(neg, [1], 1, cluster.scheduler_address))


def test_without_dask_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"sam-annotator\[cluster\]"):
        list(in_order(neg, [1], 1, "tcp://127.0.0.1:8786"))
