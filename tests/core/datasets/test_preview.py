"""Previews: pixels where the masks are, films that players can read, sheets of the frames that matter."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.colors import object_rgb
from sam_annotator.core.datasets.json_source import read_dataset_json
from sam_annotator.core.datasets.masked_video import MaskedVideos
from sam_annotator.core.datasets.preview import PreviewOptions, PreviewReport, preview
from sam_annotator.core.errors import InputError, SaveError
from sam_annotator.core.overlay import draw_masks, fit
from sam_annotator.core.videos import find_videos
from tests.small_dataset import HEIGHT, WIDTH, blob, document, ring, write_frames, write_json


class Place:
    """The videos `hill` (8 frames, a dog in 5) and `lake` (2 frames, one red panda)."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.videos = folder, folder / "videos"
        write_frames(self.videos, "hill", 8)
        write_frames(self.videos, "lake", 2)
        dog = [ring(), None, ring(), ring(), None, ring(), ring()]
        content = document({"hill": (7, [(3, dog)]), "lake": (2, [(8, [blob(2, 2), None])])})
        self.json = write_json(folder / "dataset.json", content)

    def steps(self, name: str, **options: object) -> Iterator[object]:
        source: MaskedVideos = read_dataset_json(self.json)
        return preview(source, find_videos(self.videos), self.folder / name, PreviewOptions(**options))

    def make(self, name: str, **options: object) -> PreviewReport:
        return list(self.steps(name, **options))[-1].report


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_names_of_objects_do_not_cover_each_other() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    masks = {number: np.zeros((200, 300), bool) for number in (1, 2, 3)}
    for number, mask in masks.items():
        mask[80:120, 50 + number : 150] = True
    apart = draw_masks(image, masks, dict.fromkeys(masks, "astronaut"), 12)
    grounds = (apart == 20).all(axis=2).any(axis=1)
    assert grounds.sum() > 2.5 * 12, "three lines of text, one below the other"


def frames_of(path: Path) -> list[np.ndarray]:
    film = cv2.VideoCapture(str(path))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1])
    film.release()
    return frames


def test_masks_are_tinted_in_the_colours_of_their_objects_and_the_rest_is_left() -> None:
    image = np.full((240, 320, 3), 90, np.uint8)
    mask = np.zeros((240, 320), bool)
    mask[100:200, 100:200] = True
    drawn = draw_masks(image, {3: mask}, {3: "dog"}, 12)
    expected = 90 * 0.55 + np.array(object_rgb(3)) * 0.45
    assert np.abs(drawn[150, 150] - expected).max() < 1.5
    assert drawn[199, 150].tolist() == list(object_rgb(3)), "the edge is crisp"
    np.testing.assert_array_equal(drawn[202:], image[202:])
    assert (drawn[:100] != image[:100]).any(), "the name stands above"
    assert image.min() == image.max() == 90, "the frame itself is not drawn on"


def test_images_keep_their_proportions_in_a_frame() -> None:
    framed = fit(np.full((10, 40, 3), 200, np.uint8), 80, 80)
    assert framed.shape == (80, 80, 3)
    assert framed[30:50].min() == 200
    assert framed[:30].max() == framed[50:].max() == 0


def test_a_film_shows_all_frames_of_all_videos(place: Place) -> None:
    report = place.make("film.mp4", width=64)
    assert str(report) == "10 frames of 2 videos"
    frames = frames_of(place.folder / "film.mp4")
    assert len(frames) == 10
    assert frames[0].shape[1] % 2 == frames[0].shape[0] % 2 == 0
    assert not [path for path in place.folder.iterdir() if path.name.startswith(".")]


def test_a_film_has_a_size_that_encoders_take(place: Place) -> None:
    assert place.make("film.mp4", names=("lake",)).frames == 2
    assert frames_of(place.folder / "film.mp4")[0].shape[:2] == (16, 16), "even, and no smaller"


def test_a_film_that_is_stopped_leaves_nothing(place: Place) -> None:
    steps = place.steps("film.mp4")
    next(steps)
    steps.close()
    assert sorted(path.name for path in place.folder.iterdir()) == ["dataset.json", "videos"]


def test_a_sheet_shows_a_few_frames_of_each_video(place: Place) -> None:
    report = place.make("sheet.png", tiles=3, columns=2, width=100)
    assert (report.videos, report.frames, report.problems) == (2, 5, [])
    with Image.open(place.folder / "sheet.png") as image:
        tile = round(100 * HEIGHT / WIDTH)
        assert image.size == (200, 2 * 22 + 3 * tile)
        assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 10


def test_what_cannot_be_shown_is_told(place: Place) -> None:
    (place.videos / "hill/00002.png").write_bytes(b"nothing")
    Image.new("RGB", (WIDTH + 3, HEIGHT)).save(place.videos / "lake/00000.png")
    report = place.make("sheet.jpg", tiles=20, width=64)
    assert len(report.problems) == 2
    assert "00002.png cannot be read as an image" in report.problems[0]
    assert "00000.png is 20 x 12 pixels, but its masks are 17 x 12" in report.problems[1]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("sheet.gif", {}, "has no suffix of a film or a sheet"),
        ("sheet.jpg", {"names": ("sea",)}, "There are no masks of a video 'sea'; there are hill, lake"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(
    place: Place, name: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        place.make(name, **options)


def test_nothing_to_show_is_one_sentence(place: Place, tmp_path: Path) -> None:
    write_frames(tmp_path / "others", "sea", 1)
    place.videos = tmp_path / "others"
    with pytest.raises(InputError, match="There is nothing to show"):
        place.make("sheet.jpg")


@pytest.mark.parametrize("name", ["file/film.mp4", "file/sheet.jpg"])
def test_a_place_that_cannot_be_written_is_one_sentence(place: Place, name: str) -> None:
    (place.folder / "file").touch()
    with pytest.raises(SaveError, match="could not be saved"):
        place.make(name)
