"""Options that several commands on datasets have, and what they mean."""

import argparse
from pathlib import Path
from typing import Any, Final

Arguments = argparse.ArgumentParser | argparse._ArgumentGroup

_PRESENT: Final = "present"


def add_map_argument(parser: Arguments) -> None:
    parser.add_argument(
        "--map", type=Path, metavar="FILE", help="rename labels: `old -> new` a line, or JSON {old: new}"
    )


def add_drawing_arguments(parser: Arguments) -> None:
    parser.add_argument(
        "--raster",
        choices=("labelme", "cv2", "coco"),
        default="labelme",
        help="whose pixels: labelme's (default) and OpenCV's take in the outline, COCO's do not",
    )
    parser.add_argument(
        "--holes",
        choices=("auto", "fill", "xor"),
        default="auto",
        help="polygons within polygons of one object: holes (default), filled, or XOR as segment-anything-annotator",
    )


def add_null_group_argument(parser: Arguments) -> None:
    parser.add_argument(
        "--null-group",
        choices=("error", "skip", "per-label"),
        default="error",
        help="shapes without an object id: an error (default), left out, or one object per label and video",
    )


def add_report_argument(parser: Arguments) -> None:
    parser.add_argument("--report", type=Path, metavar="FILE", help="write all that came up: FILE.json, or as text")


def chosen_categories(text: str | None) -> dict[str, Any]:
    """What --categories says, as `ConvertOptions` and `MaskOptions` have it."""
    return {"categories": None if text in (None, _PRESENT) else Path(text), "present": text == _PRESENT}
