"""Masks as PNG: whoever reads them finds the same pixels."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from sam_annotator.core.png import encode_mask

masks = arrays.arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 40)))


@given(mask=masks)
def test_other_programs_read_the_same_pixels(mask: np.ndarray) -> None:
    content = encode_mask(mask)
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), mask)
    other = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(other, mask)


@pytest.mark.parametrize("order", ["transposed", "every second", "large"])
def test_masks_of_any_layout_in_memory_are_taken(order: str) -> None:
    whole = np.random.default_rng(0).random((900, 1400)) < 0.5
    mask = {"transposed": whole.T, "every second": whole[::2, 1::2], "large": whole}[order]
    with Image.open(io.BytesIO(encode_mask(mask))) as image:
        np.testing.assert_array_equal(np.asarray(image), mask)


def test_an_object_takes_half_of_what_pillow_makes_of_it() -> None:
    mask = np.zeros((160, 160), np.uint8)
    cv2.circle(mask, (80, 80), 70, 1, -1)
    theirs = io.BytesIO()
    Image.fromarray(mask).save(theirs, format="PNG", compress_level=1)
    assert len(encode_mask(mask.astype(bool))) < 0.7 * len(theirs.getvalue())
