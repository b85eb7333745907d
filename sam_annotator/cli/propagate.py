"""`sam-annotator propagate`."""

import argparse

DESCRIPTION = "propagate"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    raise NotImplementedError


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
