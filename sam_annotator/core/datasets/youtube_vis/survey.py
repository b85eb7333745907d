"""What lies there before anything is read: videos with annotations, videos without, annotations without a frame."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sam_annotator.core.datasets.convert_report import Finding
from sam_annotator.core.datasets.youtube_vis.merging import PlacedStore
from sam_annotator.core.errors import InputError
from sam_annotator.core.files import is_unicode, sayable
from sam_annotator.core.remedies import Remedy
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video

_DATASET: Final = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"(info|licenses|videos|images|annotations|categories)"')


@dataclass(frozen=True)
class Survey:
    """What was found.

    Attributes:
        chosen: videos that go in, each with its name in the dataset.
        without_annotation, not_unpacked: names of those that do not.
        findings: what has to be mended, and what to know of those that go in.
    """

    chosen: tuple[tuple[Video, str], ...]
    without_annotation: tuple[str, ...]
    not_unpacked: tuple[str, ...]
    findings: tuple[Finding, ...]


class Surveyor:
    """Looks at one video after the other; `survey` is the result.

    Args:
        with_all: videos without any annotation go in, too.
    """

    def __init__(self, store: AnnotationStore, names: Mapping[str, str], with_all: bool) -> None:
        self._store = store
        self._names = names
        self._with_all = with_all
        self._chosen: list[tuple[Video, str]] = []
        self._without_annotation: list[str] = []
        self._not_unpacked: list[str] = []
        self._findings: list[Finding] = []

    def look_at(self, video: Video) -> None:
        is_annotated = bool(self._store.annotated_frames(video))
        if video.needs_unpacking and is_annotated:
            text = (
                f"{video.source} has annotations but is not wholly unpacked; open it once in the window and wait for "
                "its last frame."
            )
            self._findings.append(Finding("error", "not-unpacked", text, video.name, str(video.source)))
        elif video.needs_unpacking:
            self._not_unpacked.append(video.name)
        elif (is_annotated or (self._with_all and len(video))) and (text := _not_unicode(video)):
            self._findings.append(Finding("error", "name-not-utf-8", text, video.name, str(video.folder)))
        elif is_annotated or (self._with_all and len(video)):
            self._chosen.append((video, self._names[video.name]))
            self._note_passed_over(video)
        else:
            self._without_annotation.append(video.name)

    def _note_passed_over(self, video: Video) -> None:
        passed = video.passed_over
        if passed:
            kept = next(path for path in video.frame_paths if path.stem == passed[0].stem)
            images = "1 image" if len(passed) == 1 else f"{len(passed)} images"
            text = (
                f"{images} of {video.name} passed over, since a frame of the same name has another suffix: "
                f"{passed[0].name} beside {kept.name}{', for one' if len(passed) > 1 else ''}."
            )
            self._findings.append(Finding("note", "image-passed-over", text, video.name, str(passed[0]), len(passed)))

    def survey(self) -> Survey:
        return Survey(
            tuple(self._chosen), tuple(self._without_annotation), tuple(self._not_unpacked), tuple(self._findings)
        )


def _not_unicode(video: Video) -> str:
    """What is wrong with the names of a video; empty: nothing."""
    what = "dataset cannot hold its name, which is not UTF-8 (old zips make such names); rename it and its annotations."
    if not is_unicode(video.name):
        return f"The folder {sayable(str(video.folder))}: a {what}"
    bad = [path for path in video.frame_paths if not is_unicode(path.name)]
    more = f" So have {len(bad) - 1} more in that folder." if len(bad) > 1 else ""
    return f"The frame {sayable(str(bad[0]))}: a {what}{more}" if bad else ""


def find_strays(videos: Sequence[Video], store: AnnotationStore, output: Path) -> tuple[Path, ...]:
    """Annotation files that belong to no frame; not those in the dataset `output`, and no JSON of any dataset."""
    expected: dict[str, set[str]] = {}
    for video in videos:
        names = {store.path(video, index).name for index in store.annotated_frames(video)}
        expected.setdefault(os.path.realpath(store.folder(video)), set()).update(names)
    strays: list[Path] = []
    for folder in dict.fromkeys(_searched(videos, store, output)):
        known = expected.get(os.path.realpath(folder), set())
        strays.extend(path for path in _json_files(folder) if path.name not in known and not _is_of_a_dataset(path))
    return tuple(strays)


def _is_of_a_dataset(path: Path) -> bool:
    """True for the JSON of a dataset that was made among the annotations: its first key tells."""
    if not path.is_file():  # a pipe could be waited for for ever
        return False
    try:
        with path.open("rb") as stream:
            return _DATASET.match(stream.read(64)) is not None
    except OSError:
        return False


def _searched(videos: Sequence[Video], store: AnnotationStore, output: Path) -> Iterator[Path]:
    """Where annotations may lie."""
    if isinstance(store, PlacedStore):
        for tree in store.trees:
            yield from _searched(tree.videos, tree.store, output)
    elif store.output is None:
        yield from (video.folder for video in videos)
    else:
        yield from _folders(store.output, output)


def _folders(root: Path, skip: Path) -> Iterator[Path]:
    """`root` and all folders below it; nothing hidden, and not `skip`."""
    skipped = os.path.realpath(skip)
    for folder, names, _files in os.walk(root):
        visible = sorted(name for name in names if not name.startswith("."))
        names[:] = [name for name in visible if os.path.realpath(os.path.join(folder, name)) != skipped]
        yield Path(folder)


def _lies_too_high(path: Path, video: Video) -> bool:
    """True for a JSON in a folder named as the video, with the name of one of its frames: the folder of that was given
    as that of all annotations.
    """
    parts = video.name.split("/")
    return list(path.parts[-1 - len(parts) : -1]) == parts and any(path.stem == f.stem for f in video.frame_paths)


def _json_files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a video that has no folder yet has no files either
        return []
    return [folder / name for name in names if name.endswith(".json") and not name.startswith(".")]


def nothing_annotated(videos: Sequence[Video], store: AnnotationStore, strays: Sequence[Path]) -> InputError:
    """What to tell people where no video has an annotation."""
    if strays:
        for path in strays:
            video = next((video for video in videos if _lies_too_high(path, video)), None)
            if video is not None:
                text = (
                    f"{path} has the name of a frame of the video {video.name}, but its annotations are looked for in "
                    f"{store.folder(video)}. Give the folder above for the annotations: "
                    f"{path.parents[len(video.name.split('/'))]}."
                )
                return InputError(text)
        which = (
            "The JSON file found belongs to no frame"
            if len(strays) == 1
            else (f"None of the {len(strays)} JSON files found belongs to a frame")
        )
        text = f"{which} of the videos: {strays[0]}{', for one' if len(strays) > 1 else ''}."
        return InputError(text, Remedy.NAME_VIDEOS)
    if isinstance(store, PlacedStore):
        where = "None of the folders holds an annotation of these videos"
        return InputError(f"{where}. Annotate a frame first, or name the folders that took the annotations.")
    where = (
        "No frame of the videos has an annotation beside it"
        if store.output is None
        else f"{store.output} holds no annotation"
    )
    return InputError(f"{where}.", Remedy.ANNOTATE)
