"""Frames in the dataset: linked, copied, encoded, left, and those that cannot go in."""

import os

import numpy as np
import pytest
from PIL import Image

from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.images import read_image
from tests.dataset_tree import HEIGHT, WIDTH, Tree, polygon


def test_frames_are_linked_by_default_and_copied_on_wish(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    source = tree.videos / "bear" / "00000.jpg"
    assert tree.convert().images == {"linked": 3}
    assert (tree.dataset / "JPEGImages/train/bear/00000.jpg").samefile(source)
    assert tree.convert(split="val", images="copy").images == {"copied": 3}
    copied = tree.dataset / "JPEGImages/val/bear/00000.jpg"
    assert not copied.samefile(source)
    assert copied.read_bytes() == source.read_bytes()
    assert list(copied.parent.glob(".*")) == []
    tree.load("val")


def test_symbolic_links_lead_to_the_frames_and_are_made_anew_where_they_lead_nowhere(tree: Tree) -> None:
    tree.video("bear")
    tree.image("bear/00003.png")
    tree.annotate("bear/00000", polygon())
    assert tree.convert(images="symlink").images == {"encoded": 1, "linked": 3}
    placed = tree.dataset / "JPEGImages/train/bear"
    assert placed.joinpath("00001.jpg").readlink() == (tree.videos / "bear/00001.jpg").resolve()
    assert not (placed / "00003.jpg").is_symlink()
    assert tree.convert(images="symlink", force=True).images == {"left": 4}
    tree.videos = tree.videos.rename(tree.videos.with_name("moved"))
    assert not (placed / "00001.jpg").exists()
    assert tree.convert(images="symlink", force=True).images == {"left": 1, "linked": 3}
    tree.load()


def test_where_no_link_can_be_made_frames_are_copied(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_paths: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    assert tree.convert().images == {"copied": 3}


def test_a_symbolic_link_goes_in_as_what_it_points_at(tree: Tree) -> None:
    tree.video("bear", frames=1)
    real = tree.videos / "bear" / "00000.jpg"
    (tree.videos / "bear" / "00001.jpg").symlink_to(real)
    tree.annotate("bear/00000", polygon())
    tree.convert()
    placed = tree.dataset / "JPEGImages/train/bear/00001.jpg"
    assert placed.samefile(real)
    assert not placed.is_symlink()


def test_without_images_only_the_json_is_written(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    assert tree.convert(images="none").images == {}
    assert [path.name for path in tree.dataset.rglob("*") if path.is_file()] == ["train_instances.json"]


def test_images_that_are_there_already_are_left(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    tree.convert(images="copy")
    before = {path: path.stat().st_mtime_ns for path in tree.dataset.rglob("*.jpg")}
    assert tree.convert(images="copy", force=True).images == {"left": 3}
    assert {path: path.stat().st_mtime_ns for path in tree.dataset.rglob("*.jpg")} == before


def test_an_image_of_another_frame_in_the_dataset_is_not_written_over(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    placed = tree.dataset / "JPEGImages/train/bear/00001.jpg"
    placed.parent.mkdir(parents=True)
    placed.write_bytes(b"something else")
    with pytest.raises(ConversionError) as caught:
        tree.convert()
    source = tree.videos / "bear" / "00001.jpg"
    assert caught.value.problems == (
        f"{placed} is there already and has other content than {source}; it is not written over. If the frames are "
        f"new, remove the folder {placed.parent}, and try again; or choose another output.",
    )
    assert placed.read_bytes() == b"something else"


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".PNG"])
def test_frames_of_other_formats_become_jpegs_under_their_stems(tree: Tree, suffix: str) -> None:
    tree.video("bear", suffix=suffix)
    tree.annotate("bear/00001", polygon())
    assert tree.convert().images == {"encoded": 3}
    assert tree.load().video("bear")["file_names"][1] == "bear/00001.jpg"
    assert tree.convert(force=True).images == {"left": 3}


def test_re_encoded_pixels_stay_close_to_the_frame(tree: Tree) -> None:
    path = tree.videos / "bear" / "00000.png"
    path.parent.mkdir(parents=True)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    Image.fromarray(np.stack([rows * 4, columns * 3, rows + columns], axis=2).astype(np.uint8)).save(path)
    tree.annotate("bear/00000", polygon())
    tree.convert()
    placed = read_image(tree.dataset / "JPEGImages/train/bear/00000.jpg")
    assert np.abs(placed.astype(int) - read_image(path)).mean() < 2


def test_a_frame_that_exif_turns_is_turned_for_good(tree: Tree) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    tree.image("bear/00000.jpg", (HEIGHT, WIDTH), exif=exif)
    tree.image("bear/00001.jpg")
    tree.annotate("bear/00000", polygon())
    assert tree.convert().images == {"encoded": 1, "linked": 1}
    reader = tree.load()  # compares the sizes that plain readers see
    assert (reader.videos[1]["width"], reader.videos[1]["height"]) == (WIDTH, HEIGHT)


def test_a_jpeg_under_another_name_goes_in_as_it_is_and_a_png_called_jpg_does_not(tree: Tree) -> None:
    tree.image("bear/00000.JPEG")
    tree.image("bear/00001.jpg", format="PNG")
    tree.annotate("bear/00000", polygon())
    assert tree.convert().images == {"encoded": 1, "linked": 1}
    tree.load()


def test_an_annotation_of_another_size_is_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(), width=WIDTH * 2)
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} was made for an image of 128 x 48 pixels, but the frame has 64 x 48.")


def test_frames_of_different_sizes_in_one_video_are_an_error(tree: Tree) -> None:
    tree.video("bear")
    path = tree.image("bear/00003.jpg", (WIDTH, HEIGHT + 1))
    tree.annotate("bear/00000", polygon())
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} is 64 x 49 pixels, but 00000.jpg of the same video is 64 x 48;")


def test_images_that_cannot_be_read_are_errors_that_name_them(tree: Tree) -> None:
    tree.video("bear")
    names = ("bear/00001.jpg", "bear/00003.jpg", "bear/00004.png")
    for name in names[1:]:
        tree.image(name)
    paths = [tree.videos / name for name in names]
    for path in (paths[0], paths[2]):
        path.write_bytes(path.read_bytes()[:-300])  # the header is whole
    paths[1].write_bytes(b"not an image")
    tree.annotate("bear/00001", polygon())
    problems = tree.problems()
    assert [str(path) in problem for path, problem in zip(paths, problems, strict=True)] == [True] * 3


def test_an_unreadable_image_in_a_video_without_annotation_is_no_matter(tree: Tree) -> None:
    tree.video("bear")
    tree.video("swan")
    (tree.videos / "swan" / "00000.jpg").write_bytes(b"not an image")
    tree.annotate("bear/00000", polygon())
    assert tree.convert().videos == 1
