"""The members of a JSON object, read one by one: the same as by reading it whole, valid or not."""

import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sam_annotator.core.errors import InputError
from sam_annotator.core.json_members import JsonMembers, NotJsonError

TRICKY = 'ab"\\[]{}é \n'
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(TRICKY, max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(TRICKY, max_size=3), inner, max_size=4),
    max_leaves=25,
)
objects = st.dictionaries(st.text(TRICKY, max_size=3), values, max_size=5)
often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=[1, 7, 2**18], autouse=True)
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many bytes are looked at together."""
    monkeypatch.setattr("sam_annotator.core.json_look._PIECE", request.param)
    return int(request.param)


def read(path: Path, content: bytes, names: Any = ()) -> Any:
    path.write_bytes(content)
    members = JsonMembers.read(path)
    if members is None:
        return None
    found = {name: members.value(name) for name in names}
    for name in filter(members.is_list, names):
        entries = list(members.entries(name))
        assert [value for value, *_extent in entries] == found[name]
        assert all(orjson.loads(content[start:end]) == value for value, start, end in entries)
    return found


@often
@given(document=objects, indent=st.sampled_from([None, 1]), is_ascii=st.booleans())
def test_each_member_and_each_entry_is_what_it_is_in_the_whole(
    tmp_path: Path, document: dict[str, Any], indent: int | None, is_ascii: bool
) -> None:
    content = json.dumps(document, indent=indent, ensure_ascii=is_ascii).encode()
    assert read(tmp_path / "x.json", content, document) == document


@often
@given(document=objects, data=st.data())
def test_what_is_no_json_is_told_and_nothing_else(
    tmp_path: Path, document: dict[str, Any], data: st.DataObject
) -> None:
    content = json.dumps(document).encode()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        put = data.draw(st.sampled_from([b"", *(bytes([one]) for one in b'"\\[]{},:1 ')]))
        content = content[:at] + put + content[at + data.draw(st.integers(0, 1)) :]
    try:
        expected = orjson.loads(content)
    except orjson.JSONDecodeError:
        expected = NotJsonError
    names = expected if isinstance(expected, dict) else document
    try:
        found = read(tmp_path / "x.json", content, names)
    except NotJsonError:
        found = NotJsonError
    assert found == (expected if expected is NotJsonError or isinstance(expected, dict) else None)


@often
@given(
    entries=st.lists(st.dictionaries(st.sampled_from(["id", "a"]), values, max_size=3), max_size=12),
    indent=st.sampled_from([None, 1]),
)
def test_lists_of_entries_that_begin_alike_are_found_too(
    tmp_path: Path, entries: list[dict[str, Any]], indent: int | None
) -> None:
    document = {"videos": [{"id": 1}], "annotations": [{"id": 7, **entry} for entry in entries], "more": {"id": [{}]}}
    content = json.dumps(document, indent=indent).encode()
    assert read(tmp_path / "x.json", content, document) == document


@pytest.mark.parametrize(
    "content",
    [
        b'{"a":[{"id":1},{"id":2},]}',
        b'{"a":[{"id":1},,{"id":2}]}',
        b'{"a":[,{"id":1},{"id":2}]}',
        b'{"a":[{"id":1}{"id":2}]}',
        b'{"a":[{"id":1},{"id":2}}',
        b'{"a":[{"id":1},{"id":2}',
        b'{"a":[{"id":1},{"id":2}]]}',
        b'{"a":[{"id":1},{"id":2}]}}',
        b'{"a":[{"id":1},{"id":2}]},{}',
        b'{"a":[{"id":"1},{"id":2}]}',
        b'{"a":[[[{"id":1},{"id":2}],{"id":3}]}',
        b'{"a":[1,2,]}',
        b'{"a":1,}',
        b'{"a":"b\\',
        b'{"a"',
        b"{a:1}",
        b"\xef\xbb\xbf",
        b" ",
    ],
)
def test_a_list_or_object_with_a_flaw_is_no_json(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NotJsonError):
        read(tmp_path / "x.json", content)


def test_what_is_nested_too_deep_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotJsonError, match=r"nested too deep|cut off"):
        read(tmp_path / "x.json", b'{"a": ' + b"[" * 20_000)
    with pytest.raises(NotJsonError, match="nested too deep"):
        read(tmp_path / "x.json", b'{"a": [' + b"[" * 20_000 + b"]" * 20_000 + b"]}")


def test_where_a_flaw_is_counts_from_the_start_of_the_file(tmp_path: Path) -> None:
    content = b'{"a":[' + b'{"id":1},' * 50 + b'{"id":?}]}'
    with pytest.raises(NotJsonError, match=r"byte \d+$") as caught:
        read(tmp_path / "x.json", content)
    assert 6 <= int(str(caught.value).rsplit(" ", 1)[1]) <= len(content)


def test_a_file_that_is_cut_short_while_it_is_looked_over_is_one_sentence(tmp_path: Path, piece: int) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"annotations":[' + b",".join([b'{"id":1}'] * max(piece // 2, 100)) + b"]}")
    steps = JsonMembers.reading(path)
    next(steps)
    os.truncate(path, 50)
    with pytest.raises(InputError, match="was changed while it was read"):
        list(steps)


def test_a_file_that_is_cut_short_while_its_entries_are_read_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b'{"annotations":[' + b",".join([b'{"id":1,"x":"%s"}' % (b"x" * 4000)] * 100) + b"]}")
    members = JsonMembers.read(path)
    assert members is not None
    entries = members.entries("annotations")
    next(entries)
    os.truncate(path, 50_000)
    with pytest.raises(InputError, match="was changed while it was read"):
        list(entries)


def test_memory_holds_an_entry_and_not_the_file(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    line = b'{"id":1,"runs":"' + b"0123[456789PQ" * 1500 + b'"}'
    path.write_bytes(b'{"annotations":[' + b",\n".join([line] * 600) + b'],"videos":[{"id":7}]}')
    tracemalloc.start()
    members = JsonMembers.read(path)
    assert members is not None
    assert sum(entry["id"] for entry, *_extent in members.entries("annotations")) == 600
    assert members.value("videos") == [{"id": 7}]
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 10_000_000 > 3 * peak


def test_a_file_that_was_changed_meanwhile_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"annotations": [{"id": 1}]}')
    members = JsonMembers.read(path)
    assert members is not None
    path.write_text('{"other": [], "annotations": [{"id": 1}]}')
    with pytest.raises(InputError, match="was changed while it was read"):
        members.value("annotations")
    path.unlink()
    with pytest.raises(InputError, match="cannot be read any more"):
        list(members.entries("annotations"))


def test_the_mark_that_some_editors_put_first_is_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", b'\xef\xbb\xbf \n{"a": [1]}', ["a"]) == {"a": [1]}
