"""Which frames are still to be filled, and which key frames a run learns."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam_annotator.core.tracks import Track
from sam_annotator.core.videos import Video
from sam_annotator.engine.planning import (
    MAX_KEY_FRAMES,
    PropagationRequest,
    choose_key_frames,
    plan_unfilled,
)
from tests.engine.moving_propagator import make_video


@pytest.fixture
def video(tmp_path: Path) -> Video:
    return make_video(tmp_path)


@pytest.mark.parametrize(
    ("key_frames", "frames", "expected"),
    [
        ([], range(10), []),
        ([[3]], range(10), [3]),
        ([[40], [2]], range(10), [2, 40]),
        ([range(100)], range(80, 90), [80, 81, 82, 83, 85, 86, 87, 89]),
        ([[0, 5, 9]], range(5, -1, -1), [0, 5, 9]),
        ([[i] for i in range(20)], range(20), list(range(20))),
    ],
)
def test_key_frames_are_the_nearest_and_a_spread(
    key_frames: list[Iterable[int]], frames: range, expected: list[int]
) -> None:
    assert choose_key_frames(key_frames, frames) == expected


@given(
    st.lists(st.sets(st.integers(0, 99), min_size=1), min_size=1, max_size=MAX_KEY_FRAMES),
    st.integers(0, 99),
    st.integers(0, 99),
)
def test_key_frames_are_bounded_and_each_object_has_one(key_frames: list[set[int]], start: int, end: int) -> None:
    frames = range(start, end + 1) if start <= end else range(start, end - 1, -1)
    chosen = choose_key_frames(key_frames, frames)
    assert len(chosen) == min(MAX_KEY_FRAMES, len(set().union(*key_frames)))
    assert all(indices & set(chosen) for indices in key_frames)


def track(
    object_id: int,
    keys: set[int],
    propagated: Iterable[int] = (),
    empty: Iterable[int] = (),
    absent: Iterable[int] = (),
) -> Track:
    answered = frozenset(propagated) | frozenset(empty)
    return Track(object_id, "swan", frozenset(keys), frozenset(propagated), answered, frozenset(absent))


@pytest.mark.parametrize(
    ("tracks", "options", "expected"),
    [
        pytest.param([track(1, {0})], {}, [((1,), 0, 0, 9, "forward")], id="one object"),
        pytest.param([track(1, {0}), track(2, {0})], {}, [((1, 2), 0, 0, 9, "forward")], id="together"),
        pytest.param([track(1, {9})], {}, [], id="key frame at the end"),
        pytest.param([track(1, set(), range(5))], {}, [], id="no key frame"),
        pytest.param([track(1, {0}, range(1, 10))], {}, [], id="all is filled"),
        pytest.param([track(1, {0}, range(1, 4), range(4, 6))], {}, [((1,), 5, 5, 9, "forward")], id="going on"),
        pytest.param([track(1, {0, 4})], {}, [((1,), 0, 0, 9, "forward")], id="through a key frame"),
        pytest.param([track(1, {0, 5, 9})], {}, [((1,), 0, 0, 8, "forward")], id="to the last gap"),
        pytest.param([track(1, {0, 1, 2})], {}, [((1,), 2, 2, 9, "forward")], id="from the last key frame in a row"),
        pytest.param(
            [track(1, {0}, [3, 4])],
            {},
            [((1,), 0, 0, 2, "forward"), ((1,), 4, 4, 9, "forward")],
            id="gaps",
        ),
        pytest.param(
            [track(1, {0}), track(2, {4})],
            {},
            [((1,), 0, 0, 4, "forward"), ((1, 2), 4, 4, 9, "forward")],
            id="the second comes in later",
        ),
        pytest.param(
            [track(1, {4})],
            {"direction": "both"},
            [((1,), 4, 4, 9, "forward"), ((1,), 4, 0, 4, "backward")],
            id="both directions",
        ),
        pytest.param([track(1, {0, 4}, {1, 2, 3, 5})], {"again": True}, [((1,), 0, 0, 9, "forward")], id="all again"),
        pytest.param([track(1, {0}, absent={4})], {}, [((1,), 0, 0, 9, "forward")], id="through 'not here'"),
        pytest.param([track(1, {0}, absent=range(6, 10))], {}, [((1,), 0, 0, 5, "forward")], id="up to 'not here'"),
        pytest.param([track(1, {0}, range(1, 4), absent=range(4, 10))], {}, [], id="the rest is not here"),
        pytest.param(
            [track(1, {0}, {1, 2, 3}, {5}, absent={4, 5})],
            {"again": True},
            [((1,), 0, 0, 9, "forward")],
            id="'not here' is not computed again",
        ),
        pytest.param([track(1, {0}, range(1, 5), absent={5})], {}, [((1,), 5, 5, 9, "forward")], id="from 'not here'"),
    ],
)
def test_the_plan_fills_what_is_missing_after_each_first_key_frame(
    video: Video, tracks: list[Track], options: dict[str, str], expected: list[tuple[object, ...]]
) -> None:
    assert plan_unfilled(video, tracks, **options) == [PropagationRequest(*fields) for fields in expected]
