"""File > Import: a dataset becomes annotations of the open folder."""

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from PyQt5 import QtWidgets

from sam_annotator.core.datasets.importing import ImportOptions, ImportReport
from sam_annotator.core.errors import InputError
from sam_annotator.gui.exchange.dialog import ExchangeDialog
from sam_annotator.gui.exchange.fields import Check, Choice, Number, PathEdit, Text
from sam_annotator.gui.exchange.remedies import IMPORT
from sam_annotator.gui.exchange.work import Outcome, Work, import_dataset

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow


class ImportDialog(ExchangeDialog):
    """What `sam-annotator import` does, with the same options, for the folder that is open."""

    words = IMPORT

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window, "Import a dataset", "Import", "import")
        self.fields = _fields()
        form = QtWidgets.QWidget()
        rows = QtWidgets.QFormLayout(form)
        rows.addRow("Read", self.fields["kind"])
        rows.addRow("From", self.fields["dataset"])
        rows.addRow("Names of objects", self.fields["names"])
        rows.addRow("Save as", self.fields["shape"])
        rows.addRow("Processes", self.fields["jobs"])
        rows.addRow("Dask scheduler", self.fields["scheduler"])
        rows.addRow("", self.fields["force"])
        self.build(form)
        self.fields["kind"].changed.connect(self._show_what_counts)
        self._show_what_counts()

    def make_work(self, *, dry_run: bool) -> Callable[[], Work]:
        """The import that the fields ask for.

        Raises:
            InputError: no dataset was chosen.
        """
        session, fields = self._window.session, self.fields
        dataset = fields["dataset"].path()
        if dataset is None:
            raise InputError("Choose the dataset to read.")
        is_png = fields["kind"].value() == "davis"
        options = ImportOptions(
            fields["shape"].value(),
            fields["force"].value(),
            dry_run,
            fields["jobs"].value(),
            fields["scheduler"].value() or None,
        )
        return partial(
            import_dataset,
            dataset,
            session.videos,
            session.store,
            options,
            kind=fields["kind"].value(),
            names=fields["names"].path() if is_png else None,
        )

    def judge_check(self, outcome: Outcome) -> tuple[str, str, bool]:
        """That annotations would be replaced is said, and that there is nothing to do."""
        assert isinstance(outcome.result, ImportReport)
        frames = outcome.result.frames
        replaced = frames.get("replaced", 0)
        if not replaced + frames.get("written", 0):
            clean = ("good", "All of it is there already: there is nothing to write.", False)
            return clean if outcome.is_clean else ("doubtful", "Nothing would be written; this is why.", False)
        if replaced:
            what = "1 frame has" if replaced == 1 else f"{replaced} frames have"
            more = "" if outcome.is_clean else " Read what would be left out, too."
            return "doubtful", f"{what} other annotations, which would be replaced.{more}", True
        return super().judge_check(outcome)

    def on_written(self) -> None:
        """Show what the files say now."""
        self._window.navigator.reread_videos()

    def _show_what_counts(self) -> None:
        is_png = self.fields["kind"].value() == "davis"
        self.fields["dataset"].kind = "folder" if is_png else "open"
        self.fields["names"].setEnabled(is_png)


def _fields() -> dict[str, Any]:
    kinds = {
        "json": "a JSON: YouTube-VIS (2019, 2021, OVIS, LV-VIS), or COCO per frame",
        "davis": "a folder of indexed PNG masks (DAVIS, YouTube-VOS)",
    }
    shapes = {
        "mask": "masks, pixel for pixel",
        "auto": "polygons, where they come within 99 % of the mask",
    }
    json_files = "JSON (*.json);;All files (*)"
    return {
        "kind": Choice(kinds),
        "dataset": PathEdit("Dataset", files=json_files, placeholder="train_instances.json"),
        "names": PathEdit(
            "Names of objects", files=json_files, placeholder="optional: meta.json as YouTube-VOS has it"
        ),
        "shape": Choice(shapes, "Masks are exact; polygons are easier to mend by hand"),
        "jobs": Number(1, 1, max(64, os.cpu_count() or 1), tip="More are faster; the result is the same"),
        "scheduler": Text(
            "", "optional: tcp://host:8786", "The workers of a Dask cluster do it instead; they see the same files"
        ),
        "force": Check("Write over other annotations of these frames"),
    }
