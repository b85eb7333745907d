"""From clicks to proposals: asks the engine thread, and keeps answers apart by frame and prompt."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from PyQt5 import QtCore

from sam_annotator.core.masks import without_specks
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas
from sam_annotator.gui.engine_jobs import EngineJobs
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority
from sam_annotator.gui.tools.prefetch import Prefetch

Proposals = tuple[Proposal, ...]


@dataclass(frozen=True, eq=False)
class InHand:
    """The object that the next accepted mask belongs to.

    Attributes:
        start: its mask in this frame, from which clicks go on; None: it has none here.
        area: pixels of its mask where it was last seen; None: not known.
    """

    object_id: int
    label: str
    start: Proposal | None = None
    area: int | None = None

    def __str__(self) -> str:
        return f"{self.object_id} {self.label}"


class SamTool(QtCore.QObject):
    """The proposals for what was clicked on the frame that is shown.

    An answer belongs to the frame and the prompt it was asked for; one that comes late is never shown
    on another frame.

    Attributes:
        prefetch: makes the frame ready before it is clicked.
        in_hand: the object that is clicked on; None: a new one.
        least_part: parts and holes of fewer pixels than this are left out of what is proposed.

    Signals:
        changed(): the proposals, or which of them is chosen.
        busy(str): what the engine is doing; empty when it has done it.
        failed(str): one sentence.
        left(int): index of the frame whose proposal was neither accepted nor rejected: the person moved on.
    """

    changed = QtCore.pyqtSignal()
    busy = QtCore.pyqtSignal(str)
    failed = QtCore.pyqtSignal(str)
    left = QtCore.pyqtSignal(int)

    def __init__(
        self, canvas: AnnotationCanvas, jobs: EngineJobs, thread: EngineThread, parent: QtCore.QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._canvas, self._jobs, self._thread = canvas, jobs, thread
        self.in_hand: InHand | None = None
        self.least_part = 0
        self._path: Path | None = None
        self._frames: Sequence[Path] = ()
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

    @property
    def is_looking(self) -> bool:
        """True while the answer to the last click is on its way."""
        return self._job is not None

    def set_frame(self, path: Path | None, frames: Sequence[Path] = ()) -> None:
        """Another frame is shown, one of the video's (None: one that cannot be annotated): clicks are forgotten."""
        self.take_in_hand(None)
        self._path, self._frames = path, frames
        self.prefetch.set_frame(path, frames)

    def take_in_hand(self, held: InHand | None) -> None:
        """Whose mask is clicked from now on, in this frame; None: a new object's. What was clicked is forgotten."""
        if self.proposals or self.is_looking:
            self.left.emit(self._frames.index(self._path) if self._path in self._frames else 0)
        self.in_hand = held
        self.forget()

    def put_away(self) -> None:
        """What is proposed was accepted: nothing is clicked or in hand any more."""
        self.in_hand = None
        self.forget()

    def forget(self) -> None:
        """Drop prompt, proposals and the question under way; what is in hand stays."""
        self._drop_question()
        self._answers, self._choices = {}, {}
        self._canvas.clear_prompt()
        self._show()

    def ask_again(self) -> None:
        """Another segmenter is at work: it is asked for the current prompt, what the one before answered is dropped."""
        self._answers, self._choices = {}, {}
        self._on_prompt(self._canvas.prompt)

    def choose(self, index: int) -> None:
        """Choose a proposal by its index; one that is not there is ignored."""
        if index < len(self.proposals):
            self._choices[self._canvas.prompt] = index
            self._show()

    def choose_next(self) -> None:
        if self.proposals:
            self.choose((self.chosen + 1) % len(self.proposals))

    def _on_prompt(self, prompt: Prompt) -> None:
        if not prompt.is_empty:
            self.prefetch.hold_back()
        self._drop_question()
        known = {*self._canvas.past_prompts, prompt}  # what was undone may be asked anew, to refine another choice
        self._answers = {asked: answer for asked, answer in self._answers.items() if asked in known}
        self._choices = {asked: choice for asked, choice in self._choices.items() if asked in known}
        if prompt not in self._answers and self._says_something(prompt) and self._path is not None:
            self._ask(self._path, prompt)
        self._show()

    def _says_something(self, prompt: Prompt) -> bool:
        """True if there is something to segment by; of a mask that is there, a click may also only take away."""
        return not prompt.is_empty or (self._start is not None and bool(prompt.points))

    @property
    def _start(self) -> Proposal | None:
        return self.in_hand.start if self.in_hand is not None else None

    def _ask(self, path: Path, prompt: Prompt) -> None:
        question = self._question
        self._jobs.expect_click(path)
        work = partial(self._jobs.predict, path, prompt, self._previous())
        job = self._thread.submit(partial(_without_specks, work, self.least_part, prompt), Priority.CLICK)
        job.progressed.connect(partial(self._on_step, question))
        job.succeeded.connect(partial(self._on_answer, question, prompt))
        job.failed.connect(partial(self._on_failed, question))
        self._job = job

    def _drop_question(self) -> None:
        self._question += 1
        if self._job is not None:
            self._job.cancel()
            self._job = None
            self._jobs.expect_click(None)
            self.busy.emit("")

    def _previous(self) -> Proposal | None:
        """The proposal that was chosen before the last click, or the mask that was taken up: to be refined."""
        before = self._canvas.previous_prompt
        answers = self._answers.get(before, ()) if before is not None else ()
        return answers[self._choices.get(before, 0)] if answers else self._start

    def _on_answer(self, question: int, prompt: Prompt, proposals: Proposals) -> None:
        if question == self._question:
            self._answers[prompt] = proposals
            if self.in_hand is not None and self.in_hand.area and self._previous() is None:
                self._choices.setdefault(prompt, nearest_in_size(proposals, self.in_hand.area))
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
        is_coming, count = self._job is not None, len(self.proposals)
        self._canvas.show_proposal(self.proposal or self._start, is_coming, count)
        self.changed.emit()


def nearest_in_size(proposals: Proposals, area: int) -> int:
    """Index of the proposal that is likely to be the object itself, rather than a part of it or more than it."""
    areas = [max(int(np.count_nonzero(proposal.mask)), 1) for proposal in proposals]
    return max(range(len(areas)), key=lambda index: min(areas[index], area) / max(areas[index], area))


def _without_specks(work: partial[Iterator[str]], least: int, prompt: Prompt) -> Iterator[str]:
    """A segmenter's job, its masks without small parts and holes. Runs in the engine thread."""
    proposals = yield from work()
    clicks = dict(zip(prompt.points, prompt.includes, strict=True))
    return tuple(replace(one, mask=without_specks(one.mask, least, clicks)) for one in proposals)
