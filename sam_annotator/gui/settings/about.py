"""Help > About: what this program is, and what it builds on."""

from typing import TYPE_CHECKING, Final

from PyQt5 import QtWidgets

import sam_annotator
from sam_annotator.gui.labelme_seam import LABELME_VERSION, new_action

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

TEXT: Final = f"""
Version {sam_annotator.__version__}
<p>Annotate objects in video: click on an object and Segment Anything proposes its mask, name it once, and the masks
are carried through the video. Every frame is a labelme JSON file; File &gt; Export makes datasets of them.</p>
<p>Built on <a href="https://github.com/wkentaro/labelme">labelme</a> {LABELME_VERSION} by Kentaro Wada, whose window
and canvas it extends, on PyQt5, on
<a href="https://github.com/facebookresearch/segment-anything">Segment Anything</a> by Meta AI, and on
<a href="https://arxiv.org/abs/2106.05210">STCN</a> by Cheng, Tai and Tang.</p>
<p>Free software under the GNU General Public License, version 3 or later, without any warranty.</p>
"""


def add_about(window: "AnnotationWindow") -> None:
    """Put ours in the place of labelme's in the menu Help, at its end."""
    menu, theirs = window.labelme_menus.help, window.labelme_actions.about
    menu.removeAction(theirs)
    menu.addSeparator()
    menu.addAction(new_action(window, "&About sam_annotator", lambda _checked=False: show_about(window)))


def show_about(window: "AnnotationWindow") -> None:
    """Open the dialog over the window; returns at once."""
    window.message_box("sam_annotator", TEXT, QtWidgets.QMessageBox.Information).open()
