"""A category file after its list was edited: what else it says stays."""

import json
from pathlib import Path

import pytest

from sam_annotator.core.categories import read_categories
from sam_annotator.core.category_files import ListedName, save_names
from sam_annotator.core.errors import InputError, SaveError


def names(*texts: str) -> list[ListedName]:
    """`>new` for a new one, `old>new` for one that had another name, `same` for one that stays."""
    pairs = (text.partition(">") for text in texts)
    return [ListedName(new or old, old or None) for old, _arrow, new in pairs]


def test_a_text_gets_the_names_in_their_order_and_keeps_the_lines_that_name_no_category(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("__ignore__\n_background_\nswan\nduck\n", encoding="utf-8")
    save_names(path, names("duck", "swan>mute swan", ">café"))
    assert path.read_text(encoding="utf-8") == "__ignore__\n_background_\nduck\nmute swan\ncafé\n"


def test_a_json_keeps_ids_and_other_keys_and_new_names_get_the_next_ids(tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    entries = [{"id": 3, "name": "swan", "partition": 1}, {"id": 7, "name": "duck", "supercategory": "bird"}]
    path.write_text(json.dumps({"info": {"year": 2024}, "categories": entries}), encoding="utf-8")
    save_names(path, names(">heron", "duck>wild duck", "swan"))
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["info"] == {"year": 2024}
    assert document["categories"] == [
        {"id": 8, "name": "heron", "supercategory": "object"},
        {"id": 7, "name": "wild duck", "supercategory": "bird"},
        {"id": 3, "name": "swan", "partition": 1},
    ]


def test_names_that_were_exchanged_keep_the_ids_they_had(tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    path.write_text(json.dumps([{"id": 1, "name": "left"}, {"id": 2, "name": "right"}]), encoding="utf-8")
    save_names(path, names("left>right", "right>left"))
    assert [(c.id, c.name) for c in read_categories(path)] == [(1, "right"), (2, "left")]


def test_a_dataset_is_not_changed_by_its_list(tmp_path: Path) -> None:
    path = tmp_path / "train_instances.json"
    path.write_text(json.dumps({"categories": [{"id": 1, "name": "swan"}], "annotations": []}), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(InputError, match="holds a dataset"):
        save_names(path, names("swan", ">duck"))
    assert path.read_bytes() == before


@pytest.mark.parametrize("wrong", [(), ("swan", "swan"), ("swan", "  "), ("__ignore__",), ("a\nb",)])
def test_a_list_that_could_not_be_read_back_is_refused(tmp_path: Path, wrong: tuple[str, ...]) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("duck\n", encoding="utf-8")
    with pytest.raises(InputError):
        save_names(path, [ListedName(text) for text in wrong])
    assert path.read_text(encoding="utf-8") == "duck\n"


def test_a_new_file_is_made_a_json_by_its_suffix(tmp_path: Path) -> None:
    for name in ("new.txt", "new.json"):
        save_names(tmp_path / name, names(">swan", ">duck"))
        assert [(c.id, c.name) for c in read_categories(tmp_path / name)] == [(1, "swan"), (2, "duck")]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(SaveError, match="labels"):
        save_names(tmp_path / "taken" / "labels.txt", names(">swan"))
