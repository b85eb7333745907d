"""One colour per object id: always the same, and no two that are taken for each other."""

from itertools import combinations

import numpy as np
from PyQt5 import QtGui
from skimage.color import rgb2lab

from sam_annotator.gui.canvas.colors import object_color


def lab(color: QtGui.QColor) -> np.ndarray:
    """The colour where distances are those that people see."""
    return rgb2lab(np.array([[color.getRgb()[:3]]], np.float64) / 255)[0, 0]


def test_colours_are_the_same_in_every_run_and_whatever_their_alpha() -> None:
    assert object_color(1).name() == "#38b4f9"  # blue, seldom the colour of what is annotated
    assert object_color(1, alpha=40).name() == object_color(1).name()


def test_the_first_51_ids_have_51_colours() -> None:
    assert len({object_color(object_id).name() for object_id in range(51)}) == 51


def test_objects_that_are_likely_together_are_told_apart_at_a_glance() -> None:
    colours = {object_id: lab(object_color(object_id)) for object_id in range(8)}
    nearest = min(float(np.linalg.norm(colours[a] - colours[b])) for a, b in combinations(colours, 2))
    assert nearest > 20, nearest


def test_neighbouring_ids_differ_strongly_however_many_there_are() -> None:
    for object_id in range(200):
        assert float(np.linalg.norm(lab(object_color(object_id)) - lab(object_color(object_id + 1)))) > 35


def test_every_colour_is_seen_on_dark_and_on_light() -> None:
    for object_id in range(51):
        lightness = float(lab(object_color(object_id))[0])
        assert 30 < lightness < 95, (object_id, lightness)


def test_what_has_no_id_is_grey_and_alpha_is_kept() -> None:
    grey = object_color(None, alpha=70)
    assert grey.red() == grey.green() == grey.blue()
    assert grey.alpha() == 70
    assert object_color(5, alpha=70).alpha() == 70
    assert object_color(-3).isValid()
