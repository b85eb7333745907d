"""Writing the sample videos and their truth: all of them, or nothing."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.samples.render import Scene, render
from sam_annotator.samples.scenes import SCENES, VERSION

MARKER = "samples.json"
_CREDITS = (
    "Made by `sam-annotator samples` from photographs that scikit-image carries: coffee.png, grass.png, astronaut.png, "
    "hubble_deep_field.jpg, moon.png, chelsea.png, rocket.jpg. Their authors: skimage.data in its documentation."
)


def make_samples(folder: Path, report: Callable[[str], None] | None = None, *, frames: int | None = None) -> list[Path]:
    """Make the sample videos and what is true in them; a set that is already there is left as it is.

    `videos/<name>/00000.jpg` are the frames. `truth/<name>/00000.png` says of each pixel which object is seen
    there (indexed colours, 0 for none). `truth/objects.json` holds, by video and object id, the object's `category`,
    and in frame 0 a `click` [x, y] well inside and a `box` [left, top, right, bottom], half-open.
    Equal versions write equal bytes.

    Args:
        folder: made by this call, or empty, or made by an earlier call.
        report: gets a sentence now and then.
        frames: stop each video after so many frames (for tests).

    Returns:
        The folders of the videos, in the order in which to look at them.

    Raises:
        InputError: the folder holds something else, or a set of another version; it is not touched.
        SaveError: the folder cannot be written.
    """
    say = report or _silent
    videos = [folder / "videos" / name for name in SCENES]
    target = Path(os.path.realpath(folder))
    if _is_made(folder, target, frames):
        say(f"The sample videos are already in {folder / 'videos'}.")
        return videos
    with _whole_or_nothing(folder, target) as unfinished:
        _write_all(unfinished, say, frames)
        _write_json(unfinished / MARKER, _mark(frames))
    return videos


def _write_all(folder: Path, say: Callable[[str], None], frames: int | None) -> None:
    objects = {}
    for number, (name, scene) in enumerate(SCENES.items(), start=1):
        say(f"Making sample video {number} of {len(SCENES)}: {name}.")
        objects[name] = _write_video(scene(), folder, frames)
    _write_json(folder / "truth" / "objects.json", objects)


def _write_video(scene: Scene, folder: Path, frames: int | None) -> dict[str, dict[str, Any]]:
    """Write frames and truth; returns what stands about this video in objects.json."""
    videos, truths = folder / "videos" / scene.name, folder / "truth" / scene.name
    videos.mkdir(parents=True)
    truths.mkdir(parents=True)
    described: dict[str, dict[str, Any]] = {}
    for index, frame in enumerate(render(scene, frames)):
        if index == 0:
            described = _describe(scene, frame.truth)
        Image.fromarray(frame.image).save(videos / f"{index:05d}.jpg", quality=92, subsampling=0)
        _indexed(frame.truth).save(truths / f"{index:05d}.png")
    return described


def _describe(scene: Scene, truth: NDArray[np.uint8]) -> dict[str, dict[str, Any]]:
    objects = {}
    for layer in sorted(scene.layers, key=lambda layer: layer.object_id):
        if layer.object_id:
            mask = truth == layer.object_id
            objects[str(layer.object_id)] = {"category": layer.category, "click": _deepest(mask), "box": _box(mask)}
    return objects


def _deepest(mask: NDArray[np.bool_]) -> list[int]:
    """The pixel [x, y] farthest from the mask's edge."""
    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return [int(x), int(y)]


def _box(mask: NDArray[np.bool_]) -> list[int]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def _indexed(truth: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(truth)
    image.putpalette([0, 0, 0, 230, 60, 60, 70, 160, 240])
    return image


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _mark(frames: int | None) -> dict[str, Any]:
    return {"version": VERSION, "frames": frames, "about": _CREDITS}


def _is_made(folder: Path, target: Path, frames: int | None) -> bool:
    """Whether the samples are there; False if the place is free.

    Raises:
        InputError: something else is there.
    """
    if _is_free(target):
        return False
    try:
        mark = json.loads((target / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{folder} holds something else than sample videos. Choose a folder that is new or empty "
            "(sam-annotator samples FOLDER)."
        ) from None
    if mark == _mark(frames) and all((target / "videos" / name / "00000.jpg").is_file() for name in SCENES):
        return True
    raise InputError(
        f"{folder} holds sample videos of another version, or only a part of them. Move the folder away, or choose "
        "another one (sam-annotator samples FOLDER)."
    )


def _is_free(target: Path) -> bool:
    try:
        return not target.exists() or not any(target.iterdir())
    except OSError:
        return False


@contextmanager
def _whole_or_nothing(folder: Path, target: Path) -> Iterator[Path]:
    """A folder to write into, beside the target; it takes the target's place if all goes well, else vanishes."""
    beside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
        unfinished = beside / "samples"  # inside, because mkdtemp's own folder is closed to other users
        unfinished.mkdir()
        yield unfinished
        if target.exists():
            target.rmdir()  # fails unless it is still empty
        unfinished.rename(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SaveError(
            f"Sample videos could not be written to {folder} ({reason}); nothing was left there. "
            "Free some space or choose a folder that can be written (sam-annotator samples FOLDER)."
        ) from error
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)


def _silent(_: str) -> None:
    pass
