"""Videos with masks whose objects are labelled otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sam_annotator.core.datasets.masked_video import FrameMasks, MaskedVideo, MaskedVideos


@dataclass(frozen=True)
class RenamedVideo:
    """A `MaskedVideo` that is another one but for its labels."""

    video: MaskedVideo
    renames: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.video.name

    @property
    def frames(self) -> Sequence[str]:
        return self.video.frames

    @cached_property
    def labels(self) -> Mapping[int, str]:
        return {object_id: self.renames.get(label, label) for object_id, label in self.video.labels.items()}

    @property
    def width(self) -> int:
        return self.video.width

    @property
    def height(self) -> int:
        return self.video.height

    def read(self, position: int) -> FrameMasks:
        return self.video.read(position)


def renamed(source: MaskedVideos, renames: Mapping[str, str]) -> MaskedVideos:
    """The same videos with new labels, which are given by old ones."""
    return replace(source, videos=tuple(RenamedVideo(video, renames) for video in source.videos))
