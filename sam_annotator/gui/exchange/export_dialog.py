"""File > Export: the annotations of the open folder become a dataset."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PyQt5 import QtWidgets

from sam_annotator.core.datasets.mask_export import MaskOptions
from sam_annotator.core.datasets.records import DrawOptions
from sam_annotator.core.datasets.youtube_vis import CategoryNames, ConvertOptions, Tree, annotations_path, own_cache
from sam_annotator.core.datasets.youtube_vis.splits import SplitPlan, parse_ratios, read_split_list
from sam_annotator.core.errors import InputError
from sam_annotator.gui.exchange.dialog import ExchangeDialog
from sam_annotator.gui.exchange.fields import Check, Choice, Number, PathEdit, Text
from sam_annotator.gui.exchange.remedies import EXPORT
from sam_annotator.gui.exchange.trees import TreeList
from sam_annotator.gui.exchange.work import Work, and_remove, export_dataset, export_masks
from sam_annotator.gui.objects.category_list import CategoryList

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

YOUTUBE_VIS, PNG_MASKS, COCO = "youtube_vis", "png", "coco"

_JSON = "JSON (*.json);;All files (*)"
_LISTS = "Lists (*.txt *.json);;All files (*)"


class ExportDialog(ExchangeDialog):
    """What `sam-annotator convert` and `export-masks` do, with the same options, for the folder that is open."""

    words = EXPORT

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window, "Export a dataset", "Export", "export")
        self._of_checks: set[Path] = set()
        named = _category_fields(window.naming.categories)
        self.fields = _dataset_fields() | _split_fields() | named | _mask_fields() | _work_fields()
        self.trees = TreeList()  # not remembered: they belong to this dataset, not to the next
        tabs = QtWidgets.QTabWidget()
        tabs.addTab(self._dataset_page(), "What and where")
        self._pages = [self._splits_page(), self._categories_page(), self._masks_page(), self._work_page()]
        for page, title in zip(self._pages, ("Splits", "Categories", "Masks", "Work"), strict=True):
            tabs.addTab(page, title)
        self._tabs = tabs
        self.build(tabs)
        for field in self.fields.values():
            field.changed.connect(self._show_what_counts)
        self.trees.changed.connect(self._forget_outcome)
        self._show_what_counts()

    def make_work(self, *, dry_run: bool) -> Callable[[], Work]:
        """The export that the fields ask for.

        Raises:
            InputError: no output, or a field that cannot be understood.
        """
        output = self._output()
        named = self.fields["cache"].path()
        cache = named or self._own_cache(output)
        session = self._window.session
        tree = Tree(session.root or session.videos[0].folder, session.videos, session.store)
        if self.fields["kind"].value() == YOUTUBE_VIS:
            options = replace(self.options(dry_run=dry_run), cache=cache)
            work = partial(export_dataset, tree, self.trees.trees(), output, options)
        else:
            work = partial(export_masks, tree, output, self._mask_options(cache, dry_run=dry_run))
        if named is not None:
            return work
        if dry_run:
            if not cache.exists():  # else it is what a stopped export has done
                self._of_checks.add(cache)
            return work
        self._of_checks.discard(cache)
        return lambda: and_remove(work(), cache)

    def describe_kept(self) -> str:
        """Of masks as images those that are written stay; a JSON is written whole or not at all."""
        if self.fields["kind"].value() == PNG_MASKS:
            return "PNGs that were written stay; tick “Write over what is there” to make all of them."
        placed = "; images that were placed stay" if self.fields["kind"].value() == YOUTUBE_VIS else ""
        return f"No JSON was written{placed}, and the next time goes on from there."

    def done(self, result: int) -> None:
        """Close; what was drawn for a check alone goes."""
        super().done(result)
        for cache in self._of_checks:
            shutil.rmtree(cache, ignore_errors=True)

    def options(self, *, dry_run: bool) -> ConvertOptions:
        """The fields as options of a conversion.

        Raises:
            InputError: a list of splits cannot be read, or ratios cannot be understood.
        """
        value = {name: field.value() for name, field in self.fields.items()}
        return ConvertOptions(
            split=value["split"] or "train",
            categories=self._categories(),
            present=value["categories_from"] == "present",
            listed=self._listed(),
            images=value["images"],
            force=value["force"],
            layout=value["layout"],
            draw=self._draw(),
            annotated=value["annotated"],
            renames=self.fields["map"].path(),
            drop_unknown=value["drop_unknown"] and value["categories_from"] != "present",
            strict=value["strict"],
            dry_run=dry_run,
            verify=value["verify"],
            jobs=value["jobs"],
            scheduler=value["scheduler"] or None,
            plan=self._plan(),
        )

    def _mask_options(self, cache: Path, *, dry_run: bool) -> MaskOptions:
        value = {name: field.value() for name, field in self.fields.items()}
        categories, listed = (self._categories(), self._listed()) if value["kind"] == COCO else (None, None)
        return MaskOptions(
            categories=categories,
            renames=self.fields["map"].path(),
            present=value["kind"] == COCO and value["categories_from"] == "present",
            listed=listed,
            drop_unknown=value["drop_unknown"] and (categories is not None or listed is not None),
            draw=self._draw(),
            force=value["force"],
            dry_run=dry_run,
            jobs=value["jobs"],
            scheduler=value["scheduler"] or None,
            cache=cache,
        )

    def _draw(self) -> DrawOptions:
        value = {name: self.fields[name].value() for name in ("raster", "holes", "null_group", "rle")}
        return DrawOptions(value["raster"], value["holes"], value["null_group"], value["rle"] == "compressed")

    def _own_cache(self, output: Path) -> Path:
        session = self._window.session
        kept = session.store.output or session.root or session.videos[0].folder
        return own_cache(output, [kept, *(tree.annotations for tree in self.trees.trees())])

    def _output(self) -> Path:
        path = cast("Path | None", self.fields["output"].path())
        if path is None:
            raise InputError("Choose a folder for the dataset.")
        is_coco = self.fields["kind"].value() == COCO
        if is_coco == (path.suffix.lower() == ".json"):
            return path
        return path / "annotations.json" if is_coco else path.parent

    def _categories(self) -> Path | None:
        """The file that fixes them: one that was chosen, or the one that the window's list belongs to."""
        if self.fields["categories_from"].value() == "window":
            return self._window.naming.categories.path
        if self.fields["categories_from"].value() != "file":
            return None
        path = cast("Path | None", self.fields["categories"].path())
        if path is None:
            raise InputError("Choose the file that names the categories, or take the labels that occur.")
        return path

    def _listed(self) -> CategoryNames | None:
        """The window's list, where no file has it."""
        listed = self._window.naming.categories
        if self.fields["categories_from"].value() != "window" or listed.path is not None or not listed.names:
            return None
        return CategoryNames(listed.names, "the list of the window (Object > Categories)")

    def _plan(self) -> SplitPlan | None:
        by = self.fields["split_by"].value()
        if by == "ratio":
            return parse_ratios(self.fields["ratios"].value(), self.fields["seed"].value())
        if by == "list":
            path = self.fields["split_list"].path()
            if path is None:
                raise InputError("Choose the file that lists the splits, or make one split.")
            return read_split_list(path)
        return None

    def _show_what_counts(self) -> None:
        """Only what means something for this kind of dataset can be changed; and where the JSON will be."""
        kind, by = self.fields["kind"].value(), self.fields["split_by"].value()
        self._tabs.setTabEnabled(self._tabs.indexOf(self._pages[0]), kind == YOUTUBE_VIS)
        for name in ("layout", "images", "rle", "verify", "strict"):
            self.fields[name].setEnabled(kind == YOUTUBE_VIS)
        for name, wanted in {"split": "one", "ratios": "ratio", "seed": "ratio", "split_list": "list"}.items():
            self.fields[name].setEnabled(by == wanted)
        self.trees.setEnabled(kind == YOUTUBE_VIS)
        source = self.fields["categories_from"].value()
        has_ids = kind != PNG_MASKS  # those have names alone, which a map may change
        self.fields["categories_from"].setEnabled(has_ids)
        self.fields["categories"].setEnabled(has_ids and source == "file")
        self.fields["drop_unknown"].setEnabled(has_ids and source != "present")
        self._where.setText(self._describe_where(kind))

    def _describe_where(self, kind: str) -> str:
        try:
            output = self._output()
        except InputError:
            return ""
        if kind == COCO:
            return f"makes {output}"
        if kind == PNG_MASKS:
            return f"makes {output / 'Annotations' / 'VIDEO' / 'FRAME.png'}"
        split = self.fields["split"].value() if self.fields["split_by"].value() == "one" else "SPLIT"
        return f"makes {annotations_path(output, split or 'train', self.fields['layout'].value())}"

    # --- pages ---------------------------------------------------------------------------------------------

    def _dataset_page(self) -> QtWidgets.QWidget:
        self._where = QtWidgets.QLabel(wordWrap=True)
        self._where.setStyleSheet("color: gray;")
        session = self._window.session
        what = QtWidgets.QLabel(f"{len(session.videos)} video{'s' * (len(session.videos) != 1)} of the open folder")
        return _page(
            ("Annotations", what),
            ("Together with", self.trees),
            ("Make", self.fields["kind"]),
            ("Into", self.fields["output"]),
            ("", self._where),
            ("Layout", self.fields["layout"]),
            ("Images", self.fields["images"]),
            ("", self.fields["force"]),
        )

    def _splits_page(self) -> QtWidgets.QWidget:
        fields = self.fields
        return _page(
            ("Make", fields["split_by"]),
            ("Name of the split", fields["split"]),
            ("Ratios", fields["ratios"]),
            ("Seed of the draw", fields["seed"]),
            ("List", fields["split_list"]),
            ("Annotations in the JSON", fields["annotated"]),
        )

    def _categories_page(self) -> QtWidgets.QWidget:
        fields = self.fields
        return _page(
            ("Names and ids", fields["categories_from"]),
            ("File", fields["categories"]),
            ("", fields["drop_unknown"]),
            ("Rename labels", fields["map"]),
        )

    def _masks_page(self) -> QtWidgets.QWidget:
        fields = self.fields
        return _page(
            ("Pixels as", fields["raster"]),
            ("Polygons in polygons", fields["holes"]),
            ("Shapes without an object id", fields["null_group"]),
            ("Run lengths", fields["rle"]),
        )

    def _work_page(self) -> QtWidgets.QWidget:
        fields = self.fields
        return _page(
            ("Processes", fields["jobs"]),
            ("Dask scheduler", fields["scheduler"]),
            ("Keep drawn masks in", fields["cache"]),
            ("", fields["verify"]),
            ("", fields["strict"]),
        )


def _dataset_fields() -> dict[str, Any]:
    kinds = {
        YOUTUBE_VIS: "a YouTube-VIS dataset (LV-VIS)",
        PNG_MASKS: "indexed PNG masks (DAVIS, YouTube-VOS)",
        COCO: "COCO, per frame",
    }
    layouts = {
        "lvvis": "LV-VIS: Annotations/SPLIT_instances.json, JPEGImages/SPLIT",
        "split-first": "split first: SPLIT/SPLIT_instances.json, SPLIT/JPEGImages",
        "ytvis2019": "YouTube-VIS 2019: SPLIT.json, SPLIT/JPEGImages",
        "ytvis2021": "YouTube-VIS 2021: SPLIT/instances.json, SPLIT/JPEGImages",
    }
    images = {
        "link": "hard links (no space taken; copied to another disk)",
        "symlink": "symbolic links (no space taken; lost when the videos are moved)",
        "copy": "copied",
        "none": "left where they are",
    }
    return {
        "kind": Choice(kinds),
        "output": PathEdit("Folder of the dataset", "folder", placeholder="a folder, made if it is not there"),
        "layout": Choice(layouts, "Where the JSON and the images stand in the folder"),
        "images": Choice(
            images, "How the frames come into the dataset; PNG frames, and those that EXIF turns, are encoded as JPEG"
        ),
        "force": Check("Write over what is there"),
    }


def _split_fields() -> dict[str, Any]:
    by = {"one": "one split", "ratio": "several, drawn by ratios", "list": "several, by a list of videos"}
    annotated = {"auto": "yes, but not in a split called test", "yes": "yes", "no": "no"}
    return {
        "split_by": Choice(by),
        "split": Text("train", tip="train, val, test: it names the JSON and the folder of images"),
        "ratios": Text("train=0.8,val=0.2", tip="Whole videos are drawn so that categories are shared alike"),
        "seed": Number(0, 0, 2**31 - 1, tip="Another number, another draw"),
        "split_list": PathEdit("List of the splits", files=_LISTS, placeholder="`train 00000` a line, or JSON"),
        "annotated": Choice(annotated, "No: videos and categories alone, as for a test whose answers are kept"),
    }


def _category_fields(listed: CategoryList) -> dict[str, Any]:
    """`listed`: the window's list."""
    number = len(listed.names)
    sources = {
        "window": f"the window's list ({number}), unless other splits of the dataset fix them"
        if listed.path is None
        else f"the window's list ({number}), {listed.path.name}",
        "present": "the labels that occur, sorted",
        "file": "those of a file",
    }
    if not number:
        sources = {"present": sources.pop("present"), **sources}
    return {
        "categories_from": Choice(sources, "Fixed, so that ids do not change with what happens to be annotated"),
        "categories": PathEdit("Categories", files=_LISTS, placeholder="a list, or a JSON with categories (LV-VIS)"),
        "drop_unknown": Check("Leave out objects of other categories", tip="Else such objects are an error"),
        "map": PathEdit("Labels to rename", files=_LISTS, placeholder="optional: `old -> new` a line, or JSON"),
    }


def _mask_fields() -> dict[str, Any]:
    rasters = {"labelme": "labelme draws them", "cv2": "OpenCV draws them", "coco": "COCO draws them"}
    holes = {"auto": "are holes", "fill": "are filled", "xor": "count as XOR (segment-anything-annotator)"}
    null_groups = {"error": "are an error", "skip": "are left out", "per-label": "are one object per label and video"}
    rle = {"compressed": "compressed, as text", "uncompressed": "as numbers (TrackEval)"}
    return {
        "raster": Choice(rasters, "labelme and OpenCV take in the outline of a polygon, COCO does not"),
        "holes": Choice(holes, "Polygons that lie within another polygon of the same object"),
        "null_group": Choice(null_groups, "Shapes without a group id: nothing says which object they are"),
        "rle": Choice(rle, "As COCO packs them, or as lists of numbers, which take more room"),
    }


def _work_fields() -> dict[str, Any]:
    cores = os.cpu_count() or 1
    return {
        "jobs": Number(cores, 1, max(64, cores), tip="More are faster; the result is the same"),
        "scheduler": Text(
            "",
            "optional: tcp://host:8786",
            "The workers of a Dask cluster draw instead; they see the same files, and the folder of drawn masks",
        ),
        "cache": PathEdit(
            "Folder for drawn masks", "folder", placeholder="optional: else they go when the dataset is written"
        ),
        "verify": Check("Read the dataset back and check each mask", True, "Run lengths, boxes and areas are compared"),
        "strict": Check("Write nothing if anything would be left out or repaired"),
    }


def _page(*rows: tuple[str, QtWidgets.QWidget]) -> QtWidgets.QWidget:
    page = QtWidgets.QWidget()
    form = QtWidgets.QFormLayout(page)
    form.setFieldGrowthPolicy(QtWidgets.QFormLayout.AllNonFixedFieldsGrow)
    for label, widget in rows:
        form.addRow(label, widget)
    return page
