"""The one exception family. The text of each is a sentence for people: what is wrong, where, and what to do."""


class AnnotatorError(Exception):
    """Base of every error that is shown to people; the command line exits with 2."""


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
