"""`sam-annotator models`: which checkpoints there are, and where; fetching and verifying them."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

    from sam_annotator.core.weights.manifest import Checkpoint
    from sam_annotator.core.weights.verification import Verdict

DESCRIPTION = "Checkpoints (files of weights): which ones the program knows, what is there; fetches and verifies them."

EPILOG = """\
examples:
  sam-annotator models list                          what is there, and how to get what is not
  sam-annotator models fetch sam_vit_b stcn          fetch two; what was interrupted goes on
  sam-annotator models fetch sam_vit_b --models DIR  ... into a folder of your choice
  sam-annotator models verify                        read all that is there, and compare it with what was published
"""

_HEADINGS = ("name", "what it is", "size", "licence", "found")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    _add_models_option(parser, "look for checkpoints here first", default=None)
    parser.set_defaults(action="list")
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", help="list the checkpoints (what `models` alone does, too)")
    fetching = actions.add_parser("fetch", help="fetch checkpoints, go on with interrupted ones, check what came")
    fetching.add_argument("names", nargs="+", metavar="NAME", help="as `models list` shows it")
    fetching.add_argument("--force", action="store_true", help="replace a file of that name that is another one")
    _add_models_option(fetching, "fetch into this folder", default=argparse.SUPPRESS)
    verifying = actions.add_parser("verify", help="compare the files that are there with the published ones")
    verifying.add_argument("names", nargs="*", metavar="NAME", help="as `models list` shows it (default: all)")
    for action in (listing, verifying):
        _add_models_option(action, "look for checkpoints here first", default=argparse.SUPPRESS)


def run(options: argparse.Namespace) -> int:
    from sam_annotator.core.errors import InputError

    if options.models is not None and not options.models.expanduser().is_dir():
        raise InputError(f"The folder {options.models} given with --models does not exist; make it, or leave it out.")
    return {"list": _list, "fetch": _fetch, "verify": _verify}[options.action or "list"](options)


# --- list ----------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    from sam_annotator.core.weights.manifest import load_manifest

    checkpoints = load_manifest()
    _print_table([_HEADINGS, *(_row(checkpoint, options.models) for checkpoint in checkpoints)])
    _print_folders(options.models)
    _print_sources([checkpoint for checkpoint in checkpoints if not _is_there(checkpoint, options.models)])
    return 0


def _add_models_option(parser: argparse.ArgumentParser, text: str, *, default: str | None) -> None:
    parser.add_argument("--models", type=Path, metavar="DIR", default=default, help=text)


def _row(checkpoint: Checkpoint, extra: Path | None) -> tuple[str, ...]:
    return (checkpoint.name, checkpoint.about, checkpoint.size, checkpoint.licence, _found(checkpoint, extra))


def _found(checkpoint: Checkpoint, extra: Path | None) -> str:
    from sam_annotator.core.weights.manifest import find_checkpoint

    path = find_checkpoint(checkpoint, extra)
    if path is None:
        return _describe_part(checkpoint, extra) or "not found"
    if _is_there(checkpoint, extra):
        return str(path)
    return f"wrong size: {path} has {path.stat().st_size:,} bytes instead of {checkpoint.bytes:,}"


def _describe_part(checkpoint: Checkpoint, extra: Path | None) -> str:
    """How much of it was fetched before that was interrupted; empty: nothing was."""
    from sam_annotator.core.weights.download import fetched_bytes
    from sam_annotator.core.weights.manifest import describe_bytes, search_folders

    kept, folder = max((fetched_bytes(checkpoint, folder), folder) for folder in search_folders(extra))
    whole = "" if checkpoint.bytes is None else f" of {checkpoint.size}"
    go_on = f"models fetch {checkpoint.name} --models {shlex.quote(str(folder))}"
    return f"{describe_bytes(kept)}{whole} fetched; `sam-annotator {go_on}` goes on" if kept else ""


def _is_there(checkpoint: Checkpoint, extra: Path | None) -> bool:
    from sam_annotator.core.weights.manifest import find_checkpoint, has_right_size

    path = find_checkpoint(checkpoint, extra)
    return path is not None and has_right_size(checkpoint, path)


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))


def _print_folders(extra: Path | None) -> None:
    from sam_annotator.core.weights.manifest import MODELS_VARIABLE, search_folders

    print(f"\nLooked for in this order (--models DIR and the variable {MODELS_VARIABLE} come first):")
    for folder in search_folders(extra):
        print(f"  {folder}{'' if folder.is_dir() else '  (no such folder; make it to use it)'}")


def _print_sources(missing: list[Checkpoint]) -> None:
    if not missing:
        return
    print(
        f"\nTo get one: `sam-annotator models fetch {missing[0].name}`. Or, for a machine without a network, download"
    )
    print("it elsewhere and put it, under its own name, into one of these folders:")
    for checkpoint in missing:
        print(f"  {checkpoint.name}: {checkpoint.file} from {checkpoint.url}")
        if checkpoint.sha256:
            print(f"    sha256 {checkpoint.sha256}")
    print("\nWithout weights the embedded segmenter and propagator do the work.")


# --- fetch ---------------------------------------------------------------------------------------------------


def _fetch(options: argparse.Namespace) -> int:
    for checkpoint in _named(options.names):
        _fetch_one(checkpoint, options.models, force=options.force)
    return 0


def _fetch_one(checkpoint: Checkpoint, extra: Path | None, *, force: bool) -> None:
    from sam_annotator.core.weights.download import fetch, fetched_bytes
    from sam_annotator.core.weights.manifest import describe_bytes

    folder = _folder_for(checkpoint, extra)
    size = "size not published" if checkpoint.bytes is None else checkpoint.size
    print(f"{checkpoint.name}: {size}, {checkpoint.licence}, from {checkpoint.url}")
    if kept := fetched_bytes(checkpoint, folder):
        print(f"  going on after {describe_bytes(kept)}")
    sys.stdout.flush()
    path = _show_steps(fetch(checkpoint, folder, force=force), checkpoint.name)
    what = "size and sha256 are as published" if checkpoint.sha256 else "no hash is published, its own is noted"
    print(f"  {path} is there: {what}")


def _folder_for(checkpoint: Checkpoint, extra: Path | None) -> Path:
    """Where it is already, unless a folder was named; else where there is a place for it."""
    from sam_annotator.core.weights.manifest import choose_fetch_folder, find_checkpoint

    if extra is None and _is_there(checkpoint, None):
        found = find_checkpoint(checkpoint)
        assert found is not None
        return found.parent
    return choose_fetch_folder(extra)


# --- verify --------------------------------------------------------------------------------------------------


def _verify(options: argparse.Namespace) -> int:
    from sam_annotator.core.weights.verification import copies

    findings, is_any_there = 0, False
    for checkpoint in _named(options.names):
        found = copies(checkpoint, options.models)
        if not found and options.names:
            where = f" --models {shlex.quote(str(options.models))}" if options.models else ""
            print(f"{checkpoint.name}  not found: `sam-annotator models fetch {checkpoint.name}{where}` fetches it")
            findings += 1
        for path in found:
            verdict = _judge(checkpoint, path)
            print(f"{checkpoint.name}  {path}\n  {verdict.text}", flush=True)
            findings += not verdict.is_good
            is_any_there = True
    if not is_any_there and not options.names:
        print("No checkpoint is there to be verified; `sam-annotator models list` tells how to get one.")
    return 1 if findings else 0


def _judge(checkpoint: Checkpoint, path: Path) -> Verdict:
    """What is known of a file; one of STCN, of which no hash is published, is tried as well."""
    from sam_annotator.core.errors import EngineError
    from sam_annotator.core.weights.verification import Verdict, verify
    from sam_annotator.engine import engines

    fits = ""
    if checkpoint.sha256 is None and checkpoint.kind == "stcn":
        try:
            engines.check_stcn_weights(path, checkpoint)
        except EngineError as error:
            return Verdict(False, f"wrong: {error}")
        fits = "fits STCN; "
    verdict: Verdict = _show_steps(verify(checkpoint, path), checkpoint.name)
    return Verdict(True, f"{fits}{verdict.text}") if verdict.is_good else verdict


def _named(names: Sequence[str]) -> list[Checkpoint]:
    """The checkpoints of these names; all, where none is named."""
    from sam_annotator.core.errors import InputError
    from sam_annotator.core.weights.manifest import load_manifest

    known = {checkpoint.name: checkpoint for checkpoint in load_manifest()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"There is no checkpoint '{unknown[0]}'; choose among {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names)] if names else list(known.values())


def _show_steps(steps: Generator[Any, None, Any], name: str) -> Any:
    """Run to the end with a progress bar for each thing that is done; returns the result."""
    from contextlib import closing

    from sam_annotator.core.steps import finished

    with closing(steps), closing(_Bars(name)) as bars:
        return finished(steps, bars.show)


class _Bars:
    """One progress bar after the other, on stderr where that is a terminal."""

    def __init__(self, name: str) -> None:
        self._name, self._doing, self._note = name, "", ""
        self._bar: Any = None

    def show(self, step: Any) -> None:
        from tqdm import tqdm

        if step.note and step.note != self._note:
            tqdm.write(f"  {step.note}", file=sys.stderr)
        self._note = step.note or self._note
        if step.total is None or step.doing == "waiting":
            return
        if step.doing != self._doing:
            self.close()
            self._doing = step.doing
            text = f"{self._name}, {step.doing}"
            self._bar = tqdm(
                desc=text, total=step.total, initial=step.done, unit="B", unit_scale=True, file=sys.stderr, disable=None
            )
        self._bar.update(step.done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
