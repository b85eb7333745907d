"""Masks drawn over frames, for pictures that people look at."""

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sam_annotator.core.colors import object_rgb
from sam_annotator.core.fonts import font_for
from sam_annotator.core.masks import bounding_box
from sam_annotator.core.raster import Box, Mask

Pixels = NDArray[np.uint8]
"""RGB, uint8 (height, width, 3)."""

_FILL: Final = 0.45


def draw_masks(image: Pixels, masks: Mapping[int, Mask], labels: Mapping[int, str], text_height: int) -> Pixels:
    """A copy of the image with each mask filled, outlined and named in the colour of its object.

    Args:
        image: RGB, uint8 (height, width, 3).
        masks: bool (height, width) by object id.
        labels: categories by object id.
        text_height: of the names in pixels.
    """
    drawn = image.copy()
    for object_id, mask in masks.items():
        _tint(drawn, mask, object_rgb(object_id))
    picture = Image.fromarray(drawn)
    written: list[Box] = []
    for object_id, mask in masks.items():
        box = bounding_box(mask)
        if box is not None:
            name = f"{labels.get(object_id, '')} {object_id}"
            colour = object_rgb(object_id)
            place = (box[0], box[1])
            written.append(draw_text(picture, place, name, colour, text_height, above=True, avoid=written))
    return np.array(picture)


def draw_text(
    picture: Image.Image,
    place: tuple[int, int],
    text: str,
    colour: tuple[int, int, int],
    height: int,
    *,
    above: bool = False,
    avoid: Sequence[Box] = (),
) -> Box:
    """Write on a dark ground, so that it is read on any image; kept inside the picture.

    Args:
        avoid: (left, top, right, bottom) of texts that it may not cover; it goes below them where there is room.

    Returns:
        where it stands.
    """
    font, text = font_for(text, height)
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    width, tall = int(right - left) + 4, int(bottom - top) + 4
    x = max(min(place[0], picture.width - width), 0)
    y = max(min(place[1] - tall * above, picture.height - tall), 0)
    for other in sorted(avoid, key=lambda box: box[1]):
        beside = x + width < other[0] or x > other[2]
        if not beside and y <= other[3] and y + tall >= other[1] and other[3] + 1 + tall <= picture.height:
            y = other[3] + 1
    draw.rectangle((x, y, x + width, y + tall), fill=(20, 20, 20))
    draw.text((x + 2 - left, y + 2 - top), text, fill=colour, font=font)
    return x, y, x + width, y + tall


def fit(image: Pixels, width: int, height: int) -> Pixels:
    """The image scaled into a frame of this size, black around it where the proportions differ."""
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1)
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    framed = np.zeros((height, width, 3), np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    framed[y : y + inner[1], x : x + inner[0]] = scaled
    return framed


def _tint(image: Pixels, mask: Mask, colour: tuple[int, int, int]) -> None:
    image[mask] = (image[mask] * (1 - _FILL) + np.array(colour) * _FILL).astype(np.uint8)
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(image, contours, -1, colour, max(round(image.shape[0] / 360), 1))
