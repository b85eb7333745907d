"""Exports into one place, one after the other and at once; and what killed ones left there."""

from pathlib import Path

import pytest

from sam_annotator.cli import main
from sam_annotator.core.datasets.mask_export import MaskOptions
from sam_annotator.core.datasets.tree_export import export_masks
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, convert, spool
from sam_annotator.core.datasets.youtube_vis.merging import Tree as Videos
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import Tree, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The video `lake`, annotated."""
    made = Tree(tmp_path)
    made.video("lake", 3)
    for index in range(3):
        made.annotate(f"lake/0000{index}", polygon())
    return made


def test_of_two_conversions_to_one_dataset_the_second_is_refused_and_the_first_ends(
    tree: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    store = AnnotationStore(tree.annotations)
    first = convert(find_videos(tree.videos), store, tree.dataset, ConvertOptions(present=True))
    next(first)
    command = ["convert", str(tree.annotations), f"--videos={tree.videos}", "--categories=present"]
    assert main([*command, f"--output={tree.dataset}", "--dry-run"]) == 2
    told = capsys.readouterr().err
    assert told == (
        f"sam-annotator: Another export to {tree.dataset} is at work; wait until it has ended, or choose another "
        "output.\n"
    )
    assert main([*command, f"--output={tree.dataset.with_name('elsewhere')}"]) == 0
    assert list(first)[-1].report is not None
    assert len(tree.load().videos) == 1


@pytest.mark.parametrize("name", ["masks", "coco.json"])
def test_so_it_is_with_masks(tree: Tree, tmp_path: Path, name: str) -> None:
    videos = Videos(tree.videos, find_videos(tree.videos), AnnotationStore(tree.annotations))
    first = export_masks(videos, tmp_path / name, MaskOptions(present=name == "coco.json"))
    next(first)
    with pytest.raises(InputError, match="Another export to"):
        next(export_masks(videos, tmp_path / name, MaskOptions(present=name == "coco.json")))
    assert list(first)
    assert (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("output", "half"),
    [
        ("masks", "masks/Annotations/lake/.00001.png.k3x9.part"),
        ("masks", "masks/.meta.json.k3x9.part"),
        ("coco.json", ".coco.json.k3x9.part"),
    ],
)
def test_halves_that_a_killed_export_left_are_swept_away(tree: Tree, tmp_path: Path, output: str, half: str) -> None:
    left = tmp_path / half
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half of it")
    command = ["export-masks", str(tree.annotations), f"--videos={tree.videos}", f"--output={tmp_path / output}"]
    command += ["--force", *(["--categories=present"] if output == "coco.json" else [])]
    assert main([*command, "--dry-run"]) == 0
    assert left.exists()
    assert main(command) == 0
    assert not left.exists()


def test_a_cache_that_cannot_be_made_names_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SaveError) as caught, spool.spool_folder(tmp_path / "file" / "cache"):
        pass
    assert caught.value.remedy is Remedy.OTHER_CACHE
    assert "--cache DIR" in str(caught.value)
