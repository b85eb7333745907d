"""The Qt application: its look, the same on every platform."""

import logging
import sys
import traceback
from pathlib import Path
from types import TracebackType

from PyQt5 import QtCore, QtGui, QtWidgets

import sam_annotator.gui.labelme_seam as seam

logger = logging.getLogger(__name__)

_NAME = "sam_annotator"


def make_application() -> QtWidgets.QApplication:
    """The application, given its look at the first call. Keep it: Qt's goes when Python's is dropped."""
    application = QtWidgets.QApplication.instance()
    if application is None:
        application = QtWidgets.QApplication(sys.argv[:1])
        sys.excepthook = _log_exception
    if not application.property(_NAME):
        application.setProperty(_NAME, True)
        application.setApplicationName(_NAME)
        application.setStyle("Fusion")
        application.setPalette(_palette())
        application.setWindowIcon(seam.new_icon("icon"))
    return application


def quiet_qt() -> None:
    """Send Qt's own messages to the log, and leave out what says nothing about this program."""
    QtCore.qInstallMessageHandler(_log_qt_message)


def _log_qt_message(kind: int, _context: object, message: str) -> None:
    if any(noise in message for noise in ("propagateSizeHints", "XDG_RUNTIME_DIR")):
        return
    level = {QtCore.QtDebugMsg: logging.DEBUG, QtCore.QtInfoMsg: logging.INFO, QtCore.QtWarningMsg: logging.WARNING}
    logger.log(level.get(kind, logging.ERROR), "Qt: %s", message)


def open_memory(profile: Path | None = None) -> QtCore.QSettings:
    """Where the window remembers its layout and choices: under our own name, or in a folder of its own."""
    if profile is None:
        return QtCore.QSettings(_NAME, _NAME)
    return QtCore.QSettings(str(profile / "memory.ini"), QtCore.QSettings.IniFormat)


def _palette() -> QtGui.QPalette:
    """Light: labelme's icons are dark lines, which a dark palette would swallow."""
    palette = QtWidgets.QStyleFactory.create("Fusion").standardPalette()
    palette.setColor(QtGui.QPalette.Highlight, QtGui.QColor(38, 108, 214))
    return palette


def _log_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An error in a slot is a bug: log it and go on, since PyQt would abort and lose what is not saved."""
    if issubclass(kind, KeyboardInterrupt):
        QtWidgets.QApplication.quit()
        return
    logger.critical("unexpected error\n%s", "".join(traceback.format_exception(kind, error, trace)))
    for window in QtWidgets.QApplication.topLevelWidgets():
        if hasattr(window, "show_error"):
            window.show_error("Unexpected error", f"{kind.__name__}: {error}. The log has the details.")
            return
