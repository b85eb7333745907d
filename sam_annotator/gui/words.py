"""What to do about what is wrong, in the words of the window; the dialogs for datasets have words of their own."""

from types import MappingProxyType
from typing import Final

from sam_annotator.core.errors import AnnotatorError
from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words

WEIGHTS: Final[Words] = MappingProxyType(
    {
        Remedy.OTHER_MODELS: (
            "give yourself the right to write there, or start sam-annotator with another folder (--models DIR)"
        ),
        Remedy.ROOM_FOR_MODELS: "make room and fetch again, or start sam-annotator with another folder (--models DIR)",
    }
)

WINDOW: Final[Words] = MappingProxyType(
    {
        **COMMAND_LINE,  # of datasets, which are not spoken of here
        **WEIGHTS,
        Remedy.MAKE_ROOM: "free some space, or choose a folder that can be written (File > Change Output Dir)",
    }
)


def said(error: AnnotatorError) -> str:
    """The sentence for an error, in the words of the window."""
    return error.told(WINDOW)
