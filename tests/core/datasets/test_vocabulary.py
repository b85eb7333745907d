"""Where the categories come from: another split's JSON, whoever wrote it."""

from pathlib import Path

from sam_annotator.core.datasets.youtube_vis.options import ConvertOptions
from sam_annotator.core.datasets.youtube_vis.vocabulary import Vocabulary


def test_categories_that_another_split_tells_behind_its_annotations_count(tmp_path: Path) -> None:
    path = tmp_path / "Annotations" / "train_instances.json"
    path.parent.mkdir()
    path.write_text('{"info":{},\n"videos":[],\n"annotations":[\n],\n"categories":[{"id": 50, "name": "dog"}]}')
    fixed = Vocabulary.read(tmp_path, ConvertOptions(split="valid")).fixed
    assert fixed is not None
    assert [(category.id, category.name) for category in fixed] == [(50, "dog")]
