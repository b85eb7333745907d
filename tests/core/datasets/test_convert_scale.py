"""Several processes, interruptions, and a look at what was written: the same bytes, or nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from sam_annotator.core.annotation import Shape
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.video import VideoReader
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, convert, writing
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, outside, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        tree.video(name)
        for index in range(3):
            crop = rng.random((20, 30)) > 0.5
            mask = Shape("duck", ((3.0, 4.0), (32.0, 23.0)), "mask", 2, mask=crop)
            tree.annotate(f"{name}/{index:05d}", polygon(1), mask, outside(3))
    return tree


def bytes_of(tree: Tree, **options: Any) -> bytes:
    return tree.convert(force=True, images="none", **options).path.read_bytes()


def count_frames(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    read: list[int] = []
    original = VideoReader.read_frame

    def counted(self: VideoReader, index: int) -> None:
        read.append(index)
        original(self, index)

    monkeypatch.setattr(VideoReader, "read_frame", counted)
    return read


def test_two_processes_give_the_same_bytes_images_and_findings(tree: Tree) -> None:
    alone = tree.convert()
    content = alone.path.read_bytes()
    both = tree.convert(force=True, jobs=2, split="train")
    assert both.path.read_bytes() == content
    assert both.findings == alone.findings
    assert tree.convert(jobs=2, split="val").images == alone.images == {"linked": 9}
    tree.load("val")


def test_a_cluster_gives_the_same_bytes_images_and_findings(tree: Tree, tmp_path: Path, cluster: Any) -> None:
    alone = tree.convert(images="copy")
    content = alone.path.read_bytes()
    options = {"scheduler": cluster.scheduler_address, "cache": tmp_path / "cache", "images": "copy"}
    both = tree.convert(force=True, **options)
    assert both.path.read_bytes() == content
    assert both.findings == alone.findings
    assert tree.convert(split="val", **options).images == {"copied": 9}
    assert tree.convert(force=True, dry_run=True, **options).masks == alone.masks


def test_workers_that_write_elsewhere_are_told_to_share_a_folder(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def elsewhere(function: Any, tasks: Any, *_: object) -> Iterator[Any]:
        for task in tasks:
            read, path = function(task)
            path.unlink()
            yield read, path

    monkeypatch.setattr("sam_annotator.core.datasets.youtube_vis.reading.in_order", elsewhere)
    with pytest.raises(InputError, match=r"do not see .*cache.*--cache DIR"):
        tree.convert(scheduler="tcp://far:1", cache=tmp_path / "cache", images="none")


def test_problems_are_the_same_from_other_processes(tree: Tree) -> None:
    tree.annotate("b/00000", polygon(None))
    (tree.videos / "c" / "00001.jpg").write_bytes(b"no image")
    assert tree.problems() == tree.problems(jobs=2)


def test_what_was_interrupted_goes_on_and_gives_the_same_bytes(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = bytes_of(tree)
    videos, store = find_videos(tree.videos), AnnotationStore(tree.annotations)
    for stop in range(1, 16):
        cache = tmp_path / f"cache{stop}"
        steps = convert(
            videos, store, tree.dataset, ConvertOptions(cache=cache, force=True, images="none", present=True)
        )
        for _ in range(stop):
            next(steps)
        steps.close()
        finished = len(list(cache.glob("*.video"))) if cache.exists() else 0
        with monkeypatch.context() as patch:
            read = count_frames(patch)
            assert bytes_of(tree, cache=cache) == truth
            assert len(read) == 9 - 3 * finished


def test_what_was_killed_at_any_moment_goes_on_and_gives_the_same_bytes(tree: Tree, tmp_path: Path) -> None:
    for number in range(40):
        tree.video(f"more{number}", frames=2)
        tree.annotate(f"more{number}/00000", polygon(1))
    truth = bytes_of(tree)
    tree.convert(split="val", images="none", cache=tmp_path / "whole")
    command = [sys.executable, "-m", "sam_annotator", "convert", tree.annotations, "--videos", tree.videos]
    command += ["--output", tree.dataset, "--force", "--images", "none", "--cache", tmp_path / "cache"]
    command += ["--categories", "present"]
    for files in (1, 9, 30):
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        while process.poll() is None and len(list((tmp_path / "cache").glob("*.video"))) < files:
            pass
        process.kill()
        process.wait()
    assert bytes_of(tree, cache=tmp_path / "cache") == truth
    kept = [{path.name for path in (tmp_path / name).glob("*.video")} for name in ("whole", "cache")]
    assert kept[0] == kept[1]


def test_several_processes_can_be_stopped(tree: Tree) -> None:
    videos, store = find_videos(tree.videos), AnnotationStore(tree.annotations)
    for stop in (4, 5):
        steps = convert(videos, store, tree.dataset, ConvertOptions(jobs=2, force=True, present=True))
        for _ in range(stop):
            next(steps)
        steps.close()
    assert not (tree.dataset / "Annotations").exists()
    assert tree.convert(jobs=2).masks == 18


def test_what_the_cache_holds_of_other_content_or_half_is_not_taken(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    truth = bytes_of(tree, cache=cache)
    read = count_frames(monkeypatch)
    assert bytes_of(tree, cache=cache) == truth
    assert read == []
    first, second, third = sorted(cache.glob("*.video"))
    first.write_bytes(first.read_bytes()[:-5])
    second.write_bytes(b"")
    third.write_bytes(third.read_bytes().replace(b"duck", b"swan"))
    assert bytes_of(tree, cache=cache) == truth
    assert len(read) == 9
    tree.annotate("a/00000", polygon(1))
    assert bytes_of(tree, cache=cache) != truth
    assert len(read) == 12
    assert bytes_of(tree, cache=cache, draw=DrawOptions(raster="coco")) != truth
    assert len(read) == 21


def test_without_a_cache_nothing_is_left_behind(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    tree.convert()
    left = list((tmp_path / "temporary").iterdir())
    assert [path.name for path in left if path.suffix != ".lock" or path.stat().st_size] == [], "an empty lock may stay"


def test_each_mask_is_read_back_and_checked(tree: Tree) -> None:
    assert tree.convert().verified == 18
    assert tree.convert(force=True, verify=False).verified is None


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"areas":[', b'"areas":[1', "an area"),
        (b'"bboxes":[[10', b'"bboxes":[[11', "a box"),
        (b'"counts":"', b'"counts":"0', "runs"),
        (b'"length":3,"seg', b'"length":2,"seg', "the size"),
        (b'"category_id":1', b'"category_id":9', "the category"),
        (b'"id":2,"video_id"', b'"id":7,"video_id"', "ids"),
        (b'"size":[48,64]', b'"size":[64,48]', "a mask's size"),
        (b'"annotations":[', b'"annotation":[', "the list of annotations"),
    ],
)
def test_a_dataset_that_is_not_what_was_meant_is_not_put_in_place(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes, what: str
) -> None:
    """As if the disk had changed it."""
    original = writing.write_split

    def spoiled(stream: BinaryIO, *arguments: Any, **options: Any) -> None:
        original(stream, *arguments, **options)
        stream.seek(0)
        content = stream.read()
        assert old in content
        stream.seek(0)
        stream.truncate()
        stream.write(content.replace(old, new, 1))

    monkeypatch.setattr("sam_annotator.core.datasets.youtube_vis.pipeline.write_split", spoiled)
    with pytest.raises(SaveError, match=what):
        tree.convert()
    assert [path for path in (tree.dataset / "Annotations").iterdir()] == []


def test_progress_counts_masks_and_goes_to_the_end_with_any_number_of_processes(tree: Tree) -> None:
    for jobs in (1, 2):
        steps = tree.steps(force=True, jobs=jobs)
        masks = [step for step in steps if step.stage == "masks"]
        assert (masks[-1].done, masks[-1].total, masks[-1].masks) == (9, 9, 18)
        checks = [step for step in steps if step.stage == "check"]
        assert (checks[-1].done, checks[-1].total, checks[-1].masks) == (6, 6, 18)
