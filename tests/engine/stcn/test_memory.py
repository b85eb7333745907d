"""What a run remembers."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam_annotator.engine.stcn import memory
from sam_annotator.engine.stcn.memory import TOP, Kind, MemoryBank, MemoryPlan, match

HEIGHT, WIDTH, CHANNELS = 2, 3, 4


def key(seed: int) -> torch.Tensor:
    return torch.randn(1, CHANNELS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))


def value(seed: int) -> torch.Tensor:
    return torch.randn(5, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1000 + seed))


def walk(bank: MemoryBank, frames: range, kind: Kind = Kind.WORKING, object_id: int = 1) -> None:
    for index in frames:
        bank.remember(index, key(index), {object_id: value(index)}, {object_id: kind})


@pytest.mark.parametrize("chunk", [1, 10**9])
@pytest.mark.parametrize("places", [3, 50])
def test_the_nearest_places_take_part_whether_compared_in_chunks_or_at_once(
    monkeypatch: pytest.MonkeyPatch, chunk: int, places: int
) -> None:
    monkeypatch.setattr(memory, "CHUNK", chunk)
    generator = torch.Generator().manual_seed(places)
    queries = torch.randn(7, CHANNELS, generator=generator)
    keys = [torch.randn(places, CHANNELS, generator=generator) for _ in range(4)]
    weights, where = match(queries, keys)
    everything = torch.cat(keys)
    affinity = -torch.cdist(queries, everything).square() / CHANNELS**0.5
    top, _ = affinity.topk(min(TOP, len(everything)))
    assert weights.shape == top.shape
    dense = torch.zeros_like(affinity).scatter(1, where, weights)
    expected = torch.where(affinity >= top[:, -1:], affinity, -torch.inf).softmax(1)
    torch.testing.assert_close(dense, expected)


def test_keys_that_lie_far_apart_do_not_overflow() -> None:
    weights, _ = match(torch.full((2, CHANNELS), 1e4), [torch.full((30, CHANNELS), -1e4)])
    torch.testing.assert_close(weights, torch.full((2, TOP), 1 / TOP))


def test_the_frame_itself_is_what_matches_best() -> None:
    bank = MemoryBank()
    walk(bank, range(4), Kind.KEY)
    bank._keys = {index: places * 100 for index, places in bank._keys.items()}
    read = bank.read(key(2) * 100, [1])
    torch.testing.assert_close(read[0], value(2))


def test_the_last_frame_gives_way_to_the_next() -> None:
    bank = MemoryBank()
    walk(bank, range(1), Kind.KEY)
    walk(bank, range(1, 10), Kind.LAST)
    assert bank.frames(1) == {0: Kind.KEY, 9: Kind.LAST}
    walk(bank, range(10, 11))
    assert bank.frames(1) == {0: Kind.KEY, 10: Kind.WORKING}
    assert set(bank._keys) == {0, 10}


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(list(Kind)), max_size=80), st.integers(1, 6), st.booleans())
def test_memory_is_bounded_and_keeps_key_frames_and_the_newest(kinds: list[Kind], limit: int, backward: bool) -> None:
    bank = MemoryBank(MemoryPlan(working=limit, given=limit))
    for step, kind in enumerate(kinds):
        walk(bank, range(-step, -step + 1) if backward else range(step, step + 1), kind)
        frames = bank.frames(1)
        kept = list(frames.values())
        assert kept.count(Kind.KEY) == kinds[: step + 1].count(Kind.KEY)
        assert kept.count(Kind.WORKING) <= limit
        assert kept.count(Kind.GIVEN) <= limit
        assert kept.count(Kind.LAST) == (kind == Kind.LAST)
        assert frames[-step if backward else step] == kind
        assert bank._keys.keys() == frames.keys()


def test_working_frames_reach_back_to_the_start_and_are_densest_near_the_newest() -> None:
    bank = MemoryBank(MemoryPlan(working=8))
    walk(bank, range(0, 2000, 5))
    frames = list(bank.frames(1))
    gaps = [after - before for before, after in pairwise(frames)]
    assert frames[0] == 0
    assert frames[-1] == 1995
    assert max(gaps) < 1400
    assert gaps[-1] <= 20
    assert sum(gaps[:3]) > sum(gaps[-3:])


def test_a_key_frame_that_the_run_comes_by_is_renewed_and_stays_a_key_frame() -> None:
    bank = MemoryBank()
    walk(bank, range(1), Kind.KEY)
    for kind, seed in ((Kind.WORKING, 0), (Kind.GIVEN, 7)):
        bank.remember(0, key(0), {1: value(7)}, {1: kind})
        assert bank.frames(1) == {0: Kind.KEY}
        torch.testing.assert_close(bank.value(1, 0), value(seed).flatten(1).T)


def test_what_is_remembered_of_one_object_does_not_depend_on_the_others() -> None:
    alone, together = MemoryBank(), MemoryBank()
    for bank in (alone, together):
        walk(bank, range(1), Kind.KEY)
        walk(bank, range(1, 4))
    walk(together, range(2, 3), Kind.GIVEN, object_id=2)
    walk(together, range(5, 6), Kind.KEY, object_id=3)
    torch.testing.assert_close(alone.read(key(9), [1])[0], together.read(key(9), [2, 1, 3])[1])


def test_nothing_of_a_frame_keeps_more_of_the_features_alive() -> None:
    bank = MemoryBank()
    features = torch.randn(100, CHANNELS, HEIGHT, WIDTH)
    bank.remember(0, features[:1], {1: features[1]}, {1: Kind.KEY})
    assert bank.value(1, 0).untyped_storage().nbytes() == 4 * CHANNELS * HEIGHT * WIDTH
