"""`sam-annotator samples [FOLDER]`: sample videos to try the program on."""

import argparse
from pathlib import Path

DESCRIPTION = "Make three short sample videos of photographs in motion, and what is true in each of their frames."
EPILOG = """\
what is made:
  FOLDER/videos/coffee    a cup glides over a lawn: easy
  FOLDER/videos/space     a space shuttle passes behind an astronaut: two objects
  FOLDER/videos/whiskers  a cat comes close and slips out of the frame while the light goes: hard
  FOLDER/truth            the objects' true masks, and truth/objects.json with their names and a click for each

Nothing is downloaded. A sample set that is already there is left as it is.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path("samples"),
        metavar="FOLDER",
        help="where to make them; new or empty (default: ./samples)",
    )


def run(options: argparse.Namespace) -> int:
    from sam_annotator.samples import make_samples

    videos = make_samples(options.folder, report=print)
    root = videos[0].parent
    print(f"{len(videos)} sample videos are in {root}, their true masks in {options.folder / 'truth'}.")
    print(f"Open them with: sam-annotator {_quoted(root)}")
    return 0


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text
