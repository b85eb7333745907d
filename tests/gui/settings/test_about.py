"""Help > About speaks of this program."""

from collections.abc import Callable

from labelme import __version__ as labelme_version

import sam_annotator
from sam_annotator.gui.driver import Driver


def test_about_says_what_the_program_is_its_version_its_licence_and_what_it_builds_on(
    make_annotation_window: Callable[..., Driver], take_dialog: Callable[[Driver], str]
) -> None:
    driver = make_annotation_window()
    actions = driver.window.labelme_menus.help.actions()
    (about,) = (action for action in actions if "About" in action.text())
    assert about.text() == "&About sam_annotator"
    about.trigger()
    said = take_dialog(driver)
    for words in (
        "<b>sam_annotator</b>",
        f"Version {sam_annotator.__version__}",
        "objects in video",
        "General Public License, version 3 or later",
        f"labelme</a> {labelme_version} by Kentaro Wada",
    ):
        assert words in said
