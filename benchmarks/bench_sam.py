"""SAM beside the package's own `SamPredictor`, with the same weights, in one run.

    python benchmarks/bench_sam.py [--model vit_b | --checkpoint FILE] [--device auto] [--turns 5] [--only encode ...]

The sides take turns, so that what else the machine does falls on all; a ratio is the middle one of the turns'
ratios. Without a checkpoint the weights are random, which costs the same time. What is measured:

encode   a frame until it can be clicked on: `set_image` of the package (float32), ours in each precision
decode   a click on an encoded frame until its three masks are there
revisit  an encoded frame that is gone back to until it can be clicked on: from memory, from a file
window   a click in the window, off-screen, until its proposals are painted, and what of it is not the segmenter's
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from inputs import Size, make_frames
from machine import describe, quartiles
from numpy.typing import NDArray

from sam_annotator.core.images import read_image
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.checkpoints import load_sam
from sam_annotator.engine.device import choose_device, fastest_precision
from sam_annotator.engine.embedding_files import EmbeddingFiles
from sam_annotator.engine.embeddings import Embeddings
from sam_annotator.engine.sam.ladder import Rung
from sam_annotator.engine.sam.segmenter import SamSegmenter, encoder_key
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything

MEASURES = ("encode", "decode", "revisit", "window")
ENCODE_BUDGET, CLICK_BUDGET, REVISIT_BUDGET = 0.5, 15, 20  # ratio, ms beyond the decoder, ms

Turn = Callable[[], object]


class Bench:
    """The model, what is compared, and one frame.

    Attributes:
        package: the package's predictor.
        ours: our segmenters by precision.
        taken: the one of the precision that the program takes on this device.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.device = choose_device(options.device)
        model, self.kind = _load(options)
        key, best = encoder_key(model), fastest_precision(self.device)
        half = (torch.float16,) if self.device.type == "cuda" else ()
        self.ours = {
            precision: SamSegmenter(model, name=f"SAM {self.kind}", rung=Rung(self.device, precision), key=key)
            for precision in dict.fromkeys((torch.float32, *half, best))
        }
        self.taken = self.ours[best]
        self.package = import_segment_anything().SamPredictor(model.to(self.device))
        self.size = Size.parse(options.size)
        [self.frame] = make_frames(folder / "video", 1, self.size)
        self.image = read_image(self.frame)

    def seconds(self, act: Turn) -> float:
        """How long a call takes, with what it left on the device's queue."""
        began = time.perf_counter()
        act()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    def take_turns(self, *sides: Turn, turns: int) -> list[list[float]]:
        """Seconds of each side, one after the other; a first turn of all is not counted."""
        for side in sides:
            side()
        rounds = [[self.seconds(side) for side in sides] for _ in range(turns)]
        return [list(side) for side in zip(*rounds, strict=True)]


def main() -> None:
    """Measure and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory(prefix="bench_sam_") as folder:
        for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = folder  # nobody's settings are read or changed
        bench = Bench(options, Path(folder))
        print(describe("torch", "segment-anything", "numpy"))
        print(f"SAM {bench.kind}, {bench.device}, {options.threads} thread(s), {bench.size}, {options.turns} turns\n")
        for name in options.only:
            {"encode": encode, "decode": decode, "revisit": revisit, "window": window}[name](bench)


def encode(bench: Bench) -> None:
    """`set_image` in float32 by the package, and ours in each precision; how far the features are apart."""
    sides: list[Turn] = [lambda one=one: one.set_image(bench.image) for one in bench.ours.values()]
    theirs, *ours = bench.take_turns(lambda: bench.package.set_image(bench.image), *sides, turns=bench.options.turns)
    exact = bench.package.features[0].float().cpu().numpy()
    print(f"encode, package float32       {_time(theirs)}")
    for (precision, segmenter), seconds in zip(bench.ours.items(), ours, strict=True):
        budget = ENCODE_BUDGET if segmenter is bench.taken and precision != torch.float32 else None
        apart = _apart(segmenter.encode(bench.image).arrays["features"], exact)
        name = str(precision).removeprefix("torch.")
        print(f"encode, ours {name:16} {_time(seconds)}{_ratio(seconds, theirs, budget)}   features apart: {apart}")
    with torch.autocast(bench.device.type, torch.bfloat16):
        seconds = [bench.seconds(lambda: bench.package.set_image(bench.image))]
    apart = _apart(bench.package.features[0].float().cpu().numpy(), exact)
    print(f"encode, package under autocast{_time(seconds)}   features apart: {apart}", flush=True)


def decode(bench: Bench) -> None:
    """A click, answered by the package and by us."""
    bench.package.set_image(bench.image)
    bench.taken.set_image(bench.image)
    clicks = iter(np.random.default_rng(0).uniform(0.1, 0.9, (1000, 2)) * (bench.size.width, bench.size.height))

    def by_package() -> object:
        return bench.package.predict(np.array([next(clicks)]), np.array([1]))

    def by_us() -> object:
        return bench.taken.predict(Prompt((tuple(next(clicks).tolist()),), (True,)))

    theirs, ours = bench.take_turns(by_package, by_us, turns=4 * bench.options.turns)
    print(f"decode, package               {_time(theirs)}")
    print(f"decode, ours                  {_time(ours)}{_ratio(ours, theirs, None)}", flush=True)


def revisit(bench: Bench) -> None:
    """A frame that was encoded before, remembered and read from a file."""
    files = EmbeddingFiles(bench.folder / "embeddings", bench.taken.key)
    remembered = Embeddings(bench.taken, files)
    remembered.make(bench.frame)
    turns = 4 * bench.options.turns
    for what, make in (("memory", lambda: remembered), ("a file", lambda: Embeddings(bench.taken, files))):

        def go_back(make: Callable[[], Embeddings] = make) -> None:
            bench.taken.use(make().find(bench.frame))

        [seconds] = bench.take_turns(go_back, turns=turns)
        milliseconds = 1000 * median(seconds)
        verdict = "ok" if milliseconds <= REVISIT_BUDGET else "OVER"
        print(f"back to a frame, from {what:7} {_time(seconds)}   budget {REVISIT_BUDGET} ms {verdict}", flush=True)


def window(bench: Bench) -> None:
    """A click in the window with this very segmenter, and what of it is not the segmenter's."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from window_measures import click_in_window

    if not bench.options.checkpoint:
        bench.taken.predict = _with_discs(bench.taken.predict)
    seconds, inside = click_in_window(bench.taken, bench.frame.parent, bench.size, 2 * bench.options.turns)
    low, middle, high = quartiles((a - b) * 1000 for a, b in zip(seconds, inside, strict=True))
    verdict = "ok" if middle <= CLICK_BUDGET else "OVER"
    print(f"click in the window           {_time(seconds)}   the segmenter's own {_time(inside)}")
    print(f"  beyond the segmenter: {middle:.1f} ms ({low:.1f}-{high:.1f}), budget {CLICK_BUDGET} ms {verdict}")


def _with_discs(predict: Callable[..., tuple[Proposal, ...]]) -> Callable[..., tuple[Proposal, ...]]:
    """SAM's answers with discs of different sizes for masks: random weights give noise, whose thousands of outlines
    take half a second to draw, and which no trained SAM gives."""

    def answer(prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        (x, y), found = prompt.points[-1], predict(prompt, previous)
        rows, columns = np.ogrid[: found[0].mask.shape[0], : found[0].mask.shape[1]]
        far = (columns - x) ** 2 + (rows - y) ** 2
        return tuple(replace(one, mask=far < (100 * number) ** 2) for number, one in enumerate(found, 1))

    return answer


def _load(options: argparse.Namespace) -> tuple[Any, str]:
    if options.checkpoint:
        return load_sam(options.checkpoint)
    torch.manual_seed(0)
    model = import_segment_anything().sam_model_registry[options.model]()
    with torch.no_grad():
        for name, parameter in model.image_encoder.named_parameters():
            if "pos" in name:
                parameter.normal_(std=0.1)  # they are made as zeros
    return model.eval().requires_grad_(False), f"{options.model}, random weights"


def _time(seconds: list[float]) -> str:
    middle = median(seconds)
    return f"{middle:8.2f} s " if middle >= 10 else f"{middle * 1000:8.1f} ms"


def _ratio(ours: list[float], theirs: list[float], budget: float | None) -> str:
    low, middle, high = quartiles(a / b for a, b in zip(ours, theirs, strict=True))
    verdict = "" if budget is None else f" budget {budget}{' ok' if middle <= budget else ' OVER'}"
    return f"   ratio {middle:.2f} ({low:.2f}-{high:.2f}){verdict}"


def _apart(features: NDArray[np.float32], exact: NDArray[np.float32]) -> str:
    difference = np.abs(features - exact)
    return f"mean {difference.mean():.1e}, max {difference.max():.1e}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="vit_b", choices=("vit_b", "vit_l", "vit_h"), help="with random weights")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="a SAM of any size, in place of --model")
    parser.add_argument("--device", default="auto", help="'auto' (default), 'cpu', 'cuda', ...")
    parser.add_argument("--turns", type=int, default=5, help="turns of each side (5)")
    parser.add_argument("--size", default="1920x1080", help="of the frame (1920x1080)")
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES, help="measure these (all)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="on a CPU (all)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
