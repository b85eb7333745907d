"""An annotation with one of everything, and its document."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sam_annotator.core.annotation import (
    PROPAGATED,
    REVIEWED,
    SAM,
    FrameAnnotation,
    Shape,
    encode_annotation,
    read_annotation,
)

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


def document_of(annotation: FrameAnnotation) -> dict[str, Any]:
    return json.loads(encode_annotation(annotation))


def read_document(folder: Path, document: Any) -> FrameAnnotation:
    path = folder / "made.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_annotation(path)
