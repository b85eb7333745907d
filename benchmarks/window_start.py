"""Start a program as its user does, and print when the first frame stands on the screen.

    python window_start.py ours|labelme FOLDER

One line of JSON: `painted`, on the clock that all processes share; `cpu`, seconds of processor time until then;
`torch`, whether it was imported.
"""

import json
import os
import sys
import time
from typing import Any

from PyQt5 import QtCore


def main() -> None:
    which, folder = sys.argv[1:]
    sys.argv = [which, folder]
    if which == "ours":
        from sam_annotator.cli import main as start
        from sam_annotator.gui.canvas.annotation_canvas import AnnotationCanvas as Canvas
    else:
        from labelme.__main__ import main as start
        from labelme.widgets import Canvas
    _watch(Canvas)
    sys.exit(start())


def _watch(canvas_class: Any) -> None:
    """Tell when a canvas with an image was painted, and everything beside it."""
    paint = canvas_class.paintEvent

    def paint_and_tell(canvas: Any, event: Any) -> None:
        paint(canvas, event)
        if not canvas.pixmap.isNull():
            QtCore.QTimer.singleShot(0, _tell)

    canvas_class.paintEvent = paint_and_tell


def _tell() -> None:
    facts = {"painted": time.monotonic(), "cpu": time.process_time(), "torch": "torch" in sys.modules}
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
