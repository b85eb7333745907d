"""The benchmark of the dataset maker runs, on little; its figures are judged by people, in benchmarks/RESULTS.md."""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def run(*arguments: str | Path) -> str:
    """What a script of the benchmarks prints."""
    command = [sys.executable, *map(str, arguments)]
    answer = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=180)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_dataset_maker_is_measured_beside_labelme_and_goes_on_after_a_kill(tmp_path: Path) -> None:
    run("lvvis_tree.py", tmp_path, "--videos", "2")
    table = run("bench_convert.py", "--tree", tmp_path, "--interrupt", "1")
    for row in ("ours ", "ours, not verified", "labelme + pycocotools", "resumed: the same bytes"):
        assert row in table
