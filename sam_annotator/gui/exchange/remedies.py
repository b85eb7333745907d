"""What to do about what is wrong, in the words of the dialogs: which field, on which page."""

from types import MappingProxyType
from typing import Final

from sam_annotator.core.remedies import Remedy, Words
from sam_annotator.gui.words import WEIGHTS

_BOTH: Final = {
    **WEIGHTS,
    Remedy.NAME_VIDEOS: (
        "open the folder of videos that was annotated, or say where its annotations are (File > Change Output Dir)"
    ),
    Remedy.ANNOTATE: (
        "annotate a frame first, or choose the folder that took the annotations (File > Change Output Dir)"
    ),
    Remedy.FULL_REPORT: "“Save the report…” gives all",
}

_OTHER_FOLDER: Final = "choose another folder (What and where: Into)"

EXPORT: Final[Words] = MappingProxyType(
    {
        **_BOTH,
        Remedy.WRITE_OVER: f"tick “Write over what is there” (What and where), or {_OTHER_FOLDER}",
        Remedy.WRITE_OVER_MASKS: f"tick “Write over what is there” (What and where), or {_OTHER_FOLDER}",
        Remedy.WRITE_OVER_SPLIT: (
            f"tick “Write over what is there” (What and where), {_OTHER_FOLDER}, or give the split another "
            "name (Splits)"
        ),
        Remedy.WRITE_OVER_FRAMES: "they are written over by an import that is told to",
        Remedy.OTHER_OUTPUT: "choose a folder that can be written (What and where: Into)",
        Remedy.MAKE_ROOM: "free some space, or choose a folder that can be written (What and where: Into)",
        Remedy.OTHER_CACHE: "free some space, or choose another folder (Work: Keep drawn masks in)",
        Remedy.SHARED_CACHE: (
            "choose a folder on a disk that all of them share (Work: Keep drawn masks in); videos and annotations have "
            "to lie on one, too"
        ),
        Remedy.OWN_PROCESSES: (
            'install it here and on the workers (pip install "sam-annotator[cluster]"), or leave the Dask scheduler '
            "empty (Work)"
        ),
        Remedy.GIVE_CATEGORIES: (
            "choose a file that names them, or the labels that occur (Categories: Names and ids); or fill the window's "
            "list (Object > Categories…)"
        ),
        Remedy.NO_DROPPING: "choose a file that names the categories, or untick “Leave out objects” (Categories)",
        Remedy.MEND_LABELS: "or give a list of labels to rename, or tick “Leave out objects of other categories” "
        "(Categories)",
        Remedy.MEND_LABELS_OF_SPLIT: (
            "that JSON counts as a split of the same dataset. Or choose another file for the names and ids, give a "
            "list of labels to rename, or tick “Leave out objects of other categories” (Categories)"
        ),
        Remedy.SAME_CATEGORIES: (
            "choose the same file for all splits (Categories: that JSON, for one), or make them together (Splits: Make)"
        ),
        Remedy.FILL_HOLES: (
            "if it is none, delete one of the two, or let all such polygons be filled (Masks: Polygons in polygons are "
            "filled)"
        ),
        Remedy.RENAME: "give a list of labels to rename (Categories)",
        Remedy.GIVE_IDS: (
            "close this, open the video and give each object its id, the same in every frame. Or let them be one "
            "object per label and video, or left out (Masks: Shapes without an object id)"
        ),
    }
)

IMPORT: Final[Words] = MappingProxyType(
    {
        **EXPORT,
        Remedy.WRITE_OVER_FRAMES: "tick “Write over other annotations of these frames” to replace them",
        Remedy.MAKE_ROOM: "free some space, or make the folder of the annotations one that can be written",
        Remedy.OWN_PROCESSES: (
            'install it here and on the workers (pip install "sam-annotator[cluster]"), or leave the Dask scheduler '
            "empty"
        ),
    }
)
