"""What a conversion tells of itself: how far it is, what came of it, what has to be mended first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from sam_annotator.core.errors import InputError

PROBLEMS_SHOWN: Final = 20
_EXAMPLES: Final = 3


def _nothing_counted() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class ConvertReport:
    """What was written, and what was left out.

    Attributes:
        path: the JSON file.
        videos, frames, objects, masks, categories: how many the JSON holds.
        images: frames by what was done with them: linked, copied, encoded, or left as they stood in the dataset.
        videos_without_annotation: names of videos that are not in the dataset.
        videos_not_unpacked: names of video files without frames so far; not in the dataset.
        files_without_frame: annotation files whose frame was not found.
        ignored_shapes: points and lines, by type.
        empty_masks: objects in a frame whose shapes cover no pixel of the image; null in the dataset.
        empty_objects: objects that cover no pixel in any frame, named; not in the dataset.
    """

    path: Path
    videos: int
    frames: int
    objects: int
    masks: int
    categories: int
    images: Mapping[str, int] = field(default_factory=_nothing_counted)
    videos_without_annotation: tuple[str, ...] = ()
    videos_not_unpacked: tuple[str, ...] = ()
    files_without_frame: tuple[Path, ...] = ()
    ignored_shapes: Mapping[str, int] = field(default_factory=_nothing_counted)
    empty_masks: int = 0
    empty_objects: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([f"Wrote {self.path}", *self._contents(), *self._left_out()])

    def _contents(self) -> Iterator[str]:
        yield f"  videos      {self.videos} ({self.frames} frames)"
        yield f"  objects     {self.objects}"
        yield f"  masks       {self.masks}"
        yield f"  categories  {self.categories}"
        if self.images:
            yield "  images      " + ", ".join(f"{count} {what}" for what, count in self.images.items())

    def _left_out(self) -> Iterator[str]:
        left_out = {
            "videos without annotation": self.videos_without_annotation,
            "video files not unpacked (open them once in the window)": self.videos_not_unpacked,
            "annotation files without a frame": tuple(map(str, self.files_without_frame)),
            "objects that cover no pixel": self.empty_objects,
        }
        for what, names in left_out.items():
            if names:
                yield f"Left out: {what}: {len(names)} ({_some(names)})"
        if self.ignored_shapes:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.ignored_shapes.items())
            yield f"Left out: shapes that cover no area: {sum(self.ignored_shapes.values())} ({kinds})"
        if self.empty_masks:
            yield f"Left out: masks without a pixel inside the image: {self.empty_masks}"


@dataclass(frozen=True)
class ConvertProgress:
    """One step of a conversion.

    Attributes:
        stage: `videos` (looking for annotations), `masks` (reading frames), `images` (placing frames), `done`.
        video: the name of the video at work; empty when done.
        done, total: videos in the stage `videos`, else frames.
        report: with the last step, and only with it.
    """

    stage: Literal["videos", "masks", "images", "done"]
    video: str
    done: int
    total: int
    report: ConvertReport | None = None


class ConversionError(InputError):
    """The annotations do not make a dataset; `problems` holds a sentence for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        shown = [f"  {problem}" for problem in self.problems[:PROBLEMS_SHOWN]]
        more = len(self.problems) - PROBLEMS_SHOWN
        count = "1 problem was" if len(self.problems) == 1 else f"{len(self.problems)} problems were"
        lines = [f"{count} found and nothing was written:", *shown]
        super().__init__("\n".join(lines + ([f"  ... and {more} more"] if more > 0 else [])))


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_EXAMPLES])
    return listed if len(names) <= _EXAMPLES else f"{listed}, ..."
