"""The benchmark of the window runs, on little; its figures are judged by people, in benchmarks/RESULTS.md."""

import json
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def run(*arguments: str | Path) -> str:
    """What a script of the benchmarks prints."""
    command = [sys.executable, *map(str, arguments)]
    answer = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=False, timeout=180)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_the_first_frame_is_painted_before_torch_is_imported(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}").mkdir()
        Image.new("RGB", (64, 48)).save(tmp_path / f"{number}" / "0.jpg")
    told = json.loads(run("window_start.py", "ours", tmp_path))
    assert told["torch"] is False
    assert told["painted"] > 0


def test_the_window_is_measured_beside_labelme() -> None:
    little = "--repetitions 1 --many 4 --frames 3 --size 320x180 --objects 2 --points 20 --run 3 --samples 1"
    table = run("bench_window.py", "--only", "step", "open", "stall", "click", *little.split())
    for row in ("2 polygons drawn", "2 masks drawn", "open 4 videos", "window at rest", "click to proposals"):
        assert row in table


def test_sam_is_measured_beside_the_packages_predictor() -> None:
    weights = BENCHMARKS.parent / "tests" / "small_sam" / "small_sam.pth"
    little = "--device cpu --turns 1 --size 320x180 --threads 1"
    table = run("bench_sam.py", "--checkpoint", weights, *little.split())
    for row in ("encode, package float32", "encode, ours", "decode, ours", "from a file", "click in the window"):
        assert row in table


def test_any_segmenter_is_measured_by_clicks_and_boxes(tmp_path: Path) -> None:
    for folder in ("JPEGImages", "Annotations"):
        (tmp_path / folder / "ball").mkdir(parents=True)
    truth = Image.new("L", (160, 120))
    ImageDraw.Draw(truth).ellipse((50, 30, 110, 90), fill=255)
    truth.save(tmp_path / "Annotations" / "ball" / "00000.png")
    Image.merge("RGB", [truth, truth, truth]).save(tmp_path / "JPEGImages" / "ball" / "00000.jpg")
    weights = BENCHMARKS.parent / "tests" / "small_sam" / "small_sam.pth"
    for segmenter in ("embedded", weights):
        table = run("clicks.py", tmp_path, "--segmenter", segmenter, "--clicks", "3")
        for column in ("NoC@85", "box", "drops", "far", "disobeyed"):
            assert column in table
