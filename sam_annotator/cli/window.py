"""`sam-annotator [VIDEOS]`: the window."""

import argparse
from pathlib import Path

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
    parser.add_argument("--labels", metavar="FILE", help="categories to choose from: a text file, one a line")
    parser.add_argument(
        "--keymap", choices=("labelme", "classic"), help="key preset (default: the one used last, labelme at first)"
    )
    add_engine_arguments(parser)


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the models, shared by the commands that compute masks."""
    parser.add_argument(
        "--sam",
        default="auto",
        metavar="NAME",
        help="segmenter: a name that `sam-annotator models list` shows, a checkpoint file, "
        "'embedded' (needs no weights), or 'auto': the best one that is there (default)",
    )
    add_propagator_arguments(parser)


def add_propagator_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the propagator, for commands that need no segmenter."""
    parser.set_defaults(sam="auto")
    parser.add_argument(
        "--propagator",
        default="auto",
        metavar="NAME",
        help="'auto': STCN where stcn.pth is found, else the embedded one (default); 'embedded'; 'stcn'; "
        "or an STCN checkpoint file",
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="look for checkpoints here first")
    parser.add_argument("--device", default="auto", help="'auto' (default), 'cpu', 'cuda', 'cuda:1', ...")


def run(options: argparse.Namespace) -> int:
    from sam_annotator.gui.app import run_window

    return run_window(
        videos=options.videos,
        output=options.output,
        labels=options.labels,
        keymap=options.keymap,
        engines=engine_options(options),
    )


def engine_options(options: argparse.Namespace) -> dict[str, object]:
    """The models that were chosen, as the fields of EngineOptions."""
    return {
        "segmenter": options.sam,
        "propagator": options.propagator,
        "models": options.models,
        "device": options.device,
    }
