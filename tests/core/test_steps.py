"""Generators of steps with a result, driven and passed on."""

from collections.abc import Generator

from sam_annotator.core.steps import finished, translated


class Work:
    """Two steps, then a result; notes when it is closed."""

    def __init__(self) -> None:
        self.is_closed = False

    def steps(self) -> Generator[int, None, str]:
        try:
            yield 1
            yield 2
            return "done"
        finally:
            self.is_closed = True


def test_work_is_done_at_once_and_each_step_is_told() -> None:
    told: list[int] = []
    assert finished(Work().steps(), told.append) == "done"
    assert told == [1, 2]
    assert finished(Work().steps()) == "done"


def test_steps_in_other_words_come_to_the_same_result() -> None:
    told: list[str] = []
    assert finished(translated(Work().steps(), "step {}".format), told.append) == "done"
    assert told == ["step 1", "step 2"]


def test_work_is_closed_with_whoever_passes_it_on() -> None:
    work = Work()
    steps = translated(work.steps(), str)
    assert next(steps) == "1"
    steps.close()
    assert work.is_closed
