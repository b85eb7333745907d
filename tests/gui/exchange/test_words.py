"""What the dialogs for datasets say: the window's own words for what can be wrong, and lists one can read."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5 import QtCore, QtWidgets

from sam_annotator.core import datasets
from sam_annotator.core.remedies import COMMAND_LINE, Remedy
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.exchange import remedies
from sam_annotator.gui.exchange.export_dialog import COCO, PNG_MASKS, YOUTUBE_VIS, ExportDialog
from sam_annotator.gui.exchange.import_dialog import ImportDialog
from sam_annotator.gui.exchange.work import TreeFolders
from sam_annotator.gui.words import WEIGHTS
from tests.gui.scene import BRICK
from tests.gui.steps import draw

Window = Callable[..., Driver]


@pytest.fixture
def tree(make_videos: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A video with annotated frames, and the folder of its annotations."""
    root, output = make_videos("ball"), tmp_path / "annotations"
    draw(root, output, (0, 1, 3))
    return root, output


def _checked(driver: Driver, dialog: Any, **values: Any) -> str:
    """What the check says of these fields."""
    for name, value in values.items():
        dialog.fields[name].set_value(value)
    dialog.primary.click()
    driver.wait(lambda: not dialog.is_working, "the check")
    return str(dialog.summary.toPlainText())


def _texts(dialog: QtWidgets.QDialog) -> Iterator[str]:
    for widget in dialog.findChildren(QtWidgets.QWidget):
        yield widget.toolTip()
        if isinstance(widget, QtWidgets.QLabel | QtWidgets.QAbstractButton):
            yield widget.text()
        if isinstance(widget, QtWidgets.QComboBox):
            yield from (widget.itemText(row) for row in range(widget.count()))
        if isinstance(widget, QtWidgets.QLineEdit):
            yield widget.placeholderText()


@pytest.mark.parametrize("words", [remedies.EXPORT, remedies.IMPORT], ids=["export", "import"])
def test_the_dialogs_have_words_of_their_own_for_every_remedy(words: Any) -> None:
    assert set(words) == set(Remedy)
    started_with = set(WEIGHTS)  # the window has no field for the folder of the weights
    assert not [remedy for remedy in set(Remedy) - started_with if "--" in words[remedy]]
    assert set(COMMAND_LINE) == set(Remedy)


def test_what_core_says_of_datasets_names_no_command_that_the_window_does_not_have() -> None:
    files = Path(datasets.__file__).parent.rglob("*.py")
    said = [text for path in files for text in _sentences(ast.parse(path.read_text(encoding="utf-8")))]
    assert not [text for text in said if re.search(r"\bconvert(ed)? again|\bto convert", text, re.IGNORECASE)]


def _sentences(tree: ast.AST) -> Iterator[str]:
    """The texts of a module but its docstrings."""
    described = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documentation = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, described)}
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    yield from (text for text in texts if isinstance(text, str) and text not in documentation)


@pytest.mark.parametrize("kind", [ExportDialog, ImportDialog])
def test_no_field_speaks_of_options_of_the_command_line(
    make_annotation_window: Window, tree: tuple[Path, Path], kind: type
) -> None:
    dialog = kind(make_annotation_window(tree[0]).window)
    assert not [text for text in _texts(dialog) if "--" in text]
    dialog.deleteLater()


def test_what_a_remedy_calls_a_field_is_what_the_dialog_calls_it(
    make_annotation_window: Window, tree: tuple[Path, Path]
) -> None:
    window = make_annotation_window(tree[0]).window
    export, into = ExportDialog(window), ImportDialog(window)
    named = {text for dialog in (export, into) for text in _texts(dialog)}
    pages = {export._tabs.tabText(index) for index in range(export._tabs.count())}
    for text in ("Write over what is there", "Leave out objects of other categories", "Names and ids", "Into"):
        assert text in named
        assert any(text in sentence for sentence in remedies.EXPORT.values())
    assert "Write over other annotations of these frames" in named
    assert {"What and where", "Splits", "Categories", "Masks", "Work"} == pages
    for dialog in (export, into):
        dialog.deleteLater()


def test_missing_categories_and_ids_are_told_together_in_the_words_of_the_window(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    for path in sorted(tree[1].rglob("*.json"))[:2]:
        document = json.loads(path.read_text())
        document["shapes"][0]["group_id"] = None
        path.write_text(json.dumps(document))
    (tmp_path / "names.txt").write_text("brick\n")
    driver = make_annotation_window(tree[0])
    dialog = ExportDialog(driver.window)
    fields = {"output": str(tmp_path / "made"), "jobs": 1, "categories_from": "file"}
    told = _checked(driver, dialog, categories=str(tmp_path / "names.txt"), **fields)
    assert "'ball' (" in told
    assert "tick “Leave out objects of other categories” (Categories)." in told
    assert told.count("Or let them be one object per label and video, or left out (Masks:") == 1
    assert "--" not in told
    assert dialog.outcome is not None
    assert "--null-group" in str(dialog.outcome.result), "the command line has its own words for the same"
    dialog.deleteLater()


def test_an_error_that_ends_the_work_speaks_of_the_dialog(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    driver = make_annotation_window(tree[0])
    dialog = ExportDialog(driver.window)
    told = _checked(driver, dialog, output=str(tmp_path / "made"), jobs=1, cache=str(tmp_path / "file/drawn"))
    assert "--" not in told
    assert told
    dialog.deleteLater()


def test_videos_without_annotation_do_not_contradict_that_all_annotations_go_in(
    make_annotation_window: Window, make_videos: Callable[..., Path], tree: tuple[Path, Path], tmp_path: Path
) -> None:
    make_videos("bare", "more/bare")
    driver = make_annotation_window(tree[0])
    dialog = ExportDialog(driver.window)
    told = _checked(driver, dialog, output=str(tmp_path / "made"), jobs=1, categories_from="present")
    assert dialog.verdict.text() == "All annotations go in as they are. Nothing is written yet."
    assert "Not in the dataset: videos without annotation: 2 (bare, more/bare)" in told
    assert "Left out" not in told
    dialog.deleteLater()


@pytest.mark.parametrize("kind", [YOUTUBE_VIS, PNG_MASKS, COCO])
def test_the_check_says_that_the_folder_of_the_dataset_cannot_be_written(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, kind: str
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "file").write_text("")
    driver = make_annotation_window(tree[0])
    dialog = ExportDialog(driver.window)
    told = _checked(driver, dialog, kind=kind, output=str(made / "file/below"), jobs=1)
    assert told.startswith(f"{made / 'file'} is a file")
    assert "choose a folder that can be written (What and where: Into)" in told
    assert "Nothing was written" not in told  # the heading says it
    assert dialog.verdict.text() == "Nothing was written: this has to be mended first."
    assert dialog.primary.text() == "Check"
    dialog.deleteLater()


def test_kept_frames_of_an_import_say_which_box_to_tick(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = ExportDialog(driver.window)
    _checked(driver, dialog, output=str(tmp_path / "made"), jobs=1, images="none", categories_from="present")
    dialog.primary.click()
    driver.wait(lambda: not dialog.is_working, "the export")
    dialog.deleteLater()
    draw(tree[0], tree[1], (0,), thing=BRICK)
    again = ImportDialog(driver.window)
    told = _checked(driver, again, dataset=str(tmp_path / "made/Annotations/train_instances.json"))
    assert "tick “Write over other annotations of these frames” to replace them." in told
    assert "--force" not in told
    again.deleteLater()


def test_long_folders_in_the_list_are_cut_in_their_middle_and_told_in_full(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    dialog = ExportDialog(make_annotation_window(tree[0]).window)
    videos = tmp_path / "/".join(["a folder with a long name"] * 6) / "videos"
    dialog.trees.add(TreeFolders(videos, videos))
    dialog.trees.add(TreeFolders(videos, tmp_path / "annotations"))
    assert dialog.trees.list.textElideMode() == QtCore.Qt.ElideMiddle
    first, second = (dialog.trees.list.topLevelItem(row) for row in range(2))
    assert (first.toolTip(0), first.text(1)) == (str(videos), "beside the frames")
    assert second.toolTip(1) == str(tmp_path / "annotations")
    assert dialog.trees.list.horizontalScrollBarPolicy() == QtCore.Qt.ScrollBarAlwaysOff
    dialog.deleteLater()
