"""Sample videos with known truth: photographs of a dependency, cut out and set in motion. No network, Qt or torch."""

from sam_annotator.samples.make import make_samples

__all__ = ["make_samples"]
