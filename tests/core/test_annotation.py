"""The labelme format: what is read is written again without loss, labelme being the judge; what is broken is left."""

import base64
import copy
import io
import json
import pickle
import string
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image

from sam_annotator.core.annotation import (
    MANUAL,
    PROPAGATED,
    REVIEWED,
    SAM,
    FrameAnnotation,
    Shape,
    encode_annotation,
    read_annotation,
    write_annotation,
)
from sam_annotator.core.errors import AnnotationError, SaveError
from sam_annotator.core.images import image_size

TRIANGLE = ((1.5, 2.0), (30.0, 4.25), (12.0, 28.0))


def ring() -> np.ndarray:
    mask = np.zeros((9, 12), bool)
    mask[1:8, 1:11] = True
    mask[3:6, 4:8] = False
    return mask


def a_frame() -> FrameAnnotation:
    """One of everything."""
    return FrameAnnotation(
        image_path="00000.jpg",
        width=64,
        height=48,
        shapes=(
            Shape("swan", TRIANGLE, object_id=1, source=SAM, score=0.93, description="the first"),
            Shape("duck", ((5.0, 6.0), (16.0, 14.0)), "mask", 2, ring(), PROPAGATED, 0.5, {REVIEWED: True}),
            Shape("reed", ((1.0, 1.0), (9.0, 9.0)), "rectangle", extra={"colour": [1, 2, 3]}),
        ),
        flags={"blurred": False},
        propagated_ids=frozenset({2, 7}),
        absent_ids=frozenset({4, 7}),
        extra={"camera": {"name": "é", "lens": [1, 2.5, None]}},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.new("RGB", (64, 48), (90, 120, 60)).save(tmp_path / "00000.jpg")
    return tmp_path


def document_of(annotation: FrameAnnotation) -> dict[str, Any]:
    return json.loads(encode_annotation(annotation))


def read_document(folder: Path, document: Any) -> FrameAnnotation:
    path = folder / "made.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_annotation(path)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    write_annotation(tmp_path / "00000.json", a_frame())
    assert read_annotation(tmp_path / "00000.json") == a_frame()


def test_the_same_annotation_always_gives_the_same_bytes(tmp_path: Path) -> None:
    write_annotation(tmp_path / "a.json", a_frame())
    assert (tmp_path / "a.json").read_bytes() == encode_annotation(a_frame())
    assert encode_annotation(read_annotation(tmp_path / "a.json")) == encode_annotation(a_frame())


def test_the_file_has_labelmes_keys_and_our_facts_on_the_shape() -> None:
    document = document_of(a_frame())
    assert list(document)[:7] == [
        "version",
        "flags",
        "shapes",
        "imagePath",
        "imageData",
        "imageHeight",
        "imageWidth",
    ]
    assert document["imageData"] is None
    assert (document["propagated"], document["absent"]) == ([2, 7], [4, 7])
    assert not {"propagated", "absent"} & document_of(FrameAnnotation("0.jpg", 4, 4)).keys()
    swan, duck, reed = document["shapes"]
    assert (swan["group_id"], swan["source"], swan["score"], swan["mask"]) == (1, "sam", 0.93, None)
    assert duck["flags"] == {"reviewed": True}
    assert (reed["group_id"], reed["source"], reed["colour"]) == (None, "manual", [1, 2, 3])
    assert "score" not in reed


def test_nothing_here_and_not_annotated_are_told_apart(tmp_path: Path) -> None:
    write_annotation(tmp_path / "seen.json", FrameAnnotation("0.jpg", 4, 4))
    assert read_annotation(tmp_path / "seen.json").shapes == ()
    with pytest.raises(AnnotationError, match=r"unseen\.json cannot be read \(No such file"):
        read_annotation(tmp_path / "unseen.json")


# --- labelme is the judge


def test_labelmes_own_reader_opens_what_we_write(folder: Path) -> None:
    from labelme._label_file import read_label_file

    write_annotation(folder / "00000.json", a_frame())
    theirs = read_label_file(str(folder / "00000.json"))
    assert theirs.image_path == "00000.jpg"
    assert theirs.flags == {"blurred": False}
    assert theirs.other_data == {
        "propagated": [2, 7],
        "absent": [4, 7],
        "camera": {"name": "é", "lens": [1, 2.5, None]},
    }
    swan, duck, reed = theirs.shapes
    assert [tuple(point) for point in swan["points"]] == list(TRIANGLE)
    assert swan["other_data"] == {"source": "sam", "score": 0.93}
    assert np.array_equal(duck["mask"], ring())
    assert (duck["group_id"], reed["shape_type"], reed["group_id"]) == (2, "rectangle", None)


LABELME_SAVES_AGAIN = """
import sys
from PyQt5 import QtWidgets
application = QtWidgets.QApplication(sys.argv[:1])
from labelme.app import MainWindow
window = MainWindow(config_overrides={"with_image_data": False}, file_or_dir=sys.argv[1])
assert len(window._docks.label_list) == int(sys.argv[2])
assert window.save_labels(sys.argv[1])
"""


def test_what_labelmes_window_saves_again_keeps_our_facts(folder: Path) -> None:
    path = folder / "00000.json"
    write_annotation(path, a_frame())
    command = [sys.executable, "-c", LABELME_SAVES_AGAIN, str(path), "3"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert path.read_bytes() != encode_annotation(a_frame())  # it is theirs
    assert replace(read_annotation(path), version=a_frame().version) == a_frame()


def test_files_of_old_labelme_versions_are_read_and_stay_readable_to_labelme(shared: Path, tmp_path: Path) -> None:
    from labelme._label_file import read_label_file

    examples = sorted((shared / "labelme_example" / "data_annotated").glob("*.json"))
    assert len(examples) == 5
    for example in examples:
        annotation = read_annotation(example)
        picture = example.with_name(annotation.image_path)
        (tmp_path / picture.name).write_bytes(picture.read_bytes())
        write_annotation(tmp_path / example.name, annotation)
        ours, theirs = read_label_file(str(tmp_path / example.name)), read_label_file(str(example))
        assert [(s["label"], s["points"], s["group_id"], s["flags"]) for s in ours.shapes] == [
            (s["label"], s["points"], s["group_id"], s["flags"]) for s in theirs.shapes
        ]
        assert (ours.flags, ours.other_data) == (theirs.flags, theirs.other_data)
        assert read_annotation(tmp_path / example.name) == annotation
        assert (annotation.width, annotation.height) == image_size(picture)
        assert all(shape.source == MANUAL and shape.is_protected for shape in annotation.shapes)


def test_a_file_without_sizes_is_written_so_that_labelme_still_opens_it(folder: Path) -> None:
    from labelme._label_file import read_label_file

    document = document_of(a_frame())
    del document["imageWidth"], document["imageHeight"]
    annotation = read_document(folder, document)
    assert (annotation.width, annotation.height) == (0, 0)
    write_annotation(folder / "made.json", annotation)
    assert len(read_label_file(str(folder / "made.json")).shapes) == 3


def test_embedded_images_are_kept_but_never_added(folder: Path) -> None:
    assert document_of(a_frame())["imageData"] is None
    data = base64.b64encode((folder / "00000.jpg").read_bytes()).decode()
    annotation = read_document(folder, {**document_of(a_frame()), "imageData": data})
    assert document_of(annotation)["imageData"] == data


# --- what other programs wrote


def test_null_and_missing_facts_have_their_plain_meaning(tmp_path: Path) -> None:
    plain = {"label": "swan", "points": [[1, 2], [3, 4], [5, 7]]}
    nulls = dict.fromkeys(["group_id", "shape_type", "flags", "description", "mask", "source", "score"])
    document = {"imagePath": "0.jpg", "flags": None, "shapes": [plain, {**plain, **nulls}]}
    first, second = read_document(tmp_path, document).shapes
    assert first == second == Shape("swan", ((1.0, 2.0), (3.0, 4.0), (5.0, 7.0)))
    assert read_document(tmp_path, document).flags == {}


def test_a_path_of_windows_gets_forward_slashes(tmp_path: Path) -> None:
    annotation = read_document(tmp_path, {"imagePath": "..\\images\\0.jpg", "shapes": []})
    assert annotation.image_path == "../images/0.jpg"


def test_an_object_id_that_is_a_whole_float_is_a_whole_number(tmp_path: Path) -> None:
    document = document_of(a_frame())
    document["shapes"][0]["group_id"] = 4.0
    assert read_document(tmp_path, document).shapes[0].object_id == 4


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
unknown = st.dictionaries(st.text(string.ascii_letters, min_size=1).map("x_{}".format), json_values, max_size=3)
numbers = st.floats(-1e6, 1e6, allow_nan=False)
points = st.tuples(numbers, numbers)
flags = st.dictionaries(st.text(max_size=5), st.booleans(), max_size=2)
facts = {
    "label": st.text(),
    "object_id": st.none() | st.integers(0, 2**40),
    "source": st.sampled_from(["manual", "sam", "propagated", "imported", "another program"]),
    "score": st.none() | st.floats(0, 1),
    "flags": flags,
    "description": st.text(),
    "extra": unknown,
}
polygons = st.builds(
    Shape,
    points=st.lists(points, min_size=1, max_size=5).map(tuple),
    shape_type=st.sampled_from(["polygon", "line"]),
    **facts,
)
masks = st.builds(
    Shape,
    points=st.tuples(points, points),
    shape_type=st.just("mask"),
    mask=stnp.arrays(bool, stnp.array_shapes(min_dims=2, max_dims=2, max_side=20)),
    **facts,
)
frames = st.builds(
    FrameAnnotation,
    image_path=st.text().map(lambda text: text.replace("\\", "/")),
    width=st.integers(0, 10**5),
    height=st.integers(0, 10**5),
    shapes=st.lists(polygons | masks, max_size=3).map(tuple),
    flags=flags,
    propagated_ids=st.frozensets(st.integers(0, 2**40), max_size=3),
    absent_ids=st.frozensets(st.integers(0, 2**40), max_size=3),
    image_data=st.none() | st.text(string.ascii_letters),
    version=st.text(min_size=1),
    extra=unknown,
)


@settings(max_examples=150, deadline=None)
@given(frame=frames)
def test_any_annotation_survives_the_way_through_its_file(
    frame: FrameAnnotation, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    path.write_bytes(encode_annotation(frame))
    again = read_annotation(path)
    assert again == frame
    assert encode_annotation(again) == path.read_bytes()


@settings(max_examples=50, deadline=None)
@given(top=unknown, on_shape=unknown)
def test_keys_that_nobody_knows_survive(top: dict, on_shape: dict, tmp_path_factory: pytest.TempPathFactory) -> None:
    document = document_of(a_frame())
    document.update(top)
    document["shapes"][0].update(on_shape)
    assert document_of(read_document(tmp_path_factory.getbasetemp(), document)) == document


@given(mask=stnp.arrays(bool, stnp.array_shapes(min_dims=2, max_dims=2, max_side=60)))
@settings(max_examples=50, deadline=None)
def test_labelme_sees_every_pixel_of_a_mask(mask: np.ndarray) -> None:
    from labelme.utils import img_b64_to_arr

    shape = Shape("swan", ((0.0, 0.0), (1.0, 1.0)), "mask", mask=mask)
    (written,) = document_of(FrameAnnotation("0.jpg", 9, 9, (shape,)))["shapes"]
    assert np.array_equal(img_b64_to_arr(written["mask"]).astype(bool), mask)


# --- what is broken


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


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(encode_annotation(a_frame())) - 1))
def test_half_a_file_is_never_taken_for_an_annotation(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "half.json"
    path.write_bytes(encode_annotation(a_frame())[:cut])
    with pytest.raises(AnnotationError):
        read_annotation(path)


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


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    corner = (np.float32(1.5), np.float64(2.5))
    shape = Shape("swan", (corner, corner, corner), object_id=np.int64(3), score=np.float32(0.5))
    write_annotation(tmp_path / "0.json", FrameAnnotation("0.jpg", np.int32(4), 4, (shape,)))
    (again,) = read_annotation(tmp_path / "0.json").shapes
    assert (again.points[0], again.object_id, again.score) == ((1.5, 2.5), 3, 0.5)


# --- the data itself


def test_only_what_propagation_made_and_nobody_reviewed_may_be_overwritten() -> None:
    shape = Shape("swan", TRIANGLE)
    assert shape.is_protected
    assert replace(shape, source="another program").is_protected
    assert not replace(shape, source=PROPAGATED).is_protected
    assert not replace(shape, source=PROPAGATED, flags={REVIEWED: False}).is_protected
    assert replace(shape, source=PROPAGATED, flags={REVIEWED: True}).is_protected


def test_objects_are_replaced_in_their_place_in_the_drawing_order() -> None:
    parts = [Shape(name, TRIANGLE, object_id=number) for name, number in [("a", 1), ("b", 2), ("a", 1), ("c", 3)]]
    frame = FrameAnnotation("0.jpg", 9, 9, tuple(parts))
    assert [s.label for s in frame.with_object(1, [Shape("A", TRIANGLE, object_id=1)]).shapes] == ["A", "b", "c"]
    assert [s.label for s in frame.with_object(2, []).shapes] == ["a", "a", "c"]
    assert [s.label for s in frame.with_object(9, [Shape("d", TRIANGLE, object_id=9)]).shapes] == [*"abac", "d"]
    assert frame.object_ids() == (1, 2, 3)
    assert len(frame.shapes_of(1)) == 2


def test_a_key_frame_is_one_where_a_human_has_a_say() -> None:
    frame = a_frame()
    assert [frame.is_key_frame_of(number) for number in (1, 2, 3)] == [True, True, False]


def test_an_object_that_a_person_says_is_not_here_is_decided_until_somebody_draws_it(tmp_path: Path) -> None:
    annotation = a_frame()
    assert annotation.is_key_frame_of(4)
    assert annotation.mentioned_ids() == {1, 2, 4, 7}
    drawn = annotation.with_object(4, [replace(annotation.shapes[0], object_id=4, source=PROPAGATED)])
    assert drawn.absent_ids == {7}
    assert not drawn.is_key_frame_of(4)
    both = {**document_of(drawn), "absent": [4, 7]}  # as another program leaves it that knows nothing of ours
    assert read_document(tmp_path, both) == drawn


def test_shapes_are_compared_by_what_they_say() -> None:
    mask = Shape("a", ((0.0, 0.0), (1.0, 1.0)), "mask", mask=ring())
    assert mask == replace(mask, mask=ring())
    assert hash(mask) == hash(replace(mask, mask=ring()))
    assert mask != replace(mask, mask=~ring())
    assert mask != replace(mask, mask=None)
    assert mask != replace(mask, score=0.5)
    assert mask.same_geometry(replace(mask, label="b", source=SAM))
    assert mask != "mask"


def test_annotations_may_be_copied_and_sent_to_another_process() -> None:
    assert copy.deepcopy(a_frame()) == a_frame()
    assert pickle.loads(pickle.dumps(a_frame())) == a_frame()
    assert copy.deepcopy(a_frame().shapes[1]).mask is not None
