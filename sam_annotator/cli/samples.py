"""`sam-annotator samples`."""

import argparse

DESCRIPTION = "samples"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    raise NotImplementedError


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
