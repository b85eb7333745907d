"""What the engine finds out by itself, said in the window: how loading goes, and what went wrong."""

from typing import TYPE_CHECKING

from PyQt5 import QtCore

from sam_annotator.core.errors import EngineError

if TYPE_CHECKING:
    from sam_annotator.gui.weights.fetching import Weights
    from sam_annotator.gui.window import AnnotationWindow


class EngineNews(QtCore.QObject):
    """Brings news from the engine thread into the status line and the banner.

    Signals:
        said(str, bool): a line from the engine thread, and whether it is of a run.
    """

    said = QtCore.pyqtSignal(str, bool)

    def __init__(self, window: "AnnotationWindow", weights: "Weights") -> None:
        super().__init__(weights)
        self._window, self._weights = window, weights
        self._seen = self._seen_propagator = ""
        self.said.connect(self._on_said)
        window.jobs.told = self._tell
        window.sam_tool.busy.connect(self._look)
        window.sam_tool.failed.connect(self._on_failed)
        window.propagation.busy.connect(self._look_at_propagator)
        window.propagation.ended.connect(lambda _how: weights.tell_damage())

    def _tell(self, text: str, run: bool) -> None:
        """In the engine thread. A window that closes does not wait for gigabytes to be read."""
        if self._window.engine.is_stopped:
            raise EngineError("The window was closed.")
        if text.endswith("...") or self._window.jobs.segmenter_name:  # else the banner will say it
            self.said.emit(text, run)

    def _on_said(self, text: str, run: bool) -> None:
        if text.endswith("..."):
            self._window.show_doing(text, run=run)
        else:
            self._window.show_hint(text)

    def _look(self, doing: str) -> None:
        """Once a segmenter was loaded, or was not, it is known which files are damaged."""
        name = self._window.jobs.segmenter_name
        if not doing and (not name or name != self._seen):
            self._seen = name
            self._weights.tell_damage()

    def _look_at_propagator(self, _doing: str) -> None:
        """A file that was to carry the masks may have turned out to be damaged."""
        name = self._window.jobs.propagator_name
        if name != self._seen_propagator:
            self._seen_propagator = name
            self._weights.tell_damage()

    def _on_failed(self, message: str) -> None:
        """A click was not answered; where there is no segmenter, each one will be: no dialog for each."""
        if self._window.jobs.segmenter_name:
            self._window.show_error("The segmenter failed", message)
        else:
            self._weights.tell_failure(message)
            self._window.show_hint("No segmenter is loaded; Help > Weights says why.")
