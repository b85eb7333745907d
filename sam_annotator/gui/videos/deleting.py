"""The annotation file of a frame is deleted, after asking."""

from typing import TYPE_CHECKING

from PyQt5 import QtWidgets

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.gui.words import said

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_Box = QtWidgets.QMessageBox


def ask_to_delete(window: "AnnotationWindow") -> None:
    """Ask whether the file of the frame that is shown shall be deleted; returns at once."""
    path = window.annotation_path()
    if path is None or not path.exists():
        return
    box = window.message_box("Delete this frame's annotation?", f"{path} will be deleted for good.")
    box.setStandardButtons(_Box.Yes | _Box.No)
    box.setDefaultButton(_Box.No)
    box.buttonClicked.connect(lambda button: _delete(window) if box.standardButton(button) == _Box.Yes else None)
    box.open()


def _delete(window: "AnnotationWindow") -> None:
    session = window.session
    try:
        session.store.remove(session.video, session.index)
    except AnnotatorError as error:
        window.show_error("Not deleted", said(error))
        return
    if session.tracks is not None:
        session.tracks.set_frame(session.index, None)
    window.mark_file_annotated(session.index, False)
    window.navigator.reload_frame()
