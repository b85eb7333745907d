"""The two key presets, and the file in which a person changes keys.

The settings file has labelme's schema (default_config.yaml of labelme), so every shortcut of labelme can be set
there; our own actions stand beside them under `shortcuts` with the names of `OWN_KEYS`.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs
import yaml

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
    "undo_click": (("Z",), ("Z",)),
    "proposal_1": (("1",), ("1",)),
    "proposal_2": (("2",), ("2",)),
    "proposal_3": (("3",), ("3",)),
    "next_proposal": (("Tab",), ("Tab",)),
    "accept": (("Return", "Enter", "F"), ("A", "Return", "Enter")),
    "reject": (("Esc", "R"), ("R", "Esc")),
    "propagate": (("Space",), ("Space",)),
    "key_frame": (("K",), ("K",)),
    "next_object": (("]",), ("]",)),
    "previous_object": (("[",), ("[",)),
    "next_doubtful": (("X",), ("X",)),
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
    own_index = PRESETS.index(preset)
    keys = {name: presets[own_index] for name, presets in OWN_KEYS.items()}
    overrides = _read_settings_file()
    shortcuts: dict[str, Any] = {**_LABELME_KEYS[preset]}
    for name, value in (overrides.pop("shortcuts", None) or {}).items():
        if name in keys:
            keys[name] = _sequences(value)
        else:
            shortcuts[name] = value
    return Settings({**_LABELME_DEFAULTS, **overrides, "shortcuts": shortcuts}, keys)


_LABELME_DEFAULTS: dict[str, Any] = {
    "keep_prev_scale": True,
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
