"""A small Segment Anything of the package's real classes, trained on drawn pictures: its masks mean something."""
