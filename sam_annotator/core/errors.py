"""The one exception family. The text of each is a sentence for people: what is wrong, where, and what to do."""

from sam_annotator.core.remedies import COMMAND_LINE, Remedy, Words, sentence


class AnnotatorError(Exception):
    """Base of every error that is shown to people; the command line exits with 2.

    Attributes:
        what: what is wrong; all that is said, if there is no remedy.
        remedy: what to do about it. `str()` says it as the command line does, `told` in the words of the window.
    """

    def __init__(self, what: str = "", remedy: Remedy | None = None) -> None:
        super().__init__(sentence(what, remedy))
        self.what, self.remedy = what, remedy

    def told(self, words: Words = COMMAND_LINE) -> str:
        """The sentence in the words of a front end."""
        return sentence(self.what, self.remedy, words)


class InputError(AnnotatorError):
    """A folder, file or option given by the user cannot be used."""


class ImageError(InputError):
    """An image file cannot be read."""


class AnnotationError(InputError):
    """An annotation file cannot be read, or does not belong to its image."""


class SaveError(AnnotatorError):
    """A file could not be written; what stood there before is unchanged."""


class EngineError(AnnotatorError):
    """A model cannot be loaded or has failed."""
