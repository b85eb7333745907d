"""The few settings that are made in the window; keys and labelme's own stand in the settings file."""

from typing import TYPE_CHECKING, Any

from PyQt5 import QtCore, QtGui, QtWidgets
from PyQt5.QtCore import Qt

from sam_annotator.gui.engine_jobs import FRAMES_AHEAD
from sam_annotator.gui.settings.keymaps import PRESETS, create_settings_file

if TYPE_CHECKING:
    from sam_annotator.gui.window import AnnotationWindow

_LEAST_PART = "least_part"
_LEAST_PART_AT_FIRST = 16
_KEYMAP = "keymap"
_FRAMES_AHEAD = "frames_ahead"
_KEEP_EMBEDDINGS = "keep_embeddings"
_AGREEMENT = "repair_agreement"
_AGREEMENT_AT_FIRST = 95
_AGREEING = "repair_frames"
_AGREEING_AT_FIRST = 5


def remembered_least_part(memory: QtCore.QSettings) -> int:
    """Pixels that a part or a hole of a proposal needs; smaller ones are left out. 0: none is."""
    return max(int(memory.value(_LEAST_PART, _LEAST_PART_AT_FIRST)), 0)


def remembered_encoding(memory: QtCore.QSettings) -> dict[str, Any]:
    """What is to be encoded ahead and kept, as EngineJobs takes it."""
    return {
        "frames_ahead": max(int(memory.value(_FRAMES_AHEAD, FRAMES_AHEAD)), 0),
        "keep_embeddings": bool(int(memory.value(_KEEP_EMBEDDINGS, 1))),
    }


def remembered_agreement(memory: QtCore.QSettings) -> dict[str, Any]:
    """Where a repair may stop, as EngineJobs takes it: from which IoU on masks agree, and for how many frames."""
    percent = int(memory.value(_AGREEMENT, _AGREEMENT_AT_FIRST))
    return {
        "iou": min(max(percent, 1), 100) / 100,
        "frames": max(int(memory.value(_AGREEING, _AGREEING_AT_FIRST)), 1),
    }


class PreferencesDialog(QtWidgets.QDialog):
    """What is changed here is in force, and remembered, once OK is pressed."""

    def __init__(self, window: "AnnotationWindow") -> None:
        super().__init__(window)
        self.setWindowTitle("Preferences")
        self._window, memory = window, window.settings
        self.least_part = QtWidgets.QSpinBox(maximum=100_000, suffix=" pixels", specialValueText="keep all")
        self.least_part.setValue(remembered_least_part(memory))
        self.least_part.setToolTip(
            "Parts and holes of a proposed mask that are smaller than this are left out, but for what was clicked."
        )
        encoding = remembered_encoding(memory)
        self.frames_ahead = QtWidgets.QSpinBox(maximum=100, specialValueText="none")
        self.frames_ahead.setValue(encoding["frames_ahead"])
        self.frames_ahead.setToolTip(
            "Frames that are prepared for clicks before you get there, while nothing else runs."
        )
        self.keep_embeddings = QtWidgets.QCheckBox("so that a frame is encoded once (from the next start)")
        self.keep_embeddings.setChecked(encoding["keep_embeddings"])
        self.keep_embeddings.setToolTip(
            "2 MB a frame in your cache folder; `sam-annotator embed` sets how much in all."
        )
        agreement = remembered_agreement(memory)
        self.agreement = QtWidgets.QSpinBox(minimum=50, maximum=100, suffix=" % overlap")
        self.agreement.setValue(round(100 * agreement["iou"]))
        self.agreement.setToolTip("A repair stops where the new masks overlap so much with the old ones (IoU).")
        self.agreeing = QtWidgets.QSpinBox(minimum=1, maximum=1000, suffix=" frames in a row")
        self.agreeing.setValue(agreement["frames"])
        self.keymap = QtWidgets.QComboBox()
        self.keymap.addItem("labelme", PRESETS[0])
        self.keymap.addItem("classic (segment-anything-annotator)", PRESETS[1])
        self.keymap.setCurrentIndex(self.keymap.findData(memory.value(_KEYMAP, PRESETS[0])))
        self._build_layout()

    def accept(self) -> None:
        """Put the settings in force."""
        memory = self._window.settings
        memory.setValue(_LEAST_PART, self.least_part.value())
        self._window.sam_tool.least_part = self.least_part.value()
        memory.setValue(_FRAMES_AHEAD, self.frames_ahead.value())
        memory.setValue(_KEEP_EMBEDDINGS, int(self.keep_embeddings.isChecked()))
        self._window.jobs.frames_ahead = self.frames_ahead.value()
        memory.setValue(_AGREEMENT, self.agreement.value())
        memory.setValue(_AGREEING, self.agreeing.value())
        if self.keymap.currentData() != memory.value(_KEYMAP):
            memory.setValue(_KEYMAP, self.keymap.currentData())
            self._window.show_hint("The keys change with the next start.")
        super().accept()

    def _build_layout(self) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow("Leave out specks below", self.least_part)
        form.addRow("Frames encoded ahead", self.frames_ahead)
        form.addRow("Keep SAM's embeddings", self.keep_embeddings)
        form.addRow("Repairs stop at", self.agreement)
        form.addRow("for", self.agreeing)
        form.addRow("Keys (from the next start)", self.keymap)
        file_button = QtWidgets.QPushButton("Open the settings file…", autoDefault=False)
        file_button.setToolTip("Every key, and all of labelme's settings; read at the start")
        file_button.clicked.connect(self._open_file)
        form.addRow("All keys and settings", file_button)
        buttons = QtWidgets.QDialogButtonBox(QtWidgets.QDialogButtonBox.Ok | QtWidgets.QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(buttons)

    def _open_file(self) -> None:
        path = create_settings_file(self._window.preset)
        QtGui.QDesktopServices.openUrl(QtCore.QUrl.fromLocalFile(str(path)))


def open_preferences(window: "AnnotationWindow") -> None:
    """Show the dialog over the window."""
    dialog = PreferencesDialog(window)
    dialog.setAttribute(Qt.WA_DeleteOnClose)
    dialog.open()
