"""Laws of the labelme format: any annotation survives its file, unknown keys too, and half a file is none."""

import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from sam_annotator.core.annotation import FrameAnnotation, Shape, encode_annotation, read_annotation
from sam_annotator.core.errors import AnnotationError
from tests.core.annotation_examples import a_frame, document_of, read_document

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


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(encode_annotation(a_frame())) - 1))
def test_half_a_file_is_never_taken_for_an_annotation(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "half.json"
    path.write_bytes(encode_annotation(a_frame())[:cut])
    with pytest.raises(AnnotationError):
        read_annotation(path)
