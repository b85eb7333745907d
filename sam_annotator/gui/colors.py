"""One colour per object id, the same in every frame, list and picture."""

import colorsys

from PyQt5 import QtGui

_GOLDEN_RATIO = 0.618033988749895
_FIRST_HUE = 0.56  # object 1 is blue: seldom the colour of what is annotated


def object_color(object_id: int | None, alpha: int = 255) -> QtGui.QColor:
    """The colour of an object; grey for shapes without an id. Neighbouring ids get hues far apart."""
    if object_id is None:
        return QtGui.QColor(170, 170, 170, alpha)
    hue = (_FIRST_HUE + (object_id - 1) * _GOLDEN_RATIO) % 1.0
    lightness = 0.60 if object_id % 2 else 0.52
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.95)
    return QtGui.QColor(int(red * 255), int(green * 255), int(blue * 255), alpha)
