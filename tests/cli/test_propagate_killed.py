"""Kill -9 at random moments of `sam-annotator propagate`: whole files, and the same ones in the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
KILLS = os.environ.get("SAM_ANNOTATOR_KILLS", "12")


@pytest.mark.skipif(os.name == "nt", reason="forks")
def test_a_run_that_is_killed_anywhere_leaves_whole_files_and_ends_as_if_nothing_had_happened() -> None:
    command = [sys.executable, "kills.py", "--kills", KILLS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=600, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert f"{KILLS} kills" in done.stdout
