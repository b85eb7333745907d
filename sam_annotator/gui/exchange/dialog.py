"""A dialog for long work on files: what is asked for, a check that writes nothing, then the work, with a way out."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5 import QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.core.datasets.report_file import write_report
from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words
from sam_annotator.gui.engine_thread import Job, Priority
from sam_annotator.gui.exchange.fields import remember, restore
from sam_annotator.gui.exchange.work import Outcome, Step, Work, worded

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_COLORS = {"good": "#1e7d3c", "doubtful": "#a86400", "bad": "#b3261e", "": ""}


class ExchangeDialog(QtWidgets.QDialog):
    """First `Check`: all is read, nothing written, and a summary tells what would be. Then the verb: it is done.

    A subclass fills `fields` and makes the work. What is changed in the fields has to be checked anew.

    Attributes:
        words: how it says what to do about what is wrong.
        fields: by the names under which their values are remembered.
        outcome: of the last check or work; None: there is none for what the fields say.
    """

    words: Words = COMMAND_LINE

    def __init__(self, window: "AnnotationWindow", title: str, verb: str, memory: str) -> None:
        super().__init__(window)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self._window, self._verb, self._memory = window, verb, memory
        self.fields: Mapping[str, Any] = {}
        self.outcome: Outcome | None = None
        self._job: Job | None = None
        self._is_check, self._may_write = True, False
        self._doing, self._began = "", 0.0
        self.verdict = QtWidgets.QLabel(wordWrap=True)
        self.summary = QtWidgets.QPlainTextEdit(readOnly=True)
        font = QtGui.QFontDatabase.systemFont(QtGui.QFontDatabase.FixedFont)
        font.setStyleHint(QtGui.QFont.Monospace)
        self.summary.setFont(font)
        self.bar = QtWidgets.QProgressBar(textVisible=True)
        self.primary = QtWidgets.QPushButton("Check", default=True)
        self.primary.clicked.connect(self._on_primary)
        self.report_button = QtWidgets.QPushButton("Save the report…", autoDefault=False)
        self.report_button.clicked.connect(self._save_report)
        self.close_button = QtWidgets.QPushButton("Close", autoDefault=False)
        self.close_button.clicked.connect(self.reject)

    # --- for subclasses ------------------------------------------------------------------------------------

    def make_work(self, *, dry_run: bool) -> Callable[[], Work]:
        """The work that the fields ask for. Raises InputError where they cannot be understood."""
        raise NotImplementedError

    def judge_check(self, outcome: Outcome) -> tuple[str, str, bool]:
        """What a check of what is possible has come to: a color, a sentence, and whether there is anything to write."""
        return (*(("good", "All annotations go in as they are.") if outcome.is_clean else _DOUBTFUL), True)

    def describe_kept(self) -> str:
        """What becomes of work that was stopped, or failed."""
        return "What was written so far stays, and the next time goes on from there."

    def on_written(self) -> None:
        """Something was written, perhaps not all of it."""

    def build(self, form: QtWidgets.QWidget) -> None:
        """Put the dialog together around its form, once `fields` are there."""
        buttons = QtWidgets.QHBoxLayout()
        buttons.addWidget(self.report_button)
        buttons.addWidget(self.bar, 1)
        buttons.addStretch(0)
        buttons.addWidget(self.close_button)
        buttons.addWidget(self.primary)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(form)
        layout.addWidget(self.verdict)
        layout.addWidget(self.summary, 1)
        layout.addLayout(buttons)
        self._form = form
        restore(self.fields, self._window.settings, self._memory)
        for field in self.fields.values():
            field.changed.connect(self._forget_outcome)
        self._forget_outcome()
        self.resize(820, 680)

    # --- the work ------------------------------------------------------------------------------------------

    @property
    def is_working(self) -> bool:
        return self._job is not None

    def reject(self) -> None:
        """Close; while it works, stop instead."""
        if self._job is None:
            super().reject()
        else:
            self.close_button.setEnabled(False)
            self._job.cancel()

    def _on_primary(self) -> None:
        self._start(dry_run=not self._may_write)

    def _start(self, *, dry_run: bool) -> None:
        if self._job is not None:
            return
        try:
            work = self.make_work(dry_run=dry_run)
        except AnnotatorError as error:
            self._show("bad", "This cannot be done as it is asked for.", error.told(self.words))
            return
        remember(self.fields, self._window.settings, self._memory)
        self._is_check, self._may_write, self._doing = dry_run, False, ""
        self.outcome = None
        self._job = self._window.files.submit(lambda: worded(work(), self.words), Priority.RUN)
        self._job.progressed.connect(self._on_step)
        self._job.succeeded.connect(self._on_ended)
        self._job.cancelled.connect(self._on_cancelled)
        self._job.failed.connect(self._on_failed)
        self._show("", "Checking; nothing is written." if dry_run else "Writing.", "")
        self._show_state()

    def _on_step(self, step: Step) -> None:
        if step.doing != self._doing:  # each stage has a pace of its own
            self._doing, self._began = step.doing, time.monotonic()
        self.bar.setRange(0, step.total)
        self.bar.setValue(step.done)
        worked = time.monotonic() - self._began
        left = worked / step.done * (step.total - step.done) if step.done and worked > 2 else 0
        self.bar.setFormat(f"{step.doing}  %v / %m" + (f"   {left:.0f} s left" if left >= 1 else ""))

    def _on_ended(self, outcome: Outcome) -> None:
        self._job, self.outcome = None, outcome
        text = outcome.result.told(self.words)
        if not outcome.is_possible:
            self._show("bad", "Nothing was written: this has to be mended first.", text)
        elif self._is_check:
            kind, verdict, self._may_write = self.judge_check(outcome)
            self._show(kind, f"{verdict} Nothing is written yet." if self._may_write else verdict, text)
        else:
            kind, verdict = ("good", "Done.") if outcome.is_clean else ("doubtful", "Done, but read what was left out.")
            self._show(kind, verdict, text)
            self.on_written()
        self._show_state()

    def _on_cancelled(self) -> None:
        self._on_broken_off("doubtful", "Stopped.", "")

    def _on_failed(self, message: str) -> None:
        self._on_broken_off("bad", "It could not be finished.", message)

    def _on_broken_off(self, kind: str, verdict: str, text: str) -> None:
        self._job = None
        self._show(kind, verdict if self._is_check else f"{verdict} {self.describe_kept()}", text)
        if not self._is_check:
            self.on_written()
        self._show_state()

    # --- showing -------------------------------------------------------------------------------------------

    def _forget_outcome(self) -> None:
        if self._job is None:
            self.outcome, self._may_write = None, False
            self._show("", "Check first: everything is read, nothing is written, and what would be is told here.", "")
            self._show_state()

    def _show(self, kind: str, verdict: str, text: str) -> None:
        self.verdict.setText(verdict)
        self.verdict.setStyleSheet(f"font-weight: bold; color: {_COLORS[kind]};" if kind else "color: gray;")
        self.summary.setPlainText(text)

    def _show_state(self) -> None:
        working = self.is_working
        self._form.setEnabled(not working)
        self.bar.setVisible(working)
        if working:
            self.bar.setRange(0, 0)
            self.bar.setFormat("")
        self.primary.setEnabled(not working)
        writes = not self._is_check if working else self._may_write
        self.primary.setText(self._verb if writes else "Check")
        self.close_button.setEnabled(True)
        self.close_button.setText("Stop" if working else "Close")
        is_written = not (working or self._is_check or self.outcome is None or not self.outcome.is_possible)
        (self.close_button if is_written else self.primary).setDefault(True)  # Enter once more closes what is done
        if is_written:
            self.close_button.setFocus()
        self.report_button.setVisible(self.outcome is not None)

    def _save_report(self) -> None:
        path, _filter = QtWidgets.QFileDialog.getSaveFileName(
            self, "Save the report", str(Path.home() / "report.txt"), "Text (*.txt);;JSON (*.json)"
        )
        if not path or self.outcome is None:
            return
        try:
            write_report(Path(path), self.outcome.result, self.words)
        except AnnotatorError as error:
            words = {**self.words, Remedy.MAKE_ROOM: "choose another place for it"}
            self._window.show_error("The report was not saved", error.told(words))


_DOUBTFUL = ("doubtful", "It can be done, but read what would be left out or repaired.")
