"""Which engines are at work: the one place where options become a segmenter and a propagator.

Importing this module, and asking `describe_missing`, loads no model code: torch and OpenCV come with the
engine that is made.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sam_annotator.core.errors import EngineError, InputError
from sam_annotator.core.weights.manifest import (
    Checkpoint,
    find_checkpoint,
    has_right_size,
    load_manifest,
    search_folders,
)
from sam_annotator.engine.propagator import Propagator
from sam_annotator.engine.segmenter import Segmenter

Report = Callable[[str], None]
"""Is told what is being done, in a line for people."""

_BEST_ON_CPU = ("vit_b", "vit_l", "vit_h")  # encoding one frame takes seconds there: the fastest first
_BEST_ON_GPU = ("vit_h", "vit_l", "vit_b")  # encoding is a fraction of a second in any case: the most exact first

_OPTIONS = {"sam": "--sam", "stcn": "--propagator"}
_IN_PLACE = {
    "sam": "The embedded segmenter is at work, which needs no weights; Segment Anything is more exact.",
    "stcn": "The embedded propagator is at work, which needs no weights; STCN is more exact.",
}
_BOTH_IN_PLACE = (
    "The embedded segmenter and propagator are at work, which need no weights; "
    "Segment Anything and STCN are more exact."
)


def ignore(_text: str) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class EngineOptions:
    """What a person chose on the command line or in the settings.

    Attributes:
        segmenter: `auto` (the best SAM whose checkpoint is there, else embedded), `embedded`, a name of the
            manifest such as `sam_vit_b`, or the path of a SAM checkpoint.
        propagator: `auto` (STCN if its checkpoint is there, else embedded), `embedded`, `stcn`, or the path of an
            STCN checkpoint.
        models: a folder to look for checkpoints in first.
        device: `auto` (CUDA if there is one, else the CPU), `cpu`, `cuda`, `cuda:1`, ...
        short_side: pixels of a frame's shorter side as STCN sees it; None: as published, 480.
    """

    segmenter: str = "auto"
    propagator: str = "auto"
    models: Path | None = None
    device: str = "auto"
    short_side: int | None = None


@dataclass(frozen=True)
class Missing:
    """What people should know about weights that are not there.

    Attributes:
        text: a sentence or two.
        wanted: published checkpoints that would help.
    """

    text: str
    wanted: tuple[Checkpoint, ...] = ()


def make_segmenter(options: EngineOptions, report: Report = ignore) -> Segmenter:
    """Make the segmenter that was asked for; takes seconds for a SAM.

    `auto` on a CPU takes the fastest SAM that is there (vit_b, vit_l, vit_h), on CUDA the most exact one
    (vit_h, vit_l, vit_b), and leaves out files of the wrong size.

    Raises:
        InputError: no such name, file, folder or device.
        EngineError: the checkpoint is not there, or is damaged.
    """
    _check_models_folder(options)
    if options.segmenter == "embedded":
        return _embedded_segmenter()
    if options.segmenter == "auto":
        return _best_segmenter(options, report)
    path, checkpoint = _named_checkpoint(options)
    return _sam(path, checkpoint, options, report)


def check_propagator(options: EngineOptions) -> None:
    """Refuse at once what `make_propagator` would refuse, without loading weights.

    Raises:
        InputError, EngineError: as `make_propagator`.
    """
    _check_models_folder(options)
    if _stcn_file(options) is not None:
        from sam_annotator.engine.device import choose_device

        choose_device(options.device)
    elif not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", options.device):  # the embedded one needs no torch to be asked
        raise InputError(
            f"There is no device '{options.device}'; choose --device auto, cpu, cuda, or cuda:1 and so on."
        )


def make_propagator(options: EngineOptions, report: Report = ignore) -> Propagator:
    """Make the propagator that was asked for; takes seconds for STCN.

    `auto` takes STCN where its checkpoint is found, on a CPU too: it is slower there than the embedded one, but
    far more exact.

    Raises:
        InputError: no such name, file, folder or device.
        EngineError: the checkpoint is not there, or is damaged.
    """
    _check_models_folder(options)
    chosen = _stcn_file(options)
    if chosen is None:
        from sam_annotator.engine.embedded.propagator import EmbeddedPropagator

        return EmbeddedPropagator()
    from sam_annotator.engine.stcn import load

    path, checkpoint = chosen
    return load.make_stcn(
        path, device=options.device, short_side=options.short_side, report=report, checkpoint=checkpoint
    )


def tell_kind(path: Path) -> str:
    """What a file of weights is for: `segmenter` or `propagator`, as the names in it say.

    Raises:
        EngineError: it cannot be read, or holds no weights.
    """
    from sam_annotator.engine.checkpoints import read_state

    names = read_state(path)
    return "segmenter" if any(name.startswith(("image_encoder.", "mask_decoder.")) for name in names) else "propagator"


def describe_missing(options: EngineOptions) -> Missing | None:
    """What the window's banner tells: which engine works without weights, and which weights would help.

    Or what is wrong with the engine that was asked for. None where there is nothing to tell: the weights are there,
    or the embedded engines were asked for. Never raises for what the options name; `make_segmenter` and
    `make_propagator` will.
    """
    try:
        _check_models_folder(options)
    except InputError as error:
        return Missing(str(error))
    sam, stcn = _missing_sam(options), _missing_stcn(options)
    if sam is None or stcn is None:
        return sam or stcn
    plain = (sam.text, stcn.text) == (_IN_PLACE["sam"], _IN_PLACE["stcn"])
    return Missing(_BOTH_IN_PLACE if plain else f"{sam.text} {stcn.text}", sam.wanted + stcn.wanted)


def _missing_sam(options: EngineOptions) -> Missing | None:
    if options.segmenter == "embedded":
        return None
    if options.segmenter == "auto":
        return None if _found_sams(options, ignore) else _embedded_in_place(_smallest_sam(), options)
    try:
        _named_checkpoint(options)
    except (InputError, EngineError) as error:
        return Missing(str(error), tuple(known for known in _sams() if known.name == options.segmenter))
    return None


def _missing_stcn(options: EngineOptions) -> Missing | None:
    try:
        is_there = options.propagator == "embedded" or _stcn_file(options) is not None
    except (InputError, EngineError) as error:
        return Missing(str(error), (_stcn(),) if options.propagator == _stcn().name else ())
    return None if is_there else _embedded_in_place(_stcn(), options)


def _embedded_in_place(checkpoint: Checkpoint, options: EngineOptions) -> Missing:
    damaged = next((path for known in _sams() if (path := find_checkpoint(known, options.models))), None)
    if checkpoint.kind == "sam" and damaged is not None:
        return Missing(f"{damaged} has the wrong size. {_IN_PLACE[checkpoint.kind]}", (checkpoint,))
    return Missing(_IN_PLACE[checkpoint.kind], (checkpoint,))


def _smallest_sam() -> Checkpoint:
    return next(checkpoint for checkpoint in _sams() if checkpoint.model_type == _BEST_ON_CPU[0])


def _embedded_segmenter() -> Segmenter:
    from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter

    return EmbeddedSegmenter()


def _best_segmenter(options: EngineOptions, report: Report) -> Segmenter:
    found = _found_sams(options, report)
    if not found:
        report("No Segment Anything checkpoint was found; the embedded segmenter is at work.")
        return _embedded_segmenter()
    from sam_annotator.engine.device import choose_device

    order = _BEST_ON_GPU if choose_device(options.device).type == "cuda" else _BEST_ON_CPU
    path, checkpoint = min(found, key=lambda pair: order.index(str(pair[1].model_type)))
    return _sam(path, checkpoint, options, report)


def _sam(path: Path, checkpoint: Checkpoint | None, options: EngineOptions, report: Report) -> Segmenter:
    from sam_annotator.engine.sam.segmenter import make_sam

    return make_sam(path, device=options.device, report=report, checkpoint=checkpoint)


def _stcn() -> Checkpoint:
    return next(checkpoint for checkpoint in load_manifest() if checkpoint.kind == "stcn")


def _sams() -> tuple[Checkpoint, ...]:
    return tuple(checkpoint for checkpoint in load_manifest() if checkpoint.kind == "sam")


def _found_sams(options: EngineOptions, report: Report) -> list[tuple[Path, Checkpoint]]:
    """The SAM checkpoints that are there and whole, as far as their size tells."""
    found = []
    for checkpoint in _sams():
        path = find_checkpoint(checkpoint, options.models)
        if path is not None and has_right_size(checkpoint, path):
            found.append((path, checkpoint))
        elif path is not None:
            report(f"{path} has the wrong size and is left out; download it again from {checkpoint.url}.")
    return found


def _named_checkpoint(options: EngineOptions) -> tuple[Path, Checkpoint | None]:
    """The file that was asked for by name (with what the manifest knows of it) or by path."""
    for checkpoint in _sams():
        if options.segmenter == checkpoint.name:
            return _checkpoint_file(checkpoint, options), checkpoint
    path = Path(options.segmenter).expanduser()
    if path.is_file() and path.suffix != ".part":
        return path, None
    if path.suffix == ".part":
        raise InputError(f"{path} is an unfinished download; finish it, or choose --sam embedded.")
    names = ", ".join(checkpoint.name for checkpoint in _sams())
    raise InputError(
        f"There is no segmenter '{options.segmenter}' and no file of that name; "
        f"choose auto, embedded, one of {names}, or the file of a SAM checkpoint."
    )


def _stcn_file(options: EngineOptions) -> tuple[Path, Checkpoint | None] | None:
    """The file of STCN's weights that was asked for (with what the manifest knows of it), None: the embedded one."""
    if options.propagator == "embedded":
        return None
    checkpoint = _stcn()
    if options.propagator == "auto":
        found = find_checkpoint(checkpoint, options.models)
        return None if found is None else (found, checkpoint)
    if options.propagator == checkpoint.name:
        return _checkpoint_file(checkpoint, options), checkpoint
    path = Path(options.propagator).expanduser()
    if path.is_file() and path.suffix != ".part":
        return path, None
    if path.suffix == ".part":
        raise InputError(f"{path} is an unfinished download; finish it, or choose --propagator embedded.")
    raise InputError(
        f"There is no propagator '{options.propagator}' and no file of that name; "
        f"choose auto, embedded, {checkpoint.name}, or the file of an STCN checkpoint."
    )


def _checkpoint_file(checkpoint: Checkpoint, options: EngineOptions) -> Path:
    path = find_checkpoint(checkpoint, options.models)
    if path is None:
        size = "" if checkpoint.bytes is None else f" ({checkpoint.size})"
        raise EngineError(
            f"{checkpoint.file}{size} was not found; `sam-annotator models fetch {checkpoint.name}` fetches it, or "
            f"download it from {checkpoint.url} and put it into {search_folders(options.models)[0]}, or choose "
            f"{_OPTIONS[checkpoint.kind]} embedded, which needs no weights."
        )
    return path


def _check_models_folder(options: EngineOptions) -> None:
    if options.models is not None and not options.models.expanduser().is_dir():
        raise InputError(
            f"The folder {options.models} given with --models does not exist; make it, or leave --models out."
        )
