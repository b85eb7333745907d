"""The two key presets, and the file in which a person changes keys.

The settings file has labelme's schema (default_config.yaml of labelme), so every shortcut of labelme can be set
there; our own actions stand beside them under `shortcuts` with the names of `OWN_KEYS`.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import yaml
from PyQt5 import QtGui

from sam_annotator.core.errors import InputError

Keys = tuple[str, ...]

PRESETS = ("labelme", "classic")

OWN_KEYS: dict[str, tuple[Keys, Keys]] = {
    # name: (labelme, classic)
    "next_frame": (("D", "Right"), ("N", "Right")),
    "previous_frame": (("A", "Left"), ("B", "Left")),
    "forward_10": (("Shift+Right",), ("Shift+Right",)),
    "back_10": (("Shift+Left",), ("Shift+Left",)),
    "first_frame": (("Home",), ("Home",)),
    "last_frame": (("End",), ("End",)),
    "next_video": (("Ctrl+PgDown",), ("Ctrl+PgDown",)),
    "previous_video": (("Ctrl+PgUp",), ("Ctrl+PgUp",)),
    "sam_points": (("Q",), ("Q",)),
    "sam_box": (("W",), ("W",)),
    "brush": (("B",), ("P",)),
    "undo_click": (("Z",), ("Z",)),
    "proposal_1": (("1",), ("1",)),
    "proposal_2": (("2",), ("2",)),
    "proposal_3": (("3",), ("3",)),
    "next_proposal": (("Tab",), ("Tab",)),
    "accept": (("Return", "Enter", "F"), ("A", "Return", "Enter")),
    "reject": (("Esc", "R"), ("R", "Esc")),
    "go_on": (("C",), ("C",)),
    "propagate": (("Space",), ("Space",)),
    "repair": (("Shift+Space",), ("Shift+Space",)),
    "take_back": (("Ctrl+Shift+Z",), ("Ctrl+Shift+Z",)),
    "key_frame": (("K",), ("K",)),
    "next_object": (("]",), ("]",)),
    "previous_object": (("[",), ("[",)),
    "next_doubtful": (("X",), ("X",)),
    "categories": ((), ()),
    "export": (("Ctrl+Shift+E",), ("Ctrl+Shift+E",)),
    "import": ((), ()),
}

_LABELME_KEYS: dict[str, dict[str, Any]] = {
    # frames are stepped by our own actions, so labelme's get no keys
    "labelme": {"open_next": None, "open_prev": None, "edit_shape": ["E", "Ctrl+J"]},
    "classic": {
        "open_next": None,
        "open_prev": None,
        "edit_shape": "E",
        "delete_shape": ["D", "Delete"],
        "save": ["S", "Ctrl+S"],
    },
}

_SHARED = {"undo", "undo_last_point"}  # labelme enables one of them at a time

_HEADER = """\
# Settings of sam_annotator, in labelme's schema; only what differs from the defaults. Read at start.
# All keys of labelme: labelme/config/default_config.yaml. Own shortcuts (with the preset's keys):
"""


@dataclass(frozen=True)
class Settings:
    """Keys and labelme's configuration, as the window uses them.

    Attributes:
        labelme: overrides of labelme's configuration.
        keys: our own actions' key sequences by name.
    """

    labelme: dict[str, Any]
    keys: dict[str, Keys]


def settings_file() -> Path:
    """Where a person changes settings; need not exist."""
    return Path(platformdirs.user_config_dir("sam_annotator")) / "config.yaml"


def load_settings(preset: str) -> Settings:
    """The preset, changed by what the settings file says.

    Raises:
        InputError: the settings file cannot be used; the sentence names it.
    """
    overrides = _read_settings_file()
    chosen = {name: _sequences(value) for name, value in (overrides.pop("shortcuts", None) or {}).items()}
    theirs = {**_LABELME_KEYS[preset], **{name: list(keys) for name, keys in chosen.items() if name not in OWN_KEYS}}
    config = {**_LABELME_DEFAULTS, **overrides, "shortcuts": theirs}
    shortcuts = {name: _sequences(value) for name, value in _check(config)["shortcuts"].items()}
    ours = {name: presets[PRESETS.index(preset)] for name, presets in OWN_KEYS.items()}
    keys = _without_clashes({**shortcuts, **ours, **chosen}, chosen)
    config["shortcuts"] = {name: list(keys[name]) or None for name in shortcuts}
    return Settings(config, {name: keys[name] for name in OWN_KEYS})


def _check(config: dict[str, Any]) -> dict[str, Any]:
    """labelme's whole configuration; InputError where it would not take ours."""
    from sam_annotator.gui.labelme_seam import load_labelme_config

    try:
        defaults = load_labelme_config(config_file=None, config_overrides={})
        for name, value in config.items():
            if isinstance(defaults.get(name), dict) and not isinstance(value, dict):
                raise ValueError(f"{name} needs entries of its own, one a line")
        return load_labelme_config(config_file=None, config_overrides=config)
    except ValueError as error:
        raise InputError(
            f"The settings file {settings_file()} is not in labelme's schema ({error}); repair it or move it away."
        ) from error


def _without_clashes(keys: dict[str, Keys], chosen: Iterable[str]) -> dict[str, Keys]:
    """No key for two actions, where Qt would do neither: the person's choice takes a key from the preset's action."""
    owners: dict[str, str] = {}
    for name in chosen:
        for key in map(_spelled, keys[name]):
            if owners.setdefault(key, name) != name and {owners[key], name} != _SHARED:
                raise InputError(
                    f"The settings file {settings_file()} gives the key {key} to both {owners[key]} and {name}; "
                    "give one of them another key."
                )
    return {
        name: tuple(key for key in sequences if owners.get(_spelled(key), name) == name or name in _SHARED)
        for name, sequences in keys.items()
    }


def _spelled(key: str) -> str:
    return QtGui.QKeySequence(key).toString()


_LABELME_DEFAULTS: dict[str, Any] = {
    "keep_prev_scale": True,
    "shape": {"point_size": 6},  # outlines of masks have many points
    **{f"{dock}_dock": {"show": False} for dock in ("flag", "label", "shape", "file")},
}


def create_settings_file(preset: str) -> Path:
    """Make the settings file, with the preset's keys as comments, if it is not there."""
    path = settings_file()
    if not path.exists():
        own_index = PRESETS.index(preset)
        lines = [f"#   {name}: [{', '.join(repr(key) for key in keys[own_index])}]" for name, keys in OWN_KEYS.items()]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_HEADER + "# shortcuts:\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def _read_settings_file() -> dict[str, Any]:
    path = settings_file()
    if not os.path.exists(path):
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"The settings file {path} cannot be read ({error}); repair it or move it away.") from error
    if content is None:
        return {}
    if not isinstance(content, dict) or not isinstance(content.get("shortcuts") or {}, dict):
        raise InputError(f"The settings file {path} is not in labelme's schema; repair it or move it away.")
    return content


def _sequences(value: Any) -> Keys:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
