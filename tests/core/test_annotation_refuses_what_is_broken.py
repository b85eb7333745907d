"""A file that is no annotation is an error that names it, and stays as it is."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sam_annotator.core.annotation import Shape, encode_annotation, read_annotation, write_annotation
from sam_annotator.core.errors import AnnotationError, SaveError
from tests.core.annotation_examples import TRIANGLE, a_frame, document_of


def with_shape(**facts: Any) -> dict[str, Any]:
    document = document_of(a_frame())
    document["shapes"][1].update(facts)
    return document


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in document_of(a_frame()).items() if key not in keys}


def png(mode: str = "L", size: tuple[int, int] = (4, 3), cut: int | None = None) -> str:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()[:cut]).decode()


BROKEN = {
    "a list at the top": ([], "the top of the file is a list, not an object"),
    "a number at the top": (3, "the top of the file is a int"),
    "null at the top": (None, "not an object"),
    "no shapes": (without("shapes"), "'shapes' is missing"),
    "no image": (without("imagePath"), "'imagePath' is missing"),
    "shapes that are no list": ({**without(), "shapes": {}}, "'shapes' is not a list"),
    "a shape that is no object": ({**without(), "shapes": [3]}, "shape 0 is not an object"),
    "an image that is no text": ({**without(), "imagePath": 3}, "imagePath is 3, not a text"),
    "image data that is no text": ({**without(), "imageData": 3}, "imageData is 3, not a text"),
    "a width that is a text": ({**without(), "imageWidth": "64"}, "imageWidth is '64'"),
    "a height of nothing": ({**without(), "imageHeight": 0}, "imageHeight is 0, not a size in pixels"),
    "flags that are a list": ({**without(), "flags": []}, r"flags are \[\]"),
    "propagated ids that are texts": (
        {**without(), "propagated": ["1"]},
        "'propagated' is .* not a list of",
    ),
    "absent ids that are no list": ({**without(), "absent": 4}, "'absent' is 4, not a list of object ids"),
    "no label": ({**without(), "shapes": [{"points": [[1, 2]]}]}, "'label' is missing"),
    "no points": ({**without(), "shapes": [{"label": "a"}]}, "'points' is missing"),
    "a label that is a number": (with_shape(label=3), "label of shape 1 is 3, not a text"),
    "a description that is a number": (with_shape(description=3), "description of shape 1 is 3"),
    "a type that is a number": (with_shape(shape_type=3), "shape_type of shape 1"),
    "points that are empty": (with_shape(points=[]), "points of shape 1 are empty"),
    "points that are one number": (with_shape(points=[1, 2]), "points of shape 1 are not pairs"),
    "points that are texts": (with_shape(points=["12", "34"]), "points of shape 1 are not pairs"),
    "points in space": (with_shape(points=[[1, 2, 3]]), "points of shape 1 are not pairs"),
    "points of nulls": (with_shape(points=[[None, 2]]), "points of shape 1 are not pairs"),
    "points that are a number": (with_shape(points=5), "points of shape 1 are not pairs"),
    "an object id that is a text": (with_shape(group_id="2"), "group_id of shape 1 is '2'"),
    "an object id that is a truth": (with_shape(group_id=True), "group_id of shape 1 is True"),
    "an object id and a half": (with_shape(group_id=1.5), "group_id of shape 1 is 1.5, not a whole number"),
    "a score that is a text": (with_shape(score="high"), "score of shape 1 is 'high', not a number"),
    "a source that is a number": (with_shape(source=1), "source of shape 1"),
    "flags of a shape that are a text": (with_shape(flags="reviewed"), "flags are 'reviewed'"),
    "a mask that is a number": (with_shape(mask=3), "mask of shape 1 is 3, not a text"),
    "a mask that is no base64": (with_shape(mask="?"), "mask of shape 1 is not a base64 PNG"),
    "a mask that is no picture": (with_shape(mask="aGVsbG8="), "mask of shape 1 is not a base64 PNG"),
    "a mask that was cut off": (with_shape(mask=png(cut=40)), "mask of shape 1 is not a base64 PNG"),
    "a mask in colours": (with_shape(mask=png("RGB")), "mask of shape 1 is a coloured image"),
    "a mask without pixels": (with_shape(mask=None), "shape 1 is a mask without its pixels or its place"),
    "a mask of one point": (with_shape(points=[[1, 2]]), "shape 1 is a mask without its pixels or its place"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_annotation_is_an_error_that_names_it_and_leaves_it(tmp_path: Path, name: str) -> None:
    document, reason = BROKEN[name]
    path = tmp_path / "00007.json"
    path.write_text(json.dumps(document))
    before = path.read_bytes()
    with pytest.raises(
        AnnotationError, match=rf"00007\.json is not a labelme annotation \(.*{reason}.*Nothing was changed"
    ):
        read_annotation(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"shapes": [}',
        b"\xff\xfe\x00",
        b"[NaN]",
        b"hello",
        b"[" * 5000,
        b"1e999",
        encode_annotation(a_frame())[:-30],
    ],
)
def test_a_corrupt_file_is_an_error_that_names_it_and_leaves_it(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "00007.json"
    path.write_bytes(data)
    with pytest.raises(AnnotationError, match=r"00007\.json is not valid JSON \(.+Nothing was changed"):
        read_annotation(path)
    assert path.read_bytes() == data


def test_a_folder_of_that_name_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "00007.json").mkdir()
    with pytest.raises(AnnotationError, match=r"00007\.json cannot be read \(Is a directory\)"):
        read_annotation(tmp_path / "00007.json")


@pytest.mark.parametrize(
    "change",
    [
        {"image_path": "caf\udce9.jpg"},
        {"shapes": (Shape("swan", ((float("nan"), 1.0),)),)},
        {"shapes": (Shape("swan", TRIANGLE, score=float("inf")),)},
        {"extra": {"x": object()}},
        {"extra": {"x": 2**70}},
    ],
)
def test_what_json_cannot_say_is_not_saved_and_the_old_file_stays(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "00000.json"
    write_annotation(path, a_frame())
    with pytest.raises(SaveError, match=r"00000\.json could not be saved \(.+the file that was there is unchanged"):
        write_annotation(path, replace(a_frame(), **change))
    assert read_annotation(path) == a_frame()
