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


def test_reading_a_dataset_is_measured_beside_reading_it_whole() -> None:
    table = run("bench_import.py", "--videos", "2", "--imported", "1")
    rows = {line[:27].strip(): line.split()[-5] for line in table.splitlines()[5:]}
    assert rows.pop("ours, import") == "1"
    assert len(rows) == 4
    assert set(rows.values()) == {"2"}
