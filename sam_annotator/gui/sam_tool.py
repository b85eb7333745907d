"""From clicks to proposals: asks the engine thread, and keeps answers apart by frame and prompt."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PyQt5 import QtCore

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.canvas import AnnotationCanvas
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority
from sam_annotator.gui.prefetch import Prefetch

Proposals = tuple[Proposal, ...]


class SamTool(QtCore.QObject):
    """The proposals for what was clicked on the frame that is shown.

    An answer belongs to the frame and the prompt it was asked for; one that comes late is never shown
    on another frame.

    Attributes:
        prefetch: makes the frame ready before it is clicked.

    Signals:
        changed(): the proposals, or which of them is chosen.
        busy(str): what the engine is doing; empty when it has done it.
        failed(str): one sentence.
    """

    changed = QtCore.pyqtSignal()
    busy = QtCore.pyqtSignal(str)
    failed = QtCore.pyqtSignal(str)

    def __init__(
        self, canvas: AnnotationCanvas, jobs: EngineJobs, thread: EngineThread, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._canvas, self._jobs, self._thread = canvas, jobs, thread
        self._path: Path | None = None
        self._job: Job | None = None
        self._question = 0  # counts the changes of what is asked: what comes for an older one is too late
        self._answers: dict[Prompt, Proposals] = {}
        self._choices: dict[Prompt, int] = {}
        self.prefetch = Prefetch(jobs, thread, lambda: canvas.is_prompting, self)
        self.prefetch.busy.connect(self.busy)
        self.busy.connect(self.prefetch.refresh)
        canvas.prompt_changed.connect(self._on_prompt)

    @property
    def proposals(self) -> Proposals:
        """For the current prompt; empty while there is no answer."""
        return self._answers.get(self._canvas.prompt, ())

    @property
    def chosen(self) -> int:
        """Index of the chosen proposal."""
        return self._choices.get(self._canvas.prompt, 0)

    @property
    def proposal(self) -> Proposal | None:
        """The chosen proposal."""
        return self.proposals[self.chosen] if self.proposals else None

    def set_frame(self, path: Path | None, frames: Sequence[Path] = ()) -> None:
        """Another frame is shown, one of the video's (None: one that cannot be annotated): clicks are forgotten."""
        self.forget()
        self._path = path
        self.prefetch.set_frame(path, frames)

    def forget(self) -> None:
        """Drop prompt, proposals and the question under way."""
        self._drop_question()
        self._answers, self._choices = {}, {}
        self._canvas.clear_prompt()
        self._show()

    def choose(self, index: int) -> None:
        """Choose a proposal by its index; one that is not there is ignored."""
        if index < len(self.proposals):
            self._choices[self._canvas.prompt] = index
            self._show()

    def choose_next(self) -> None:
        if self.proposals:
            self.choose((self.chosen + 1) % len(self.proposals))

    def _on_prompt(self, prompt: Prompt) -> None:
        self._drop_question()
        known = {*self._canvas.past_prompts, prompt}  # what was undone may be asked anew, to refine another choice
        self._answers = {asked: answer for asked, answer in self._answers.items() if asked in known}
        self._choices = {asked: choice for asked, choice in self._choices.items() if asked in known}
        if prompt not in self._answers and not prompt.is_empty and self._path is not None:
            self._ask(self._path, prompt)
        self._show()

    def _ask(self, path: Path, prompt: Prompt) -> None:
        question = self._question
        job = self._thread.submit(partial(self._jobs.predict, path, prompt, self._previous()), Priority.CLICK)
        job.progressed.connect(partial(self._on_step, question))
        job.succeeded.connect(partial(self._on_answer, question, prompt))
        job.failed.connect(partial(self._on_failed, question))
        self._job = job

    def _drop_question(self) -> None:
        self._question += 1
        if self._job is not None:
            self._job.cancel()
            self._job = None
            self.busy.emit("")

    def _previous(self) -> Proposal | None:
        """The proposal that was chosen before the last click, to be refined."""
        before = self._canvas.previous_prompt
        answers = self._answers.get(before, ()) if before is not None else ()
        return answers[self._choices.get(before, 0)] if answers else None

    def _on_answer(self, question: int, prompt: Prompt, proposals: Proposals) -> None:
        if question == self._question:
            self._answers[prompt] = proposals
            self._end_question()

    def _on_step(self, question: int, doing: str) -> None:
        if question == self._question:
            self.busy.emit(doing)

    def _on_failed(self, question: int, message: str) -> None:
        if question == self._question:
            self._end_question()
            self.failed.emit(message)

    def _end_question(self) -> None:
        self._job = None
        self.busy.emit("")
        self._show()

    def _show(self) -> None:
        self._canvas.show_proposal(self.proposal, is_coming=self._job is not None)
        self.changed.emit()
