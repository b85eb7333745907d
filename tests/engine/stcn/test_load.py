"""From files of weights to STCN, and sentences for files that are something else."""

from functools import partial
from pathlib import Path

import pytest
import torch

from sam_annotator.core.errors import EngineError, InputError
from sam_annotator.core.weights.damage import DamagedError
from sam_annotator.core.weights.hashing import sha256
from sam_annotator.core.weights.record import recorded
from sam_annotator.engine.stcn import load
from sam_annotator.engine.stcn.load import choose_precision, has_fast_bfloat16, load_network, make_stcn, ready_network
from sam_annotator.engine.stcn.network import StcnNetwork
from tests.engine.stcn.small import KEY_CHANNELS, LEFT, WIDTH, frame, small_network

INPUT = "value_encoder.conv1.weight"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "StcnNetwork", partial(StcnNetwork, WIDTH, KEY_CHANNELS))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    torch.save(small_network().state_dict(), tmp_path / "stcn.pth")
    return tmp_path / "stcn.pth"


def test_weights_are_loaded_to_the_last_one(path: Path) -> None:
    expected, loaded = small_network().state_dict(), load_network(path).state_dict()
    assert expected.keys() == loaded.keys()
    assert all(torch.equal(tensor, loaded[name]) for name, tensor in expected.items())


def test_a_propagator_is_made_that_works_and_says_what_it_is(path: Path) -> None:
    told: list[str] = []
    propagator = make_stcn(path, device="cpu", report=told.append)
    assert propagator.name == f"STCN, cpu {'bfloat16' if has_fast_bfloat16() else 'float32'}"
    assert len(told) == 1
    assert told[0].startswith("Loading STCN from stcn.pth (")
    propagator.begin([])
    propagator.step(0, frame(0), {1: LEFT}, frozenset({1}))
    assert propagator.step(1, frame(1), {}, frozenset({1})).keys() == {1}


def test_a_file_that_is_another_one_than_at_first_is_said_once_and_works(path: Path) -> None:
    assert make_stcn(path, device="cpu").notice() is None
    assert recorded(path) == sha256(path)
    torch.save(small_network(seed=1).state_dict(), path)
    propagator = make_stcn(path, device="cpu")
    assert "stcn.pth is another file than the last time" in str(propagator.notice())
    assert propagator.notice() is None
    assert make_stcn(path, device="cpu").notice() is None


def test_the_short_side_is_that_of_the_frames_as_the_network_sees_them(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    encode = StcnNetwork.encode_frame
    monkeypatch.setattr(
        StcnNetwork, "encode_frame", lambda self, image: (seen.append(image.shape[2:]), encode(self, image))[1]
    )
    for short_side in (None, 32):
        propagator = make_stcn(path, device="cpu", short_side=short_side)
        propagator.begin([])
        propagator.step(0, frame(0), {1: LEFT}, frozenset({1}))
    assert seen == [(48, 64), (32, 48)]


def test_weights_for_one_object_at_a_time_get_a_plane_that_counts_for_nothing(path: Path) -> None:
    state = small_network().state_dict()
    state[INPUT] = state[INPUT][:, :4].clone()
    torch.save(state, path)
    network = load_network(path)
    assert torch.equal(network.state_dict()[INPUT][:, :4], state[INPUT])
    seen = network.encode_frame(torch.zeros(1, 3, 32, 32))
    masks, others = torch.rand(2, 1, 32, 32), torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(
        network.encode_values(seen, masks, others), network.encode_values(seen, masks, torch.zeros_like(others))
    )


def test_the_network_made_ready_computes_the_same() -> None:
    image, masks = torch.rand(1, 3, 48, 64), torch.rand(2, 1, 48, 64)
    results = []
    for network in (small_network(), ready_network(small_network(), torch.device("cpu"), torch.float32)):
        seen = network.encode_frame(image)
        results.append(network.decode(seen, network.encode_values(seen, masks, masks.flip(0))))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    torch.testing.assert_close(results[0], results[1])


def test_the_parts_of_a_frame_that_are_shared_give_each_object_what_it_gets_alone() -> None:
    network = small_network()
    seen = network.encode_frame(torch.rand(1, 3, 48, 64))
    masks, others = torch.rand(3, 1, 48, 64), torch.rand(3, 1, 48, 64)
    together = network.encode_values(seen, masks, others)
    decoded = network.decode(seen, together)
    for place in range(3):
        alone = network.encode_values(seen, masks[place : place + 1], others[place : place + 1])
        torch.testing.assert_close(alone, together[place : place + 1])
        torch.testing.assert_close(network.decode(seen, alone), decoded[place : place + 1])


def test_weights_that_are_not_exactly_those_of_stcn_are_named(path: Path) -> None:
    state = small_network().state_dict()
    state["extra.weight"] = state.pop("decoder.pred.bias")
    state["key_comp.bias"] = state["key_comp.bias"][:-1].clone()
    torch.save(state, path)
    with pytest.raises(EngineError) as caught:
        load_network(path)
    for fact in (str(path), "missing (such as decoder.pred.bias)", "unknown (such as extra.weight)", "key_comp.bias"):
        assert fact in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_named(path: Path, value: float) -> None:
    state = small_network().state_dict()
    state["decoder.compress.conv1.weight"][0, 0, 0, 0] = value
    torch.save(state, path)
    with pytest.raises(DamagedError, match=r"stcn\.pth is damaged: 1 of .*decoder\.compress\.conv1\.weight"):
        load_network(path)


@pytest.mark.parametrize("planes", [3, 6])
def test_a_value_encoder_of_other_planes_is_refused(path: Path, planes: int) -> None:
    state = small_network().state_dict()
    state[INPUT] = torch.zeros(WIDTH, planes, 7, 7)
    torch.save(state, path)
    with pytest.raises(EngineError, match=f"of another shape .such as {INPUT}"):
        load_network(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>Google Drive can't scan this file", b"PK\x03\x04"])
def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "stcn.pth").write_bytes(content)
    with pytest.raises(EngineError, match=r"stcn\.pth cannot be read as a file of weights"):
        make_stcn(tmp_path / "stcn.pth", device="cpu")


def test_a_file_that_was_cut_short_and_one_that_is_missing_are_errors(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(EngineError, match="cut short"):
        load_network(path)
    path.unlink()
    with pytest.raises(EngineError, match="cannot be opened"):
        load_network(path)


def test_a_device_that_is_not_there_is_an_error(path: Path) -> None:
    with pytest.raises(InputError, match="--device cpu"):
        make_stcn(path, device="cuda:99")


def test_half_precision_is_for_devices_that_compute_faster_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, expected in (((6, 1), torch.float32), ((7, 0), torch.float16), ((9, 0), torch.float16)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device, known=capability: known)
        assert choose_precision(torch.device("cuda")) == expected
    for fast, expected in ((False, torch.float32), (True, torch.bfloat16)):
        monkeypatch.setattr(load, "has_fast_bfloat16", lambda known=fast: known)
        assert choose_precision(torch.device("cpu")) == expected
