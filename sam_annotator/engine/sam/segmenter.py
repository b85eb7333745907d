"""Segment Anything behind the segmenter contract, with the unmodified package `segment-anything`.

Paper: Kirillov et al., Segment Anything, arXiv 2304.02643.
"""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from sam_annotator.core.errors import EngineError
from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.core.weights.manifest import Checkpoint, describe_bytes
from sam_annotator.engine.checkpoints import load_sam
from sam_annotator.engine.device import choose_device, fastest_precision
from sam_annotator.engine.fitting import require_image
from sam_annotator.engine.sam.encoder import FastEncoder
from sam_annotator.engine.sam.ladder import Ladder, Rung, precision_name, rungs_below
from sam_annotator.engine.sam.torchvision_standin import import_segment_anything
from sam_annotator.engine.segmenter import Embedding, never

_EXACT = Rung(torch.device("cpu"), torch.float32)

_SURE = 10.0
"""Logit for a pixel that a saved mask holds, of the size that SAM itself gives to pixels it is sure of."""


def make_sam(
    path: Path,
    *,
    device: str = "auto",
    report: Callable[[str], None] = lambda _text: None,
    checkpoint: Checkpoint | None = None,
) -> "SamSegmenter":
    """Load a SAM from its file of weights.

    Args:
        path: the file.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, ...
        report: is told what is being loaded; and later, when memory is short, where SAM goes on.
        checkpoint: what the manifest knows of the file, if it is a published one.

    Raises:
        InputError: no such device.
        EngineError: the file is damaged or not SAM's, or the model does not fit into the device's memory.
    """
    chosen = choose_device(device)
    size = f" ({describe_bytes(path.stat().st_size)})" if path.is_file() else ""
    report(f"Loading Segment Anything from {path.name}{size} ...")
    model, model_type = load_sam(path, checkpoint, report)
    rung = Rung(chosen, fastest_precision(chosen))
    with _failures_explained(f"SAM {model_type}, {rung}"):
        key = encoder_key(model)
        return SamSegmenter(model, name=f"SAM {model_type}", rung=rung, key=key, report=report)


def encoder_key(model: Any) -> str:
    """Names the image encoder of a `Sam` on the CPU by the content of its weights: `sam-1-` and 32 hex digits.

    The number counts changes of how images are prepared for it. Prompt encoder and mask decoder have no part in it.
    """
    weights = model.image_encoder.state_dict()

    def digest(name: str) -> bytes:
        found = hashlib.sha256(f"{name} {tuple(weights[name].shape)} ".encode())
        found.update(weights[name].detach().contiguous().reshape(-1).view(torch.uint8).numpy())
        return found.digest()

    with ThreadPoolExecutor() as pool:  # hashing lets other threads run; vit_h has 2.5 GB
        return f"sam-1-{hashlib.sha256(b''.join(pool.map(digest, sorted(weights)))).hexdigest()[:32]}"


class SamSegmenter:
    """A segmenter that asks SAM. Its embeddings hold one array, `features`: float32 (256, 64, 64).

    Where the device has too little memory, the question is asked again on the next rung of a ladder: caches emptied,
    smaller numbers, the processor; there it stays.

    Attributes:
        key: of the image encoder's weights; see `encoder_key`.
    """

    def __init__(
        self,
        model: Any,
        *,
        name: str,
        rung: Rung = _EXACT,
        key: str = "",
        lower: tuple[Rung, ...] | None = None,
        report: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """
        Args:
            model: a `segment_anything.modeling.Sam` on the CPU, float32; its decoder is moved to the device, its
                encoder stays as it is.
            name: of the model, for people.
            rung: device, and precision of the image encoder; the decoder, which is quick, always computes in float32.
            key: `encoder_key(model)`; without it, embeddings are not kept in files.
            lower: where to go on when memory is short; None: smaller numbers, then the CPU.
            report: is told when that happens.

        Raises:
            EngineError: the model does not fit into memory.
        """
        self.key = key
        self._name = name
        self._predictor = import_segment_anything().SamPredictor(_with_fast_encoder(model, rung.precision))
        self._low_size: tuple[int, int] = tuple(model.prompt_encoder.mask_input_size)
        self._in_use: Embedding | None = None
        self._ladder = Ladder(rung, rungs_below(rung) if lower is None else lower, report)
        self._rounded = rung.precision
        self._compute(lambda: self._predictor.model.to(rung.device))

    @property
    def name(self) -> str:
        """Model, device and precision, such as `SAM vit_b, cpu float32`; and what ran out of memory.

        Weights that were rounded for a rung above stay so, and the name says it: in bfloat16 masks are the same where
        they mean something.
        """
        rung, full = self._ladder.rung, ", ".join(str(rung) for rung in self._ladder.fallen_from)
        rounded = f", weights rounded to {precision_name(self._rounded)}" if self._rounded != rung.precision else ""
        return f"{self._name}, {rung}{rounded}" + (f" ({full} ran out of memory)" if full else "")

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Encode an image and use it: uint8 (height, width, 3), RGB.

        Raises:
            EngineError: it is no such array, or the model failed; then no image is in use.
        """
        self._forget()
        self.use(self.encode(image))

    def encode(self, image: NDArray[np.uint8], should_stop: Callable[[], bool] = never) -> Embedding:
        """Compute the features of an image: uint8 (height, width, 3), RGB; `should_stop` is asked between its blocks.

        Raises:
            EncodingStopped: `should_stop` said so.
            EngineError: it is no such array, or the model failed.
        """
        require_image(image)
        scaled = self._predictor.transform.apply_image(np.ascontiguousarray(image))
        self._predictor.model.image_encoder.should_stop = should_stop
        features = self._compute(lambda: self._encode(scaled))
        return Embedding((image.shape[0], image.shape[1]), {"features": features})

    def use(self, embedding: Embedding) -> None:
        """Answer prompts on the image of this embedding from now on.

        Raises:
            EngineError: its features are not of this model's shape, or do not fit into memory; no image is in use.
        """
        self._forget()
        encoder = self._predictor.model.prompt_encoder
        features, shape = embedding.arrays.get("features"), (encoder.embed_dim, *encoder.image_embedding_size)
        if features is None or features.shape != shape:
            raise EngineError("What is kept of this frame is of another segmenter; go to the frame again.")
        self._compute(lambda: self._place(embedding))
        self._in_use = embedding

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        """Three proposals for a prompt, best first; one if `previous` is to be refined.

        Points and box count together. A `previous` without SAM's own state (a saved mask) is taken up by its
        mask; one whose mask is empty says nothing and is left out. `state` of each proposal: low-resolution
        logits, float32 (256, 256), in the frame of the image scaled to 1024 pixels on its longest side.

        Raises:
            EngineError: no image was set, there is nothing to segment by, `previous` is of another size, or the
                model failed.
        """
        mask_input = self._mask_input(previous)
        if mask_input is None and prompt.is_empty:
            raise EngineError("There is nothing to segment by: click on the object, or draw a box around it.")
        masks, scores, states = self._compute(
            lambda: self._predictor.predict(
                point_coords=np.array(prompt.points, np.float64) if prompt.points else None,
                point_labels=np.array(prompt.includes, np.int64) if prompt.points else None,
                box=None if prompt.box is None else np.array(prompt.box, np.float64),
                mask_input=mask_input,
                multimask_output=mask_input is None,
            )
        )
        return tuple(
            Proposal(mask=masks[index], score=float(np.clip(scores[index], 0, 1)), state=states[index])
            for index in np.argsort(-scores, kind="stable")
        )

    def _mask_input(self, previous: Proposal | None) -> NDArray[np.float32] | None:
        """What SAM takes as a mask prompt, float32 (1, 256, 256), or None."""
        if not self._predictor.is_image_set:
            raise EngineError("The segmenter has no frame yet: set an image before asking for masks.")
        if previous is None:
            return None
        if previous.mask.shape != tuple(self._predictor.original_size):
            raise EngineError(
                f"The mask to refine is of an image of another size, {previous.mask.shape} instead of "
                f"{tuple(self._predictor.original_size)} (height, width); choose a mask of this frame."
            )
        if isinstance(previous.state, np.ndarray) and previous.state.shape == self._low_size:
            return previous.state[None].astype(np.float32, copy=False)
        if not previous.mask.any():
            return None
        return mask_to_logits(previous.mask, self._predictor.input_size, self._low_size)[None]

    def _compute(self, act: Callable[[], Any]) -> Any:
        with _failures_explained(self.name), torch.inference_mode():
            return self._ladder.compute(act, self._move)

    def _encode(self, scaled: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features (256, 64, 64) of an image whose longest side is that of the encoder's input."""
        model = self._predictor.model
        pixels = torch.as_tensor(scaled, device=self._ladder.rung.device).permute(2, 0, 1)[None]
        features: NDArray[np.float32] = model.image_encoder(model.preprocess(pixels))[0].cpu().numpy()
        return features

    def _place(self, embedding: Embedding) -> None:
        """Let the predictor believe that it has encoded the image itself."""
        predictor, features = self._predictor, torch.tensor(embedding.arrays["features"], dtype=torch.float32)
        predictor.features = features.to(self._ladder.rung.device)[None]
        transform = predictor.transform
        predictor.original_size = embedding.image_size
        predictor.input_size = transform.get_preprocess_shape(*embedding.image_size, transform.target_length)
        predictor.is_image_set = True

    def _forget(self) -> None:
        self._in_use = None
        self._predictor.reset_image()

    def _move(self, rung: Rung) -> None:
        self._predictor.reset_image()
        model = self._predictor.model.to(rung.device)
        model.image_encoder.set_precision(rung.precision)
        if rung.precision.itemsize < self._rounded.itemsize:
            self._rounded = rung.precision
        if self._in_use is not None:
            self._place(self._in_use)


def _with_fast_encoder(model: Any, precision: torch.dtype) -> Any:
    """A `Sam` of the same weights whose encoder is FastEncoder."""
    fast = FastEncoder(model.image_encoder, precision)
    colors = (values.flatten().tolist() for values in (model.pixel_mean, model.pixel_std))
    return type(model)(fast, model.prompt_encoder, model.mask_decoder, *colors).eval()


def mask_to_logits(
    mask: NDArray[np.bool_], input_size: tuple[int, int], low_size: tuple[int, int]
) -> NDArray[np.float32]:
    """A mask as SAM's mask prompt.

    The mask is scaled as the image was, a quarter of that, and padded at the right and at the bottom. The logit
    rises with the part of the low-resolution pixel that the mask covers: -10 outside, 0 at one half, +10 inside,
    so that scaling the logits up again gives the mask's outline.

    Args:
        mask: bool (height, width).
        input_size: (height, width) of the image as the encoder saw it, without padding; 1024 on the longest side.
        low_size: (height, width) of the result, (256, 256) in the published models.

    Returns:
        float32 of `low_size`.
    """
    scale = max(low_size) / max(input_size)
    height, width = (max(1, round(side * scale)) for side in input_size)
    cover = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    logits = np.full(low_size, -_SURE, np.float32)
    logits[:height, :width] = (2 * cover - 1) * _SURE
    return logits


@contextmanager
def _failures_explained(name: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:  # torch's out-of-memory errors are RuntimeErrors
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise EngineError(
            f"{name} failed: {reason.rstrip('.')}. If memory is short, choose a smaller checkpoint (--sam sam_vit_b) "
            "or --device cpu."
        ) from error
