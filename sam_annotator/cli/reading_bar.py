"""The bar of the commands that read a dataset's file before their own work begins."""

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_annotator.core.datasets.masked_video import MaskedVideos, ReadProgress


def read_with_bar(steps: "Generator[ReadProgress, None, MaskedVideos]") -> "MaskedVideos":
    """Go through a reading with a bar on stderr (none if that is not a terminal, or nothing takes time)."""
    from tqdm import tqdm

    with tqdm(desc="reading", unit="B", unit_scale=True, file=sys.stderr, disable=None, delay=0.3) as bar:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                source: MaskedVideos = end.value
                return source
            bar.total = step.total
            bar.update(step.done - bar.n)
