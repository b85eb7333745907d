"""Which engines are at work: the one place where options become a segmenter and a propagator.

Importing this module, and asking `describe_missing`, loads no model code: torch and OpenCV come with the
engine that is made.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sam_annotator.core.errors import EngineError, InputError
from sam_annotator.core.weights.damage import DamagedError
from sam_annotator.core.weights.manifest import Checkpoint, find_checkpoint, load_manifest, search_folders
from sam_annotator.core.weights.published import damage_of, whole_copies
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
_OTHER_IN_PLACE = "Another Segment Anything, which is there too, is at work."
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
        damaged: files that were to be used and cannot be.
    """

    text: str
    wanted: tuple[Checkpoint, ...] = ()
    damaged: tuple[Path, ...] = ()


def make_segmenter(options: EngineOptions, report: Report = ignore) -> Segmenter:
    """Make the segmenter that was asked for; takes seconds for a SAM.

    `auto` on a CPU takes the fastest SAM that is there (vit_b, vit_l, vit_h), on CUDA the most exact one
    (vit_h, vit_l, vit_b), and leaves out files that are damaged; where none is left, it takes the embedded one.

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


def check_choices(options: EngineOptions) -> None:
    """Refuse at once what names no engine, no file, no folder and no device, without loading anything.

    A published checkpoint that is not there, or is damaged, passes: the window offers it.

    Raises:
        InputError: as `make_segmenter` and `make_propagator`.
    """
    _check_models_folder(options)
    _check_device_name(options)
    with suppress(EngineError):
        if options.segmenter not in ("auto", "embedded"):
            _named_checkpoint(options)
    with suppress(EngineError):
        _stcn_file(options)


def check_propagator(options: EngineOptions) -> None:
    """Refuse at once what `make_propagator` would refuse, without loading weights.

    Raises:
        InputError, EngineError: as `make_propagator`.
    """
    _check_models_folder(options)
    if _stcn_file(options) is not None:
        from sam_annotator.engine.device import choose_device

        choose_device(options.device)
    else:  # the embedded one needs no torch to be asked
        _check_device_name(options)


def make_propagator(options: EngineOptions, report: Report = ignore) -> Propagator:
    """Make the propagator that was asked for; takes seconds for STCN.

    `auto` takes STCN where its checkpoint is found, on a CPU too: it is slower there than the embedded one, but
    far more exact. It leaves out files that are damaged; where none is left, it takes the embedded one.

    Raises:
        InputError: no such name, file, folder or device.
        EngineError: the checkpoint is not there, or is damaged.
    """
    _check_models_folder(options)
    if options.propagator == "auto":
        return _best_propagator(options, report)
    chosen = _stcn_file(options)
    return _embedded_propagator() if chosen is None else _stcn_from(*chosen, options, report)


def tell_kind(path: Path) -> str:
    """What a file of weights is for: `segmenter` or `propagator`, as the names in it say.

    Raises:
        EngineError: it cannot be read, or holds no weights.
    """
    from sam_annotator.engine.checkpoints import read_state

    names = read_state(path)
    return "segmenter" if any(name.startswith(("image_encoder.", "mask_decoder.")) for name in names) else "propagator"


def check_stcn_weights(path: Path, checkpoint: Checkpoint) -> None:
    """See whether a file that is to be STCN's can be used: where no hash is published, there is no other way to tell.

    Raises:
        EngineError: it cannot; says why.
    """
    from sam_annotator.engine.stcn import load

    load.load_network(path, checkpoint)


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
    text = _BOTH_IN_PLACE if plain else f"{sam.text} {stcn.text}"
    return Missing(text, sam.wanted + stcn.wanted, sam.damaged + stcn.damaged)


def _missing_sam(options: EngineOptions) -> Missing | None:
    if options.segmenter == "embedded":
        return None
    if options.segmenter == "auto":
        return _missing_best_sam(options)
    try:
        path, checkpoint = _named_checkpoint(options)
    except (InputError, EngineError) as error:
        return Missing(str(error), tuple(known for known in _sams() if known.name == options.segmenter))
    damage = damage_of(path, checkpoint)
    return None if damage is None else Missing(damage, () if checkpoint is None else (checkpoint,), (path,))


def _missing_best_sam(options: EngineOptions) -> Missing | None:
    is_any_whole = bool(_whole_sams(options))
    for checkpoint in _sams():
        path = find_checkpoint(checkpoint, options.models)
        if path is None or whole_copies(checkpoint, options.models):
            continue
        damage = damage_of(path, checkpoint)
        if damage is not None:
            return Missing(f"{damage} {_OTHER_IN_PLACE if is_any_whole else _IN_PLACE['sam']}", (checkpoint,), (path,))
        if not is_any_whole:
            return Missing(f"{path} has the wrong size. {_IN_PLACE['sam']}", (_smallest_sam(),), (path,))
    return None if is_any_whole else Missing(_IN_PLACE["sam"], (_smallest_sam(),))


def _missing_stcn(options: EngineOptions) -> Missing | None:
    if options.propagator == "embedded":
        return None
    try:
        chosen = _stcn_file(options)
    except (InputError, EngineError) as error:
        return Missing(str(error), (_stcn(),))
    is_auto = options.propagator == "auto"
    if chosen is None or (is_auto and whole_copies(_stcn(), options.models)):
        return None if chosen else Missing(_IN_PLACE["stcn"], (_stcn(),))
    path, checkpoint = chosen
    damage = damage_of(path, checkpoint) or (f"{path} has the wrong size." if is_auto else None)
    if damage is None:
        return None
    return Missing(f"{damage} {_IN_PLACE['stcn']}" if is_auto else damage, (_stcn(),), (path,))


def _smallest_sam() -> Checkpoint:
    return next(checkpoint for checkpoint in _sams() if checkpoint.model_type == _BEST_ON_CPU[0])


def _embedded_segmenter() -> Segmenter:
    from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter

    return EmbeddedSegmenter()


def _embedded_propagator() -> Propagator:
    from sam_annotator.engine.embedded.propagator import EmbeddedPropagator

    return EmbeddedPropagator()


def _best_propagator(options: EngineOptions, report: Report) -> Propagator:
    checkpoint = _stcn()
    damage = _left_out(checkpoint, options)
    for path in whole_copies(checkpoint, options.models):
        try:
            return _stcn_from(path, checkpoint, options, report)
        except DamagedError as error:
            damage = damage or str(error)
    if damage is not None:
        report(f"{damage} {_IN_PLACE['stcn']}")
    return _embedded_propagator()


def _stcn_from(path: Path, checkpoint: Checkpoint | None, options: EngineOptions, report: Report) -> Propagator:
    from sam_annotator.engine.stcn import load

    return load.make_stcn(
        path, device=options.device, short_side=options.short_side, report=report, checkpoint=checkpoint
    )


def _best_segmenter(options: EngineOptions, report: Report) -> Segmenter:
    _report_left_out(options, report)
    if found := _whole_sams(options):
        from sam_annotator.engine.device import choose_device

        order = _BEST_ON_GPU if choose_device(options.device).type == "cuda" else _BEST_ON_CPU
        for path, checkpoint in sorted(found, key=lambda pair: order.index(str(pair[1].model_type))):
            try:
                return _sam(path, checkpoint, options, report)
            except DamagedError as error:
                report(str(error))
    report("No Segment Anything checkpoint was found; the embedded segmenter is at work.")
    return _embedded_segmenter()


def _sam(path: Path, checkpoint: Checkpoint | None, options: EngineOptions, report: Report) -> Segmenter:
    from sam_annotator.engine.sam.segmenter import make_sam

    return make_sam(path, device=options.device, report=report, checkpoint=checkpoint)


def _stcn() -> Checkpoint:
    return next(checkpoint for checkpoint in load_manifest() if checkpoint.kind == "stcn")


def _sams() -> tuple[Checkpoint, ...]:
    return tuple(checkpoint for checkpoint in load_manifest() if checkpoint.kind == "sam")


def _whole_sams(options: EngineOptions) -> list[tuple[Path, Checkpoint]]:
    """The SAM checkpoints that are there and whole, as far as size and earlier readings tell; all copies of each."""
    return [(path, checkpoint) for checkpoint in _sams() for path in whole_copies(checkpoint, options.models)]


def _report_left_out(options: EngineOptions, report: Report) -> None:
    for checkpoint in _sams():
        if (damage := _left_out(checkpoint, options)) is not None:
            report(damage)


def _left_out(checkpoint: Checkpoint, options: EngineOptions) -> str | None:
    """Why a checkpoint that is there is not taken, as far as that is known without reading it; None: there is none."""
    path = find_checkpoint(checkpoint, options.models)
    if path is None or whole_copies(checkpoint, options.models):
        return None
    wrong_size = f"{path} has the wrong size and is left out; download it again from {checkpoint.url}."
    return damage_of(path, checkpoint) or wrong_size


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
    path = next(iter(whole_copies(checkpoint, options.models)), None) or find_checkpoint(checkpoint, options.models)
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


def _check_device_name(options: EngineOptions) -> None:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", options.device):
        raise InputError(
            f"There is no device '{options.device}'; choose --device auto, cpu, cuda, or cuda:1 and so on."
        )
