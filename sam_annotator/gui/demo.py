"""The demonstration: the real window, driven by mouse and keys through the whole job, measured against known truth."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PyQt5 import QtGui
from PyQt5.QtCore import Qt

from sam_annotator.core.datasets.youtube_vis import ConvertOptions, annotations_path, convert, images_folder
from sam_annotator.core.errors import AnnotatorError, InputError
from sam_annotator.core.masks import decode_rle, iou, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import Video, find_videos
from sam_annotator.gui.app import make_window
from sam_annotator.gui.driver import Driver
from sam_annotator.gui.settings.application import make_application

Report = Callable[[str], None]
Mask = NDArray[np.bool_]

MARKER = ".sam-annotator-demo"
_PARTS = ("annotations", "dataset", "pictures", "profile")
_GOOD_ENOUGH = 0.93
_MOST_CLICKS = 6
_BESIDE = 18.0  # pixels from the object, for a click that excludes
_BY_BOX = ("astronaut", "cat")  # large things in several colours: a box says more than a click
_PROPOSAL_KEYS = (Qt.Key_1, Qt.Key_2, Qt.Key_3)


@dataclass(frozen=True)
class ObjectResult:
    """How one object went.

    Attributes:
        clicks: mouse actions until its mask was accepted.
        accepted_iou: of the accepted mask with the truth.
        propagated_ious: of each other frame in which the object is, or is said to be.
    """

    video: str
    object_id: int
    category: str
    clicks: int
    accepted_iou: float
    propagated_ious: tuple[float, ...]

    @property
    def mean_iou(self) -> float:
        return float(np.mean(self.propagated_ious)) if self.propagated_ious else float("nan")


def run_demo(folder: Path, samples: Path | None, report: Report, engines: Mapping[str, Any] | None = None) -> float:
    """Annotate the sample videos in the real window, make the dataset, save pictures and figures.

    Args:
        folder: where annotations, dataset, pictures and summary.txt go; new, empty, or of an earlier demonstration.
        samples: sample videos as `make_samples` makes them; None: they are made in the folder.
        report: gets lines of text.

    Returns:
        the mean IoU of the propagated masks with the truth.

    Raises:
        AnnotatorError: the folder belongs to something else, or a step of the job did not work.
    """
    _clear(folder)
    if samples is None:
        from sam_annotator.samples import make_samples

        samples = folder / "samples"
        make_samples(samples, report)
    results = _annotate(folder, samples, report, engines)
    _check_dataset(folder, samples / "videos", report)
    text = "\n".join(_summary(results))
    (folder / "summary.txt").write_text(text + "\n", encoding="utf-8")
    report(text)
    return _mean([result.mean_iou for result in results])


def _clear(folder: Path) -> None:
    """Make room: remove what an earlier demonstration made, and nothing else."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; name a folder for the demonstration.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise InputError(f"{folder} holds something else; name a new or empty folder for the demonstration.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).touch()
        for part in _PARTS:
            shutil.rmtree(folder / part, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error


# --- the window --------------------------------------------------------------------------------------------------


def _annotate(folder: Path, samples: Path, report: Report, engines: Mapping[str, Any] | None) -> list[ObjectResult]:
    application = make_application()
    application.setFont(QtGui.QFont("DejaVu Sans", 9))  # off-screen, Qt's own choice is larger than on a desktop
    window, _application = make_window(
        output=folder / "annotations",
        engines=engines,
        profile=folder / "profile",
        categories=("astronaut", "car", "cat", "cup", "dog", "space shuttle"),
    )
    driver = Driver(window)
    window.show()
    try:
        driver.open(samples / "videos")
        driver.picture(folder / "pictures" / "1-opened.png")
        window.banner.close_button.click()
        truth = json.loads((samples / "truth" / "objects.json").read_text(encoding="utf-8"))
        results = []
        for number, (name, objects) in enumerate(truth.items()):
            report(f"Annotating {name} in the window.")
            person = _Person(driver, samples, folder / "pictures" if number == 1 else None)
            results += person.annotate(name, objects)
        _edit(driver, folder / "pictures")
        return results
    finally:
        driver.close()


class _Person:
    """Somebody who sees the truth and clicks until the mask is good."""

    def __init__(self, driver: Driver, samples: Path, pictures: Path | None) -> None:
        self._driver, self._samples, self._pictures = driver, samples, pictures
        self._window = driver.window

    def annotate(self, name: str, objects: Mapping[str, Any]) -> list[ObjectResult]:
        """One video: each object once, then one propagation."""
        if self._window.session.video.name != name:
            self._driver.open_video(name)
        truth = _read_truth(self._samples, name, 0)
        clicks = {
            object_id: self._segment(truth == int(object_id), facts, by_box=facts["category"] in _BY_BOX)
            for object_id, facts in objects.items()
        }
        self._propagate()
        store, video = self._window.session.store, self._window.session.video
        return [
            _measure(store, video, self._samples, (int(object_id), facts["category"], clicks[object_id]))
            for object_id, facts in objects.items()
        ]

    def _segment(self, truth: Mask, facts: Mapping[str, Any], by_box: bool) -> int:
        """Click, choose, correct, accept, name; returns the number of mouse actions."""
        driver = self._driver
        if by_box:
            driver.press(Qt.Key_W)
            driver.drag(*facts["box"])
        else:
            driver.press(Qt.Key_Q)
            driver.click(*facts["click"])
        driver.proposals()
        self._choose(truth)
        self._picture("2-proposals.png")
        actions = 1
        while self._quality(truth) < _GOOD_ENOUGH and actions < _MOST_CLICKS and self._correct(truth):
            actions += 1
        if not by_box:
            actions += self._exclude_beside(truth)
        self._picture("3-corrected.png")
        driver.press(Qt.Key_Return)
        driver.wait(lambda: self._window.naming.dialog is not None, "the dialog for names")
        self._picture("4-name.png")
        driver.name(facts["category"])
        driver.look()
        return actions

    def _exclude_beside(self, truth: Mask) -> int:
        """Say of the background beside the object that it does not belong; take that back if it does harm."""
        before = self._quality(truth)
        depth = cv2.distanceTransform((~truth).astype(np.uint8), cv2.DIST_L2, 5)
        row, column = np.unravel_index(int(np.argmin(np.abs(depth - _BESIDE))), depth.shape)
        self._driver.click(column + 0.5, row + 0.5, include=False)
        self._driver.proposals()
        if self._quality(truth) < before - 0.01:
            self._driver.press(Qt.Key_Z)
        return 1

    def _choose(self, truth: Mask) -> None:
        ious = [iou(proposal.mask, truth) for proposal in self._window.sam_tool.proposals]
        self._driver.press(_PROPOSAL_KEYS[int(np.argmax(ious))])

    def _quality(self, truth: Mask) -> float:
        return iou(self._window.sam_tool.proposal.mask, truth)

    def _correct(self, truth: Mask) -> bool:
        """Click where the mask is most wrong; take the click back if it made things worse."""
        before = self._quality(truth)
        (x, y), include = worst_place(self._window.sam_tool.proposal.mask, truth)
        self._driver.click(x, y, include)
        self._driver.proposals()
        self._choose(truth)
        if self._quality(truth) >= before:
            return True
        self._driver.press(Qt.Key_Z)
        return False

    def _propagate(self) -> None:
        driver, run = self._driver, self._window.propagation
        driver.press(Qt.Key_Space)
        driver.wait(lambda: run.done > min(24, run.total // 3) or not run.is_running, "the propagation", 600)
        if run.is_running:  # a short video may be done by now: Space would begin anew
            driver.press(Qt.Key_Space)
            self._picture("5-propagating.png")
            driver.press(Qt.Key_Space)
        driver.propagation()
        if driver.dialog_text():
            raise AnnotatorError(driver.dialog_text())
        self._picture("6-propagated.png")

    def _picture(self, name: str) -> None:
        if self._pictures is not None and not (self._pictures / name).exists():
            self._driver.picture(self._pictures / name)


def worst_place(mask: Mask, truth: Mask) -> tuple[tuple[float, float], bool]:
    """The deepest pixel (x, y) of the largest error, and whether it should be included."""
    deepest: tuple[float, tuple[float, float], bool] = (-1.0, (0.0, 0.0), True)
    for error, include in ((truth & ~mask, True), (mask & ~truth, False)):
        padded = np.pad(error, 1).astype(np.uint8)
        depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
        row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
        deepest = max(deepest, (float(depth[row, column]), (column + 0.5, row + 0.5), include))
    return deepest[1], deepest[2]


def _edit(driver: Driver, pictures: Path) -> None:
    """Select the last object, rename it, delete it in one frame, undo that: nothing is lost."""
    window = driver.window
    driver.go_to(window.session.total // 2)
    driver.press(Qt.Key_E)
    driver.press(Qt.Key_BracketRight)
    driver.wait(lambda: window.canvas.selected_shapes, "the object to be selected")
    before = window.session.base
    driver.press(Qt.Key_Delete)
    driver.wait(lambda: not window.session.base.shapes, "the object to be deleted")
    driver.press(Qt.Key_Z, Qt.ControlModifier)
    driver.wait(lambda: window.session.base.shapes, "the deletion to be undone")
    if window.session.base != before:
        raise AnnotatorError("Undoing a deletion did not bring back what was there.")
    driver.press(Qt.Key_BracketRight)
    driver.press(Qt.Key_E, Qt.ControlModifier)
    driver.name("tabby cat")
    driver.wait(lambda: {track.label for track in window.session.tracks.tracks()} == {"tabby cat"}, "the new name")
    driver.wait(window.isEnabled, "the window to be free again")
    driver.picture(pictures / "7-edited.png")


# --- measuring ---------------------------------------------------------------------------------------------------


def _read_truth(samples: Path, name: str, index: int) -> NDArray[np.uint8]:
    with Image.open(samples / "truth" / name / f"{index:05d}.png") as image:
        return np.asarray(image)


def _measure(store: AnnotationStore, video: Video, samples: Path, facts: tuple[int, str, int]) -> ObjectResult:
    object_id, category, clicks = facts
    ious = []
    for index in range(len(video)):
        truth = _read_truth(samples, video.name, index) == object_id
        annotation = store.read(video, index)
        mask = object_mask(annotation.shapes_of(object_id) if annotation else (), *truth.shape)
        if index == 0 or truth.any() or mask.any():
            ious.append(iou(mask, truth))
    return ObjectResult(video.name, object_id, category, clicks, ious[0], tuple(ious[1:]))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _summary(results: list[ObjectResult]) -> Iterator[str]:
    yield f"{'video':<12}{'object':<20}{'clicks':>7}{'accepted IoU':>14}{'propagated: mean IoU':>22}{'lowest':>8}"
    for result in results:
        lowest = min(result.propagated_ious, default=float("nan"))
        name = f"{result.object_id} {result.category}"
        yield (
            f"{result.video:<12}{name:<20}{result.clicks:>7}{result.accepted_iou:>14.3f}"
            f"{result.mean_iou:>22.3f}{lowest:>8.3f}"
        )
    yield f"Mean IoU of propagated masks, over {len(results)} objects: {_mean([r.mean_iou for r in results]):.3f}"


# --- the dataset -------------------------------------------------------------------------------------------------


def _check_dataset(folder: Path, videos_root: Path, report: Report) -> None:
    """Make the dataset and compare each of its masks with what the annotations say, pixel for pixel."""
    store, dataset = AnnotationStore(folder / "annotations"), folder / "dataset"
    videos = find_videos(videos_root)
    *_steps, last = convert(videos, store, dataset, ConvertOptions(present=True))
    report(str(last.report))
    content = json.loads(annotations_path(dataset, "train").read_text(encoding="utf-8"))
    compared = _compare(content, videos, store)
    report(f"All {compared} masks of the dataset are those of the annotations, pixel for pixel.")
    _contact_sheet(content, images_folder(dataset, "train")).save(folder / "pictures" / "8-dataset.png")


def _compare(content: Mapping[str, Any], videos: list[Video], store: AnnotationStore) -> int:
    names = {entry["id"]: entry["file_names"][0].split("/")[0] for entry in content["videos"]}
    by_name = {video.name: video for video in videos}
    compared = 0
    for video_id, name in names.items():
        video = by_name[name]
        frames = [store.read(video, index) for index in range(len(video))]
        object_ids = sorted({i for frame in frames if frame for i in frame.object_ids()})
        tracks = [entry for entry in content["annotations"] if entry["video_id"] == video_id]
        for object_id, track in zip(object_ids, tracks, strict=True):
            for frame, rle in zip(frames, track["segmentations"], strict=True):
                size = (track["height"], track["width"])
                wanted = object_mask(frame.shapes_of(object_id) if frame else (), *size)
                stored = decode_rle(rle) if rle else np.zeros(size, bool)
                if not np.array_equal(wanted, stored):
                    raise AnnotatorError(f"A mask of object {object_id} of {name} differs in the dataset.")
                compared += rle is not None
    return compared


def _contact_sheet(content: Mapping[str, Any], images: Path) -> Image.Image:
    """Four frames of each video with the dataset's masks drawn in."""
    from sam_annotator.gui.canvas.colors import object_color

    rows = []
    for video in content["videos"]:
        tracks = [entry for entry in content["annotations"] if entry["video_id"] == video["id"]]
        tiles = []
        for index in np.linspace(0, video["length"] - 1, 4).astype(int):
            with Image.open(images / video["file_names"][index]) as image:
                pixels = np.asarray(image.convert("RGB")).astype(np.float32)
            for number, track in enumerate(tracks, start=1):
                if track["segmentations"][index]:
                    mask = decode_rle(track["segmentations"][index])
                    pixels[mask] = 0.5 * pixels[mask] + 0.5 * np.array(object_color(number).getRgb()[:3])
            tiles.append(cv2.resize(pixels.astype(np.uint8), (320, 180), interpolation=cv2.INTER_AREA))
        rows.append(np.hstack(tiles))
    return Image.fromarray(np.vstack(rows))
