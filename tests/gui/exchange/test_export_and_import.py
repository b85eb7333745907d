"""File > Export and File > Import, driven in the real window: what the command line does, checked before it is done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PyQt5 import QtTest, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.cli import main
from sam_annotator.core.datasets.video import VideoReader
from sam_annotator.core.masks import object_mask
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.exchange.dialog import ExchangeDialog
from sam_annotator.gui.exchange.export_dialog import COCO, PNG_MASKS, YOUTUBE_VIS, ExportDialog
from sam_annotator.gui.exchange.import_dialog import ImportDialog
from sam_annotator.gui.exchange.trees import TreeDialog
from sam_annotator.gui.exchange.work import TreeFolders
from tests.gui.scene import BRICK, HEIGHT, WIDTH, make_video
from tests.gui.steps import draw, file_of

Window = Callable[..., Driver]


@pytest.fixture
def tree(make_videos: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """Two videos with annotated frames, and the folder of their annotations."""
    root, output = make_videos("ball", "more/ball"), tmp_path / "annotations"
    draw(root, output, (0, 1, 3))
    draw(root, output, (1, 2), thing=BRICK, video=1)
    return root, output


def _open(driver: Driver, action: str, kind: type) -> Any:
    driver.window.own_actions[action].trigger()
    driver.wait(lambda: driver.window.findChildren(kind), "the dialog")
    return driver.window.findChildren(kind)[0]


def _press(driver: Driver, dialog: Any) -> None:
    dialog.primary.click()
    driver.wait(lambda: not dialog.is_working, "the work", 60)


def _set(dialog: Any, **values: Any) -> None:
    for name, value in values.items():
        dialog.fields[name].set_value(value)


def test_export_checks_first_and_then_writes_what_the_command_line_writes(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1)
    _press(driver, dialog)
    assert "Nothing is written yet" in dialog.verdict.text()
    assert "masks       5" in dialog.summary.toPlainText()
    assert not (tmp_path / "dataset").exists()
    assert dialog.primary.text() == "Export"
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    other = ["--output", str(tmp_path / "other"), "--categories", "present"]
    assert main(["convert", str(tree[1]), "--videos", str(tree[0]), *other]) == 0
    names = [path.relative_to(tmp_path / "other") for path in sorted((tmp_path / "other").rglob("*.*"))]
    assert len(names) == 13
    for name in names:
        assert (tmp_path / "dataset" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_enter_checks_writes_and_closes_in_turn(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1, images="none")

    def enter() -> None:
        dialog.activateWindow()
        QtTest.QTest.keyClick(dialog.focusWidget() or dialog, Qt.Key_Return)
        driver.wait(lambda: not dialog.is_working, "the work", 60)

    dialog.primary.setFocus()
    enter()
    assert dialog.primary.text() == "Export"
    assert dialog.primary.isDefault()
    enter()
    assert dialog.verdict.text() == "Done."
    assert dialog.close_button.isDefault()
    enter()
    assert not dialog.isVisible()


def test_what_is_changed_after_an_export_is_checked_by_enter_again(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1, images="none")
    _press(driver, dialog)
    _press(driver, dialog)
    assert dialog.close_button.isDefault()
    _set(dialog, split="val")
    assert dialog.primary.isDefault()


def test_whatever_is_changed_has_to_be_checked_anew(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1)
    _press(driver, dialog)
    _set(dialog, images="none")
    assert dialog.primary.text() == "Check"
    _press(driver, dialog)
    assert not (tmp_path / "dataset").exists()
    _press(driver, dialog)
    assert not (tmp_path / "dataset/JPEGImages").exists()
    assert (tmp_path / "dataset/Annotations/train_instances.json").exists()


def test_what_has_to_be_mended_is_listed_and_nothing_can_be_written(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("brick\nballoon\n")
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(
        dialog, output=str(tmp_path / "dataset"), jobs=1, categories_from="file", categories=str(tmp_path / "names.txt")
    )
    _press(driver, dialog)
    assert "mended first" in dialog.verdict.text()
    assert "ball" in dialog.summary.toPlainText()
    assert dialog.primary.text() == "Check"
    _set(dialog, drop_unknown=True)
    _press(driver, dialog)
    assert "left out" in dialog.verdict.text()
    _press(driver, dialog)
    written = json.loads((tmp_path / "dataset/Annotations/train_instances.json").read_text())
    assert [category["name"] for category in written["categories"]] == ["brick", "balloon"]
    assert len(written["annotations"]) == 1


def test_a_dataset_among_the_videos_and_an_output_that_is_missing_are_refused(
    make_annotation_window: Window, tree: tuple[Path, Path]
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _press(driver, dialog)
    assert dialog.summary.toPlainText() == "Choose a folder for the dataset."
    _set(dialog, output=str(tree[0] / "dataset"))
    _press(driver, dialog)
    assert "would lie among the videos" in dialog.summary.toPlainText()
    assert dialog.primary.text() == "Check"


def test_splits_are_made_by_ratio_from_the_window_too(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1, split_by="ratio", ratios="train=0.5,val=0.5")
    _press(driver, dialog)
    _press(driver, dialog)
    names = sorted(path.name for path in (tmp_path / "dataset/Annotations").iterdir())
    assert names == ["train_instances.json", "val_instances.json"]
    assert dialog.report_button.isVisibleTo(dialog)


@pytest.mark.parametrize(
    ("kind", "output", "made"),
    [(PNG_MASKS, "masks", "masks/Annotations/ball/00000.png"), (COCO, "coco.json", "coco.json")],
)
def test_masks_and_coco_are_exported_too(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, kind: str, output: str, made: str
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, kind=kind, output=str(tmp_path / output))
    _press(driver, dialog)
    assert "frames   5" in dialog.summary.toPlainText()
    assert not (tmp_path / output).exists()
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    assert (tmp_path / made).exists()


@pytest.mark.parametrize(("kind", "output"), [(PNG_MASKS, "masks"), (COCO, "coco.json")])
def test_the_check_of_masks_finds_what_would_stop_the_export(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, kind: str, output: str
) -> None:
    (tmp_path / "names.txt").write_text("brick\n")
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, kind=kind, output=str(tmp_path / output), jobs=1)
    _press(driver, dialog)
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    _press(driver, dialog)
    assert "tick “Write over what is there”" in dialog.summary.toPlainText()
    assert dialog.primary.text() == "Check"
    _set(dialog, force=True, categories_from="file", categories=str(tmp_path / "names.txt"))
    _press(driver, dialog)
    assert ("'ball' (1 object)" in dialog.summary.toPlainText()) == (kind == COCO)
    assert dialog.primary.text() == ("Check" if kind == COCO else "Export")
    (tmp_path / "map.txt").write_text("ball -> brick\n")
    _set(dialog, map=str(tmp_path / "map.txt"))
    _press(driver, dialog)
    assert dialog.primary.text() == "Export", "what is renamed is no label of no category any more"


@pytest.mark.parametrize("kind", [YOUTUBE_VIS, PNG_MASKS])
def test_an_export_takes_the_masks_of_its_check_and_leaves_no_cache(
    make_annotation_window: Window,
    tree: tuple[Path, Path],
    tmp_path: Path,
    kind: str,
    isolated_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = isolated_home / ".cache/sam_annotator/convert"
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, kind=kind, output=str(tmp_path / "made"), jobs=1)
    _press(driver, dialog)
    assert len(list(kept.rglob("*.video"))) == 2

    def draw_again(*_arguments: object) -> None:
        raise AssertionError("the masks are drawn twice")

    monkeypatch.setattr(VideoReader, "read_frame", draw_again)
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    assert not list(kept.iterdir())


def test_a_check_alone_leaves_no_cache_but_a_stopped_export_does(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, isolated_home: Path
) -> None:
    kept = isolated_home / ".cache/sam_annotator/convert"
    driver = make_annotation_window(tree[0])
    for stops, left in ((False, 0), (True, 2)):
        dialog = _open(driver, "export", ExportDialog)
        _set(dialog, output=str(tmp_path / f"made{stops}"), jobs=1)
        _press(driver, dialog)
        if stops:
            dialog.primary.click()
            dialog.close_button.click()
            driver.wait(lambda dialog=dialog: not dialog.is_working, "the export to stop")
        dialog.close()
        driver.look()
        assert len(list(kept.rglob("*.video"))) == left


def test_a_folder_for_drawn_masks_is_used_and_kept(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "made"), jobs=1, cache=str(tmp_path / "drawn"), scheduler="tcp://host:1")
    assert dialog.options(dry_run=True).scheduler == "tcp://host:1"
    _set(dialog, scheduler="")
    _press(driver, dialog)
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    assert len(list((tmp_path / "drawn").glob("*.video"))) == 2


def test_reports_of_masks_and_imports_are_saved_too(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "report.json"
    monkeypatch.setattr(QtWidgets.QFileDialog, "getSaveFileName", lambda *_arguments: (str(target), ""))
    (tree[1] / "ball/stray.json").write_text("{}")
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, kind=COCO, output=str(tmp_path / "coco.json"), jobs=1)
    _press(driver, dialog)
    dialog.report_button.click()
    assert json.loads(target.read_text())["reasons"] == {"dropped: file-without-frame": 1}
    _press(driver, dialog)
    dialog.close()
    dialog = _open(driver, "import", ImportDialog)
    _set(dialog, dataset=str(tmp_path / "coco.json"), jobs=2)
    _press(driver, dialog)
    assert dialog.report_button.isVisibleTo(dialog)
    dialog.report_button.click()
    assert json.loads(target.read_text())["reasons"] == {"dropped: kept": 5, "note: dataset": 2}


def test_stopping_an_export_leaves_no_dataset(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1)
    _press(driver, dialog)
    dialog.primary.click()
    assert dialog.is_working
    dialog.close_button.click()
    driver.wait(lambda: not dialog.is_working, "the export to stop")
    assert dialog.verdict.text().startswith("Stopped. No JSON was written; images that were placed stay")
    _set(dialog, kind=COCO)
    assert dialog.describe_kept().startswith("No JSON was written, and")
    _set(dialog, kind=PNG_MASKS)
    assert "tick “Write over what is there”" in dialog.describe_kept()
    assert not (tmp_path / "dataset/Annotations/train_instances.json").exists()
    assert dialog.isVisible()


def _checked_import(
    make_annotation_window: Window, tree: tuple[Path, Path], folder: Path
) -> tuple[Driver, ImportDialog]:
    """A window without annotations, and what it takes to import them from a dataset, which was checked."""
    dataset = folder / "dataset"
    main(["convert", str(tree[1]), "--videos", str(tree[0]), "--output", str(dataset), "--categories", "present"])
    driver = make_annotation_window(tree[0], output=folder / "imported")
    dialog = _open(driver, "import", ImportDialog)
    _set(dialog, dataset=str(dataset / "Annotations/train_instances.json"))
    _press(driver, dialog)
    return driver, dialog


def test_an_imported_dataset_is_shown_at_once_and_is_what_was_exported(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver, dialog = _checked_import(make_annotation_window, tree, tmp_path)
    assert dialog.primary.text() == "Import"
    assert not list((tmp_path / "imported").rglob("*.json"))
    _press(driver, dialog)
    dialog.close_button.click()
    session = driver.window.session
    driver.wait(lambda: session.tracks is not None and session.tracks.get(1) is not None, "the tracks")
    assert driver.window.view.object_ids() == {1}
    now, then = (store_file.read_text() for store_file in (file_of(driver, 0), tree[1] / "ball/00000.json"))
    masks = [_mask(json.loads(text), tmp_path) for text in (now, then)]
    assert (masks[0] == masks[1]).all()


def test_an_import_that_is_stopped_shows_what_it_has_written(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    driver, dialog = _checked_import(make_annotation_window, tree, tmp_path)
    dialog.primary.click()
    dialog._job.progressed.connect(lambda step: dialog.close_button.click() if step.done == 1 else None)
    driver.wait(lambda: not dialog.is_working, "the import to stop")
    assert dialog.verdict.text().startswith(("Stopped. What was written so far stays", "Done"))
    session = driver.window.session
    driver.wait(lambda: session.tracks is not None and session.tracks.get(1) is not None, "the tracks")
    dialog.close()


def test_the_check_of_an_import_says_what_would_be_replaced_and_that_nothing_is_left_to_do(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    dataset = tmp_path / "dataset"
    main(["convert", str(tree[1]), "--videos", str(tree[0]), "--output", str(dataset), "--categories", "present"])
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "import", ImportDialog)
    _set(dialog, dataset=str(dataset / "Annotations/train_instances.json"), force=True)
    _press(driver, dialog)
    assert dialog.verdict.text().startswith("5 frames have other annotations, which would be replaced.")
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    _press(driver, dialog)
    assert dialog.verdict.text() == "All of it is there already: there is nothing to write."
    assert dialog.primary.text() == "Check"
    draw(tree[0], tree[1], (0,), thing=BRICK)
    _set(dialog, force=False)
    _press(driver, dialog)
    assert dialog.verdict.text() == "Nothing would be written; this is why."
    assert "Kept: 1 frame" in dialog.summary.toPlainText()
    assert dialog.primary.text() == "Check"


def test_what_cannot_be_read_as_a_dataset_is_told_in_the_dialog(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text("{")
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "import", ImportDialog)
    _set(dialog, dataset=str(tmp_path / "broken.json"))
    _press(driver, dialog)
    assert "broken.json" in dialog.summary.toPlainText()
    assert dialog.primary.text() == "Check"


def test_without_videos_there_is_nothing_to_exchange(make_annotation_window: Window) -> None:
    driver = make_annotation_window()
    driver.window.own_actions["export"].trigger()
    driver.window.own_actions["import"].trigger()
    assert not driver.window.findChildren(ExchangeDialog)
    assert driver.window.statusBar().currentMessage() == "Open a folder of videos first."


def test_choices_are_remembered(make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path) -> None:
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1, layout="ytvis2021", verify=False)
    _press(driver, dialog)
    dialog.close()
    driver.look()
    again = _open(driver, "export", ExportDialog)
    assert again.fields["layout"].value() == "ytvis2021"
    assert again.fields["verify"].value() is False
    assert again.fields["jobs"].value() == 1


def _mask(document: dict[str, Any], folder: Path) -> Any:
    from sam_annotator.core.annotation import read_annotation

    path = folder / "one.json"
    path.write_text(json.dumps(document))
    return object_mask(read_annotation(path).shapes_of(1), HEIGHT, WIDTH)


def test_without_a_list_in_the_window_the_labels_that_occur_are_the_first_choice(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    dialog = _open(make_annotation_window(tree[0]), "export", ExportDialog)
    _set(dialog, output=str(tmp_path / "dataset"))
    assert dialog.options(dry_run=True).present, "the window's list is empty"
    _set(dialog, categories_from="window", images="symlink")
    assert (dialog.options(dry_run=True).present, dialog.options(dry_run=True).listed) == (False, None)
    _set(dialog, categories_from="present")
    assert (dialog.options(dry_run=True).present, dialog.options(dry_run=True).images) == (True, "symlink")


@pytest.mark.parametrize("has_file", [False, True])
def test_the_windows_own_list_fixes_the_categories(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path, has_file: bool
) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{"categories": [{"id": 9, "name": "brick"}, {"id": 4, "name": "ball", "partition": 1}]}')
    listed = {"labels": labels} if has_file else {"categories": ("hill", "ball", "brick")}
    driver = make_annotation_window(tree[0], **listed)
    dialog = _open(driver, "export", ExportDialog)
    assert dialog.fields["categories_from"].currentText().startswith("the window's list (")
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1)
    _press(driver, dialog)
    _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    written = json.loads((tmp_path / "dataset/Annotations/train_instances.json").read_text())["categories"]
    expected = [(9, "brick"), (4, "ball")] if has_file else [(1, "hill"), (2, "ball"), (3, "brick")]
    assert [(category["id"], category["name"]) for category in written] == expected
    _set(dialog, kind=COCO, output=str(tmp_path / "coco.json"))
    _press(driver, dialog)
    _press(driver, dialog)
    coco = json.loads((tmp_path / "coco.json").read_text())["categories"]
    assert [(category["id"], category["name"]) for category in coco] == expected


def test_other_folders_go_into_the_dataset_of_the_open_one(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    other = tmp_path / "site"
    for name in ("ball", "hill"):
        make_video(other / name, 6)
    draw(other, other, (0, 2), thing=BRICK, video=1)
    driver = make_annotation_window(tree[0])
    dialog = _open(driver, "export", ExportDialog)
    dialog.trees.add_button.click()
    asked = driver.window.findChildren(TreeDialog)[0]
    assert not asked.buttons.button(QtWidgets.QDialogButtonBox.Ok).isEnabled()
    asked.videos.set_value(str(other))
    asked.accept()
    dialog.trees.add(TreeFolders(other, other))
    dialog.trees.add(TreeFolders(tmp_path / "nowhere", tmp_path / "nowhere"))
    _set(dialog, output=str(tmp_path / "dataset"), jobs=1)
    _press(driver, dialog)
    assert "nowhere does not exist" in dialog.summary.toPlainText()
    dialog.trees.list.setCurrentItem(dialog.trees.list.topLevelItem(1))
    dialog.trees.remove_button.click()
    assert dialog.primary.text() == "Check"
    _press(driver, dialog)
    assert "videos      3 " in dialog.summary.toPlainText()
    assert "masks       7" in dialog.summary.toPlainText()
    _press(driver, dialog)
    command = ["convert", str(tree[1]), str(other), "--videos", str(tree[0]), "--videos", str(other)]
    assert main([*command, "--output", str(tmp_path / "same"), "--categories", "present"]) == 0
    name = "Annotations/train_instances.json"
    assert (tmp_path / "dataset" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    _set(dialog, kind=PNG_MASKS)
    assert not dialog.trees.isEnabled()


def test_masks_as_images_are_written_with_the_names_of_a_map_as_the_command_does_it(
    make_annotation_window: Window, tree: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "map.txt").write_text("ball -> brick\n")
    dialog = _open(driver := make_annotation_window(tree[0]), "export", ExportDialog)
    _set(dialog, kind=PNG_MASKS, output=str(tmp_path / "masks"), jobs=1, map=str(tmp_path / "map.txt"), raster="coco")
    assert dialog.fields["map"].isEnabled()
    assert not dialog.fields["categories_from"].isEnabled()
    for _ in range(2):
        _press(driver, dialog)
    assert dialog.verdict.text() == "Done."
    command = ["export-masks", str(tree[1]), f"--videos={tree[0]}", f"--output={tmp_path / 'same'}"]
    assert main([*command, f"--map={tmp_path / 'map.txt'}", "--raster=coco"]) == 0
    names = [path.relative_to(tmp_path / "same") for path in (tmp_path / "same").rglob("*.*")]
    for name in names:
        assert (tmp_path / "masks" / name).read_bytes() == (tmp_path / "same" / name).read_bytes()
    assert '"brick"' in (tmp_path / "masks/meta.json").read_text()
    assert main([*command, f"--map={tmp_path / 'map.txt'}", "--force"]) == 0
    assert any((tmp_path / "masks" / n).read_bytes() != (tmp_path / "same" / n).read_bytes() for n in names)
