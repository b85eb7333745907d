"""Datasets out of annotations, and back: YouTube-VIS, COCO per frame, indexed PNG masks; what they hold."""
