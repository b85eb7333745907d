"""Frames, annotations, masks, dataset formats, checkpoints on disk. No torch, no Qt, no labelme."""
