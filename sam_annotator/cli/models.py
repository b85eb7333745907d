"""`sam-annotator models`."""

import argparse

DESCRIPTION = "models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    raise NotImplementedError


def run(options: argparse.Namespace) -> int:
    raise NotImplementedError
