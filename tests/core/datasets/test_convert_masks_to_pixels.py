"""From annotations to a dataset: each mask against truth, pixel for pixel, and what covers none."""

import json
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from sam_annotator.core.annotation import Shape
from sam_annotator.core.masks import iou, mask_to_shapes, object_mask
from tests.dataset_tree import HEIGHT, TRIANGLE, WIDTH, Tree, outside, polygon


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


def test_an_old_annotation_that_states_no_size_is_taken(tree: Tree) -> None:
    tree.video("bear")
    path = tree.annotate("bear/00000", polygon())
    document = json.loads(path.read_text())
    del document["imageWidth"], document["imageHeight"], document["shapes"][0]["source"]
    path.write_text(json.dumps(document))
    assert tree.convert().masks == 1
