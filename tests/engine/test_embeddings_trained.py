"""Embeddings from files, by a SAM whose masks mean something: they are the masks of the image itself."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sam_annotator.core.masks import iou
from sam_annotator.core.prompt import Prompt
from sam_annotator.engine.checkpoints import load_sam
from sam_annotator.engine.embed_ahead import embed_frames
from sam_annotator.engine.embedding_files import EmbeddingFiles
from sam_annotator.engine.embeddings import Embeddings
from sam_annotator.engine.sam.ladder import Rung
from sam_annotator.engine.sam.segmenter import SamSegmenter, encoder_key
from tests.small_sam.pictures import deepest, draw_picture
from tests.small_sam.train import WEIGHTS


def test_masks_that_mean_something_come_back_from_files_of_another_precision(tmp_path: Path) -> None:
    """As from a night on a machine that computes with smaller numbers: the trained small SAM."""
    rng, folder = np.random.default_rng(5), tmp_path / "kept"
    pictures = [draw_picture(rng, 300, 400, shapes=4) for _ in range(4)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture.image).save(tmp_path / f"{number}.png")
    there, here = trained(torch.bfloat16), trained(torch.float32)
    assert there.key == here.key
    frames = [tmp_path / f"{number}.png" for number in range(len(pictures))]
    assert all(done.is_new for done in embed_frames(frames, there, EmbeddingFiles(folder, there.key)))
    kept, found = Embeddings(here, EmbeddingFiles(folder, here.key)), []
    for frame, picture in zip(frames, pictures, strict=True):
        clicks = [Prompt((deepest(mask),), (True,)) for mask in picture.masks]
        here.set_image(picture.image)
        expected = [here.predict(click)[0].mask for click in clicks]
        embedding = kept.find(frame)
        assert embedding is not None
        here.use(embedding)
        found += [iou(here.predict(click)[0].mask, mask) for click, mask in zip(clicks, expected, strict=True)]
        assert all(iou(mask, truth) > 0.5 for mask, truth in zip(expected, picture.masks, strict=True))
    assert min(found) >= 0.98


def trained(precision: torch.dtype) -> SamSegmenter:
    model, kind = load_sam(WEIGHTS)
    return SamSegmenter(model, name=kind, rung=Rung(torch.device("cpu"), precision), key=encoder_key(model))
