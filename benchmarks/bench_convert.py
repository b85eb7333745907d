"""How fast annotations become a dataset, beside labelme's rasteriser with pycocotools, and how much memory it takes.

    python benchmarks/bench_convert.py                       60 videos, a minute or two
    python benchmarks/bench_convert.py --videos 3000         the size of LV-VIS' training part
    python benchmarks/bench_convert.py --tree FOLDER --interrupt 5     one that lvvis_tree.py made, and killed besides

The tree is of 720p videos: 9 objects each, polygons of 43 points, as in LV-VIS (`lvvis_tree.py`). Both sides read the
same files, draw every shape, and write run lengths, boxes and areas as JSON; ours examines all images as well (they are
not copied), and reads its JSON back. Each side runs in a process of its own. CPU time is what counts where others use
the machine, too; peak memory is that of the largest process.
"""

import argparse
import filecmp
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from lvvis_tree import FRAMES, HEIGHT, POINTS, WIDTH, make_tree
from machine import describe

OURS = ("ours", "ours, not verified", "ours, processes")
PEER = "labelme + pycocotools"


def main() -> None:
    options = _parse()
    if options.side:
        _run_side(options)
        return
    print(describe("numpy", "pycocotools", "opencv-python-headless", "labelme", "pillow"))
    if options.tree is not None:
        _measure_all(options.tree, options)
        return
    with tempfile.TemporaryDirectory(prefix="bench_convert.", dir=options.folder) as folder:
        make_tree(Path(folder), options.videos)
        _measure_all(Path(folder), options)


def _measure_all(tree: Path, options: argparse.Namespace) -> None:
    videos = len(os.listdir(tree / "annotations"))
    print(f"{videos} videos of {FRAMES} frames, polygons of {POINTS} points\n")
    print("side                     masks   wall s    CPU s  masks/s CPU  peak MB")
    for _ in range(options.turns):
        for side in options.sides or (*OURS[: 3 if options.jobs > 1 else 2], PEER):
            _measure(side, tree, options)
    if options.interrupt:
        _interrupt(tree, options)


def _interrupt(tree: Path, options: argparse.Namespace) -> None:
    """Kill a conversion at random moments, let it go on each time, and compare with what the sides before have made."""
    chance = random.Random(options.interrupt)
    for folder in ("again", "cache"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    command = [sys.executable, "-m", "sam_annotator", "convert", tree / "annotations", "--videos", tree / "videos"]
    command += ["--output", tree / "again", "--images", "none", "--cache", tree / "cache", "--jobs", options.jobs]
    command += ["--categories", "present"]
    for kill in range(options.interrupt + 1):
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(None if kill == options.interrupt else chance.uniform(5, 60))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            print(f"killed with {len(list((tree / 'cache').glob('*.video')))} videos done", flush=True)
        if process.returncode == 0:
            break
    name = Path("Annotations/train_instances.json")
    same = filecmp.cmp(tree / "dataset" / name, tree / "again" / name, shallow=False)
    print(f"resumed: {'the same bytes' if same else 'OTHER BYTES'}, {(tree / 'again' / name).stat().st_size} of them")


def _measure(side: str, folder: Path, options: argparse.Namespace) -> None:
    command = [
        sys.executable,
        __file__,
        "--side",
        side,
        "--folder",
        str(folder),
        "--peer-videos",
        str(options.peer_videos),
        "--jobs",
        str(options.jobs),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    facts = json.loads(done.stdout)
    rate = facts["masks"] / facts["cpu"]
    print(
        f"{side:22}{facts['masks']:8}{facts['wall']:9.1f}{facts['cpu']:9.1f}{rate:13.0f}{facts['peak']:9.0f}",
        flush=True,
    )


def _run_side(options: argparse.Namespace) -> None:
    import cv2

    cv2.setNumThreads(1)
    side = _labelme if options.side.startswith("labelme") else _ours
    wall, cpu = time.perf_counter(), _cpu()
    masks = side(options)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    print(json.dumps({"wall": time.perf_counter() - wall, "cpu": _cpu() - cpu, "masks": masks, "peak": peak}))


def _cpu() -> float:
    """Seconds of this process and of those it has started, once they have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _ours(options: argparse.Namespace) -> int:
    from sam_annotator.core.datasets.youtube_vis import ConvertOptions, convert
    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.videos import find_videos

    jobs = options.jobs if options.side == OURS[2] else 1
    verify = options.side != OURS[1]
    convert_options = ConvertOptions(images="none", force=True, verify=verify, jobs=jobs, present=True)
    videos = find_videos(options.folder / "videos")
    store = AnnotationStore(options.folder / "annotations")
    *_steps, last = _last_two(convert(videos, store, options.folder / "dataset", convert_options))
    if jobs > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)  # their time counts once they have ended
    return last.report.masks


def _last_two(steps):  # type: ignore[no-untyped-def]
    """The end of an iterator, without keeping the rest."""
    from collections import deque

    return deque(steps, maxlen=2)


def _labelme(options: argparse.Namespace) -> int:
    """What a careful script does: labelme's own rasteriser, pycocotools for run lengths, boxes and areas."""
    from labelme.utils import shape_to_mask
    from pycocotools import mask as coco

    annotations = []
    masks = 0
    for folder in sorted((options.folder / "annotations").iterdir())[: options.peer_videos]:
        objects: dict[int, dict[str, list[object]]] = {}
        for index, path in enumerate(sorted(folder.iterdir())):
            document = json.loads(path.read_text())
            for shape in document["shapes"]:
                mask = shape_to_mask((HEIGHT, WIDTH), shape["points"], shape["shape_type"])
                rle = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
                lists = objects.setdefault(
                    shape["group_id"], {key: [None] * FRAMES for key in ("segmentations", "bboxes", "areas")}
                )
                lists["bboxes"][index] = coco.toBbox(rle).tolist()
                lists["areas"][index] = int(coco.area(rle))
                lists["segmentations"][index] = {"size": rle["size"], "counts": rle["counts"].decode()}
                masks += 1
        annotations.extend(objects.values())
    (options.folder / "labelme.json").write_text(json.dumps({"annotations": annotations}))
    return masks


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--peer-videos", type=int, default=60, help="videos that the slow side does (default: 60)")
    parser.add_argument("--folder", type=Path, help="where to make the tree (default: the folder for temporary files)")
    parser.add_argument("--tree", type=Path, metavar="FOLDER", help="take the tree that is there, and leave it there")
    parser.add_argument("--jobs", type=int, default=1, help="a side more, with so many processes (default: none)")
    parser.add_argument("--sides", nargs="+", choices=(*OURS, PEER), help="these alone (default: all)")
    parser.add_argument("--turns", type=int, default=1, help="measure each side so often, in turn (default: 1)")
    parser.add_argument("--interrupt", type=int, default=0, metavar="TIMES", help="kill it so often, compare the bytes")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
