"""A frame's annotation: what it says, who may change it, and that it is read as it was written."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sam_annotator.core.annotation import (
    PROPAGATED,
    REVIEWED,
    SAM,
    FrameAnnotation,
    Shape,
    encode_annotation,
    read_annotation,
    write_annotation,
)
from sam_annotator.core.errors import AnnotationError
from tests.core.annotation_examples import TRIANGLE, a_frame, document_of, read_document, ring


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


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    corner = (np.float32(1.5), np.float64(2.5))
    shape = Shape("swan", (corner, corner, corner), object_id=np.int64(3), score=np.float32(0.5))
    write_annotation(tmp_path / "0.json", FrameAnnotation("0.jpg", np.int32(4), 4, (shape,)))
    (again,) = read_annotation(tmp_path / "0.json").shapes
    assert (again.points[0], again.object_id, again.score) == ((1.5, 2.5), 3, 0.5)


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
