"""What people can do about what is wrong. Core says which remedy there is; each front end says it in its own words.

A sentence for people has two parts: what is wrong, and the remedy: `ball.json is there already; write over it with
--force, or choose another output.` The words here are those of the command line; the window's are its own.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class Remedy(Enum):
    """One thing to do. The value says it on the command line, as the end of a sentence without its full stop."""

    WRITE_OVER = "write over it with --force, or choose another output"
    WRITE_OVER_SPLIT = "write over it with --force, or choose another output or split"
    WRITE_OVER_MASKS = "write over them with --force, or choose another output"
    WRITE_OVER_FRAMES = "write over them with --force"
    OTHER_OUTPUT = "choose a folder that can be written (--output DIR). Nothing was written"
    MAKE_ROOM = "free some space or choose a folder that can be written (--output DIR)"
    OTHER_MODELS = "choose a folder that can be written (--models DIR)"
    ROOM_FOR_MODELS = "make room and fetch again, or choose another folder (--models DIR)"
    OTHER_CACHE = "free some space, or choose another folder (--cache DIR)"
    SHARED_CACHE = (
        "name a folder on a disk that all of them share (--cache DIR); videos and annotations have to lie on one, too"
    )
    OWN_PROCESSES = (
        'install it here and on the workers (pip install "sam-annotator[cluster]"), or use the processes of this '
        "machine (--jobs)"
    )
    GIVE_CATEGORIES = (
        "give --categories FILE, a text with a name a line or a JSON such as LV-VIS', or --categories present for the "
        "labels that occur"
    )
    NO_DROPPING = "--drop-unknown needs a category file (--categories FILE)"
    MEND_LABELS = "or rename labels on the way (--map FILE), or leave such objects out with --drop-unknown"
    MEND_LABELS_OF_SPLIT = (
        "that JSON counts as a split of the same dataset; --categories FILE names another file. Or rename labels on "
        "the way (--map FILE), or leave such objects out with --drop-unknown"
    )
    SAME_CATEGORIES = (
        "give all splits the same with --categories FILE (that JSON, for one), or make them in one run (--split-list)"
    )
    RENAME = "rename with --map"
    GIVE_IDS = (
        "open the video in the window and give each object its id there, the same in every frame. Or convert with "
        "--null-group per-label (one object per label and video) or skip"
    )
    NAME_VIDEOS = "name the videos that were annotated (--videos DIR)"
    ANNOTATE = "annotate a frame first, or name the folder that took the annotations (--output in the window)"
    FILL_HOLES = (
        "if it is none, delete one of the two in the window, or take all such polygons as filled (--holes fill)"
    )
    FULL_REPORT = "the report (--report FILE) lists all"


Words = Mapping[Remedy, str]
"""How a front end says each remedy."""

COMMAND_LINE: Final[Words] = MappingProxyType({remedy: remedy.value for remedy in Remedy})


def sentence(what: str, remedy: Remedy | None, words: Words = COMMAND_LINE) -> str:
    """What is wrong, and what to do about it; without a remedy `what` says all. It may end with a full stop or not."""
    if remedy is None:
        return what
    if what.endswith("."):
        return f"{what} {instruction(remedy, words)}"
    if "\n" in what:  # a list: what to do comes below it
        return f"{what}\n    {instruction(remedy, words)}"
    return f"{what}; {words[remedy]}."


def instruction(remedy: Remedy, words: Words = COMMAND_LINE) -> str:
    """The remedy as a sentence of its own."""
    text = words[remedy]
    return f"{text[:1].upper()}{text[1:]}."
