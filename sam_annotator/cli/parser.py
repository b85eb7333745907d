"""Arguments of all commands. The window is the default: a first word that is no command is its folder."""

import argparse
from collections.abc import Sequence

from sam_annotator import __version__
from sam_annotator.cli import (
    convert,
    demo,
    embed,
    export_masks,
    import_dataset,
    models,
    preview,
    propagate,
    samples,
    stats,
    window,
)

COMMANDS = {
    "convert": convert,
    "import": import_dataset,
    "export-masks": export_masks,
    "stats": stats,
    "preview": preview,
    "propagate": propagate,
    "embed": embed,
    "models": models,
    "samples": samples,
    "demo": demo,
}

_EPILOG = """\
commands:
  convert       make a YouTube-VIS dataset from annotations
  import        make annotations from a dataset: YouTube-VIS, COCO, DAVIS masks
  export-masks  make indexed PNG masks (DAVIS, YouTube-VOS), or COCO per frame
  stats         count objects, masks and frames by category, tracks, gaps, areas
  preview       draw masks over their frames: a video, or a sheet of frames
  propagate     carry masks through all videos of a folder, without a window
  embed         encode the frames of videos ahead, so that first clicks need not wait
  models        list, fetch and verify checkpoints (files of weights)
  samples       make sample videos with known truth
  demo          drive the real window through the whole job on sample videos

examples:
  sam-annotator /data/videos                      open the window
  sam-annotator /data/videos --output /data/ann   keep the annotations apart from the frames
  sam-annotator propagate /data/videos            fill the frames after each key frame
  sam-annotator convert /data/ann --videos /data/videos --output /data/dataset --categories names.txt
  sam-annotator import train.json --videos /data/videos --output /data/ann
  sam-annotator ./convert                         a folder that is named like a command

`sam-annotator COMMAND --help` tells more of a command.
"""


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments; the result's `run(result)` does the work.

    Raises:
        SystemExit: help or version was printed (0), or the arguments are wrong (2).
    """
    if arguments and arguments[0] in COMMANDS:
        name, rest = arguments[0], arguments[1:]
        command = COMMANDS[name]
        parser = _parser(f"sam-annotator {name}", command.DESCRIPTION, getattr(command, "EPILOG", None))
        command.add_arguments(parser)
        parser.set_defaults(run=command.run)
        return parser.parse_args(rest)
    parser = _parser("sam-annotator", window.DESCRIPTION, _EPILOG)
    parser.add_argument("--version", action="version", version=f"sam-annotator {__version__}")
    window.add_arguments(parser)
    parser.set_defaults(run=window.run)
    return parser.parse_args(arguments)


def _parser(prog: str, description: str, epilog: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
