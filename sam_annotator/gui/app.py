"""Starting the window: application, settings, folder."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam_annotator.core.annotation import read_annotation
from sam_annotator.core.categories import read_categories
from sam_annotator.core.errors import InputError
from sam_annotator.core.videos import IMAGE_SUFFIXES, find_videos


def run_window(
    *, videos: Path | None, output: Path | None, labels: str | None, keymap: str | None, engines: Mapping[str, Any]
) -> int:
    """Open the window and return when it is closed, with the exit status.

    Raises:
        InputError: the folder, the file of categories or the settings cannot be used; no window was opened.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    folder = None if videos is None else _folder_to_open(videos)
    found = [] if folder is None else find_videos(folder)  # says what is wrong with it before a window comes up
    labels_file = Path(labels).absolute() if labels else None
    if labels_file is not None:
        read_categories(labels_file)
    _check_display()
    from sam_annotator.gui.settings.application import quiet_qt
    from sam_annotator.gui.settings.garbage import set_aside

    quiet_qt()
    window, application = make_window(output=output, labels=labels_file, keymap=keymap, engines=engines)
    window.show()
    set_aside()
    if found and folder == videos:
        window.open_videos(found)
    elif found:
        window.open_path(videos)
    return application.exec_()


def make_window(
    *,
    output: Path | None = None,
    categories: tuple[str, ...] = (),
    labels: Path | None = None,
    keymap: str | None = None,
    engines: Mapping[str, Any] | None = None,
    profile: Path | None = None,
) -> tuple[Any, Any]:
    """The window, not yet shown, and its application.

    Args:
        categories: to choose from, where there is no file of them.
        labels: the file of categories; what is changed in the window is saved there.
        profile: a folder for the window's memory (layout, last categories) instead of the person's own.

    Raises:
        InputError: the settings, the file of categories or the output folder cannot be used.
    """
    from sam_annotator.gui.settings.application import make_application, open_memory
    from sam_annotator.gui.settings.keymaps import PRESETS, load_settings
    from sam_annotator.gui.window import AnnotationWindow

    if labels is not None:
        categories = tuple(category.name for category in read_categories(labels))
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
        labels=labels,
        engines=engines,
    )
    return window, application


def _folder_to_open(path: Path) -> Path:
    """The folder of a frame or of its annotation; any other path as it is.

    Raises:
        InputError: an annotation file that cannot be read, or does not lie beside its frame.
    """
    if path.suffix.lower() not in (".json", *IMAGE_SUFFIXES) or not path.is_file():
        return path
    if path.suffix.lower() == ".json":
        image = Path(os.path.abspath(path.parent / read_annotation(path).image_path))
        if not image.parent.exists() or not image.parent.samefile(path.parent):
            raise InputError(
                f"{path} is the annotation of {image}, which lies elsewhere; open {image.parent}, and name the folder "
                "of the annotations with --output DIR."
            )
    return path.parent


def _check_display() -> None:
    """Qt aborts the process without a display; say it in a sentence instead."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise InputError(
            "There is no display to open a window on (DISPLAY is not set). `sam-annotator demo` works without one; "
            "`sam-annotator propagate` and `convert` do, too."
        )
