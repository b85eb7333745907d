"""How much memory and time a dataset's JSON takes on its way in, beside reading it whole.

    python benchmarks/bench_import.py                       60 videos, under a minute
    python benchmarks/bench_import.py --videos 3000         the size of LV-VIS' training part: some 400 MB of JSON
    python benchmarks/bench_import.py --tree FOLDER         one that lvvis_tree.py made and bench_convert.py converted
    python benchmarks/bench_import.py --whole               there and back: all of it imported, exported again, compared
    python benchmarks/bench_import.py --interrupt 10        the import killed so often, and each time gone on with

`ours` gets to know all videos and objects of the file, and where their masks stand; `ours, annotations first` does that
with a file whose keys come in the other order; `ours, import` is the whole command on that file, with the folders of
`--imported` videos at hand. The other sides read the file whole: `json.load`, and what the API of YouTube-VIS does
(pycocotools' way: `json.load`, then an index by video and category). Each side runs in a process of its own. Of the
peak, `own` is what the process holds for itself; the rest are pages of mapped files, which the system takes back when
it likes (Linux alone tells; elsewhere it is 0).
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
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lvvis_tree import make_tree
from machine import describe

NAME = Path("dataset/Annotations/train_instances.json")
TURNED = "turned.json"
COMPARED = ("id", "video_id", "category_id", "segmentations")


def main() -> None:
    options = _parse()
    if options.side:
        _run_side(options)
        return
    print(describe("orjson", "msgspec", "pycocotools"))
    if options.tree is not None:
        _measure_all(options.tree, options)
        return
    with tempfile.TemporaryDirectory(prefix="bench_import.", dir=options.folder) as folder:
        make_tree(Path(folder), options.videos)
        _measure_all(Path(folder), options)


def _measure_all(tree: Path, options: argparse.Namespace) -> None:
    if not (tree / NAME).exists():
        _command("convert", tree / "annotations", "--videos", tree / "videos", "--output", tree / "dataset")
    print(f"{(tree / NAME).stat().st_size / 1e6:.0f} MB of JSON\n")
    if options.whole or options.interrupt:
        _there_and_back(tree, options)
        return
    _turn(tree / NAME, tree / TURNED)
    print("side                         videos   wall s    CPU s  peak MB      own")
    for _ in range(options.turns):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--tree", tree, "--imported", options.imported]
            done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
            facts = json.loads(done.stdout.splitlines()[-1])
            print(
                f"{side:27}{facts['videos']:8}{facts['wall']:9.1f}{facts['cpu']:9.1f}{facts['peak']:9.0f}"
                f"{facts['own']:9.0f}",
                flush=True,
            )


def _there_and_back(tree: Path, options: argparse.Namespace) -> None:
    """Import all, export that, and compare; then kill an import now and then, and compare what comes of it."""
    for folder in ("imported", "back", "again"):
        shutil.rmtree(tree / folder, ignore_errors=True)
    masks = sum(found is not None for entry in _annotations(tree / NAME) for found in entry["segmentations"])
    print("step                         masks   wall s    CPU s  masks/s CPU  peak MB", flush=True)
    _measure_command("import", masks, _importing(tree, "imported", options))
    if options.whole:
        parts = ("convert", tree / "imported", "--videos", tree / "videos", "--output", tree / "back")
        categories = ("--images", "none", "--categories", tree / NAME, "--jobs", options.jobs)
        _measure_command("export of that", masks, (*parts, *categories))
        ours = tree / "back" / "Annotations" / NAME.name
        same = "the same bytes" if filecmp.cmp(tree / NAME, ours, shallow=False) else _differences(tree / NAME, ours)
        print(f"there and back: {same}", flush=True)
    if options.interrupt:
        _interrupt(tree, options)


def _importing(tree: Path, output: str, options: argparse.Namespace) -> tuple[object, ...]:
    return ("import", tree / NAME, "--videos", tree / "videos", "--output", tree / output, "--jobs", options.jobs)


def _measure_command(name: str, masks: int, parts: Sequence[object]) -> None:
    wall = time.perf_counter()
    process = subprocess.Popen(_program(parts), stdout=subprocess.DEVNULL)
    _pid, status, usage = os.wait4(process.pid, 0)
    wall, cpu = time.perf_counter() - wall, usage.ru_utime + usage.ru_stime
    if status:
        raise SystemExit(f"{name} failed")
    print(f"{name:24}{masks:10}{wall:9.1f}{cpu:9.1f}{masks / cpu:13.0f}{usage.ru_maxrss / 1024:9.0f}", flush=True)


def _program(parts: Sequence[object]) -> list[str]:
    return [sys.executable, "-m", "sam_annotator", *map(str, parts)]


def _annotations(path: Path) -> Iterator[dict[str, Any]]:
    from sam_annotator.core.json_members import JsonMembers

    members = JsonMembers.read(path)
    if members is not None:
        yield from (entry for entry, *_extent in members.entries("annotations"))


def _differences(first: Path, second: Path) -> str:
    pairs = zip(_annotations(first), _annotations(second), strict=False)
    other = sum(any(a[key] != b[key] for key in COMPARED) for a, b in pairs)
    return f"{other} annotations with another {', '.join(COMPARED)}"


def _interrupt(tree: Path, options: argparse.Namespace) -> None:
    """Kill an import at random moments, let it go on each time, and compare with the one that was left in peace."""
    chance = random.Random(options.interrupt)
    whole = {path.relative_to(tree / "imported") for path in (tree / "imported").rglob("*.json")}
    for kill in range(options.interrupt):
        process = subprocess.Popen(
            _program(_importing(tree, "again", options)), stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            process.wait(chance.uniform(1, options.longest * (1 + kill / 2)))  # first it goes over what is there
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        there = {path.relative_to(tree / "again") for path in (tree / "again").rglob("*.json")}
        print(f"killed with {len(there)} files there, {_others(tree, there)} of them not as they shall be", flush=True)
    subprocess.run(_program(_importing(tree, "again", options)), check=True, stdout=subprocess.DEVNULL)
    there = {path.relative_to(tree / "again") for path in (tree / "again").rglob("*") if path.is_file()}
    same = there == whole and not _others(tree, there)
    print(f"gone on with to the end: {'the same bytes' if same else 'OTHER FILES'}, {len(there)} files", flush=True)


def _others(tree: Path, names: Iterable[Path]) -> int:
    return sum(not filecmp.cmp(tree / "imported" / name, tree / "again" / name, shallow=False) for name in names)


def _turn(source: Path, target: Path) -> None:
    """The same file with its annotations first, a line at a time."""
    with source.open("rb") as lines, target.open("wb") as stream, tempfile.TemporaryFile() as head:
        for line in lines:
            if line.startswith(b'"annotations":['):
                break
            head.write(line)
        stream.write(b"{" + line)
        for after in lines:
            stream.write(after.removesuffix(b"}\n") if after.endswith(b"]}\n") else after)
        head.seek(0)
        stream.write(b",\n" + head.read().removeprefix(b"{").rstrip().removesuffix(b",") + b"}\n")


def _command(*parts: object) -> None:
    command = [sys.executable, "-m", "sam_annotator", *map(str, parts), "--images", "none", "--categories", "present"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _read_ours(tree: Path, _imported: int) -> int:
    from sam_annotator.core.datasets.json_source import read_dataset_json

    return len(read_dataset_json(tree / NAME).videos)


def _read_turned(tree: Path, _imported: int) -> int:
    from sam_annotator.core.datasets.json_source import read_dataset_json

    return len(read_dataset_json(tree / TURNED).videos)


def _import(tree: Path, imported: int) -> int:
    from sam_annotator.core.datasets.importing import ImportOptions, import_masks
    from sam_annotator.core.datasets.json_source import read_dataset_json
    from sam_annotator.core.store import AnnotationStore
    from sam_annotator.core.videos import find_videos

    videos = find_videos(tree / "videos")[:imported]
    source = read_dataset_json(tree / TURNED)
    report = None
    with tempfile.TemporaryDirectory(dir=tree) as output:
        for step in import_masks(source, videos, AnnotationStore(Path(output)), ImportOptions()):
            report = step.report
    return 0 if report is None else report.videos


def _json_load(tree: Path, _imported: int) -> int:
    with (tree / NAME).open() as stream:
        return len(json.load(stream)["videos"])


def _index(tree: Path, _imported: int) -> int:
    """As the API of YouTube-VIS begins."""
    with (tree / NAME).open() as stream:
        dataset = json.load(stream)
    annotations: dict[int, Any] = {}
    by_video, by_category = defaultdict(list), defaultdict(list)
    for annotation in dataset["annotations"]:
        annotations[annotation["id"]] = annotation
        by_video[annotation["video_id"]].append(annotation)
        by_category[annotation["category_id"]].append(annotation["video_id"])
    return len({video["id"]: video for video in dataset["videos"]})


SIDES = {
    "ours": _read_ours,
    "ours, annotations first": _read_turned,
    "ours, import": _import,
    "json.load": _json_load,
    "json.load + index (YTVOS)": _index,
}


def _run_side(options: argparse.Namespace) -> None:
    own, is_done = [0.0], threading.Event()
    watcher = threading.Thread(target=_watch, args=(own, is_done))
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    videos = SIDES[options.side](options.tree, options.imported)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    is_done.set()
    watcher.join()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"videos": videos, "wall": wall, "cpu": cpu, "peak": peak, "own": own[0]}))


def _watch(own: list[float], is_done: threading.Event) -> None:
    """Keep the most that the process has held for itself, in MB."""
    status = Path(f"/proc/{os.getpid()}/status")
    while status.exists() and not is_done.wait(0.02):
        for line in status.read_text().splitlines():
            if line.startswith("RssAnon:"):
                own[0] = max(own[0], int(line.split()[1]) / 1024)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=60)
    parser.add_argument("--imported", type=int, default=30, help="videos whose folders are at hand (default: 30)")
    parser.add_argument("--folder", type=Path, help="where to make the tree (default: the folder for temporary files)")
    parser.add_argument("--tree", type=Path, metavar="FOLDER", help="take the tree that is there, and leave it there")
    parser.add_argument("--turns", type=int, default=1, help="measure each side so often, in turn (default: 1)")
    parser.add_argument("--whole", action="store_true", help="import all, export it again, and compare")
    parser.add_argument(
        "--interrupt", type=int, default=0, metavar="TIMES", help="kill an import so often, and compare"
    )
    parser.add_argument("--longest", type=float, default=30, help="seconds until the first kill, at most (default: 30)")
    parser.add_argument("--jobs", type=int, default=1, help="processes of these (default: 1)")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
