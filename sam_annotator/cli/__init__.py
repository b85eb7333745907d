"""The command line. What a command needs is imported after its arguments are parsed."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from sam_annotator.core.errors import AnnotatorError

_PIPE_CLOSED = 141
"""What a shell reports of a program whose reader went away (128 + SIGPIPE)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done; 1 done, with findings to look at; 2 not possible (one sentence on stderr); 130 interrupted;
        141 nobody reads the output any more (`sam-annotator models | head -1`).
    """
    _take_any_name()
    try:
        try:
            return _run(sys.argv[1:] if arguments is None else list(arguments))
        finally:
            _flush()  # here, where it can be caught: at exit a closed pipe would be a traceback
    except BrokenPipeError:
        _drop_output()
        return _PIPE_CLOSED


def _run(arguments: list[str]) -> int:
    from sam_annotator.cli.parser import parse

    options = parse(arguments)
    try:
        result: int = options.run(options)
    except AnnotatorError as error:
        print(f"sam-annotator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sam-annotator: interrupted; what was done so far is kept.", file=sys.stderr)
        return 130
    return result


def _take_any_name() -> None:
    """The name of a file may be such that the output cannot say it (not UTF-8): it gets backslashes then."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:  # a program without a console on Windows has none
        sys.stdout.flush()


def _drop_output() -> None:
    """What is left in the buffer goes nowhere, quietly, when the interpreter ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
