"""Kill -9 at random moments of a headless propagation: what is on disk then, and what a second run makes of it.

    python benchmarks/kills.py [--kills 100] [--seed 0] [--propagator remembering|embedded]

Each time a process runs `sam-annotator propagate` over a small tree and is killed at a random moment, some of them
twice. Then every annotation on disk has to be whole, no protected shape may have changed, and the same command, run to
its end, has to leave the files of a run that nobody disturbed, byte for byte. Posix only: processes are forks of this.
"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from machine import describe
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.annotation import MANUAL, FrameAnnotation, read_annotation
from sam_annotator.core.masks import mask_to_shapes
from sam_annotator.core.run_records import FOLDER
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from sam_annotator.engine import (
    batch,  # noqa: F401  what a run needs is loaded here, once, so that a kill meets the run and not the imports
    engines,
)
from sam_annotator.engine.embedded import propagator as embedded_propagator  # noqa: F401
from sam_annotator.engine.propagator import KeyFrame, Masks, PropagatedMask

HEIGHT, WIDTH, FRAMES = 48, 72, 9
COMMANDS = {
    "fill": ["--direction", "both"],
    "force": ["--direction", "both", "--force"],
    "repair": ["--repair"],
}
Mask = NDArray[np.bool_]


class RememberingPropagator:
    """A stand-in whose answers depend on all that it came through since it began, on ways back too: who forgets is
    caught."""

    name = "remembering, test"
    farthest_back = 4

    def begin_back(self) -> None:
        self._back = 0

    def step_back(self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]) -> None:
        for object_id in sorted(given):
            self._back = (self._back * 31 + int(given[object_id].sum()) + object_id) % 1_000_003
        self._back = (self._back * 31 + index + len(wanted)) % 1_000_003
        self._found[index] = self._back

    def begin(self, key_frames: Iterable[KeyFrame]) -> None:
        self._memory = 0
        self._found: dict[int, int] = {}
        self._masks: dict[int, Mask] = {}
        for key in key_frames:
            self._take(key.masks)

    def step(
        self, index: int, image: NDArray[np.uint8], given: Masks, wanted: frozenset[int]
    ) -> dict[int, PropagatedMask]:
        self._memory += self._found.pop(index, 0)
        self._take({object_id: mask for object_id, mask in given.items() if object_id in wanted})
        taken = np.any([*given.values(), np.zeros((HEIGHT, WIDTH), bool)], axis=0)
        answers = {}
        for object_id in sorted(wanted & self._masks.keys() - given.keys()):
            shift = 1 + self._memory % 3
            mask = np.roll(self._masks[object_id], shift, 1) & ~taken
            taken |= mask
            answers[object_id] = PropagatedMask(mask, 0.5 + (self._memory % 997) / 2000)
        self._take({object_id: answer.mask for object_id, answer in answers.items() if answer.mask.any()})
        return answers

    def _take(self, masks: Masks) -> None:
        for object_id in sorted(masks):
            self._masks[object_id] = masks[object_id]
            self._memory = (self._memory * 31 + int(masks[object_id].sum()) + object_id) % 1_000_003


def make_tree(folder: Path) -> None:
    """Two videos with two objects, key frames here and there, and a wall that a person drew in every frame."""
    draw = np.random.default_rng(5)
    ground = cv2.GaussianBlur(draw.integers(60, 200, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2)
    ball = draw.integers((150, 0, 0), (240, 90, 90), (HEIGHT, WIDTH, 3))
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for index in range(FRAMES):
            frame = np.where(disc(index)[..., None], np.roll(ball, 3 * index, 1), ground).astype(np.uint8)
            Image.fromarray(frame).save(folder / name / f"{index:05}.png")
    for place, video in enumerate(find_videos(folder)):
        for index, object_id, mask in ((2 + place, 1, disc(2 + place)), (7, 1, disc(7)), (4 - place, 2, disc(4, 8))):
            add(folder, place, index, object_id, mask)
        for index in range(FRAMES):
            add(folder, place, index, 9, np.arange(WIDTH)[None, :].repeat(HEIGHT, 0) > WIDTH - 5)
        assert len(video) == FRAMES


def correct(folder: Path) -> None:
    """What a person does after a run: correct the ball in one frame of each video."""
    for place in range(2):
        add(folder, place, 5, 1, disc(6, 18))


def disc(index: int, radius: int = 11) -> Mask:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (x - 16 - 3 * index) ** 2 + (y - 22) ** 2 < radius**2


def add(folder: Path, place: int, index: int, object_id: int, mask: Mask) -> None:
    video = find_videos(folder)[place]
    shapes = mask_to_shapes(mask, label=f"thing {object_id}", object_id=object_id, source=MANUAL)

    def change(frame: FrameAnnotation) -> FrameAnnotation:
        return frame.with_object(object_id, shapes)

    AnnotationStore().update(video, index, change, WIDTH, HEIGHT)


def files(folder: Path) -> dict[str, bytes]:
    """All files, what is kept for taking back left out."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and FOLDER not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def protected(folder: Path) -> dict[str, list[object]]:
    """The protected shapes of every annotation. Raises AnnotationError for one that is not whole."""
    return {
        path.relative_to(folder).as_posix(): [shape for shape in read_annotation(path).shapes if shape.is_protected]
        for path in sorted(folder.rglob("*.json"))
    }


def run(
    folder: Path, arguments: list[str], kill_after: float | None = None, from_first_write: bool = False
) -> int | None:
    """The command in a process of its own; its exit code, None: it was killed.

    Args:
        kill_after: seconds; None: it is not killed.
        from_first_write: counted from when it writes its first frame, if it ever does, instead of from its start.
    """
    begun_with = writes(folder)
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(1, 2)
            code = main(["propagate", str(folder), "--propagator", "embedded", *arguments])
        finally:
            os._exit(code)
    if kill_after is not None:
        end = time.monotonic() + 1
        while from_first_write and writes(folder) == begun_with and time.monotonic() < end:
            time.sleep(0.001)
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)


def writes(folder: Path) -> int:
    """Bytes of what is written down of runs: they grow with each frame."""
    return sum(path.stat().st_size for path in folder.glob(f"*/{FOLDER}/*.run"))


def prepare(work: Path) -> dict[str, tuple[Path, dict[str, bytes], float]]:
    """For each command the tree it begins with, the files it leaves if nobody disturbs it, and how long it takes."""
    start = work / "start"
    make_tree(start)
    filled = Path(shutil.copytree(start, work / "filled"))
    assert run(filled, COMMANDS["fill"]) == 0
    corrected = Path(shutil.copytree(filled, work / "corrected"))
    correct(corrected)
    trees = {"fill": start, "force": corrected, "repair": corrected}
    prepared = {}
    for name, tree in trees.items():
        undisturbed = Path(shutil.copytree(tree, work / f"{name} undisturbed"))
        began = time.perf_counter()
        assert run(undisturbed, COMMANDS[name]) == 0
        took = time.perf_counter() - began
        assert files(undisturbed) != files(tree)
        prepared[name] = (tree, files(undisturbed), took)
    return prepared


def kill_and_finish(
    work: Path, prepared: tuple[Path, dict[str, bytes], float], arguments: list[str], chance: random.Random
) -> bool:
    """One trial; whether the last kill came amid the writing. Raises AssertionError, AnnotationError."""
    tree, expected, took = prepared
    trial = Path(shutil.copytree(tree, work / "trial"))
    before, begun_with = protected(trial), files(trial)
    for _ in range(chance.choice((1, 1, 2))):
        from_first_write = chance.random() < 0.6
        run(trial, arguments, chance.uniform(0, took * (0.5 if from_first_write else 1)), from_first_write)
        now = protected(trial)
        assert all(now[name] == shapes for name, shapes in before.items()), "a protected shape has changed"
    amid = files(trial) not in (begun_with, expected)
    assert run(trial, arguments) == 0
    left = files(trial)
    assert left.keys() == expected.keys(), sorted(left.keys() ^ expected.keys())
    assert left == expected, [name for name in left if left[name] != expected[name]]
    shutil.rmtree(trial)
    return amid


def measure(kills: int, seed: int) -> int:
    """That many trials, the commands in turn; how many kills came amid the writing."""
    chance = random.Random(seed)
    in_memory = Path("/dev/shm")  # a killed process leaves its files there as on a disk
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as folder:
        prepared = prepare(Path(folder))
        names = [list(COMMANDS)[number % len(COMMANDS)] for number in range(kills)]
        return sum(kill_and_finish(Path(folder), prepared[name], COMMANDS[name], chance) for name in names)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="(100)")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    parser.add_argument("--propagator", choices=("remembering", "embedded"), default="remembering")
    return parser.parse_args()


if __name__ == "__main__":
    options = parse()
    cv2.setNumThreads(1)  # its threads would not come along into the forks
    if options.propagator == "remembering":
        engines.make_propagator = lambda *_: RememberingPropagator()
    began = time.perf_counter()
    amid = measure(options.kills, options.seed)
    print(describe("opencv-python-headless"))
    print(
        f"{options.kills} kills of {', '.join(COMMANDS)} ({options.propagator}), {amid} amid the writing: "
        f"every file whole, every run finished alike. {time.perf_counter() - began:.0f} s"
    )
