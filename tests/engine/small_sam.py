"""A Segment Anything of the package's real classes, small enough to compute in milliseconds."""

from functools import partial
from typing import Any

import torch

from sam_annotator.engine.sam.torchvision_standin import import_segment_anything


def small_sam(
    *,
    seed: int = 0,
    side: int = 128,
    width: int = 32,
    depth: int = 2,
    patch: int = 16,
    window: int = 4,
    channels: int = 32,
    mlp_ratio: int = 1,
    heads: int = 4,
) -> Any:
    """A `Sam` for images of `side` pixels, with random weights that give masks of many shapes.

    Args:
        seed: of the weights.
        side: of the encoder's square input; a mask prompt has a quarter of it.
        width: of the encoder; 768, 1024 and 1280 are what tells vit_b, vit_l and vit_h apart.
        depth: blocks of the encoder; every second one looks at the whole image, and the last.
        patch: pixels of a token's side.
        window: tokens of a window's side.
        channels: of the image embedding; divisible by 16, for the decoder has eight heads.
        mlp_ratio: width within the encoder's blocks.
        heads: of the encoder.
    """
    import_segment_anything()
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    torch.manual_seed(seed)
    grid = side // patch
    model = Sam(
        image_encoder=ImageEncoderViT(
            depth=depth,
            embed_dim=width,
            img_size=side,
            mlp_ratio=mlp_ratio,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
            num_heads=heads,
            patch_size=patch,
            qkv_bias=True,
            use_rel_pos=True,
            global_attn_indexes=(*range(1, depth, 2), depth - 1),
            window_size=window,
            out_chans=channels,
        ),
        prompt_encoder=PromptEncoder(
            embed_dim=channels, image_embedding_size=(grid, grid), input_image_size=(side, side), mask_in_chans=16
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(depth=2, embedding_dim=channels, mlp_dim=2 * channels, num_heads=8),
            transformer_dim=channels,
            iou_head_depth=3,
            iou_head_hidden_dim=32,
        ),
    )
    return model.eval()
