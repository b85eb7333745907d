"""`sam-annotator demo`: the whole job, done by the program itself in its real window."""

import argparse
import os
from pathlib import Path

DESCRIPTION = """\
Drive the real window through the whole job on sample videos: click, accept, name, propagate, edit, make the dataset.
Saves a picture of each stage, the annotations and the dataset, and prints how good the masks are against the truth."""
EPILOG = "Needs no display, no weights and no network. --show does it on your screen, to watch."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from sam_annotator.cli.window import add_engine_arguments

    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path("demo-output"), metavar="FOLDER",
        help="where everything goes; new, empty, or of an earlier demonstration (default: ./demo-output)",
    )  # fmt: skip
    parser.add_argument(
        "--samples", type=Path, metavar="DIR", help="sample videos that are there already (default: made in FOLDER)"
    )
    parser.add_argument("--show", action="store_true", help="on the screen instead of off-screen")
    add_engine_arguments(parser)


def run(options: argparse.Namespace) -> int:
    from sam_annotator.cli.window import engine_options

    if not options.show:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from sam_annotator.gui.demo import run_demo
    from sam_annotator.gui.settings.application import quiet_qt

    quiet_qt()
    quality = run_demo(options.folder, options.samples, print, engine_options(options))
    print(f"Pictures: {options.folder / 'pictures'}   annotations: {options.folder / 'annotations'}")
    print(f"Dataset:  {options.folder / 'dataset'}   figures: {options.folder / 'summary.txt'}")
    return 0 if quality > 0.8 else 1
