"""A tree of annotations becomes a YouTube-VIS dataset.

In the layout of LV-VIS (`layout.py` has the others):

    DATASET/Annotations/<split>_instances.json
    DATASET/JPEGImages/<split>/<video>/<frame>.jpg

The JSON is what the YouTube-VIS API and LV-VIS' code read: one annotation per object and video, three lists with one
entry per frame (RLE, box [x, y, width, height], area in pixels), null in all three where the object is absent. The same
annotations always give the same bytes, however many processes made them.
"""

from sam_annotator.core.youtube_vis.layout import annotations_path, check_apart, dataset_names, images_folder
from sam_annotator.core.youtube_vis.merging import Merged, Tree, merge_trees
from sam_annotator.core.youtube_vis.options import ConvertOptions
from sam_annotator.core.youtube_vis.pipeline import convert

__all__ = [
    "ConvertOptions",
    "Merged",
    "Tree",
    "annotations_path",
    "check_apart",
    "convert",
    "dataset_names",
    "images_folder",
    "merge_trees",
]
