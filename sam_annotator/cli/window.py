"""`sam-annotator [VIDEOS]`: the window."""

import argparse
from pathlib import Path
from typing import Any

SHORTEST_SIDE = 64
"""Pixels: with less, STCN has no more than four places along a side to look for an object."""

DESCRIPTION = "Annotate objects in video. Without a command, opens the window on a folder of videos."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "videos",
        nargs="?",
        type=Path,
        metavar="VIDEOS",
        help="a folder of videos (folders of images, or video files), or one video",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="keep annotations in DIR/<video>/<frame>.json (default: beside the frames)",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="categories to choose from: a text file, one a line, or a YouTube-VIS or COCO JSON; what is changed in "
        "the window is saved there",
    )
    parser.add_argument(
        "--keymap", choices=("labelme", "classic"), help="key preset (default: the one used last, labelme at first)"
    )
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="DIR",
        help="keep what SAM computes of each frame here, as `embed` does (default: in the user's cache folder)",
    )
    parser.add_argument(
        "--no-embedding-cache", action="store_true", help="keep it in memory only, and do not look for files of it"
    )
    parser.add_argument(
        "--frames-ahead", type=_count, metavar="N", help="encode so many frames ahead while nothing else is done"
    )
    add_engine_arguments(parser)


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the models, shared by the commands that compute masks."""
    add_segmenter_arguments(parser)
    _add_propagator(parser)


def add_segmenter_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the segmenter, and what it runs on."""
    parser.add_argument(
        "--sam",
        default="auto",
        metavar="NAME",
        help="segmenter: a name that `sam-annotator models list` shows, a checkpoint file, "
        "'embedded' (needs no weights), or 'auto': the best one that is there (default)",
    )
    _add_place(parser)


def add_propagator_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the propagator, and what it runs on, for commands that need no segmenter."""
    parser.set_defaults(sam="auto")
    _add_propagator(parser)
    _add_place(parser)


def _add_propagator(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--propagator",
        default="auto",
        metavar="NAME",
        help="'auto': STCN where stcn.pth is found, else the embedded one (default); 'embedded'; 'stcn'; "
        "or an STCN checkpoint file",
    )
    parser.add_argument(
        "--short-side",
        type=_short_side,
        metavar="N",
        help="frames as STCN sees them have a shorter side of N pixels at most (default: 480, as published); less is "
        "faster and needs less memory",
    )


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=Path, metavar="DIR", help="look for checkpoints here first")
    parser.add_argument("--device", default="auto", help="'auto' (default), 'cpu', 'cuda', 'cuda:1', ...")


def run(options: argparse.Namespace) -> int:
    from sam_annotator.engine.engines import EngineOptions, check_choices
    from sam_annotator.gui.app import run_window

    check_choices(EngineOptions(**engine_options(options)))
    return run_window(
        videos=options.videos,
        output=options.output,
        labels=options.labels,
        keymap=options.keymap,
        engines={**engine_options(options), **embedding_options(options)},
    )


def embedding_options(options: argparse.Namespace) -> dict[str, object]:
    """Which embeddings are kept, and where, as EngineJobs takes it; the settings say what is not said here."""
    chosen: dict[str, object] = {"embeddings": options.embeddings}
    if options.no_embedding_cache:
        chosen["keep_embeddings"] = False
    if options.frames_ahead is not None:
        chosen["frames_ahead"] = options.frames_ahead
    return chosen


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0")
    return int(text)


def _short_side(text: str) -> int:
    if not text.isdecimal() or int(text) < SHORTEST_SIDE:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of pixels from {SHORTEST_SIDE}")
    return int(text)


def engine_options(options: argparse.Namespace) -> dict[str, Any]:
    """The models that were chosen, as the fields of EngineOptions."""
    return {
        "segmenter": options.sam,
        "propagator": options.propagator,
        "models": options.models,
        "device": options.device,
        "short_side": options.short_side,
    }
