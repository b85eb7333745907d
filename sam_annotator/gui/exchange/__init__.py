"""Datasets out of the window and into it: File > Export and File > Import."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_annotator.gui.exchange.export_dialog import ExportDialog
    from sam_annotator.gui.exchange.import_dialog import ImportDialog
    from sam_annotator.gui.window import AnnotationWindow


def open_export(window: "AnnotationWindow") -> "ExportDialog | None":
    """Show the dialog; None, and a sentence, where there is nothing to export now."""
    if not _is_ready(window):
        return None
    from sam_annotator.gui.exchange.export_dialog import ExportDialog  # not while the window starts

    dialog = ExportDialog(window)
    dialog.open()
    return dialog


def open_import(window: "AnnotationWindow") -> "ImportDialog | None":
    """Show the dialog; None, and a sentence, where nothing can be imported now."""
    if not _is_ready(window):
        return None
    from sam_annotator.gui.exchange.import_dialog import ImportDialog

    dialog = ImportDialog(window)
    dialog.open()
    return dialog


def _is_ready(window: "AnnotationWindow") -> bool:
    """True if videos are open, all is saved, and nothing writes annotations."""
    if not window.session.videos:
        window.show_hint("Open a folder of videos first.")
        return False
    return not window.commands.must_wait() and bool(window.navigator.leave_frame())
