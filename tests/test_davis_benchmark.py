"""The benchmark of propagators: what it measures, what a correction does, and that any propagator can be chosen."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from sam_annotator.engine.embedded.propagator import EmbeddedPropagator
from sam_annotator.engine.propagator import KeyFrame
from tests.engine.stcn.small import small_propagator

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
FRAMES = 7


class Learning(EmbeddedPropagator):
    """Writes down which key frames each run begins with."""

    def __init__(self) -> None:
        super().__init__()
        self.learned: list[list[int]] = []

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        frames = list(key_frames)
        self.learned.append([frame.index for frame in frames])
        super().begin(frames)


@pytest.fixture
def davis(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import davis  # type: ignore[import-not-found]

    return davis


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two objects; the first one changes its colours midway, the second one leaves for good."""
    for name in ("JPEGImages/480p/ball", "Annotations/480p/ball"):
        (tmp_path / name).mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    for index in range(FRAMES):
        labels = np.zeros((48, 64), np.uint8)
        labels[10:30, 5 + 3 * index : 25 + 3 * index] = 1
        if index < 3:
            labels[34:44, 40:55] = 2
        ball = 255 - noise // 2 if index < FRAMES // 2 else noise // 3
        image = np.where(labels[..., None] > 0, ball, noise // 4).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f"JPEGImages/480p/ball/{index:05}.jpg")
        Image.fromarray(labels).save(tmp_path / f"Annotations/480p/ball/{index:05}.png")
    return tmp_path


def test_each_correction_gives_the_truth_of_the_worst_frame_that_was_not_given_yet(
    davis: ModuleType, folder: Path
) -> None:
    frames, truths = davis.read_video(*(davis.level(folder / name) / "ball" for name in NAMES), None)
    propagator = Learning()
    runs = list(davis.measure_corrected(propagator, frames, truths, FRAMES - 1))
    assert len(runs) == FRAMES
    given = [set(learned) for learned in propagator.learned]
    assert given[0] == {0}
    for before, after, figures in zip(given, given[1:], runs, strict=False):
        (new,) = after - before
        per_frame = figures.j.reshape(FRAMES - 1, 2).mean(1)
        assert per_frame[new - 1] == min(per_frame[index - 1] for index in range(1, FRAMES) if index not in before)
    assert runs[-1].j.min() == runs[-1].f.min() == 1
    assert runs[-1].j.mean() > runs[0].j.mean()


NAMES = "JPEGImages", "Annotations"


def test_stcn_is_measured_through_the_contract(davis: ModuleType, folder: Path) -> None:
    frames, truths = davis.read_video(*(davis.level(folder / name) / "ball" for name in NAMES), 4)
    assert len(frames) == len(truths) == 4
    for figures in davis.measure_corrected(small_propagator(), frames, truths, 1):
        assert figures.j.shape == figures.f.shape == (3 * 2,)
    assert (figures.j == 1).sum() >= 2


def test_the_table_shows_each_number_of_corrections_beside_what_was_published(folder: Path) -> None:
    table = run(folder, "--propagator", "embedded", "--corrections", "0", "2")
    assert table.count("ball ") == table.count("mean ") == 2
    assert "embedded, cpu" in table
    assert "J 90.4 and F 93.0" in table


def test_a_propagator_that_is_not_there_is_a_sentence(folder: Path) -> None:
    assert run(folder, "--propagator", "nothing.pth", status=1).startswith("davis.py: There is no propagator")


def run(*arguments: str | Path, status: int = 0) -> str:
    command = [sys.executable, "davis.py", *map(str, arguments)]
    answer = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == status, answer.stderr
    return answer.stdout + answer.stderr
