"""STCN at 480p: seconds a frame and peak memory, beside a checkout of the published implementation if one is given.

    python benchmarks/bench_stcn.py [--reference DIR] [--objects 1 3] [--frames 8] [--device cuda] ...

Both sides have the same weights and the same memory (every fifth frame and the last one) and take turns, frame by
frame, so that what else the machine does falls on both; a ratio is the middle one of the frames' ratios. Seconds are
of the processor on a CPU, so that waiting for others does not count, and of the clock on CUDA. Peak memory
is of a process by itself: resident on a CPU, allocated on CUDA. At the end, memory after 200 and after 2,000 tiny
frames: it must not grow. DIR is a checkout of github.com/hkchengrex/STCN; nothing in it is changed.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import torch
from machine import describe
from stcn_sides import Inputs, Ours, Reference, make_network

from sam_annotator.engine.device import choose_device
from sam_annotator.engine.stcn.load import choose_precision

WARM_UP = 2
TINY = (48, 32)
GROWTH = (200, 2000)

Side = Ours | Reference


def main() -> None:
    """Measure and print the table."""
    options = _options()
    torch.set_num_threads(options.threads)
    if options.alone:
        _run_alone(options)
        return
    device, precision = _device_and_precision(options)
    print(describe("torch", "numpy"))
    print(f"{device}, ours {precision}, {options.threads} thread(s), 854 x 480, {options.frames} frames\n")
    print(f"{'objects':>7s} {'side':10s} {'s/frame':>8s} {'ratio':>6s} {'peak MB':>8s}   shares apart: mean, max")
    for objects in options.objects:
        _compare(options, objects)
    if options.growth:
        after = _alone(options, "growth", 1)
        print("\n" + ", ".join(f"after {frames} tiny frames {peak / 1e6:.0f} MB" for frames, peak in after.items()))


def _compare(options: argparse.Namespace, objects: int) -> None:
    names = ["ours", "reference"] if options.reference else ["ours"]
    clock = time.process_time if choose_device(options.device).type == "cpu" else time.perf_counter
    inputs = Inputs(854, 480, objects)
    sides = {name: _make(name, options, inputs) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    apart = []
    for index in range(WARM_UP + options.frames):
        shares = {}
        for name, side in sides.items():
            started = clock()
            shares[name] = side.step(index)
            if index >= WARM_UP:
                seconds[name].append(clock() - started)
        if len(shares) == 2:
            apart.append((shares["ours"] - shares["reference"]).abs())
    del sides
    for name in names:
        ratio, difference = "", ""
        if name == "ours" and apart:
            ratio = f"{median(a / b for a, b in zip(*seconds.values(), strict=True)):.2f}"
            difference = f"{torch.stack(apart).mean():.1e}, {torch.stack(apart).max():.1e}"
        peak = _alone(options, name, objects)["peak"] / 1e6
        print(
            f"{objects:7d} {name:10s} {median(seconds[name]):8.3f} {ratio:>6s} {peak:8.0f}   {difference}", flush=True
        )


def _make(name: str, options: argparse.Namespace, inputs: Inputs) -> Side:
    device, precision = _device_and_precision(options)
    network = make_network(options.checkpoint)
    if name == "reference":
        return Reference(options.reference, network, inputs, device)
    return Ours(network, inputs, device, precision)


def _alone(options: argparse.Namespace, name: str, objects: int) -> dict[str, int]:
    """Peak memory in bytes, measured in a process of its own."""
    command = [sys.executable, __file__, "--alone", name, "--objects", str(objects), "--device", options.device]
    command += ["--threads", str(options.threads), "--frames", str(options.frames), "--precision", options.precision]
    for option in ("reference", "checkpoint"):
        if getattr(options, option):
            command += [f"--{option}", str(getattr(options, option))]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    peaks: dict[str, int] = json.loads(result.stdout)
    return peaks


def _run_alone(options: argparse.Namespace) -> None:
    growth = options.alone == "growth"
    inputs = Inputs(*(TINY if growth else (854, 480)), options.objects[0])
    side = _make("ours" if growth else options.alone, options, inputs)
    peaks = {}
    for index in range(GROWTH[-1] if growth else min(WARM_UP + options.frames, 7)):
        side.step(index)
        if growth and index + 1 in GROWTH:
            peaks[index + 1] = _peak(options)
    print(json.dumps(peaks if growth else {"peak": _peak(options)}))


def _peak(options: argparse.Namespace) -> int:
    if choose_device(options.device).type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the process that started this one had
        return 1024 * int(next(line for line in status.read_text().splitlines() if line.startswith("VmHWM")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _device_and_precision(options: argparse.Namespace) -> tuple[torch.device, torch.dtype]:
    device = choose_device(options.device)
    return device, choose_precision(device) if options.precision == "auto" else getattr(torch, options.precision)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, metavar="DIR", help="a checkout of the published implementation")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="stcn.pth (random weights)")
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 3], metavar="N", help="how many objects (1 3)")
    parser.add_argument("--frames", type=int, default=8, help="frames that count (8)")
    parser.add_argument("--device", default="auto", help="'auto' (default), 'cpu', 'cuda', ...")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "bfloat16", "float16"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="on a CPU (all)")
    parser.add_argument("--no-growth", dest="growth", action="store_false", help="leave the 2,000 frames out")
    parser.add_argument("--alone", choices=("ours", "reference", "growth"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
