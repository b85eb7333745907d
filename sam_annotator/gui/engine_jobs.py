"""The one module of the window that reaches the engine. Everything here but the names runs in the engine thread."""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video
from sam_annotator.gui.settings.garbage import set_aside_imports

if TYPE_CHECKING:
    from sam_annotator.engine.embeddings import Embeddings
    from sam_annotator.engine.engines import EngineOptions, Missing
    from sam_annotator.engine.propagator import Propagator
    from sam_annotator.engine.runs import Steps
    from sam_annotator.engine.segmenter import Embedding, Segmenter

FRAMES_AHEAD = 4
"""Frames that are encoded ahead if nobody says otherwise."""


class EngineJobs:
    """Makes the generators that the engine thread runs, and owns the models they use.

    Models are loaded by the first job that needs them, so the window is up before they are imported.

    Attributes:
        propagator_name: what is at work, for people; empty until it is loaded.
        encoding: the image that is being encoded.
        frames_ahead: how many frames are to be encoded before the person gets there.
        keeps_embeddings: whether they are kept in files.
        told: is told, in the engine thread, what is loaded and where a model goes on when memory is short, and whether
            that is for a run; what it raises ends the loading.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        """
        Args:
            options: the fields of EngineOptions; besides `embeddings` (a folder for them; None: the user's cache),
                `keep_embeddings` (False: in memory only) and `frames_ahead`.
        """
        self._options = dict(options)
        self._folder: Path | None = self._options.pop("embeddings", None)
        self.keeps_embeddings: bool = self._options.pop("keep_embeddings", True)
        self.frames_ahead: int = self._options.pop("frames_ahead", FRAMES_AHEAD)
        self._segmenter: Segmenter | None = None
        self._propagator: Propagator | None = None
        self._embeddings: Embeddings | None = None
        self._in_use: Embedding | None = None
        self._view: tuple[Mapping[Path, int], int] = ({}, 0)
        self._clicked: Path | None = None
        self.encoding: Path | None = None
        self.propagator_name = ""
        self.told: Callable[[str, bool], None] = _ignore

    @property
    def segmenter_name(self) -> str:
        """What is at work now: where memory is short, a segmenter goes on elsewhere. Any thread."""
        return "" if self._segmenter is None else self._segmenter.name

    def missing(self) -> "Missing | None":
        """What the banner should say about weights that are not there; None: nothing. Any thread; fast."""
        from sam_annotator.engine.engines import describe_missing

        return describe_missing(self._engine_options())

    @property
    def models_folder(self) -> Path | None:
        """The folder for checkpoints that was named on the command line."""
        return self._options.get("models")

    def renew(self, option: str, choice: str) -> Iterator[str]:
        """Load another segmenter or propagator (`option`) and put it to work; what was at work stays if that fails.

        Yields what it is doing; returns `option` and the name of what is at work. Not while a click waits.
        """
        from sam_annotator.engine import engines

        yield f"loading the {option}"
        chosen = replace(self._engine_options(), **{option: choice})
        if option == "segmenter":
            self._take_segmenter(engines.make_segmenter(chosen, self._tell))
        else:
            self._take_propagator(engines.make_propagator(chosen, self._tell))
        self._options[option] = choice
        return option, self.segmenter_name if option == "segmenter" else self.propagator_name

    def use_file(self, path: Path) -> Iterator[str]:
        """As `renew`, for a file of weights that is one or the other."""
        from sam_annotator.engine.engines import tell_kind

        yield f"checking {path.name}"
        return (yield from self.renew(tell_kind(path), str(path)))

    @property
    def encoded(self) -> frozenset[Path]:
        """Images that need not be encoded any more. Any thread."""
        return frozenset() if self._embeddings is None else self._embeddings.encoded

    def look_from(self, places: Mapping[Path, int], index: int) -> None:
        """The person is at a frame: what is far from there is forgotten first. Any thread."""
        self._view = (places, index)
        if self._embeddings is not None:
            self._embeddings.look_from(places, index)

    def expect_click(self, path: Path | None) -> None:
        """An image is clicked (None: no more): what is encoded for another one gives way at once. Any thread."""
        self._clicked = path

    def prepare(self, path: Path) -> "Generator[str, None, bool]":
        """Make the segmenter ready for clicks on one image; yields what it is doing, returns whether it is ready."""
        embedding = yield from self._embed_unless_urgent(path)
        if embedding is not None:
            self._use(embedding)
        return embedding is not None

    def encode_ahead(self, path: Path) -> "Generator[str, None, bool]":
        """Encode an image that is likely to be clicked soon; yields what it is doing, returns whether it is done."""
        return (yield from self._embed_unless_urgent(path)) is not None

    def predict(self, path: Path, prompt: Prompt, previous: Proposal | None) -> Iterator[str]:
        """Yields what it is doing; returns the proposals for a prompt on one image."""
        self.expect_click(None)
        embedding = yield from self._embed(path)
        yield "segmenting"
        self._use(embedding)
        return self._load_segmenter().predict(prompt, previous)

    def _embed_unless_urgent(self, path: Path) -> "Generator[str, None, Embedding | None]":
        """The same as `_embed`, but None where it gave way to a click on another image."""
        from sam_annotator.engine.segmenter import EncodingStopped

        try:
            return (yield from self._embed(path, lambda: self._clicked not in (None, path)))
        except EncodingStopped:
            return None

    def _embed(self, path: Path, *should_stop: Callable[[], bool]) -> "Generator[str, None, Embedding]":
        """What the segmenter needs of an image: remembered, or encoded now."""
        if self._segmenter is None:
            yield "loading the segmenter"
        self._load_segmenter()
        found = self._embeddings.find(path)
        if found is not None:
            return found
        self.encoding = path
        try:
            yield f"preparing {path.name}"
            self.encoding = path  # a click that came between has left its own traces
            return self._embeddings.make(path, *should_stop)
        finally:
            self.encoding = None

    def _use(self, embedding: "Embedding") -> None:
        if embedding is not self._in_use:
            self._in_use = None  # should it fail, no image is in use
            self._load_segmenter().use(embedding)
            self._in_use = embedding

    def propagate(self, video: Video, store: AnnotationStore, **request: Any) -> "Steps":
        """Yields what it is doing, then a FrameDone per frame. `request` are the fields of PropagationRequest."""
        from sam_annotator.engine.planning import PropagationRequest
        from sam_annotator.engine.runs import run_request

        propagator = yield from self._propagator_loaded()
        return (yield from run_request(video, store, propagator, PropagationRequest(**request)))

    def propagate_whole(self, video: Video, store: AnnotationStore, object_ids: tuple[int, ...]) -> "Steps":
        """As `propagate`: these objects from their key frames through the whole video."""
        from sam_annotator.engine.runs import run_whole_video

        propagator = yield from self._propagator_loaded()
        return (yield from run_whole_video(video, store, propagator, object_ids))

    def repair(
        self, video: Video, store: AnnotationStore, frame: int, object_ids: tuple[int, ...], **agreement: Any
    ) -> "Steps":
        """As `propagate`: these objects from a frame where they were corrected, as far as that changes something.

        `agreement` are the fields of Agreement.
        """
        from sam_annotator.engine.repair import Agreement, Correction
        from sam_annotator.engine.runs import run_repair

        propagator = yield from self._propagator_loaded()
        return (yield from run_repair(video, store, propagator, Correction(frame, object_ids), Agreement(**agreement)))

    def _propagator_loaded(self) -> "Generator[str, None, Propagator]":
        if self._propagator is None:
            yield "loading the propagator"
        return self._load_propagator()

    def _load_segmenter(self) -> "Segmenter":
        if self._segmenter is None:
            from sam_annotator.engine.engines import make_segmenter

            self._take_segmenter(make_segmenter(self._engine_options(), self._tell))
        return self._segmenter

    def _take_segmenter(self, segmenter: "Segmenter") -> None:
        self._segmenter = segmenter
        self._embeddings, self._in_use = self._make_embeddings(segmenter), None
        set_aside_imports()

    def _make_embeddings(self, segmenter: "Segmenter") -> "Embeddings":
        from sam_annotator.engine.embedding_files import EmbeddingFiles, default_folder
        from sam_annotator.engine.embeddings import Embeddings

        keep = self.keeps_embeddings and segmenter.key
        made = Embeddings(segmenter, EmbeddingFiles(self._folder or default_folder(), segmenter.key) if keep else None)
        made.look_from(*self._view)
        return made

    def _load_propagator(self) -> "Propagator":
        if self._propagator is None:
            from sam_annotator.engine.engines import make_propagator

            self._take_propagator(make_propagator(self._engine_options(), self._tell_of_run))
        return self._propagator

    def _take_propagator(self, propagator: "Propagator") -> None:
        self._propagator, self.propagator_name = propagator, propagator.name

    def _tell(self, text: str) -> None:
        self.told(text, False)

    def _tell_of_run(self, text: str) -> None:
        self.told(text, True)

    def _engine_options(self) -> "EngineOptions":
        from sam_annotator.engine.engines import EngineOptions

        return EngineOptions(**self._options)


def _ignore(_text: str, _run: bool) -> None:
    """What nobody listens to."""
