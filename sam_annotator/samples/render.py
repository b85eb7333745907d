"""Frames and their truth: layers over a background, exposed for a while like in a camera."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sam_annotator.samples.cutouts import Cutout
from sam_annotator.samples.motion import Affine, Path, Pose, placed
from sam_annotator.samples.photographs import Photograph

SHUTTER = 0.45  # the part of the time between two frames in which the camera's shutter is open
SUB_FRAMES = 7  # odd, so that one of them is the middle of the exposure, where the truth is taken

Region = tuple[slice, slice]


@dataclass(frozen=True)
class Shadow:
    """The soft shadow of a layer on the background.

    Attributes:
        shift: where it falls, in pixels of the frame (x, y) for a layer at scale 1.
        blur: how soft it is, in pixels of the cut-out.
        depth: how dark it is, 0..1.
    """

    shift: tuple[float, float]
    blur: float
    depth: float


@dataclass(frozen=True, eq=False)
class Layer:
    """One cut-out on its path.

    Attributes:
        cutout: the picture.
        path: where its centre is in the frame.
        object_id: from 1; 0 for scenery, which is no object of the truth.
        category: of the object; empty for scenery.
        shadow: what it casts on the background, if anything.
    """

    cutout: Cutout
    path: Path
    object_id: int = 0
    category: str = ""
    shadow: Shadow | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """What a video shows.

    Attributes:
        name: the video's name.
        width: of a frame, in pixels.
        height: of a frame, in pixels.
        length: number of frames.
        backdrop: float32 (height, width, 3), larger than a frame.
        camera: the backdrop's path in the frame; its `light` falls on everything.
        layers: from back to front.
        noise: the sensor's noise, standard deviation, 0..1.
    """

    name: str
    width: int
    height: int
    length: int
    backdrop: Photograph
    camera: Path
    layers: tuple[Layer, ...]
    noise: float = 0.008


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A frame and what is to be seen in it.

    Attributes:
        image: uint8 (height, width, 3), RGB.
        truth: uint8 (height, width): the object that is seen at each pixel, 0 where there is none.
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def render(scene: Scene, frames: int | None = None) -> Iterator[RenderedFrame]:
    """The scene's frames in order, or the first few of them. Equal scenes give equal bytes."""
    random = np.random.default_rng(0)
    grain = random.standard_normal((scene.height, scene.width, 3), np.float32) * np.float32(scene.noise)
    vignette = _vignette(scene.width, scene.height)
    shadows = [_shadow_matte(layer.cutout, layer.shadow) if layer.shadow else None for layer in scene.layers]
    interval = 1 / (scene.length - 1)
    for index in range(scene.length if frames is None else min(frames, scene.length)):
        time = index * interval
        canvas, truth = _compose(scene, time, interval, shadows)
        canvas *= vignette * np.float32(scene.camera.at(time).light)
        canvas += np.roll(grain, tuple(random.integers(0, 300, 2)), (0, 1))
        yield RenderedFrame(np.round(np.clip(canvas, 0, 1) * 255).astype(np.uint8), truth)


def _compose(
    scene: Scene, time: float, interval: float, shadows: list[NDArray[np.float32] | None]
) -> tuple[Photograph, NDArray[np.uint8]]:
    canvas = _backdrop(scene, time)
    truth = np.zeros((scene.height, scene.width), np.uint8)
    for layer, matte in zip(scene.layers, shadows, strict=True):
        if layer.shadow is not None and matte is not None:
            _cast(canvas, layer.shadow, matte, layer.path.at(time))
        _lay(canvas, truth, layer, time + np.linspace(-0.5, 0.5, SUB_FRAMES) * SHUTTER * interval)
    return canvas, truth


def _backdrop(scene: Scene, time: float) -> Photograph:
    height, width = scene.backdrop.shape[:2]
    affine = placed(scene.camera.at(time), width, height)
    size = scene.width, scene.height
    view = cv2.warpAffine(scene.backdrop, affine, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(view)


def _lay(canvas: Photograph, truth: NDArray[np.uint8], layer: Layer, times: NDArray[np.float64]) -> None:
    """Put a layer on the canvas, smeared over the times, and into the truth as it stands at the middle one."""
    poses = [layer.path.at(time) for time in times]
    height, width = layer.cutout.matte.shape
    affines = [placed(pose, width, height) for pose in poses]
    region = _region(affines, (width, height), canvas.shape)
    if region is None:
        return
    views = [_warp(layer.cutout.pixels, affine, region) for affine in affines]
    middle = len(views) // 2
    if layer.object_id:
        truth[region][views[middle][:, :, 3] >= 0.5] = layer.object_id
    smeared = sum(views[1:], views[0]) / np.float32(len(views))
    light = np.float32(poses[middle].light)
    canvas[region] = canvas[region] * (1 - smeared[:, :, 3:]) + smeared[:, :, :3] * light


def _cast(canvas: Photograph, shadow: Shadow, matte: NDArray[np.float32], pose: Pose) -> None:
    affine = placed(pose, matte.shape[1], matte.shape[0])
    affine[:, 2] += np.array(shadow.shift) * pose.scale
    region = _region([affine], (matte.shape[1], matte.shape[0]), canvas.shape)
    if region is not None:
        canvas[region] *= 1 - np.float32(shadow.depth) * _warp(matte, affine, region)[:, :, None]


def _shadow_matte(cutout: Cutout, shadow: Shadow) -> NDArray[np.float32]:
    matte = np.pad(cutout.matte, round(3 * shadow.blur))
    return np.asarray(cv2.GaussianBlur(matte, (0, 0), shadow.blur))


def _region(affines: list[Affine], size: tuple[int, int], shape: tuple[int, ...]) -> Region | None:
    """The part of the frame that a picture of this size reaches at any of the affines; None outside the frame."""
    width, height = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64)
    reached = np.concatenate([corners @ affine.T for affine in affines])
    left, top = np.clip(np.floor(reached.min(0)).astype(int) - 2, 0, (shape[1], shape[0]))
    right, bottom = np.clip(np.ceil(reached.max(0)).astype(int) + 2, 0, (shape[1], shape[0]))
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)


def _warp(picture: NDArray[np.float32], affine: Affine, region: Region) -> NDArray[np.float32]:
    rows, columns = region
    moved = affine.copy()
    moved[:, 2] -= columns.start, rows.start
    size = columns.stop - columns.start, rows.stop - rows.start
    view = cv2.warpAffine(picture, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    return np.asarray(view)


def _vignette(width: int, height: int) -> NDArray[np.float32]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot((x / width - 0.5) * 1.2, y / height - 0.5)
    return np.asarray((1 - 0.35 * np.clip(distance - 0.25, 0, None) ** 1.5)[:, :, None], np.float32)
