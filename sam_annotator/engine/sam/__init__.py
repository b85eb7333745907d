"""Segment Anything behind the segmenter's contract."""
