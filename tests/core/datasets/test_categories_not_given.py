"""Where nothing fixes the categories, that is told before masks are drawn, with all else that has to be mended."""

from pathlib import Path

import pytest

from sam_annotator.core.datasets import video
from sam_annotator.core.datasets.convert_report import ConversionError
from tests.dataset_tree import Tree, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Two annotated videos, `a` with the labels swan and duck, `b` with eel."""
    tree = Tree(tmp_path)
    tree.video("a")
    tree.video("b")
    tree.annotate("a/00000", polygon(1), polygon(2, "duck"))
    tree.annotate("b/00001", polygon(1, "eel"))
    return tree


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_mask_is_drawn_for_an_error_that_needs_none(tree: Tree, tmp_path: Path, jobs: int) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ConversionError, match="3 labels occur: 'duck', 'eel', 'swan'"):
        tree.convert(present=False, cache=cache, jobs=jobs)
    assert not list(cache.glob("*.video"))
    assert tree.convert(cache=cache, jobs=jobs).masks == 3
    assert len(list(cache.glob("*.video"))) == 2


def test_what_else_has_to_be_mended_is_told_with_it(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "object_patch", None)  # whoever draws, fails
    tree.annotate("b/00000", polygon(None, "eel"))
    tree.annotate("a/00002").write_text("{")
    with pytest.raises(ConversionError) as caught:
        tree.convert(present=False)
    errors = [finding.reason for finding in caught.value.findings if finding.kind == "error"]
    assert errors == ["categories-not-given", "annotation-unusable", "no-object-id"]


def test_masks_that_an_earlier_run_has_drawn_change_nothing(tree: Tree, tmp_path: Path) -> None:
    tree.convert(cache=tmp_path / "cache")
    with pytest.raises(ConversionError, match="3 labels occur"):
        tree.convert(present=False, cache=tmp_path / "cache", force=True)
