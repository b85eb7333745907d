"""From annotations to a dataset: pixels against truth, names, images, and each reason not to write one."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sam_annotator.core.annotation import Shape
from sam_annotator.core.datasets.convert_report import ConversionError
from sam_annotator.core.datasets.youtube_vis import ConvertOptions, check_apart, convert, dataset_names
from sam_annotator.core.errors import AnnotatorError, InputError, SaveError
from sam_annotator.core.images import read_image
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from sam_annotator.core.store import AnnotationStore
from sam_annotator.core.videos import find_videos
from tests.dataset_tree import HEIGHT, TRIANGLE, WIDTH, Tree, outside, polygon


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def drawn(points: Sequence[tuple[float, float]]) -> np.ndarray:
    """A polygon as labelme draws it."""
    image = Image.new("1", (WIDTH, HEIGHT))
    ImageDraw.Draw(image).polygon([(int(x), int(y)) for x, y in points], outline=1, fill=1)
    return np.asarray(image)


def blob(seed: int) -> np.ndarray:
    """A mask with a hole, of several parts, that touches the border."""
    noise = np.random.default_rng(seed).random((HEIGHT, WIDTH))
    mask = noise > 0.97
    mask[30:, 40:] = True
    mask[35:40, 45:50] = False
    return mask


def test_masks_of_the_dataset_equal_those_of_the_annotations_pixel_for_pixel(tree: Tree) -> None:
    tree.video("bear")
    kinds = {
        1: (polygon(1), polygon(1, points=((50, 5), (60, 5), (60, 15), (50, 15)))),
        2: mask_to_shapes(blob(0), label="duck", object_id=2, source="sam"),
        3: mask_to_shapes(blob(1) & (blob(1) != blob(0)), label="duck", object_id=3, source="sam", style="mask"),
        4: (Shape("box", ((3.2, 4.9), (20.7, 30.1)), "rectangle", 4),),
        5: (Shape("ball", ((30.0, 20.0), (36.0, 25.0)), "circle", 5),),
        6: (polygon(6, points=((2, 2), (60, 2), (60, 45), (2, 45))), polygon(6, points=((20, 20), (30, 20), (30, 30)))),
        7: (polygon(7, points=((-20.5, -9.0), (30.0, 12.0), (70.0, 60.0))),),
    }
    tree.annotate("bear/00001", *(shape for shapes in kinds.values() for shape in shapes))
    tree.convert()
    reader = tree.load()
    assert len(reader.annotations) == len(kinds)
    for annotation, shapes in zip(reader.annotations.values(), kinds.values(), strict=True):
        mask = reader.mask(annotation, 1)
        assert iou(mask, object_mask(shapes, HEIGHT, WIDTH)) == 1.0
        assert annotation["segmentations"][0] is annotation["segmentations"][2] is None


def test_polygons_and_masks_cover_what_a_hand_drawn_truth_covers(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon(1), *mask_to_shapes(blob(0), label="duck", object_id=2, source="sam"))
    tree.convert()
    reader = tree.load()
    swan, duck = reader.annotations.values()
    assert iou(reader.mask(swan, 0), drawn(TRIANGLE)) == 1.0
    assert iou(reader.mask(duck, 0), blob(0)) == 1.0


def test_an_object_is_one_annotation_with_null_where_it_is_absent_or_not_annotated(tree: Tree) -> None:
    tree.video("bear", frames=5)
    tree.annotate("bear/00000", polygon(3), polygon(0, "duck"))
    tree.annotate("bear/00002", polygon(0, "duck"))
    tree.annotate("bear/00004", polygon(3))
    report = tree.convert()
    reader = tree.load()
    present = [[s is not None for s in a["segmentations"]] for a in reader.annotations.values()]
    assert present == [[True, False, True, False, False], [True, False, False, False, True]]
    assert [reader.category_name(a) for a in reader.annotations.values()] == ["duck", "swan"]
    assert (report.videos, report.frames, report.objects, report.masks, report.categories) == (1, 5, 2, 4, 2)


def test_frames_stand_in_natural_order(tree: Tree) -> None:
    for number in (10, 2, 1):
        tree.image(f"bear/f_{number}.jpg")
    tree.annotate("bear/f_10", polygon())
    tree.convert()
    reader = tree.load()
    assert reader.video("bear")["file_names"] == ["bear/f_1.jpg", "bear/f_2.jpg", "bear/f_10.jpg"]
    assert [s is not None for s in reader.annotations[1]["segmentations"]] == [False, False, True]


def test_videos_without_annotation_are_left_out_and_counted(tree: Tree) -> None:
    for name in ("a", "b", "c", "d"):
        tree.video(name)
    tree.annotate("b/00000", polygon())
    tree.annotate("d/00000")  # looked at, nothing there
    report = tree.convert()
    reader = tree.load()
    assert [video["file_names"][0] for video in reader.videos.values()] == ["b/00000.jpg", "d/00000.jpg"]
    assert report.videos_without_annotation == ("a", "c")
    assert "videos without annotation: 2 (a, c)" in str(report)


def test_annotations_beside_the_frames_give_the_same_dataset(tmp_path: Path) -> None:
    written = []
    for beside in (False, True):
        tree = Tree(tmp_path / str(beside), beside)
        tree.video("train/00000")
        tree.annotate("train/00000/00001", polygon())
        written.append(tree.convert().path.read_bytes())
    assert written[0] == written[1]


def test_one_video_by_itself_goes_under_the_name_of_its_folder(tmp_path: Path) -> None:
    tree = Tree(tmp_path, beside=True)
    tree.videos = tree.annotations = tmp_path / "bear"
    tree.video(".")
    tree.annotate("00000", polygon())
    assert tree.convert().files_without_frame == ()
    assert tree.load().video("bear")["length"] == 3


def test_a_nested_video_is_called_by_its_last_part_or_by_all_where_another_ends_alike(tree: Tree) -> None:
    for name in ("train/00000", "train/00001", "val/00000", "bear"):
        tree.video(name, frames=1)
        tree.annotate(f"{name}/00000", polygon())
    tree.convert()
    folders = [video["file_names"][0].split("/")[0] for video in tree.load().videos.values()]
    assert folders == ["bear", "train_00000", "00001", "val_00000"]


def test_videos_that_would_share_a_name_are_an_error(tree: Tree) -> None:
    for name in ("a/b/x", "a_b/x"):
        tree.video(name, frames=1)
    with pytest.raises(InputError, match=r"The videos a/b/x and a_b/x would both be called a_b_x in the dataset"):
        dataset_names(find_videos(tree.videos))


def test_names_with_spaces_and_other_letters_come_through(tmp_path: Path) -> None:
    tree = Tree(tmp_path / "Größe 漢字")
    tree.video("зебра am See")
    tree.annotate("зебра am See/00001", polygon(label="zèbre 🦓"))
    tree.convert()
    reader = tree.load()
    assert reader.video("зебра am See")["length"] == 3
    assert reader.category_name(reader.annotations[1]) == "zèbre 🦓"


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        tree = Tree(tmp_path / place)
        for name in ("b", "a", "c"):
            tree.video(name)
            tree.annotate(f"{name}/00000", polygon(2), polygon(1, "duck"))
        written += [tree.convert().path.read_bytes(), tree.convert(force=True).path.read_bytes()]
    assert len(set(written)) == 1


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
        f"new, remove the folder {placed.parent}, and convert again; or choose another output.",
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


def test_categories_of_a_file_are_all_written_with_their_ids_and_other_keys(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon(label=" swan"), polygon(2, "duck"))
    entries = [{"id": i, "name": n, "partition": 3} for i, n in ((9, "swan"), (4, "goose"), (2, "duck"))]
    path = tree.videos.parent / "categories.json"
    path.write_text(json.dumps({"categories": entries}))
    tree.convert(categories=path)
    reader = tree.load()
    assert reader.dataset["categories"] == [entry | {"supercategory": "object"} for entry in entries]
    assert [annotation["category_id"] for annotation in reader.annotations.values()] == [9, 2]


def test_labels_that_the_category_file_does_not_name_are_all_listed(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon(1, "Swan"), polygon(2, "dukc"), polygon(3, "dukc"), polygon(4, "duck"))
    path = tree.videos.parent / "names.txt"
    path.write_text("swan\nduck\n")
    (problem,) = tree.problems(categories=path)
    assert problem.splitlines()[1:] == [
        "    'dukc' (2 objects): did you mean 'duck'?",
        "    'Swan' (1 object): did you mean 'swan'?",
        "    Or rename labels on the way (--map FILE), or leave such objects out with --drop-unknown.",
    ]


def test_an_object_with_two_labels_is_an_error_that_names_the_frames(tree: Tree) -> None:
    tree.video("bear", frames=6)
    for index in range(5):
        tree.annotate(f"bear/{index:05d}", polygon(7, "swan"))
    tree.annotate("bear/00005", polygon(7, "duck"))
    (problem,) = tree.problems()
    assert problem.startswith(
        "Object 7 of video bear is labelled 'swan' in frames 00000, 00001, 00002 and 2 more and 'duck' in frame 00005."
    )


def test_shapes_without_an_object_id_are_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(None), polygon(None, "duck"), polygon(1))
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} has shapes without an object id (group_id), labelled 'duck', 'swan'; open the")


def test_an_empty_label_is_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(1, "  "))
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} has 1 shape with an empty label")


def test_points_and_lines_are_left_out_and_counted(tree: Tree) -> None:
    tree.video("bear")
    line = Shape("swan", ((1.0, 1.0), (30.0, 30.0)), "line", None)
    point = Shape("swan", ((1.0, 1.0),), "point", 2)
    strip = Shape("goose", ((1.0, 1.0), (9.0, 9.0), (1.0, 20.0)), "linestrip", 1)
    tree.annotate("bear/00000", line, point, point, strip, polygon(1))
    report = tree.convert()
    assert report.ignored_shapes == {"line": 1, "linestrip": 1, "point": 2}
    assert "shapes that cover no area: 4 (1 line, 1 linestrip, 2 point)" in str(report)
    assert tree.load().annotations[1]["areas"][0] == drawn(TRIANGLE).sum()


def test_masks_outside_the_image_are_null_and_objects_that_are_nowhere_vanish(tree: Tree) -> None:
    tree.video("bear")
    flat = polygon(3, points=((1.0, 1.0), (5.0, 5.0)))
    tree.annotate("bear/00000", outside(1), outside(2, "duck"), flat)
    tree.annotate("bear/00001", polygon(1), outside(2, "duck"))
    report = tree.convert()
    reader = tree.load()
    (annotation,) = reader.annotations.values()
    assert annotation["areas"][0] is annotation["bboxes"][0] is annotation["segmentations"][0] is None
    assert [category["name"] for category in reader.categories.values()] == ["swan"]
    assert report.empty_masks == 4
    assert report.empty_objects == ("object 2 (duck) of bear", "object 3 (swan) of bear")
    assert "objects that cover no pixel: 2 (object 2 (duck) of bear" in str(report)


def test_a_mask_crop_that_reaches_out_of_the_image_is_clipped(tree: Tree) -> None:
    tree.video("bear")
    crop = np.ones((10, 12), bool)
    tree.annotate("bear/00000", Shape("swan", ((-4.0, 43.0), (7.0, 52.0)), "mask", 1, mask=crop))
    tree.convert()
    assert tree.load().annotations[1]["bboxes"][0] == [0, 43, 8, 5]


def test_an_annotation_of_another_size_is_an_error_that_names_the_file(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon(), width=WIDTH * 2)
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} was made for an image of 128 x 48 pixels, but the frame has 64 x 48.")


def test_an_old_annotation_that_states_no_size_is_taken(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon())
    document = json.loads(path.read_text())
    del document["imageWidth"], document["imageHeight"], document["shapes"][0]["source"]
    path.write_text(json.dumps(document))
    assert tree.convert().masks == 1


def test_frames_of_different_sizes_in_one_video_are_an_error(tree: Tree) -> None:
    tree.video("bear")
    path = tree.image("bear/00003.jpg", (WIDTH, HEIGHT + 1))
    tree.annotate("bear/00000", polygon())
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} is 64 x 49 pixels, but 00000.jpg of the same video is 64 x 48;")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"shapes": []}', b"\xff\xfe"])
def test_a_corrupt_annotation_is_an_error_that_names_the_file_and_changes_nothing(tree: Tree, content: bytes) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000")
    path.write_bytes(content)
    (problem,) = tree.problems()
    assert problem.startswith(f"{path} is not ")
    assert path.read_bytes() == content


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


def test_all_problems_are_found_in_one_run_and_the_first_twenty_are_told(tree: Tree) -> None:
    tree.video("bear", frames=30)
    for index in range(30):
        tree.annotate(f"bear/{index:05d}", polygon(None))
    with pytest.raises(ConversionError) as caught:
        tree.convert()
    assert len(caught.value.problems) == 30
    lines = str(caught.value).splitlines()
    assert lines[0] == "30 problems were found and nothing was written:"
    assert len(lines) == 23
    assert lines[-2] == "  ... and 10 more of this kind"
    assert lines[-1].startswith("    Open the video in the window and give each object its id"), "said once"


def test_some_problems_of_each_kind_are_told_however_many_there_are_of_one(tree: Tree) -> None:
    tree.video("bear", frames=30)
    for index in range(30):
        tree.annotate(f"bear/{index:05d}", polygon(None, "eel"))
    path = tree.annotations / "bear/00029.json"
    path.write_text("{")
    names = tree.videos.parent / "names.txt"
    names.write_text("swan\n")
    with pytest.raises(ConversionError) as caught:
        tree.convert(categories=names)
    lines = str(caught.value).splitlines()
    assert lines[0] == "31 problems were found and nothing was written:"
    assert any(str(path) in line for line in lines)
    assert "    'eel' (1 object)" in lines, "of shapes without an id, too"
    assert "  ... and 23 more of this kind" in lines


def test_annotation_files_without_a_frame_are_told(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    strays = (tree.annotate("bear/99999", polygon()), tree.annotate("gone/00000", polygon()))
    report = tree.convert()
    assert report.files_without_frame == strays
    assert f"annotation files without a frame: 2 ({strays[0]}, {strays[1]})" in str(report)


def test_a_dataset_in_the_annotation_folder_is_not_taken_for_annotations(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    output = tree.annotations / "dataset"
    tree.steps(output=output)
    assert tree.steps(output=output, force=True)[-1].report.files_without_frame == ()
    assert tree.convert().files_without_frame == (), "nor is it left out of another dataset"


def test_annotations_of_other_videos_and_no_annotations_are_errors(tree: Tree) -> None:
    tree.video("bear")
    tree.annotations.mkdir()
    with pytest.raises(InputError, match=r"annotations holds no annotation\. Annotate a frame first"):
        tree.convert()
    stray = tree.annotate("swan/00000", polygon())
    with pytest.raises(InputError, match=r"The JSON file found belongs to no frame of the videos: ") as caught:
        tree.convert()
    assert str(stray) in str(caught.value)
    assert not tree.dataset.exists()


def test_the_json_of_the_same_split_is_written_over_only_by_force(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    path = tree.convert().path
    before = path.read_bytes()
    tree.annotate("bear/00001", polygon())
    with pytest.raises(InputError, match=r"train_instances\.json is there already; write over it with --force"):
        tree.convert()
    assert path.read_bytes() == before
    tree.convert(split="val")
    assert tree.convert(force=True).masks == 2


@pytest.mark.parametrize("split", ["", "a/b", "..", ".hidden", "a b"])
def test_a_split_is_a_plain_name(tree: Tree, split: str) -> None:
    tree.video("bear")
    with pytest.raises(InputError, match="cannot name a split"):
        tree.convert(split=split)


def test_a_dataset_among_the_videos_is_refused(tree: Tree) -> None:
    tree.video("bear")
    for output in (tree.videos, tree.videos / "dataset", tree.videos / "bear" / ".." / "x"):
        with pytest.raises(InputError, match="would lie among the videos"):
            check_apart(output, tree.videos)
    check_apart(tree.videos.parent / "videos2", tree.videos)


def test_an_output_that_is_a_file_is_an_error_before_anything_is_read(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000").write_bytes(b"{")
    tree.dataset.write_text("a file")
    with pytest.raises(InputError, match="dataset is a file; choose a folder"):
        tree.convert()


def test_an_output_that_cannot_be_written_is_an_error_before_anything_is_read(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.video("bear")
    tree.annotate("bear/00000").write_bytes(b"{")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(SaveError, match="dataset cannot be written; choose a folder that can"):
        tree.convert()


def test_a_full_disk_leaves_no_json_and_no_half_images(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", fail)
        with pytest.raises(SaveError, match=r"could not be put into the dataset as .*00000\.jpg \(No space left"):
            tree.convert(images="copy")
    assert [path for path in tree.dataset.rglob("*") if path.is_file()] == []
    assert tree.convert(images="copy").images == {"copied": 3}


def test_a_conversion_stopped_at_any_step_leaves_no_json_and_can_be_made_again(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    videos, store = find_videos(tree.videos), AnnotationStore(tree.annotations)
    for stop in range(1, 8):
        steps = convert(videos, store, tree.dataset, ConvertOptions(present=True))
        for _ in range(stop):
            next(steps)
        steps.close()
        assert not (tree.dataset / "Annotations").exists()
    tree.convert()
    tree.load()


def test_progress_counts_each_stage_to_its_end_and_the_report_comes_last(tree: Tree) -> None:
    for name in ("a", "b", "c"):
        tree.video(name)
    tree.annotate("a/00000", polygon())
    tree.annotate("c/00000", polygon())
    steps = tree.steps()
    for stage, total in (("videos", 3), ("masks", 6), ("images", 6), ("done", 6)):
        counted = [(step.done, step.total) for step in steps if step.stage == stage]
        assert counted == [(total, total)] if stage == "done" else [(n, total) for n in range(1, total + 1)]
    assert [step.report is not None for step in steps] == [False] * (len(steps) - 1) + [True]


def test_a_video_file_counts_once_it_is_unpacked(tree: Tree) -> None:
    tree.video("bear")
    tree.annotate("bear/00000", polygon())
    (tree.videos / "film.mp4").write_bytes(b"")
    report = tree.convert()
    assert report.videos_not_unpacked == ("film",)
    assert "video files not unpacked (open them once in the window): 1 (film)" in str(report)


def test_group_ids_of_the_example_of_labelme_are_missing_and_the_error_says_so(shared: Path, tmp_path: Path) -> None:
    folder = shared / "labelme_example" / "data_annotated"
    with pytest.raises(ConversionError) as caught:
        list(convert(find_videos(folder), AnnotationStore(), tmp_path / "dataset", ConvertOptions()))
    first, *problems = caught.value.problems
    occurring = "2 labels occur: 'car', 'track'"
    assert first.startswith(f"Nothing fixes the names and ids of the categories ({occurring}); give --categories FILE")
    assert all("without an object id" in problem for problem in problems)
    assert problems
    assert isinstance(caught.value, AnnotatorError)
