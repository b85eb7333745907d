"""The engines that need no weights: classical vision behind the contracts of segmenter and propagator."""
