"""What tests of datasets share."""

from pathlib import Path

import pytest

from tests.dataset_tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Videos and annotations to come, and the dataset they become."""
    return Tree(tmp_path)
