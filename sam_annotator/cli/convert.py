"""`sam-annotator convert`."""

import argparse

DESCRIPTION = "convert"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    raise NotImplementedError


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
