"""The command line. What a command needs is imported after its arguments are parsed."""

import sys
from collections.abc import Sequence

from sam_annotator.core.errors import AnnotatorError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 done; 1 done, with findings to look at; 2 not possible (one sentence on stderr); 130 interrupted.
    """
    from sam_annotator.cli.parser import parse

    options = parse(sys.argv[1:] if arguments is None else list(arguments))
    try:
        result: int = options.run(options)
    except AnnotatorError as error:
        print(f"sam-annotator: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sam-annotator: interrupted; what was done so far is kept.", file=sys.stderr)
        return 130
    return result
