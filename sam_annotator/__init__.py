"""Annotate objects in video: SAM proposes masks, propagation carries them, labelme JSON keeps them."""

__version__ = "0.1.0"
