"""The thumbnails of proposals: what they show, and what they say when they are clicked."""

import numpy as np
import pytest
from PyQt5 import QtGui, QtWidgets
from pytestqt.qtbot import QtBot

from sam_annotator.core.prompt import Proposal
from sam_annotator.gui.docks.proposals import ProposalsPanel
from tests.gui.docks.clicks import left_click


def proposal(score: float, left: int = 10) -> Proposal:
    mask = np.zeros((60, 80), bool)
    mask[20:40, left : left + 20] = True
    return Proposal(mask, score)


@pytest.fixture
def proposals_panel(qtbot: QtBot) -> ProposalsPanel:
    panel = ProposalsPanel()
    qtbot.addWidget(panel)
    panel.show()
    return panel


def buttons(panel: QtWidgets.QWidget) -> list[QtWidgets.QToolButton]:
    return panel.findChildren(QtWidgets.QToolButton)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_as_many_thumbnails_can_be_clicked_as_there_are_proposals(proposals_panel: ProposalsPanel, count: int) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.9 - index / 10) for index in range(count)], 0)
    assert [button.isEnabled() for button in buttons(proposals_panel)] == [index < count for index in range(3)]
    assert [not button.icon().isNull() for button in buttons(proposals_panel)] == [index < count for index in range(3)]
    accept, reject = proposals_panel.findChildren(QtWidgets.QPushButton)
    assert accept.isEnabled() == reject.isEnabled() == bool(count)


def test_a_thumbnail_says_its_key_and_score_and_the_chosen_one_is_pressed(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.91), proposal(0.82), proposal(0.73)], 1)
    assert [button.text().split() for button in buttons(proposals_panel)] == [
        ["1", "0.91"],
        ["2", "0.82"],
        ["3", "0.73"],
    ]
    assert [button.isChecked() for button in buttons(proposals_panel)] == [False, True, False]


def test_clicks_on_thumbnails_and_buttons_are_told(proposals_panel: ProposalsPanel) -> None:
    said: list[object] = []
    proposals_panel.chosen.connect(said.append)
    proposals_panel.accepted.connect(lambda: said.append("accepted"))
    proposals_panel.rejected.connect(lambda: said.append("rejected"))
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    proposals_panel.show_proposals(image, [proposal(0.9), proposal(0.8)], 0)
    for widget in (*buttons(proposals_panel), *proposals_panel.findChildren(QtWidgets.QPushButton)):
        left_click(widget)
    assert said == [0, 1, "accepted", "rejected"]


def test_the_thumbnail_shows_the_part_of_the_image_around_the_mask(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    image.fill(QtGui.QColor(0, 0, 160))
    proposals_panel.show_proposals(image, [proposal(0.9)], 0)
    picture = buttons(proposals_panel)[0].icon().pixmap(92, 72).toImage()
    middle = QtGui.QColor(picture.pixel(picture.width() // 2, picture.height() // 2))
    corner = QtGui.QColor(picture.pixel(2, 2))
    assert corner.blue() > 150
    assert corner.red() < 10
    assert middle.red() > 60  # tinted


def test_a_mask_at_the_border_or_without_pixels_has_a_thumbnail_too(proposals_panel: ProposalsPanel) -> None:
    image = QtGui.QImage(80, 60, QtGui.QImage.Format_RGB888)
    at_border, empty = proposal(0.9, left=60), Proposal(np.zeros((60, 80), bool), 0.1)
    proposals_panel.show_proposals(image, [at_border, empty], 0)
    assert [not button.icon().isNull() for button in buttons(proposals_panel)] == [True, True, False]
