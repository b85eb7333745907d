"""`sam-annotator models`: which checkpoints there are, and where."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sam_annotator.core.manifest import Checkpoint

DESCRIPTION = "Checkpoints (files of weights): which ones the program knows, where it looks for them, what is there."

EPILOG = """\
examples:
  sam-annotator models list                          what is there, and how to get what is not
  sam-annotator models list --models /data/weights   look there first
"""

_HEADINGS = ("name", "what it is", "size", "licence", "found")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_models_option(parser, default=None)
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="list the checkpoints (what `models` alone does, too)")
    _add_models_option(listing, default=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.manifest import load_manifest

    if options.models is not None and not options.models.expanduser().is_dir():
        raise InputError(f"The folder {options.models} given with --models does not exist; make it, or leave it out.")
    checkpoints = load_manifest()
    _print_table([_HEADINGS, *(_row(checkpoint, options.models) for checkpoint in checkpoints)])
    _print_folders(options.models)
    _print_sources([checkpoint for checkpoint in checkpoints if not _is_there(checkpoint, options.models)])
    return 0


def _add_models_option(parser: argparse.ArgumentParser, *, default: str | None) -> None:
    parser.add_argument("--models", type=Path, metavar="DIR", default=default, help="look for checkpoints here first")


def _row(checkpoint: Checkpoint, extra: Path | None) -> tuple[str, ...]:
    return (checkpoint.name, checkpoint.about, checkpoint.size, checkpoint.licence, _found(checkpoint, extra))


def _found(checkpoint: Checkpoint, extra: Path | None) -> str:
    from sam_annotator.core.manifest import find_checkpoint

    path = find_checkpoint(checkpoint, extra)
    if path is None:
        return "not found"
    if _is_there(checkpoint, extra):
        return str(path)
    return f"wrong size: {path} has {path.stat().st_size:,} bytes instead of {checkpoint.bytes:,}"


def _is_there(checkpoint: Checkpoint, extra: Path | None) -> bool:
    from sam_annotator.core.manifest import find_checkpoint, has_right_size

    path = find_checkpoint(checkpoint, extra)
    return path is not None and has_right_size(checkpoint, path)


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _print_folders(extra: Path | None) -> None:
    from sam_annotator.core.manifest import MODELS_VARIABLE, search_folders

    print(f"\nLooked for in this order (--models DIR and the variable {MODELS_VARIABLE} come first):")
    for folder in search_folders(extra):
        print(f"  {folder}{'' if folder.is_dir() else '  (no such folder; make it to use it)'}")


def _print_sources(missing: list[Checkpoint]) -> None:
    if not missing:
        return
    print("\nTo get one, download it and put it, under its own name, into one of these folders:")
    for checkpoint in missing:
        print(f"  {checkpoint.name}: {checkpoint.file} from {checkpoint.url}")
        if checkpoint.sha256:
            print(f"    sha256 {checkpoint.sha256}")
    print("\nWithout weights the embedded segmenter and propagator do the work.")
