"""Open a file of weights safely, and say in one sentence what is wrong with one that does not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sam_annotator.core.errors import EngineError
from sam_annotator.core.weights.damage import DamagedError, damage_noted
from sam_annotator.core.weights.manifest import Checkpoint, has_right_size
from sam_annotator.core.weights.published import check_hash
from sam_annotator.engine.out_of_memory import is_out_of_memory
from sam_annotator.engine.sam.architecture import PUBLISHED_WIDTHS, build_like, build_published, sam_width

State = dict[str, torch.Tensor]

_WRAPPERS = ("model", "state_dict")  # where training scripts put the weights beside an optimizer's


def read_state(
    path: Path, checkpoint: Checkpoint | None = None, report: Callable[[str], None] = lambda _text: None
) -> State:
    """The tensors of a file of weights, by name, on the CPU. Runs no code that the file may hold.

    Args:
        path: the file.
        checkpoint: what is known of the file, if it is a published one.
        report: is told how far a first reading of a large file is; what it raises ends that.

    Raises:
        DamagedError: it is not there, cut short, not what was published under its name, or no file of weights.
        EngineError: there is no memory for it.
    """
    if checkpoint is not None and path.is_file() and not has_right_size(checkpoint, path):
        raise DamagedError(
            f"{path} has {path.stat().st_size:,} bytes instead of {checkpoint.bytes:,}, so it was cut short or is "
            f"another file; download it again from {checkpoint.url}."
        )
    try:
        path.open("rb").close()  # apart from reading: torch raises OSError for damaged files as well
        if checkpoint is not None:
            check_hash(path, checkpoint, report)
    except OSError as error:
        raise DamagedError(f"{path} cannot be opened ({error.strerror or error}); check the file's name.") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle raises anything, struct.error and AssertionError too
        if isinstance(error, (RuntimeError, MemoryError)) and is_out_of_memory(error):
            raise EngineError(
                f"{path} does not fit into memory; close other programs, or choose a smaller one."
            ) from error
        raise DamagedError(
            f"{path} cannot be read as a file of weights: it was cut short, or is something else, such as a web page "
            f"saved in its place. {_advice(checkpoint)}"
        ) from error
    return _tensors(loaded, path)


def load_sam(
    path: Path, checkpoint: Checkpoint | None = None, report: Callable[[str], None] = lambda _text: None
) -> tuple[Any, str]:
    """Make the SAM that a file of weights is for.

    The kind is told from the weights, so that a file of one's own works too: tuned from a published one, or of other
    sizes.

    Returns:
        The model (`segment_anything.modeling.Sam`; CPU, float32, eval, no gradients) and its type: `vit_b` or so, or
        `of 4 blocks` for one of other sizes.

    Raises:
        DamagedError: the file is damaged, its weights are not those of a SAM, or of another one than `checkpoint` is.
            That is remembered until the file changes.
        EngineError: there is no memory for it.
    """
    with damage_noted(path, checkpoint):
        return _load_sam(path, checkpoint, report)


def _load_sam(path: Path, checkpoint: Checkpoint | None, report: Callable[[str], None]) -> tuple[Any, str]:
    state = read_state(path, checkpoint, report)
    width = sam_width(state)
    if width is None:
        raise DamagedError(
            f"{path} is not a checkpoint of Segment Anything (there is no image_encoder.pos_embed in it). "
            f"{_advice(checkpoint)}"
        )
    model_type = PUBLISHED_WIDTHS.get(width)
    _check_type(model_type, width, path, checkpoint)
    model = _build_like(state, width, path) if model_type is None else build_published(model_type)
    what = model_type or f"of {len(model.image_encoder.blocks)} blocks"
    check_state(state, model, path, what=f"SAM {what}", advice=_advice(checkpoint))
    model.load_state_dict(state, assign=True)
    return model.float().eval().requires_grad_(False), what


def check_state(state: State, model: torch.nn.Module, path: Path, *, what: str, advice: str) -> None:
    """See that the weights are exactly those of the model: each name, each shape; and that they are numbers.

    Raises:
        DamagedError: they are not; says how many and the first.
    """
    expected = {name: tensor.shape for name, tensor in model.state_dict().items()}
    problems = {
        "missing": sorted(expected.keys() - state.keys()),
        "unknown": sorted(state.keys() - expected.keys()),
        "of another shape": sorted(
            name for name in expected.keys() & state.keys() if expected[name] != state[name].shape
        ),
    }
    found = [f"{len(names)} are {problem} (such as {names[0]})" for problem, names in problems.items() if names]
    if found:
        raise DamagedError(f"{path} does not hold the weights of {what}: {', '.join(found)}. {advice}")
    broken = sorted(name for name, tensor in state.items() if not all_finite(tensor))
    if broken:
        raise DamagedError(
            f"{path} is damaged: {len(broken)} of its weights are no numbers (such as {broken[0]}). {advice}"
        )


def all_finite(tensor: torch.Tensor) -> bool:
    """Whether nothing in it is infinite or no number; as fast as it can be read."""
    if not tensor.is_floating_point():
        return True
    total = tensor.sum(dtype=torch.promote_types(tensor.dtype, torch.float32))
    # finite numbers may add up to infinity, but nothing else adds up to a finite number
    return bool(torch.isfinite(total)) or bool(torch.isfinite(tensor).all())


def _check_type(found: str | None, width: int, path: Path, checkpoint: Checkpoint | None) -> None:
    """See that a file under a published name holds that very model."""
    if checkpoint is not None and checkpoint.model_type not in (None, found):
        raise DamagedError(
            f"{path} holds SAM {found or f'with an encoder {width} wide'}, and not {checkpoint.model_type} as its "
            f"name says. {_advice(checkpoint)}"
        )


def _build_like(state: State, width: int, path: Path) -> Any:
    try:
        return build_like(state)
    except ValueError as error:
        raise DamagedError(
            f"{path} is not a checkpoint of Segment Anything's vit_b, vit_l or vit_h (its encoder is {width} wide), "
            f"nor of a SAM of other sizes: {error}. Choose one that `sam-annotator models list` shows."
        ) from error


def _tensors(loaded: Any, path: Path) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if (
        not isinstance(loaded, dict)
        or not loaded
        or not all(isinstance(value, torch.Tensor) for value in loaded.values())
    ):
        raise DamagedError(
            f"{path} holds no weights by name; choose a checkpoint that `sam-annotator models list` shows."
        )
    return {str(name): tensor for name, tensor in loaded.items()}


def _advice(checkpoint: Checkpoint | None) -> str:
    if checkpoint is None:
        return "Choose another file; `sam-annotator models list` shows the published ones."
    return f"Download it again from {checkpoint.url}."
