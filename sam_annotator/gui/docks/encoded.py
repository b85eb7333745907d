"""Which frames of the open video are ready for clicks, as the lamps show it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Encoded:
    """How far the frames of a video are encoded.

    Attributes:
        index: the frame that is shown; None: there is none that can be clicked.
        frames: indices of the frames that are ready for clicks.
        encoding: index of the frame that is being encoded, if any.
    """

    index: int | None = None
    frames: frozenset[int] = frozenset()
    encoding: int | None = None

    def state_of(self, index: int | None) -> str:
        """`encoded`, `encoding` or `not yet`; empty for no frame."""
        if index is None:
            return ""
        return "encoding" if index == self.encoding else "encoded" if index in self.frames else "not yet"
