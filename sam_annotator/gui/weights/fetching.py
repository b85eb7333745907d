"""Weights in the window: what is missing is offered, fetched, checked and put to work, all without a restart."""

import html
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PyQt5 import QtCore, QtWidgets

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.weights.download import fetch, fetched_bytes
from sam_annotator.core.weights.hashing import CHECKING, FETCHING, FetchProgress
from sam_annotator.core.weights.manifest import (
    Checkpoint,
    choose_fetch_folder,
    describe_bytes,
    find_checkpoint,
    has_right_size,
    load_manifest,
)
from sam_annotator.core.weights.published import damage_of, whole_copies
from sam_annotator.gui.engine_thread import EngineThread, Job, Priority
from sam_annotator.gui.weights.banner import Choice
from sam_annotator.gui.weights.engine_news import EngineNews
from sam_annotator.gui.weights.fetch_words import Speed, describe_amount
from sam_annotator.gui.words import said

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_KEYS = {"segmenter": "weights/segmenter", "propagator": "weights/propagator"}
_PUT_AWAY = "weights/put_away"
_OPTION_OF = {"sam": "segmenter", "stcn": "propagator"}


def with_remembered(engines: Mapping[str, Any], memory: QtCore.QSettings) -> dict[str, Any]:
    """The options for the engines; where nothing was asked for, the file of weights that was chosen earlier."""
    chosen = dict(engines)
    for option, key in _KEYS.items():
        path = str(memory.value(key, "") or "")
        if path and chosen.get(option, "auto") == "auto" and Path(path).is_file():
            chosen[option] = path
    return chosen


class Weights(QtCore.QObject):
    """Fetches published checkpoints and takes files of one's own; speaks through the window's banner.

    Attributes:
        thread: the one that fetches.
    """

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self._window, self._banner = window, window.banner
        self._jobs, self._memory = window.jobs, window.settings
        self.thread = EngineThread("downloads", self)
        self._job: Job | None = None
        self._fetching: Checkpoint | None = None
        self._speed = Speed()
        self._when_free: list[Callable[[], None]] = []
        self._told: tuple[Path, ...] = ()
        self._failure = ""
        self.news = EngineNews(window, self)
        self._banner.put_away.connect(self._on_put_away)
        window.sam_tool.changed.connect(self._look_for_a_pause)

    @property
    def is_fetching(self) -> bool:
        return self._fetching is not None

    def stop(self) -> None:
        """The window closes: what was fetched so far stays."""
        self.thread.stop()

    # --- the offer -----------------------------------------------------------------------------------------

    def offer(self) -> None:
        """At the start: tell what is missing, unless the person has put just that away before."""
        missing, gone = self._jobs.missing(), self._gone()
        topic = _topic(missing)
        if gone or (missing and (not topic or topic != self._memory.value(_PUT_AWAY, ""))):
            self._show_offer(gone)

    def show(self) -> None:
        """The person asks for it: tell what is at work and what could be."""
        if self.is_fetching:
            self._banner.show()
        else:
            self._show_offer(self._gone())

    def tell_damage(self) -> None:
        """Say which files cannot be used and offer others, if that was not said yet."""
        missing = self._jobs.missing()
        if missing is not None and missing.damaged and missing.damaged != self._told and not self.is_fetching:
            self._show_offer()

    def tell_failure(self, message: str) -> None:
        """No segmenter could be loaded: say so once, and offer others."""
        if message == self._failure or self.is_fetching:
            return
        self._failure = message
        self._show_offer()

    def _show_offer(self, first: str = "") -> None:
        missing = self._jobs.missing()
        self._told = missing.damaged if missing else ()
        text = missing.text if missing else self._describe_what_works()
        if self._failure and self._failure not in text and not self._jobs.segmenter_name:
            text = self._failure
        self._banner.show_text(f"{first} {text}".strip(), self._choices(missing.wanted if missing else ()))

    def _choices(self, wanted: tuple[Checkpoint, ...]) -> list[Choice]:
        choices = [self._choice_to_fetch(checkpoint) for checkpoint in wanted]
        if not wanted and (others := self._to_fetch()):
            first, *rest = others
            choices.append(self._choice_to_fetch(first, rest))
        tip = "Weights that are on this computer already: a checkpoint of Segment Anything, or of STCN"
        choices.append(Choice("Use a file…", self.choose_file, tip))
        if any(self._memory.value(key, "") for key in _KEYS.values()):
            choices.append(Choice("Forget my file", self.forget_files, "Choose by what is there again"))
        return choices

    def _choice_to_fetch(self, checkpoint: Checkpoint, others: list[Checkpoint] | None = None) -> Choice:
        if others is None:
            others = [known for known in self._to_fetch() if known.kind == checkpoint.kind and known != checkpoint]
        kept = self._kept(checkpoint)
        verb = "Go on fetching" if kept else "Fetch"
        again = " again" if not kept and _stands_in_the_way(checkpoint, self._folder_to_fetch(checkpoint)) else ""
        facts = [checkpoint.licence] if checkpoint.bytes is None else [checkpoint.size, checkpoint.licence]
        if kept and checkpoint.bytes is not None:
            facts = [f"{describe_bytes(checkpoint.bytes - kept)} left"]
        name = "Segment Anything" if checkpoint.kind == "sam" and not kept else checkpoint.title
        entries = tuple((f"{one.about} ({one.size})…", partial(self.ask, one)) for one in others)
        return Choice(
            f"{verb} {name}{again} ({', '.join(facts)})…", partial(self.ask, checkpoint), checkpoint.about, entries
        )

    def _to_fetch(self) -> list[Checkpoint]:
        return [known for known in load_manifest() if not _is_there(known, self._folder_given)]

    def _describe_what_works(self) -> str:
        names = [name for name in (self._jobs.segmenter_name, self._jobs.propagator_name) if name]
        return f"At work: {' and '.join(names)}." if names else "The weights that were asked for are there."

    def _gone(self) -> str:
        paths = [str(self._memory.value(key, "") or "") for key in _KEYS.values()]
        gone = [path for path in paths if path and not Path(path).is_file()]
        return f"{gone[0]}, which was in use, is not there any more." if gone else ""

    def _on_put_away(self) -> None:
        missing = self._jobs.missing()
        if missing is not None and not self.is_fetching:
            self._memory.setValue(_PUT_AWAY, _topic(missing))

    # --- fetching ------------------------------------------------------------------------------------------

    def ask(self, checkpoint: Checkpoint) -> None:
        """Say what would be fetched, from where and where to; fetch it when that is confirmed."""
        try:
            folder = self._folder_to_fetch(checkpoint) or choose_fetch_folder(self._folder_given)
        except AnnotatorError as error:
            self._window.show_error("Nothing can be fetched", said(error))
            return
        box = QtWidgets.QMessageBox(self._window)
        box.setAttribute(QtCore.Qt.WA_DeleteOnClose)
        box.setStyleSheet("QLabel#qt_msgbox_informativelabel { min-width: 560px; }")  # addresses in one line
        box.setIcon(QtWidgets.QMessageBox.Question)
        box.setWindowTitle("Fetch weights")
        box.setText(f"<b>Fetch {checkpoint.title}?</b>")
        box.setInformativeText(_describe_fetch(checkpoint, folder))
        fetch_button = box.addButton("Fetch", QtWidgets.QMessageBox.AcceptRole)
        box.addButton(QtWidgets.QMessageBox.Cancel)
        box.setDefaultButton(fetch_button)
        box.accepted.connect(partial(self.fetch, checkpoint, folder))
        box.open()

    def fetch(self, checkpoint: Checkpoint, folder: Path) -> None:
        """Fetch a checkpoint, or go on with it, and put it to work."""
        if self.is_fetching:
            return
        self._fetching, self._speed = checkpoint, Speed()
        # A file of the same name that is not the published one was left out by all who look for weights: the
        # person is told in the question before.
        job = self.thread.submit(
            partial(fetch, checkpoint, folder, force=_stands_in_the_way(checkpoint, folder)), Priority.RUN
        )
        job.progressed.connect(self._on_progress)
        job.succeeded.connect(self._on_fetched)
        job.cancelled.connect(self._on_cancelled)
        job.failed.connect(self._on_failed)
        self._job = job
        text = f"Fetching {checkpoint.title} …"
        self._banner.show_text(text, [Choice("Cancel", self.cancel, "Stop; what came so far is kept")])
        self._banner.show_progress(text, 0, None)

    def cancel(self) -> None:
        """Stop fetching; it can go on later."""
        if self._job is not None:
            self._job.cancel()

    def _on_progress(self, step: FetchProgress) -> None:
        assert self._fetching is not None
        name = self._fetching.title
        if step.doing == FETCHING:
            self._speed.add(step.done)
            text = f"Fetching {name}: {describe_amount(step)}{self._speed.describe(step)}"
        elif step.doing == CHECKING:
            text = f"Checking {name}: {describe_amount(step)}"
        else:
            text = f"Fetching {name} … {step.note}".strip()
        self._banner.show_progress(text, step.done, step.total)

    def _end(self) -> Checkpoint:
        checkpoint, self._job, self._fetching = self._fetching, None, None
        assert checkpoint is not None
        return checkpoint

    def _on_cancelled(self) -> None:
        checkpoint = self._end()
        kept = self._kept(checkpoint)
        amount = f"{describe_bytes(kept)} are kept, so that it can go on later" if kept else "nothing had come yet"
        self._show_offer(f"Fetching {checkpoint.title} was stopped; {amount}.")

    def _on_failed(self, message: str) -> None:
        self._end()
        missing, was_hidden = self._jobs.missing(), self._banner.isHidden()
        self._banner.show_text(message, self._choices(missing.wanted if missing else ()))
        if was_hidden:
            self._window.show_error("The weights were not fetched", message)

    def _on_fetched(self, path: Path) -> None:
        checkpoint = self._end()
        option = _OPTION_OF[checkpoint.kind]
        self._remember(option, str(path) if self._is_one_of_several(checkpoint) else "")
        self._banner.show_text(f"{checkpoint.title} was fetched and checked.")
        self._put_to_work(checkpoint.title, partial(self._jobs.renew, option, checkpoint.name))

    def _is_one_of_several(self, checkpoint: Checkpoint) -> bool:
        """Whether another one could be chosen at the next start, if nobody remembered this one."""
        same = [known for known in load_manifest() if known.kind == checkpoint.kind and known != checkpoint]
        return any(_is_there(known, self._folder_given) for known in same)

    # --- files of one's own --------------------------------------------------------------------------------

    def choose_file(self) -> None:
        """Ask for a file of weights, and use it if it holds what it should."""
        name, _filter = QtWidgets.QFileDialog.getOpenFileName(
            self._window, "Use a file of weights", "", "Weights (*.pth *.pt *.bin *.ckpt);;All files (*)"
        )
        if name:
            self.use_file(Path(name))

    def use_file(self, path: Path) -> None:
        """Load a file on the engine thread; it is used from now on, and at the next start, where it lies."""
        self._banner.show_text(f"Checking {path.name} …")
        self._banner.show_progress(f"Checking {path.name} …", 0, None)
        self._put_to_work(path.name, partial(self._jobs.use_file, path), path)

    def forget_files(self) -> None:
        """Let what is there decide again."""
        chosen = [option for option, key in _KEYS.items() if self._memory.value(key, "")]
        for option in chosen:
            self._remember(option, "")
            self._put_to_work("What is there", partial(self._jobs.renew, option, "auto"))

    # --- putting to work -----------------------------------------------------------------------------------

    def _put_to_work(self, name: str, work: Callable[[], Any], path: Path | None = None) -> None:
        """Load it as soon as no clicks are waiting for their mask: they belong to the segmenter that they asked."""
        self._when_free.append(partial(self._load, name, work, path))
        if self._window.canvas.has_prompt:
            self._banner.show_text(f"{name} is ready; it takes over when this mask is accepted or rejected.")
        self._look_for_a_pause()

    def _look_for_a_pause(self) -> None:
        while self._when_free and not self._window.canvas.has_prompt:
            self._when_free.pop(0)()

    def _load(self, name: str, work: Callable[[], Any], path: Path | None) -> None:
        if not self._banner.isHidden():  # what it said of waiting is over
            self._banner.show_text(f"Loading {name} …")
        job = self._window.engine.submit(work, Priority.CLICK)
        job.progressed.connect(self._window.show_doing)
        job.succeeded.connect(partial(self._on_at_work, path))
        job.failed.connect(partial(self._on_not_at_work, path))

    def _on_at_work(self, path: Path | None, what: tuple[str, str]) -> None:
        option, name = what
        if path is not None:
            self._remember(option, str(path))
        self._window.show_doing("")
        self._window.show_hint(f"{name} is at work now.")
        if option == "segmenter":
            self._window.sam_tool.ask_again()  # a click may have come while it was being loaded
            self._window.sam_tool.prefetch.begin_anew()
        missing = self._jobs.missing()
        if missing is None:
            self._banner.show_text(None)
        else:
            self._show_offer(f"{name} is at work.")

    def _on_not_at_work(self, path: Path | None, message: str) -> None:
        self._window.show_doing("")
        self._show_offer()
        self._window.show_error("This file cannot be used" if path else "The weights cannot be used", message)

    def _remember(self, option: str, path: str) -> None:
        if path:
            self._memory.setValue(_KEYS[option], path)
        else:
            self._memory.remove(_KEYS[option])

    @property
    def _folder_given(self) -> Path | None:
        folder: Path | None = self._jobs.models_folder
        return folder

    def _folder_to_fetch(self, checkpoint: Checkpoint) -> Path | None:
        """Where a damaged file would be replaced, else the first place for it; None: nothing can be written."""
        there = find_checkpoint(checkpoint, self._folder_given)
        if there is not None and _stands_in_the_way(checkpoint, there.parent) and os.access(there.parent, os.W_OK):
            return there.parent
        try:
            return choose_fetch_folder(self._folder_given)
        except AnnotatorError:
            return None

    def _kept(self, checkpoint: Checkpoint) -> int:
        folder = self._folder_to_fetch(checkpoint)
        return 0 if folder is None else fetched_bytes(checkpoint, folder)


def _topic(missing: Any) -> str:
    """What an offer is about: it may be put away for good, and another one is shown."""
    if missing is None:
        return ""
    return ",".join([*(checkpoint.name for checkpoint in missing.wanted), *map(str, missing.damaged)])


def _describe_fetch(checkpoint: Checkpoint, folder: Path) -> str:
    rows = {
        "Size": checkpoint.size if checkpoint.bytes is not None else "not published (a few hundred MB)",
        "Licence": checkpoint.licence,
        "From": checkpoint.url,
        "Project": checkpoint.source,
        "To": str(folder / checkpoint.file),
        "Checked by": "size and sha256" if checkpoint.sha256 else "loading strictly; no hash is published",
    }
    if _stands_in_the_way(checkpoint, folder):
        rows["Replaces"] = "the file of that name that is there, which is not the published one"
    lines = (f"<tr><td><b>{name}</b>&nbsp;&nbsp;</td><td>{html.escape(text)}</td></tr>" for name, text in rows.items())
    return f"<table>{''.join(lines)}</table>"


def _stands_in_the_way(checkpoint: Checkpoint, folder: Path | None) -> bool:
    """Whether there is a file of that name that is known not to be the published one."""
    if folder is None or not (path := folder / checkpoint.file).exists():
        return False
    return not has_right_size(checkpoint, path) or damage_of(path, checkpoint) is not None


def _is_there(checkpoint: Checkpoint, extra: Path | None) -> bool:
    return bool(whole_copies(checkpoint, extra))
