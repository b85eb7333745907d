"""The one module of the window that reaches the engine. Everything here but the names runs in the engine thread."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam_annotator.core.images import read_image
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

if TYPE_CHECKING:
    from sam_annotator.engine.engines import EngineOptions
    from sam_annotator.engine.propagation import FrameDone
    from sam_annotator.engine.propagator import Propagator
    from sam_annotator.engine.segmenter import Segmenter


class EngineJobs:
    """Makes the generators that the engine thread runs, and owns the models they use.

    Models are loaded by the first job that needs them, so the window is up before they are imported.

    Attributes:
        segmenter_name, propagator_name: what is at work, for people; empty until it is loaded.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self._segmenter: Segmenter | None = None
        self._propagator: Propagator | None = None
        self._image_path: Path | None = None
        self.segmenter_name = ""
        self.propagator_name = ""

    def missing(self) -> str | None:
        """What the banner should say about weights that are not there; None: nothing. Any thread; fast."""
        from sam_annotator.engine.engines import describe_missing

        return describe_missing(self._engine_options())

    def prepare(self, path: Path) -> Iterator[str]:
        """Make the segmenter ready for clicks on one image; yields what it is doing."""
        if self._segmenter is None:
            yield "loading the segmenter"
        segmenter = self._load_segmenter()
        if self._image_path != path:
            yield f"preparing {path.name}"
        if self._image_path != path:  # a click may have come between, and prepared it
            self._image_path = None  # should it fail, nothing is prepared
            segmenter.set_image(read_image(path))
            self._image_path = path

    def predict(self, path: Path, prompt: Prompt, previous: Proposal | None) -> Iterator[str]:
        """Yields what it is doing; returns the proposals for a prompt on one image."""
        yield from self.prepare(path)
        yield "segmenting"
        return self._load_segmenter().predict(prompt, previous)

    def propagate(self, video: Video, store: AnnotationStore, **request: Any) -> "Iterator[str | FrameDone]":
        """Yields what it is doing, then a FrameDone per frame. `request` are the fields of PropagationRequest."""
        from sam_annotator.engine.propagation import PropagationRequest, propagate

        if self._propagator is None:
            yield "loading the propagator"
        propagator = self._load_propagator()
        yield from propagate(video, store, propagator, PropagationRequest(**request))

    def _load_segmenter(self) -> "Segmenter":
        if self._segmenter is None:
            from sam_annotator.engine.engines import make_segmenter

            self._segmenter = make_segmenter(self._engine_options())
            self.segmenter_name = self._segmenter.name
        return self._segmenter

    def _load_propagator(self) -> "Propagator":
        if self._propagator is None:
            from sam_annotator.engine.engines import make_propagator

            self._propagator = make_propagator(self._engine_options())
            self.propagator_name = self._propagator.name
        return self._propagator

    def _engine_options(self) -> "EngineOptions":
        from sam_annotator.engine.engines import EngineOptions

        return EngineOptions(**self._options)
