"""The same work for many videos, in this process or in several; results come in order either way."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


def in_order(function: Callable[[Task], Result], tasks: Iterable[Task], jobs: int) -> Iterator[Result]:
    """`function` of each task, in the order of the tasks. Closing the iterator stops what has not begun.

    More than one process goes through joblib: whoever calls inside `joblib.parallel_config(backend="dask")` has the
    work done by a Dask cluster that sees the same files.

    Args:
        function: a function of a module; it, tasks and results have to be picklable where `jobs` is not 1.
        jobs: processes; -1: one per core.
    """
    if jobs == 1:
        yield from map(function, tasks)
        return
    from joblib import Parallel, delayed  # type: ignore[import-untyped]  # slow to import

    results = Parallel(n_jobs=jobs, return_as="generator")(delayed(function)(task) for task in tasks)
    try:
        for result in results:  # noqa: UP028  (`yield from` would close them before the block below is entered)
            yield result
    finally:
        with warnings.catch_warnings():  # that tasks are cancelled is what was asked for
            warnings.filterwarnings("ignore", category=UserWarning, module="joblib")
            results.close()
