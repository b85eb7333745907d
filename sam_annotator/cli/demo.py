"""`sam-annotator demo`."""

import argparse

DESCRIPTION = "demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    raise NotImplementedError


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
