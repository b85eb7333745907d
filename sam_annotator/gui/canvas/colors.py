"""The colours of objects as Qt takes them."""

from PyQt5 import QtGui

from sam_annotator.core.colors import object_rgb


def object_color(object_id: int | None, alpha: int = 255) -> QtGui.QColor:
    """The colour of an object; grey for shapes without an id. Neighbouring ids get hues far apart."""
    return QtGui.QColor(*object_rgb(object_id), alpha)


LAMP_COLORS = {
    "encoded": QtGui.QColor(38, 166, 120),
    "encoding": QtGui.QColor(245, 180, 40),
    "not yet": QtGui.QColor(160, 164, 170),
}
"""Whether a frame is ready for clicks."""
