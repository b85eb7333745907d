"""The bars of commands whose work is a generator of steps; on stderr, none where that is no terminal."""

import sys
from collections.abc import Generator, Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

    from sam_annotator.core.datasets.masked_video import MaskedVideos, ReadProgress


class Step(Protocol):
    """How far work is."""

    @property
    def done(self) -> int: ...

    @property
    def total(self) -> int: ...


_Step = TypeVar("_Step", bound=Step)


def follow(steps: Iterable[_Step], what: str, unit: str = "") -> _Step | None:
    """Go through steps with a bar (none if `what` is empty); the last step, None if there is none."""
    from tqdm import tqdm

    last = None
    with tqdm(desc=what, unit=unit, file=sys.stderr, disable=None if what else True) as bar:
        for last in steps:
            _show(bar, last)
    return last


def follow_stages(steps: Iterable[_Step], stages: Mapping[str, tuple[str, str]]) -> _Step | None:
    """The same for steps that have a `stage`: a bar for each. `stages`: what each does, and its unit."""
    last = None
    for stage, group in groupby(steps, key=attrgetter("stage")):
        last = follow(group, *stages.get(stage, ("", "")))
    return last


def read_with_bar(steps: "Generator[ReadProgress, None, MaskedVideos]") -> "MaskedVideos":
    """Read a dataset's file before a command's own work begins; no bar where nothing takes time."""
    from tqdm import tqdm

    from sam_annotator.core.steps import finished

    with tqdm(desc="reading", unit="B", unit_scale=True, file=sys.stderr, disable=None, delay=0.3) as bar:
        return finished(steps, lambda step: _show(bar, step))


def _show(bar: "tqdm[Any]", step: Step) -> None:
    bar.total = step.total
    masks = getattr(step, "masks", 0)  # drawn, or checked, so far
    if masks and not bar.disable:
        rate = masks / max(bar.format_dict["elapsed"], 1e-3)
        bar.set_postfix_str(f"{rate:.0f} masks/s", refresh=False)
    bar.update(step.done - bar.n)
