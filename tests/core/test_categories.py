"""Category files of each kind, and what is said of labels that are in none."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sam_annotator.core.categories import (
    Category,
    categories_from_labels,
    describe_unknown_labels,
    near_names,
    read_categories,
)
from sam_annotator.core.errors import InputError


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_labels_become_categories_sorted_without_regard_to_case_with_ids_from_one() -> None:
    categories = categories_from_labels(["swan", "Zebra", "apple", "swan", "Éclair"])
    assert [(c.id, c.name) for c in categories] == [(1, "apple"), (2, "swan"), (3, "Zebra"), (4, "Éclair")]
    assert {c.supercategory for c in categories} == {"object"}


def test_labels_that_differ_in_white_space_or_in_composition_are_one_category() -> None:
    assert [c.name for c in categories_from_labels([" café", "cafe\u0301 "])] == ["café"]


def test_a_plain_list_gives_ids_in_the_order_of_its_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "names.txt", "\ufeff__ignore__\n_background_\nswan\n\n  teddy bear \r\ncafé\n")
    assert [(c.id, c.name) for c in read_categories(path)] == [(1, "swan"), (2, "teddy bear"), (3, "café")]


def test_ids_order_and_other_keys_of_a_json_are_kept(tmp_path: Path) -> None:
    entries = [
        {"id": 7, "name": "swan", "partition": 0, "supercategory": "animal"},
        {"id": 3, "name": "car_(automobile)", "partition": 2, "synonyms": ["auto"]},
    ]
    path = write(tmp_path, "instances.json", {"videos": [], "categories": entries})
    categories = read_categories(path)
    assert categories[0] == Category(7, "swan", "animal", {"partition": 0})
    assert categories[0].to_document() == entries[0]
    assert categories[1].to_document() == entries[1] | {"supercategory": "object"}


def test_a_json_list_of_names_is_taken_as_the_lines_of_a_text(tmp_path: Path) -> None:
    path = write(tmp_path, "names.json", ["cat", "__ignore__", " dog "])
    assert read_categories(path) == (Category(1, "cat"), Category(2, "dog"))


def test_a_json_may_be_the_bare_list_and_have_any_suffix(tmp_path: Path) -> None:
    path = write(tmp_path, "categories", [{"id": 1, "name": "swan"}])
    assert read_categories(path) == (Category(1, "swan"),)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", "{oops", "is not valid JSON"),
        ("a.json", {"videos": []}, "has no list 'categories'"),
        ("a.json", {"categories": ["swan"]}, "has an entry without 'id' and 'name': 'swan'"),
        ("a.json", ["swan", 3], "a JSON list of names"),
        ("a.json", [{"id": 1, "name": "swan", "supercategory": 7}], "supercategory 7; it has to be a "),
        ("a.json", {"categories": [{"id": 1}]}, "has an entry without 'id' and 'name'"),
        ("a.json", {"categories": []}, "names no category"),
        ("a.json", {"categories": [{"id": 0, "name": "swan"}]}, "gives 'swan' the id 0; ids are whole numbers from 1"),
        ("a.json", {"categories": [{"id": "1", "name": "swan"}]}, "gives 'swan' the id '1'; ids are whole numbers"),
        ("a.json", {"categories": [{"id": True, "name": "swan"}]}, "ids are whole numbers"),
        ("a.json", {"categories": [{"id": 1, "name": " "}]}, "a category needs a name"),
        (
            "a.json",
            {"categories": [{"id": 1, "name": "swan"}, {"id": 1, "name": "duck"}]},
            "gives 'duck' the id 1, which another category has already",
        ),
        ("a.txt", "swan\nduck\nswan\n", "names 'swan' twice"),
        ("a.txt", "\n\n", "names no category"),
    ],
)
def test_a_category_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, name: str, content: object, sentence: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(InputError) as caught:
        read_categories(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_missing_category_file_and_one_that_is_not_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.txt cannot be read \(No such file"):
        read_categories(tmp_path / "none.txt")
    path = tmp_path / "latin.txt"
    path.write_bytes("caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.txt is not UTF-8 text"):
        read_categories(path)


@pytest.mark.parametrize(
    ("label", "meant"),
    [("perosn", "person"), ("Swan", "swan"), ("fire hydrant", "fire_hydrant"), ("car", "car_(automobile)")],
)
def test_near_names_find_what_was_meant(label: str, meant: str) -> None:
    assert near_names(label, ["swan", "person", "car_(automobile)", "fire_hydrant"])[0] == meant


def test_unknown_labels_are_all_listed_with_counts_and_near_names() -> None:
    categories = categories_from_labels(["swan", "person"])
    text = describe_unknown_labels({"xyz": 1, "Swan": 12}, categories, Path("names.txt"))
    assert text.splitlines() == [
        "2 labels are not in names.txt; rename the objects, or add the names to it:",
        "    'Swan' (12 objects): did you mean 'swan'?",
        "    'xyz' (1 object)",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes by name here")
def test_a_list_that_comes_through_a_pipe_is_read_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "names"
    os.mkfifo(pipe)
    names = [f"category {number}" for number in range(1000)]
    with ThreadPoolExecutor(1) as executor:
        executor.submit(pipe.write_text, "\n".join(names))
        assert [category.name for category in read_categories(pipe)] == names
