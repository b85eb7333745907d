"""Long work is a generator that yields steps and returns a result; this is for those who drive it or pass it on."""

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, TypeVar

_Step = TypeVar("_Step")
_Other = TypeVar("_Other")
_Result = TypeVar("_Result")


def finished(steps: Generator[_Step, None, _Result], on_step: Callable[[_Step], object] | None = None) -> _Result:
    """The result of work, which is done at once; each of its steps is given to `on_step`."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            result: _Result = end.value
            return result
        if on_step is not None:
            on_step(step)


def translated(
    steps: Generator[_Step, Any, _Result], translate: Callable[[_Step], _Other]
) -> Generator[_Other, None, _Result]:
    """The same work with its steps in other words; closing it closes the work."""
    with closing(steps):
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: _Result = end.value
                return result
            yield translate(step)
