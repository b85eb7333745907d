"""Previews to look at: a video with the masks over it, or a sheet of frames from many videos."""

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from PIL import Image

from sam_annotator.core.datasets.masked_video import MaskedVideo, MaskedVideos, VideoFinder
from sam_annotator.core.errors import ImageError, InputError, SaveError
from sam_annotator.core.files import write_atomically
from sam_annotator.core.images import image_size, read_image
from sam_annotator.core.overlay import Pixels, draw_masks, draw_text, fit
from sam_annotator.core.videos import Video

FILM_SUFFIXES: Final = (".mp4",)
SHEET_SUFFIXES: Final = (".jpg", ".jpeg", ".png")

_CAPTION: Final = 22
_TEXT: Final = 12
_WHITE: Final = (235, 235, 235)
_TALLEST_SHEET: Final = 65_000  # a JPEG has at most 65,535 rows


@dataclass(frozen=True)
class PreviewOptions:
    """What a preview looks like.

    Attributes:
        names: the videos that are shown; empty: all.
        width: of a film at most, or of a tile of a sheet, in pixels.
        fps: frames a second of a film.
        tiles: frames of each video in a sheet.
        columns: tiles side by side in a sheet.
    """

    names: tuple[str, ...] = ()
    width: int = 960
    fps: float = 10.0
    tiles: int = 6
    columns: int = 6


@dataclass
class PreviewReport:
    """How many videos and frames are shown, and what could not be."""

    videos: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        return f"{frames} of " + ("1 video" if self.videos == 1 else f"{self.videos} videos")


@dataclass(frozen=True)
class PreviewProgress:
    """One frame drawn; the report is the same object all along."""

    done: int
    total: int
    report: PreviewReport


@dataclass(frozen=True)
class _Shown:
    """A video, the frames of it that are drawn (indices), and where each has its masks."""

    masked: MaskedVideo
    video: Video
    indices: Sequence[int]
    positions: dict[int, int]


def preview(
    source: MaskedVideos, videos: Sequence[Video], output: Path, options: PreviewOptions
) -> Iterator[PreviewProgress]:
    """Make a preview: a film with all frames for `.mp4`, a sheet with some of each video for `.jpg` and `.png`.

    A generator; the file is written whole at its end, or not at all.

    Raises:
        InputError: a suffix or a video that is not known, or nothing to show.
        SaveError: the file cannot be written.
    """
    check_preview(output)
    report = PreviewReport(problems=list(source.problems))
    is_film = output.suffix.lower() in FILM_SUFFIXES
    shown = _choose(source, videos, options, report, whole=is_film)
    if not shown:
        raise InputError("There is nothing to show: no video with masks is among the videos given.")
    steps = _film(shown, output, options, report) if is_film else _sheet(shown, output, options, report)
    total = sum(len(one.indices) for one in shown)
    for done, _ in enumerate(steps, start=1):
        yield PreviewProgress(done, total, report)


def check_preview(output: Path) -> None:
    """Make sure that a preview can have this name.

    Raises:
        InputError: its suffix is that of no film or sheet.
    """
    known = (*FILM_SUFFIXES, *SHEET_SUFFIXES)
    if output.suffix.lower() not in known:
        raise InputError(f"{output} has no suffix of a film or a sheet; use one of {', '.join(known)}.")


def _choose(
    source: MaskedVideos, videos: Sequence[Video], options: PreviewOptions, report: PreviewReport, *, whole: bool
) -> list[_Shown]:
    finder = VideoFinder(videos)
    known = {masked.name: masked for masked in source.videos}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        raise InputError(f"There are no masks of a video {unknown[0]!r}; there are {', '.join(list(known)[:5])} ...")
    shown = []
    for masked in [known[name] for name in options.names] or source.videos:
        video = finder.find(masked.name)
        if video is None:
            report.problems.append(f"Video {masked.name} has no folder of frames; it is not shown.")
            continue
        by_stem = {path.stem: index for index, path in enumerate(video.frame_paths)}
        positions = {by_stem[frame]: at for at, frame in enumerate(masked.frames) if frame in by_stem}
        indices = range(len(video)) if whole else _spread(sorted(positions), options.tiles)
        if positions:
            shown.append(_Shown(masked, video, indices, positions))
    report.videos = len(shown)
    return shown


def _spread(indices: Sequence[int], count: int) -> list[int]:
    """At most `count` of them, the first and the last included, as even as can be."""
    if len(indices) <= count:
        return list(indices)
    places = np.linspace(0, len(indices) - 1, count).round().astype(int)
    return [indices[place] for place in places]


def _draw(one: _Shown, index: int, report: PreviewReport, width: int) -> Pixels | None:
    """One frame with its masks, to be scaled to `width` pixels; what cannot be drawn is told."""
    path = one.video.frame_paths[index]
    try:
        image = read_image(path)
    except ImageError as error:
        report.problems.append(str(error))
        return None
    report.frames += 1
    if index not in one.positions:
        return image
    found = one.masked.read(one.positions[index])
    report.problems += found.problems
    if found.masks and (found.height, found.width) != image.shape[:2]:
        report.problems.append(
            f"{path} is {image.shape[1]} x {image.shape[0]} pixels, but its masks are {found.width} x {found.height}; "
            "they are not drawn."
        )
        return image
    text_height = max(round(_TEXT * image.shape[1] / width), _TEXT)
    return draw_masks(image, found.masks, one.masked.labels, text_height)


def _film(shown: Sequence[_Shown], output: Path, options: PreviewOptions, report: PreviewReport) -> Iterator[None]:
    size = _film_size(shown[0].video, options.width)
    temporary = output.with_name(f".{output.name[:32]}.{os.getpid()}{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield from _write_film(temporary, shown, size, options.fps, report)
        if not _is_whole(temporary, report.frames):
            raise SaveError(f"{output} could not be written whole; free some space, or make a sheet (.jpg).")
        os.replace(temporary, output)
    except OSError as error:
        raise SaveError(f"{output} could not be saved ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _write_film(
    path: Path, shown: Sequence[_Shown], size: tuple[int, int], fps: float, report: PreviewReport
) -> Iterator[None]:
    writer: Any = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    try:
        for one in shown:
            for index in one.indices:
                drawn = _draw(one, index, report, size[0])
                if drawn is not None:
                    writer.write(np.ascontiguousarray(_captioned(one, index, fit(drawn, *size))[..., ::-1]))
                yield
    finally:
        writer.release()


def _is_whole(path: Path, frames: int) -> bool:
    """True if all frames are in a film: OpenCV tells of no error while it writes."""
    film: Any = cv2.VideoCapture(str(path))
    try:
        return bool(film.isOpened()) and int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == frames
    finally:
        film.release()


def _film_size(video: Video, most: int) -> tuple[int, int]:
    """(width, height) in pixels, even as encoders want them, in the proportions of the video's first frame."""
    width, height = image_size(video.frame_paths[0])
    scale = min(most / width, 1.0)
    return max(round(width * scale / 2), 8) * 2, max(round(height * scale / 2), 8) * 2


def _captioned(one: _Shown, index: int, drawn: Pixels) -> Pixels:
    picture = Image.fromarray(drawn)
    text = f"{one.masked.name}  {one.video.frame_paths[index].stem}"
    draw_text(picture, (0, picture.height), text, _WHITE, _TEXT)
    return np.asarray(picture)


def _sheet(shown: Sequence[_Shown], output: Path, options: PreviewOptions, report: PreviewReport) -> Iterator[None]:
    rows: list[Pixels] = []
    height = 0
    for number, one in enumerate(shown):
        tiles: list[Pixels] = []
        size = _tile_size(one.video, options.width)
        for index in one.indices:
            drawn = _draw(one, index, report, options.width)
            if drawn is not None:
                tiles.append(_captioned_tile(one, index, fit(drawn, *size)))
            yield
        block = _block(tiles, options, one.masked.name)
        if height + len(block) > _TALLEST_SHEET:
            report.problems.append(
                f"The sheet is full; {len(shown) - number} videos are not shown. Choose some by name."
            )
            report.videos = number
            break
        rows.append(block)
        height += len(block)
    stream = io.BytesIO()
    kind = "PNG" if output.suffix.lower() == ".png" else "JPEG"
    Image.fromarray(np.concatenate(rows)).save(stream, format=kind, quality=90)
    write_atomically(output, stream.getvalue())


def _tile_size(video: Video, width: int) -> tuple[int, int]:
    full_width, full_height = image_size(video.frame_paths[0])
    return width, max(min(round(width * full_height / full_width), 2 * width), 16)


def _captioned_tile(one: _Shown, index: int, tile: Pixels) -> Pixels:
    picture = Image.fromarray(tile)
    draw_text(picture, (0, picture.height), one.video.frame_paths[index].stem, _WHITE, _TEXT)
    return np.asarray(picture)


def _block(tiles: Sequence[Pixels], options: PreviewOptions, name: str) -> Pixels:
    """The name of a video, and its tiles below, in rows of `columns`."""
    full = Image.new("RGB", (options.columns * options.width, _CAPTION))
    draw_text(full, (4, 2), name, _WHITE, 14)
    parts: list[Pixels] = [np.asarray(full)]
    for start in range(0, len(tiles), options.columns):
        row = list(tiles[start : start + options.columns])
        row += [np.zeros_like(row[0])] * (options.columns - len(row))
        parts.append(np.concatenate(row, axis=1))
    return np.concatenate(parts)
