"""The command `convert` as a person runs it: what it prints, where, and its exit codes."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam_annotator.cli import main
from sam_annotator.core.annotation import FrameAnnotation, Shape, write_annotation
from sam_annotator.core.datasets.youtube_vis import own_cache
from tests.youtube_vis_reader import YoutubeVis, check_consistency


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """`videos` with the videos `duck` and `swan`; `annotations` of two frames of `swan`."""
    for name in ("swan", "duck"):
        (tmp_path / "videos" / name).mkdir(parents=True)
        for index in range(4):
            pixels = np.full((48, 64, 3), 20 * index, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "videos" / name / f"{index:05d}.jpg")
    for index in (1, 2):
        annotate(tmp_path / "annotations" / "swan" / f"{index:05d}.json")
    return tmp_path


def annotate(path: Path, object_id: int | None = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = Shape("swan", ((5.0, 5.0), (30.0, 5.0), (30.0, 30.0)), object_id=object_id)
    write_annotation(path, FrameAnnotation("frame.jpg", 64, 48, (shape,)))


def arguments(folder: Path, *more: str) -> list[str]:
    """A conversion that takes the labels that occur, unless it says otherwise."""
    parts = (folder / "annotations", "--videos", folder / "videos", "--output", folder / "dataset", *more)
    return ["convert", *map(str, parts), *([] if "--categories" in more else ["--categories", "present"])]


def test_the_dataset_is_written_and_summed_up_on_stdout(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(folder)) == 0
    path = folder / "dataset" / "Annotations" / "train_instances.json"
    assert capsys.readouterr().out.splitlines() == [
        f"Wrote {path}",
        "  videos      1 (4 frames)",
        "  objects     1",
        "  masks       2",
        "  categories  1",
        "  images      4 linked",
        "Not in the dataset: videos without annotation: 1 (duck)",
        "To know: frames without annotation: 2 of 4, in 1 video (swan); objects count as absent there",
    ]
    reader = YoutubeVis(path)
    check_consistency(reader)
    for name in reader.videos[1]["file_names"]:
        assert (folder / "dataset" / "JPEGImages" / "train" / name).is_file()


def test_annotations_beside_the_frames_need_no_videos_option(folder: Path) -> None:
    annotate(folder / "videos" / "duck" / "00000.json")
    for more in ([], ["--videos", str(folder / "videos" / "..") + "/videos", "--force"]):
        command = ["convert", str(folder / "videos"), "--output", str(folder / "dataset"), "--categories", "present"]
        assert main([*command, *more]) == 0
    reader = YoutubeVis(folder / "dataset" / "Annotations" / "train_instances.json")
    assert [video["file_names"][0] for video in reader.videos.values()] == ["duck/00000.jpg"]


def test_options_reach_the_conversion(folder: Path) -> None:
    categories = folder / "categories.json"
    categories.write_text(json.dumps({"categories": [{"id": 5, "name": "swan"}]}))
    options = ["--split", "val", "--categories", str(categories), "--images", "none"]
    assert main(arguments(folder, *options)) == 0
    assert not (folder / "dataset" / "JPEGImages").exists()
    reader = YoutubeVis(folder / "dataset" / "Annotations" / "val_instances.json")
    assert list(reader.categories) == [5]


def test_what_cannot_be_used_is_told_on_stderr_with_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = folder / "annotations" / "swan" / "00000.json"
    bad.write_text("{")
    annotate(folder / "annotations" / "swan" / "00003.json", object_id=None)
    assert main(arguments(folder)) == 2
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert lines[0] == "sam-annotator: 2 problems were found and nothing was written:"
    assert lines[1].startswith(f"  {bad} is not valid JSON")
    assert "00003.json has shapes without an object id" in lines[2]
    assert not (folder / "dataset").exists()


def test_a_second_run_needs_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(folder)) == 0
    assert main(arguments(folder)) == 2
    assert "is there already; write over it with --force" in capsys.readouterr().err
    assert main(arguments(folder, "--force")) == 0
    assert "  images      4 left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (
            ["{}/nowhere", "--output", "{}/dataset"],
            "nowhere does not exist; name the folder that holds the annotations.",
        ),
        (["{}/annotations", "--videos", "{}/nowhere", "--output", "{}/dataset"], "nowhere does not exist."),
        (
            ["{}/annotations", "--output", "{}/dataset"],
            "If the annotations are kept apart from the frames, add --videos",
        ),
        (["{}/annotations", "--videos", "{}/videos", "--output", "{}/videos/new"], "would lie among the videos"),
        (["{}/videos", "--output", "{}/dataset"], "No frame of the videos has an annotation beside it."),
        (["{}/videos/swan/00000.jpg", "--videos", "{}/videos", "--output", "{}/dataset"], "00000.jpg is a file"),
    ],
)
def test_folders_that_cannot_be_used_are_told_in_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], command: list[str], sentence: str
) -> None:
    assert main(["convert", *(part.format(folder) for part in command)]) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
    assert not (folder / "dataset").exists()


def test_convert_loads_neither_qt_nor_torch_nor_labelme(folder: Path) -> None:
    code = (
        "import sys\nfrom sam_annotator.cli import main\n"
        f"assert main({arguments(folder)!r}) == 0\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'PyQt5', 'torch', 'labelme', 'onnxruntime', 'rapidfuzz'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "no progress bars where nobody looks"


def test_help_has_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sam_annotator.cli import main\n"
        "try:\n    main(['convert', '--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "assert not loaded & {'numpy', 'cv2', 'PIL', 'tqdm', 'orjson', 'PyQt5', 'torch', 'labelme'}, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sam-annotator convert /data/ann --videos /data/videos --output /data/dataset" in done.stdout


def test_what_was_left_out_is_told_with_exit_code_1_and_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "annotations" / "swan" / "00003.json"
    annotate(path, object_id=None)
    assert main(arguments(folder, "--null-group", "skip", "--report", str(folder / "report.json"))) == 1
    assert f"Left out: shapes without an object id: 1 ({path})" in capsys.readouterr().out
    report = json.loads((folder / "report.json").read_text())
    assert (report["result"], report["findings"][0]["file"]) == ("findings", str(path))


def test_what_cannot_run_is_reported_too(folder: Path) -> None:
    annotate(folder / "annotations" / "swan" / "00003.json", object_id=None)
    assert main(arguments(folder, "--report", str(folder / "report.txt"))) == 2
    assert "[no-object-id]" in (folder / "report.txt").read_text()
    assert main([*arguments(folder, "--report", str(folder / "report.json")), "--categories", "none.txt"]) == 2
    report = json.loads((folder / "report.json").read_text())
    assert (report["result"], report["findings"][0]["reason"]) == ("impossible", "cannot-run")


def test_every_option_reaches_the_conversion(folder: Path) -> None:
    (folder / "names.txt").write_text("goose\n")
    (folder / "map.txt").write_text("swan -> goose\n")
    options = ["--layout", "ytvis2019", "--images", "symlink", "--rle", "uncompressed", "--jobs", "2"]
    options += ["--raster", "coco", "--holes", "fill"]
    files = ["--categories", str(folder / "names.txt"), "--map", str(folder / "map.txt"), "--cache", str(folder / "c")]
    assert main(arguments(folder, *options, *files, "--drop-unknown", "--no-verify", "--strict")) == 0
    reader = YoutubeVis(folder / "dataset" / "train.json")
    check_consistency(reader)
    assert reader.category_name(reader.annotations[1]) == "goose"
    assert isinstance(reader.annotations[1]["segmentations"][1]["counts"], list)
    assert reader.annotations[1]["areas"][1] < 330, "COCO draws no outline"
    assert len(list((folder / "c").iterdir())) == 1
    assert (folder / "dataset" / "train" / "JPEGImages" / "swan" / "00000.jpg").is_symlink()


@pytest.mark.parametrize("command", ["convert", "import"])
def test_a_cluster_that_is_none_is_one_sentence(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(folder)) == 0
    given = arguments(folder, "--split", "val")
    if command == "import":
        json_file = folder / "dataset" / "Annotations" / "train_instances.json"
        given = ["import", str(json_file), "--videos", str(folder / "videos"), "--output", str(folder / "new")]
    assert main([*given, "--scheduler", "nonsense"]) == 2
    assert "No Dask scheduler answers at 'nonsense'" in capsys.readouterr().err
    assert not (folder / "new").exists()


def test_a_dry_run_and_splits_from_the_command_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    annotate(folder / "annotations" / "duck" / "00000.json")
    ratio = ["--split-ratio", "train=1,val=1", "--seed", "5"]
    assert main(arguments(folder, *ratio, "--dry-run", "--categories", "present")) == 0
    assert not (folder / "dataset").exists()
    assert capsys.readouterr().out.count("Would write ") == 2
    (folder / "splits.txt").write_text("val swan\n")
    given = arguments(folder, "--split-list", str(folder / "splits.txt"))
    assert main([*given, "--strict"]) == 2
    assert "The video duck is in no split; its annotated object is not in the dataset." in capsys.readouterr().err
    assert main(given) == 1, "what is annotated in duck is lost"
    assert "Left out: videos in no split: 1 (duck)" in capsys.readouterr().out


def test_what_an_interrupted_run_kept_is_gone_once_the_dataset_is_written(
    folder: Path, isolated_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    kept = isolated_home / ".cache" / "sam_annotator" / "convert"
    with monkeypatch.context() as patch:
        patch.setattr("sam_annotator.core.datasets.youtube_vis.pipeline.settle", interrupt)
        assert main(arguments(folder)) == 130
    (cache,) = kept.iterdir()
    assert len(list(cache.glob("*.video"))) == 1
    assert f"are kept in {cache} for 30 days; the same command goes on there." in capsys.readouterr().err
    assert main(arguments(folder)) == 0
    assert list(kept.iterdir()) == []


def test_what_failed_runs_left_is_dropped_after_thirty_days(folder: Path, isolated_home: Path) -> None:
    kept = isolated_home / ".cache" / "sam_annotator" / "convert"
    annotate(folder / "annotations" / "duck" / "00000.json", object_id=None)
    assert main(arguments(folder)) == 2
    (failed,) = kept.iterdir()
    other = folder / "elsewhere"
    for days, is_there in ((29, True), (31, False)):
        then = time.time() - days * 24 * 3600
        os.utime(failed, (then, then))
        assert main([*arguments(folder, "--null-group", "skip", "--force"), "--output", str(other)]) == 1
        assert failed.is_dir() is is_there
    assert main(arguments(folder)) == 2
    os.utime(failed, (then, then))
    assert main(arguments(folder)) == 2
    assert failed.is_dir(), "what is in use is not dropped"


def test_folders_whose_names_run_together_have_caches_of_their_own(tmp_path: Path) -> None:
    first = own_cache(tmp_path / "a", [tmp_path / "b"])
    assert own_cache(Path(f"{tmp_path}/a{tmp_path}/b"), []) != first


def test_present_is_told_from_no_word_of_categories(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "names.txt").write_text("duck\nswan\n")
    assert main(arguments(folder, "--split", "val", "--categories", str(folder / "names.txt"))) == 0
    assert main(arguments(folder, "--categories", "present")) == 2
    assert "val_instances.json, a split of the same dataset, has other ids" in capsys.readouterr().err
    unsaid = arguments(folder)[:-2]
    assert main(unsaid) == 0
    reader = YoutubeVis(folder / "dataset" / "Annotations" / "train_instances.json")
    assert [category["name"] for category in reader.categories.values()] == ["duck", "swan"]
    shutil.rmtree(folder / "dataset")
    assert main(unsaid) == 2
    assert "(1 label occurs: 'swan'); give --categories FILE" in capsys.readouterr().err


@pytest.mark.parametrize("report", ["{}", "{}/videos/swan/00000.jpg/report.json"])
def test_a_report_that_cannot_be_written_is_told_before_the_dataset_is_made(
    folder: Path, capsys: pytest.CaptureFixture[str], report: str
) -> None:
    assert main(arguments(folder, "--report", report.format(folder))) == 2
    assert "--report FILE" in capsys.readouterr().err
    assert not (folder / "dataset").exists()


def test_a_report_may_not_take_the_place_of_the_dataset(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = folder / "dataset" / "Annotations" / "train_instances.json"
    assert main(arguments(folder, "--report", str(target))) == 2
    assert f"{target} is read or written by the same command" in capsys.readouterr().err


def test_a_report_goes_into_folders_that_are_made_for_it(folder: Path) -> None:
    assert main(arguments(folder, "--report", str(folder / "new" / "below" / "report.json"), "--dry-run")) == 0
    assert [path.name for path in (folder / "new" / "below").iterdir()] == ["report.json"]
