"""Starting the window: application, settings, folder."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam_annotator.core.categories import read_categories
from sam_annotator.core.errors import InputError
from sam_annotator.core.videos import find_videos


def run_window(
    *, videos: Path | None, output: Path | None, labels: str | None, keymap: str | None, engines: Mapping[str, Any]
) -> int:
    """Open the window and return when it is closed, with the exit status.

    Raises:
        InputError: the folder, the file of categories or the settings cannot be used; no window was opened.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    found = [] if videos is None else find_videos(videos)  # says what is wrong with it before a window comes up
    categories = tuple(category.name for category in read_categories(Path(labels))) if labels else ()
    _check_display()
    from sam_annotator.gui.application import quiet_qt

    quiet_qt()
    window, application = make_window(output=output, categories=categories, keymap=keymap, engines=engines)
    window.show()
    if found:
        window.open_videos(found)
    return application.exec_()


def make_window(
    *,
    output: Path | None = None,
    categories: tuple[str, ...] = (),
    keymap: str | None = None,
    engines: Mapping[str, Any] | None = None,
    profile: Path | None = None,
) -> tuple[Any, Any]:
    """The window, not yet shown, and its application.

    Args:
        profile: a folder for the window's memory (layout, last categories) instead of the person's own.

    Raises:
        InputError: the settings or the output folder cannot be used.
    """
    from sam_annotator.gui.application import make_application, open_memory
    from sam_annotator.gui.keymaps import PRESETS, load_settings
    from sam_annotator.gui.window import AnnotationWindow

    application = make_application()
    memory = open_memory(profile)
    preset = keymap or memory.value("keymap", PRESETS[0])
    if preset not in PRESETS:
        preset = PRESETS[0]
    memory.setValue("keymap", preset)
    window = AnnotationWindow(
        settings=load_settings(preset),
        memory=memory,
        preset=preset,
        output=output,
        categories=categories,
        engines=engines,
    )
    return window, application


def _check_display() -> None:
    """Qt aborts the process without a display; say it in a sentence instead."""
    import os

    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise InputError(
            "There is no display to open a window on (DISPLAY is not set). `sam-annotator demo` works without one; "
            "`sam-annotator propagate` and `convert` do, too."
        )
