"""The image in the size in which it is shown: as labelme paints it, scaled once."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PyQt5 import QtCore, QtGui

from sam_annotator.gui.canvas.paint import ShrunkImage

pytestmark = pytest.mark.usefixtures("qapp")


def photograph(seed: int) -> QtGui.QPixmap:
    """Soft colours, 120 x 80."""
    colors = np.random.default_rng(seed).integers(0, 255, (4, 6, 3), np.uint8)
    small = QtGui.QImage(colors.tobytes(), 6, 4, 18, QtGui.QImage.Format_RGB888)
    large = small.scaled(120, 80, QtCore.Qt.IgnoreAspectRatio, QtCore.Qt.SmoothTransformation)
    return QtGui.QPixmap.fromImage(large)


def canvas() -> QtGui.QImage:
    image = QtGui.QImage(140, 100, QtGui.QImage.Format_RGB32)
    image.fill(QtCore.Qt.black)
    return image


def painted(shrunk: ShrunkImage, pixmap: QtGui.QPixmap, scale: float) -> NDArray[np.int16]:
    image = canvas()
    painter = QtGui.QPainter(image)
    shrunk.paint(painter, pixmap, scale)
    painter.end()
    return pixels(image)


def as_labelme(pixmap: QtGui.QPixmap, scale: float) -> NDArray[np.int16]:
    image = canvas()
    painter = QtGui.QPainter(image)
    painter.setRenderHint(QtGui.QPainter.SmoothPixmapTransform)
    target = QtCore.QRectF(0, 0, pixmap.width() * scale, pixmap.height() * scale)
    painter.drawPixmap(target, pixmap, QtCore.QRectF(pixmap.rect()))
    painter.end()
    return pixels(image)


def pixels(image: QtGui.QImage) -> NDArray[np.int16]:
    bits = image.constBits().asarray(image.sizeInBytes())
    return np.array(bits, np.uint8).reshape(image.height(), image.width(), 4)[..., :3].astype(np.int16)


@pytest.mark.parametrize("scale", [0.1, 0.43, 0.5, 0.99])
def test_it_is_painted_as_labelme_paints_it(scale: float) -> None:
    inside = np.s_[: int(80 * scale) - 1, : int(120 * scale) - 1]
    ours, theirs = painted(ShrunkImage(), photograph(1), scale), as_labelme(photograph(1), scale)
    assert np.abs(ours - theirs)[inside].max() <= 1


def test_another_image_or_size_is_painted_anew() -> None:
    shrunk, first, second = ShrunkImage(), photograph(1), photograph(2)
    assert np.array_equal(painted(shrunk, first, 0.5), painted(shrunk, first, 0.5))
    assert np.array_equal(painted(shrunk, second, 0.5), painted(ShrunkImage(), second, 0.5))
    assert np.array_equal(painted(shrunk, second, 0.7), painted(ShrunkImage(), second, 0.7))
