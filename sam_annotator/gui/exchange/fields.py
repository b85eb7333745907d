"""The fields of the dialogs: each has a value that can be asked, set, remembered, and that says when it changes."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PyQt5 import QtCore, QtWidgets


class Choice(QtWidgets.QComboBox):
    """One of several values, each with a text for people."""

    changed = QtCore.pyqtSignal()

    def __init__(self, choices: Mapping[str, str], tip: str = "") -> None:
        super().__init__()
        for value, text in choices.items():
            self.addItem(text, value)
        self.setToolTip(tip)
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())

    def value(self) -> str:
        return str(self.currentData())

    def set_value(self, value: str) -> None:
        """Choose; what is no choice is ignored."""
        if self.findData(value) >= 0:
            self.setCurrentIndex(self.findData(value))


class Text(QtWidgets.QLineEdit):
    """A line of text."""

    changed = QtCore.pyqtSignal()

    def __init__(self, text: str = "", placeholder: str = "", tip: str = "") -> None:
        super().__init__(text, placeholderText=placeholder, toolTip=tip)
        self.textChanged.connect(lambda _text: self.changed.emit())

    def value(self) -> str:
        return self.text().strip()

    def set_value(self, value: str) -> None:
        self.setText(str(value))


class Check(QtWidgets.QCheckBox):
    """Yes or no."""

    changed = QtCore.pyqtSignal()

    def __init__(self, text: str, checked: bool = False, tip: str = "") -> None:
        super().__init__(text, checked=checked, toolTip=tip)
        self.toggled.connect(lambda _checked: self.changed.emit())

    def value(self) -> bool:
        return self.isChecked()

    def set_value(self, value: Any) -> None:
        """Also takes the texts that QSettings makes of truth values."""
        self.setChecked(value in (True, "true"))


class Number(QtWidgets.QSpinBox):
    """A whole number."""

    changed = QtCore.pyqtSignal()

    def __init__(self, value: int, lowest: int, highest: int, tip: str = "") -> None:
        super().__init__(minimum=lowest, maximum=highest, value=value, toolTip=tip)
        self.setMaximumWidth(110)
        self.valueChanged.connect(lambda _value: self.changed.emit())

    def set_value(self, value: Any) -> None:
        self.setValue(int(value))


class PathEdit(QtWidgets.QWidget):
    """A file or folder: typed, or chosen in a dialog."""

    changed = QtCore.pyqtSignal()

    def __init__(self, what: str, kind: str = "open", files: str = "", placeholder: str = "") -> None:
        """
        Args:
            what: title of the dialog.
            kind: `folder`, `open` (a file that is there), `save` (one that may be).
            files: which files to offer, as Qt writes it: `JSON (*.json)`.
        """
        super().__init__()
        self._what, self.kind, self._files = what, kind, files
        self.line = QtWidgets.QLineEdit(placeholderText=placeholder)
        self.line.textChanged.connect(lambda _text: self.changed.emit())
        self.button = QtWidgets.QPushButton("Choose…", autoDefault=False)
        self.button.clicked.connect(self._choose)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.button)
        self.setFocusProxy(self.line)

    def value(self) -> str:
        return self.line.text().strip()

    def set_value(self, value: str) -> None:
        self.line.setText(str(value))

    def path(self) -> Path | None:
        """What was typed, with `~` resolved; None: nothing."""
        return Path(self.value()).expanduser() if self.value() else None

    def _choose(self) -> None:
        start = self.value() or str(Path.home())
        if self.kind == "folder":
            chosen = QtWidgets.QFileDialog.getExistingDirectory(self, self._what, start)
        elif self.kind == "save":
            chosen, _filter = QtWidgets.QFileDialog.getSaveFileName(self, self._what, start, self._files)
        else:
            chosen, _filter = QtWidgets.QFileDialog.getOpenFileName(self, self._what, start, self._files)
        if chosen:
            self.set_value(chosen)


def remember(fields: Mapping[str, Any], settings: QtCore.QSettings, group: str) -> None:
    """Keep the fields' values for the next time."""
    for name, field in fields.items():
        settings.setValue(f"{group}/{name}", field.value())


def restore(fields: Mapping[str, Any], settings: QtCore.QSettings, group: str) -> None:
    """Set the fields to what was kept, if anything was."""
    for name, value in _kept(fields, settings, group):
        fields[name].set_value(value)


def _kept(fields: Mapping[str, Any], settings: QtCore.QSettings, group: str) -> Iterator[tuple[str, Any]]:
    for name in fields:
        value = settings.value(f"{group}/{name}")
        if value is not None:
            yield name, value
