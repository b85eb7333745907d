"""What several tests of the weight-free engines need."""

import pytest

from sam_annotator.engine.embedded.segmenter import EmbeddedSegmenter
from tests.engine.embedded.drawn import PICTURE


@pytest.fixture(scope="session")
def segmenter() -> EmbeddedSegmenter:
    """One that has looked at PICTURE; predicting leaves no trace in it."""
    segmenter = EmbeddedSegmenter()
    segmenter.set_image(PICTURE)
    return segmenter
