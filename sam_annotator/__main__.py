"""`python -m sam_annotator` is the command `sam-annotator`."""

import sys

from sam_annotator.cli import main

if __name__ == "__main__":
    sys.exit(main())
