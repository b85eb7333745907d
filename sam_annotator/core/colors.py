"""One colour per object id, the same in every frame, list and picture."""

import colorsys
from typing import Final

_GOLDEN_RATIO: Final = 0.618033988749895
_FIRST_HUE: Final = 0.56  # object 1 is blue: seldom the colour of what is annotated
_GREY: Final = (170, 170, 170)


def object_rgb(object_id: int | None) -> tuple[int, int, int]:
    """(red, green, blue), 0..255; grey for shapes without an id. Neighbouring ids get hues far apart."""
    if object_id is None:
        return _GREY
    hue = (_FIRST_HUE + (object_id - 1) * _GOLDEN_RATIO) % 1.0
    lightness = 0.60 if object_id % 2 else 0.52
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.95)
    return int(red * 255), int(green * 255), int(blue * 255)
