"""The same work for many videos: in this process, in several, or on a cluster; results come in order in any case."""

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.remedies import Remedy

Task = TypeVar("Task")
Result = TypeVar("Result")

_PATIENCE = "10s"
"""How long a scheduler may take to answer, and its workers to appear."""

_LOST = {
    "TerminatedWorkerError": "A process died amid its work",
    "BrokenProcessPool": "A process died amid its work",
    "KilledWorker": "Workers of the Dask cluster died amid their work",
    "FutureCancelledError": "The Dask scheduler is gone",
}
"""What joblib and Dask raise where nobody is left to do the work, by name: importing them takes long."""


def check_jobs(jobs: int) -> None:
    """Raises InputError for a number of processes that cannot be."""
    if jobs == 0 or jobs < -1:
        raise InputError(f"{jobs} processes cannot work; give a number from 1, or -1 for one per core.")


def in_order(
    function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int, scheduler: str | None = None
) -> Iterator[Result]:
    """`function` of each task, in the order of the tasks. Closing the iterator stops what has not begun.

    Args:
        function: a function of a module; it, tasks and results have to be picklable unless one process works alone.
        jobs: processes; -1: one per core. Does not count where there is a scheduler.
        scheduler: the address of a Dask scheduler (`tcp://host:8786`); its workers do the work, as many as there are.
            They have this program installed, and see the same files by the same names.

    Raises:
        InputError: the scheduler cannot be reached, or has no workers.
        AnnotatorError: a process died amid its work.
    """
    if jobs == 1 and scheduler is None:
        yield from map(function, tasks)
        return
    from joblib import delayed  # type: ignore[import-untyped]  # slow to import

    with _parallel(jobs, scheduler) as parallel:
        results = parallel(delayed(function)(task) for task in tasks)
        try:
            for result in results:  # noqa: UP028  (`yield from` would close them before the block below is entered)
                yield result
        except Exception as error:
            what = _LOST.get(type(error).__name__)
            if what is None:
                raise
            raise AnnotatorError(
                f"{what}; as a rule the memory ran out. Run it again with fewer processes: what was done is kept."
            ) from error
        finally:
            with warnings.catch_warnings(), _quiet_end():  # that tasks are cancelled is what was asked for
                warnings.filterwarnings("ignore", category=UserWarning, module="joblib")
                results.close()


@contextmanager
def _quiet_end() -> Iterator[None]:
    """joblib's manager of processes may stumble, at its very end, over a task that it has just dropped: no news."""
    hook = threading.excepthook

    def told(error: threading.ExceptHookArgs) -> None:
        name = "" if error.thread is None else error.thread.name
        if not (error.exc_type is KeyError and name.startswith("ExecutorManagerThread")):
            hook(error)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = hook


@contextmanager
def _parallel(jobs: int, scheduler: str | None) -> Iterator[Any]:
    """joblib's Parallel, with the processes of this machine, or those of a Dask cluster."""
    from joblib import Parallel

    if scheduler is None:
        yield Parallel(n_jobs=jobs, return_as="generator")
        return
    client = _connect(scheduler)
    try:
        yield Parallel(n_jobs=jobs, return_as="generator", backend=_dask_backend(client))
    finally:
        client.close()


def _dask_backend(client: Any) -> Any:
    """joblib's Dask backend, that also tells of tasks whose worker died or which the cluster has lost.

    joblib calls back after tasks that end, well or not; for those that never end it would wait for ever.
    """
    from joblib._dask import DaskDistributedBackend  # type: ignore[import-untyped]

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def submit(self, func: Any, callback: Any = None) -> Any:
            def call_back(done: Any) -> None:
                if callback is not None and done.exception() is not None:
                    callback(done.exception())

            future = super().submit(func, callback)
            future.add_done_callback(call_back)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            if isinstance(out, BaseException):
                raise out
            return super().retrieve_result_callback(out)

    return Backend(client=client)


def _connect(scheduler: str) -> Any:
    """A client of the cluster.

    Raises:
        InputError: Dask is not installed, nobody answers there, or there are no workers.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError as error:
        raise InputError("Dask is not installed", Remedy.OWN_PROCESSES) from error
    try:
        get_address_host_port(scheduler)  # a client of what is no address waits at its end, and leaves a traceback
        client = Client(scheduler, set_as_default=False, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No Dask scheduler answers at {scheduler!r} ({error}); start one (dask scheduler) and give its address "
            "(tcp://host:8786)."
        ) from error
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except OSError as error:
        client.close()
        raise InputError(
            f"The Dask scheduler at {scheduler} has no workers; start some (dask worker {scheduler})."
        ) from error
    return client
