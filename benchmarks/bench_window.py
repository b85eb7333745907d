"""The window beside plain labelme, off-screen, in one run.

    python benchmarks/bench_window.py [--only start step ...] [--repetitions 7] [--videos 1000] ...

Both take turns, a quick while each, so that what else the machine does falls on both; a ratio is the middle one of
the turns' ratios. What is measured:

start   process start until the first frame is painted: a folder of 1,000 videos, labelme on a folder of one
step    next frame at 1080p with ten objects drawn until it is painted, labelme without any
open    a folder of 5,000 videos chosen in the window until its first frame is painted
stall   how long the window's thread is away (gaps of a timer of 5 ms), at rest and while a propagation runs
click   a click on a frame that is prepared until its proposals are painted, beside the segmenter alone
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

MEASURES = ("start", "step", "open", "stall", "click")


def main() -> None:
    """Measure and print the table."""
    options = _options()
    for variable in THREADS:
        os.environ[variable] = str(options.threads)
    with tempfile.TemporaryDirectory(prefix="bench_window_") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            os.environ[variable] = str(home)  # nobody's settings are read or changed
        _measure_all(options, Path(folder))


def _measure_all(options: argparse.Namespace, folder: Path) -> None:
    import cv2
    import window_measures as measures
    from machine import describe

    cv2.setNumThreads(options.threads)
    print(describe("sam_annotator", "labelme", "PyQt5", "numpy", "opencv-python-headless"))
    print(f"off-screen, {options.threads} thread(s) for OpenCV and BLAS, {options.repetitions} turns each\n")
    print(measures.HEADER)
    for name in MEASURES:
        if name in options.only:
            measure: Callable[..., object] = getattr(measures, f"measure_{name}")
            (folder / name).mkdir()
            measure(options, folder / name)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES, help="measure these (all)")
    parser.add_argument("--repetitions", type=int, default=7, help="turns of each side (7)")
    parser.add_argument("--videos", type=int, default=1000, help="videos in the folder of `start` (1000)")
    parser.add_argument("--many", type=int, default=5000, help="videos in the folder of `open` (5000)")
    parser.add_argument("--frames", type=int, default=25, help="frames of a video (25)")
    parser.add_argument("--size", default="1920x1080", help="of a frame in `step` and `click` (1920x1080)")
    parser.add_argument("--objects", type=int, default=10, help="objects in a frame of `step` (10)")
    parser.add_argument("--points", type=int, default=100, help="points of an object's outline (100)")
    parser.add_argument("--run", type=int, default=40, help="frames that `stall` propagates over (40)")
    parser.add_argument("--samples", type=int, default=3, help="sample videos that it takes (3)")
    parser.add_argument("--threads", type=int, default=1, help="of OpenCV and BLAS (1)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
