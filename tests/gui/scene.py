"""Small videos to test the window with: textured things that move over a textured ground, and where they are."""

import functools
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.core.prompt import Prompt, Proposal
from sam_annotator.engine.segmenter import Embedding

WIDTH, HEIGHT = 160, 120
BALL, BRICK = 1, 2

Mask = NDArray[np.bool_]


def ball_centre(index: int) -> tuple[int, int]:
    """(x, y) in frame `index`."""
    return 40 + 4 * index, 44 + 2 * index


def brick_centre(index: int) -> tuple[int, int]:
    """(x, y) in frame `index`."""
    return 116 - 3 * index, 78


def truth(thing: int, index: int) -> Mask:
    """Where the BALL or the BRICK is in a frame, bool (HEIGHT, WIDTH)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if thing == BALL:
        cv2.circle(mask, ball_centre(index), 22, 1, -1)
    else:
        x, y = brick_centre(index)
        cv2.rectangle(mask, (x - 24, y - 16), (x + 23, y + 15), 1, -1)
    return mask.astype(bool)


def frame(index: int) -> NDArray[np.uint8]:
    """RGB, uint8 (HEIGHT, WIDTH, 3)."""
    random = np.random.default_rng(7)
    image = _texture(random, (96, 132, 88), 26)
    things = ((_texture(random, (208, 66, 48), 22), BALL), (_texture(random, (58, 84, 190), 22), BRICK))
    for texture, thing in things:
        mask = truth(thing, index)
        image[mask] = texture[mask]
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)


def make_video(folder: Path, frames: int = 6) -> Path:
    """Write the frames as JPEG 00000.jpg, 00001.jpg, ..."""
    folder.mkdir(parents=True)
    for index in range(frames):
        (folder / f"{index:05d}.jpg").write_bytes(_jpeg(index))
    return folder


@functools.cache
def _jpeg(index: int) -> bytes:
    _, data = cv2.imencode(".jpg", frame(index)[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    return data.tobytes()


def _texture(random: np.random.Generator, color: tuple[int, int, int], roughness: float) -> NDArray[np.uint8]:
    noise = random.normal(0, roughness, (HEIGHT // 4, WIDTH // 4)).astype(np.float32)
    smooth = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)[:, :, None]
    return np.clip(np.asarray(color, np.float32) + smooth, 0, 255).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Answered:
    """What a proposal answers.

    Attributes:
        mark: the first pixel of the image, (red, green, blue).
        prompt, previous: as they were asked.
    """

    mark: tuple[int, ...]
    prompt: Prompt
    previous: Proposal | None


class DiscSegmenter:
    """A segmenter at the model boundary whose answers tell what they answer: discs around the last click.

    The three proposals have radius 6, 10 and 14; their `state` is an Answered. While `gate` is set to a semaphore,
    each answer waits for it.
    """

    name, key = "discs, cpu", ""

    def __init__(self) -> None:
        self.images = self.uses = 0
        self.threads: set[int] = set()  # that called it
        self.asked: list[Prompt] = []
        self.previous: list[Proposal | None] = []
        self.gate: threading.Semaphore | None = None
        self.error: Exception | None = None
        self._mark: tuple[int, ...] = ()
        self._shape = (0, 0)

    def set_image(self, image: NDArray[np.uint8]) -> None:
        self.use(self.encode(image))

    def encode(self, image: NDArray[np.uint8], should_stop: object = None) -> Embedding:
        self.images += 1
        self.threads.add(threading.get_ident())
        return Embedding(image.shape[:2], {"mark": image[0, 0].copy()})

    def use(self, embedding: Embedding) -> None:
        self.uses += 1
        self.threads.add(threading.get_ident())
        self._mark, self._shape = tuple(int(value) for value in embedding.arrays["mark"]), embedding.image_size

    def predict(self, prompt: Prompt, previous: Proposal | None = None) -> tuple[Proposal, ...]:
        self.threads.add(threading.get_ident())
        self.asked.append(prompt)
        self.previous.append(previous)
        answered = Answered(self._mark, prompt, previous)
        if self.gate is not None:
            self.gate.acquire(timeout=20)
        if self.error is not None:
            raise self.error
        x, y = prompt.points[-1] if prompt.points else prompt.box[:2]
        rows, columns = np.mgrid[: self._shape[0], : self._shape[1]]
        return tuple(
            Proposal((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2, 0.9 - radius / 100, answered)
            for radius in (6, 10, 14)
        )
