"""Train the small SAM, on pictures that it draws, and write its weights beside this file.

    python -m tests.small_sam.train [--steps 2600] [--pictures 2500] [--threads 1]

Twenty minutes on one core. Seeded: the same machine and versions give the same weights.

As SAM was trained (arXiv 2304.02643, appendix A): a point or a box first, then a click on what is wrong, with the
logits before as mask prompt; of three proposals the best one learns; scores learn the IoU. Besides, masks that hold
another shape too, or a part only, are corrected by clicks, as a person does who takes up a saved object.
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tests.engine.small_sam import small_sam
from tests.small_sam.pictures import Picture, box_of, deepest, draw_picture

WEIGHTS = Path(__file__).with_name("small_sam.pth")
SIDE, LOW = 128, 64  # pixels of the encoder's input, and of the decoder's masks
SHAPES = 3  # of each picture in a step
_DRAWN = 256
_SEED = 20261122
_SURE = 10.0  # logits of a mask that is taken up, as SamSegmenter makes them

Floats = NDArray[np.float32]
Prompts = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32] | None]


@dataclass(frozen=True)
class Example:
    """One picture at the encoder's size, and one of its shapes.

    Attributes:
        pixels: uint8 (height, width, 3), the longest side SIDE.
        covers: float32 (shapes, LOW, LOW): how much of each low-resolution pixel a shape covers.
        chosen: index of the shape that is asked for.
    """

    pixels: NDArray[np.uint8]
    covers: Floats
    chosen: int

    @property
    def truth(self) -> Floats:
        return self.covers[self.chosen]


def trained_architecture(seed: int = 0) -> Any:
    """The small SAM without its weights."""
    return small_sam(seed=seed, side=SIDE, width=96, depth=4, heads=3, patch=8, window=6, channels=64, mlp_ratio=2)


# --- pictures ----------------------------------------------------------------------------------------------------


def draw_pool(rng: np.random.Generator, count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Pictures at the encoder's size, and numbers of their shapes at _DRAWN pixels."""
    pool = []
    for _ in range(count):
        short = int(rng.integers(_DRAWN * 9 // 16, _DRAWN + 1) // 4 * 4)
        picture = draw_picture(rng, short, _DRAWN)
        size = (SIDE, short * SIDE // _DRAWN)
        pool.append((cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), _numbers(picture)))
    return pool


def _numbers(picture: Picture) -> NDArray[np.uint8]:
    numbers = np.zeros(picture.image.shape[:2], np.uint8)
    for number, mask in enumerate(picture.masks, 1):
        numbers[mask] = number
    return numbers


def choose_examples(
    rng: np.random.Generator, pool: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], count: int
) -> list[Example]:
    """A picture, turned, mirrored and recoloured, and some of its shapes (one twice, where there are too few)."""
    pixels, numbers = pool[int(rng.integers(len(pool)))]
    turns, flip = int(rng.integers(4)), -1 if rng.integers(2) else 1
    pixels, numbers = np.rot90(pixels, turns)[:, ::flip], np.rot90(numbers, turns)[:, ::flip]
    pixels = pixels[:, :, rng.permutation(3)]
    found = [number for number in range(1, int(numbers.max()) + 1) if (numbers == number).any()]
    covers = np.zeros((len(found), LOW, LOW), np.float32)
    height, width = (side * LOW // _DRAWN for side in numbers.shape)
    for index, number in enumerate(found):
        mask = np.ascontiguousarray(numbers == number).astype(np.float32)
        covers[index, :height, :width] = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    pixels = np.ascontiguousarray(pixels)
    order = rng.permutation(len(found))
    return [Example(pixels, covers, int(order[turn % len(order)])) for turn in range(count)]


# --- prompts, in pixels of the encoder's input ----------------------------------------------------------------------


def a_click(rng: np.random.Generator, cover: Floats) -> tuple[float, float]:
    """A place where the cover is one half at least; in the middle, or anywhere well inside."""
    inside = cover >= 0.5
    if not inside.any():
        inside = cover >= cover.max()
    if rng.random() < 0.5:
        column, row = deepest(inside)
    else:
        core = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        rows, columns = np.nonzero(core if core.any() else inside)
        at = int(rng.integers(len(rows)))
        column, row = columns[at], rows[at]
    scale = SIDE / LOW
    x, y = (np.array([column, row]) + rng.uniform(0.2, 0.8, 2)) * scale - 0.5
    return float(x), float(y)


def first_prompts(rng: np.random.Generator, examples: list[Example], is_box: bool) -> Prompts:
    """A point inside each shape, or a box around it that is not quite exact."""
    if not is_box:
        points = [[a_click(rng, example.truth)] for example in examples]
        return np.array(points, np.float32), np.ones((len(examples), 1), np.int64), None
    boxes = np.array([box_of(example.truth >= 0.5) for example in examples], np.float32) * (SIDE / LOW)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes += rng.normal(0, 0.04, boxes.shape).astype(np.float32) * sides
    return np.zeros((len(examples), 0, 2), np.float32), np.zeros((len(examples), 0), np.int64), boxes


def more_clicks(rng: np.random.Generator, examples: list[Example], logits: Floats, prompts: Prompts) -> Prompts:
    """One click more for each: in the largest region that the mask has wrong."""
    points, labels, boxes = prompts
    new, kinds = [], []
    for example, before in zip(examples, logits, strict=True):
        truth, mask = example.truth >= 0.5, before > 0
        missing, surplus = truth & ~mask, mask & ~truth
        include = missing.sum() >= surplus.sum()
        region = _largest(missing if include else surplus)
        new.append([a_click(rng, region if region.any() else example.truth)])
        kinds.append([int(include)])
    return np.concatenate([points, np.array(new, np.float32)], 1), np.concatenate([labels, np.array(kinds)], 1), boxes


def _largest(region: NDArray[np.bool_]) -> Floats:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros(region.shape, np.float32)
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), np.float32)


def taken_up(rng: np.random.Generator, example: Example) -> Floats:
    """Logits of a saved mask: the shape, or with another shape, or a half of it."""
    cover = example.truth
    kind = rng.random()
    if kind < 0.4 and len(example.covers) > 1:
        others = [index for index in range(len(example.covers)) if index != example.chosen]
        cover = np.maximum(cover, example.covers[others[int(rng.integers(len(others)))]])
    elif kind < 0.6:
        rows, columns = np.nonzero(cover >= 0.5)
        angle, places = rng.uniform(0, 2 * np.pi), np.mgrid[:LOW, :LOW]
        side = np.cos(angle) * (places[1] - columns.mean()) + np.sin(angle) * (places[0] - rows.mean())
        cover = np.where(side > 0, cover, 0)
    return np.asarray((2 * cover - 1) * _SURE, np.float32)


# --- the model in batches ---------------------------------------------------------------------------------------------


def encode(model: Any, examples: list[Example]) -> torch.Tensor:
    """float32 (examples, channels, grid, grid); each picture is encoded once for SHAPES examples."""
    images = [torch.from_numpy(example.pixels).permute(2, 0, 1).float() for example in examples[::SHAPES]]
    features: torch.Tensor = model.image_encoder(torch.stack([model.preprocess(image) for image in images]))
    return features.repeat_interleave(SHAPES, 0)


def decode(
    model: Any, features: torch.Tensor, prompts: Prompts | None, logits: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What MaskDecoder.predict_masks does for prompts on one image, for one prompt on each of many images.

    Returns:
        Logits (examples, 4, LOW, LOW), scores (examples, 4).
    """
    count, channels, grid, _ = features.shape
    points, boxes = None, None
    if prompts is not None:
        if prompts[0].shape[1]:
            points = (torch.from_numpy(prompts[0]), torch.from_numpy(prompts[1]))
        boxes = None if prompts[2] is None else torch.from_numpy(prompts[2])
    sparse, dense = model.prompt_encoder(points, boxes, None if logits is None else logits[:, None])
    decoder = model.mask_decoder
    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([own.expand(count, -1, -1), sparse.expand(count, -1, -1)], 1)
    places = model.prompt_encoder.get_dense_pe().expand(count, -1, -1, -1)
    answers, image = decoder.transformer(features + dense, places, tokens)
    image = decoder.output_upscaling(image.transpose(1, 2).reshape(count, channels, grid, grid))
    weights = torch.stack(
        [net(answers[:, 1 + index]) for index, net in enumerate(decoder.output_hypernetworks_mlps)], 1
    )
    return torch.einsum("nkc,nchw->nkhw", weights, image), decoder.iou_prediction_head(answers[:, 0])


def losses(logits: torch.Tensor, scores: torch.Tensor, truth: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """(examples, masks): cross entropy, dice, and how far the scores are from the IoU."""
    truth, known = truth[:, None], known[:, None]
    target = truth.expand_as(logits)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    entropy = (entropy * known).sum((2, 3)) / known.sum((2, 3))
    share = logits.sigmoid() * known
    dice = 1 - (2 * (share * target).sum((2, 3)) + 1) / (share.sum((2, 3)) + target.sum((2, 3)) + 1)
    with torch.no_grad():
        mask, wanted = (logits > 0) & (known > 0), target >= 0.5
        iou = (mask & wanted).sum((2, 3)) / (mask | wanted).sum((2, 3)).clamp(min=1)
    return 5 * entropy + dice + (scores - iou) ** 2


def best_of_three(each: torch.Tensor) -> torch.Tensor:
    """The loss of the first answer: the best of three proposals learns most, and so does the single one."""
    return (each[:, 0] + each[:, 1:].min(1).values + 0.1 * each[:, 1:].mean(1)).mean()


def batch_loss(model: Any, rng: np.random.Generator, examples: list[Example]) -> torch.Tensor:
    """First answers to points or to boxes, and a correction of them or of a mask that is taken up."""
    features = encode(model, examples)
    truth = torch.from_numpy(np.stack([example.truth for example in examples]))
    known = torch.zeros_like(truth)
    for index, example in enumerate(examples):
        height, width = (-(-side * LOW // SIDE) for side in example.pixels.shape[:2])
        known[index, :height, :width] = 1
    is_box = rng.random() < 0.35
    prompts = first_prompts(rng, examples, is_box)
    logits, scores = decode(model, features, prompts, None)
    total = best_of_three(losses(logits, scores, truth, known))
    if rng.random() < 0.5:
        return total + _taken_up_loss(model, rng, examples, features, truth, known)
    chosen = logits[torch.arange(len(examples)), 1 + scores[:, 1:].argmax(1)].detach()
    prompts = more_clicks(rng, examples, chosen.numpy(), prompts)
    logits, scores = decode(model, features, prompts, chosen)
    return total + losses(logits[:, :1], scores[:, :1], truth, known).mean()


def _taken_up_loss(
    model: Any, rng: np.random.Generator, examples: list[Example], features: torch.Tensor, truth: Any, known: Any
) -> torch.Tensor:
    kind = rng.random()
    if kind < 0.2:  # a mask prompt alone keeps the shape
        exact = torch.from_numpy(np.stack([(2 * example.truth - 1) * _SURE for example in examples]))
        logits, scores = decode(model, features, None, exact)
    else:
        before = np.stack([taken_up(rng, example) for example in examples])
        prompts: Prompts = (np.zeros((len(examples), 0, 2), np.float32), np.zeros((len(examples), 0), np.int64), None)
        if kind < 0.6:
            prompts = first_prompts(rng, examples, False)
        prompts = more_clicks(rng, examples, before, prompts)
        logits, scores = decode(model, features, prompts, torch.from_numpy(before))
    return losses(logits[:, :1], scores[:, :1], truth, known).mean()


# --- training ------------------------------------------------------------------------------------------------------


def train(steps: int, pictures: int, batch: int = 8) -> Any:
    """The trained model, in eval mode."""
    rng = np.random.default_rng(_SEED)
    model = trained_architecture(_SEED)
    for parameter in model.image_encoder.parameters():
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.trunc_normal_(parameter, std=0.02)
    pool = draw_pool(rng, pictures)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, total_steps=steps, pct_start=0.05)
    started, recent = time.monotonic(), 0.0
    for step in range(steps):
        examples = [example for _ in range(batch) for example in choose_examples(rng, pool, SHAPES)]
        loss = batch_loss(model, rng, examples)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent = loss.item() if step == 0 else 0.98 * recent + 0.02 * loss.item()
        if step % 100 == 0:
            took = time.monotonic() - started
            print(f"step {step} of {steps}: loss {recent:.3f}, {took:.0f} s", flush=True)  # noqa: T201
        if step % 500 == 499:
            save(model, WEIGHTS.with_suffix(".part"))
    return model.eval()


def save(model: Any, path: Path) -> None:
    """The weights in half precision: they are read as float32."""
    torch.save({name: tensor.half() for name, tensor in model.state_dict().items()}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--pictures", type=int, default=2500)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    save(train(options.steps, options.pictures), WEIGHTS)


if __name__ == "__main__":
    main()
