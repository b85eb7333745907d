"""`--short-side N` reaches the network, from the command line and from the window's options."""

import argparse
from functools import partial
from pathlib import Path

import pytest
import torch

from sam_annotator.__main__ import main
from sam_annotator.cli.window import add_engine_arguments, engine_options
from sam_annotator.core.store import AnnotationStore
from sam_annotator.engine.engines import EngineOptions
from sam_annotator.engine.stcn import load
from sam_annotator.engine.stcn.network import StcnNetwork
from tests.engine.moving_propagator import box, draw, make_video
from tests.engine.stcn.small import KEY_CHANNELS, WIDTH, small_network


def test_frames_are_seen_with_the_short_side_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(small_network().state_dict(), tmp_path / "mine.pth")
    video = make_video(tmp_path / "videos", 3)
    draw(AnnotationStore(), video, 0, {1: box(4, 10)})
    seen = set()
    encode = StcnNetwork.encode_frame
    monkeypatch.setattr(load, "StcnNetwork", partial(StcnNetwork, WIDTH, KEY_CHANNELS))
    monkeypatch.setattr(
        StcnNetwork, "encode_frame", lambda self, image: (seen.add(min(image.shape[2:])), encode(self, image))[1]
    )
    monkeypatch.setattr("sam_annotator.cli.window.SHORTEST_SIDE", 16)
    command = ["propagate", str(video.folder), "--propagator", str(tmp_path / "mine.pth"), "--device", "cpu"]
    assert main([*command, "--short-side", "16"]) == 0
    assert seen == {16}


def test_the_window_hands_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argparse.ArgumentParser()
    add_engine_arguments(parser)
    assert EngineOptions(**engine_options(parser.parse_args(["--short-side", "360"]))).short_side == 360
    assert EngineOptions(**engine_options(parser.parse_args([]))).short_side is None


@pytest.mark.parametrize("wrong", ["0", "63", "-480", "big", "3.5"])
def test_a_side_that_is_no_number_of_pixels_is_told(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["propagate", "videos", f"--short-side={wrong}"])
    assert caught.value.code == 2
    assert f"'{wrong}' is not a number of pixels from 64" in capsys.readouterr().err
