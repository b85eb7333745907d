"""A tree of annotations becomes a YouTube-VIS dataset.

In the layout of LV-VIS (`layout.py` has the others):

    DATASET/Annotations/<split>_instances.json
    DATASET/JPEGImages/<split>/<video>/<frame>.jpg

The JSON is what the YouTube-VIS API and LV-VIS' code read: one annotation per object and video, three lists with one
entry per frame (RLE, box [x, y, width, height], area in pixels), null in all three where the object is absent. The same
annotations and categories always give the same bytes, however many processes made them.

For whoever shows it to people
------------------------------
Everything that takes long here is a generator of steps, which prints nothing and needs no Qt. Take a step, show it,
take the next; to cancel, call the generator's `close()` (or just drop it): that is safe at any step. A step has `done`
and `total`; the last one has the report, whose `str()` is the summary for people. What cannot be done is raised as an
`AnnotatorError` whose text is for people, too; `ConversionError.problems` has it line by line, `.findings` all of it.

    # Export. First what would be written, without writing; then for good. `merge_trees` is for several trees.
    options = ConvertOptions(split="train", categories=file, jobs=2, cache=folder, dry_run=True)
    for step in convert(videos, store, output, options):    # videos, store: as the window has them
        show(step.stage, step.done, step.total)             # `videos`, `masks`, `images`, `check`, `done`
    ask(step.report)                                        # str(); .findings, .is_clean, .masks
    for step in convert(videos, store, output, replace(options, dry_run=False)): ...
    # With the same `cache` the second run takes the masks of the first, and one that was cancelled goes on where it
    # stopped. Remove that folder when the dataset is written. `own_cache` names one.

    # Import. A dry run tells how many frames would be written and which have other annotations (`report.kept`).
    source = read_dataset(path)                             # datasets.mask_sources; a JSON, or a folder of PNGs
    options = ImportOptions(force=False, dry_run=True)      # datasets.importing
    for step in import_masks(source, videos, store, options): ...
    print(step.report)

    # PNG masks into a folder, and COCO per frame into FILE.json. Drawn and kept as above, with a dry run as above.
    options = MaskOptions(jobs=2, cache=folder, dry_run=True)           # datasets.mask_export
    for step in export_masks(Tree(root, videos, store), output, options): ...     # datasets.tree_export
    print(step.report)

The window has to save before, and to read its frame anew after an import.
"""

from sam_annotator.core.datasets.youtube_vis.caches import own_cache
from sam_annotator.core.datasets.youtube_vis.layout import annotations_path, check_apart, dataset_names, images_folder
from sam_annotator.core.datasets.youtube_vis.merging import Merged, Tree, merge_trees
from sam_annotator.core.datasets.youtube_vis.options import CategoryNames, ConvertOptions
from sam_annotator.core.datasets.youtube_vis.pipeline import convert

__all__ = [
    "CategoryNames",
    "ConvertOptions",
    "Merged",
    "Tree",
    "annotations_path",
    "check_apart",
    "convert",
    "dataset_names",
    "images_folder",
    "merge_trees",
    "own_cache",
]
