"""Bars on a terminal, none elsewhere; the last step comes back."""

import io
import sys
from dataclasses import dataclass

import pytest

from sam_annotator.cli.bars import follow, follow_stages


@dataclass
class Step:
    stage: str
    done: int
    total: int = 2
    masks: int = 0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


STEPS = [Step("look", 1), Step("look", 2), Step("draw", 1, masks=9), Step("draw", 2, masks=18), Step("done", 2)]
STAGES = {"look": ("looking", " videos"), "draw": ("drawing", " frames")}


def test_each_stage_has_its_bar_and_the_last_step_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", screen := Terminal())
    assert follow_stages(iter(STEPS), STAGES) is STEPS[-1]
    lines = [line.split("\r")[-1] for line in screen.getvalue().rstrip("\n").split("\n")]
    assert [line.split(":")[0] for line in lines] == ["looking", "drawing"]
    assert all("2/2" in line for line in lines)
    assert "masks/s" not in lines[0]
    assert "masks/s" in lines[1]


def test_nothing_is_drawn_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    assert follow(STEPS[:2], "looking") is STEPS[1]
    assert follow([], "looking") is None
    assert capsys.readouterr() == ("", "")
